"""An invoice is what is owed less what was invoiced, however late it is made (decision 0018)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from billing.accounts.rules import Account, Ending, Status
from billing.invoicing.credit_notes import within
from billing.invoicing.due import InvoicingDue
from billing.invoicing.invoices import BillingReason
from billing.invoicing.period_mapping import period_body, period_from
from billing.invoicing.periods import (
    Adjustment,
    FixedMonth,
    PaidPeriod,
    amounts_of,
    elsewhere,
    fix_month,
    rebuilt,
)
from billing.invoicing.tax import Tax, TaxRule
from billing.invoicing.vat_rates import STANDARD_RATES, rate_on
from billing.kernel.contract_calendar import INTERVALS_MONTHS, Contract, Term, termination
from billing.kernel.money import Money
from billing.subscriptions.catalogue import Catalogue, Product, Tier
from billing.subscriptions.rules import Cause, Discount, Line, Subscription, TierChange
from billing.subscriptions.subscriber import FixedMonths, Subscriber
from billing.subscriptions.version_changes import (
    NoVersionPending,
    VersionOrder,
    with_version,
    with_version_withdrawn,
)
from hypothesis import example, given
from hypothesis import strategies as st

from tests.documents.samples import invoice as issued
from tests.properties import examples
from tests.store.samples import ACCOUNT

COUNTRY = "SK"
"""Its rate rises from 20 to 23 on 2025-01-01."""


def line(price: int, product: str = "search") -> Line:
    return Line(product, product.title(), "units", price, Money(price, "EUR"))


def change(price: int, decided: date, effective: date, product: str = "search") -> TierChange:
    decision = f"{decided}.{effective}.{product}"
    return TierChange(product, price, Money(price, "EUR"), effective, Cause.AUTOSCALING, decision, decided)


def catalogue(version: int, price: int) -> Catalogue:
    """Two tiers for both products."""
    tiers = (Tier(5_000, {"EUR": price}), Tier(None, {"EUR": 2 * price}))
    return Catalogue(version, tuple(Product(each, each, "", tiers) for each in ("search", "email")))


@dataclass(frozen=True)
class Document:
    """What one run has issued. `corrects` is the position of the invoice that a credit note names."""

    tax_point: date
    occasion: BillingReason
    amounts: tuple[tuple[str | None, int], ...]
    tax: Tax
    corrects: int | None = None

    @property
    def net(self) -> int:
        return sum(amount for _, amount in self.amounts)


class Book:
    """An account whose months are fixed by runs, as the worker does it: without the table."""

    def __init__(self, account: Account, subscription: Subscription) -> None:
        self.account = account
        self.subscription = subscription
        self.due = InvoicingDue(0)
        self.period: PaidPeriod | None = None
        self.documents: list[Document] = []
        self.catalogues = [catalogue(1, 4_000)]

    @property
    def contract(self) -> Contract:
        return self.account.contract

    def run(self, today: date) -> None:
        """Fixes every month that is due."""
        while self.contract.month_start(self.due.month) <= today:
            fixed = fix_month(self.account, self.subscription, self.due, self.period)
            self.due = fixed.following
            if fixed.period is None:
                continue
            self.explains(fixed)
            self.period = fixed.period
            if fixed.net < 0:
                self.take_back(fixed)
            elif fixed.lines:
                tax = Tax(TaxRule.DOMESTIC, COUNTRY, rate_on(STANDARD_RATES[COUNTRY], fixed.since))
                number = str(len(self.documents) + 1) if fixed.net else None
                self.period = self.period.with_invoice(number, tax, fixed.lines)
                self.documents.append(Document(fixed.since, fixed.occasion, amounts_of(fixed.lines), tax))
            self.period = period_from(period_body(self.period, self.contract), self.period.version)

    def explains(self, fixed: FixedMonth) -> None:
        """A difference is the steps of its line less those that they are instead of, where nothing else changes it."""
        if fixed.occasion is BillingReason.PERIOD or self.subscription.discounts:
            return
        for each in fixed.lines:
            now, before = (sum(step.price.amount * step.months for step in of) for of in (each.steps, each.instead_of))
            assert self.period is None or self.period.adjustments or each.net.amount == now - before

    def take_back(self, fixed: FixedMonth) -> None:
        """Names one invoice after the other, until all that is not owed is taken back."""
        lines = fixed.lines
        for number in fixed.period.invoices_with(fixed.less_owed) if fixed.period else ():
            place = int(number) - 1
            named, left = self.documents[place], self.left(place)
            net = sum(each.net.amount for each in lines)
            if left <= 0 or net >= 0:
                continue
            assert self.period is not None
            taken = within(lines, left)
            document = Document(fixed.since, fixed.occasion, amounts_of(taken), named.tax, place)
            self.documents.append(document)
            assert document.net == max(net, -left), "as much as the invoice has left"
            self.period = self.period.with_taken_back(f"CN-{len(self.documents)}", number, taken)
            by_product = dict(amounts_of(taken))
            rest = [
                replace(each, net=Money(each.net.amount - by_product.get(each.product, 0), "EUR")) for each in lines
            ]
            lines = tuple(each for each in rest if each.net.amount)
        assert lines == (), "every difference below zero is of something that was invoiced"

    def left(self, place: int) -> int:
        """What credit notes have left of an invoice."""
        notes = sum(each.net for each in self.documents if each.corrects == place)
        return self.documents[place].net + notes

    def decide(self, today: date, *changes: TierChange) -> None:
        until = 0 if self.period is None else self.period.fixed_through + 1
        known = Subscriber(self.account, self.subscription, FixedMonths(until))
        self.subscription = known.change_tiers(changes, today)

    def move(self, today: date, price: int, *, is_announced: bool) -> None:
        """Another version of the catalogue, with this price for its first tier; not announced it never holds."""
        self.catalogues.append(catalogue(len(self.catalogues) + 1, price))
        order = VersionOrder(self.catalogues[-1], f"version {today}", 30, is_announced=is_announced)
        current = self.catalogues[self.subscription.version_on(today) - 1]
        self.subscription = with_version(self.known, order, current, today).subscription

    def keep(self, today: date) -> None:
        """The move to another version is withdrawn, where there is one."""
        current = self.catalogues[self.subscription.version_on(today) - 1]
        with suppress(NoVersionPending):
            self.subscription = with_version_withdrawn(self.known, current, today).subscription

    def tier_of(self, price: int, decided: date, effective: date, product: str) -> TierChange:
        """A move to an odd price, as agreed, or to a tier of the version of the catalogue that holds on the day."""
        moved = change(price, decided, effective, product)
        if price % 2:
            return replace(moved, up_to=5_000, agreed=True)
        offered = self.catalogues[self.subscription.version_on(effective) - 1].product(product)
        assert offered is not None
        tier = offered.tiers[price // 2 % 2]
        assert tier.prices is not None
        return replace(moved, up_to=tier.up_to, price=Money(tier.prices["EUR"], "EUR"))

    @property
    def known(self) -> Subscriber:
        until = 0 if self.period is None else self.period.fixed_through + 1
        return Subscriber(self.account, self.subscription, FixedMonths(until))

    def totals(self) -> dict[tuple[date, str | None, Decimal], int]:
        """The net amount by paid period's first day, product and tax rate."""
        found: dict[tuple[date, str | None, Decimal], int] = {}
        for document in self.documents:
            month = self.contract.month_of(document.tax_point)
            begins = self.contract.month_start(month - month % self.contract.interval_months)
            for product, amount in document.amounts:
                key = (begins, product, document.tax.rate)
                found[key] = found.get(key, 0) + amount
        return {key: amount for key, amount in found.items() if amount}


