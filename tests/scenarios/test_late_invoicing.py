"""Invoices that come late, early or in parts: the same sums as in time, and nothing twice (decision 0018)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from billing.accounts.rules import Status, existing
from billing.billing_page.provision_account import Provisioning, provision_account
from billing.ending.cancellation.commands import preview_cancellation
from billing.ending.cancellation.rules import Consequences
from billing.invoicing.holds import NothingHeld, PendingInvoicesChanged
from billing.invoicing.issue_invoices import issue_invoices, upcoming
from billing.invoicing.records import WholeInvoice
from billing.invoicing.release_invoicing import preview_invoicing, release_invoicing
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import ConcurrentChange, RuleViolation
from billing.kernel.events import EventType
from billing.kernel.money import Money
from billing.scaling.records import AutoscalingState
from billing.scaling.tier_changes import next_contract_month
from billing.subscriptions.rules import Cause, Discount, TierChange

from tests.aws import TABLE
from tests.faults.company import NEW_ACCOUNT, SETTINGS, catalogue
from tests.faults.network import connected
from tests.faults.world import World
from tests.store.samples import CONTEXT

ACCOUNT = NEW_ACCOUNT.account
FIRST_MILESTONE = Path(__file__).parents[1] / "fixtures" / "first_milestone.json"
"""What commit 9da7ab3 has stored on 2026-06-10: the demonstration's companies after a year, and one taken over."""


@pytest.fixture
def world() -> Iterator[World]:
    with connected(), catalogue().calm() as made:
        yield made


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def sold(world: World, start: date, interval: int, *, on: date | None = None, **more: Any) -> None:
    """Search at 49.00 and e-mail at 59.00 a month, in Copenhagen, provisioned on the day before the start."""
    contract = Contract(start, interval, "EUR", "Europe/Copenhagen")
    request: Provisioning = replace(NEW_ACCOUNT, contract=contract, discounts=(), invoiced_until=None)
    provision_account(
        replace(request, **more),
        context=replace(CONTEXT, time=noon(on or start - timedelta(days=1))),
        directory=world.directory,
        pages=world.store,
        catalogues=world.store,
    )


def run(world: World, day: date, account: str = ACCOUNT) -> list[int]:
    """Issues what is due, and returns the net amounts."""
    numbers = issue_invoices(account, now=noon(day), correlation="run", settings=SETTINGS, store=world.invoicing)
    return [world.invoicing.invoice(account, number).invoice.draft.net.amount for number in numbers]


def state_of(world: World, account: str = ACCOUNT) -> AutoscalingState:
    return existing(world.autoscaling.state(account))


def move(world: World, state: AutoscalingState, price: int, decided_on: date) -> date:
    """Autoscaling moves search as it was read; returns the day on which that takes effect."""
    assert state.due is not None
    contract = state.subscriber.account.contract
    effective_on = next_contract_month(contract, decided_on, state.subscriber.fixed.until)
    decision = f"{decided_on}.search"
    change = TierChange("search", 25_000, Money(price, "EUR"), effective_on, Cause.AUTOSCALING, decision, decided_on)
    after = state.subscriber.change_tiers((change,), decided_on)
    world.autoscaling.decide(state, (), after, (), state.due, noon(decided_on))
    return effective_on


def events_of(world: World, kind: EventType) -> list[Any]:
    bodies = [json.loads(item["body"]["S"]) for item in world.stored("EVENT#")]
    return [each["after"] for each in bodies if each["type"] == kind]


# ---- Late decisions ----


def test_a_message_of_yesterday_moves_no_month_that_is_fixed(world: World) -> None:
    """Contract months begin on the 2nd; a message of 1 July is processed on the 2nd, after the invoice (M7)."""
    sold(world, date(2026, 6, 2), 12)
    run(world, date(2026, 6, 2))
    run(world, date(2026, 7, 2))

    effective_on = move(world, state_of(world), 9_900, decided_on=date(2026, 7, 1))

    assert effective_on == date(2026, 8, 2)
    assert run(world, date(2026, 8, 2)) == [10 * 5_000]


