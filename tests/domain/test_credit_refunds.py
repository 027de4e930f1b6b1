"""Credit is followed to where it came from: the parts are the credit, and no charge gives back more than it took."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from billing.invoicing.credit_refunds import CreditPart, credit_parts
from billing.invoicing.dunning import InvoicePayment
from billing.invoicing.entries import Entry, EntryKind, credit_from
from billing.invoicing.invoices import IssuedInvoice
from billing.payments.methods import Method
from hypothesis import given
from hypothesis import strategies as st

from tests.documents.samples import invoice

TODAY = date(2026, 7, 15)
Document = tuple[IssuedInvoice, InvoicePayment]
CHARGED, TRANSFERRED, OVERPAID = EntryKind.CHARGED, EntryKind.TRANSFERRED, EntryKind.OVERPAID
CARRIED, APPLIED, RETURNED = EntryKind.CARRIED, EntryKind.CREDIT_APPLIED, EntryKind.RETURNED
BEGUN, FAILED, BY_HAND = EntryKind.REFUND_BEGUN, EntryKind.REFUND_FAILED, EntryKind.REPAID_BY_HAND


def document(number: str, *entries: Entry, owed: int = 100, method: Method = Method.CARD) -> Document:
    issued = replace(invoice(1), number=number)
    return issued, InvoicePayment(entries[0].on, owed, entries, method=method)


def entry(
    kind: EntryKind, amount: int, reference: str | None = None, payment: str | None = None, day: int = 1
) -> Entry:
    return Entry(kind, amount, date(2026, 7, day), reference, payment)


def parts(*documents: Document) -> tuple[CreditPart, ...]:
    credit = sum(credit_from(payment.entries) for _, payment in documents)
    return credit_parts(documents, credit, TODAY)


def test_what_was_paid_twice_goes_back_to_the_second_charge() -> None:
    twice = document("1", entry(CHARGED, 100, "pi_1"), entry(CHARGED, 100, "pi_2"), entry(OVERPAID, 100, "pi_2"))

    assert parts(twice) == (CreditPart("1", "pi_2", 100),)


def test_a_transfer_is_repaid_by_hand() -> None:
    twice = document("1", entry(CHARGED, 100, "pi_1"), entry(TRANSFERRED, 100, "E2E"), entry(OVERPAID, 100, "E2E"))

    assert parts(twice) == (CreditPart("1", None, 100),)


def test_several_charges_give_back_their_own_parts() -> None:
    first = document("1", entry(CHARGED, 100, "pi_1"), entry(CHARGED, 30, "pi_2"), entry(OVERPAID, 30, "pi_2"))
    second = document(
        "2", entry(CHARGED, 100, "pi_3", day=2), entry(TRANSFERRED, 20, "E", day=2), entry(OVERPAID, 20, "E", day=2)
    )
    third = document("3", entry(CHARGED, 100, "pi_4", day=3), entry(CHARGED, 50, "pi_5", day=3),
                     entry(OVERPAID, 50, "pi_5", day=3))  # fmt: skip

    assert parts(first, second, third) == (
        CreditPart("1", "pi_2", 30),
        CreditPart("2", None, 20),
        CreditPart("3", "pi_5", 50),
    )


def test_the_oldest_credit_was_used_first() -> None:
    first = document("1", entry(CHARGED, 100, "pi_1"), entry(CHARGED, 60, "pi_2"), entry(OVERPAID, 60, "pi_2"))
    second = document("2", entry(CHARGED, 100, "pi_3"), entry(CHARGED, 60, "pi_4"), entry(OVERPAID, 60, "pi_4"))
    third = document("3", entry(APPLIED, 80, day=2), entry(CHARGED, 20, "pi_5", day=2))

    assert parts(first, second, third) == (CreditPart("2", "pi_4", 40),)


def test_credit_that_paid_an_invoice_goes_back_to_its_own_source() -> None:
    """The invoice is credited: what paid it is credit again."""
    first = document("1", entry(CHARGED, 100, "pi_1"), entry(CHARGED, 60, "pi_2"), entry(OVERPAID, 60, "pi_2"))
    second = document(
        "2", entry(APPLIED, 60, day=2), entry(TRANSFERRED, 40, "E", day=2), entry(CARRIED, 100, "CN", day=3)
    )

    assert parts(first, second) == (CreditPart("2", "pi_2", 60), CreditPart("2", None, 40))


@pytest.mark.parametrize(
    ("method", "days", "expected"),
    [(Method.SEPA_DEBIT, 180, "pi_2"), (Method.SEPA_DEBIT, 181, None), (Method.CARD, 700, "pi_2")],
)
def test_a_debit_is_not_refunded_after_180_days(method: Method, days: int, expected: str | None) -> None:
    on = TODAY - timedelta(days=days)
    twice = [replace(each, on=on) for each in (entry(CHARGED, 100, "pi_1"), entry(CHARGED, 9, "pi_2"),
                                               entry(OVERPAID, 9, "pi_2"))]  # fmt: skip

    assert parts(document("1", *twice, method=method)) == (CreditPart("1", expected, 9),)


def test_neither_a_disputed_charge_nor_one_whose_refund_has_failed_is_refunded() -> None:
    entries = (entry(CHARGED, 100, "pi_1"), entry(CHARGED, 9, "pi_2"), entry(OVERPAID, 9, "pi_2"))
    disputed = entry(EntryKind.DISPUTED, 9, "du_1", "pi_2")
    closed = entry(EntryKind.DISPUTE_CLOSED, 9, "du_1", "pi_2")
    failed = (entry(BEGUN, 9, "1", "pi_2"), entry(FAILED, 9, "re_1", "pi_2"))

    assert parts(document("1", *entries, disputed)) == (CreditPart("1", None, 9),)
    assert parts(document("1", *entries, disputed, closed)) == (CreditPart("1", "pi_2", 9),)
    assert parts(document("1", *entries, *failed)) == (CreditPart("1", None, 9),)


def test_a_difference_below_zero_goes_back_to_the_charge_of_its_period() -> None:
    charged = document("1", entry(CHARGED, 100, "pi_1"))
    difference = document("2", entry(CARRIED, 30, day=5), owed=0)

    assert parts(charged, difference) == (CreditPart("2", "pi_1", 30),)


kinds = st.sampled_from([CHARGED, TRANSFERRED, OVERPAID, CARRIED, APPLIED, RETURNED, BEGUN, FAILED, BY_HAND])
facts = st.tuples(kinds, st.integers(1, 100), st.sampled_from(["pi_1", "pi_2", "CN", None]), st.integers(1, 5))


@given(st.lists(st.lists(facts, min_size=1, max_size=8), min_size=1, max_size=4), st.integers(0, 400))
def test_the_parts_are_the_credit_and_no_charge_gives_back_more_than_is_left(
    documents: list[list[tuple[EntryKind, int, str | None, int]]], credit: int
) -> None:
    given_ = [
        document(
            str(number), *(entry(kind, amount, reference, reference, day) for kind, amount, reference, day in each)
        )
        for number, each in enumerate(documents)
    ]

    found = credit_parts(given_, credit, TODAY)

    assert sum(part.amount for part in found) == credit
    assert all(part.amount > 0 for part in found)
    taken = {CHARGED: 1, RETURNED: -1, BEGUN: -1, FAILED: 1}
    for intent in ("pi_1", "pi_2"):
        entries = [each for _, payment in given_ for each in payment.entries]
        left = sum(taken.get(each.kind, 0) * each.amount for each in entries if each.reference == intent)
        assert sum(part.amount for part in found if part.payment == intent) <= max(0, left)
