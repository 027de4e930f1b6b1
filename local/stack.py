"""One whole local Livello: the emulated AWS with template.yaml deployed, the front door, the demonstration."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from http import HTTPStatus
from pathlib import Path

from billing.store.autoscaling_store import AutoscalingStore
from billing.store.invoice_store import InvoiceStore

from local.api_client import ApiClient
from local.background import Background, port_is_free, wait_until
from local.cloud import Cloud, clean_environment, client
from local.demo.companies import COMPANIES, STAFF, DemoCompany
from local.demo.past_year import NOON, invoice_days, live_through
from local.demo.seeding import PASSWORD, seed
from local.deployment import (
    build,
    deploy,
    fingerprint,
    is_built,
    is_deployed,
    lock_invoices,
    record_deployment,
    stack_outputs,
)
from local.gateway_repair import repair
from local.letter import Letter
from local.mail_folder import MailFolder
from local.mail_sink import MailSink
from local.settings import (
    CLOUD_PORT_VARIABLE,
    FRONT_DOOR_PORT_VARIABLE,
    MAIL_PORT_VARIABLE,
    STRIPE_PORT_VARIABLE,
    LocalError,
    Settings,
)
from local.stripe.browser import TEST_CARD, confirm_setup
from local.stripe.process import KEYS, StripeStandIn

DOOR_SECONDS_MAX = 15
SCALED_SECONDS_MAX = 60


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack, and the keys to it."""

    settings: Settings
    outputs: dict[str, str]

    @property
    def api(self) -> ApiClient:
        """Speaks to the front door."""
        return ApiClient(self.settings.address)

    def staff_token(self) -> str:
        return self._token(STAFF.email)

    def admin_token(self, company: DemoCompany) -> str:
        return self._token(company.admin.email)

    def member_token(self, company: DemoCompany) -> str:
        return self._token(company.member.email)

    def machine_token(self) -> str:
        return self.api.machine_token(*self.machine_credentials())

    def machine_credentials(self) -> tuple[str, str]:
        """Client id and secret of the product that reports usage."""
        described = client(self.settings, "cognito-idp").describe_user_pool_client(
            UserPoolId=self.outputs["UserPoolId"], ClientId=self.outputs["ProductClientId"]
        )["UserPoolClient"]
        return described["ClientId"], described["ClientSecret"]

    def mails(self) -> list[EmailMessage]:
        """What was sent, as it was sent, newest first."""
        folder = MailFolder(self.settings.mail_folder)
        contents = map(folder.read, folder.ids())
        return [Letter.of(content).message for content in contents if content is not None]

    def _token(self, email: str) -> str:
        return self.api.person_token(self.outputs["BillingPageClientId"], email, PASSWORD)


def start(settings: Settings, now: datetime, tell: Callable[[str], None]) -> Stack:
    """Starts what does not run yet, builds and deploys what has changed, fills in what is missing."""
    cloud, door, sink = Cloud.of(settings), _front_door(settings), MailSink.of(settings)
    stripe = StripeStandIn.of(settings)
    for folder in (settings.folder, settings.artefacts):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    sources = fingerprint()
    # The door is quick to start, so that it always runs the newest code.
    door.stop()
    _check_ports(settings, cloud, sink, stripe)
    sink.start()
    stripe.start()
    cloud.start()
    if not is_built(settings, sources):
        tell("Building …")
        build(settings, sources)
    cloud.wait_until_ready()
    if not is_deployed(settings, sources):
        tell("Deploying …")
        deploy(settings)
        repair(settings)
        lock_invoices(settings)
        record_deployment(settings, sources)
    _open(settings, door)
    tell("Filling in the demonstration …")
    outputs = stack_outputs(settings)
    secrets = client(settings, "secretsmanager")
    secrets.put_secret_value(SecretId=outputs["StripeSecretArn"], SecretString=json.dumps(KEYS))
    seed(settings, outputs, now)
    return Stack(settings, outputs)


