"""Provisions a new account in one transaction: contract, subscription, billing information, stores, first admin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from billing.accounts.administer_users import find_or_create_user
from billing.accounts.directory import Directory
from billing.accounts.information import BillingDetails, BillingInformation, CompanyDetails, ContactDetails, Information
from billing.accounts.mapping import contract_body
from billing.accounts.rules import Account, AccountExists, Invitation, Status, Store, User, check_start
from billing.accounts.vat_number_due import VatNumberDue
from billing.billing_page.page import BillingPage
from billing.billing_page.records import BillingPageStore
from billing.ending.due import first_notice
from billing.invoicing.due import InvoicingDue
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import AccountNotFound, ConcurrentChange, Conflict, RuleViolation, Violation
from billing.kernel.events import EventType, RequestContext
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money, decimal_text
from billing.kernel.permissions import Role
from billing.kernel.test_clocks import Clock
from billing.platform.events.new_event import new_event, new_id
from billing.scaling.due import AutoscalingDue, first_due_month
from billing.subscriptions.catalogue_records import CatalogueStore
from billing.subscriptions.pricing import amount_per_charge
from billing.subscriptions.rules import Discount, Order, Subscription, subscribe

ADMIN_PATH = ("first_admin", "email")
FIRST_VERSION = 1


@dataclass(frozen=True, slots=True)
class Provisioning:
    """The request of staff for a new account. `digest` is the request's SHA-256; a repeated request has the same.

    Another system has invoiced all paid periods before the renewal on `invoiced_until`; None: none of them.
    `payment_term_days` is the account's own payment term of bank transfers, None for the deployment's.
    """

    account: str
    name: str
    contract: Contract
    company: CompanyDetails
    billing: BillingDetails
    contact: ContactDetails
    stores: tuple[Store, ...]
    orders: tuple[Order, ...]
    discounts: tuple[Discount, ...]
    admin_email: str
    admin_name: str
    digest: str
    invoiced_until: date | None = None
    payment_term_days: int | None = None


def provision_account(
    request: Provisioning,
    *,
    context: RequestContext,
    directory: Directory,
    pages: BillingPageStore,
    catalogues: CatalogueStore,
    checks_vat_numbers: bool = False,
    clock: Clock | None = None,
) -> BillingPage:
    """Creates the account and returns its billing page. A repeated request returns the account that it created.

    `clock` is the test clock that the account's id names; the time of `context` is its time.

    Raises AccountExists for an id that another request has taken, RuleViolation, Conflict without a catalogue,
    ClockAdvancing, ClockDeleted, ClockFull, ConcurrentChange, UpstreamFailed.
    Two queries, two to four calls to the directory and one transaction.
    """
    existing = _existing(request, pages)
    if existing is not None:
        return existing
    today = request.contract.today(context.time)
    check_start(request.contract.start, today)
    first_month = first_month_to_invoice(request.contract, request.invoiced_until)
    catalogue = catalogues.newest_catalogue()
    if catalogue is None:
        raise Conflict("There is no catalogue yet. PUT /catalogue comes first.")
    subscription = subscribe(request.orders, request.discounts, catalogue, request.contract.currency)
    require_past_named(request.contract, subscription, request.invoiced_until, today)
    admin = User(
        find_or_create_user(directory, request.admin_email, request.admin_name, ADMIN_PATH),
        request.admin_email,
        request.admin_name,
        Role.ADMIN,
        Invitation(context.time, context.actor),
    )
    page = BillingPage(
        account=Account(
            id=request.account,
            name=request.name,
            status=Status.ACTIVE,
            contract=request.contract,
            stores=request.stores,
            roles={admin.id: Role.ADMIN},
            provisioned_as=request.digest,
            version=FIRST_VERSION,
            invoiced_from=first_month,
            identity=new_id(context.time),
        ),
        subscription=replace(subscription, version=FIRST_VERSION),
        information=BillingInformation(
            company=Information(request.company, FIRST_VERSION),
            billing=Information(request.billing, FIRST_VERSION),
            contact=Information(request.contact, FIRST_VERSION),
        ),
        payment_method=None,
        invoices=(),
        payment_term_days=request.payment_term_days,
    )
    event = new_event(
        EventType.ACCOUNT_PROVISIONED,
        context,
        account=request.account,
        before=None,
        after={
            "name": request.name,
            "contract": contract_body(request.contract),
            "lines": [line.facts for line in subscription.in_language(request.billing.language).lines],
            "first_admin": admin.facts,
        },
    )
    try:
        pages.provision(
            page,
            admin,
            event,
            AutoscalingDue(first_due_month(request.contract, today), {}),
            InvoicingDue(first_month),
            first_notice(request.contract, today),
            VatNumberDue(context.time) if checks_vat_numbers and request.company.vat_number else None,
            clock,
        )
    except ConcurrentChange:
        # Another request for this id was faster. If it is a copy of this one, its account is the answer.
        existing = _existing(request, pages)
        if existing is None:
            raise
        return existing
    return page


def first_month_to_invoice(contract: Contract, invoiced_until: date | None) -> int:
    """Returns the first contract month to invoice. Raises RuleViolation if `invoiced_until` is not a renewal."""
    if invoiced_until is None:
        return 0
    month = contract.month_of(invoiced_until)
    if month < 0 or month % contract.interval_months or contract.month_start(month) != invoiced_until:
        raise RuleViolation(
            Violation(("invoiced_until",), "It must be a day on which a paid period begins.", FieldCode.NOT_ALLOWED)
        )
    return month


def require_past_named(
    contract: Contract, subscription: Subscription, invoiced_until: date | None, today: date
) -> None:
    """Raises RuleViolation, with number and sum, where the start lies a paid period or more back by mistake.

    It may be meant: then `invoiced_until` says with which renewal invoices begin, the start itself for all of them.
    """
    if invoiced_until is not None or today < contract.month_start(contract.interval_months):
        return
    past = range(0, contract.month_of(today) + 1, contract.interval_months)
    amounts = [amount_per_charge(subscription, contract, month).amount for month in past]
    invoices, total = sum(amount > 0 for amount in amounts), Money(sum(amounts), contract.currency)
    detail = (
        f"The contract began on {contract.start}. {invoices} invoices over {decimal_text(total)} {contract.currency} "
        f"before tax would be issued at once. Name the renewal with which invoices begin: {contract.start} for all."
    )
    raise RuleViolation(Violation(("invoiced_until",), detail, FieldCode.MISSING, {"min": contract.start}))


def _existing(request: Provisioning, pages: BillingPageStore) -> BillingPage | None:
    try:
        page = pages.billing_page(request.account, consistent=True)
    except AccountNotFound:
        return None
    if page.account.provisioned_as != request.digest:
        raise AccountExists(f"The account {request.account} exists already.")
    return page
