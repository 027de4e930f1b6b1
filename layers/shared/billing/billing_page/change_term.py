"""Staff change the term of a running contract, from the next renewal that is not invoiced on (decision 0037).

A shorter term holds at once for that renewal. A longer one waits for an admin's consent, and lapses without it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from billing.accounts.lapse_term import term_ended_event, term_facts
from billing.accounts.rules import Status
from billing.accounts.terms import NoTermChange, TermChange, TermEnded, TermState, without_term
from billing.billing_page.change_subscription import ChangeRequest, SubscriptionChange, charge_facts
from billing.billing_page.page import BillingPage
from billing.billing_page.records import BillingPageStore
from billing.kernel.errors import Conflict, RuleViolation, StaleVersion, VersionRequired, Violation
from billing.kernel.events import Event, EventType, RequestContext
from billing.kernel.field_codes import FieldCode
from billing.kernel.versions import includes
from billing.platform.events.new_event import new_event, new_id
from billing.subscriptions.version_changes import require_renewal_of_version


@dataclass(frozen=True, slots=True)
class ChangedTerm:
    """A change of the term, and what becomes of the account's invoices with it."""

    change: TermChange
    shown: SubscriptionChange


def propose_term(
    page: BillingPage, interval_months: int, reason: str, request: ChangeRequest, *, pages: BillingPageStore
) -> ChangedTerm:
    """Proposes another interval, from the next renewal on that is not invoiced. A shorter one is agreed with it.

    It takes the place of a change that is to come; the same one again changes nothing. `request.replaces` names
    versions of the account's newest change, 0 for none. One transaction. Raises RuleViolation for the interval that the
    contract has, VersionBetweenRenewals, Conflict for a cancelled account, VersionRequired, StaleVersion,
    ConcurrentChange.
    """
    _require_active(page)
    now, before = request.context.time, page.term
    today = page.account.contract.today(now)
    is_to_come = before is not None and _is_to_come(page, before, today)
    contract = without_term(page.account.contract, before) if is_to_come else page.account.contract
    base = replace(page, account=replace(page.account, contract=contract))
    renewal = base.subscriber.next_open_renewal(today)
    from_month = contract.month_of(renewal)
    if is_to_come and before is not None and _is_the_same(before, interval_months, from_month):
        return ChangedTerm(before, _shown(base, _with_term(base, before, now), before, today, request))
    former = contract.interval_of(from_month)
    if interval_months == former:
        raise RuleViolation(Violation(("interval_months",), "The contract has this interval.", FieldCode.NOT_ALLOWED))
    version = 0 if before is None else before.version
    if request.replaces is None and not request.is_preview:
        raise VersionRequired("Name the version that this replaces: If-Match with its ETag.")
    if request.replaces is not None and not includes(request.replaces, version):
        raise StaleVersion
    change = TermChange(new_id(now), interval_months, from_month, reason, now, TermState.PROPOSED, version=version)
    if interval_months < former:
        change = change.agreed(None, now)
    after = _with_term(base, change, now)
    shown = _shown(base, after, change, today, request)
    account = base.account if change.is_open else after.account
    for each in (account, after.account):
        require_renewal_of_version(page.subscription, each.contract, today)
    if request.is_preview:
        return ChangedTerm(change, shown)
    events = []
    if before is not None and (is_to_come or before.is_open):
        ended = before.ended(TermState.REPLACED, now)
        events.append(term_ended_event(base.account, ended, request.context))
    events.append(_event(page, base, change, shown, request.context))
    pages.change_term(page, account, change, events, today)
    return ChangedTerm(replace(change, version=version + 1), shown)


def agree_to_term(page: BillingPage, term: str, request: ChangeRequest, *, pages: BillingPageStore) -> ChangedTerm:
    """An admin agrees to the term that staff have proposed. `term` is its id. Again, it changes nothing.

    One transaction. Raises NoTermChange, TermEnded once its renewal has come, Conflict for a cancelled account,
    ConcurrentChange.
    """
    change = page.term
    if change is None or change.id != term:
        raise NoTermChange
    now = request.context.time
    today = page.account.contract.today(now)
    if not _is_to_come(page, change, today):
        raise TermEnded(change.state)
    base = replace(page, account=replace(page.account, contract=without_term(page.account.contract, change)))
    after = _with_term(base, change, now)
    shown = _shown(base, after, change, today, request)
    if change.state is TermState.AGREED:
        return ChangedTerm(change, shown)
    _require_active(page)
    require_renewal_of_version(page.subscription, after.account.contract, today)
    agreed = change.agreed(request.context.actor.user, now)
    if request.is_preview:
        return ChangedTerm(agreed, shown)
    pages.change_term(page, after.account, agreed, [_event(page, base, agreed, shown, request.context)], today)
    return ChangedTerm(replace(agreed, version=change.version + 1), shown)


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
    if not change.is_open:
        _require_active(page)  # the cancellation has followed from the contract with this term
    ended = change.ended(TermState.TAKEN_BACK, context.time)
    account = replace(page.account, contract=without_term(page.account.contract, change))
    require_renewal_of_version(page.subscription, account.contract, today)
    pages.change_term(page, account, ended, [term_ended_event(account, ended, context)], today)


def _require_active(page: BillingPage) -> None:
    if page.account.status is not Status.ACTIVE:
        raise Conflict("The account is cancelled: its contract is not changed any more.")


def _is_the_same(before: TermChange, interval_months: int, from_month: int) -> bool:
    return (before.interval_months, before.from_month) == (interval_months, from_month)


def _is_to_come(page: BillingPage, change: TermChange, today: date) -> bool:
    """Whether a change waits for consent or for its renewal."""
    waits = change.is_open or change.is_in(page.account.contract)
    return waits and not _has_come(page, change, today)


def _has_come(page: BillingPage, change: TermChange, today: date) -> bool:
    """Whether the renewal of a change has come, or its month is fixed by now."""
    contract = page.account.contract
    return contract.month_start(change.from_month) <= today or change.from_month < page.subscriber.fixed.until


def _with_term(base: BillingPage, change: TermChange, at: datetime) -> BillingPage:
    contract = base.account.contract
    term = change.term_of(contract, change.agreed_at or at)
    return replace(base, account=replace(base.account, contract=contract.with_term(term)))


def _shown(
    base: BillingPage, after: BillingPage, change: TermChange, today: date, request: ChangeRequest
) -> SubscriptionChange:
    """The invoices up to the first renewal of the new term, with it and without it."""
    since = base.account.contract.month_start(change.from_month)
    until = since + timedelta(days=1)
    invoices, without = (page.charges_until(until, today, request.seller, request.policy) for page in (after, base))
    return SubscriptionChange(after, since, invoices, without)


def _event(
    page: BillingPage, base: BillingPage, change: TermChange, shown: SubscriptionChange, context: RequestContext
) -> Event:
    kind = EventType.CONTRACT_TERM_PROPOSED if change.is_open else EventType.CONTRACT_TERM_AGREED
    facts = term_facts(base.account, change)
    return new_event(
        kind,
        context,
        account=page.account.id,
        before={"interval_months": facts["interval_before"]},
        after={
            **facts,
            "invoices": [charge_facts(each) for each in shown.invoices],
            "invoices_without": [charge_facts(each) for each in shown.without],
        },
    )
