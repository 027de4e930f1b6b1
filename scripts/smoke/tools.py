"""The real HTTP, SAM and Stripe of a run."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from billing.payments.stripe_gateway import API_VERSION

from local.api_client import REQUEST_SECONDS_MAX, Answer
from local.deployment import SAM
from local.settings import ROOT, Settings
from local.stripe.browser import TEST_CARD, ask, confirm_setup
from local.stripe.process import KEYS
from scripts.smoke.before import TAG
from scripts.smoke.redaction import redacted
from scripts.smoke.refusals import Refused, remedy_for

FOLDER = ROOT / ".local" / "smoke"
SAM_SECONDS_MAX = 3600
OWN_VARIABLES = "LIVELLO_SMOKE_"
"""What the names of smoke's own variables begin with: they hold keys, which sam does not get."""

TAIL_LINES = 6

STRIPE = "https://api.stripe.com"
TEST_METHOD = "pm_card_visa"
"""https://docs.stripe.com/testing#cards: a payment method of test mode, so that no card's number is sent."""

NOTICES = (
    "setup_intent.succeeded",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.canceled",
    "customer.deleted",
)
"""The notices that a run needs. docs/operate.md, Stripe, has all."""

OURS = {"metadata[livello]": "smoke"}


def send(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    """One HTTP or HTTPS request; no redirect is followed. Raises OSError."""
    address = urlsplit(url)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.netloc, timeout=REQUEST_SECONDS_MAX)
    try:
        connection.request(method, urllib.parse.urlunsplit(("", "", *address[2:4], "")), body, dict(headers))
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


