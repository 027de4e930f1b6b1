"""Another version of the catalogue: the renewal that leaves the notice, and the price of each day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from billing.kernel.contract_calendar import INTERVALS_MONTHS, Contract, Term, terminated
from billing.kernel.money import Money
from billing.subscriptions.catalogue import Catalogue, Product, Tier
from billing.subscriptions.rules import Cause, Line, Subscription, TierChange
from billing.subscriptions.subscriber import FixedMonths, Subscriber
from billing.subscriptions.version_changes import (
    VersionOrder,
    repriced,
    with_version,
    with_version_announced,
    with_version_put_off,
    with_version_withdrawn,
)
from billing.subscriptions.versions import ProductTiers, VersionChange, VersionTier, first_renewal_with_notice
from hypothesis import given
from hypothesis import strategies as st

from tests.store.samples import ACCOUNT

START = date(2026, 1, 31)


def contract(months: int = 3, start: date = START, zone: str = "Europe/Copenhagen") -> Contract:
    return Contract(start, months, "EUR", zone)


# (interval, days of notice, day of the mail, renewal, last day to avoid it)
CALENDAR = [
    (1, 30, "2026-06-10", "2026-08-31", "2026-07-30"),
    (1, 30, "2026-06-30", "2026-08-31", "2026-07-30"),
    (1, 30, "2026-07-01", "2026-09-30", "2026-08-30"),  # 29 days before the 30th of July are too few
    (1, 60, "2026-06-10", "2026-09-30", "2026-08-30"),
    (1, 90, "2026-06-10", "2026-10-31", "2026-09-29"),
    (1, 0, "2026-07-30", "2026-08-31", "2026-07-30"),  # the very day
    (1, 0, "2026-07-31", "2026-09-30", "2026-08-30"),
    (3, 30, "2026-05-30", "2026-07-31", "2026-06-29"),
    (3, 30, "2026-05-31", "2026-10-31", "2026-09-29"),
    (3, 90, "2026-05-30", "2026-10-31", "2026-09-29"),
    (12, 30, "2026-11-29", "2027-01-31", "2026-12-30"),
    (12, 30, "2026-12-01", "2028-01-31", "2027-12-30"),
    (12, 90, "2026-10-01", "2027-01-31", "2026-12-30"),
    (12, 90, "2026-10-02", "2028-01-31", "2027-12-30"),
    (1, 30, "2026-12-29", "2027-02-28", "2027-01-30"),  # the 31st, in a short month
    (6, 30, "2025-06-01", "2026-07-31", "2026-06-29"),  # before the contract starts: its start is no renewal
]


@pytest.mark.parametrize(("months", "notice", "mailed", "renewal", "last_day"), CALENDAR)
def test_the_first_renewal_that_leaves_the_notice(
    months: int, notice: int, mailed: str, renewal: str, last_day: str
) -> None:
    today = date.fromisoformat(mailed)
    found = first_renewal_with_notice(contract(months), today + timedelta(days=1), today, notice)

    assert [str(each) for each in found] == [renewal, last_day]


@given(
    start=st.dates(date(2020, 1, 1), date(2030, 12, 31)),
    months=st.sampled_from(INTERVALS_MONTHS),
    after=st.integers(0, 900),
    notice=st.integers(0, 120),
)
def test_a_cancellation_on_the_last_day_avoids_it_and_one_later_does_not(
    start: date, months: int, after: int, notice: int
) -> None:
    known, today = contract(months, start), start + timedelta(days=after)
    renewal, last_day = first_renewal_with_notice(known, today + timedelta(days=1), today, notice)

    assert last_day - today >= timedelta(days=notice)
    assert terminated(known, last_day).active_until <= renewal
    assert terminated(known, last_day + timedelta(days=1)).active_until > renewal
    # No earlier renewal had left the notice.
    before = known.month_start(known.paid_period(known.month_of(renewal) - 1)[0])
    if before > max(today, start):
        assert known.last_day_to_avoid(before) - today < timedelta(days=notice)


def test_a_longer_term_moves_the_renewals() -> None:
    longer = contract(1).with_term(Term(6, 12, "EUR", datetime(2026, 6, 1, tzinfo=UTC)))

    assert first_renewal_with_notice(longer, date(2026, 6, 11), date(2026, 6, 10), 30)[0] == date(2027, 7, 31)


def test_the_account_s_own_day_counts() -> None:
    """An hour before midnight UTC the next day has begun in Copenhagen, with one day of notice too few."""
    now, renewals = datetime(2026, 6, 30, 23, tzinfo=UTC), []
    for zone in ("America/Lima", "Europe/Copenhagen"):
        known = contract(1, zone=zone)
        today = known.today(now)
        renewals.append(first_renewal_with_notice(known, today + timedelta(days=1), today, 30)[0])

    assert renewals == [date(2026, 8, 31), date(2026, 9, 30)]


# ---- The price of a day ----


def euros(amount: int) -> Money:
    return Money(amount, "EUR")


def catalogue(version: int, *tiers: tuple[int | None, int | None]) -> Catalogue:
    prices = (Tier(up_to, None if price is None else {"EUR": price}) for up_to, price in tiers)
    return Catalogue(version, (Product("search", "Search", "searches", tuple(prices)),))


FIRST = catalogue(1, (1000, 100), (5000, 300), (None, None))
OTHER = catalogue(2, (1200, 150), (4000, 250), (8000, 500), (None, None))
TODAY, DAY = date(2026, 6, 10), date(2026, 10, 31)
LINE = Line("search", "Search", "searches", 1000, euros(100))
SUBSCRIBER_ACCOUNT = replace(ACCOUNT, contract=contract())


def subscriber(*changes: TierChange, versions: tuple[VersionChange, ...] = ()) -> Subscriber:
    subscription = Subscription(1, (LINE,), (), changes, 1, versions=versions)
    return Subscriber(SUBSCRIBER_ACCOUNT, subscription, FixedMonths(3, 1))


def wish(up_to: int | None, price: int, on: date, *, agreed: bool = False, decided: date = TODAY) -> TierChange:
    return TierChange("search", up_to, euros(price), on, Cause.WISH, f"wish {on}", decided, agreed)


def order(wanted: Catalogue = OTHER) -> VersionOrder:
    return VersionOrder(wanted, "the-move", 30, is_announced=True)


def on(subscription: Subscription, day: date) -> tuple[int | None, int]:
    [line] = subscription.lines_on(day)
    return line.up_to, line.price.amount


def test_each_day_has_the_version_that_holds_on_it() -> None:
    moved = with_version(subscriber(), order(), FIRST, TODAY).subscription

    assert [on(moved, day) for day in (DAY - timedelta(days=1), DAY)] == [(1000, 100), (1200, 150)]
    assert [moved.version_on(day) for day in (DAY - timedelta(days=1), DAY)] == [1, 2]


def test_a_move_that_is_not_announced_holds_never() -> None:
    moved = with_version(subscriber(), replace(order(), is_announced=False), FIRST, TODAY)

    assert on(moved.subscription, DAY) == (1000, 100)
    assert moved.subscription.version_on(DAY) == 1
    assert moved.shown is not None
    assert on(moved.shown, DAY) == (1200, 150), "what a preview shows"
    told = with_version_announced(moved.subscription, "the-move", TODAY)
    assert on(told, DAY) == (1200, 150)


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        (wish(5000, 300, date(2026, 6, 30)), (5000, 300), (8000, 500)),
        (wish(5000, 222, date(2026, 6, 30), agreed=True), (5000, 222), (5000, 222)),
        (wish(None, 900, date(2026, 6, 30), agreed=True), (None, 900), (None, 900)),
        (wish(4000, 250, DAY), (1000, 100), (4000, 250)),  # chosen in the version of its day
        (wish(5000, 300, DAY), (1000, 100), (8000, 500)),  # chosen before the move was
    ],
)
def test_a_tier_that_is_decided_meanwhile(
    change: TierChange, before: tuple[int | None, int], after: tuple[int | None, int]
) -> None:
    versions = with_version(subscriber(), order(), FIRST, TODAY).subscription.versions
    decided = subscriber(change, versions=versions).subscription

    assert [on(decided, DAY - timedelta(days=1)), on(decided, DAY)] == [before, after]


def test_two_versions_follow_each_other_whenever_the_first_is_settled() -> None:
    third = catalogue(3, (1000, 90), (1500, 180))
    moved = with_version(subscriber(), order(), FIRST, TODAY).subscription
    again = with_version(
        replace(subscriber(), subscription=moved), replace(order(third), decision="next"), OTHER, DAY
    ).subscription
    day = again.versions[-1].effective_on

    assert [each.version for each in again.versions] == [2, 3]
    # 1000 has become 1200, so that 1000 of the third version would hold less than what the customer has.
    assert on(again, day) == (1500, 180)
    settled = again.changed((), day, DAY)
    assert (settled.catalogue_version, [each.version for each in settled.versions]) == (2, [3])
    assert on(settled, day) == (1500, 180)


def test_a_withdrawn_version_never_was() -> None:
    versions = with_version(subscriber(), order(), FIRST, TODAY).subscription.versions
    for change, after in (
        (wish(4000, 250, DAY), (1000, 100)),  # a tier that only the version has
        (wish(5000, 999, DAY), (5000, 300)),  # one that both have, at the price of the version that stays
        (wish(5000, 999, DAY, agreed=True), (5000, 999)),
    ):
        withdrawn = with_version_withdrawn(subscriber(change, versions=versions), FIRST, TODAY).subscription
        assert withdrawn.versions == ()
        assert on(withdrawn, DAY) == after


def test_a_mail_that_is_late_moves_the_day_by_whole_periods() -> None:
    moved = with_version(subscriber(), replace(order(), is_announced=False), FIRST, TODAY).subscription
    later = with_version_put_off(replace(subscriber(), subscription=moved), "later", date(2026, 9, 1), 30)

    [version] = later.subscription.versions
    assert (version.effective_on, version.decision, version.announced_on) == (date(2027, 1, 31), "later", None)
    assert repriced(later.subscription, version)[0].after.price == euros(150)


def test_an_open_ended_tier_takes_the_place_of_what_no_other_holds() -> None:
    tiers = ProductTiers("search", (VersionTier(1000, euros(1)), VersionTier(None, euros(9))))

    assert [tiers.holding(each) for each in (1000, 1001, None)] == [
        VersionTier(1000, euros(1)),
        VersionTier(None, euros(9)),
        VersionTier(None, euros(9)),
    ]
    assert ProductTiers("search", (VersionTier(1000, euros(1)), VersionTier(None, None))).holding(1001) is None
