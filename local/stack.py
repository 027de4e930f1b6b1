"""A whole local Livello: the emulated AWS with template.yaml deployed, the servers beside it, the demonstration."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from http import HTTPStatus

from billing.invoicing.records import InvoiceStore
from billing.scaling.records import AutoscalingStore
from botocore.exceptions import ClientError

from local.api_client import ApiClient
from local.background import PortState, free_port, port_state, wait_until
from local.cloud import Cloud, client
from local.demo.companies import COMPANIES, STAFF, DemoCompany
from local.demo.past_year import NOON, PastInvoices, invoice_days, live_through
from local.demo.seeding import PASSWORD, seed
from local.deployment import (
    build,
    complete_functions,
    deploy,
    fingerprint,
    forget_deployment,
    is_built,
    is_deployed,
    lock_invoices,
    record_deployment,
    stack_outputs,
)
from local.gateway_repair import repair
from local.letter import Letter
from local.local_server import LocalServer
from local.mail_folder import MailFolder
from local.mail_sink import mail_sink
from local.settings import (
    CLOUD_PORT_VARIABLE,
    FRONT_DOOR_PORT_VARIABLE,
    MAIL_PORT_VARIABLE,
    ROOT,
    STRIPE_PORT_VARIABLE,
    VIES_PORT_VARIABLE,
    LocalError,
    Settings,
    ports_file,
    ports_of,
)
from local.state_files import read_json, write_json
from local.stripe.browser import TEST_CARD, confirm_setup
from local.stripe.process import KEYS, SECRETS, account_file, keep_stripe_account, stripe_stand_in
from local.stripe.server import DAMAGED_REMEDY
from local.vies.process import vies_stand_in

PROCESSED_SECONDS_MAX = 60
"""How long the workers of one schedule may take."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack: its settings, its outputs, and tokens for its people."""

    settings: Settings
    outputs: dict[str, str]

    @property
    def api(self) -> ApiClient:
        """A client of the front door."""
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
        """The received mails, newest first."""
        folder = MailFolder(self.settings.mail_folder)
        contents = map(folder.read, folder.ids())
        return [Letter.of(content).message for content in contents if content is not None]

    def _token(self, email: str) -> str:
        return self.api.person_token(self.outputs["BillingPageClientId"], email, PASSWORD)


def start(settings: Settings, now: datetime, tell: Callable[[str], None]) -> Stack:
    """Starts what does not run yet, builds and deploys what has changed, and adds what the demonstration lacks.

    Ports, files and the build are checked first: if they fail, a running stack is untouched. The front door is
    restarted last. Raises LocalError, and OSError on a full disk.
    """
    cloud, door, sink, stripe, vies = _parts(settings)
    for folder in (settings.folder, settings.artefacts):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_ports(settings)
    _check_files(settings, cloud)
    sources = fingerprint()
    if not is_built(settings, sources):
        tell("Building …")
        build(settings, sources)
        _check_ports(settings)  # another checkout may have taken one meanwhile
    cloud.end_if_changed()
    write_json(ports_file(settings.folder), ports_of(settings))
    sink.start()
    stripe.start()
    vies.start()
    cloud.start(tell)
    cloud.wait_until_ready()
    if not is_deployed(settings, sources):
        tell("Deploying …")
        forget_deployment(settings)
        try:
            deploy(settings)
        except LocalError:
            # CloudFormation has rolled back to the previous template, which needs the repair again. A failed first
            # deployment has nothing to repair.
            with suppress(ClientError, KeyError, ValueError):
                repair(settings)
            raise
        repair(settings)
        lock_invoices(settings)
        complete_functions(settings)
        record_deployment(settings, sources)
    door.start()
    tell("Filling in the demonstration …")
    outputs = stack_outputs(settings)
    secrets = client(settings, "secretsmanager")
    for output, names in SECRETS.items():
        secrets.put_secret_value(
            SecretId=outputs[output], SecretString=json.dumps({name: KEYS[name] for name in names})
        )
    seed(settings, outputs, now)
    return Stack(settings, outputs)


def past_year(stack: Stack, now: datetime) -> int:
    """Runs the demonstration's past: fires its schedules for invoices and autoscaling. Returns how often they fired.

    Each company pays by card. It may be repeated: an invoice or a decision is made once. Raises LocalError if the
    workers do not finish in time.
    """
    dynamodb = client(stack.settings, "dynamodb")
    store = AutoscalingStore(stack.outputs["TableName"], dynamodb)
    invoices = PastInvoices(stack.outputs["TableName"], dynamodb)
    accounts = [company.account for company in COMPANIES]
    invoices.begin_again(accounts)
    for company in COMPANIES:
        set_up_card(stack, company)
    contexts = [invoices.billing_context(each) for each in accounts]
    contracts = [each.subscriber.account.contract for each in contexts if each]
    days = invoice_days(contracts, now.date())
    fired = 0

    def fire(at: datetime) -> None:
        nonlocal fired
        while days and days[0] <= at.date():
            day = datetime.combine(days.pop(0), NOON)
            _fire(stack, "PlanInvoicesName", day, lambda at=day: _all_invoiced(accounts, at, invoices))  # type: ignore[misc]
            fired += 1
        _fire(stack, "PlanAutoscalingName", at, lambda: _all_decided(accounts, at, store))
        fired += 1

    live_through(accounts, now, store, fire)
    while days:
        day = datetime.combine(days.pop(0), NOON)
        _fire(stack, "PlanInvoicesName", day, lambda at=day: _all_invoiced(accounts, at, invoices))  # type: ignore[misc]
        fired += 1
    return fired


