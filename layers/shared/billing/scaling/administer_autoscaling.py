"""What staff set for an account's autoscaling, and what it would decide if figures were others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date, datetime
from decimal import Decimal

from billing.accounts.rules import Account
from billing.kernel.errors import RuleViolation, StaleVersion, VersionRequired, Violation
from billing.kernel.events import EventType, RequestContext
from billing.platform.events.new_event import new_event
from billing.scaling.autoscaling import HISTORY_MONTHS
from billing.scaling.records import AutoscalingState, AutoscalingStore
from billing.scaling.tier_changes import (
    KNOWN_PEAKS_MAX,
    AutoscalingSettings,
    ProductDecision,
    decide_product,
    ladder,
    line_after_pending_change,
)
from billing.subscriptions.rules import Line
from billing.usage.records import UsageStore
from billing.usage.rules import Daily, month_before, month_of

CONTENTS_MAX = 5000
"""Contents and months that are looked at for one simulation: some megabytes."""

_ZERO = Decimal(0)


def replace_settings(
    state: AutoscalingState,
    settings: AutoscalingSettings,
    replaces: int | None,
    *,
    context: RequestContext,
    store: AutoscalingStore,
) -> AutoscalingSettings:
    """What staff have set after it. `replaces` is the version that the caller has seen: 0 for none yet.

    What already stands is not written again. Raises RuleViolation, VersionRequired, StaleVersion.
    """
    current = state.settings
    account = state.subscriber.account
    _check(state, settings, account.contract.today(context.time))
    if replace(settings, version=current.version) == current:
        return current
    if replaces is None:
        raise VersionRequired("Name the version that this replaces: If-Match with its ETag.")
    if replaces != current.version:
        raise StaleVersion
    event = new_event(
        EventType.AUTOSCALING_CHANGED,
        context,
        account=account.id,
        before=_facts(current),
        after=_facts(settings),
    )
    store.replace_settings(account.id, settings, current.version, event)
    return replace(settings, version=current.version + 1)


def _check(state: AutoscalingState, settings: AutoscalingSettings, today: date) -> None:
    products = {line.product for line in state.subscriber.subscription.lines}
    violations = [
        Violation(("known_peaks", position, "product"), f"The account does not subscribe to {each.product}.")
        for position, each in enumerate(settings.known_peaks)
        if each.product is not None and each.product not in products
    ]
    pause = settings.pause
    if pause is not None and pause != state.settings.pause and pause.until <= today:
        violations.append(Violation(("pause", "until"), "A pause ends in the future."))
    if len(settings.known_peaks) > KNOWN_PEAKS_MAX:
        violations.append(Violation(("known_peaks",), f"At most {KNOWN_PEAKS_MAX} days can be marked."))
    if violations:
        raise RuleViolation(*violations)


def _facts(settings: AutoscalingSettings) -> dict[str, object]:
    return {
        "pause": settings.pause and asdict(settings.pause),
        "known_peaks": [asdict(each) for each in settings.known_peaks],
    }


def simulate(
    state: AutoscalingState,
    product: str,
    month: date | None,
    given: Mapping[date, Decimal] | None,
    without: frozenset[tuple[str, str | None]],
    *,
    now: datetime,
    store: AutoscalingStore,
    usage: UsageStore,
) -> ProductDecision:
    """What would be decided of a product for a month, by the very rule that decides. Nothing is written.

    By the figures `given`, or by the account's own, less the content (store and name) that it would be `without`.
    `month` is the running one unless it is named. Raises RuleViolation for a product or content that the account does
    not have, and for a month of which the account's own usage is not complete yet.
    """
    account, subscription = state.subscriber.account, state.subscriber.subscription
    today = account.contract.today(now)
    line = _line(state, product, today)
    running = month_of(today)
    month = running if month is None else month
    if given is None and month > running:
        raise RuleViolation(Violation(("month",), f"Usage is complete for decisions up to {running:%Y-%m}."))
    daily = _own(account, line, month, without, store, usage) if given is None else given
    catalogue = store.catalogue(subscription.catalogue_version)
    return decide_product(account, line, daily, ladder(catalogue, line), month, state.settings, now)


def _line(state: AutoscalingState, product: str, today: date) -> Line:
    subscription = state.subscriber.subscription
    for line in subscription.lines:
        if line.product == product:
            return line_after_pending_change(subscription, line, today)
    raise RuleViolation(Violation(("product",), f"The account does not subscribe to {product}."))


def _own(
    account: Account,
    line: Line,
    month: date,
    without: frozenset[tuple[str, str | None]],
    store: AutoscalingStore,
    usage: UsageStore,
) -> Daily:
    """One query, and another one per megabyte of contents if some are left out."""
    first, last = month_before(month, HISTORY_MONTHS), month_before(month)
    daily = dict(store.totals(account.id, first, last).get(line.product, {}))
    if not without:
        return daily
    contents = usage.contents(account.id, line.product, first, last, limit=CONTENTS_MAX + 1)
    if len(contents) > CONTENTS_MAX:
        raise RuleViolation(
            Violation(("without",), f"There are more than {CONTENTS_MAX:,} contents and months: give daily figures.")
        )
    known = {(each.store, each.content) for each in contents}
    unknown = [each for each in without if each not in known]
    if unknown:
        raise RuleViolation(
            *(Violation(("without",), f"{shop} has no such content: {content}.") for shop, content in unknown)
        )
    for each in contents:
        if (each.store, each.content) in without:
            for day, quantity in each.daily.items():
                # Totals and contents lag behind a moment, each by its own: nothing becomes less than nothing.
                daily[day] = max(_ZERO, daily.get(day, _ZERO) - quantity)
    return daily
