"""The rules of reactivation: the old subscription at today's prices, and the renewal notice (DESIGN 3.1)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

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
from billing.kernel.contract_calendar import Contract, Term
from billing.kernel.money import Money
from billing.subscriptions.catalogue import Catalogue, Product, Tier
from billing.subscriptions.rules import Cause, Discount, Line, Subscription, TierChange
from hypothesis import given
from hypothesis import strategies as st

from tests.store.samples import PAGE

TODAY = date(2026, 7, 20)


def search(*tiers: tuple[int | None, int | None]) -> Product:
    """A product with tiers of (volume, price in euro cents). A price of None means that sales quotes it."""
    return Product(
        "search",
        "Search",
        "searches",
        tuple(Tier(up_to, None if price is None else {"EUR": price}) for up_to, price in tiers),
    )


def subscription(up_to: int | None) -> Subscription:
    return Subscription(3, (Line("search", "Search", "searches", up_to, Money(100, "EUR")),), ())


@pytest.mark.parametrize(
    ("old_tier", "sold", "new_tier"),
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
def test_the_next_larger_tier_replaces_one_that_is_no_longer_sold(
    old_tier: int | None, sold: list[tuple[int | None, int | None]], new_tier: tuple[int | None, int]
) -> None:
    renewed = resubscribe(subscription(old_tier), Catalogue(7, (search(*sold),)), "EUR", TODAY)

    [line] = renewed.lines
    assert (line.up_to, line.price.amount, renewed.catalogue_version) == (*new_tier, 7)


def test_discounts_and_tier_changes_end_with_the_old_contract() -> None:
    grown = TierChange("search", 20, Money(150, "EUR"), date(2026, 5, 1), Cause.AUTOSCALING, "2026-04#search")
    discount = Discount("search", None, 5, date(2026, 1, 1), None, "Launch")
    old = replace(subscription(10), changes=(grown,), discounts=(discount,), version=4)

    renewed = resubscribe(old, Catalogue(7, (search((10, 5), (20, 9)),)), "EUR", TODAY)

    assert [line.up_to for line in renewed.lines] == [20], "the current tier is the one after autoscaling"
    assert (renewed.discounts, renewed.changes, renewed.version) == ((), (), 4)


@pytest.mark.parametrize("products", [(), (search(),), (search((10, None)),)])
def test_a_subscription_without_any_product_still_sold_is_refused(products: tuple[Product, ...]) -> None:
    with pytest.raises(NothingSold):
        resubscribe(subscription(10), Catalogue(7, products), "EUR", TODAY)


def test_only_a_deactivated_account_before_its_purge_day_can_be_reactivated() -> None:
    ended = replace(PAGE.account, status=Status.DEACTIVATED, ending=Ending("r", date(2026, 7, 15), date(2026, 7, 29)))

    require_deactivated(ended, date(2026, 7, 28))
    for account, day in (
        (ended, date(2026, 7, 29)),
        (replace(ended, status=Status.CANCELLING), TODAY),
        (replace(ended, status=Status.ACTIVE, ending=None), TODAY),
    ):
        with pytest.raises(NotDeactivated):
            require_deactivated(account, day)


def test_the_new_contract_starts_today() -> None:
    assert new_contract(Contract(date(2026, 1, 15), 3, "EUR", "Europe/Rome"), TODAY, TODAY) == Contract(
        TODAY, 3, "EUR", "Europe/Rome"
    )


def test_the_new_contract_is_paid_as_the_old_one_was_and_not_by_a_term_that_never_began() -> None:
    """Monthly, and yearly from 15 July on; cancelled for that day, and reactivated after it."""
    yearly = Term(6, 12, "EUR", datetime(2026, 4, 1, tzinfo=UTC))
    contract = Contract(date(2026, 1, 15), 1, "EUR", "Europe/Rome").with_term(yearly)

    assert new_contract(contract, date(2026, 7, 15), date(2026, 7, 18)).interval_months == 1
    assert new_contract(contract, date(2027, 7, 15), date(2027, 7, 18)).interval_months == 12


@given(
    st.dates(date(2020, 1, 1), date(2030, 12, 31)),
    st.sampled_from([3, 6, 12]),
    st.integers(-400, 1500),
)
def test_the_renewal_notice_is_due_a_week_before_the_last_day(start: date, interval: int, days: int) -> None:
    contract = Contract(start, interval, "EUR", "Europe/Rome")
    today = date.fromordinal(start.toordinal() + days)

    due = next_notice(contract, today)

    assert due is not None
    assert (due.stage, due.on >= today) == (EndingStage.NOTICE, True)
    last_day = date.fromordinal(due.on.toordinal() + 7)
    renewals = [day for _, day in zip(range(40), (each for _, each in contract.renewals(start)), strict=False)]
    assert last_day in {contract.last_day_to_avoid(renewal) for renewal in renewals[1:]}
