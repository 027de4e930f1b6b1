"""Corrects counted usage by an entry with a reason: counters and decisions to come follow (DESIGN 3.5.6)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from decimal import Decimal

from billing.accounts.rules import existing
from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import Event, EventType, Facts, RequestContext
from billing.platform.events.new_event import new_event
from billing.platform.retry import RetryBudget
from billing.subscriptions.rules import Line
from billing.usage.corrections import (
    CorrectionConflict,
    Figures,
    RecordedUsageCorrection,
    UsageCorrection,
    check_correction,
    corrected,
)
from billing.usage.records import UsageCorrectionState, UsageStore
from billing.usage.rules import month_of
from billing.usage.thresholds import AlertState, alert_after_correction


def correct_usage(
    state: UsageCorrectionState,
    correction: UsageCorrection,
    *,
    context: RequestContext,
    budget: RetryBudget,
    store: UsageStore,
) -> tuple[RecordedUsageCorrection, bool]:
    """Makes a correction of an account as it was read. Returns it, and whether this call made it.

    A repeated correction is returned as it was made. Months that were decided stay decided: only counters change, and
    what follows from them. If the correction takes the running month back below a threshold that was mailed, its event
    says so, and the threshold can be mailed again. One transaction; it is retried after another read while other
    writers change the same figures, for as long as `budget` lasts. Raises AccountClosed, RuleViolation,
    CorrectionConflict, ConcurrentChange, and AccountNotFound if the account is deleted meanwhile.
    """
    attempt = 0
    while True:
        try:
            return _attempt(state, correction, context, store)
        except ConcurrentChange:
            attempt += 1
            if not budget.lasts(attempt):
                raise
        state = existing(store.correction_state(correction))


def _attempt(
    state: UsageCorrectionState, correction: UsageCorrection, context: RequestContext, store: UsageStore
) -> tuple[RecordedUsageCorrection, bool]:
    if state.fingerprint is not None:
        if state.fingerprint != correction.fingerprint:
            raise CorrectionConflict
        if state.recorded is None:
            raise ConcurrentChange  # both items are written together, and were read around that
        return state.recorded, False
    account, subscription = state.subscriber.account, state.subscriber.subscription
    today = account.contract.today(context.time)
    check_correction(correction, account, subscription, today)
    after = corrected(state.figures, correction)
    recorded = RecordedUsageCorrection(correction, context.actor, context.time, state.figures, after)
    line = next((each for each in subscription.lines_on(today) if each.product == correction.product), None)
    alert, undone = _alert(state, correction, line, today)
    event = _event(recorded, line, undone, state.month_usage + correction.quantity, context)
    store.correct(state, recorded, alert, event)
    return recorded, True


def _alert(
    state: UsageCorrectionState, correction: UsageCorrection, line: Line | None, today: date
) -> tuple[AlertState | None, int | None]:
    """The alert state to write, None to leave it, and the threshold that is no longer reached, None without one."""
    month = month_of(correction.day)
    if line is None or line.up_to is None or month != month_of(today) or correction.quantity >= 0:
        return None, None
    usage = state.month_usage
    return alert_after_correction(
        state.alert, month, usage, usage + correction.quantity, line.up_to, correction.identity
    )


def _event(
    recorded: RecordedUsageCorrection, line: Line | None, undone: int | None, usage: Decimal, context: RequestContext
) -> Event:
    correction = recorded.correction
    revenue = None if correction.revenue is None else asdict(correction.revenue)
    threshold = None
    if line is not None and undone is not None:
        threshold = {
            "product": {"product": line.product, "name": line.name, "unit": line.unit},
            "month": f"{correction.day:%Y-%m}",
            "percent": undone,
            "usage": usage,
            "up_to": line.up_to,
        }
    after = {
        "correction": correction.id,
        "product": correction.product,
        "store": correction.store,
        "content": correction.content,
        "day": correction.day,
        "quantity": correction.quantity,
        "conversions": correction.conversions,
        "revenue": revenue,
        "reason": correction.reason,
        "figures": _figures(recorded.after, correction),
        "threshold": threshold,
    }
    before = _figures(recorded.before, correction)
    return new_event(EventType.USAGE_CORRECTED, context, account=correction.account, before=before, after=after)


def _figures(figures: Figures, correction: UsageCorrection) -> Facts:
    currency = None if correction.revenue is None else correction.revenue.currency
    revenue = None if figures.revenue is None else {"amount": figures.revenue, "currency": currency}
    return {**asdict(figures), "revenue": revenue}
