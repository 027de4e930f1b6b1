"""`python -m local run | year | stop | clean`: what `make run`, `make year`, `make stop` and `make clean` do."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from local.demo.companies import COMPANIES, STAFF
from local.demo.seeding import PASSWORD
from local.environment import bare_environment, registry_environment, take_on, uv_cache
from local.settings import FOLDER, PORT_DEFAULTS, PORTAL, ROOT, LocalError, Settings, settings_from_environment
from local.stack import Stack, past_year, start, stop, stop_without_saving
from local.stripe.process import KEYS


def run(settings: Settings) -> None:
    """Starts or updates the stack, and prints how to use it."""
    started_at = time.monotonic()
    stack = start(settings, datetime.now(UTC), _say)
    _say(_welcome(stack, time.monotonic() - started_at))


def year(settings: Settings) -> None:
    """Starts or updates the stack, then runs the schedules for the past of the demonstration's companies."""
    now = datetime.now(UTC)
    stack = start(settings, now, _say)
    _say(f"The year so far, its schedules fired {past_year(stack, now)} times. What came of it:")
    _say(f"  mail       {settings.address}/mail")
    for company in COMPANIES:
        _say(f"  decisions  {settings.address}/v1/accounts/{company.account}/autoscaling")
        _say(f"  invoices   {settings.address}/v1/accounts/{company.account}/invoices")


def clean(settings: Settings) -> None:
    """Ends the stack, and deletes its state and what was built. Raises OSError if a file cannot be removed."""
    stop_without_saving(settings)
    for folder in (settings.folder, ROOT / ".aws-sam", ROOT / "portal" / "dist"):
        if folder.exists():
            shutil.rmtree(folder.resolve())  # a link to a larger disk is followed
        folder.unlink(missing_ok=True)
    _say(
        "Livello has ended, and its state is deleted. What stays: the tools, in .venv, .venvs, .tools and "
        f"portal/node_modules, and uv's cache of packages, {uv_cache(os.environ)}."
    )


COMMANDS = {"run": run, "year": year, "stop": stop, "clean": clean}
WITHOUT_PORTS = frozenset({"stop", "clean"})
"""These find the running processes by their pid files, so a bad port setting cannot keep them from ending."""


def main(arguments: list[str], folder: Path = FOLDER) -> int:
    """Runs one command. Returns its exit status: 1 for a failure, 2 for wrong arguments, 130 after Ctrl-C."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    [command] = arguments
    try:
        with _alone(folder):
            COMMANDS[command](_settings(command, folder))
    except LocalError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{_explained(error)}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. make run goes on where this stopped.\n")
        return 130
    return 0


def _settings(command: str, folder: Path) -> Settings:
    if command in WITHOUT_PORTS:
        return Settings(folder=folder, artefacts=folder / "artefacts")
    return settings_from_environment(folder)


def _explained(error: OSError) -> str:
    where = f": {error.filename}" if error.filename else ""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"The disk is full{where}. Make room, and try again; make stop and make clean work all the same."
    return f"{error.strerror or error}{where}"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds a lock: two of these commands at once would build and deploy over each other. Raises LocalError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The folder itself is locked, because a full disk has no room for a lock file.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.set_inheritable(descriptor, True)  # for sam, which goes on if this command is killed
    except BlockingIOError:
        raise LocalError("Another make run, stop or clean is under way.") from None
    else:
        yield
    finally:
        os.close(descriptor)


def _welcome(stack: Stack, seconds: float) -> str:
    address, company = stack.settings.address, COMPANIES[0]
    machine, secret = stack.machine_credentials()
    people = [(STAFF, "staff"), *((each.admin, f"admin of {each.account}") for each in COMPANIES)]
    people += [(each.member, f"member of {each.account}") for each in COMPANIES]
    log_ins = "\n".join(f"  {person.email:<30} {role}" for person, role in people)
    return f"""
Livello runs, after {seconds:.0f} s. It holds a demonstration; nothing leaves this machine.

Page      {_page(address)}
API       {address}/v1
OpenAPI   {address}/v1/openapi.json
Mail      {address}/mail
Stripe    {stack.settings.stripe_address} stands in for it, with its test cards; {KEYS["publishable_key"]}
VIES      {stack.settings.vies_address} stands in for it: a number that ends with 200 is invalid, with 301 unanswered

People, all with the password {PASSWORD}
{log_ins}

The billing page of {company.name}, as its admin sees it:
  curl -s {address}/v1/accounts/{company.account}/billing -H 'Authorization: Bearer {stack.admin_token(company)}'

A fresh token for a person (valid for an hour; send the IdToken):
  curl -s {address}/auth -H 'Content-Type: application/x-amz-json-1.1' \\
    -H 'X-Amz-Target: AWSCognitoIdentityProviderService.InitiateAuth' \\
    -d '{{"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": "{stack.outputs["BillingPageClientId"]}",
         "AuthParameters": {{"USERNAME": "{company.admin.email}", "PASSWORD": "{PASSWORD}"}}}}'

The product's token (a machine's, to report usage):
  curl -s {address}/auth/oauth2/token -u '{machine}:{secret}' -d grant_type=client_credentials

make year runs the past of these companies: invoices, charges, autoscaling, month by month.
make run again deploys what you have changed; make stop keeps the state; make clean deletes it."""


def _page(address: str) -> str:
    return f"{address}/" if (PORTAL / "index.html").is_file() else "not built: make portal"


def _own_variables() -> dict[str, str]:
    """The variables of a person's environment that these commands read."""
    return {name: value for name, value in os.environ.items() if name in {"HOME", "TMPDIR", *PORT_DEFAULTS}}


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    take_on({**bare_environment(), **registry_environment(), **_own_variables()})
    sys.exit(main(sys.argv[1:]))