def test_a_move_is_refused_when_its_month_is_fixed_in_between(world: World) -> None:
    sold(world, date(2026, 6, 2), 12)
    run(world, date(2026, 6, 2))
    read_before = state_of(world)
    run(world, date(2026, 7, 2))

    with pytest.raises(ConcurrentChange):
        move(world, read_before, 9_900, decided_on=date(2026, 7, 1))
    move(world, state_of(world), 9_900, decided_on=date(2026, 7, 1))

    assert run(world, date(2026, 8, 2)) == [10 * 5_000]


def test_half_a_day_without_invoices_loses_nothing(world: World) -> None:
    """49.00 a month, 99.00 from August; another move is decided before August's late run (M5)."""
    sold(world, date(2026, 6, 1), 12)
    issued = run(world, date(2026, 6, 1))
    issued += run(world, date(2026, 7, 1))
    move(world, state_of(world), 9_900, decided_on=date(2026, 7, 2))
    move(world, state_of(world), 19_900, decided_on=date(2026, 8, 1))
    issued += run(world, date(2026, 8, 1))
    issued += run(world, date(2026, 9, 1))

    assert issued == [12 * 10_800, 10 * 5_000, 9 * 10_000]


# ---- Nothing, and too much at once ----


def test_a_total_of_zero_has_an_event_and_no_number(world: World) -> None:
    free = Discount(None, Decimal(100), None, date(2026, 6, 1), date(2026, 7, 1), "First month free")
    sold(world, date(2026, 6, 1), 1, discounts=(free,))

    assert run(world, date(2026, 6, 1)) == []
    [period] = events_of(world, EventType.PERIOD_FREE)
    assert (period["since"], period["total"]["amount"]) == ("2026-06-01", 0)
    assert run(world, date(2026, 7, 1)) == [10_800]
    [first] = world.stored("INVOICE#")
    assert first["sk"]["S"].endswith("-000001")


def test_a_start_long_past_must_say_what_was_invoiced(world: World) -> None:
    """24 invoices within the hour, by a mistake in the year (M35)."""
    with pytest.raises(RuleViolation) as refused:
        sold(world, date(2024, 6, 15), 1, on=date(2026, 6, 10))

    [violation] = refused.value.violations
    assert violation.path == ("invoiced_until",)
    assert "24 invoices over 2592.00 EUR before tax" in violation.detail
    sold(world, date(2024, 6, 15), 1, on=date(2026, 6, 10), invoiced_until=date(2026, 5, 15))
    assert run(world, date(2026, 6, 10)) == [10_800]


def test_a_start_within_its_first_paid_period_says_nothing(world: World) -> None:
    sold(world, date(2026, 6, 1), 1, on=date(2026, 6, 30))

    assert run(world, date(2026, 6, 30)) == [10_800]


def test_more_than_three_invoices_at_once_wait_for_staff(world: World) -> None:
    sold(world, date(2026, 1, 1), 1)
    run(world, date(2026, 1, 1))
    may = date(2026, 5, 10)

    assert run(world, may) == []
    assert run(world, may + timedelta(days=1)) == []
    [told] = events_of(world, EventType.INVOICING_HELD)
    assert (told["invoices"], told["total"]["amount"], told["since"]) == (4, 4 * 13_500, "2026-02-01")
    assert [each.account for each in world.invoicing.held(limit=10, after=None).items] == [ACCOUNT]

    released(world, may, 4, 4 * 13_500)
    released(world, may, 4, 4 * 13_500)

    assert len(events_of(world, EventType.INVOICING_RELEASED)) == 1
    assert world.invoicing.held(limit=10, after=None).items == ()
    assert run(world, may) == [10_800] * 4
    assert run(world, date(2026, 6, 1)) == [10_800]


def test_a_release_covers_what_was_confirmed_and_no_more(world: World) -> None:
    sold(world, date(2026, 1, 1), 1)
    april = date(2026, 4, 10)
    assert run(world, april) == []
    with pytest.raises(PendingInvoicesChanged):
        released(world, april, 4, 1)
    released(world, april, 4, 4 * 13_500)

    # No run comes for another four months.
    august = date(2026, 8, 10)
    assert run(world, august) == [10_800] * 4
    assert run(world, august) == []
    assert len(events_of(world, EventType.INVOICING_HELD)) == 2