class NoSam:
    """This machine's stack is deployed by make run."""

    def build(self) -> str:
        raise NotImplementedError

    def change_set(self, stack: str, parameters: Mapping[str, str]) -> str:
        raise NotImplementedError

    def deploy(self, stack: str, parameters: Mapping[str, str], extra: Mapping[str, Any] | None = None) -> str:
        raise NotImplementedError

    def delete(self, stack: str) -> str:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class SamCli:
    """The project's own SAM CLI, in a folder of its own: a build of `make run` is for this machine."""

    region: str
    profile: str | None
    folder: Path = FOLDER
    command: Sequence[str | Path] = SAM

    def build(self) -> str:
        return self._run(["build", "--build-dir", self.folder / "build"])

    def change_set(self, stack: str, parameters: Mapping[str, str]) -> str:
        return self._deploy(stack, parameters, ["--no-execute-changeset"], self._template(None))

    def deploy(self, stack: str, parameters: Mapping[str, str], extra: Mapping[str, Any] | None = None) -> str:
        return self._deploy(stack, parameters, [], self._template(extra))

    def delete(self, stack: str) -> str:
        return self._run(["delete", "--stack-name", stack, "--no-prompts", *self._account()])

    def _deploy(self, stack: str, parameters: Mapping[str, str], more: list[str], template: Path) -> str:
        given = [f"{name}={json.dumps(value)}" for name, value in parameters.items()]
        return self._run(
            [
                "deploy",
                *("--template-file", template),
                *("--stack-name", stack),
                "--resolve-s3",
                *("--s3-prefix", stack),
                *("--capabilities", "CAPABILITY_IAM"),
                *("--tags", f"{TAG}=yes"),
                "--no-confirm-changeset",
                "--no-fail-on-empty-changeset",
                "--no-progressbar",
                *more,
                *self._account(),
                "--parameter-overrides",
                *given,
            ]
        )

    def _template(self, extra: Mapping[str, Any] | None) -> Path:
        """The built template; with `extra` a copy beside it that has more resources."""
        built = self.folder / "build" / "template.yaml"
        if not extra:
            return built
        changed = built.with_name("failing.yaml")
        text = yaml.safe_dump({"Resources": dict(extra)}).partition("\n")[2]
        head, found, rest = built.read_text("utf-8").partition("\nResources:\n")
        if not found:
            raise Refused("The built template has no resources.", "Build it again.")
        changed.write_text(f"{head}{found}{text}{rest}", "utf-8")
        return changed

    def _account(self) -> list[str]:
        return ["--region", self.region, *(("--profile", self.profile) if self.profile else ())]

    def _run(self, arguments: Sequence[str | Path]) -> str:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(OWN_VARIABLES)},
            "SAM_CLI_TELEMETRY": "0",
            "PATH": f"{ROOT / '.tools' / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            # A build is for the cloud's Python on arm64, whatever a shell has set for make run.
            "LAYER_PYTHON": "3.13",
        }
        if not shutil.which(str(self.command[0])):
            raise Refused("The project's SAM CLI is missing.", "make all installs it.")
        try:
            finished = subprocess.run(
                [str(each) for each in (*self.command, *arguments)],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=SAM_SECONDS_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Refused(f"sam {arguments[0]} took more than an hour.", "Look at the stack's events.") from None
        log = self.folder / f"{arguments[0]}.log"
        log.write_text(redacted(finished.stdout), "utf-8")
        tail = " ".join(line.strip() for line in finished.stdout.strip().splitlines()[-TAIL_LINES:])
        if finished.returncode:
            raise Refused(f"sam {arguments[0]}: {tail}", f"{remedy_for(finished.stdout)} All of it is in {log.name}.")
        return tail


@dataclass(frozen=True, slots=True)
class StandIn:
    """The stand-in for Stripe of a local stack."""

    settings: Settings

    @property
    def keys(self) -> Mapping[str, str]:
        return {name: KEYS[name] for name in ("api_key", "publishable_key")}

    def account(self) -> str:
        ask(self.settings, "/v1/account", KEYS["api_key"])
        return "the stand-in for Stripe answers"

    def confirm_card(self, setup: Mapping[str, str]) -> None:
        confirm_setup(self.settings, setup, TEST_CARD)

    def charges(self, account: str) -> list[int]:
        return _charges(ask(self.settings, "/v1/charges?limit=100", KEYS["api_key"]), account)

    def listen(self, url: str) -> str:
        raise NotImplementedError(url)

    def stop_listening(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class StripeTestMode:
    """Stripe's own test mode. Raises Refused for a key of live mode before anything is sent."""

    api_key: str = field(repr=False)
    publishable_key: str = field(repr=False)
    base: str = STRIPE

    def __post_init__(self) -> None:
        if not (self.api_key.startswith(("sk_test_", "rk_test_")) and self.publishable_key.startswith("pk_test_")):
            raise Refused("A key is not of Stripe's test mode.", "Give keys that begin with sk_test_ and pk_test_.")

    @property
    def keys(self) -> Mapping[str, str]:
        return {"api_key": self.api_key, "publishable_key": self.publishable_key}

    def account(self) -> str:
        self._ask("/v1/account")
        return "Stripe's test mode answers"

    def confirm_card(self, setup: Mapping[str, str]) -> None:
        # https://docs.stripe.com/api/setup_intents/confirm
        form = {"payment_method": TEST_METHOD, "return_url": "https://smoke.example"}
        confirmed = self._ask(f"/v1/setup_intents/{setup['setup_intent']}/confirm", form)
        if confirmed.get("status") != "succeeded":
            raise Refused(f"The SetupIntent is {confirmed.get('status')}.", "Look at it in Stripe's dashboard.")

    def charges(self, account: str) -> list[int]:
        return _charges(self._ask("/v1/charges?limit=100"), account)

    def listen(self, url: str) -> str:
        # https://docs.stripe.com/api/webhook_endpoints/create: the secret is in this answer only.
        form: dict[str, str] = {"url": url, "api_version": API_VERSION, **OURS}
        form |= {f"enabled_events[{number}]": each for number, each in enumerate(NOTICES)}
        secret: str = self._ask("/v1/webhook_endpoints", form)["secret"]
        return secret

    def stop_listening(self) -> int:
        endpoints = self._ask("/v1/webhook_endpoints?limit=100")["data"]
        ours = [each for each in endpoints if each.get("metadata", {}).get("livello") == "smoke"]
        for each in ours:
            self._ask(f"/v1/webhook_endpoints/{each['id']}", method="DELETE")
        return len(ours)

    def _ask(self, path: str, form: Mapping[str, str] | None = None, method: str | None = None) -> dict[str, Any]:
        data = None if form is None else urllib.parse.urlencode(form).encode()
        headers = {"Authorization": f"Bearer {self.api_key}", "Stripe-Version": API_VERSION}
        request = urllib.request.Request(self.base + path, data, headers, method=method)  # noqa: S310 - Stripe's own
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_SECONDS_MAX) as answer:  # noqa: S310
                body: dict[str, Any] = json.loads(answer.read())
                return body
        except urllib.error.HTTPError as failure:
            # https://docs.stripe.com/api/errors
            error = _error_of(failure.read())
            said = f"Stripe: {failure.code}: {error.get('code') or error.get('type')}: {error.get('message')}"
            raise Refused(said, "Look at the request in Stripe's dashboard, under Developers, Logs.") from None


def _error_of(body: bytes) -> dict[str, Any]:
    try:
        error = json.loads(body).get("error")
    except (ValueError, AttributeError):
        return {}
    return error if isinstance(error, dict) else {}


def _charges(answer: Mapping[str, Any], account: str) -> list[int]:
    return [each["amount"] for each in answer["data"] if each["metadata"].get("account") == account]
