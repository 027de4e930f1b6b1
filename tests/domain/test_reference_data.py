"""Compares our lists of countries, currencies and VAT rates with the maintained ones."""

import re
from collections import Counter
from datetime import date
from decimal import Decimal

import eu_vat_rates_data
import iso4217
import pycountry
from billing.invoicing.vat_rates import STANDARD_RATES
from billing.invoicing.vat_territories import ENTRIES
from billing.kernel.countries import COUNTRIES
from billing.kernel.currencies import MINOR_UNIT_DIGITS

NOT_MONEY = {"BOV", "CHE", "CHW", "CLF", "COU", "MXV", "USN", "UYI", "UYW", "XAD"}
"""Codes of funds and accounting units."""


def test_countries_are_those_of_iso_3166() -> None:
    assert {country.alpha_2 for country in pycountry.countries} == COUNTRIES


def test_currencies_and_their_digits_are_those_of_iso_4217() -> None:
    maintained = {
        currency.code: currency.exponent
        for currency in iso4217.Currency
        if currency.exponent is not None and currency.code not in NOT_MONEY
    }
    assert maintained == MINOR_UNIT_DIGITS


def test_vat_rates_are_those_of_the_european_commission() -> None:
    """If it fails, a rate has changed: add the rate and its first day to vat_rates.py."""
    listed = {
        country: Decimal(str(rate["standard"]))
        for country, rate in eu_vat_rates_data.get_all_rates().items()
        if rate["eu_member"]
    }

    assert {country: rates[-1][1] for country, rates in STANDARD_RATES.items()} == listed
    assert all([*rates] == sorted(rates) for rates in STANDARD_RATES.values())


def test_each_code_and_postcode_names_one_vat_territory_and_each_has_a_source() -> None:
    now = [entry for entry in ENTRIES if entry.holds(date(2026, 11, 23))]
    named = Counter(
        name
        for entry in now
        for name in (
            *entry.codes,
            *((country, code) for country, codes in entry.postcodes.items() for code in codes.split()),
        )
    )

    assert set(named.values()) == {1}
    assert len({entry.territory.name for entry in now}) == len(now)
    for entry in ENTRIES:
        assert entry.source
        assert {*entry.codes, *entry.postcodes, *entry.shared, *entry.towns, entry.territory.state} <= COUNTRIES
        assert entry.codes or entry.postcodes, "no address can name it"
        assert entry.shared.keys() <= entry.towns.keys(), "a shared postcode needs the town"
        assert entry.towns.keys() <= entry.postcodes.keys(), "towns of a country without postcodes are ignored"
        codes = " ".join([*entry.postcodes.values(), *entry.shared.values()]).split()
        assert all(re.fullmatch(r"[A-Z]*[0-9]*x*[*]?([A-Z]+)?", code) for code in codes), codes
        assert [*entry.territory.rates] == sorted(entry.territory.rates)


def test_vat_territories_have_the_rates_and_areas_of_their_state() -> None:
    for territory in (entry.territory for entry in ENTRIES):
        if territory.in_vat_area or territory.has_vat:
            assert territory.state in STANDARD_RATES
        assert territory.has_vat or not territory.in_vat_area
        assert territory.has_vat or not territory.rates
