"""Our lists of countries and currencies against the maintained ones, so that they do not grow old."""

from decimal import Decimal

import eu_vat_rates_data
import iso4217
import pycountry
from billing.domain.countries import COUNTRIES
from billing.domain.currencies import MINOR_UNIT_DIGITS
from billing.domain.vat_rates import STANDARD_RATES

NOT_MONEY = {"BOV", "CHE", "CHW", "CLF", "COU", "MXV", "USN", "UYI", "UYW", "XAD"}
"""Funds and accounting units."""


def test_countries_are_those_of_iso_3166() -> None:
    assert {country.alpha_2 for country in pycountry.countries} == COUNTRIES


def test_currencies_and_their_digits_are_those_of_iso_4217() -> None:
    maintained = {
        currency.code: currency.exponent
        for currency in iso4217.Currency
        if currency.exponent is not None and currency.code not in NOT_MONEY
    }
    assert maintained == MINOR_UNIT_DIGITS


def test_the_vat_rates_of_the_union() -> None:
    """A rate that has changed stands in the maintained list: then its day belongs into ours."""
    listed = {
        country: Decimal(str(rate["standard"]))
        for country, rate in eu_vat_rates_data.get_all_rates().items()
        if rate["eu_member"]
    }

    assert {country: rates[-1][1] for country, rates in STANDARD_RATES.items()} == listed
    assert all([*rates] == sorted(rates) for rates in STANDARD_RATES.values())
