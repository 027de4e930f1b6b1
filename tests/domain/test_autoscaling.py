"""When usage outgrows a tier, and when it does not: shapes of usage under their business names (DESIGN 3.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from billing.accounts.rules import Account, Status
from billing.kernel.contract_calendar import Contract
from billing.kernel.money import Money
from billing.scaling.autoscaling import HISTORY_MONTHS, MONTH_DAYS, Decision, decide
from billing.scaling.tier_changes import AutoscalingSettings, decide_product
from billing.subscriptions.catalogue import Tier
from billing.subscriptions.rules import Line
from billing.usage.rules import month_before
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import examples

START = date(2024, 1, 1)
END = date(2026, 7, 1)
DAYS = [START + timedelta(number) for number in range((END - START).days)]
CHANGE = date(2025, 5, 10)
"""The day on which the usage of a shape changes."""

Shape = Callable[[date], float]
"""A shop's usage on a day, as a multiple of its usual usage."""


def black_friday(year: int) -> date:
    november = date(year, 11, 1)
    return november + timedelta(days=(3 - november.weekday()) % 7 + 22)


def week_of_black_friday(day: date) -> float:
    return 5 if abs((day - black_friday(day.year)).days) <= 4 else 1


def christmas(day: date) -> float:
    return 2 if 0 <= (day - date(day.year, 11, 20)).days < 35 else 1


def robot(day: date) -> float:
    return 50 if day == CHANGE else 1


def robots(day: date) -> float:
    return 30 if day in {CHANGE, CHANGE + timedelta(31), CHANGE + timedelta(60)} else 1


def launch(day: date) -> float:
    return 4 if (day - START).days < 45 else 1


def promotion(day: date) -> float:
    return 3 if 0 <= (day - CHANGE).days < 10 else 1


def surge(day: date) -> float:
    return 1.5 if 0 <= (day - CHANGE).days < 50 else 1


def outage(day: date) -> float:
    return 0 if 0 <= (day - CHANGE).days < 7 else 1


def falling(day: date) -> float:
    return float(0.95 ** ((day - START).days / 30.44))


def weekdays(day: date) -> float:
    return 1.4 if day.weekday() < 5 else 0


def weekends(day: date) -> float:
    return 2.8 if day.weekday() >= 5 else 0.7 / 1.75


def growth(day: date) -> float:
    return float(1.05 ** ((day - START).days / 30.44))


def step(day: date) -> float:
    return 1.6 if day >= CHANGE else 1


def leap(day: date) -> float:
    return 3.4 if day >= CHANGE else 1


def campaigns(day: date) -> float:
    return 8 if day >= CHANGE and 10 <= day.day < 13 else 1


def usage(shape: Shape, *, seed: int = 1, level: float = 1000, missing: float = 0) -> dict[date, Decimal]:
    """Daily usage of a shape with noise, at `level` units a month; a share of `missing` days is not reported."""
    chance = Random(seed)
    return {
        day: Decimal(str(round(level / float(MONTH_DAYS) * shape(day) * chance.uniform(0.85, 1.15), 1)))
        for day in DAYS
        if chance.random() >= missing
    }


def tiers(room: float, level: float = 1000) -> list[Decimal | None]:
    """Tier volumes; the usual usage fills the second one to the share `room`."""
    limit = Decimal(str(round(level / room, 2)))
    return [limit / 2, limit, limit * 2, limit * 4, None]


def months() -> list[date]:
    first = month_before(START, -1)
    return [month_before(first, -number) for number in range(30) if month_before(first, -number) <= END]


def moves(daily: dict[date, Decimal], limits: list[Decimal | None], since: date = START) -> list[tuple[date, int]]:
    """The months and targets of all moves of an account that starts in the second tier."""
    current, made = 1, []
    for month in months():
        decision = decide(history(daily, month), limits, current, month, since)
        if decision.moves:
            current = decision.target
            made.append((month, current))
    return made


def history(daily: dict[date, Decimal], month: date) -> dict[date, Decimal]:
    return {day: quantity for day, quantity in daily.items() if month_before(month, HISTORY_MONTHS) <= day < month}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("room", [0.7, 0.9])
@pytest.mark.parametrize(
    "shape",
    [
        week_of_black_friday,
        christmas,
        robot,
        robots,
        launch,
        promotion,
        surge,
        outage,
        falling,
        weekdays,
        weekends,
        lambda _: 1,
    ],
    ids=lambda shape: shape.__name__,
)
def test_temporary_usage_causes_no_move(shape: Shape, room: float, seed: int) -> None:
    assert moves(usage(shape, seed=seed), tiers(room)) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_days_without_reports_cause_no_move(seed: int) -> None:
    assert moves(usage(lambda _: 1, seed=seed, missing=0.1), tiers(0.9)) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("room", [0.75, 0.9])
