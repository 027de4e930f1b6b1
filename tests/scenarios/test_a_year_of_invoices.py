"""A year of invoices for each interval, compared with an oracle that walks the calendar day by day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from billing.billing_page.provision_account import provision_account
from billing.invoicing.invoices import Seller
from billing.invoicing.issue_invoices import issue_invoices
from billing.invoicing.mapping import is_as_issued
from billing.invoicing.records import WholeInvoice
from billing.invoicing.settings import InvoicingSettings
from billing.kernel.contract_calendar import Contract
from billing.kernel.money import Money
from billing.subscriptions.rules import Cause, Discount, TierChange

from tests.faults.company import NEW_ACCOUNT, PRODUCTS, catalogue
from tests.faults.network import connected
from tests.faults.world import World
from tests.store.samples import CONTEXT

ACCOUNT = NEW_ACCOUNT.account
SETTINGS = InvoicingSettings("LV", Seller("Livello", "Demovej 1", None, "1050", "Copenhagen", "DK", None))
HOURS = 12
SEARCH, SEARCH_LARGER, EMAIL = 4_900, 9_900, 5_900
VAT = Fraction(25, 100)


@dataclass(frozen=True)
class Year:
    start: date
    interval: int
    zone: str
    larger_from: int | None
    """The first contract month of search in its larger tier, None for never."""


YEARS = [
    Year(date(2026, 1, 31), 1, "Europe/Copenhagen", 4),
    Year(date(2026, 1, 31), 3, "Pacific/Kiritimati", 4),
    Year(date(2026, 1, 31), 6, "Pacific/Niue", 7),
    Year(date(2026, 1, 31), 12, "America/New_York", 2),
    Year(date(2028, 2, 29), 1, "Europe/Rome", None),
    Year(date(2028, 2, 29), 12, "Australia/Lord_Howe", 11),
]


# ---- The oracle -------------------------------------------------------------------------------------


def boundaries(start: date, days: int) -> Iterator[date]:
    """The first days of contract months within `days` from `start`, found by a check of each day."""
    for number in range(days):
        day = start + timedelta(number)
        last_of_month = (day + timedelta(1)).day == 1
        if day.day == start.day or (last_of_month and day.day < start.day):
            yield day


def half_even(amount: Fraction) -> int:
    whole, rest = divmod(amount, 1)
    if rest == Fraction(1, 2):
        return int(whole) + int(whole) % 2
    return int(whole) + (rest > Fraction(1, 2))


def half_up(amount: Fraction) -> int:
    """For tax: half away from zero, of amounts that are never negative."""
    return int(amount + Fraction(1, 2))


def month_of_search(months: list[date], number: int, larger: int | None) -> Fraction:
    """The price of search in one contract month: less 12.5 % in the first eight."""
    price = SEARCH_LARGER if larger is not None and number >= larger else SEARCH
    return Fraction(price) * (Fraction(7, 8) if number < 8 else 1)


def expected(year: Year) -> list[tuple[date, int]]:
    """The day and the total in minor units of each invoice of the first year."""
    months = [*boundaries(year.start, 800)]
    invoices = []
    for number, day in enumerate(months[:13]):
        if number % year.interval == 0:
            period = range(number, number + year.interval)
            # The invoice has the tier changes decided so far. A change is decided in the month before its effect.
            larger = year.larger_from if year.larger_from is not None and year.larger_from <= number else None
            search = half_even(sum((month_of_search(months, each, larger) for each in period), Fraction(0)))
            net = search + EMAIL * year.interval
        elif number == year.larger_from:
            first = number - number % year.interval
            period = range(first, first + year.interval)
            with_move = half_even(sum((month_of_search(months, each, number) for each in period), Fraction(0)))
            without = half_even(sum((month_of_search(months, each, None) for each in period), Fraction(0)))
            net = with_move - without
        else:
            continue
        invoices.append((day, net + half_up(net * VAT)))
    return invoices


# ---- The story ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("year", YEARS, ids=lambda year: f"{year.interval} months, {year.zone}")
def test_a_year_of_invoices_is_that_of_the_oracle(year: Year) -> None:
    with connected(), catalogue().calm() as world:
        contract = Contract(year.start, year.interval, "EUR", year.zone)
        settings = replace(SETTINGS, time_zone=year.zone)
        months = [*boundaries(year.start, 800)]
        discounts = (Discount("search", Decimal("12.5"), None, year.start, months[8], "Welcome"),)
        provisioning = replace(NEW_ACCOUNT, contract=contract, discounts=discounts, invoiced_until=None)
        begins = datetime.combine(year.start, datetime.min.time(), ZoneInfo(year.zone)).astimezone(UTC)
        provision_account(
            provisioning,
            context=replace(CONTEXT, time=begins - timedelta(days=3)),
            directory=world.directory,
            pages=world.store,
            catalogues=world.store,
        )
        now, ends = begins - timedelta(days=2), begins + timedelta(days=368)
        while now < ends:
            if year.larger_from is not None:
                grow(world, months[year.larger_from], now)
            issue_invoices(ACCOUNT, now=now, correlation="run", settings=settings, store=world.invoicing)
            now += timedelta(hours=HOURS)

        records = sorted(all_of(world), key=lambda record: record.invoice.number)
        issued = [(record.invoice.produced_on, record.invoice.draft.total.amount) for record in records]
        assert issued == [each for each in expected(year) if each[0] < year.start + timedelta(days=368)]
        assert all(is_as_issued(item["body"]["S"]) for item in world.stored("DOCUMENT#"))


def grow(world: World, effective_on: date, now: datetime) -> None:
    """Moves search to its larger tier, as autoscaling does, in the twenty days before `effective_on`."""
    state = world.autoscaling.state(ACCOUNT)
    assert state is not None
    assert state.due is not None
    subscription, contract = state.subscriber.subscription, state.subscriber.account.contract
    today = contract.today(now)
    if subscription.changes or not effective_on - timedelta(days=20) <= today < effective_on:
        return
    change = TierChange("search", 25_000, Money(SEARCH_LARGER, "EUR"), effective_on, Cause.AUTOSCALING, "2026.search")
    paid_since = contract.month_start(contract.month_of(today) // contract.interval_months * contract.interval_months)
    after = subscription.changed((change,), today, paid_since)
    world.autoscaling.decide(state, (), after, (), state.due, now)


def all_of(world: World) -> list[WholeInvoice]:
    """All invoices of the account."""
    numbers = [
        invoice.number
        for invoice in world.invoicing.invoices(ACCOUNT, year=None, status=None, limit=100, after=None).items
    ]
    return [world.invoicing.invoice(ACCOUNT, number) for number in numbers]


def test_the_sample_catalogue_has_the_oracles_prices() -> None:
    prices = {
        (product.id, tier.up_to): tier.prices["EUR"]
        for product in PRODUCTS
        for tier in product.tiers
        if tier.prices is not None
    }
    assert (prices["search", 10_000], prices["search", 25_000], prices["email", 25_000]) == (
        SEARCH,
        SEARCH_LARGER,
        EMAIL,
    )