def book(start: date, interval: int, *lines: Line, discounts: tuple[Discount, ...] = ()) -> Book:
    contract = Contract(start, interval, "EUR", "UTC")
    account = replace(ACCOUNT, contract=contract, status=Status.ACTIVE, ending=None)
    return Book(account, Subscription(1, lines, discounts))


def test_a_move_is_invoiced_for_all_months_left_although_the_next_is_decided_before_the_late_run() -> None:
    """Half a day late: 49 a month, 99 from August, 199 from September (M5)."""
    yearly = book(date(2026, 6, 1), 12, line(4_900))
    yearly.run(date(2026, 6, 1))
    yearly.decide(date(2026, 7, 1), change(9_900, date(2026, 7, 1), date(2026, 8, 1)))
    yearly.decide(date(2026, 8, 1), change(19_900, date(2026, 8, 1), date(2026, 9, 1)))
    yearly.run(date(2026, 8, 1))
    yearly.run(date(2026, 9, 1))

    assert [each.net for each in yearly.documents] == [58_800, 50_000, 90_000]


def test_months_of_a_run_that_comes_days_late_are_invoiced_as_in_time() -> None:
    """The job is off from 31 May to 1 June, while another move is decided (M6)."""
    half_yearly = book(date(2026, 1, 31), 6, line(100))
    half_yearly.run(date(2026, 1, 31))
    half_yearly.decide(date(2026, 5, 1), change(200, date(2026, 5, 1), date(2026, 5, 31)))
    half_yearly.decide(date(2026, 6, 1), change(300, date(2026, 6, 1), date(2026, 6, 30)))
    half_yearly.run(date(2026, 6, 2))
    half_yearly.run(date(2026, 6, 30))

    assert sum(each.net for each in half_yearly.documents) == 900


