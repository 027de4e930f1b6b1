"""`python -m local run | year | stop | clean`: what `make run`, `make year`, `make stop` and `make clean` do."""

from __future__ import annotations

import fcntl
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from local.demo.companies import COMPANIES, STAFF
from local.demo.seeding import PASSWORD
from local.settings import ROOT, LocalError, Settings, settings_from_environment
from local.stack import Stack, past_year, start, stop
from local.stripe.process import KEYS


def run(settings: Settings) -> None:
    """Starts or updates the stack, and says how to use it."""
    began = time.monotonic()
    stack = start(settings, datetime.now(UTC), _say)
    _say(_welcome(stack, time.monotonic() - began))


def year(settings: Settings) -> None:
    """Starts or updates the stack, and lets its companies live through their past."""
    now = datetime.now(UTC)
    stack = start(settings, now, _say)
    _say(f"The year so far, its schedules fired {past_year(stack, now)} times. What came of it:")
    _say(f"  mail       {settings.address}/mail")
    for company in COMPANIES:
        _say(f"  decisions  {settings.address}/v1/accounts/{company.account}/autoscaling")
        _say(f"  invoices   {settings.address}/v1/accounts/{company.account}/invoices")


def clean(settings: Settings) -> None:
    """Ends the stack, and forgets all that it held."""
    stop(settings)
    for folder in (settings.folder, ROOT / ".aws-sam"):
        shutil.rmtree(folder, ignore_errors=True)


COMMANDS = {"run": run, "year": year, "stop": stop, "clean": clean}


def main(arguments: list[str]) -> int:
    """Carries out one command."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        settings = settings_from_environment()
        with _alone(settings):
            COMMANDS[arguments[0]](settings)
    except LocalError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. make run goes on where this stopped.\n")
        return 130
    return 0


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Two of these commands at once would build and deploy over each other."""
    settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (settings.folder / "command.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalError("Another make run, stop or clean is under way.") from None
        yield


def _welcome(stack: Stack, seconds: float) -> str:
    address, company = stack.settings.address, COMPANIES[0]
    machine, secret = stack.machine_credentials()
    people = [(STAFF, "staff"), *((each.admin, f"admin of {each.account}") for each in COMPANIES)]
    people += [(each.member, f"member of {each.account}") for each in COMPANIES]
    log_ins = "\n".join(f"  {person.email:<30} {role}" for person, role in people)
    return f"""
Livello runs, after {seconds:.0f} s. It holds a demonstration; nothing in it ever leaves this machine.

API       {address}/v1
OpenAPI   {address}/v1/openapi.json
Mail      {address}/mail
Stripe    {stack.settings.stripe_address} stands in for it, with its test cards; {KEYS["publishable_key"]}

People, all with the password {PASSWORD}
{log_ins}

The billing page of {company.name}, as its admin sees it:
  curl -s {address}/v1/accounts/{company.account}/billing -H 'Authorization: Bearer {stack.admin_token(company)}'

A fresh token for anybody (for an hour; send the IdToken):
  curl -s {address}/auth -H 'Content-Type: application/x-amz-json-1.1' \\
    -H 'X-Amz-Target: AWSCognitoIdentityProviderService.InitiateAuth' \\
    -d '{{"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": "{stack.outputs["BillingPageClientId"]}",
         "AuthParameters": {{"USERNAME": "{company.admin.email}", "PASSWORD": "{PASSWORD}"}}}}'

The product's token (a machine's, to report usage):
  curl -s {address}/auth/oauth2/token -u '{machine}:{secret}' -d grant_type=client_credentials

make year lets these companies live through their past: invoices, charges, autoscaling, month by month.
make run again brings in what you have changed; make stop keeps everything; make clean forgets it."""


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
