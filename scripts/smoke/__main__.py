"""Tries a whole deployment in ten steps: `make run`'s, or one that it makes in an AWS account and removes again.

    python -m scripts.smoke --local
    python -m scripts.smoke --region eu-central-1 --profile me --sender smoke@your.domain           # only looks
    python -m scripts.smoke --region eu-central-1 --profile me --sender smoke@your.domain --yes     # about an hour
    python -m scripts.smoke --region eu-central-1 --profile me --remove --yes

Each step is one line, with its time and the request id of its last call. The first step that fails ends the run; its
line has what AWS said and what to do, and the last lines name what is left.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ProfileNotFound
from botocore.session import Session

from local.background import wait_until
from local.letter import Letter
from local.mail_folder import MailFolder
from local.settings import ROOT, LocalError, Settings, settings_from_environment
from scripts.smoke.redaction import redacted
from scripts.smoke.refusals import Refused, explained
from scripts.smoke.removal import STACK_COSTS
from scripts.smoke.runner import FAILED, document, run
from scripts.smoke.steps import REMOVE, STEPS
from scripts.smoke.tools import NoSam, SamCli, StandIn, StripeTestMode, send
from scripts.smoke.world import AWS, LOCAL, Plan, World
from scripts.stack import use_local_stack

STRIPE_KEY, STRIPE_PUBLISHABLE_KEY = "LIVELLO_SMOKE_STRIPE_KEY", "LIVELLO_SMOKE_STRIPE_PUBLISHABLE_KEY"
LOCAL_EVENTS = 100
LOOKS_EVERY_SECONDS = 2


# Calls are repeated by botocore. No redirect to another region, because that would be another deployment.
_CONFIG = Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=10, read_timeout=90)


@dataclass(frozen=True, slots=True)
class Clients:
    """The client of each service, made once by `make`. Every call leaves its request id in `requests`."""

    make: Callable[[str], Any]
    requests: list[str]
    made: dict[str, Any] = field(default_factory=dict)

    def __call__(self, service: str) -> Any:
        if service not in self.made:
            client = self.make(service)
            client.meta.events.register("after-call", self._note)
            self.made[service] = client
        return self.made[service]

    def _note(self, parsed: Any, **_: Any) -> None:
        request = (parsed or {}).get("ResponseMetadata", {}).get("RequestId")
        if request:
            self.requests.append(request)


def local_world(settings: Settings, make: Callable[[str], Any], plan: Plan) -> World:
    """The world of a stack on this machine; `make` gives a client of the emulated AWS."""
    requests: list[str] = []
    folder = MailFolder(settings.mail_folder)

    def to(address: str) -> list[Letter]:
        letters = [Letter.of(content) for content in map(folder.read, folder.ids()) if content is not None]
        return [each for each in letters if each.message["Delivered-To"] == address]

    def code_for(address: str) -> str | None:
        """The six digits of the newest mail that is no notice of Livello's."""
        for each in to(address):
            body = each.message.get_body()
            if each.message["X-Livello-Event"] is None and body is not None:
                found = re.search(r"\b\d{6}\b", body.get_content())
                return found[0] if found else None
        return None

    world = World(
        place=LOCAL,
        plan=plan,
        aws=Clients(make, requests),
        http=send,
        sam=NoSam(),
        stripe=StandIn(settings),
        now=_now,
        wait=wait_until,
        code_for=code_for,
        mails_to=lambda address: len(to(address)),
        requests=requests,
    )
    world.made.origin = settings.address
    return world


def aws_world(plan: Plan, profile: str | None, environment: dict[str, str]) -> World:
    """The world of an AWS account. Raises Refused for a live key of Stripe, and BotoCoreError for a bad profile."""
    session = Session(profile=profile)
    if profile is not None and profile not in session.available_profiles:
        raise ProfileNotFound(profile=profile)
    session.set_config_variable("region", plan.region)
    keys = environment.get(STRIPE_KEY, ""), environment.get(STRIPE_PUBLISHABLE_KEY, "")
    requests: list[str] = []
    return World(
        place=AWS,
        plan=plan,
        aws=Clients(_maker(session), requests),
        http=send,
        sam=SamCli(plan.region, profile),
        stripe=StripeTestMode(*keys) if any(keys) else None,
        now=_now,
        wait=_patiently,
        code_for=_asked_code,
        requests=requests,
    )


def _maker(session: Session) -> Callable[[str], Any]:
    def make(service: str) -> Any:
        return session.create_client(service, config=_CONFIG)

    return make


def _patiently(condition: Callable[[], bool], seconds: float) -> bool:
    """As wait_until, with seconds between the looks: AWS limits how often it may be asked."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(LOOKS_EVERY_SECONDS)
    return condition()


def _asked_code(_address: str) -> str | None:
    """The code that the person at the terminal reads from their mail."""
    sys.stderr.write("The code in your mail: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() or None


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the time of a person's command


def _commit() -> str:
    """The commit of the checkout; empty without git."""
    try:
        asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return asked.stdout.strip()


def _dollars(text: str) -> str:
    try:
        return str(Decimal(text))
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text} is no amount") from None


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The options. Exits with 2 for wrong ones."""
    words, _, examples = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m scripts.smoke",
        description=words,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--local", action="store_true", help="the stack that make run has started in this checkout")
    place.add_argument("--region", help="the AWS region to deploy into")
    parser.add_argument("--stack", help="the stack's name (livello; livello-smoke on AWS)")
    parser.add_argument("--stage", choices=("dev", "prod"), default="dev", help="the stage to deploy (dev)")
    parser.add_argument("--profile", help="the profile of your AWS settings")
    parser.add_argument("--sender", default="", help="an address of a domain of yours, which mail comes from")
    parser.add_argument("--mailbox", help="an address that you read: the first admin's; you are asked for its code")
    parser.add_argument("--budget", type=_dollars, default="1.00", help="what a run may cost, in US dollars (1.00)")
    parser.add_argument("--archive", action="store_true", help="also lock an invoice; its bucket stays for two years")
    parser.add_argument("--remove", action="store_true", help="only remove what a former run has left")
    parser.add_argument("--yes", action="store_true", help="make it; without it AWS is only looked at")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the run for an issue; it has no secrets")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Runs the steps. Returns 0 if none failed, 1 if one did."""
    given = parsed(arguments)
    try:
        world = _world(given)
    except (LocalError, BotoCoreError, Refused) as failure:
        refused = explained(failure) if not isinstance(failure, LocalError) else Refused(str(failure), "")
        sys.stderr.write(redacted(f"{refused.said} {refused.remedy}".strip()) + "\n")
        return 1
    steps = REMOVE if given.remove else STEPS
    if not (given.local or given.yes):
        steps = STEPS[:1]
    results = run(steps, world, _say)
    failed = any(each.status == FAILED for each in results)
    if not (given.local or given.yes or failed):
        _say(f"Nothing was made. With --yes the other steps follow. While its stack is there it costs {STACK_COSTS}.")
    if given.json:
        given.json.write_text(json.dumps(document(results, world, _commit()), indent=2) + "\n", "utf-8")
    return int(failed)


def _world(given: argparse.Namespace) -> World:
    if given.local:
        use_local_stack()
        plan = Plan(stack=given.stack or "livello", stage="local", events=LOCAL_EVENTS)
        return local_world(settings_from_environment(), _maker(Session()), plan)
    plan = Plan(
        stack=given.stack or "livello-smoke",
        stage=given.stage,
        region=given.region,
        sender=given.sender,
        mailbox=given.mailbox,
        budget=given.budget,
        archive=given.archive,
    )
    return aws_world(plan, given.profile, dict(os.environ))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