def test_a_late_month_has_the_price_of_its_own_first_day() -> None:
    """July's invoice is stuck until 2 August, and the tier rises on the 1st (M15)."""
    monthly = book(date(2026, 6, 1), 1, line(4_900))
    monthly.run(date(2026, 6, 1))
    monthly.decide(date(2026, 7, 10), change(9_900, date(2026, 7, 10), date(2026, 8, 1)))
    monthly.decide(date(2026, 8, 1), change(19_900, date(2026, 8, 1), date(2026, 9, 1)))
    monthly.run(date(2026, 8, 2))

    assert [(each.tax_point, each.net) for each in monthly.documents[1:]] == [
        (date(2026, 7, 1), 4_900),
        (date(2026, 8, 1), 9_900),
    ]


def test_a_month_before_the_end_is_owed_although_the_account_is_deactivated() -> None:
    late = book(date(2026, 6, 1), 1, line(4_900))
    late.run(date(2026, 6, 1))
    ending = Ending("receipt", date(2026, 8, 1), date(2026, 8, 15))
    late.account = replace(late.account, status=Status.DEACTIVATED, ending=ending)

    late.run(date(2026, 8, 9))

    assert [each.tax_point for each in late.documents] == [date(2026, 6, 1), date(2026, 7, 1)]


def test_a_move_that_is_taken_back_is_credited_with_the_tax_of_its_invoice() -> None:
    quarterly = book(date(2024, 12, 1), 3, line(100))
    quarterly.decide(date(2024, 11, 29), change(300, date(2024, 11, 29), date(2025, 1, 1)))
    quarterly.run(date(2024, 12, 1))
    quarterly.decide(date(2024, 12, 10), change(50, date(2024, 12, 10), date(2025, 3, 1)))
    quarterly.run(date(2025, 1, 1))

    assert [(each.net, each.tax.rate) for each in quarterly.documents] == [
        (700, Decimal(20)),
        (-400, Decimal(20)),
    ]
    assert quarterly.documents[1].corrects == 0
    assert quarterly.period is not None
    assert [each.corrects for each in quarterly.period.taken_back] == ["1"]


