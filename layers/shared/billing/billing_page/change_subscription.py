"""Staff change the subscription of a running account: a preview, or the change with its event (decision 0034).

Every change takes the same way: a rule of billing.subscriptions.changes says what follows, and from which day.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta

from billing.accounts.rules import Status
from billing.accounts.terms import TermChange
from billing.billing_page.page import BillingPage, NextCharge
from billing.billing_page.records import BillingPageStore
from billing.invoicing.settings import UnconfirmedVatNumber
from billing.invoicing.vat_territories import Address
from billing.kernel.account_ids import clock_of
from billing.kernel.errors import (
    ConcurrentChange,
    Conflict,
    NotFound,
    RuleViolation,
    StaleVersion,
    VersionRequired,
    Violation,
)
from billing.kernel.events import EventType, Facts, RequestContext
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money
from billing.kernel.versions import Versions, includes
from billing.platform.events.new_event import new_event, new_id
from billing.subscriptions.changes import Changed, with_discounts, with_end, with_end_taken_back, with_line
from billing.subscriptions.currency_changes import new_currency, require_no_new_obstacle
from billing.subscriptions.rules import Discount, Order, Subscription
from billing.subscriptions.version_changes import (
    VersionOrder,
    version_facts,
    with_version,
    with_version_withdrawn,
)


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """How a change is asked for. `replaces` names versions of the subscription that the caller has seen.

    A preview writes nothing, and names no version. `seller` and `policy` decide the tax that is shown.
    """

    replaces: Versions | None
    is_preview: bool
    context: RequestContext
    seller: Address
    policy: UnconfirmedVatNumber | None


@dataclass(frozen=True, slots=True)
class SubscriptionChange:
    """An account's page after a change, and what becomes of its invoices.

    `effective_on` is the first day for which the change makes a difference, None where nothing changes. `invoices` are
    those to come up to the first renewal on or after that day, and `without` the same as they would have been.
    `replaces_agreed` is a price agreed with the customer that ends with the change.
    """

    page: BillingPage
    effective_on: date | None
    invoices: tuple[NextCharge, ...] = ()
    without: tuple[NextCharge, ...] = ()
    replaces_agreed: Money | None = None


def replace_discounts(
    page: BillingPage, discounts: Sequence[Discount], request: ChangeRequest, *, pages: BillingPageStore
) -> SubscriptionChange:
    """Replaces the discounts of an account, from the next paid period on that is not invoiced.

    Discounts that are so already are not written again. One transaction, and one query if its condition fails. Raises
    RuleViolation, Conflict for a cancelled account, VersionRequired, StaleVersion, ConcurrentChange.
    """

    def change(now: BillingPage, today: date) -> Changed:
        return with_discounts(now.subscriber, discounts, today)

    currency, today = page.account.contract.currency, page.account.contract.today(request.context.time)

    def facts(now: BillingPage, _: date | None) -> Facts:
        return {"discounts": discount_facts(now.subscription, currency, today)}

    return _change(page, change, EventType.DISCOUNTS_CHANGED, facts, {}, request, pages)


def change_product(
    page: BillingPage,
    order: Order,
    agreed: Money | None,
    reason: str,
    request: ChangeRequest,
    *,
    pages: BillingPageStore,
) -> SubscriptionChange:
    """Adds a product, or moves one to a larger tier or to an agreed price: see billing.subscriptions.changes.with_line.

    A product that is so already is not written again. One read of the catalogue, or two where the account moves to
    another version, and one transaction, and one query if its condition fails. Raises RuleViolation,
    Conflict for a cancelled account, VersionRequired, StaleVersion, ConcurrentChange.
    """
    subscription, decision = page.subscription, new_id(request.context.time)
    month = page.subscriber.next_open_month(page.account.contract.today(request.context.time))
    catalogue = pages.catalogue(subscription.version_on(month))
    later = next((each.version for each in subscription.versions if each.effective_on > month), None)
    following = None if later is None else pages.catalogue(later)

    def change(now: BillingPage, today: date) -> Changed:
        return with_line(now.subscriber, order, agreed, catalogue, decision, today, following)

    has_it = any(line.product == order.product for line in page.subscription.lines)
    more = {"change": "tier" if has_it else "added", "reason": reason}
    return _change_line(page, order.product, change, more, request, pages)


def end_product(
    page: BillingPage,
    product: str,
    confirmed: date | None,
    reason: str,
    request: ChangeRequest,
    *,
    pages: BillingPageStore,
) -> SubscriptionChange:
    """Ends a product with notice. `confirmed` is the day that staff were shown, None for any.

    One transaction, and one query if its condition fails. Raises NotFound, LastProduct, EndChanged, Conflict for a
    cancelled account, VersionRequired, StaleVersion, ConcurrentChange.
    """

    def change(now: BillingPage, today: date) -> Changed:
        return with_end(now.subscriber, product, confirmed, today)

    return _change_line(page, product, change, {"change": "ending", "reason": reason}, request, pages)


def keep_product(
    page: BillingPage, product: str, request: ChangeRequest, *, pages: BillingPageStore
) -> SubscriptionChange:
    """Takes the end of a product back, before its day.

    One transaction. Raises NotFound, NotEnding, Conflict for a cancelled account, ConcurrentChange.
    """

    def change(now: BillingPage, today: date) -> Changed:
        return with_end_taken_back(now.subscriber, product, today)

    return _change_line(page, product, change, {"change": "kept", "reason": None}, request, pages)


def move_to_version(
    page: BillingPage,
    version: int,
    confirmed: date | None,
    reason: str,
    notice_days: int,
    request: ChangeRequest,
    *,
    pages: BillingPageStore,
) -> SubscriptionChange:
    """Moves an account to another version of the catalogue: see billing.subscriptions.version_changes.with_version.

    `confirmed` is the day that staff were shown, None for any. The mail about it gives `notice_days` of notice; the
    version does not hold before the mail went out. Two reads of the catalogue and one transaction, and one query if its
    condition fails. Raises RuleViolation, VersionDayChanged, Conflict for a cancelled account, VersionRequired,
    StaleVersion, ConcurrentChange.
    """
    today = page.account.contract.today(request.context.time)
    current = pages.catalogue(page.subscription.version_on(today))
    try:
        wanted = pages.catalogue(version)
    except NotFound:
        detail = f"There is no version {version} of the catalogue."
        raise RuleViolation(Violation(("version",), detail, FieldCode.UNKNOWN)) from None
    # A test clock may be years ahead when the mail goes out: it counts as sent on the day of its event.
    is_announced = clock_of(page.account.id) is not None
    order = VersionOrder(wanted, new_id(request.context.time), notice_days, confirmed, is_announced)

    def change(now: BillingPage, today: date) -> Changed:
        return with_version(now.subscriber, order, current, today)

    def facts(now: BillingPage, _: date | None) -> Facts:
        return _version_facts(now.subscription, today)

    return _change(page, change, EventType.CATALOGUE_VERSION_ANNOUNCED, facts, {"reason": reason}, request, pages)


def withdraw_version(page: BillingPage, request: ChangeRequest, *, pages: BillingPageStore) -> SubscriptionChange:
    """Withdraws a move to another version of the catalogue, before its day.

    One read of the catalogue and one transaction. Raises NoVersionPending, ProductOfVersion, Conflict for a cancelled
    account, ConcurrentChange.
    """
    today = page.account.contract.today(request.context.time)
    current = pages.catalogue(page.subscription.version_on(today))

    def change(now: BillingPage, today: date) -> Changed:
        return with_version_withdrawn(now.subscriber, current, today)

    def facts(now: BillingPage, _: date | None) -> Facts:
        return _version_facts(now.subscription, today)

    # Also after a cancellation: it may end after the renewal, and only the dearer prices are taken back.
    statuses = frozenset({Status.ACTIVE, Status.CANCELLING})
    return _change(page, change, EventType.CATALOGUE_VERSION_WITHDRAWN, facts, {}, request, pages, statuses)


def _version_facts(subscription: Subscription, today: date) -> Facts:
    """The move that is to come, or else the version of today."""
    pending = subscription.pending_version(today)
    return {"version": subscription.version_on(today)} if pending is None else version_facts(subscription, pending)


def _change_line(
    page: BillingPage,
    product: str,
    change: Callable[[BillingPage, date], Changed],
    more: Facts,
    request: ChangeRequest,
    pages: BillingPageStore,
) -> SubscriptionChange:
    today = page.account.contract.today(request.context.time)

    def facts(now: BillingPage, day: date | None) -> Facts | None:
        subscription = now.subscription_to_come
        line = next((each for each in subscription.lines if each.product == product), None)
        if line is None or line.ends_by(today):
            return None
        shown = subscription.line_on(line, today if day is None or line.valid_until == day else day)
        return {"line": {**shown.facts, "begins_on": line.valid_from, "ends_on": line.valid_until}}

    return _change(page, change, EventType.SUBSCRIPTION_CHANGED, facts, more, request, pages)


def discount_facts(subscription: Subscription, currency: str, today: date) -> list[Facts]:
    """The discounts that are not over, as events have them."""
    names = {line.product: line.name for line in subscription.lines}
    return [
        {
            "product": each.product,
            "name": None if each.product is None else names.get(each.product, each.product),
            "percent": each.percent,
            "amount": None if each.amount is None else asdict(Money(each.amount, currency)),
            "since": each.valid_from,
            "until": each.valid_until,
            "reason": each.reason,
        }
        for each in subscription.discounts
        if each.valid_until is None or each.valid_until > today
    ]


def _change(
    page: BillingPage,
    change: Callable[[BillingPage, date], Changed],
    type_: EventType,
    facts: Callable[[BillingPage, date | None], Facts | None],
    more: Facts,
    request: ChangeRequest,
    pages: BillingPageStore,
    statuses: frozenset[Status] = frozenset({Status.ACTIVE}),
) -> SubscriptionChange:
    today = page.account.contract.today(request.context.time)
    if page.account.status not in statuses:
        raise Conflict("The account is cancelled: its subscription is not changed any more.")
    changed = change(page, today)
    if changed.effective_on is None:
        return SubscriptionChange(page, None)
    if request.replaces is None and not request.is_preview:
        raise VersionRequired("Name the version that this replaces: If-Match with its ETag.")
    if request.replaces is not None and not includes(request.replaces, page.subscription.version):
        raise StaleVersion
    term = _with_prices(page, changed.subscription, pages)
    if term is not None:
        require_no_new_obstacle(page.subscription, changed.subscription, term, page.account.contract)
    after = replace(page, subscription=changed.subscription, term=term)
    as_shown = after if changed.shown is None else replace(page, subscription=changed.shown, term=term)
    shown = _shown(page, as_shown, changed.effective_on, today, request)
    shown = replace(shown, page=after, replaces_agreed=changed.replaces_agreed)
    if request.is_preview:
        return shown
    if changed.replaces_agreed is not None:
        more = {**more, "replaces_agreed": asdict(changed.replaces_agreed)}
    event = new_event(
        type_,
        request.context,
        account=page.account.id,
        before=facts(page, None),
        after={
            **(facts(after, changed.effective_on) or {}),
            **more,
            "effective_on": changed.effective_on,
            "invoices": [charge_facts(each) for each in shown.invoices],
            "invoices_without": [charge_facts(each) for each in shown.without],
        },
    )
    try:
        pages.change_subscription(page, changed.subscription, event, term if term is not page.term else None)
    except ConcurrentChange:
        # Two copies of one request may run at once. The slower one then finds the result of the faster one.
        stored = pages.billing_page(page.account.id, invoices=0, consistent=True)
        if change(stored, today).effective_on is None:
            return replace(shown, page=stored)
        if stored.subscription.version != page.subscription.version:
            raise StaleVersion from None
        raise
    version = page.subscription.version + 1
    return replace(shown, page=replace(page, subscription=replace(changed.subscription, version=version)))


def _with_prices(page: BillingPage, subscription: Subscription, pages: BillingPageStore) -> TermChange | None:
    """The newest change of the term. One into another currency that is to come gets the prices of a new product.

    One read of the catalogue for a new product, none otherwise.
    """
    term, contract = page.term, page.account.contract
    if term is None or term.into is None or not (term.is_open or term.awaits(contract)):
        return term
    if {line.product for line in subscription.lines} <= {product for product, _ in term.into.prices}:
        return term
    catalogue = pages.catalogue(term.into.catalogue_version)
    return replace(term, into=new_currency(subscription, catalogue, term.into.currency))


def charge_facts(charge: NextCharge) -> Facts:
    """An invoice to come, as events have it."""
    return {
        "on": charge.on,
        "amount": asdict(charge.net),
        "tax": asdict(charge.tax),
        "total": asdict(charge.total),
    }


def _shown(
    before: BillingPage, after: BillingPage, effective_on: date, today: date, request: ChangeRequest
) -> SubscriptionChange:
    contract = before.account.contract
    _, renewal = next(contract.renewals(max(effective_on, today)))
    until = renewal + timedelta(days=1)
    invoices, without = (page.charges_until(until, today, request.seller, request.policy) for page in (after, before))
    return SubscriptionChange(after, effective_on, invoices, without)
