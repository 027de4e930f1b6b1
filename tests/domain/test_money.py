"""Amounts of money."""

from decimal import Decimal

import pytest
from billing.domain.money import Money, rounded
from hypothesis import given
from hypothesis import strategies as st


def test_halves_go_to_the_even_neighbour() -> None:
    assert [rounded(Decimal(text)) for text in ("0.5", "1.5", "2.5", "-0.5", "-1.5")] == [0, 2, 2, 0, -2]


@given(st.decimals(-(10**12), 10**12, allow_nan=False, places=6))
def test_rounding_moves_by_half_a_unit_at_most(amount: Decimal) -> None:
    assert abs(rounded(amount) - amount) <= Decimal("0.5")


def test_an_unknown_currency_is_no_money() -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        Money(1, "EURO")
