"""Slots lie in the working hours of the success manager, in their local time, and never overlap."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from billing.scaling.reviews.success_managers import CELL, WEEKDAYS, Absence, Hours, Slot, SuccessManager, free
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import examples

COPENHAGEN = "Europe/Copenhagen"
NINE_TO_TWELVE = (Hours(time(9), time(12)),)


def manager(
    hours: Mapping[str, tuple[Hours, ...]],
    *,
    time_zone: str = COPENHAGEN,
    review_minutes: int = 30,
    absences: tuple[Absence, ...] = (),
) -> SuccessManager:
    return SuccessManager(
        id="sofie",
        name="Sofie Lindgren",
        email="sofie.staff@livello.example",
        time_zone=time_zone,
        working_hours={weekday: hours.get(weekday, ()) for weekday in WEEKDAYS},
        review_minutes=review_minutes,
        place=None,
        absences=absences,
    )


def of_day(one: SuccessManager, day: date) -> list[str]:
    """The beginning and end of each slot of a day, in the manager's local time."""
    zone = ZoneInfo(one.time_zone)
    first, last = (datetime.combine(each, time(), zone) for each in (day, day + timedelta(days=1)))
    return [
        f"{slot.begins.astimezone(zone):%H:%M%z}-{slot.ends.astimezone(zone):%H:%M%z}"
        for slot in one.slots(first.astimezone(UTC), last.astimezone(UTC))
    ]


def test_working_hours_are_divided_into_slots() -> None:
    monday = manager({"monday": (*NINE_TO_TWELVE, Hours(time(13), time(13, 45)))}, review_minutes=45)

    assert of_day(monday, date(2026, 6, 15)) == [
        "09:00+0200-09:45+0200",
        "09:45+0200-10:30+0200",
        "10:30+0200-11:15+0200",
        "11:15+0200-12:00+0200",
        "13:00+0200-13:45+0200",
    ]
    assert of_day(monday, date(2026, 6, 16)) == []


def test_hours_shorter_than_a_review_have_no_slot() -> None:
    assert of_day(manager({"monday": (Hours(time(9), time(9, 45)),)}), date(2026, 6, 15)) == ["09:00+0200-09:30+0200"]
    assert of_day(manager({"monday": (Hours(time(9), time(9, 15)),)}), date(2026, 6, 15)) == []


def test_an_absence_ends_with_the_first_day_back() -> None:
    away = Absence(date(2026, 6, 15), date(2026, 6, 16))
    works = {"monday": NINE_TO_TWELVE, "tuesday": NINE_TO_TWELVE}

    assert of_day(manager(works, absences=(away,)), date(2026, 6, 15)) == []
    assert len(of_day(manager(works, absences=(away,)), date(2026, 6, 16))) == 6


def test_slots_have_the_same_local_time_in_summer_and_winter() -> None:
    friday = manager({"friday": (Hours(time(9), time(9, 30)),)})

    assert of_day(friday, date(2026, 10, 23)) == ["09:00+0200-09:30+0200"]
    assert of_day(friday, date(2026, 10, 30)) == ["09:00+0100-09:30+0100"]


NIGHT = manager({"sunday": (Hours(time(1, 30), time(3, 30)),)}, review_minutes=60)


def test_hours_that_do_not_exist_have_no_slots() -> None:
    """On 29 March 2026 clocks go from 2:00 to 3:00, so these two hours last one."""
    assert of_day(NIGHT, date(2026, 3, 29)) == ["01:30+0100-03:30+0200"]
    gap = manager({"sunday": (Hours(time(2), time(3)),)}, review_minutes=15)
    assert of_day(gap, date(2026, 3, 29)) == []


def test_hours_that_exist_twice_have_slots_twice() -> None:
    """On 25 October 2026 clocks go back from 3:00 to 2:00, so these two hours last three."""
    assert of_day(NIGHT, date(2026, 10, 25)) == [
        "01:30+0200-02:30+0200",
        "02:30+0200-02:30+0100",
        "02:30+0100-03:30+0100",
    ]