def test_a_late_month_has_a_move_that_was_replaced_only_after_it_had_begun() -> None:
    """February's move is in the period's invoice. In January another one takes its place, at the rate of that day."""
    late, in_time = (book(date(2024, 11, 10), 12, line(1_000)) for _ in range(2))
    for world in (late, in_time):
        world.decide(date(2024, 11, 1), change(3_000, date(2024, 11, 1), date(2025, 2, 10)))
        world.run(date(2024, 11, 10))
    in_time.run(date(2024, 12, 10))
    for world in (late, in_time):
        world.decide(date(2024, 12, 20), change(5_000, date(2024, 12, 20), date(2025, 1, 10)))
        world.run(date(2025, 1, 10))

    assert late.documents == in_time.documents
    assert [each.net for each in late.documents] == [3 * 1_000 + 9 * 3_000, 4_000 + 9 * 2_000]


def test_what_was_invoiced_elsewhere_is_not_invoiced_again() -> None:
    yearly = book(date(2026, 1, 1), 12, line(100))
    yearly.due = InvoicingDue(5)
    yearly.decide(date(2026, 6, 10), change(150, date(2026, 6, 10), date(2026, 7, 1)))

    yearly.run(date(2026, 7, 1))

    assert [(each.tax_point, each.net) for each in yearly.documents] == [(date(2026, 7, 1), 6 * 50)]


