"""Rounding and currencies of amounts (DESIGN 3.3)."""

from decimal import Decimal

import pytest
from billing.kernel.money import Money, rounded, rounded_tax
from hypothesis import given
from hypothesis import strategies as st


def test_amounts_round_half_to_even() -> None:
    assert [rounded(Decimal(text)) for text in ("0.5", "1.5", "2.5", "-0.5", "-1.5")] == [0, 2, 2, 0, -2]


def test_tax_rounds_half_away_from_zero() -> None:
    assert [rounded_tax(Decimal(text)) for text in ("0.5", "312.5", "-0.5", "-312.5")] == [1, 313, -1, -313]


@given(st.decimals(-(10**12), 10**12, allow_nan=False, places=6))
def test_rounding_changes_an_amount_by_at_most_half_a_minor_unit(amount: Decimal) -> None:
    assert abs(rounded(amount) - amount) <= Decimal("0.5")
    assert abs(rounded_tax(amount) - amount) <= Decimal("0.5")
    assert rounded_tax(-amount) == -rounded_tax(amount)


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        Money(1, "EURO")
