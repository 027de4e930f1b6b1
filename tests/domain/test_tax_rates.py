"""The tax of a seller outside of the EU, and exemptions: what holds, and what staff cannot enter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from billing.accounts.information import CompanyDetails
from billing.invoicing.exemptions.rules import NO_EXEMPTIONS, VATEX, Exemption, Exemptions, exempted
from billing.invoicing.exemptions.rules import check as check_exemptions
from billing.invoicing.tax import Certificate, Tax, TaxRule
from billing.invoicing.tax_rates.rules import (
    SellerAddress,
    TaxRate,
    TaxRates,
    TaxTreatment,
    check,
    first_change,
    has_own_rates,
    own_tax,
)
from billing.invoicing.vat_numbers.rules import tax_on_sale
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import RuleViolation
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
TODAY = NOW.date()
SINCE, RAISED = date(2018, 1, 1), date(2024, 1, 1)
ABROAD = {"en": "Zero-rated export"}
SWISS = (
    TaxRate("CH", SINCE, TaxTreatment.TAXED, "MWST", Decimal("7.7")),
    TaxRate("CH", RAISED, TaxTreatment.TAXED, "MWST", Decimal("8.1")),
    TaxRate("LI", SINCE, TaxTreatment.TAXED, "MWST", Decimal("8.1")),
    TaxRate(None, SINCE, TaxTreatment.ZERO_RATED, "MWST", Decimal(0), ABROAD),
)


def seller(country: str, *rates: TaxRate, postcode: str | None = None) -> SellerAddress:
    return SellerAddress(country, postcode, "City", TaxRates(rates, 1) if rates else None)


def buyer(country: str, postcode: str | None = None) -> CompanyDetails:
    return CompanyDetails("Company", "Street 1", None, postcode, "City", country, None)


GB = TaxRate("GB", SINCE, TaxTreatment.TAXED, "VAT", Decimal(20))
IGIC = TaxRate("ES", SINCE, TaxTreatment.TAXED, "IGIC", Decimal(7))
ELSEWHERE = TaxRate(None, SINCE, TaxTreatment.OUTSIDE_SCOPE, "GST", Decimal(0), ABROAD)


@pytest.mark.parametrize(
    ("sold_by", "to", "rule", "country", "rate"),
    [
        (seller("CH", *SWISS), buyer("CH"), TaxRule.OWN_RATE, "CH", "8.1"),
        (seller("CH", *SWISS), buyer("LI"), TaxRule.OWN_RATE, "LI", "8.1"),
        (seller("CH", *SWISS), buyer("DK"), TaxRule.ZERO_RATED, "CH", "0"),
        (seller("CH", *SWISS[:2]), buyer("DK"), TaxRule.SELLER_OUTSIDE_EU, "CH", "0"),
        (seller("CH"), buyer("CH"), TaxRule.RATE_MISSING, "CH", "0"),
        (seller("CH"), buyer("US"), TaxRule.SELLER_OUTSIDE_EU, "CH", "0"),
        (seller("NO", *SWISS), buyer("NO"), TaxRule.RATE_MISSING, "NO", "0"),
        # The United Kingdom and the Isle of Man are one area (Directive 2006/112/EC, article 7).
        (seller("GB", GB), buyer("IM"), TaxRule.OWN_RATE, "GB", "20"),
        (seller("IM", GB), buyer("GB"), TaxRule.OWN_RATE, "GB", "20"),
        (seller("GB", GB, ELSEWHERE), buyer("IE"), TaxRule.OUTSIDE_SCOPE, "GB", "0"),
        # The Canary Islands have a tax of their own, and the mainland does not have it.
        (seller("ES", IGIC, postcode="35001"), buyer("ES", "35002"), TaxRule.OWN_RATE, "ES", "7"),
        (seller("ES", IGIC, postcode="35001"), buyer("ES", "28001"), TaxRule.SELLER_OUTSIDE_EU, "ES", "0"),
        (
            seller("ES", IGIC, ELSEWHERE, postcode="35001"),
            buyer("ES", "28001"),
            TaxRule.OUTSIDE_SCOPE,
            "ES",
            "0",
        ),
    ],
)
def test_the_rates_of_staff_hold_for_a_seller_without_the_vat_of_a_member_state(
    sold_by: SellerAddress, to: CompanyDetails, rule: TaxRule, country: str, rate: str
) -> None:
    tax = tax_on_sale(sold_by, to, TODAY, None, None, NO_EXEMPTIONS)

    assert (tax.rule, tax.country, tax.rate) == (rule, country, Decimal(rate))


def test_the_first_day_of_the_period_picks_the_rate() -> None:
    days = {date(2017, 12, 31): None, SINCE: "7.7", RAISED - timedelta(days=1): "7.7", RAISED: "8.1"}

    for day, rate in days.items():
        tax = own_tax(seller("CH", *SWISS), buyer("CH"), day)
        assert tax is not None
        assert (tax.rule is TaxRule.RATE_MISSING, tax.rate) == (rate is None, Decimal(rate or 0))


def test_a_seller_with_the_vat_of_a_member_state_has_no_rates_of_staff() -> None:
    for place in (seller("DK", *SWISS), seller("MC", *SWISS), seller("AX", *SWISS)):
        assert own_tax(place, buyer("CH"), TODAY) is None
        assert not has_own_rates(place, TODAY)


def test_tax_is_rounded_once_half_away_from_zero() -> None:
    """8.1 % of 50 cents is 4.05, of 500 it is 40.5: a half goes up, below zero down."""
    tax = Tax(TaxRule.OWN_RATE, "CH", Decimal("8.1"))

    assert (tax.of(50), tax.of(500), tax.of(-500)) == (4, 41, -41)
    assert Tax(TaxRule.OWN_RATE, "CA", Decimal("9.9750")).of(100_000) == 9_975


def entry(**changes: Any) -> TaxRate:
    return replace(SWISS[0], **{"valid_from": TODAY + timedelta(days=60), **changes})


def violations(rates: Sequence[TaxRate], before: TaxRates, at: str = "CH") -> set[tuple[str, str]]:
    try:
        check(rates, before, seller(at), NOW)
    except RuleViolation as refused:
        return {(".".join(map(str, each.path)), each.code.value) for each in refused.violations}
    return set()


KEPT = TaxRates(SWISS, 1)


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        (SWISS, set()),
        ((*SWISS, entry()), set()),
        ((*SWISS, replace(SWISS[1], valid_from=TODAY)), {("rates.4.valid_from", "too-early")}),
        ((*SWISS, replace(SWISS[1], valid_from=TODAY + timedelta(days=1))), {("rates.4.valid_from", "too-early")}),
        ((*SWISS, replace(SWISS[1], valid_from=TODAY + timedelta(days=2))), set()),
        (SWISS[1:], {("rates", "missing")}),
        ((replace(SWISS[0], rate=Decimal(8)), *SWISS[1:]), {("rates", "missing"), ("rates.0.valid_from", "too-early")}),
        ((*SWISS, SWISS[1]), {("rates.4.valid_from", "duplicate")}),
        ((*SWISS, entry(rate=Decimal(0))), {("rates.4.rate", "too-small")}),
        ((*SWISS, entry(treatment=TaxTreatment.EXPORT, words=ABROAD)), {("rates.4.rate", "too-large")}),
        ((*SWISS, entry(treatment=TaxTreatment.EXEMPT, rate=Decimal(0))), {("rates.4.words", "missing")}),
        ((*SWISS, entry(country="IM")), {("rates.4.country", "unsupported")}),
        ((*SWISS, entry(country="SE", valid_from=SINCE)), {("rates.4.valid_from", "too-early")}),
    ],
)
def test_what_holds_stays_and_what_is_new_begins_later(rates: Sequence[TaxRate], expected: set[Any]) -> None:
    assert violations(rates, KEPT) == expected


def test_the_first_table_and_the_first_rate_at_home_may_begin_on_any_day() -> None:
    assert violations(SWISS, TaxRates()) == set()
    foreign = TaxRates(SWISS[2:], 1)
    assert violations(SWISS, foreign) == set(), "no invoice was issued without the rate at home"
    to_come = TaxRates((replace(SWISS[0], valid_from=TODAY + timedelta(days=60)),), 3)
    assert violations(SWISS, to_come) == set(), "none has begun"
    assert violations((replace(SWISS[3], valid_from=TODAY), *SWISS[:2]), TaxRates(SWISS[:2], 1)) != set()


@given(hours=st.integers(0, 10_000))
def test_a_rate_changes_on_no_day_that_has_begun_anywhere(hours: int) -> None:
    at = NOW + timedelta(hours=hours)

    assert first_change(at) > at.astimezone(ZoneInfo("Pacific/Kiritimati")).date()


CERTIFICATE = Certificate("R-1", "Ministry", date(2026, 1, 2))
FIRST = date(2026, 7, 1)
EMBASSY = Exemption("VATEX-EU-151-1A", {"en": "Exempt: embassy"}, CERTIFICATE, FIRST, date(2027, 7, 1))
DOMESTIC = Tax(TaxRule.DOMESTIC, "DK", Decimal(25))


def test_an_exemption_takes_what_is_charged_while_it_holds() -> None:
    held = Exemptions((EMBASSY,))
    expected = {date(2026, 6, 30): "25", FIRST: "0", date(2027, 6, 30): "0", date(2027, 7, 1): "25"}

    assert {day: str(exempted(DOMESTIC, held, day).rate) for day in expected} == expected
    tax = exempted(DOMESTIC, held, FIRST)
    assert (tax.rule, tax.code, tax.certificate, tax.sentence("it")) == (
        TaxRule.EXEMPT,
        EMBASSY.code,
        CERTIFICATE,
        "Exempt: embassy",
    )


def test_an_exemption_leaves_what_is_not_charged_and_needs_no_rate() -> None:
    held = Exemptions((EMBASSY,))
    reverse = Tax(TaxRule.REVERSE_CHARGE, "IT", Decimal(0))

    assert exempted(reverse, held, FIRST) == reverse
    missing = tax_on_sale(seller("CH"), buyer("CH"), FIRST, None, None, held)
    assert missing.rule is TaxRule.EXEMPT


def refused(
    wanted: Sequence[Exemption], before: Exemptions = NO_EXEMPTIONS, *, vat: bool = True
) -> set[tuple[str, str]]:
    try:
        check_exemptions(wanted, before, FIRST, TODAY, has_vat=vat)
    except RuleViolation as refused:
        return {(".".join(map(str, each.path)), each.code.value) for each in refused.violations}
    return set()


BEGUN = replace(EMBASSY, valid_from=date(2026, 1, 1), valid_until=None)
OVER = replace(EMBASSY, valid_from=date(2025, 1, 1), valid_until=date(2026, 1, 1))


@pytest.mark.parametrize(
    ("wanted", "before", "expected"),
    [
        ([EMBASSY], NO_EXEMPTIONS, set()),
        ([], Exemptions((EMBASSY,)), set()),
        ([replace(EMBASSY, code="embassy")], NO_EXEMPTIONS, {("exemptions.0.code", "not-allowed")}),
        ([replace(EMBASSY, valid_from=date(2026, 6, 30))], NO_EXEMPTIONS, {("exemptions.0.valid_from", "too-early")}),
        ([replace(EMBASSY, valid_until=FIRST)], NO_EXEMPTIONS, {("exemptions.0.valid_until", "too-early")}),
        (
            [replace(EMBASSY, certificate=replace(CERTIFICATE, issued_on=TODAY + timedelta(days=1)))],
            NO_EXEMPTIONS,
            {("exemptions.0.certificate.issued_on", "too-late")},
        ),
        ([EMBASSY, EMBASSY], NO_EXEMPTIONS, {("exemptions.1.valid_from", "overlapping")}),
        ([BEGUN, EMBASSY], Exemptions((BEGUN,)), {("exemptions.1.valid_from", "overlapping")}),
        ([replace(BEGUN, valid_until=FIRST), EMBASSY], Exemptions((BEGUN,)), set()),
        (
            [replace(BEGUN, valid_until=date(2026, 6, 1))],
            Exemptions((BEGUN,)),
            {("exemptions.0.valid_until", "too-early")},
        ),
        ([], Exemptions((BEGUN,)), {("exemptions", "missing")}),
        (
            [replace(BEGUN, words={"en": "Other"})],
            Exemptions((BEGUN,)),
            {("exemptions", "missing"), ("exemptions.0.valid_from", "too-early")},
        ),
        ([replace(OVER, valid_until=None)], Exemptions((OVER,)), {("exemptions.0.valid_until", "not-allowed")}),
        ([OVER, EMBASSY], Exemptions((OVER,)), set()),
    ],
)
def test_what_invoices_rely_on_stays(
    wanted: list[Exemption], before: Exemptions, expected: set[tuple[str, str]]
) -> None:
    assert refused(wanted, before) == expected


def test_a_seller_outside_of_the_eu_gives_the_reason_in_free_words() -> None:
    assert refused([replace(EMBASSY, code="Resale certificate")], vat=False) == set()
    assert len(VATEX) == len({*VATEX})


def test_staff_hear_once_of_each_end_that_nothing_follows() -> None:
    contract = Contract(date(2026, 1, 1), 1, "EUR", "Europe/Copenhagen")
    following = replace(EMBASSY, valid_from=date(2027, 7, 1), valid_until=date(2028, 1, 1))
    one = NO_EXEMPTIONS.replaced_by([EMBASSY], TODAY)
    both = one.replaced_by([EMBASSY, following], TODAY)

    assert (one.next_end, both.next_end) == (date(2027, 7, 1), date(2028, 1, 1))
    assert one.warned_at(contract) == datetime(2027, 5, 31, 22, tzinfo=UTC)
    told = replace(one, told_through=one.next_end)
    assert told.next_end is None
    assert told.replaced_by([EMBASSY], TODAY).next_end is None
    longer = replace(EMBASSY, valid_until=date(2027, 9, 1))
    assert told.replaced_by([longer], TODAY).next_end == date(2027, 9, 1)
    shorter = replace(EMBASSY, valid_until=date(2026, 9, 1))
    assert told.replaced_by([shorter], TODAY).next_end == date(2026, 9, 1)
    assert NO_EXEMPTIONS.replaced_by([OVER], TODAY).next_end is None, "it is over"