def test_a_period_is_rebuilt_of_its_invoices() -> None:
    """An account of an earlier release, in the middle of a quarter: the quarter's invoice says 40.00 + 90.00."""
    quarterly = book(date(2026, 6, 1), 3, line(4_000 // 3), line(3_000, "email"))
    sample = issued()
    draft = replace(sample.draft, since=date(2026, 6, 1))
    lines = (
        replace(draft.lines[0], product="search", net=Money(3_999, "EUR")),
        replace(draft.lines[0], product="email", net=Money(8_000, "EUR")),
    )
    of_the_period = replace(sample, draft=replace(draft, lines=lines), corrects=None)
    earlier = replace(of_the_period, draft=replace(of_the_period.draft, since=date(2026, 3, 1)))

    period = rebuilt(quarterly.subscription, quarterly.contract, InvoicingDue(1), None, [earlier, of_the_period])

    assert (period.invoiced_of("search"), period.invoiced_of("email")) == (3_999, 8_000)
    fixed = fix_month(quarterly.account, quarterly.subscription, InvoicingDue(1), period)
    assert amounts_of(fixed.lines) == (("email", 1_000),), "what the earlier release has not invoiced"


def test_a_stored_period_stays_what_it_was() -> None:
    discounts = (
        Discount("search", Decimal("12.5"), None, date(2026, 1, 1), date(2026, 3, 1), "Welcome"),
        Discount(None, None, 100, date(2026, 1, 1), None, "Five products"),
    )
    made = book(date(2026, 1, 31), 6, line(4_900), line(3_000, "email"), discounts=discounts)
    made.decide(date(2026, 2, 1), change(9_900, date(2026, 2, 1), date(2026, 2, 28)))
    made.run(date(2026, 3, 31))

    assert made.period is not None
    assert made.period.fixed_through == 2
    assert [len(each.steps) for each in made.period.content] == [3, 1, 1]


def test_a_period_of_five_products_is_small() -> None:
    lines = [line(4_900, product) for product in ("search", "email", "recommendations", "audience", "chat")]
    discounts = (Discount(None, Decimal(5), None, date(2026, 1, 1), None, "Five products"),)
    made = book(date(2026, 1, 1), 12, *lines, discounts=discounts)
    made.run(date(2026, 12, 1))

    assert made.period is not None
    assert len(period_body(made.period, made.contract)) <= 2048


@pytest.mark.parametrize("month", [1, 2, 5, 11])
def test_a_period_that_is_not_stored_owes_what_a_stored_one_owes(month: int) -> None:
    yearly = book(date(2026, 1, 31), 12, line(4_999), line(3_001, "email"))
    stored = book(date(2026, 1, 31), 12, line(4_999), line(3_001, "email"))
    stored.run(stored.contract.month_start(month - 1))
    assert stored.period is not None

    assumed = elsewhere(yearly.subscription, yearly.contract, InvoicingDue(month), None)

    assert assumed.content == stored.period.content
    assert assumed.invoiced_of("search") == stored.period.invoiced_of("search")


def test_a_period_that_is_not_stored_was_invoiced_with_a_move_that_was_replaced_since() -> None:
    """Decided before the quarter began, so invoiced with it; on the quarter's first day another one took its place."""
    quarterly = book(date(2024, 1, 31), 3, line(4_901))
    quarterly.decide(date(2024, 1, 30), change(9_903, date(2024, 1, 30), date(2024, 2, 29)))
    quarterly.run(date(2024, 1, 31))
    quarterly.decide(date(2024, 1, 31), change(9_903, date(2024, 1, 31), date(2024, 2, 29)))

    assumed = elsewhere(quarterly.subscription, quarterly.contract, quarterly.due, None)

    assert assumed.invoiced_of("search") == 4_901 + 2 * 9_903


def test_a_difference_is_instead_of_a_move_that_was_invoiced_and_replaced_since() -> None:
    """A quarter at 50, 100, 100: its second month moves to 200 in place of 100, and not of 50."""
    quarterly = book(date(2024, 1, 31), 3, line(50))
    quarterly.decide(date(2024, 1, 30), change(100, date(2024, 1, 30), date(2024, 2, 29)))
    quarterly.run(date(2024, 1, 31))
    quarterly.decide(date(2024, 2, 10), change(200, date(2024, 2, 10), date(2024, 2, 29)))

    fixed = fix_month(quarterly.account, quarterly.subscription, quarterly.due, quarterly.period)

    [difference] = fixed.lines
    assert difference.net.amount == 2 * 200 - 2 * 100
    assert [(each.price.amount, each.months) for each in difference.instead_of] == [(100, 2)]


# ---- Terms ----


def test_monthly_to_yearly_is_invoiced_by_month_and_then_by_year() -> None:
    one = book(date(2026, 1, 31), 1, line(100))
    one.run(date(2026, 2, 28))
    term = Term(7, 12, "EUR", datetime(2026, 8, 1, tzinfo=UTC))
    one.account = replace(one.account, contract=one.contract.with_term(term))
    one.decide(date(2026, 10, 1), change(150, date(2026, 10, 1), date(2026, 10, 31)))

    one.run(date(2027, 8, 31))

    assert [(each.tax_point, each.net) for each in one.documents] == [
        *((one.contract.month_start(month), 100) for month in range(7)),
        (date(2026, 8, 31), 1_200),
        (date(2026, 10, 31), 500),
        (date(2027, 8, 31), 1_800),
    ]


@examples(100, deep=2_000)
@given(
    st.sampled_from(INTERVALS_MONTHS),
    st.dates(date(2024, 6, 1), date(2025, 1, 31)),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(INTERVALS_MONTHS)), max_size=3),
    st.sets(st.integers(0, 900), max_size=30),
)
def test_each_month_of_each_term_is_invoiced_once_however_late(
    interval: int, start: date, later: list[tuple[int, int]], runs: set[int]
) -> None:
    one = book(start, interval, line(100))
    contract, month = one.contract, 0
    for periods, months in later:
        for _ in range(periods + 1):
            month = contract.paid_period(month)[1]
        contract = contract.with_term(Term(month, months, "EUR", datetime(2024, 1, 1, tzinfo=UTC)))
    one.account = replace(one.account, contract=contract)

    for day in sorted(runs | {900}):
        one.run(start + timedelta(days=day))

    fixed = contract.paid_period(contract.month_of(start + timedelta(days=900)))[1]
    assert sum(each.net for each in one.documents) == 100 * fixed
    assert all(each.net == 100 * contract.interval_of(contract.month_of(each.tax_point)) for each in one.documents)


# ---- The same sums and taxes, whatever comes when ----


@dataclass(frozen=True)
class Fact:
    """On day `on` after the start something is decided."""

    on: int
    kind: str
    product: str = "search"
    price: int = 0
    months_later: int = 1


