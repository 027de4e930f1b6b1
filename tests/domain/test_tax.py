"""VAT, by where seller and buyer are."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from billing.domain.tax import SENTENCES, Tax, TaxRule, tax_position
from billing.domain.vat_rates import STANDARD_RATES, standard_rate
from hypothesis import given
from hypothesis import strategies as st

TODAY = date(2026, 11, 23)
COUNTRIES = st.sampled_from([*STANDARD_RATES, "GB", "US", "CH", "NO"])


@pytest.mark.parametrize(
    ("seller", "buyer", "vat_number", "rule", "rate"),
    [
        ("DK", "DK", "DK12345674", TaxRule.DOMESTIC, "25"),
        ("DK", "DK", None, TaxRule.DOMESTIC, "25"),
        ("DK", "IT", "IT01234560371", TaxRule.REVERSE_CHARGE, "0"),
        ("DK", "IT", None, TaxRule.DESTINATION, "22"),
        ("DK", "GR", "EL123456783", TaxRule.REVERSE_CHARGE, "0"),
        ("GR", "GR", "EL123456783", TaxRule.DOMESTIC, "24"),
        # A number of the seller's own country is none of another member state.
        ("DK", "SE", "DK12345674", TaxRule.DESTINATION, "25"),
        # A company in one member state may be registered in another.
        ("DK", "SE", "DE136695976", TaxRule.REVERSE_CHARGE, "0"),
        ("DK", "GB", None, TaxRule.OUTSIDE_EU, "0"),
        ("DK", "GB", "GB999999973", TaxRule.OUTSIDE_EU, "0"),
        ("DK", "US", None, TaxRule.OUTSIDE_EU, "0"),
        ("US", "DK", None, TaxRule.SELLER_OUTSIDE_EU, "0"),
        ("GB", "GB", None, TaxRule.SELLER_OUTSIDE_EU, "0"),
    ],
)
def test_the_position(seller: str, buyer: str, vat_number: str | None, rule: TaxRule, rate: str) -> None:
    tax = tax_position(seller, buyer, vat_number, TODAY)

    assert (tax.rule, tax.rate) == (rule, Decimal(rate))


@pytest.mark.parametrize(
    ("country", "day", "rate"),
    [
        ("FI", date(2024, 8, 31), "24"),
        ("FI", date(2024, 9, 1), "25.5"),
        ("EE", date(2025, 6, 30), "22"),
        ("EE", date(2025, 7, 1), "24"),
        ("SK", date(2025, 1, 1), "23"),
        ("RO", date(2025, 8, 1), "21"),
        ("RO", date(2025, 7, 31), "19"),
        ("DE", date(2020, 1, 1), "19"),
    ],
)
def test_a_rate_holds_from_its_day(country: str, day: date, rate: str) -> None:
    assert standard_rate(country, day) == Decimal(rate)


def test_tax_is_rounded_once_half_away_from_zero() -> None:
    tax = tax_position("DK", "DK", None, TODAY)

    assert [tax.of(net) for net in (2, 6, 10, 101, 1250)] == [1, 2, 3, 25, 313]


@given(st.integers(-(10**9), 10**9), st.sampled_from(["8.5", "19", "22", "25", "25.5"]))
def test_the_sign_does_not_change_the_tax(net: int, rate: str) -> None:
    tax = Tax(TaxRule.DOMESTIC, "DK", Decimal(rate))

    assert tax.of(-net) == -tax.of(net)
    assert abs(tax.of(net) * 1000 - net * int(Decimal(rate) * 10)) <= 500, "in thousandths: half a unit at most"


def test_the_law_has_its_sentence_in_every_language() -> None:
    reverse = tax_position("DK", "IT", "IT01234560371", TODAY)

    assert "Article 196" in str(reverse.sentence("en"))
    assert "articolo 196" in str(reverse.sentence("it"))
    assert reverse.sentence("xx") == reverse.sentence("en")
    assert tax_position("DK", "DK", None, TODAY).sentence("en") is None
    assert all({"en", "it"} <= words.keys() for words in SENTENCES.values())


@given(seller=COUNTRIES, buyer=COUNTRIES, vat_number=st.none() | st.text(max_size=6), net=st.integers(0, 10**9))
def test_there_is_always_exactly_one_rule(seller: str, buyer: str, vat_number: str | None, net: int) -> None:
    tax = tax_position(seller, buyer, vat_number, TODAY)

    charged = tax.rule in {TaxRule.DOMESTIC, TaxRule.DESTINATION}
    assert charged == (tax.rate > 0)
    assert 0 <= tax.of(net) <= net