def test_a_lasting_step_causes_a_move_after_three_months(room: float, seed: int) -> None:
    [(month, target)] = moves(usage(step, seed=seed), tiers(room))

    assert target == 2
    assert date(2025, 8, 1) <= month <= date(2025, 9, 1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_large_step_causes_a_move_by_several_tiers_at_once(seed: int) -> None:
    [(month, target)] = moves(usage(leap, seed=seed), tiers(0.8))

    assert target == 3
    assert month == date(2025, 8, 1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_steady_growth_causes_a_move_soon_after_it_passes_the_limit(seed: int) -> None:
    [(first, target), *_] = moves(usage(growth, seed=seed), tiers(0.75))

    assert target == 2
    passed = 6  # months of 5 % to grow by a third
    assert month_before(START, -passed) <= first <= month_before(START, -passed - 4)


def test_growth_causes_a_move_in_spite_of_a_christmas_season() -> None:
    both = usage(lambda day: growth(day) ** 0.6 * christmas(day))

    assert [target for _, target in moves(both, tiers(0.75))][:1] == [2]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_monthly_campaigns_count_as_usage_after_half_a_year(seed: int) -> None:
    [(month, target)] = moves(usage(campaigns, seed=seed), tiers(0.8))

    assert target == 2
    assert date(2025, 11, 1) <= month <= date(2025, 12, 1)


# ---- Reasons --------------------------------------------------------------------------------------------

MONTH = date(2026, 7, 1)
LIMITS: list[Decimal | None] = [Decimal(1000), Decimal(2000), Decimal(8000)]
DAILY_PACE = Decimal(40)  # 1,217.5 a month


def flat(quantity: Decimal = DAILY_PACE, *, since: date = date(2026, 1, 1)) -> dict[date, Decimal]:
    return {day: quantity for day in DAYS if since <= day}


def decided(daily: dict[date, Decimal], current: int = 0, **more: frozenset[date]) -> Decision:
    return decide(daily, LIMITS, current, MONTH, min(daily, default=date(2026, 1, 1)), **more)


def changed(daily: dict[date, Decimal], first: date, until: date, quantity: Decimal) -> dict[date, Decimal]:
    return {day: quantity if first <= day < until else each for day, each in daily.items()}


LOW = Decimal(25)  # 760.94 a month
WINTER = flat(Decimal(50), since=date(2026, 3, 1))


@pytest.mark.parametrize(
    ("reason", "daily"),
    [
        ("moved", flat()),
        ("fits", flat(LOW)),
        ("peak", changed(flat(LOW), date(2026, 6, 3), date(2026, 6, 7), Decimal(500))),
        ("near", changed(flat(), date(2026, 4, 1), date(2026, 5, 1), LOW)),
        ("receding", changed(changed(WINTER, date(2026, 6, 1), END, Decimal(60)), date(2026, 6, 18), END, LOW)),
        ("too_few_months", flat(since=date(2026, 5, 1))),
    ],
)
def test_a_decision_has_the_reason_that_is_true(reason: str, daily: dict[date, Decimal]) -> None:
    decision = decided(daily)

    assert decision.reason == reason
    assert decision.moves is (reason == "moved")
    assert decision.target == (1 if reason == "moved" else 0)


def test_a_fall_at_this_time_of_last_year_prevents_a_move() -> None:
    """Three busy months that were busy last year too, with quiet months after them."""
    summer = {
        day: DAILY_PACE if day.month in (4, 5, 6) else Decimal(20) for day in DAYS if day >= month_before(MONTH, 15)
    }

    decision = decided(summer)

    assert decision.reason == "season"
    assert decision.season is not None
    assert decision.season.share == Decimal("0.5")


def test_a_rise_at_this_time_of_last_year_allows_an_early_move() -> None:
    rising = {day: LOW for day in DAYS if day >= month_before(MONTH, 15)}
    rising = changed(rising, date(2025, 7, 1), date(2025, 10, 1), Decimal(35))
    rising = changed(rising, date(2026, 4, 1), date(2026, 5, 1), Decimal(30))
    rising = changed(rising, date(2026, 5, 1), END, Decimal(45))

    assert decided(rising).reason == "moved_early"


def test_the_months_before_a_product_was_added_are_no_quiet_season() -> None:
    """Added a year ago: its first months are no rise at this time of last year, which would allow an early move."""
    added_on = date(2025, 6, 10)
    daily = changed(flat(LOW, since=added_on), date(2026, 4, 1), date(2026, 5, 1), Decimal(30))
    daily = changed(daily, date(2026, 5, 1), END, Decimal(45))
    contract = Contract(date(2024, 1, 1), 3, "EUR", "Europe/Copenhagen")
    account = Account("nordlys", "Nordlys", Status.ACTIVE, contract, (), {}, "")
    line = Line("search", "Search", "searches", 1000, Money(1000, "EUR"), added_on=added_on, valid_from=MONTH)
    sizes = tuple(Tier(int(each), {"EUR": int(each)}) for each in LIMITS if each)
    now = datetime(2026, 7, 1, 12, tzinfo=UTC)

    given = decide_product(account, line, daily, sizes, MONTH, AutoscalingSettings(), now).decision
    signed = replace(line, added_on=None)
    older = decide_product(account, signed, daily, sizes, MONTH, AutoscalingSettings(), now).decision

    assert (older.reason, given.reason) == ("moved_early", "near")


def test_a_product_in_the_highest_tier_stays() -> None:
    decision = decided(flat(Decimal(900)), current=2)

    assert (decision.reason, decision.target) == ("top_tier", 2)
    assert decision.steady is not None
    assert decision.steady > Decimal(8000)


def test_the_open_ended_tier_holds_any_usage() -> None:
    assert decide(flat(Decimal(9000)), [Decimal(1000), None], 1, MONTH, date(2026, 1, 1)).reason == "top_tier"


def test_a_decision_holds_the_values_that_led_to_it() -> None:
    daily = changed(flat(), date(2026, 6, 10), date(2026, 6, 11), Decimal(400))

    decision = decided(daily)

    assert [month.month for month in decision.months] == [date(2026, 4, 1), date(2026, 5, 1), date(2026, 6, 1)]
    assert [month.usage for month in decision.months] == [1200, 1240, 1560]
    assert decision.months[0].typical == Decimal("1217.5")
    [left_out] = decision.left_out
    assert left_out.day == date(2026, 6, 10)
    assert [left_out.usage, left_out.counted] == [400, 120]
    assert left_out.reason == "peak"
    assert len(decision.weeks) == 13
    assert decision.weeks[-1].first_day == date(2026, 6, 24)
    assert decision.weeks[0].pace == Decimal("1217.5")
    assert (decision.months_above, decision.weeks_above) == (3, 13)
    assert decision.limit == 1000
    assert decision.season is None


def test_a_known_peak_counts_as_a_usual_day() -> None:
    marked = date(2026, 6, 10)
    daily = changed(flat(), marked, marked + timedelta(1), Decimal(100))  # less than three times the usual day

    assert decided(daily).left_out == ()
    [left_out] = decided(daily, known_peaks=frozenset({marked})).left_out
    assert (left_out.reason, left_out.counted) == ("known_peak", DAILY_PACE)


def test_an_account_without_closed_months_has_too_few() -> None:
    decision = decide({}, LIMITS, 0, MONTH, MONTH)

    assert (decision.reason, decision.months, decision.steady) == ("too_few_months", (), None)


def test_the_first_closed_month_is_the_first_whole_month_of_the_contract() -> None:
    assert len(decide(flat(since=date(2026, 4, 15)), LIMITS, 0, MONTH, date(2026, 4, 15)).months) == 2


# ---- Properties of any usage ------------------------------------------------------------------

RECENT = [day for day in DAYS if day >= month_before(MONTH, 3)]
ANY_USAGE = st.builds(
    lambda seed, shape, room, missing: (usage(shape, seed=seed, missing=missing), tiers(room)),
    seed=st.integers(0, 10_000),
    shape=st.sampled_from([growth, step, christmas, campaigns, weekends, robots, falling, lambda _: 1]),
    room=st.floats(0.5, 1.6),
    missing=st.sampled_from([0, 0.1, 0.5]),
)


@examples(60, deep=2_000)
@given(ANY_USAGE, st.sampled_from(RECENT), st.integers(1, 5000))
def test_more_usage_never_leads_to_a_lower_tier(
    account: tuple[dict[date, Decimal], list[Decimal | None]], day: date, more: int
) -> None:
    daily, limits = account
    increased = {**daily, day: daily.get(day, Decimal(0)) + more}

    before, after = (decide(history(each, MONTH), limits, 1, MONTH, START) for each in (daily, increased))

    assert 1 <= before.target <= after.target


@examples(40, deep=2_000)
@given(ANY_USAGE, st.sampled_from([Decimal("0.01"), Decimal(4), Decimal(1000)]))
def test_the_unit_of_usage_does_not_matter(
    account: tuple[dict[date, Decimal], list[Decimal | None]], factor: Decimal
) -> None:
    daily, limits = account
    scaled = {day: quantity * factor for day, quantity in daily.items()}
    larger = [None if limit is None else limit * factor for limit in limits]

    one = decide(history(daily, MONTH), limits, 1, MONTH, START)
    other = decide(history(scaled, MONTH), larger, 1, MONTH, START)

    assert (one.target, one.reason) == (other.target, other.reason)


@examples(30, deep=2_000)
@given(ANY_USAGE, st.randoms(use_true_random=False))
def test_the_order_of_days_and_usage_outside_the_history_do_not_matter(
    account: tuple[dict[date, Decimal], list[Decimal | None]], chance: Random
) -> None:
    daily, limits = account
    items = list({**daily, END: Decimal(10**6), END + timedelta(40): Decimal(10**6)}.items())
    chance.shuffle(items)

    assert decide(dict(items), limits, 1, MONTH, START) == decide(history(daily, MONTH), limits, 1, MONTH, START)