def past_year(stack: Stack, now: datetime) -> int:
    """The demonstration's past through its schedules: invoices, charges and autoscaling; returns how often they fired.

    Each company pays by card. May be repeated: what was done is not done again.
    """
    dynamodb = client(stack.settings, "dynamodb")
    store = AutoscalingStore(stack.outputs["TableName"], dynamodb)
    invoices = InvoiceStore(stack.outputs["TableName"], dynamodb)
    accounts = [company.account for company in COMPANIES]
    for company in COMPANIES:
        set_up_card(stack, company)
    contracts = [found.subscriber.account.contract for each in accounts if (found := invoices.billing_context(each))]
    days = invoice_days(contracts, now.date())
    fired = 0

    def fire(at: datetime) -> None:
        nonlocal fired
        while days and days[0] <= at.date():
            day = datetime.combine(days.pop(0), NOON)
            _fire(stack, "PlanInvoicesName", day, lambda at=day: _invoiced(accounts, at, invoices))  # type: ignore[misc]
            fired += 1
        _fire(stack, "PlanAutoscalingName", at, lambda: _decided(accounts, at, store))
        fired += 1

    live_through(accounts, now, store, fire)
    while days:
        day = datetime.combine(days.pop(0), NOON)
        _fire(stack, "PlanInvoicesName", day, lambda at=day: _invoiced(accounts, at, invoices))  # type: ignore[misc]
        fired += 1
    return fired


def set_up_card(stack: Stack, company: DemoCompany) -> None:
    """Gives a company a card, as its admin's browser would, unless it pays somehow already."""
    token, path = stack.admin_token(company), f"/v1/accounts/{company.account}/payment-method"
    if stack.api.request("GET", path, token=token).json()["method"] is not None:
        return
    setup = stack.api.request("POST", f"{path}/setup", token=token, body={}).json()
    confirm_setup(stack.settings, setup, TEST_CARD)
    given = stack.api.request("PUT", path, token=token, body={"setup_intent": setup["setup_intent"]})
    if given.status != HTTPStatus.OK:
        raise LocalError(f"No card for {company.account}: {given.status} {given.body.decode()}")


def _fire(stack: Stack, planner: str, at: datetime, done: Callable[[], bool]) -> None:
    planned = client(stack.settings, "lambda").invoke(
        FunctionName=stack.outputs[planner], Payload=json.dumps({"time": at.isoformat()})
    )
    if "FunctionError" in planned or not wait_until(done, SCALED_SECONDS_MAX):
        raise LocalError(f"What was due at {at} is not done. See {stack.settings.folder}.")


def _invoiced(accounts: Sequence[str], at: datetime, store: InvoiceStore) -> bool:
    found = [store.billing_context(account) for account in accounts]
    return all(
        each and each.due and each.subscriber.account.contract.month_start(each.due.month) > at.date() for each in found
    )


def _decided(accounts: Sequence[str], at: datetime, store: AutoscalingStore) -> bool:
    standings = [store.state(account) for account in accounts]
    return all(each and each.due and each.due.month > at.date() for each in standings)


def stop(settings: Settings) -> None:
    """Ends everything. A persistent stack comes back with the next start as it was."""
    _front_door(settings).stop()
    Cloud.of(settings).stop()
    StripeStandIn.of(settings).stop()
    MailSink.of(settings).stop()  # the last: the emulated AWS may still be sending


def _front_door(settings: Settings) -> Background:
    return Background("front-door", settings.folder)


def _open(settings: Settings, door: Background) -> None:
    command: list[str | Path] = [
        *(sys.executable, "-m", "local.front_door"),
        *("--folder", settings.folder),
        *("--port", str(settings.front_door_port)),
        *("--cloud-port", str(settings.cloud_port)),
        *("--stack", settings.stack),
    ]
    door.start(command, clean_environment())
    wait_until(lambda: not port_is_free(settings.front_door_port) or not door.running(), DOOR_SECONDS_MAX)
    if not door.running():
        raise LocalError(f"The front door does not start.\n{door.log_tail()}")


def _check_ports(settings: Settings, cloud: Cloud, sink: MailSink, stripe: StripeStandIn) -> None:
    """Before anything is started, so that nothing is left half running."""
    wanted = {FRONT_DOOR_PORT_VARIABLE: settings.front_door_port}
    if not cloud.listens_on(settings.cloud_port):
        wanted[CLOUD_PORT_VARIABLE] = settings.cloud_port
    if not sink.listens_on(settings.mail_port):
        wanted[MAIL_PORT_VARIABLE] = settings.mail_port
    if not stripe.listens_on(settings.stripe_port):
        wanted[STRIPE_PORT_VARIABLE] = settings.stripe_port
    for variable, port in wanted.items():
        if not port_is_free(port):
            raise LocalError(
                f"Port {port} is taken by another program. Choose another one: {variable}={port + 1} make run"
            )
