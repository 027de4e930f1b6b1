"""The plan of an invoice's reminders."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from billing.invoicing.reminders import NOT_REMINDED, Reminder, Reminders
from billing.invoicing.settings import InvoicingSettings
from hypothesis import given
from hypothesis import strategies as st

from tests.documents.samples import SELLER

DUE = date(2026, 7, 15)
DAYS = (7, 14, 28)


def day(number: int) -> date:
    return DUE + timedelta(days=number)


def lived(days: list[int], reminders: Reminders = NOT_REMINDED, parameter: tuple[int, ...] = DAYS) -> Reminders:
    """The reminders after a worker has run on these days after the due day."""
    for each in days:
        reminders = reminders.planned(DUE, parameter, day(each))
        if reminders.is_due(day(each)):
            reminders = reminders.with_next(parameter, day(each))
    return reminders


def sent(reminders: Reminders) -> list[tuple[int, int]]:
    return [(each.number, (each.on - DUE).days) for each in reminders.sent]


def test_three_reminders_are_sent_on_their_days() -> None:
    reminders = lived([*range(1, 60)])

    assert sent(reminders) == [(1, 7), (2, 14), (3, 28)]
    assert reminders.are_over
    assert not reminders.is_overlooked


def test_a_late_worker_sends_the_one_that_fits_and_keeps_a_distance() -> None:
    assert sent(lived([20, 21, 28])) == [(2, 20), (3, 28)]
    assert sent(lived([27, 28, 29, 30, 31])) == [(2, 27), (3, 30)]
    assert sent(lived([90, 91, 120])) == [(3, 90)]
    assert sent(lived([*range(1, 9)], parameter=(1, 2, 3))) == [(1, 1), (2, 2), (3, 3)]


def test_a_pause_moves_what_is_to_come_by_its_length() -> None:
    before = lived([1, 7, 10])
    paused = before.paused(day(40), "disputed", day(10))

    assert paused.next_on == day(44)
    assert sent(lived([*range(11, 90)], paused)) == [(1, 7), (2, 44), (3, 58)]
    open_ended = before.paused(None, "disputed", day(10))
    assert open_ended.next_on is None
    assert not open_ended.is_overlooked
    resumed = lived([*range(11, 40)], open_ended).resumed(day(40))
    assert sent(lived([*range(40, 90)], resumed)) == [(1, 7), (2, 44), (3, 58)]
    assert sent(lived([*range(20, 90)], paused.resumed(day(20)))) == [(1, 7), (2, 24), (3, 38)]


def test_a_pause_before_the_due_day_counts_from_that_day() -> None:
    paused = NOT_REMINDED.paused(None, "disputed", day(-10))
    planned = lived([1, 5], paused)

    assert planned.next_on is None
    assert sent(lived([*range(20, 60)], planned.resumed(day(20)))) == [(1, 27), (2, 34), (3, 48)]
    over = NOT_REMINDED.paused(day(-5), "disputed", day(-10))
    assert sent(lived([*range(1, 30)], over)) == [(1, 7), (2, 14), (3, 28)]


def test_a_new_pause_takes_the_place_of_the_old_one() -> None:
    twice = lived([1, 7]).paused(day(20), "disputed", day(10)).paused(day(30), "still disputed", day(15))

    assert twice.pause is not None
    assert twice.pause.reason == "still disputed"
    assert sent(lived([*range(15, 60)], twice)) == [(1, 7), (2, 34), (3, 48)]


def test_a_pause_from_before_the_due_day_loses_no_day_when_it_is_changed() -> None:
    changed = lived([*range(1, 40)], NOT_REMINDED.paused(None, "disputed", day(-10))).paused(day(43), "ends", day(40))

    assert sent(lived([*range(40, 90)], changed)) == [(1, 50), (2, 57), (3, 71)]
    reworded = NOT_REMINDED.paused(None, "disputed", day(1)).paused(None, "in words", day(6))
    assert sent(lived([*range(60, 110)], lived([7], reworded).resumed(day(60)))) == [(1, 66), (2, 73), (3, 87)]


def test_an_invoice_that_is_owed_again_begins_anew_and_keeps_what_was_sent() -> None:
    again = lived([*range(1, 60)]).ended().planned(day(100), DAYS, day(100))

    assert again.next_on == day(107)
    assert sent(again) == [(1, 7), (2, 14), (3, 28)]
    assert Reminder(1, day(107)) in again.with_next(DAYS, day(107)).sent


@given(st.lists(st.integers(1, 120), unique=True), st.integers(1, 60), st.integers(1, 60), st.booleans())
def test_whenever_a_worker_runs_no_reminder_is_early_repeated_or_sent_in_a_pause(
    runs: list[int], begins: int, lasts: int, is_timed: bool
) -> None:
    reminders, ends = NOT_REMINDED, begins + lasts
    for number in range(121):
        if number == begins:
            reminders = reminders.paused(day(ends) if is_timed else None, "disputed", day(number))
        if number == ends and not is_timed:
            reminders = reminders.resumed(day(number))
        if number in runs:
            reminders = lived([number], reminders)
    numbers = [number for number, _ in sent(reminders)]

    assert numbers == sorted({*numbers})
    assert all(on >= DAYS[number - 1] for number, on in sent(reminders))
    assert not any(begins <= on <= ends for _, on in sent(reminders))


@pytest.mark.parametrize("days", [(7, 14), (14, 7, 28), (7, 7, 28), (0, 7, 14), (7, 14, 28, 40)])
def test_a_deployment_with_other_days_is_refused(days: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="ReminderDays"):
        InvoicingSettings("LV", SELLER, reminder_days=days)