facts = st.lists(
    st.builds(
        Fact,
        on=st.integers(1, 420),
        kind=st.sampled_from(
            ["move", "move", "move", "version", "version", "keep", "cancel", "withdraw", "reactivate"]
        ),
        product=st.sampled_from(["search", "email"]),
        price=st.integers(1, 9_999),
        months_later=st.integers(1, 2),
    ),
    max_size=9,
)
discounts_given = st.lists(
    st.builds(
        Discount,
        st.sampled_from(["search", None]),
        st.decimals("0.01", 49, places=2),
        st.none(),
        st.just(date(2024, 1, 1)),
        st.dates(date(2024, 8, 1), date(2026, 1, 1)),
        st.just("given"),
    ),
    max_size=2,
    unique_by=lambda each: each.product,
).map(tuple)


def lives(one: Book, happened: Sequence[Fact], runs: set[int] | None, days: int) -> Iterator[Book]:
    """Lets the days pass, with invoicing on the days `runs`, or every day. Yields the book of each contract."""
    start = one.contract.start
    for day in range(days):
        today = start + timedelta(days=day)
        ending = one.account.ending
        if ending is not None and today >= ending.active_until:
            one.account = replace(one.account, status=Status.DEACTIVATED)
        if runs is None or day in runs:
            one.run(today)
        for fact in happened:
            if fact.on != day:
                continue
            if fact.kind == "move" and one.account.status is Status.ACTIVE:
                later = one.contract.month_start(one.contract.month_of(today) + fact.months_later)
                one.decide(today, one.tier_of(fact.price, today, later, fact.product))
            elif fact.kind == "version" and one.account.status is Status.ACTIVE:
                one.move(today, fact.price, is_announced=fact.months_later == 1)
            elif fact.kind == "keep" and one.account.status is Status.ACTIVE:
                one.keep(today)
            elif fact.kind == "cancel" and one.account.status is Status.ACTIVE:
                ends = termination(one.contract.start, one.contract.interval_months, today).active_until
                one.account = replace(
                    one.account, status=Status.CANCELLING, ending=Ending("receipt", ends, ends + timedelta(14))
                )
            elif fact.kind == "withdraw" and one.account.status is Status.CANCELLING:
                one.account = replace(one.account, status=Status.ACTIVE, ending=None)
            elif fact.kind == "reactivate" and one.account.status is Status.DEACTIVATED:
                # What the old contract owes is issued first.
                one.run(today)
                yield one
                again = Contract(today, one.contract.interval_months, "EUR", "UTC")
                fresh = Book(
                    replace(one.account, status=Status.ACTIVE, ending=None, contract=again),
                    Subscription(1, one.subscription.lines_on(today), ()),
                )
                fresh.run(today)
                one = fresh
    one.run(start + timedelta(days=days))
    yield one


@examples(150, deep=2_000)
@given(
    st.sampled_from(INTERVALS_MONTHS),
    st.dates(date(2024, 6, 1), date(2025, 1, 31)),
    discounts_given,
    facts,
    st.sets(st.integers(0, 460), max_size=40),
)
def test_late_runs_invoice_the_same_sums_with_the_same_tax(
    interval: int, start: date, discounts: tuple[Discount, ...], happened: list[Fact], runs: set[int]
) -> None:
    def made() -> Book:
        return book(start, interval, line(4_901), line(2_933, "email"), discounts=discounts)

    in_time = [each.totals() for each in lives(made(), happened, None, 460)]
    late = [each.totals() for each in lives(made(), happened, runs, 460)]

    assert late == in_time


def test_what_several_invoices_have_too_much_is_taken_back_from_each() -> None:
    """A year at 100, and 50 more from May: then 1,400 less are owed than the 1,600 that were invoiced."""
    yearly = book(date(2026, 1, 1), 12, line(100))
    yearly.run(date(2026, 1, 1))
    yearly.decide(date(2026, 4, 10), change(150, date(2026, 4, 10), date(2026, 5, 1)))
    yearly.run(date(2026, 5, 1))
    adjust(yearly, 4, -1_400)

    yearly.run(date(2026, 6, 1))

    assert [(each.net, each.corrects) for each in yearly.documents] == [
        (1_200, None),
        (400, None),
        (-400, 1),
        (-1_000, 0),
    ]


