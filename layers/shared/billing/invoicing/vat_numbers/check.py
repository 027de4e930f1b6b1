"""Asks VIES about an account's VAT number, where it makes the account's invoices reverse charge.

A failure of VIES changes nothing of the account but the time of the next question. So an outage never changes a tax,
and no account waits for another.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from billing.invoicing.invoices import Seller
from billing.invoicing.settings import UnconfirmedVatNumber
from billing.invoicing.vat_numbers.records import VatNumberState, VatNumberStore
from billing.invoicing.vat_numbers.register import NoAnswer, VatRegister
from billing.invoicing.vat_numbers.rules import (
    VatNumberCheck,
    VatResult,
    after_no_answer,
    asked_number,
    consequence,
    country_of,
    is_checked,
    next_check,
    relevant,
)
from billing.kernel.events import Event, EventType, Facts, RequestContext, by_system
from billing.platform.events.new_event import new_event


class CheckOutcome(StrEnum):
    """What became of a due check. NOT_DUE: it was done before. NOT_ASKED: the number decides on no tax."""

    NOT_DUE = "not_due"
    NOT_ASKED = "not_asked"
    ANSWERED = "answered"
    UNANSWERED = "unanswered"


def check_vat_number(
    account: str,
    *,
    now: datetime,
    correlation: str,
    seller: Seller,
    policy: UnconfirmedVatNumber | None,
    store: VatNumberStore,
    register: Callable[[], VatRegister],
) -> CheckOutcome:
    """Asks about the number of an account that is due at `now`, and records what is new.

    The seller's own number goes along, so that VIES gives a consultation number. `policy` is None where the deployment
    does not ask. Two reads, one call of VIES and one transaction. Raises ConcurrentChange.
    """
    state = store.state(account)
    if state is None or state.due is None or state.due.at > now:
        return CheckOutcome.NOT_DUE
    today = state.account.contract.today(now)
    number = asked_number(state.company.vat_number)
    if policy is None or number is None or not is_checked(seller, state.company, today):
        store.stop(state)
        return CheckOutcome.NOT_ASKED
    context, requester = by_system(now, correlation), asked_number(seller.vat_number)
    outage = store.outage(country_of(number), account)
    try:
        answer = register().check(number, requester)
    except NoAnswer as failure:
        ongoing, tells = after_no_answer(outage, country_of(number), failure.reason, now)
        facts = {"country": ongoing.country, "since": ongoing.since, "code": ongoing.code}
        event = _event(EventType.VAT_NUMBER_UNANSWERED, context, account, facts) if tells else None
        store.postpone(state, state.due.after_no_answer(now), ongoing, event)
        return CheckOutcome.UNANSWERED
    check = _known(state, number).answered(answer, requester, today)
    following = next_check(check, state.account.contract, today)
    store.save_answer(state, check, following, outage, _news(state, check, policy, context))
    return CheckOutcome.ANSWERED


def _known(state: VatNumberState, number: str) -> VatNumberCheck:
    """The check of this number so far. Another number's is replaced, but its version counts on."""
    version = 0 if state.check is None else state.check.version
    return relevant(state.check, state.company) or VatNumberCheck(number, version=version)


def _news(
    state: VatNumberState, check: VatNumberCheck, policy: UnconfirmedVatNumber, context: RequestContext
) -> Event | None:
    """The event of an answer that says something else than the last one."""
    if state.check is not None and check.says_the_same(state.check):
        return None
    facts: dict[str, object] = {
        "number": check.number,
        "requester": check.requester,
        "request_identifier": check.request_identifier,
        "answered_on": check.answered_on,
    }
    if check.result is VatResult.VALID:
        return _event(EventType.VAT_NUMBER_CONFIRMED, context, state.account.id, facts)
    decided = None if check.decision is None else check.decision.treatment
    facts |= {"result": check.result, "code": check.code, "treatment": decided or consequence(policy)}
    return _event(EventType.VAT_NUMBER_NOT_CONFIRMED, context, state.account.id, facts)


def _event(type_: EventType, context: RequestContext, account: str, facts: Facts) -> Event:
    return new_event(type_, context, account=account, before=None, after=facts)