def test_clocks_may_change_by_half_an_hour() -> None:
    lord_howe = manager({"sunday": (Hours(time(1), time(3)),)}, time_zone="Australia/Lord_Howe")

    assert len(of_day(lord_howe, date(2026, 10, 4))) == 3
    assert len(of_day(lord_howe, date(2026, 4, 5))) == 5


def test_a_range_contains_the_slots_that_begin_in_it() -> None:
    monday = manager({"monday": NINE_TO_TWELVE}, review_minutes=60)
    ten = datetime(2026, 6, 15, 8, tzinfo=UTC)

    assert [*monday.slots(ten, ten + CELL)] == [Slot(ten, ten + timedelta(hours=1))]
    assert [*monday.slots(ten + timedelta(minutes=1), ten + timedelta(minutes=59))] == []
    assert [*monday.slots(ten, ten)] == []


def test_the_slots_of_a_day_of_25_hours_do_not_depend_on_the_range() -> None:
    all_day = manager({"sunday": (Hours(time(0), time(23, 45)),)}, review_minutes=120)
    morning, night = (datetime(2026, 10, day, hour, tzinfo=UTC) for day, hour in ((24, 22), (25, 20)))

    assert [*all_day.slots(night, night + timedelta(hours=4))] == [
        slot for slot in all_day.slots(morning, night + timedelta(hours=4)) if slot.begins >= night
    ]


def test_a_slot_is_free_if_all_its_cells_are() -> None:
    ten = datetime(2026, 6, 15, 8, tzinfo=UTC)
    slots = [
        Slot(ten + timedelta(minutes=30 * number), ten + timedelta(minutes=30 * (number + 1))) for number in (0, 1)
    ]

    assert slots[0].cells == (ten, ten + CELL)
    assert free(slots, frozenset()) == tuple(slots)
    assert free(slots, frozenset({ten + CELL})) == (slots[1],)
    assert free(slots, frozenset({ten + CELL, ten + 2 * CELL})) == ()


quarters = st.integers(0, 95).map(lambda quarter: time(quarter // 4, quarter % 4 * 15))
some_hours = st.lists(quarters, min_size=0, max_size=6, unique=True).map(
    lambda times: tuple(
        Hours(since, until) for since, until in zip(sorted(times)[::2], sorted(times)[1::2], strict=False)
    )
)
managers = st.builds(
    lambda hours, zone, quarters: manager(hours, time_zone=zone, review_minutes=15 * quarters),
    st.fixed_dictionaries(dict.fromkeys(WEEKDAYS, some_hours)),
    st.sampled_from([COPENHAGEN, "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Cairo", "UTC"]),
    st.integers(1, 8),
)
instants = st.integers(0, 2 * 365 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@pytest.mark.parametrize("days", [3])
@examples(100, deep=5_000)
@given(managers, instants)
def test_slots_lie_in_working_hours_and_never_overlap(days: int, one: SuccessManager, first: datetime) -> None:
    slots = [*one.slots(first, first + timedelta(days=days))]

    cells = [cell for slot in slots for cell in slot.cells]
    assert len({*cells}) == len(cells)
    assert all(first <= slot.begins < first + timedelta(days=days) for slot in slots)
    for slot in slots:
        assert slot.ends - slot.begins == timedelta(minutes=one.review_minutes)
    for cell in cells:
        assert cell.minute % 15 == cell.second == cell.microsecond == 0
        local = cell.astimezone(ZoneInfo(one.time_zone))
        assert any(each.since <= local.time() < each.until for each in one.working_hours[WEEKDAYS[local.weekday()]])


@examples(100, deep=5_000)
@given(managers, instants, st.integers(1, 3 * 24 * 60))
def test_the_start_of_the_range_does_not_move_a_slot(one: SuccessManager, first: datetime, later_minutes: int) -> None:
    later, last = first + timedelta(minutes=later_minutes), first + timedelta(days=4)

    assert [*one.slots(later, last)] == [slot for slot in one.slots(first, last) if slot.begins >= later]
