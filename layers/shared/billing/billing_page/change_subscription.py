"""Staff change the subscription of a running account: a preview, or the change with its event (decision 0038).

Every change takes the same way: a rule of billing.subscriptions.changes says what follows, and from which day.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta

from billing.accounts.rules import Status
from billing.billing_page.page import BillingPage, NextCharge
from billing.billing_page.records import BillingPageStore
from billing.invoicing.settings import UnconfirmedVatNumber
from billing.invoicing.vat_territories import Address
from billing.kernel.errors import ConcurrentChange, Conflict, StaleVersion, VersionRequired
from billing.kernel.events import EventType, Facts, RequestContext
from billing.kernel.money import Money
from billing.platform.events.new_event import new_event
from billing.subscriptions.changes import Changed, with_discounts
from billing.subscriptions.rules import Discount, Subscription


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """How a change is asked for. `replaces` is the version of the subscription that the caller has seen, None for none.

    A preview writes nothing, and names no version. `seller` and `policy` decide the tax that is shown.
    """

    replaces: int | None
    is_preview: bool
    context: RequestContext
    seller: Address
    policy: UnconfirmedVatNumber | None


@dataclass(frozen=True, slots=True)
class SubscriptionChange:
    """An account's page after a change, and what becomes of its invoices.

    `effective_on` is the first day for which the change makes a difference, None where nothing changes. `invoices` are
    those to come up to the first renewal on or after that day, and `without` the same as they would have been.
    """

    page: BillingPage
    effective_on: date | None
    invoices: tuple[NextCharge, ...] = ()
    without: tuple[NextCharge, ...] = ()


def replace_discounts(
    page: BillingPage, discounts: Sequence[Discount], request: ChangeRequest, *, pages: BillingPageStore
) -> SubscriptionChange:
    """Replaces the discounts of an account, from the next paid period on that is not invoiced.

    Discounts that are so already are not written again. One transaction, and one query if its condition fails. Raises
    RuleViolation, Conflict for a cancelled account, VersionRequired, StaleVersion, ConcurrentChange.
    """

    def change(now: BillingPage, today: date) -> Changed:
        return with_discounts(now.subscriber, discounts, today)

    def facts(subscription: Subscription, today: date) -> Facts:
        return {"discounts": discount_facts(subscription, page.account.contract.currency, today)}

    return _change(page, change, EventType.DISCOUNTS_CHANGED, facts, request, pages)


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
    facts: Callable[[Subscription, date], Facts],
    request: ChangeRequest,
    pages: BillingPageStore,
) -> SubscriptionChange:
    today = page.account.contract.today(request.context.time)
    if page.account.status is not Status.ACTIVE:
        raise Conflict("The account is cancelled: its subscription is not changed any more.")
    changed = change(page, today)
    if changed.effective_on is None:
        return SubscriptionChange(page, None)
    if request.replaces is None and not request.is_preview:
        raise VersionRequired("Name the version that this replaces: If-Match with its ETag.")
    if request.replaces not in {None, page.subscription.version}:
        raise StaleVersion
    after = replace(page, subscription=changed.subscription)
    shown = _shown(page, after, changed.effective_on, today, request)
    if request.is_preview:
        return shown
    event = new_event(
        type_,
        request.context,
        account=page.account.id,
        before=facts(page.subscription, today),
        after={
            **facts(changed.subscription, today),
            "effective_on": changed.effective_on,
            "invoices": [charge_facts(each) for each in shown.invoices],
            "invoices_without": [charge_facts(each) for each in shown.without],
        },
    )
    try:
        pages.change_subscription(page, changed.subscription, event)
    except ConcurrentChange:
        # Two copies of one request may run at once. The slower one then finds the result of the faster one.
        stored = pages.billing_page(page.account.id, invoices=0, consistent=True)
        if replace(stored.subscription, version=page.subscription.version) == changed.subscription:
            return replace(shown, page=stored)
        if stored.subscription.version != page.subscription.version:
            raise StaleVersion from None
        raise
    version = page.subscription.version + 1
    return replace(shown, page=replace(page, subscription=replace(changed.subscription, version=version)))


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
