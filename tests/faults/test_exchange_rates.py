"""An interrupted run converts each tax at the rate of its own day, and an interrupted wait is told of once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from billing.billing_page.provision_account import provision_account
from billing.invoicing.exchange_rates.records import ExchangeRateStore
from billing.invoicing.exchange_rates.replace import replace_rates
from billing.invoicing.exchange_rates.rules import DailyRates
from billing.invoicing.issue_invoices import issue_invoices
from billing.invoicing.mapping import is_as_issued
from billing.kernel.errors import StaleVersion
from billing.kernel.events import Actor, ActorKind, RequestContext
from billing.kernel.money import Money

from tests.aws import TABLE
from tests.faults.company import NEW_ACCOUNT, SETTINGS, body, catalogue, events, provision
from tests.faults.cuts import Faults
from tests.faults.test_invoices import ACCOUNT, JULY, numbers_without_gaps
from tests.faults.world import World
from tests.store.samples import CONTEXT

IN_KRONER = replace(SETTINGS, seller_currency="DKK")
STAFF = RequestContext(Actor(ActorKind.STAFF, "staff-1"), JULY, "rates")
PRICES = {date(2026, 1, 14): "7.4711", date(2026, 4, 14): "7.4604", date(2026, 7, 14): "7.4592"}
"""The rate of the day before each paid period of the sample company begins."""

LAST = max(PRICES)


class Converting(World):
    """A world with exchange rates."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0

    @property
    def rates(self) -> ExchangeRateStore:
        return ExchangeRateStore(TABLE, self.client)


def company(*days: date) -> Converting:
    """The sample company, and the rates of these days."""
    before = catalogue()
    world = Converting()
    world.table = before.table
    with world.calm():
        provision(world)
        for day in days:
            publish(world, day)
    return world


def publish(world: Converting, day: date) -> DailyRates:
    rates = DailyRates(day, "EUR", {"DKK": Decimal(PRICES[day])}, "ECB")
    return replace_rates(rates, 0, context=STAFF, store=world.rates)


def issue(world: Converting) -> None:
    world.runs += 1
    issue_invoices(ACCOUNT, now=JULY, correlation=f"run {world.runs}", settings=IN_KRONER, store=world.invoicing)


def each_at_its_own_rate(world: Any) -> None:
    numbers_without_gaps(world)
    for item in world.stored("DOCUMENT#"):
        assert is_as_issued(item["body"]["S"])
        invoice = world.invoicing.invoice(ACCOUNT, item["sk"]["S"].removeprefix("DOCUMENT#")).invoice
        tax = invoice.draft.seller_tax
        assert tax is not None
        assert tax.amount == tax.rate.convert(invoice.draft.tax_amount, "DKK")
        assert str(tax.rate.seller_rate) == PRICES[tax.rate.day]
        assert 0 < (invoice.draft.since - tax.rate.day).days <= 7
    for registered in world.invoicing.register("LV", 2026, limit=100, after=None).items:
        invoice = world.invoicing.invoice(ACCOUNT, registered.number).invoice
        assert registered.seller_tax == invoice.draft.seller_tax.amount


def all_issued(world: Any) -> None:
    each_at_its_own_rate(world)
    assert len(world.stored("INVOICE#")) == len(PRICES)
    assert world.rates.waiting(limit=10, after=None).items == (), "still in the list of staff"


def test_an_interrupted_run_converts_each_tax_at_the_rate_of_its_own_day(faults: Faults) -> None:
    faults.every_cut(world=lambda: company(*PRICES), command=issue, invariants=all_issued, always=each_at_its_own_rate)


