"""One answer to what comes next: the page, the next invoice and a cancellation never differ (decision 0021)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from billing.accounts.information import CompanyDetails, Information
from billing.accounts.rules import Ending, Status
from billing.billing_page.page import NextCharge
from billing.ending.cancellation.rules import consequences
from billing.invoicing.exemptions.rules import NO_EXEMPTIONS
from billing.invoicing.settings import UnconfirmedVatNumber
from billing.invoicing.tax_rates.rules import SellerAddress
from billing.invoicing.to_come import InvoicingState, invoices_to_come, next_invoice
from billing.invoicing.vat_numbers.rules import (
    Treatment,
    VatNumberCheck,
    VatNumberDecision,
    VatResult,
    asked_number,
)
from billing.kernel.contract_calendar import INTERVALS_MONTHS, termination
from billing.subscriptions.rules import Discount
from billing.subscriptions.subscriber import Subscriber
from hypothesis import example, given
from hypothesis import strategies as st

from tests.domain.test_periods import Book, book, change, discounts_given, line
from tests.properties import examples
from tests.store.samples import CONTEXT, PAGE

SELLER = SellerAddress("DK", "1050", "Copenhagen")
BUYERS = [
    CompanyDetails("Nordlys", "1", None, "1058", "København", "DK", "DK13585628"),
    CompanyDetails("Lucciola", "1", None, "10121", "Torino", "IT", "IT00743110157"),
    CompanyDetails("Lucciola", "1", None, "10121", "Torino", "IT", None),
    CompanyDetails("Teide", "1", None, "35001", "Las Palmas", "ES", None),
    CompanyDetails("Severn", "1", None, "BS1", "Bristol", "GB", None),
]


def live(billed: Book, moves: list[tuple[int, int]], cancelled_on: int | None, runs: set[int], today: date) -> None:
    """Decides tiers, cancels and invoices until `today`. A move takes effect some months after its decision."""
    start, contract = billed.contract.start, billed.contract
    prices = iter(range(11_000, 99_000, 1_000))
    for offset in range((today - start).days + 1):
        day = start + timedelta(days=offset)
        if offset in runs:
            billed.run(day)
        for decided, months in moves:
            if decided == offset:
                effective = contract.month_start(contract.month_of(day) + months)
                price = next(prices)
                billed.decide(day, replace(change(price, day, effective), decision=str(price)))
        if offset == cancelled_on:
            end = termination(start, contract.interval_months, day).active_until
            ending = Ending("receipt", end, end + timedelta(days=14))
            billed.account = replace(billed.account, status=Status.CANCELLING, ending=ending)


# A move that was decided before the running period began, and is invoiced with it.
@example(3, date(2024, 6, 1), [], [(70, 3)], None, set(range(421)), 100, BUYERS[0], None, None, None)
# A number that VIES refuses, where the deployment then charges the tax.
@example(
    1,
    date(2024, 6, 1),
    [],
    [],
    None,
    set(range(421)),
    100,
    BUYERS[1],
    VatResult.INVALID,
    None,
    UnconfirmedVatNumber.CHARGE,
)
@examples(200, deep=3_000)
@given(
    st.sampled_from(INTERVALS_MONTHS),
    st.dates(date(2024, 6, 1), date(2025, 1, 31)),
    discounts_given,
    st.lists(st.tuples(st.integers(0, 420), st.integers(1, 6)), max_size=4),
    st.none() | st.integers(0, 420),
    st.just(set(range(421))) | st.sets(st.integers(0, 420), max_size=30),
    st.integers(0, 420),
    st.sampled_from(BUYERS),
    st.sampled_from([None, *VatResult]),
    st.none() | st.sampled_from([Treatment.CHARGE_TAX, Treatment.REVERSE_CHARGE]),
    st.none() | st.sampled_from(UnconfirmedVatNumber),
)
def test_the_page_the_next_invoice_and_the_cancellation_agree(
    interval: int,
    start: date,
    discounts: list[Discount],
    moves: list[tuple[int, int]],
    cancelled_on: int | None,
    runs: set[int],
    days: int,
    buyer: CompanyDetails,
    result: VatResult | None,
    decided: Treatment | None,
    policy: UnconfirmedVatNumber | None,
) -> None:
    billed = book(start, interval, line(10_000), line(5_000, "email"), discounts=tuple(discounts))
    billed.account = replace(billed.account, invoiced_from=0)
    today = start + timedelta(days=days)
    live(billed, moves, cancelled_on, runs, today)
    number = asked_number(buyer.vat_number)
    decision = None if decided is None else VatNumberDecision(decided, "Seen", "staff", CONTEXT.time)
    check = None if number is None else VatNumberCheck(number, result, decision=decision)
    page = replace(
        PAGE,
        account=billed.account,
        subscription=billed.subscription,
        information=replace(PAGE.information, company=Information(buyer, 1)),
        period=billed.period,
        vat_check=check,
    )
    subscriber = Subscriber(billed.account, billed.subscription)
    state = InvoicingState(subscriber, buyer, billed.due, billed.period, 0, SELLER, check, policy, NO_EXEMPTIONS)

    assert all(each.draft.total.amount > 0 for each in invoices_to_come(state, today + timedelta(days=400)))
    upcoming, shown = next_invoice(state, today), page.next_charge(today, SELLER, policy)

    if upcoming is None:
        assert shown is None
    else:
        on, draft = upcoming
        assert shown == NextCharge(on, draft.net, draft.tax_amount, draft.total, draft.tax)
    if cancelled_on is not None and cancelled_on <= days:
        return
    preview = consequences(state, today)
    ending = Ending("receipt", preview.active_until, preview.purge_on)
    cancelled = replace(page, account=replace(billed.account, status=Status.CANCELLING, ending=ending))
    charge, after = next(iter(preview.charges_still_due), None), cancelled.next_charge(today, SELLER, policy)
    assert sum(each.total.amount for each in preview.charges_still_due if each.total) == preview.charges.total.amount
    assert (charge is None) == (after is None)
    if charge is not None and after is not None:
        assert (charge.on, charge.amount, charge.tax, charge.total) == (after.on, after.net, after.tax, after.total)
    if shown is not None and shown.on < preview.active_until:
        assert shown == after, "a cancellation changes nothing of what is charged before the end"
