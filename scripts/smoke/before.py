"""Step 0, before anything is made: who asks, and what the account allows. It changes nothing."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError

from local.settings import ROOT
from scripts.smoke.refusals import RAISE_CONCURRENCY, NotHere, Refused
from scripts.smoke.world import IN_REVIEW, World

WORKERS = 57
"""What the queues' workers take at most with the defaults; docs/deploy.md has the count, and a test compares."""

LEFT_FOR_THE_API = 10

ESTIMATE = {
    "secrets, alarms and polls of an hour": Decimal("0.02"),
    "requests, units, messages": Decimal("0.05"),
    "files and logs": Decimal("0.01"),
    "mail to simulators": Decimal("0.01"),
}
"""Dollars of one run, rounded up from the prices of benchmarks/prices.py."""

TAG = "livello-smoke"
"""The tag of a stack that smoke has made. It deletes no other."""


def caller(world: World) -> str:
    """Whose account it is."""
    who = world.aws("sts").get_caller_identity()
    if world.is_local:
        return "the emulated AWS answers"
    if who["Arn"].endswith(":root"):
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/root-user-best-practices.html
        raise Refused("The caller is the root user.", "Use a role or a user with the rights of an administrator.")
    kind = "role" if ":assumed-role/" in who["Arn"] else "user"
    return f"a {kind} of account …{who['Account'][-4:]}"


def region(world: World) -> str:
    """Whether the region is one that the template is checked for."""
    world.only_on_aws("the emulated AWS has every region")
    checked = checked_regions()
    if world.plan.region not in checked:
        raise Refused(
            f"{world.plan.region or 'No region'} is not checked.",
            f"Choose one of {', '.join(checked)}, or add it to .cfnlintrc.yaml and run make test-template.",
        )
    return world.plan.region


def checked_regions(file: Path = ROOT / ".cfnlintrc.yaml") -> list[str]:
    """The regions of cfn-lint's settings."""
    regions: list[str] = yaml.safe_load(file.read_text("utf-8"))["regions"]
    return regions


def concurrency(world: World) -> str:
    """Whether Lambda has executions left for the API when all workers are busy."""
    world.only_on_aws("the emulated Lambda has no quota")
    most = world.aws("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    if most < WORKERS + LEFT_FOR_THE_API:
        # Not refused: a new account has 10 (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html),
        # and a run with one customer needs no more.
        return (
            f"WARNING: {most} concurrent executions, the workers alone may take {WORKERS}; "
            f"before you go live: {RAISE_CONCURRENCY}"
        )
    return f"{most} concurrent executions"


def mail_account(world: World) -> str:
    """Whether SES sends, and to whom."""
    world.only_on_aws("mail goes to the sink of this machine")
    account = world.aws("sesv2").get_account()
    if not account.get("SendingEnabled") or account.get("EnforcementStatus") == "SHUTDOWN":
        raise Refused(
            f"SES does not send for this account: {account.get('EnforcementStatus')}.",
            "Answer AWS's case in the Support Center, or use another region.",
        )
    quota = f"{account['SendQuota']['Max24HourSend']:.0f} mails a day"
    if not account.get("ProductionAccessEnabled"):
        # https://docs.aws.amazon.com/ses/latest/dg/request-production-access.html
        return (
            f"WARNING: SES is in its sandbox, {quota}, to verified addresses and the simulators only; before you go "
            "live ask for production access in its console"
        )
    return f"SES sends {quota}"


def identity(world: World) -> str:
    """Whether the sender's domain is verified already."""
    world.only_on_aws("the emulated SES verifies by itself")
    domain = world.plan.sender.partition("@")[2]
    if not domain:
        raise Refused("There is no sender.", "Give one of a domain of yours: --sender smoke@your.domain.")
    try:
        found = world.aws("sesv2").get_email_identity(EmailIdentity=domain)
    except ClientError as failure:
        if failure.response["Error"]["Code"] != "NotFoundException":
            raise
        return "the sender's domain is new: step 1 creates its identity, and step 6 waits for your DNS"
    world.made.identity_is_there = True
    world.made.identity_is_verified = bool(found.get("VerifiedForSendingStatus"))
    return f"the sender's domain is {'verified' if world.made.identity_is_verified else 'there, not verified yet'}"


def names_free(world: World) -> str:
    """Whether the names of the stack, the bus, the mail's configuration and the log-in domain are free."""
    state, stack = world.status_of_stack()
    if world.is_local:
        if not state:
            raise Refused("No stack is deployed here.", "make run starts one.")
        return f"the stack is {state}"
    if state:
        if not is_ours(stack) and state != IN_REVIEW:
            raise Refused(
                f"The stack {world.plan.stack} is there, and smoke has not made it.", "Name another one with --stack."
            )
        raise Refused(f"A former run has left the stack {world.plan.stack}: {state}.", "Run this again with --remove.")
    name = f"livello-{world.plan.stage}"
    taken = [what for what, is_free in NAMES if not is_free(world, name)]
    if taken:
        raise Refused(
            f"{', '.join(taken)} {name} is there already.",
            "Another stack has this stage: choose another --stage (dev or prod), or another region.",
        )
    return f"{name} is free"


def is_ours(stack: Any) -> bool:
    """Whether smoke has made a stack."""
    return any(each["Key"] == TAG for each in stack.get("Tags", []))


def _no_bus(world: World, name: str) -> bool:
    return _missing(lambda: world.aws("events").describe_event_bus(Name=name))


def _no_configuration(world: World, name: str) -> bool:
    return _missing(lambda: world.aws("sesv2").get_configuration_set(ConfigurationSetName=name))


def _no_domain(world: World, name: str) -> bool:
    account = world.aws("sts").get_caller_identity()["Account"]
    domain = name.replace("livello-", f"livello-{account}-", 1)
    found = world.aws("cognito-idp").describe_user_pool_domain(Domain=domain)["DomainDescription"]
    return not found.get("UserPoolId")


NAMES = (
    ("the event bus", _no_bus),
    ("SES's configuration set", _no_configuration),
    ("the log-in domain", _no_domain),
)


def _missing(call: Any) -> bool:
    try:
        call()
    except ClientError as failure:
        if re.search("NotFound", failure.response["Error"]["Code"]):
            return True
        raise
    return False


def stripe(world: World) -> str:
    """Whether the key is one of Stripe's test mode, and works."""
    if world.stripe is None:
        raise NotHere("step 4 needs LIVELLO_SMOKE_STRIPE_KEY and LIVELLO_SMOKE_STRIPE_PUBLISHABLE_KEY, of test mode")
    return world.stripe.account()


def budget(world: World) -> str:
    """Whether the estimate is within what may be spent."""
    world.only_on_aws("nothing here costs anything")
    estimate = sum(ESTIMATE.values(), Decimal(0))
    if estimate > Decimal(world.plan.budget):
        raise Refused(f"A run costs about ${estimate}.", "Allow more with --budget.")
    return f"about ${estimate}"


CHECKS = (caller, region, concurrency, mail_account, identity, names_free, stripe, budget)