@pytest.mark.deep  # thousands of calls: its neighbours are in make test
def test_an_interrupted_wait_is_told_once_and_ends_with_the_rate(faults: Faults) -> None:
    def wait_then_issue(world: Converting) -> None:
        issue(world)
        publish(world, LAST)
        issue(world)

    def told_once(world: Converting) -> None:
        all_issued(world)
        assert len(events(world, "exchange_rate.missing")) == len(world.stored("RATE-MISSING#")) == 1
        given = [item for item in world.table.items() if item["pk"]["S"] == "EXCHANGE-RATES"]
        replaced = [body(item) for item in given if item["sk"]["S"].startswith("EVENT#")]
        assert sorted(each["after"]["day"] for each in replaced) == sorted(day.isoformat() for day in PRICES)

    def due(world: Converting) -> None:
        each_at_its_own_rate(world)
        [item] = world.stored("DUE#renewal")
        waits = "awaits_rate" in body(item)
        assert ("gsi2pk" in item) == waits
        assert "gsi1pk" in item, "no longer planned"

    faults.every_cut(
        world=lambda: company(*sorted(PRICES)[:-1]), command=wait_then_issue, invariants=told_once, always=due
    )


def test_a_run_without_its_rate_issues_what_it_can_and_lists_the_account(faults: Faults) -> None:
    def listed(world: Converting) -> None:
        each_at_its_own_rate(world)
        assert len(world.stored("INVOICE#")) == len(PRICES) - 1
        [waiting] = world.rates.waiting(limit=10, after=None).items
        assert (waiting.account, waiting.awaited.day, waiting.awaited.currency) == (ACCOUNT, LAST, "EUR")
        assert len(events(world, "exchange_rate.missing")) == 1

    faults.every_cut(world=lambda: company(*sorted(PRICES)[:-1]), command=issue, invariants=listed)


def test_a_second_account_waits_without_a_second_mail(faults: Faults) -> None:
    with company(*sorted(PRICES)[:-1]).calm() as world:
        provision_account(
            replace(NEW_ACCOUNT, account="other-shop"),
            context=CONTEXT,
            directory=world.directory,
            pages=world.store,
            catalogues=world.store,
        )
        for account in (ACCOUNT, "other-shop", ACCOUNT, "other-shop"):
            issue_invoices(account, now=JULY, correlation=account, settings=IN_KRONER, store=world.invoicing)

        assert {each.account for each in world.rates.waiting(limit=10, after=None).items} == {ACCOUNT, "other-shop"}
        assert len(events(world, "exchange_rate.missing")) == 1


def test_two_staff_members_at_once(faults: Faults) -> None:
    with company().calm() as world:
        assert publish(world, LAST).version == 1
        assert publish(world, LAST).version == 1, "the same rates are not written again"
        other = DailyRates(LAST, "EUR", {"DKK": Decimal("7.5")}, "ECB")
        with pytest.raises(StaleVersion):
            replace_rates(other, 0, context=STAFF, store=world.rates)
        assert replace_rates(other, 1, context=STAFF, store=world.rates).version == 2


def test_an_interrupted_correction_is_recorded_once_and_changes_no_invoice(faults: Faults) -> None:
    def issued() -> Converting:
        with company(*PRICES).calm() as world:
            issue(world)
            return world

    def correct(world: Converting) -> None:
        wrong = DailyRates(LAST, "EUR", {"DKK": Decimal("9.9")}, "ECB")
        replace_rates(wrong, 1, context=STAFF, store=world.rates)

    def unchanged(world: Converting) -> None:
        all_issued(world)
        rates = world.rates.rates(LAST)
        assert rates is not None
        assert (rates.version, str(rates.rates["DKK"])) == (2, "9.9")
        given = [item for item in world.table.items() if item["pk"]["S"] == "EXCHANGE-RATES"]
        corrected = [body(item) for item in given if item["sk"]["S"].startswith("EVENT#") and body(item)["before"]]
        assert len(corrected) == 1

    faults.every_cut(world=issued, command=correct, invariants=unchanged)


def test_the_figures_of_the_sample_company(faults: Faults) -> None:
    with company(*PRICES).calm() as world:
        issue(world)
        taxes = [
            (draft.tax_amount, None if draft.seller_tax is None else draft.seller_tax.amount)
            for draft in (each.draft for each in world.invoicing.invoices_since(ACCOUNT, date(2026, 1, 1)))
        ]
    # Each quarter costs the same in euros, and has the rate of the day before it begins.
    assert len({net for net, _ in taxes}) == 1
    euros = taxes[0][0].amount
    kroner = [round(Decimal(euros) * Decimal(price)) for _, price in sorted(PRICES.items())]
    assert [each for _, each in taxes] == [Money(amount, "DKK") for amount in kroner]
