"""What taking an account up again comes to: what it had, on the prices of that day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from billing.accounts.rules import Ending, Status
from billing.ending.due import EndingStage, next_notice
from billing.ending.reactivation.rules import (
    NotDeactivated,
    NothingSold,
    new_contract,
    require_deactivated,
    resubscribe,
)
from billing.kernel.contract_calendar import Contract
from billing.kernel.money import Money
from billing.subscriptions.catalogue import Catalogue, Product, Tier
from billing.subscriptions.rules import Cause, Discount, Line, Subscription, TierChange
from hypothesis import given
from hypothesis import strategies as st

from tests.store.samples import PAGE

TODAY = date(2026, 7, 20)


def search(*tiers: tuple[int | None, int | None]) -> Product:
    """With tiers of a volume and a price in euros, None where the vendor is asked."""
    return Product(
        "search",
        "Search",
        "searches",
        tuple(Tier(up_to, None if price is None else {"EUR": price}) for up_to, price in tiers),
    )


def subscription(up_to: int | None) -> Subscription:
    return Subscription(3, (Line("search", "Search", "searches", up_to, Money(100, "EUR")),), ())


@pytest.mark.parametrize(
    ("had", "sold", "gets"),
    [
        (10, [(10, 5), (20, 9)], (10, 5)),
        (10, [(8, 5), (20, 9)], (20, 9)),
        (10, [(5, 3), (8, 5)], (8, 5)),
        (10, [(5, 3), (None, 50)], (None, 50)),
        (None, [(5, 3), (None, 50)], (None, 50)),
        (None, [(5, 3), (8, 5)], (8, 5)),
        (10, [(10, None), (20, 9)], (20, 9)),
    ],
)
def test_a_tier_that_is_not_sold_any_more_is_replaced_by_the_next(
    had: int | None, sold: list[tuple[int | None, int | None]], gets: tuple[int | None, int]
) -> None:
    signed = resubscribe(subscription(had), Catalogue(7, (search(*sold),)), "EUR", TODAY)

    [line] = signed.lines
    assert (line.up_to, line.price.amount, signed.catalogue_version) == (*gets, 7)


def test_discounts_and_changes_ended_with_the_contract() -> None:
    grown = TierChange("search", 20, Money(150, "EUR"), date(2026, 5, 1), Cause.AUTOSCALING, "2026-04#search")
    discount = Discount("search", None, 5, date(2026, 1, 1), None, "Launch")
    had = replace(subscription(10), changes=(grown,), discounts=(discount,), version=4)

    signed = resubscribe(had, Catalogue(7, (search((10, 5), (20, 9)),)), "EUR", TODAY)

    assert [line.up_to for line in signed.lines] == [20], "what it had is what usage had grown to"
    assert (signed.discounts, signed.changes, signed.version) == ((), (), 4)


@pytest.mark.parametrize("products", [(), (search(),), (search((10, None)),)])
def test_where_nothing_is_sold_any_more(products: tuple[Product, ...]) -> None:
    with pytest.raises(NothingSold):
        resubscribe(subscription(10), Catalogue(7, products), "EUR", TODAY)


def test_only_within_the_days() -> None:
    ended = replace(PAGE.account, status=Status.DEACTIVATED, ending=Ending("r", date(2026, 7, 15), date(2026, 7, 29)))

    require_deactivated(ended, date(2026, 7, 28))
    for account, day in (
        (ended, date(2026, 7, 29)),
        (replace(ended, status=Status.CANCELLING), TODAY),
        (replace(ended, status=Status.ACTIVE, ending=None), TODAY),
    ):
        with pytest.raises(NotDeactivated):
            require_deactivated(account, day)


def test_the_new_contract_begins_that_day() -> None:
    assert new_contract(Contract(date(2026, 1, 15), 3, "EUR", "Europe/Rome"), TODAY) == Contract(
        TODAY, 3, "EUR", "Europe/Rome"
    )


@given(
    st.dates(date(2020, 1, 1), date(2030, 12, 31)),
    st.sampled_from([3, 6, 12]),
    st.integers(-400, 1500),
)
def test_the_notice_comes_a_week_before_the_last_day(start: date, interval: int, days: int) -> None:
    contract = Contract(start, interval, "EUR", "Europe/Rome")
    today = date.fromordinal(start.toordinal() + days)

    due = next_notice(contract, today)

    assert due is not None
    assert (due.stage, due.on >= today) == (EndingStage.NOTICE, True)
    last_day = date.fromordinal(due.on.toordinal() + 7)
    renewals = [day for _, day in zip(range(40), (each for _, each in contract.renewals(start)), strict=False)]
    assert last_day in {contract.last_day_to_avoid(renewal) for renewal in renewals[1:]}
