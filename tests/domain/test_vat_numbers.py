"""What VIES's answers mean for invoices, and when VIES is asked again (DESIGN 3.3.11)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from billing.accounts.information import CompanyDetails
from billing.accounts.vat_number_due import FIRST_WAIT_SECONDS, WAIT_SECONDS_MAX, VatNumberDue
from billing.invoicing.exemptions.rules import NO_EXEMPTIONS
from billing.invoicing.settings import UnconfirmedVatNumber
from billing.invoicing.tax import TaxRule
from billing.invoicing.vat_numbers.rules import (
    CONFIRMED_FOR_DAYS,
    OUTAGE_FORGOTTEN_AFTER,
    OUTAGE_TOLD_AFTER,
    Answer,
    Outage,
    Treatment,
    VatNumberCheck,
    VatNumberDecision,
    VatResult,
    after_no_answer,
    asked_number,
    next_check,
    tax_on_sale,
    treatment,
)
from billing.kernel.contract_calendar import INTERVALS_MONTHS, Contract
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
TODAY = NOON.date()
NUMBER = "DE136695976"
BUYER = CompanyDetails("Nordlicht", "1", None, "10115", "Berlin", "DE", NUMBER)
SELLER = replace(BUYER, country="DK", postcode="1050", vat_number="DK10000009")
HOLD, CHARGE, CONTINUE = UnconfirmedVatNumber

STAFF_SAY_YES = VatNumberDecision(Treatment.REVERSE_CHARGE, "Confirmed in writing", "staff-1", NOON)
STAFF_SAY_NO = replace(STAFF_SAY_YES, treatment=Treatment.CHARGE_TAX)
VALID = VatNumberCheck(NUMBER, VatResult.VALID, answered_on=TODAY)
INVALID = VatNumberCheck(NUMBER, VatResult.INVALID, answered_on=TODAY)
BLOCKED = VatNumberCheck(NUMBER, VatResult.NOT_CONFIRMED, "VAT_BLOCKED", answered_on=TODAY)
ANOTHER = replace(INVALID, number="DE129273398")


@pytest.mark.parametrize(
    ("check", "held", "charged", "continued"),
    [
        (VALID, Treatment.REVERSE_CHARGE, Treatment.REVERSE_CHARGE, Treatment.REVERSE_CHARGE),
        (INVALID, Treatment.HOLD, Treatment.CHARGE_TAX, Treatment.REVERSE_CHARGE),
        (BLOCKED, Treatment.HOLD, Treatment.CHARGE_TAX, Treatment.REVERSE_CHARGE),
        # Without an answer about this number no tax is charged.
        (None, Treatment.HOLD, Treatment.REVERSE_CHARGE, Treatment.REVERSE_CHARGE),
        (ANOTHER, Treatment.HOLD, Treatment.REVERSE_CHARGE, Treatment.REVERSE_CHARGE),
        # Staff's decision comes before any answer but a confirmation, which removes it.
        (replace(INVALID, decision=STAFF_SAY_YES), *[Treatment.REVERSE_CHARGE] * 3),
        (replace(INVALID, decision=STAFF_SAY_NO), *[Treatment.CHARGE_TAX] * 3),
        (VatNumberCheck(NUMBER, decision=STAFF_SAY_YES), *[Treatment.REVERSE_CHARGE] * 3),
    ],
)
def test_the_answer_staff_and_the_parameter_decide_what_an_invoice_does(
    check: VatNumberCheck | None, held: Treatment, charged: Treatment, continued: Treatment
) -> None:
    assert [treatment(check, BUYER, each) for each in (HOLD, CHARGE, CONTINUE)] == [held, charged, continued]
    assert treatment(check, BUYER, None) is Treatment.REVERSE_CHARGE, "a deployment that does not ask"


@pytest.mark.parametrize(
    ("check", "policy", "rule", "rate"),
    [
        (INVALID, CHARGE, TaxRule.DESTINATION, "19"),
        (INVALID, HOLD, TaxRule.REVERSE_CHARGE, "0"),
        (INVALID, CONTINUE, TaxRule.REVERSE_CHARGE, "0"),
        (INVALID, None, TaxRule.REVERSE_CHARGE, "0"),
        (VALID, CHARGE, TaxRule.REVERSE_CHARGE, "0"),
        (None, CHARGE, TaxRule.REVERSE_CHARGE, "0"),
    ],
)
def test_only_a_refused_number_is_charged_the_tax_of_its_destination(
    check: VatNumberCheck | None, policy: UnconfirmedVatNumber | None, rule: TaxRule, rate: str
) -> None:
    tax = tax_on_sale(SELLER, BUYER, TODAY, check, policy, NO_EXEMPTIONS)

    assert (tax.rule, tax.rate) == (rule, Decimal(rate))


@given(days=st.integers(0, 2000), policy=st.sampled_from([HOLD, CHARGE, CONTINUE]))
def test_the_age_of_an_answer_never_changes_a_tax(days: int, policy: UnconfirmedVatNumber) -> None:
    old = replace(VALID, answered_on=TODAY - timedelta(days=days))

    assert tax_on_sale(SELLER, BUYER, TODAY, old, policy, NO_EXEMPTIONS).rule is TaxRule.REVERSE_CHARGE


@pytest.mark.parametrize("policy", [HOLD, CHARGE, CONTINUE])
@pytest.mark.parametrize("country", ["DK", "GB", "US"])
def test_a_number_that_decides_no_tax_changes_none(country: str, policy: UnconfirmedVatNumber) -> None:
    buyer = replace(BUYER, country=country, postcode=None, vat_number=None)

    checked = tax_on_sale(SELLER, buyer, TODAY, INVALID, policy, NO_EXEMPTIONS)
    assert checked == tax_on_sale(SELLER, buyer, TODAY, None, None, NO_EXEMPTIONS)


@pytest.mark.parametrize(
    ("vat_number", "asked"),
    [
        ("DE136695976", "DE136695976"),
        ("GR123456783", "EL123456783"),
        ("DE\uff11\uff13\uff16695976", "DE136695976"),  # stored before numbers were normalised
        (None, None),
    ],
)
def test_vies_is_asked_in_its_own_letters(vat_number: str | None, asked: str | None) -> None:
    assert asked_number(vat_number) == asked


# ---- When VIES is asked ----

CONTRACTS = st.builds(
    Contract,
    start=st.dates(date(2024, 1, 1), date(2026, 12, 31)),
    interval_months=st.sampled_from(INTERVALS_MONTHS),
    currency=st.just("EUR"),
    time_zone=st.sampled_from(["Europe/Copenhagen", "America/Los_Angeles", "Pacific/Auckland"]),
)


@given(contract=CONTRACTS, answered_on=st.dates(date(2024, 1, 1), date(2028, 12, 31)))
def test_no_invoice_relies_on_an_answer_that_is_too_old(contract: Contract, answered_on: date) -> None:
    asked_on = contract.today(next_check(VALID, contract, answered_on).at)
    month_starts = [contract.month_start(month) for month in range(90)]
    first_too_old = next(each for each in month_starts if (each - answered_on).days > CONFIRMED_FOR_DAYS)

    assert answered_on < asked_on < first_too_old
    assert not any(asked_on < each < first_too_old for each in month_starts), "asked more often than needed"


@given(contract=CONTRACTS, answered_on=st.dates(date(2024, 1, 1), date(2028, 12, 31)))
def test_an_unconfirmed_number_is_asked_about_every_day_until_staff_decide(
    contract: Contract, answered_on: date
) -> None:
    decided = replace(INVALID, decision=STAFF_SAY_NO)

    assert contract.today(next_check(INVALID, contract, answered_on).at) == answered_on + timedelta(days=1)
    assert next_check(decided, contract, answered_on) == next_check(VALID, contract, answered_on)


def test_the_first_of_equal_answers_says_since_when_a_number_is_unconfirmed() -> None:
    refused, later = Answer(VatResult.INVALID, None, None, None), TODAY + timedelta(days=5)

    first = VatNumberCheck(NUMBER).answered(refused, None, TODAY)

    again = first.answered(refused, None, later)
    assert (again.since, again.answered_on) == (TODAY, later)
    assert again.answered(Answer(VatResult.VALID, None, None, None), None, later).since == later


def test_a_question_without_an_answer_is_repeated_ever_more_slowly() -> None:
    due, waits = VatNumberDue(NOON), []
    for _ in range(12):
        following = due.after_no_answer(due.at)
        waits.append((following.at - due.at).total_seconds())
        due = following

    assert waits[0] == FIRST_WAIT_SECONDS
    assert waits == sorted(waits)
    assert waits[-1] == WAIT_SECONDS_MAX
    assert due.attempts == 12


@given(waits=st.lists(st.integers(1, 47 * 60).map(lambda minutes: timedelta(minutes=minutes)), min_size=1, max_size=60))
def test_staff_are_told_once_of_an_outage_that_lasts_a_day(waits: list[timedelta]) -> None:
    now, outage, told_at = NOON, None, []
    for wait in waits:
        outage, tells = after_no_answer(outage, "DE", "MS_UNAVAILABLE", now)
        told_at += [now] if tells else []
        now += wait

    last = now - waits[-1]
    assert len(told_at) == (1 if last - NOON >= OUTAGE_TOLD_AFTER else 0)
    assert all(each - NOON >= OUTAGE_TOLD_AFTER for each in told_at)


def test_a_failure_long_after_the_last_one_begins_a_new_outage() -> None:
    old = Outage("DE", NOON, NOON, "TIMEOUT", told=True, version=3)
    later = NOON + OUTAGE_FORGOTTEN_AFTER + timedelta(minutes=1)

    outage, tells = after_no_answer(old, "DE", "TIMEOUT", later)

    assert (outage.since, outage.told, outage.version, tells) == (later, False, 3, False)


def test_a_confirmation_replaces_staffs_decision_and_another_answer_leaves_it() -> None:
    decided = replace(INVALID, decision=STAFF_SAY_NO)
    confirmed = Answer(VatResult.VALID, None, "WAPIAAAA1", None)
    refused = Answer(VatResult.NOT_CONFIRMED, "VAT_BLOCKED", None, None)

    assert decided.answered(confirmed, "DK10000009", TODAY).decision is None
    assert decided.answered(refused, "DK10000009", TODAY).decision == STAFF_SAY_NO
    assert not decided.answered(refused, "DK10000009", TODAY).awaits_decision