def test_what_is_owed_more_nets_with_what_is_owed_less() -> None:
    yearly = book(date(2026, 1, 1), 12, line(100), line(200, "email"))
    yearly.run(date(2026, 1, 1))
    adjust(yearly, 0, -300)
    yearly.decide(date(2026, 1, 10), change(210, date(2026, 1, 10), date(2026, 2, 1), "email"))

    yearly.run(date(2026, 2, 1))

    assert [each.amounts for each in yearly.documents[1:]] == [(("search", -300), ("email", 110))]


def test_an_adjustment_below_what_is_owed_takes_back_what_was_invoiced_and_no_more() -> None:
    """A quarter owes 300, and 500 are taken off: 300 go back. 300 more from the third month on owe 100 then."""
    quarterly = book(date(2026, 1, 1), 3, line(100), line(200, "email"))
    quarterly.run(date(2026, 1, 1))
    adjust(quarterly, 0, -500)
    quarterly.run(date(2026, 2, 1))
    quarterly.decide(date(2026, 2, 10), change(400, date(2026, 2, 10), date(2026, 3, 1)))
    quarterly.run(date(2026, 3, 1))

    assert [each.amounts for each in quarterly.documents] == [
        (("search", 300), ("email", 600)),
        (("search", -300),),
        (("search", 100),),
    ]


def test_what_is_taken_off_the_whole_is_no_more_than_what_adjustments_leave() -> None:
    """Half of 900 is taken off; 700 less are owed for e-mail, which owes 600. So 300 are left to take 450 off."""
    halved = Discount(None, Decimal(50), None, date(2026, 1, 1), None, "Half")
    quarterly = book(date(2026, 1, 1), 3, line(100), line(200, "email"), discounts=(halved,))
    quarterly.run(date(2026, 1, 1))
    adjust(quarterly, 0, -700, "email")

    quarterly.run(date(2026, 2, 1))

    assert [each.amounts for each in quarterly.documents] == [
        (("search", 300), ("email", 600), (None, -450)),
        (("email", -600), (None, 150)),
    ]


def test_a_credit_note_names_first_the_newest_invoice_that_has_the_product() -> None:
    yearly = book(date(2026, 1, 1), 12, line(100), line(200, "email"))
    yearly.run(date(2026, 1, 1))
    yearly.decide(date(2026, 1, 10), change(150, date(2026, 1, 10), date(2026, 2, 1)))
    yearly.run(date(2026, 2, 1))
    yearly.decide(date(2026, 2, 10), change(210, date(2026, 2, 10), date(2026, 3, 1), "email"))
    yearly.run(date(2026, 3, 1))
    assert yearly.period is not None

    assert yearly.period.invoices_with({"search"}) == ("2", "1", "3")
    assert yearly.period.invoices_with({"email"}) == ("3", "1", "2")


def adjust(one: Book, month: int, amount: int, product: str = "search") -> None:
    assert one.period is not None
    made = Adjustment(month, product, amount, "Agreed by phone", "staff", one.contract.month_start(month))
    one.period = replace(one.period, adjustments=(*one.period.adjustments, made))


CHEAP = [Fact(1, "move", product, 1) for product in (*["search"] * 8, "email")]
"""Both products cost 0.01 a month from the second month on, so 0.03 in the next quarter."""


