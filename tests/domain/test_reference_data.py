"""Our lists of countries and currencies against the maintained ones, so that they do not grow old."""

import iso4217
import pycountry
from billing.domain.countries import COUNTRIES
from billing.domain.currencies import MINOR_UNIT_DIGITS

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
