"""VAT by the territories of seller and buyer (DESIGN 3.3.5)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from billing.accounts.information import CompanyDetails
from billing.invoicing.tax import SENTENCES, THIRD_TERRITORY, Tax, TaxRule, tax_between
from billing.invoicing.vat_rates import STANDARD_RATES, rate_on
from hypothesis import given
from hypothesis import strategies as st

TODAY = date(2026, 11, 23)
COUNTRIES = st.sampled_from([*STANDARD_RATES, "GB", "US", "CH", "NO", "MC", "IM", "AX", "GP", "GF", "SM"])
POSTCODES = st.sampled_from([None, "35001", "22100", "97110", "9000-123", "6691", "78266", "00120", "BFPO 57", "x"])


def at(country: str, postcode: str | None = None, city: str = "", vat_number: str | None = None) -> CompanyDetails:
    return CompanyDetails("Nordlys", "1", None, postcode, city, country, vat_number)


def tax_position(seller: str, country: str, vat_number: str | None, day: date) -> Tax:
    return tax_between(at(seller), at(country, vat_number=vat_number), day)


@pytest.mark.parametrize(
    ("seller", "buyer", "vat_number", "rule", "rate"),
    [
        ("DK", "DK", "DK12345674", TaxRule.DOMESTIC, "25"),
        ("DK", "DK", None, TaxRule.DOMESTIC, "25"),
        ("DK", "IT", "IT01234560371", TaxRule.REVERSE_CHARGE, "0"),
        ("DK", "IT", None, TaxRule.DESTINATION, "22"),
        ("DK", "GR", "EL123456783", TaxRule.REVERSE_CHARGE, "0"),
        ("GR", "GR", "EL123456783", TaxRule.DOMESTIC, "24"),
        # A number of the seller's own country is not from another member state.
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
def test_the_countries_and_the_vat_number_decide_the_rule_and_the_rate(
    seller: str, buyer: str, vat_number: str | None, rule: TaxRule, rate: str
) -> None:
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
def test_a_rate_applies_from_its_first_day(country: str, day: date, rate: str) -> None:
    assert rate_on(STANDARD_RATES[country], day) == Decimal(rate)


def test_tax_is_rounded_once_half_away_from_zero() -> None:
    tax = tax_position("DK", "DK", None, TODAY)

    assert [tax.of(net) for net in (2, 6, 10, 101, 1250)] == [1, 2, 3, 25, 313]


@given(st.integers(-(10**9), 10**9), st.sampled_from(["8.5", "19", "22", "25", "25.5"]))
def test_the_sign_does_not_change_the_tax(net: int, rate: str) -> None:
    tax = Tax(TaxRule.DOMESTIC, "DK", Decimal(rate))

    assert tax.of(-net) == -tax.of(net)
    assert abs(tax.of(net) * 1000 - net * int(Decimal(rate) * 10)) <= 500, "in thousandths: half a unit at most"


def test_the_sentence_that_the_law_requires_exists_in_every_language() -> None:
    reverse = tax_position("DK", "IT", "IT01234560371", TODAY)

    assert "Article 196" in str(reverse.sentence("en"))
    assert "articolo 196" in str(reverse.sentence("it"))
    assert reverse.sentence("xx") == reverse.sentence("en")
    assert tax_position("DK", "DK", None, TODAY).sentence("en") is None
    assert all({"en", "it"} <= words.keys() for words in SENTENCES.values())


@given(
    seller=st.builds(at, COUNTRIES, POSTCODES),
    buyer=st.builds(at, COUNTRIES, POSTCODES, vat_number=st.none() | st.text(max_size=6)),
    net=st.integers(0, 10**9),
)
def test_tax_is_charged_exactly_under_the_rules_that_charge_it(
    seller: CompanyDetails, buyer: CompanyDetails, net: int
) -> None:
    tax = tax_between(seller, buyer, TODAY)

    charged = tax.rule in {TaxRule.DOMESTIC, TaxRule.DESTINATION}
    assert charged == (tax.rate > 0)
    assert 0 <= tax.of(net) <= net


# ---- A territory is not a country ----

OUTSIDE = [
    ("ES", "N/A", "Las Palmas"),
    ("ES", "-", "Ceuta"),
    ("ES", "35001", "Las Palmas de Gran Canaria"),
    ("ES", "ES-38001", "Santa Cruz de Tenerife"),
    ("ES", "E-38 001", "Santa Cruz de Tenerife"),
    ("ES", "\uff13\uff15\uff10\uff10\uff11", "Las Palmas"),
    ("ES", "\u0663\u0665\u0660\u0660\u0661", "Las Palmas"),
    ("ES", "35\u200b001", "Las Palmas"),
    ("ES", None, "Las Palmas de Gran Canaria"),
    ("ES", "51001", "Ceuta"),
    ("ES", "52001", "Melilla"),
    ("ES", None, "Melilla"),
    ("DE", "78266", "Büsingen"),
    ("DE", "D-78266", "Büsingen"),
    ("DE", "CH-8238", "Büsingen"),
    ("DE", None, "Bu\u0308singen am Hochrhein"),
    ("DE", "D\u201327498", "Helgoland"),
    ("IT", "23041", "Livigno"),
    ("IT", "23030", "Livigno (SO)"),
    ("IT", "I-22061", "Campione d'Italia"),
    ("IT", "22060", "Campione d\u2019Italia"),
    ("IT", "47890", "San Marino"),
    ("IT", "00120", "Città del Vaticano"),
    ("FI", "22100", "Mariehamn"),
    ("FI", "FI-22100", "Mariehamn"),
    ("FI", "AX-22100", "Mariehamn"),
    ("AX", "22100", "Mariehamn"),
    ("AX", None, "Mariehamn"),
    ("GR", "630 86", "Karyes"),
    ("GR", "GR-63087", "Dafni"),
    ("FR", "97110", "Pointe-à-Pitre"),
    ("FR", "F-97200", "Fort-de-France"),
    ("FR", "97300", "Cayenne"),
    ("FR", "97400 CEDEX 9", "Saint-Denis"),
    ("FR", "97500", "Saint-Pierre"),
    ("FR", "97600", "Mamoudzou"),
    ("FR", "97150", "Saint-Martin"),
    ("FR", "97133", "Saint-Barthélemy"),
    ("FR", "98600", "Mata-Utu"),
    ("FR", "98714", "Papeete"),
    ("FR", "98800", "Nouméa"),
    ("GP", "97110", "Pointe-à-Pitre"),
    ("MQ", None, "Fort-de-France"),
    ("RE", None, "Saint-Denis"),
    ("GF", None, "Cayenne"),
    ("YT", None, "Mamoudzou"),
    ("MF", None, "Marigot"),
    ("CY", "99300", "Famagusta"),
    ("DK", "3900", "Nuuk"),
    ("DK", "FO-100", "Tórshavn"),
    ("GL", "3900", "Nuuk"),
    ("GB", "BT1 5GS", "Belfast"),
    ("GB", "IM1 1AA", "Douglas"),
    ("IM", "IM1 1AA", "Douglas"),
    ("JE", "JE2 3AB", "St Helier"),
    ("SM", "47890", "San Marino"),
    ("GI", "GX11 1AA", "Gibraltar"),
]

INSIDE = [
    ("MC", "98000", "Monaco", "FR", "20"),
    ("MC", None, "Monaco", "FR", "20"),
    ("FR", "98000", "Monaco", "FR", "20"),
    ("FR", "20000", "Ajaccio", "FR", "20"),
    ("FR", "75001", "Paris", "FR", "20"),
    ("FR", "9710", "Foix, without its zero", "FR", "20"),
    ("GB", "BFPO 57", "Akrotiri", "CY", "19"),
    ("GB", "bf1 2au", "Dhekelia", "CY", "19"),
    ("CY", "4640", "Akrotiri", "CY", "19"),
    ("ES", "28001", "Madrid", "ES", "21"),
    ("ES", "07001", "Palma", "ES", "21"),
    ("ES", "5101", "Ávila, without its zero", "ES", "21"),
    ("ES", None, "Madrid", "ES", "21"),
    ("IT", "23030", "Villa di Tirano", "IT", "22"),
    ("IT", "22060", "Cabiate", "IT", "22"),
    ("AT", "6691", "Jungholz", "AT", "19"),
    ("AT", "A-6691", "Jungholz", "AT", "19"),
    ("AT", "87491", "Jungholz", "AT", "19"),
    ("DE", "D-87491", "Jungholz", "AT", "19"),
    ("AT", "6991", "Riezlern", "AT", "19"),
    ("AT", "AT-6992", "Hirschegg", "AT", "19"),
    ("AT", "6993", "Mittelberg", "AT", "19"),
    ("AT", "6900", "Bregenz", "AT", "20"),
    ("AT", "3550", "Mittelberg by Langenlois", "AT", "20"),
    ("PT", "9000-123", "Funchal", "PT", "22"),
    ("PT", "P-9400 123", "Porto Santo", "PT", "22"),
    ("PT", "9000", "Funchal", "PT", "22"),
    ("PT", "9500-150", "Ponta Delgada", "PT", "16"),
    ("PT", "PT 9980-024", "Corvo", "PT", "16"),
    ("PT", "1000-001", "Lisboa", "PT", "23"),
    ("GR", "63075", "Ouranoupoli", "GR", "24"),
    ("GR", "82100", "Chios", "GR", "24"),
    ("FI", "21100", "Naantali", "FI", "25.5"),
    ("SE", "22100", "Lund", "SE", "25"),
    ("DE", "78267", "Aach", "DE", "19"),
]


@pytest.mark.parametrize(("country", "postcode", "city"), OUTSIDE)
@pytest.mark.parametrize("vat_number", [None, "DE136695976"])
def test_a_buyer_outside_of_the_vat_area_pays_no_vat(
    country: str, postcode: str | None, city: str, vat_number: str | None
) -> None:
    """A VAT number makes no difference: reverse charge exists only within the area."""
    tax = tax_between(at("SE"), at(country, postcode, city, vat_number), TODAY)

    assert (tax.rule, tax.rate, tax.is_subject) == (TaxRule.OUTSIDE_EU, Decimal(0), False)
    in_a_member_state = "VAT territory" in str(tax.sentence("en"))
    assert in_a_member_state == (tax.country in STANDARD_RATES)
    assert "Article" in str(tax.sentence("en"))


@pytest.mark.parametrize(("country", "postcode", "city", "state", "rate"), INSIDE)
def test_a_buyer_inside_of_the_vat_area_pays_the_rate_of_their_territory(
    country: str, postcode: str | None, city: str, state: str, rate: str
) -> None:
    tax = tax_between(at("SI"), at(country, postcode, city), TODAY)
    with_number = tax_between(at("SI"), at(country, postcode, city, "DE136695976"), TODAY)

    assert (tax.rule, tax.country, tax.rate) == (TaxRule.DESTINATION, state, Decimal(rate))
    assert (with_number.rule, with_number.rate) == (TaxRule.REVERSE_CHARGE, Decimal(0))


@pytest.mark.parametrize(
    ("seller", "buyer", "rule", "country", "rate"),
    [
        # Territories treated as part of a state.
        (at("FR"), at("MC", vat_number="FR53000004605"), TaxRule.DOMESTIC, "FR", "20"),
        (at("MC"), at("FR"), TaxRule.DOMESTIC, "FR", "20"),
        (at("MC"), at("DK"), TaxRule.DESTINATION, "DK", "25"),
        (at("MC"), at("DK", vat_number="DK12345674"), TaxRule.REVERSE_CHARGE, "DK", "0"),
        (at("DK"), at("MC", vat_number="FR53000004605"), TaxRule.REVERSE_CHARGE, "FR", "0"),
        (at("GB", "BFPO 57"), at("CY"), TaxRule.DOMESTIC, "CY", "19"),
        (at("IM"), at("DK"), TaxRule.SELLER_OUTSIDE_EU, "GB", "0"),
        # Within a state, too, the rate is that of the buyer's territory.
        (at("PT", "9000-123"), at("PT", "1000-001"), TaxRule.DOMESTIC, "PT", "23"),
        (at("PT", "1000-001"), at("PT", "9500-150"), TaxRule.DOMESTIC, "PT", "16"),
        (at("AT", "6691"), at("AT", "1010"), TaxRule.DOMESTIC, "AT", "20"),
        (at("AT", "1010"), at("AT", "6993"), TaxRule.DOMESTIC, "AT", "19"),
        (at("DE", "80331"), at("DE", "87491"), TaxRule.DESTINATION, "AT", "19"),
        # Outside of the area, but with the state's own VAT.
        (at("FI"), at("AX"), TaxRule.DOMESTIC, "FI", "25.5"),
        (at("AX"), at("FI", "00100"), TaxRule.DOMESTIC, "FI", "25.5"),
        (at("AX"), at("SE"), TaxRule.SELLER_OUTSIDE_EU, "FI", "0"),
        (at("FR"), at("GP"), TaxRule.DOMESTIC, "FR", "8.5"),
        (at("FR", "97400"), at("FR", "97200"), TaxRule.DOMESTIC, "FR", "8.5"),
        (at("RE"), at("FR", "75001"), TaxRule.DOMESTIC, "FR", "20"),
        (at("RE"), at("DE"), TaxRule.SELLER_OUTSIDE_EU, "FR", "0"),
        (at("FR"), at("GF"), TaxRule.OUTSIDE_EU, "FR", "0"),
        # Outside of the area and of the state's own VAT.
        (at("ES"), at("ES", "35001", vat_number="ESA13585625"), TaxRule.OUTSIDE_EU, "ES", "0"),
        (at("ES", "35001"), at("ES", "28001"), TaxRule.SELLER_OUTSIDE_EU, "ES", "0"),
        (at("ES", "35001"), at("ES", "35002"), TaxRule.SELLER_OUTSIDE_EU, "ES", "0"),
        (at("DE"), at("DE", "27498"), TaxRule.OUTSIDE_EU, "DE", "0"),
        (at("IT"), at("IT", "23041", vat_number="IT00743110157"), TaxRule.OUTSIDE_EU, "IT", "0"),
        # Northern Ireland's prefix is not from a member state: it is in the area for goods only.
        (at("DK"), at("GB", "BT1 5GS", vat_number="XI980780684"), TaxRule.OUTSIDE_EU, "GB", "0"),
        (at("DK"), at("IE", vat_number="XI980780684"), TaxRule.DESTINATION, "IE", "23"),
        (at("DK"), at("IE", vat_number="GB980780684"), TaxRule.DESTINATION, "IE", "23"),
        # Older accounts have their numbers as typed, not normalised.
        (at("DK"), at("IT", vat_number="\uff29\uff34\uff10\uff10743110157"), TaxRule.REVERSE_CHARGE, "IT", "0"),
        (at("DK"), at("IT", vat_number="\u200bit00743110157"), TaxRule.REVERSE_CHARGE, "IT", "0"),
        (at("DK"), at("IT", vat_number="IT\u0660\u0660743110157"), TaxRule.REVERSE_CHARGE, "IT", "0"),
    ],
)
def test_sellers_and_buyers_in_territories(
    seller: CompanyDetails, buyer: CompanyDetails, rule: TaxRule, country: str, rate: str
) -> None:
    tax = tax_between(seller, buyer, TODAY)

    assert (tax.rule, tax.country, tax.rate) == (rule, country, Decimal(rate))


def test_the_sentence_for_third_territories_exists_in_every_language() -> None:
    tax = tax_between(at("DK"), at("ES", "35001"), TODAY)

    assert "Articles 5, 6 and 44" in str(tax.sentence("en"))
    assert "articoli 5, 6 e 44" in str(tax.sentence("it"))
    assert SENTENCES.keys() >= {tax.rule}
    assert SENTENCES[tax.rule].keys() == THIRD_TERRITORY.keys()