# 0.07 less for a product that owes 0.03: the month had 0.01 to take back that no invoice has.
@example(3, date(2024, 6, 1), CHEAP, [(92, -7, "search")])
@examples(100, deep=2_000)
@given(
    st.sampled_from(INTERVALS_MONTHS[1:]),
    st.dates(date(2024, 6, 1), date(2025, 1, 31)),
    facts,
    st.lists(st.tuples(st.integers(0, 420), st.integers(-9_000, 9_000), st.sampled_from(["search", "email"]))),
)
def test_what_is_owed_is_what_is_invoiced_less_what_is_taken_back(
    interval: int, start: date, happened: list[Fact], adjusted: list[tuple[int, int, str]]
) -> None:
    """By product and period, with adjustments, and never less than nothing; no document is below zero but credit notes,
    none above its invoice."""
    one = book(start, interval, line(4_901), line(2_933, "email"))
    for day in range(430):
        today = start + timedelta(days=day)
        one.run(today)
        period = one.period
        assert period is not None
        if one.contract.month_start(period.until_month - 1) == today:
            for each in period.content:
                owed = sum(step.price.amount * step.months for step in each.steps)
                assert period.invoiced_of(each.product) == max(0, owed + period.adjusted_of(each.product))
        for fact in happened:
            if fact.on == day and fact.kind == "move":
                later = one.contract.month_start(one.contract.month_of(today) + fact.months_later)
                one.decide(today, change(fact.price, today, later, fact.product))
        for on, amount, product in adjusted:
            if on == day:
                adjust(one, period.fixed_through, amount, product)
    for place, document in enumerate(one.documents):
        assert document.corrects is not None or document.net >= 0
        assert document.corrects is not None or one.left(place) >= 0


@examples(100, deep=2_000)
@given(st.sampled_from(INTERVALS_MONTHS), st.dates(date(2024, 6, 1), date(2025, 1, 31)), facts)
def test_of_every_paid_period_all_that_is_owed_is_invoiced(interval: int, start: date, happened: list[Fact]) -> None:
    """Σ owed of its months = Σ invoiced, by product, whenever its last month is fixed."""
    moves = [each for each in happened if each.kind == "move"]
    for one in lives(book(start, interval, line(4_901), line(2_933, "email")), moves, None, 460):
        period = one.period
        assert period is not None
        for each in period.content:
            price = sum(step.price.amount * step.months for step in each.steps)
            months = period.fixed_through - period.first_month + 1
            assert sum(step.months for step in each.steps) == months
            if period.fixed_through + 1 == period.until_month:
                assert period.invoiced_of(each.product) == price


# A move for the period's second month is invoiced with it, and replaced on its first day.
@example(3, date(2024, 6, 1), (), [Fact(91, "move", "search", 100, 2), Fact(92, "move", "search", 200)])
@examples(60, deep=2_000)
@given(st.sampled_from(INTERVALS_MONTHS[1:]), st.dates(date(2024, 6, 1), date(2025, 1, 31)), discounts_given, facts)
def test_what_a_period_owed_and_was_invoiced_is_known_without_it(
    interval: int, start: date, discounts: tuple[Discount, ...], happened: list[Fact]
) -> None:
    """As for an account of an earlier release, whose previews have no documents: whatever was decided and replaced."""
    one = book(start, interval, line(4_901), line(2_933, "email"), discounts=discounts)
    for day in range(430):
        today = start + timedelta(days=day)
        one.run(today)
        moves = [each for each in happened if each.on == day and each.kind == "move"]
        for fact in moves:
            later = one.contract.month_start(one.contract.month_of(today) + fact.months_later)
            one.decide(today, change(fact.price, today, later, fact.product))
        period = one.period
        if not moves or period is None or one.due.month == period.until_month:
            continue
        assumed = elsewhere(one.subscription, one.contract, one.due, None)
        assert monthly(assumed) == monthly(period)
        assert all(assumed.invoiced_of(each) == period.invoiced_of(each) for each in ("search", "email", None))


def monthly(period: PaidPeriod) -> dict[str | None, list[tuple[int, tuple[Discount, ...]]]]:
    """The price and the discounts of each fixed month by product. A decision from before the period may be a line."""
    return {
        each.product: [(step.price.amount, step.discounts) for step in each.steps for _ in range(step.months)]
        for each in period.content
    }