def test_nothing_is_released_that_does_not_wait(world: World) -> None:
    sold(world, date(2026, 6, 1), 1)

    with pytest.raises(NothingHeld):
        released(world, date(2026, 6, 1), 1, 13_500)


def released(world: World, day: date, invoices: int, total: int) -> None:
    context = replace(CONTEXT, time=noon(day))
    store = world.invoicing
    billing = existing(store.billing_context(ACCOUNT))
    preview_invoicing(billing, context=context, settings=SETTINGS, store=store)
    release_invoicing(billing, invoices, Money(total, "EUR"), context=context, settings=SETTINGS, store=store)


# ---- Cancelled ----


def cancelled(world: World, day: date) -> Consequences:
    return preview_cancellation(existing(world.cancellations.state(ACCOUNT)), day, 14, SETTINGS.seller, None)


def test_a_renewal_that_is_due_and_not_issued_is_still_charged(world: World) -> None:
    """Cancelled at 00:03 on the day of a renewal; the run is at 00:05 (M28)."""
    sold(world, date(2026, 1, 15), 3)
    run(world, date(2026, 1, 15))
    renewal = date(2026, 4, 15)

    before = cancelled(world, renewal)
    run(world, renewal)
    after = cancelled(world, renewal)

    assert [(each.on, each.amount.amount) for each in before.charges_still_due] == [(renewal, 3 * 10_800)]
    assert (after.charges_still_due, after.active_until) == ((), before.active_until)


def test_a_yearly_contract_that_is_cancelled_too_late_before_its_start_shows_its_charge(world: World) -> None:
    """M29: the notice of two weeks before the start ends within the first year."""
    sold(world, date(2026, 6, 15), 12, on=date(2026, 6, 1))

    follows = cancelled(world, date(2026, 6, 10))

    assert [(each.on, each.amount.amount) for each in follows.charges_still_due] == [(date(2026, 6, 15), 12 * 10_800)]
    assert follows.active_until == date(2027, 6, 15)


@pytest.mark.parametrize("interval", [1, 12])
def test_a_contract_that_is_cancelled_in_time_before_its_start_is_never_charged(world: World, interval: int) -> None:
    """M34: six months before."""
    sold(world, date(2026, 12, 1), interval, on=date(2026, 6, 1))

    follows = cancelled(world, date(2026, 6, 10))

    assert (follows.charges_still_due, follows.active_until) == ((), date(2026, 12, 1))


def test_a_move_to_come_within_the_last_period_is_still_charged(world: World) -> None:
    sold(world, date(2026, 1, 1), 12)
    run(world, date(2026, 1, 1))
    run(world, date(2026, 5, 1))
    effective_on = move(world, state_of(world), 9_900, decided_on=date(2026, 5, 10))

    follows = cancelled(world, date(2026, 5, 20))

    assert [(each.on, each.amount.amount) for each in follows.charges_still_due] == [(effective_on, 7 * 5_000)]


# ---- Items of the first milestone ----


@pytest.fixture
def taken_on() -> Iterator[World]:
    with connected(), catalogue().calm() as made:
        for item in json.loads(FIRST_MILESTONE.read_text("utf-8")):
            made.client.put_item(TableName=TABLE, Item=item)
        yield made


