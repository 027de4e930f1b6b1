"""Credit notes: those of one invoice add up to its total, and no money is given back twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from billing.invoicing.credit_notes import (
    AlreadyCredited,
    NotCorrectable,
    RequestedPart,
    allocate,
    allocate_taken_back,
    credit_note_draft,
    creditable,
    creditable_of_months,
    lines_to_credit,
    taken_back_draft,
    to_credit,
    within,
)
from billing.invoicing.dunning import InvoicePayment, after_charge, initial_payment
from billing.invoicing.entries import Entry, EntryKind
from billing.invoicing.invoices import Correction, InvoiceStatus, IssuedInvoice
from billing.invoicing.tax import Tax, TaxRule
from billing.invoicing.transfers import after_transfer
from billing.kernel.errors import RuleViolation
from billing.kernel.money import Money
from billing.payments.methods import Charge, ChargeState, Method
from hypothesis import given
from hypothesis import strategies as st

from tests.documents.samples import CORRECTION, STARTS, invoice, with_one_offs, with_seller_tax

TODAY = date(2026, 5, 4)


def opened(issued: IssuedInvoice) -> InvoicePayment:
    return replace(initial_payment(issued, issued.produced_on), next_attempt_on=TODAY)


def paid(issued: IssuedInvoice) -> InvoicePayment:
    """Charged to a card on the day of its issue."""
    payment = initial_payment(issued, issued.produced_on)
    charged = Entry(EntryKind.CHARGED, payment.left, STARTS, "pi_1")
    return replace(payment, method=Method.CARD, payment_intent_id="pi_1").with_entries(charged)


def of_lines(*nets: int, rate: str = "25", credit: int = 0, tax_amount: int | None = None) -> IssuedInvoice:
    """An invoice with lines of these amounts."""
    tax = Tax(TaxRule.DESTINATION, "FI", Decimal(rate))
    sample = invoice(len(nets), whole=False, tax=tax)
    lines = tuple(replace(line, net=Money(net, "EUR")) for line, net in zip(sample.draft.lines, nets, strict=True))
    net = sum(nets)
    charged = tax.of(net) if tax_amount is None else tax_amount
    total = net + charged
    draft = replace(
        sample.draft,
        lines=lines,
        net=Money(net, "EUR"),
        tax_amount=Money(charged, "EUR"),
        total=Money(total, "EUR"),
        credit=Money(credit, "EUR"),
        due=Money(total - credit, "EUR"),
    )
    return replace(sample, draft=draft)


def correct(
    issued: IssuedInvoice, payment: InvoicePayment, requested: tuple[int, ...] | None, number: str
) -> tuple[int, InvoicePayment]:
    """The total of a credit note with tax, and the payment of the invoice after it."""
    lines = lines_to_credit(issued, payment, requested)
    total = -credit_note_draft(issued, payment, lines).total.amount
    correction = Correction(issued.number, STARTS, lines, "wrong")
    money = allocate(issued, payment, correction, number, total, TODAY)
    assert money.pre_payment + money.refunded + money.credit_balance == total
    assert min(money.pre_payment, money.refunded, money.credit_balance) >= 0
    return total, money.payment


@given(st.lists(st.integers(0, 10**4), min_size=1, max_size=8), st.sampled_from(["19", "25", "25.5"]))
def test_credit_notes_follow_the_rounding_of_their_invoice(nets: list[int], rate: str) -> None:
    """The first invoices were rounded half to even: parts of one must not exceed its total."""
    half_even = Tax(TaxRule.DESTINATION, "FI", Decimal(rate)).of_half_even(sum(nets))
    for tax_amount in (half_even, None):
        issued = of_lines(*nets, rate=rate, tax_amount=tax_amount)
        payment, total = opened(issued), 0
        for position in range(len(nets)):
            taken, payment = correct(issued, payment, (position,), f"CN-{position}")
            total += taken
            assert total <= issued.draft.total.amount
        assert total == issued.draft.total.amount


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=8),
    st.sampled_from([("DKK", "7.4604"), ("JPY", "170.25"), ("KWD", "0.33251"), ("HUF", "403.1")]),
    st.randoms(use_true_random=False),
)
def test_credit_notes_add_up_in_the_sellers_currency_too(
    nets: list[int], price: tuple[str, str], chance: object
) -> None:
    """Each has the rate of its invoice, whatever the rates of its own day are."""
    currency, seller_rate = price
    issued = with_seller_tax(of_lines(*nets), currency, seller_rate=seller_rate)
    seller_tax = issued.draft.seller_tax
    assert seller_tax is not None
    order = [*range(len(nets))]
    chance.shuffle(order)  # type: ignore[attr-defined]
    payment, credited = opened(issued), 0

    for position in order:
        lines = lines_to_credit(issued, payment, (position,))
        draft = credit_note_draft(issued, payment, lines)
        assert (draft.seller_tax is None) == (draft.tax_amount.amount == 0)
        if draft.seller_tax is not None:
            assert draft.seller_tax.rate == seller_tax.rate
            assert draft.seller_tax.amount.amount <= 0
            credited -= draft.seller_tax.amount.amount
        _, payment = correct(issued, payment, (position,), f"CN-{position}")

    assert credited == seller_tax.amount.amount


def test_a_credit_note_without_the_sellers_currency_has_none() -> None:
    assert credit_note_draft(of_lines(1000), opened(of_lines(1000)), (0,)).seller_tax is None


def test_a_line_of_zero_can_be_credited_on_an_old_invoice() -> None:
    issued = of_lines(1250, 0, tax_amount=312)

    first, payment = correct(issued, opened(issued), (0,), "CN-1")
    second, _ = correct(issued, payment, (1,), "CN-2")

    assert (first, second) == (1562, 0)


@given(
    st.lists(st.integers(1, 10**6), min_size=1, max_size=8),
    st.sampled_from(["0", "7", "19", "25.5"]),
    st.randoms(use_true_random=False),
    st.booleans(),
    st.floats(0, 1),
)
def test_all_credit_notes_together_come_to_the_invoice(
    nets: list[int], rate: str, chance: object, is_paid: bool, share: float
) -> None:
    issued = of_lines(*nets, rate=rate)
    credit = int(issued.draft.total.amount * share)
    issued = of_lines(*nets, rate=rate, credit=credit)
    order = [*range(len(nets))]
    chance.shuffle(order)  # type: ignore[attr-defined]
    payment, total = (paid if is_paid else opened)(issued), 0

    while order:
        some = tuple(order.pop() for _ in range(min(len(order), 2)))
        taken, payment = correct(issued, payment, some, f"CN-{len(order)}")
        total += taken

    assert total == issued.draft.total.amount
    assert payment.waived + payment.refunded == issued.draft.due.amount
    assert payment.status is (InvoiceStatus.PAID if is_paid and issued.draft.due.amount else payment.status)
    with pytest.raises(AlreadyCredited):
        lines_to_credit(issued, payment, None)


def test_what_was_charged_goes_back() -> None:
    issued = of_lines(10_000, 20_000)

    total, payment = correct(issued, paid(issued), (1,), "CN-1")

    assert total == payment.refunded == 25_000
    assert payment.status is InvoiceStatus.PAID
    assert payment.credited == ((1, "CN-1"),)


def test_the_part_paid_with_credit_goes_to_the_credit_balance() -> None:
    issued = of_lines(10_000, credit=12_000)

    lines = lines_to_credit(issued, paid(issued), None)
    money = allocate(issued, paid(issued), Correction("", STARTS, lines, ""), "CN-1", 12_500, TODAY)

    assert (money.refunded, money.credit_balance) == (500, 12_000)


def test_a_transfer_is_carried() -> None:
    issued = of_lines(10_000)
    by_transfer = after_transfer(opened(issued), opened(issued).left, STARTS, "E2E-1", is_awaited=True)

    money = allocate(issued, by_transfer, replace(CORRECTION, lines=(0,)), "CN-1", 12_500, TODAY)

    assert (money.refunded, money.credit_balance) == (0, 12_500)


def test_the_unpaid_part_is_cancelled() -> None:
    issued = of_lines(10_000, 20_000)

    _, partly = correct(issued, opened(issued), (0,), "CN-1")
    _, wholly = correct(issued, partly, None, "CN-2")

    assert (partly.status, partly.waived, partly.next_attempt_on) == (InvoiceStatus.OPEN, 12_500, TODAY)
    assert (wholly.status, wholly.waived, wholly.next_attempt_on) == (InvoiceStatus.VOID, 37_500, None)


def test_an_invoice_is_paid_if_credit_paid_what_a_credit_note_leaves() -> None:
    issued = of_lines(10_000, 20_000, credit=12_500)

    _, payment = correct(issued, opened(issued), (1,), "CN-1")

    assert (payment.status, payment.waived, payment.paid_on) == (InvoiceStatus.PAID, 25_000, TODAY)


@pytest.mark.parametrize("requested", [(0, 0), (3,), (0, 7)])
def test_a_line_that_does_not_exist_or_is_named_twice_is_refused(requested: tuple[int, ...]) -> None:
    with pytest.raises(RuleViolation):
        lines_to_credit(of_lines(1, 2), opened(of_lines(1, 2)), requested)


def test_a_line_is_taken_back_once() -> None:
    _, payment = correct(of_lines(1, 2), paid(of_lines(1, 2)), (0,), "CN-1")

    with pytest.raises(AlreadyCredited):
        lines_to_credit(of_lines(1, 2), payment, (0, 1))


def test_neither_an_invoice_in_transit_nor_a_credit_note_is_corrected() -> None:
    with pytest.raises(NotCorrectable):
        lines_to_credit(of_lines(1), replace(opened(of_lines(1)), is_in_transit=True), None)
    with pytest.raises(NotCorrectable):
        lines_to_credit(replace(of_lines(1), corrects=CORRECTION), opened(of_lines(1)), None)


def test_a_discount_alone_cannot_be_credited() -> None:
    with pytest.raises(RuleViolation):
        credit_note_draft(invoice(), paid(invoice()), (2,))


# ---- What paid periods take back ----


def take_back(
    issued: IssuedInvoice, payment: InvoicePayment, number: str, *nets: tuple[str | None, int]
) -> tuple[int, InvoicePayment]:
    """The total of a credit note with tax of these differences, and the payment of the invoice after it."""
    sample = issued.draft.lines[0]
    lines = tuple(replace(sample, product=product, net=Money(net, "EUR")) for product, net in nets)
    draft = taken_back_draft(issued, payment, STARTS, within(lines, creditable(issued, payment)))
    money = allocate_taken_back(issued, payment, draft, number, TODAY)
    total = -draft.total.amount
    assert money.pre_payment + money.refunded + money.credit_balance == total
    assert min(money.pre_payment, money.refunded, money.credit_balance) >= 0
    return total, money.payment


def test_months_take_back_nothing_of_a_one_off_charge() -> None:
    """Two products come to 4,990.00, a training to 1,200.00; each has its share of what is taken off the whole."""
    issued, training = with_one_offs(invoice(), goodwill=60_500), 3
    share = 14_637  # of 755.00, which are taken off 6,190.00

    left = creditable_of_months(issued, paid(issued))
    assert left == issued.draft.net.amount - (120_000 - share)
    total, payment = correct(issued, paid(issued), (training,), "CN-1")
    assert creditable_of_months(issued, payment) == left == creditable(issued, payment)
    # A discount on the whole that was taken back is not taken off the goodwill too.
    _, payment = take_back(issued, payment, "CN-2", (None, -1_000))
    rest, payment = correct(issued, payment, None, "CN-3")
    assert total + 1_250 + rest == issued.draft.total.amount
    assert payment.credited_net == issued.draft.net.amount


@given(
    st.lists(st.integers(1, 10**4), min_size=1, max_size=5),
    st.integers(0, 5_000),
    st.sampled_from(["0", "19", "25.5"]),
    st.booleans(),
    st.lists(
        st.one_of(
            st.integers(0, 4),
            st.tuples(st.integers(0, 4), st.integers(1, 9_000), st.integers(0, 4), st.integers(0, 3_000)),
        ),
        max_size=8,
    ),
)
def test_credit_notes_of_all_kinds_never_exceed_their_invoice(
    nets: list[int], off: int, rate: str, is_paid: bool, notes: list[int | tuple[int, int, int, int]]
) -> None:
    issued = of_lines(*nets, -min(off, sum(nets)), rate=rate)
    *products, on_the_whole = issued.draft.lines
    issued = replace(
        issued, draft=replace(issued.draft, lines=(*products, replace(on_the_whole, product=None, name="")))
    )
    names = [line.product for line in products]
    payment, total = (paid if is_paid else opened)(issued), 0
    for count, note in enumerate([*notes, None]):
        try:
            if isinstance(note, tuple):
                less, amount, more, rise = note
                differences = [(names[less % len(names)], -amount), (names[more % len(names)], rise)]
                if creditable(issued, payment) <= 0 or rise >= amount or less % len(names) == more % len(names):
                    continue
                taken, payment = take_back(issued, payment, f"CN-{count}", *differences)
                assert taken > 0
            else:
                wanted = None if note is None else (note % len(names),)
                taken, payment = correct(issued, payment, wanted, f"CN-{count}")
        except (AlreadyCredited, RuleViolation):
            continue
        total += taken
        assert 0 <= total <= issued.draft.total.amount
        assert payment.credited_total == total
    if issued.draft.total.amount:
        assert total == issued.draft.total.amount, "the last note is of all that is left"


def test_no_part_comes_to_nothing() -> None:
    """Of 100.00 are 99.90 taken off: a cent of it is a thousandth of a cent."""
    sample = of_lines(10_000, -9_990)
    lines = (*sample.draft.lines[:-1], replace(sample.draft.lines[-1], product=None))
    issued = replace(sample, draft=replace(sample.draft, lines=lines))

    whole, credited = to_credit(issued, paid(issued), None, (RequestedPart(0, 1),))
    with pytest.raises(RuleViolation, match="comes to nothing") as refused:
        credit_note_draft(issued, paid(issued), whole, credited)
    assert [each.path for each in refused.value.violations] == [("parts",)]


def test_what_is_taken_back_of_a_payment_in_transit_is_credit_once_it_has_arrived() -> None:
    issued = of_lines(10_000)
    in_transit = replace(opened(issued), is_in_transit=True, payment_intent_id="pi_1")

    _, payment = take_back(issued, in_transit, "CN-1", (issued.draft.lines[0].product, -4_000))
    assert (payment.status, payment.left) == (InvoiceStatus.IN_TRANSIT, 7_500)
    arrived = after_charge(
        payment, Charge("pi_1", ChargeState.SUCCEEDED, None, hard=False), Method.SEPA_DEBIT, TODAY, (), due_on=TODAY
    )

    assert (arrived.status, arrived.credit) == (InvoiceStatus.PAID, 5_000)


def test_all_of_a_payment_in_transit_is_taken_back_and_the_debit_fails() -> None:
    issued = of_lines(10_000)
    in_transit = replace(opened(issued), is_in_transit=True, payment_intent_id="pi_1")

    _, payment = take_back(issued, in_transit, "CN-1", (issued.draft.lines[0].product, -10_000))
    assert payment.status is InvoiceStatus.IN_TRANSIT
    failed = after_charge(
        payment, Charge("pi_1", ChargeState.FAILED, None, hard=False), Method.SEPA_DEBIT, TODAY, (3,), due_on=TODAY
    )

    assert (failed.status, failed.credit, failed.next_attempt_on) == (InvoiceStatus.VOID, 0, None)


@given(
    st.lists(st.integers(100, 10**6), min_size=1, max_size=6),
    st.integers(0, 100),
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 10**6)), max_size=12),
    st.booleans(),
)
def test_parts_and_lines_add_up_to_the_invoice(
    nets: list[int], off: int, parts: list[tuple[int, int]], is_paid: bool
) -> None:
    """Each part has its share of what is taken off the whole. In whatever order, all of them are the invoice."""
    sample = of_lines(*nets, -off)
    lines = (*sample.draft.lines[:-1], replace(sample.draft.lines[-1], product=None))
    issued = replace(sample, draft=replace(sample.draft, lines=lines))
    payment, total = paid(issued) if is_paid else opened(issued), 0
    for number, (position, amount) in enumerate(parts):
        try:
            whole, credited = to_credit(issued, payment, None, (RequestedPart(position % len(nets), amount),))
            draft = credit_note_draft(issued, payment, whole, credited)
        except (AlreadyCredited, RuleViolation):
            continue
        assert draft.net.amount < 0 or whole, "a part is never nothing"
        correction = Correction(issued.number, STARTS, whole, "a part", credited)
        money = allocate(issued, payment, correction, f"CN-{number}", -draft.total.amount, TODAY)
        assert -draft.total.amount == money.pre_payment + money.refunded + money.credit_balance
        assert draft.net.amount == sum(line.net.amount for line in draft.lines)
        payment, total = money.payment, total - draft.total.amount
        assert 0 <= total <= issued.draft.total.amount
    if len({position for position, _ in payment.credited}) < len(issued.draft.lines):
        taken, payment = correct(issued, payment, None, "CN-last")
        total += taken
    assert total == issued.draft.total.amount
    with pytest.raises(AlreadyCredited):
        lines_to_credit(issued, payment, None)