def set_up_card(stack: Stack, company: DemoCompany) -> None:
    """Sets up a card for a company, as its admin's browser would, unless it has a payment method. Raises LocalError."""
    token, path = stack.admin_token(company), f"/v1/accounts/{company.account}/payment-method"
    if stack.api.request("GET", path, token=token).json()["method"] is not None:
        return
    setup = stack.api.request("POST", f"{path}/setup", token=token, body={}).json()
    confirm_setup(stack.settings, setup, TEST_CARD)
    given = stack.api.request("PUT", path, token=token, body={"setup_intent": setup["setup_intent"]})
    if given.status != HTTPStatus.OK:
        raise LocalError(f"No card for {company.account}: {given.status} {given.body.decode()}")


def _fire(stack: Stack, planner: str, at: datetime, is_processed: Callable[[], bool]) -> None:
    planned = client(stack.settings, "lambda").invoke(
        FunctionName=stack.outputs[planner], Payload=json.dumps({"time": at.isoformat(), "clock": at.isoformat()})
    )
    if "FunctionError" in planned or not wait_until(is_processed, PROCESSED_SECONDS_MAX):
        raise LocalError(f"The work that was due at {at} is not finished. See {stack.settings.folder}.")


def _all_invoiced(accounts: Sequence[str], at: datetime, store: InvoiceStore) -> bool:
    contexts = [store.billing_context(account) for account in accounts]
    return all(
        each and each.due and each.subscriber.account.contract.month_start(each.due.month) > at.date()
        for each in contexts
    )


def _all_decided(accounts: Sequence[str], at: datetime, store: AutoscalingStore) -> bool:
    states = [store.state(account) for account in accounts]
    return all(each and each.due and each.due.month > at.date() for each in states)


def stop(settings: Settings) -> None:
    """Ends all processes. A persistent stack saves its state first.

    Raises LocalError if a state cannot be saved; the stack then goes on unchanged.
    """
    cloud, door, sink, stripe, vies = _parts(settings)
    keep_stripe_account(stripe)
    cloud.stop()
    door.stop()
    stripe.stop()
    vies.stop()
    sink.stop()  # last, because the emulated AWS may still send mail


def stop_without_saving(settings: Settings) -> None:
    """Ends all processes by force, without saving their state."""
    cloud, door, sink, stripe, vies = _parts(settings)
    for each in (door, cloud, stripe, vies, sink):
        each.stop(by_force=True)


def _parts(settings: Settings) -> tuple[Cloud, LocalServer, LocalServer, LocalServer, LocalServer]:
    stand_ins = stripe_stand_in(settings), vies_stand_in(settings)
    return Cloud.of(settings), front_door(settings), mail_sink(settings), *stand_ins


def front_door(settings: Settings) -> LocalServer:
    """The front door of a stack."""
    return LocalServer(
        name="front-door",
        title="The front door",
        folder=settings.folder,
        port=settings.front_door_port,
        module="local.front_door",
        options=(
            *("--folder", str(settings.folder)),
            *("--cloud-port", str(settings.cloud_port)),
            *("--stripe-port", str(settings.stripe_port)),
            *("--stack", settings.stack),
        ),
        code=sorted((ROOT / "local").glob("*.py")),
    )


def _check_ports(settings: Settings) -> None:
    """Checks the ports before any process is started or ended. Raises LocalError, which names a free port."""
    cloud, door, sink, stripe, vies = _parts(settings)
    parts: dict[str, Cloud | LocalServer] = {
        FRONT_DOOR_PORT_VARIABLE: door,
        CLOUD_PORT_VARIABLE: cloud,
        MAIL_PORT_VARIABLE: sink,
        STRIPE_PORT_VARIABLE: stripe,
        VIES_PORT_VARIABLE: vies,
    }
    running = {variable: part.running_port() for variable, part in parts.items()}
    for variable, port in ports_of(settings).items():
        if port == running[variable]:
            continue
        if running[variable] is None and parts[variable].process.running():
            continue  # its port is not on record: it is ended before a new one is started
        state = port_state(port)
        another = f"{variable}={free_port()} make run"
        if state is PortState.FORBIDDEN:
            raise LocalError(
                f"{variable}: only the administrator of this machine may listen on port {port}. Choose one from 1024 "
                f"on: {another}"
            )
        if state is PortState.TAKEN:
            by = "a server of this stack, which make stop ends" if port in running.values() else "another program"
            raise LocalError(f"{variable}: port {port} is taken by {by}. Choose another one: {another}")


def _check_files(settings: Settings, cloud: Cloud) -> None:
    """Checks the state files before any process is started. Raises LocalError, which names the damaged file."""
    read_json(account_file(settings), DAMAGED_REMEDY)
    if not cloud.process.running():
        cloud.saves.check()
