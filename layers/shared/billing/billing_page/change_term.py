"""Staff change the term of a running contract, from a renewal that is not invoiced on (decisions 0037 and 0045).

A shorter term holds at once for the next renewal. A longer one, and another currency, wait for an admin's consent, and
lapse without it. The contract has another currency only when its renewal is invoiced
(billing.invoicing.begin_currency).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from billing.accounts.lapse_term import term_ended_event, term_facts
from billing.accounts.rules import Status, existing
from billing.accounts.terms import NoTermChange, TermChange, TermEnded, TermState, without_term
from billing.billing_page.change_subscription import ChangeRequest, SubscriptionChange, charge_facts
from billing.billing_page.page import BillingPage
from billing.billing_page.records import BillingPageStore
from billing.invoicing.currency_obstacles import obstacles_to
from billing.invoicing.records import InvoiceStore
from billing.kernel.errors import Conflict, RuleViolation, StaleVersion, VersionRequired, Violation
from billing.kernel.events import Event, EventType, Facts, RequestContext
from billing.kernel.field_codes import FieldCode
from billing.kernel.versions import includes
from billing.platform.events.new_event import new_event, new_id
from billing.subscriptions.currency_changes import (
    Obstacle,
    in_currency,
    lines_in_currency,
    new_currency,
    version_then,
)
from billing.subscriptions.version_changes import RepricedLine, line_facts, require_renewal_of_version
from billing.subscriptions.versions import first_renewal_with_notice


@dataclass(frozen=True, slots=True)
class ChangedTerm:
    """A change of the term, and what becomes of the account's invoices with it.

    With another currency, `lines` are the products with their prices before and after it, and `obstacles` what is in
    its way now. Nothing is shown of the invoices while something is in its way that stays there.
    """

    change: TermChange
    shown: SubscriptionChange
    lines: tuple[RepricedLine, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()


@dataclass(frozen=True, slots=True)
class CurrencyOrder:
    """Another currency that is asked for. Its mail gives `notice_days` of notice."""

    currency: str
    notice_days: int


Invoices = Callable[[], InvoiceStore]
"""The invoices of accounts. Only a change of the currency reads them."""


def propose_term(
    page: BillingPage,
    interval_months: int | None,
    reason: str,
    request: ChangeRequest,
    *,
    pages: BillingPageStore,
    order: CurrencyOrder | None = None,
    invoices: Invoices | None = None,
) -> ChangedTerm:
    """Proposes another interval, from the next renewal on that is not invoiced. A shorter one is agreed with it.

    With another currency (`order`) it is the first renewal whose last day to avoid it gives the notice, and an admin
    must agree; `interval_months` None leaves the interval.

    It takes the place of a change that is to come; the same one again changes nothing. `request.replaces` names
    versions of the account's newest change, 0 for none. One transaction; for another currency one read of the
    catalogue, one read and one query more. Raises RuleViolation for the interval and the currency that the contract
    has, and at "currency" for each obstacle that stays; VersionBetweenRenewals, Conflict for a cancelled account,
    VersionRequired, StaleVersion, ConcurrentChange.
    """
    _require_active(page)
    now, before = request.context.time, page.term
    today = page.account.contract.today(now)
    is_to_come = before is not None and _is_to_come(page, before, today)
    contract = without_term(page.account.contract, before) if is_to_come else page.account.contract
    base = replace(page, account=replace(page.account, contract=contract), term=None)
    currency = None if order is None or order.currency == contract.currency else order.currency
    renewal = base.subscriber.next_open_renewal(today)
    if order is not None and currency is not None:
        renewal, _ = first_renewal_with_notice(contract, renewal, today, order.notice_days)
    from_month = contract.month_of(renewal)
    former = contract.interval_of(from_month)
    interval_months = former if interval_months is None else interval_months
    if is_to_come and before is not None and _is_the_same(before, interval_months, currency):
        return _changed(page, base, before, today, request, invoices)
    if interval_months == former and currency is None:
        path = "interval_months" if order is None else "currency"
        detail = f"The contract has this {'interval' if order is None else 'currency'}."
        raise RuleViolation(Violation((path,), detail, FieldCode.NOT_ALLOWED))
    version = 0 if before is None else before.version
    if request.replaces is None and not request.is_preview:
        raise VersionRequired("Name the version that this replaces: If-Match with its ETag.")
    if request.replaces is not None and not includes(request.replaces, version):
        raise StaleVersion
    change = TermChange(
        new_id(now), interval_months, from_month, reason, now, TermState.PROPOSED, version=version, start=contract.start
    )
    if currency is not None:
        catalogue = pages.catalogue(version_then(page.subscription, renewal, today))
        change = replace(change, into=new_currency(page.subscription, catalogue, currency))
    elif interval_months < former:
        change = change.agreed(None, now)
    after = _with_term(base, change, now)
    account = base.account if change.is_open else after.account
    for each in (account, after.account):
        require_renewal_of_version(page.subscription, each.contract, today)
    changed = _changed(page, base, change, today, request, invoices)
    if request.is_preview:
        return changed
    _require_possible(changed)
    events = []
    if before is not None and (is_to_come or before.is_open):
        ended = before.ended(TermState.REPLACED, now)
        events.append(term_ended_event(base.account, ended, request.context))
    events.append(_event(page, base, changed, request.context))
    pages.change_term(page, account, change, events, today)
    return replace(changed, change=replace(change, version=version + 1))


def agree_to_term(
    page: BillingPage, term: str, request: ChangeRequest, *, pages: BillingPageStore, invoices: Invoices | None = None
) -> ChangedTerm:
    """An admin agrees to the term that staff have proposed. `term` is its id. Again, it changes nothing.

    One transaction; for another currency one read and one query more. Raises NoTermChange, TermEnded once its renewal
    has come, Conflict for a cancelled account, RuleViolation for each obstacle to another currency that stays,
    ConcurrentChange.
    """
    change = page.term
    if change is None or change.id != term:
        raise NoTermChange
    now = request.context.time
    today = page.account.contract.today(now)
    if not _is_to_come(page, change, today):
        raise TermEnded(change.state)
    contract = without_term(page.account.contract, change)
    base = replace(page, account=replace(page.account, contract=contract), term=None)
    after = _with_term(base, change, now)
    if change.state is TermState.AGREED:
        return _changed(page, base, change, today, request, invoices)
    _require_active(page)
    require_renewal_of_version(page.subscription, after.account.contract, today)
    agreed = change.agreed(request.context.actor.user, now)
    changed = _changed(page, base, agreed, today, request, invoices)
    if request.is_preview:
        return changed
    _require_possible(changed)
    account = after.account if change.into is None else page.account
    pages.change_term(page, account, agreed, [_event(page, base, changed, request.context)], today)
    return replace(changed, change=replace(agreed, version=change.version + 1))


def take_term_back(page: BillingPage, context: RequestContext, *, pages: BillingPageStore) -> None:
    """Takes a change of the term back, before its renewal is invoiced. Again, it changes nothing.

    One transaction. Raises NoTermChange, TermEnded, Conflict for a cancelled account whose contract has the term,
    ConcurrentChange.
    """
    change = page.term
    if change is None:
        raise NoTermChange
    if change.state is TermState.TAKEN_BACK:
        return
    today = page.account.contract.today(context.time)
    if not _is_to_come(page, change, today):
        raise TermEnded(change.state)
    if change.is_in(page.account.contract):
        _require_active(page)  # the cancellation has followed from the contract with this term
    ended = change.ended(TermState.TAKEN_BACK, context.time)
    account = replace(page.account, contract=without_term(page.account.contract, change))
    require_renewal_of_version(page.subscription, account.contract, today)
    pages.change_term(page, account, ended, [term_ended_event(account, ended, context)], today)


def _require_active(page: BillingPage) -> None:
    if page.account.status is not Status.ACTIVE:
        raise Conflict("The account is cancelled: its contract is not changed any more.")


def _require_possible(changed: ChangedTerm) -> None:
    """Raises RuleViolation for each obstacle to another currency that would still be there on the day."""
    violations = [
        Violation(("currency",), each.detail, FieldCode.UNUSABLE, {"obstacle": each.code, "of": each.subject or ""})
        for each in changed.obstacles
        if each.stays
    ]
    if violations:
        raise RuleViolation(*violations)


def _is_the_same(before: TermChange, interval_months: int, currency: str | None) -> bool:
    """Whether a change that is to come is what is asked for. Another currency would get a later renewal by now, and
    need consent again."""
    into = None if before.into is None else before.into.currency
    return (before.interval_months, into) == (interval_months, currency)


def _is_to_come(page: BillingPage, change: TermChange, today: date) -> bool:
    """Whether a change waits for consent or for its renewal. One into another currency waits until that is invoiced."""
    contract = page.account.contract
    if change.awaits(contract):
        return change.from_month >= page.subscriber.fixed.until
    is_of_it = change.is_of(contract) and (change.is_open or change.is_in(contract))
    return is_of_it and not _has_come(page, change, today)


def _has_come(page: BillingPage, change: TermChange, today: date) -> bool:
    """Whether the renewal of a change has come, or its month is fixed by now."""
    contract = page.account.contract
    return contract.month_start(change.from_month) <= today or change.from_month < page.subscriber.fixed.until


def _with_term(base: BillingPage, change: TermChange, at: datetime) -> BillingPage:
    contract = base.account.contract
    term = change.term_of(contract, change.agreed_at or at)
    subscription = in_currency(base.subscription, change, contract)
    return replace(base, account=replace(base.account, contract=contract.with_term(term)), subscription=subscription)


def _changed(
    page: BillingPage,
    base: BillingPage,
    change: TermChange,
    today: date,
    request: ChangeRequest,
    invoices: Invoices | None,
) -> ChangedTerm:
    """A change with the invoices up to the first renewal of the new term, with it and without it."""
    contract = base.account.contract
    since = contract.month_start(change.from_month)
    until = since + timedelta(days=1)
    after = _with_term(base, change, request.context.time)
    without = base.charges_until(until, today, request.seller, request.policy)
    obstacles = _obstacles(page, change, today, invoices)
    if any(each.stays for each in obstacles):
        return ChangedTerm(change, SubscriptionChange(after, since), obstacles=obstacles)
    lines = lines_in_currency(base.subscription, change, contract)
    with_it = after.charges_until(until, today, request.seller, request.policy)
    return ChangedTerm(change, SubscriptionChange(after, since, with_it, without), lines, obstacles)


def _obstacles(page: BillingPage, change: TermChange, today: date, invoices: Invoices | None) -> tuple[Obstacle, ...]:
    """What is in the way of another currency. One read and one query; none for a change that leaves the currency."""
    if change.into is None:
        return ()
    if invoices is None:
        raise ValueError("a change of the currency needs the invoices")
    store = invoices()
    return obstacles_to(
        change, existing(store.billing_context(page.account.id)), store.summaries(page.account.id), today
    )


def _event(page: BillingPage, base: BillingPage, changed: ChangedTerm, context: RequestContext) -> Event:
    change, shown = changed.change, changed.shown
    kind = EventType.CONTRACT_TERM_PROPOSED if change.is_open else EventType.CONTRACT_TERM_AGREED
    facts = term_facts(base.account, change)
    return new_event(
        kind,
        context,
        account=page.account.id,
        before={"interval_months": facts["interval_before"], **_currency_before(facts)},
        after={
            **facts,
            **_currency_facts(base, changed),
            "invoices": [charge_facts(each) for each in shown.invoices],
            "invoices_without": [charge_facts(each) for each in shown.without],
        },
    )


def _currency_before(facts: Facts) -> Facts:
    return {"currency": facts["currency_before"]} if "currency_before" in facts else {}


def _currency_facts(base: BillingPage, changed: ChangedTerm) -> Facts:
    contract, change = base.account.contract, changed.change
    if change.into is None:
        return {}
    last_day = contract.last_day_to_avoid(contract.month_start(change.from_month))
    return {"lines": line_facts(changed.lines), "last_day_to_avoid_it": last_day}