def test_accounts_of_the_first_milestone_are_billed_on(taken_on: World) -> None:
    """Day by day for a year: each period once, at what it costs, and what was invoiced is not invoiced again."""
    accounts = ("nordlys-kaffe", "lucciola-libri", "harbour-and-hound", "taken-over")
    before = {account: numbers(taken_on, account) for account in accounts}
    found: dict[str, list[tuple[date, int]]] = {account: [] for account in accounts}
    day = date(2026, 6, 10)
    while day < date(2027, 6, 10):
        for account in accounts:
            found[account] += [(day, net) for net in run(taken_on, day, account)]
        day += timedelta(days=1)

    assert [each for each, _ in found["nordlys-kaffe"]] == [
        date(2026 + (5 + month) // 12, (5 + month) % 12 + 1, 15) for month in range(12)
    ]
    assert {net for _, net in found["nordlys-kaffe"]} == {last_net(taken_on, "nordlys-kaffe", before)}
    # Half a year of the larger audience tier, of which nothing was invoiced, less the yearly customer's 10 %.
    (moved, difference), (renewed, year) = found["lucciola-libri"]
    assert (moved, renewed) == (date(2026, 7, 1), date(2027, 4, 1))
    assert difference * 12 == 9 * (year - yearly_without(taken_on))
    assert [each for each, _ in found["harbour-and-hound"]] == [
        date(2026, 7, 31),
        date(2026, 10, 31),
        date(2027, 1, 31),
        date(2027, 4, 30),
    ]
    assert [each for each, _ in found["taken-over"]] == [date(2026, 7, 15), date(2027, 1, 15)]
    for account in accounts:
        assert numbers(taken_on, account)[: len(before[account])] == before[account]


def test_a_cancelled_account_of_the_first_milestone_ends_with_its_year(taken_on: World) -> None:
    state = existing(taken_on.cancellations.state("lucciola-libri"))

    follows = preview_cancellation(state, date(2026, 6, 10), 14, SETTINGS.seller, None)

    assert state.subscriber.account.status is Status.ACTIVE
    assert follows.active_until == date(2027, 4, 1)
    assert [each.on for each in follows.charges_still_due] == [date(2026, 7, 1)]


def test_the_preview_of_an_account_of_the_first_milestone_is_what_is_issued(taken_on: World) -> None:
    billing = existing(taken_on.invoicing.billing_context("lucciola-libri"))
    shown = upcoming(billing, date(2026, 6, 10), SETTINGS)

    assert shown is not None
    on, draft = shown
    assert [draft.net.amount] == run(taken_on, on, "lucciola-libri")


@pytest.mark.parametrize("account", ["nordlys-kaffe", "lucciola-libri", "harbour-and-hound", "taken-over"])
def test_the_page_of_an_account_of_the_first_milestone_shows_what_is_issued_next(taken_on: World, account: str) -> None:
    """Lucciola's tier rises in July, within its year: the page showed the renewal of next April."""
    page = taken_on.store.billing_page(account)
    shown = page.next_charge(date(2026, 6, 10), SETTINGS.seller, None)
    following = upcoming(existing(taken_on.invoicing.billing_context(account)), date(2026, 6, 10), SETTINGS)

    assert page.period is None
    assert shown is not None
    assert following is not None
    on, draft = following
    assert (shown.on, shown.net, shown.total) == (on, draft.net, draft.total)
    assert shown.on < date(2026, 9, 1)


def numbers(world: World, account: str) -> list[str]:
    listed = world.invoicing.invoices(account, year=None, status=None, limit=100, after=None).items
    return [each.number for each in reversed(listed)]


def invoice(world: World, account: str, number: str) -> WholeInvoice:
    return world.invoicing.invoice(account, number)


def last_net(world: World, account: str, before: dict[str, list[str]]) -> int:
    return invoice(world, account, before[account][-1]).invoice.draft.net.amount


def yearly_without(world: World) -> int:
    """What Lucciola Libri's year costs without the move of July: the year's invoice, and May's move for 12 months."""
    issued = [invoice(world, "lucciola-libri", each).invoice.draft for each in numbers(world, "lucciola-libri")]
    year, moved = issued[1], issued[2]
    return year.net.amount + moved.net.amount * 12 // 11


# ---- Months that are no longer open to a change ----


def test_a_move_lands_in_no_month_that_was_invoiced_elsewhere(world: World) -> None:
    """The year from January is paid by another system's invoice: nobody would ever invoice six months of a move."""
    sold(world, date(2026, 1, 1), 12, on=date(2026, 5, 10), invoiced_until=date(2027, 1, 1))

    effective_on = move(world, state_of(world), 9_900, decided_on=date(2026, 6, 10))

    assert effective_on == date(2027, 1, 1)
    assert run(world, date(2026, 12, 31)) == []
    assert run(world, date(2027, 1, 1)) == [12 * 15_800]
