"""Staff replace an account's autoscaling settings; simulations show its decision for other figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date, datetime
from decimal import Decimal

from billing.accounts.rules import Account
from billing.kernel.errors import RuleViolation, StaleVersion, VersionRequired, Violation
from billing.kernel.events import EventType, RequestContext
from billing.kernel.field_codes import FieldCode
from billing.kernel.versions import Versions, includes
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
    next_contract_month,
    versions_after,
)
from billing.subscriptions.rules import Line
from billing.usage.records import UsageStore
from billing.usage.rules import Daily, month_before, month_of

CONTENTS_MAX = 5000
"""Contents and months that one simulation reads at most: some megabytes."""

_ZERO = Decimal(0)


def replace_settings(
    state: AutoscalingState,
    settings: AutoscalingSettings,
    replaces: Versions | None,
    *,
    context: RequestContext,
    store: AutoscalingStore,
) -> AutoscalingSettings:
    """Replaces an account's settings; returns them with their new version.

    `replaces` is the version that the caller has seen, 0 for none yet. Equal settings are not written again. One
    transaction. Raises RuleViolation, VersionRequired, StaleVersion, and ConcurrentChange after a collision.
    """
    current = state.settings
    account = state.subscriber.account
    _check(state, settings, account.contract.today(context.time))
    if replace(settings, version=current.version) == current:
        return current
    if replaces is None:
        raise VersionRequired("Name the version that this replaces: If-Match with its ETag.")
    if not includes(replaces, current.version):
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
        Violation(
            ("known_peaks", position, "product"),
            f"The account does not subscribe to {each.product}.",
            FieldCode.UNKNOWN,
        )
        for position, each in enumerate(settings.known_peaks)
        if each.product is not None and each.product not in products
    ]
    pause = settings.pause
    if pause is not None and pause != state.settings.pause and pause.until <= today:
        violations.append(
            Violation(("pause", "until"), "A pause ends in the future.", FieldCode.TOO_EARLY, {"above": today})
        )
    if len(settings.known_peaks) > KNOWN_PEAKS_MAX:
        violations.append(
            Violation(
                ("known_peaks",),
                f"At most {KNOWN_PEAKS_MAX} days can be marked.",
                FieldCode.TOO_MANY,
                {"max": KNOWN_PEAKS_MAX},
            )
        )
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
    """The decision about a product for a month, made by the same rule as a real one. Nothing is written.

    It uses the daily figures `given`, or the account's own usage without the contents `without` (store and name).
    `month` is the running one if it is None. One read of the catalogue, one query of usage, and one more query per
    megabyte of contents if some are left out. Raises RuleViolation for a product or content that the account does not
    have, for more contents than CONTENTS_MAX, and for a month before which the account's own usage is not complete yet.
    """
    account, subscription = state.subscriber.account, state.subscriber.subscription
    today = account.contract.today(now)
    fixed_until = state.subscriber.fixed.until
    effective_on = next_contract_month(account.contract, today, fixed_until)
    line = _line(state, product, today, effective_on)
    running = month_of(today)
    month = running if month is None else month
    if given is None and month > running:
        raise RuleViolation(
            Violation(
                ("month",),
                f"Usage is complete for decisions up to {running:%Y-%m}.",
                FieldCode.TOO_LATE,
                {"max": f"{running:%Y-%m}"},
            )
        )
    daily = _own_usage(account, line, month, without, store, usage) if given is None else given
    catalogue = store.catalogue(subscription.version_on(effective_on))
    tiers = ladder(catalogue, line, versions_after(subscription, effective_on))
    return decide_product(account, line, daily, tiers, month, state.settings, now, fixed_until)


def _line(state: AutoscalingState, product: str, today: date, effective_on: date) -> Line:
    subscription = state.subscriber.subscription
    for line in subscription.lines:
        if line.product == product:
            return line_after_pending_change(subscription, line, today, effective_on)
    raise RuleViolation(Violation(("product",), f"The account does not subscribe to {product}.", FieldCode.UNKNOWN))


def _own_usage(
    account: Account,
    line: Line,
    month: date,
    without: frozenset[tuple[str, str | None]],
    store: AutoscalingStore,
    usage: UsageStore,
) -> Daily:
    """The account's usage by day, without some contents. One query, and one per megabyte of contents if any."""
    first, last = month_before(month, HISTORY_MONTHS), month_before(month)
    daily = dict(store.totals(account.id, first, last).get(line.product, {}))
    if not without:
        return daily
    contents = usage.contents(account.id, line.product, first, last, limit=CONTENTS_MAX + 1)
    if len(contents) > CONTENTS_MAX:
        raise RuleViolation(
            Violation(
                ("without",),
                f"There are more than {CONTENTS_MAX:,} contents and months: give daily figures.",
                FieldCode.TOO_MANY,
                {"max": CONTENTS_MAX},
            )
        )
    reported = {(each.store, each.content) for each in contents}
    unknown = [each for each in without if each not in reported]
    if unknown:
        raise RuleViolation(
            *(
                Violation(("without",), f"{shop} has no such content: {content}.", FieldCode.UNKNOWN)
                for shop, content in unknown
            )
        )
    for each in contents:
        if (each.store, each.content) in without:
            for day, quantity in each.daily.items():
                # Both queries are eventually consistent, so a total may lag behind its contents: never below zero.
                daily[day] = max(_ZERO, daily.get(day, _ZERO) - quantity)
    return daily
