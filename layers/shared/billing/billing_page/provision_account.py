"""A new account, whole or not at all: contract, subscription, billing information, stores, first admin."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import date

from billing.accounts.administer_users import user_of
from billing.accounts.directory import Directory
from billing.accounts.information import BillingDetails, BillingInformation, CompanyDetails, ContactDetails, Information
from billing.accounts.rules import Account, AccountExists, Status, Store, User, check_start
from billing.billing_page.page import BillingPage
from billing.billing_page.records import BillingPageStore
from billing.ending.due import next_notice
from billing.invoicing.due import InvoicingDue
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import AccountNotFound, ConcurrentChange, Conflict, RuleViolation, Violation
from billing.kernel.events import EventType, RequestContext
from billing.kernel.fields import fields_of
from billing.kernel.permissions import Role
from billing.platform.events.new_event import new_event
from billing.scaling.due import AutoscalingDue, first_due_month
from billing.subscriptions.catalogue_records import CatalogueStore
from billing.subscriptions.rules import Discount, Order, subscribe

ADMIN_PATH = ("first_admin", "email")
FIRST_VERSION = 1


@dataclass(frozen=True, slots=True)
class Provisioning:
    """What staff ask for. `digest` is that of the request, by which a repetition is recognised.

    Before the renewal on `invoiced_until` everything is invoiced already, elsewhere; None: nothing is.
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


def provision_account(
    wanted: Provisioning,
    *,
    context: RequestContext,
    directory: Directory,
    pages: BillingPageStore,
    catalogues: CatalogueStore,
) -> BillingPage:
    """The new account. The same request again gives the account that it made.

    Raises AccountExists for an id that is taken, RuleViolation, Conflict without a catalogue,
    ConcurrentChange, UpstreamFailed.
    """
    existing = _existing(wanted, pages)
    if existing is not None:
        return existing
    today = wanted.contract.today(context.time)
    check_start(wanted.contract.start, today)
    first_month_to_invoice(wanted.contract, wanted.invoiced_until)
    catalogue = catalogues.newest_catalogue()
    if catalogue is None:
        raise Conflict("There is no catalogue yet. PUT /catalogue comes first.")
    subscription = subscribe(wanted.orders, wanted.discounts, catalogue, wanted.contract.currency)
    admin = User(
        user_of(directory, wanted.admin_email, wanted.admin_name, ADMIN_PATH),
        wanted.admin_email,
        wanted.admin_name,
        Role.ADMIN,
    )
    page = BillingPage(
        account=Account(
            id=wanted.account,
            name=wanted.name,
            status=Status.ACTIVE,
            contract=wanted.contract,
            stores=wanted.stores,
            roles={admin.id: Role.ADMIN},
            provisioned_as=wanted.digest,
            version=FIRST_VERSION,
        ),
        subscription=replace(subscription, version=FIRST_VERSION),
        information=BillingInformation(
            company=Information(wanted.company, FIRST_VERSION),
            billing=Information(wanted.billing, FIRST_VERSION),
            contact=Information(wanted.contact, FIRST_VERSION),
        ),
        payment_method=None,
        invoices=(),
    )
    event = new_event(
        EventType.ACCOUNT_PROVISIONED,
        context,
        account=wanted.account,
        before=None,
        after={
            "name": wanted.name,
            "contract": asdict(wanted.contract),
            "lines": [asdict(line) for line in subscription.lines],
            "first_admin": fields_of(admin, id="user"),
        },
    )
    try:
        pages.provision(
            page,
            admin,
            event,
            AutoscalingDue(first_due_month(wanted.contract, today), {}),
            InvoicingDue(first_month_to_invoice(wanted.contract, wanted.invoiced_until)),
            next_notice(wanted.contract, today),
        )
    except ConcurrentChange:
        # Somebody was faster: the same request, sent twice, or another one for this id.
        winner = _existing(wanted, pages)
        if winner is None:
            raise
        return winner
    return page


def first_month_to_invoice(contract: Contract, invoiced_until: date | None) -> int:
    """The contract month with which invoices begin. Raises RuleViolation for a day that is no renewal."""
    if invoiced_until is None:
        return 0
    month = contract.month_of(invoiced_until)
    if month < 0 or month % contract.interval_months or contract.month_start(month) != invoiced_until:
        raise RuleViolation(Violation(("invoiced_until",), "It must be a day on which a paid period begins."))
    return month


def _existing(wanted: Provisioning, pages: BillingPageStore) -> BillingPage | None:
    try:
        page = pages.billing_page(wanted.account, consistent=True)
    except AccountNotFound:
        return None
    if page.account.provisioned_as != wanted.digest:
        raise AccountExists(f"The account {wanted.account} exists already.")
    return page
