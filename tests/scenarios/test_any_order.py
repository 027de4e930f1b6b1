"""Facts, late runs, cancellations and reactivations in any order: the same sums and the same tax per contract month.

A story is lived in two worlds, through the real commands on a table: in the first invoices are issued when each month
begins, in the second hours, days or periods later. Both must have issued what tests/scenarios/owed.py reckons. What a
paid period has too much is taken back by credit notes: what they come to, and the tax of the invoices that they name.
"""

from __future__ import annotations

import contextlib
import json
from calendar import monthrange
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from billing.accounts.change_billing_information import change_billing_information
from billing.accounts.information import Area, CompanyDetails
from billing.accounts.rules import Status, existing
from billing.billing_page.change_subscription import ChangeRequest
from billing.billing_page.change_term import CurrencyOrder, agree_to_term, propose_term
from billing.billing_page.list_index_records import Indexed, ListIndexStore
from billing.billing_page.provision_account import provision_account
from billing.ending.cancellation.commands import (
    CancellationRequest,
    cancel_account,
    end_account,
    preview_cancellation,
    withdraw_cancellation,
)
from billing.ending.cancellation.rules import Reason
from billing.ending.reactivation.commands import complete_reactivation, reactivation_quote, request_reactivation
from billing.ending.reactivation.records import ReactivationStore
from billing.invoicing.administer_one_offs import NewOneOff, add_one_off, take_back_one_off
from billing.invoicing.credit_notes import RequestedPart
from billing.invoicing.dunning import InvoicePayment
from billing.invoicing.entries import EntryKind, sum_of
from billing.invoicing.exchange_rates.records import ExchangeRateStore
from billing.invoicing.exchange_rates.replace import replace_rates
from billing.invoicing.exchange_rates.rules import DailyRates, rate_day
from billing.invoicing.invoices import BillingReason, IssuedInvoice
from billing.invoicing.issue_credit_note import issue_credit_note
from billing.invoicing.issue_invoices import issue_invoices, upcoming
from billing.invoicing.one_off_records import OneOffStore
from billing.invoicing.one_offs import OneOffKind
from billing.invoicing.record_transfer import record_transfer
from billing.invoicing.records import BillingContext
from billing.invoicing.reissue_invoice import RightAmount, reissue_invoice
from billing.invoicing.release_invoicing import preview_invoicing, release_invoicing
from billing.invoicing.take_transfer_back import take_transfer_back
from billing.invoicing.tax import TaxRule
from billing.invoicing.transfers import BankTransfer, NoInvoice
from billing.kernel.contract_calendar import INTERVALS_MONTHS, Contract
from billing.kernel.errors import RuleViolation
from billing.kernel.events import EventType, RequestContext
from billing.kernel.money import Money
from billing.payments.replace_payment_method import set_bank_transfer
from billing.platform.dynamodb import keys
from billing.scaling.reviews.decide_review import apply_review
from billing.scaling.reviews.rules import lines_at_renewal, lower_tier_fit
from billing.scaling.scale_account import scale_account
from billing.scaling.tier_changes import line_after_pending_change, next_contract_month
from billing.subscriptions.catalogue import Product, Tier
from billing.subscriptions.replace_catalogue import replace_catalogue
from billing.subscriptions.rules import Cause, Discount, Order, TierChange
from hypothesis import event, example, given
from hypothesis import strategies as st

from tests.aws import TABLE
from tests.faults.company import NEW_ACCOUNT, SETTINGS
from tests.faults.network import connected
from tests.faults.world import World
from tests.properties import examples
from tests.scenarios.owed import Document, Owed, Rates, Reduction, half_away
from tests.store.samples import CONTEXT, REVIEW, sample_event
from tests.taxes import a_quarter

ACCOUNT = NEW_ACCOUNT.account
VOLUMES = (1_000, 2_000, 5_000, 10_000, 50_000)
PRICES = {"search": (4_901, 9_903, 19_907, 41_111, 99_999), "email": (2_903, 5_901, 8_887, 13_331, 77_777)}
CURRENCIES = ("EUR", "DKK", "JPY", "KWD")
ZONES = ("Europe/Copenhagen", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/Santiago", "Africa/Cairo", "UTC")
COMPANIES = {
    "DK": CompanyDetails("Nordlys", "1", None, "1058", "København", "DK", "DK13585628"),
    "SK": CompanyDetails("Sever", "1", None, "81101", "Bratislava", "SK", None),
    "FI": CompanyDetails("Pohjola", "1", None, "00100", "Helsinki", "FI", None),
    "EE": CompanyDetails("Põhi", "1", None, "10111", "Tallinn", "EE", None),
    "DE with a number": CompanyDetails("Nord", "1", None, "10115", "Berlin", "DE", "DE136695976"),
    "Las Palmas": CompanyDetails("Teide", "1", None, "ES-35.001", "Las Palmas", "ES", None),
    "NO": CompanyDetails("Nord", "1", None, "0150", "Oslo", "NO", None),
}
EARLY, RUN, JOBS, NOON, LATE = time(0, 3), time(0, 5), time(0, 10), time(12), time(23, 58)


# ---- Stories ----


@dataclass(frozen=True)
class Fact:
    """What happens some days after the last fact: `kind` with two choices. `runs` issues invoices just before it."""

    days: int
    at: time
    kind: str
    one: int
    other: int
    runs: bool


@dataclass(frozen=True)
class Story:
    """A contract and its facts. `skipped` says of each month's run, in turn, whether it does not come.

    With `converted` invoices have their tax in kroner too. The rates of a late world are given only after invoices
    have waited for them, at times for a month.
    """

    start: date
    ahead: int
    interval: int
    currency: str
    zone: str
    country: str
    tiers: tuple[int, int]
    reductions: tuple[Reduction, ...]
    facts: tuple[Fact, ...]
    skipped: tuple[bool, ...]
    invoiced: bool
    converted: bool = False


KINDS = (
    *("move", "scale", "scale", "review", "review", "agree", "agree", "agree", "term", "cancel", "cancel", "withdraw"),
    *("currency", "currency"),
    *("reactivate", "reactivate", "forget", "company", "pay", "pay", "unpay", "correct", "correct"),
    *("charge", "charge", "sorry", "undo", "credit", "credit"),
)


def facts_of(*kinds: str) -> st.SearchStrategy[Fact]:
    return st.builds(
        Fact,
        days=st.integers(0, 75) | st.sampled_from([0, 1, 28, 29, 30, 31, 59, 61]),
        at=st.sampled_from([EARLY, NOON, LATE]),
        kind=st.sampled_from(kinds),
        one=st.integers(0, 9),
        other=st.integers(0, 9),
        runs=st.booleans(),
    )


starts = st.dates(date(2024, 1, 25), date(2025, 7, 31)) | st.sampled_from(
    [date(2024, 1, 31), date(2024, 2, 29), date(2024, 8, 31), date(2024, 12, 29), date(2025, 1, 30), date(2024, 3, 31)]
)
reductions = st.builds(
    lambda product, off, since, until: Reduction(product, off[0], off[1], since, until),
    product=st.sampled_from(["search", "email", None]),
    off=st.sampled_from(
        [(Fraction(25, 2), 0), (Fraction(3333, 100), 0), (Fraction(7), 0), (Fraction(0), 101), (Fraction(0), 333)]
    ),
    since=st.dates(date(2024, 1, 1), date(2025, 9, 1)),
    until=st.none() | st.dates(date(2024, 6, 1), date(2026, 6, 1)),
)
free = st.dates(date(2024, 1, 1), date(2025, 6, 1)).map(
    lambda day: Reduction(None, Fraction(100), 0, day, day + timedelta(days=200))
)


def stories(*kinds: str) -> st.SearchStrategy[Story]:
    return st.builds(
        Story,
        start=starts,
        ahead=st.sampled_from([0, 1, 40, 100, -45, -130]),
        interval=st.sampled_from(INTERVALS_MONTHS),
        currency=st.sampled_from(CURRENCIES),
        zone=st.sampled_from(ZONES),
        country=st.sampled_from(sorted(COMPANIES)),
        tiers=st.tuples(st.integers(0, 2), st.integers(0, 2)),
        reductions=st.lists(reductions, max_size=3).map(tuple) | free.map(lambda each: (each,)),
        facts=st.lists(facts_of(*kinds), min_size=2, max_size=9).map(tuple),
        skipped=st.lists(st.sampled_from([True, True, False]), min_size=1, max_size=6).map(tuple),
        invoiced=st.booleans(),
        converted=st.booleans(),
    )


# ---- Lives ----


@dataclass
class Extra:
    """A one-off charge, or with `is_goodwill` a price reduction, added on a day. `is_gone`: taken back."""

    id: str
    amount: int
    is_goodwill: bool
    added: date
    is_gone: bool = False


class Life:
    """A story in a world. `late` leaves out the runs that it skips."""

    def __init__(self, story: Story, world: World, *, late: bool) -> None:
        self.story, self.world, self.late = story, world, late
        self.zone = ZoneInfo(story.zone)
        self.runs = self.reviews = self.corrections = self.settled = 0
        self.pays_at_once = False
        self.forgotten = False
        self.more: Counter[tuple[date, str | None]] = Counter()
        self.settings = replace(SETTINGS, seller_currency="DKK") if story.converted else SETTINGS
        self.rates = Rates(story.country)
        self.contracts: list[Owed] = []
        self.extras: list[Extra] = []
        self.at_once: dict[str, tuple[int, int]] = {}
        self.credits: set[str] = set()
        self.moves = {product: VOLUMES[tier] for product, tier in zip(PRICES, story.tiers, strict=True)}
        begin = story.start - timedelta(days=story.ahead)
        self.now = self.instant(begin, NOON)
        self._sell()

    # ---- Time ----

    def instant(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    @property
    def context(self) -> RequestContext:
        return replace(CONTEXT, time=self.now)

    @property
    def contract(self) -> Owed:
        return self.contracts[-1]

    def live(self) -> None:
        if not (self.late and self.story.skipped[0]):
            self.run(release=False)
        for fact in self.story.facts:
            to = self.instant(self.today + timedelta(days=fact.days), fact.at)
            ends = self.contract.ends
            if fact.kind == "reactivate" and ends is not None:
                to = max(to, self.instant(ends + timedelta(days=fact.one % 3), fact.at))
            self.pass_time(max(to, self.now))
            if self.late and fact.runs:
                self.run(release=fact.one % 2 == 0)
            getattr(self, fact.kind)(fact.one, fact.other)
            self.agrees()
        self.pass_time(self.instant(self.today + timedelta(days=40), NOON))
        self.run(release=True)

    def pass_time(self, to: datetime) -> None:
        """The runs, and the end of a cancelled account, on the days that pass."""
        while True:
            day = next((each for each in self._jobs() if self.now < each <= to), None)
            if day is None:
                break
            self.now = day
            if self.contract.ends is not None and self.today >= self.contract.ends:
                self._end()
            if self.today == self.contract.begins(self.contract.month_of(self.today)):
                self.runs += 1
                if not self.late or not self.story.skipped[self.runs % len(self.story.skipped)]:
                    self.run(release=self.runs % 2 == 0 or not self.late)
        self.now = max(self.now, to)

    def _jobs(self) -> Iterator[datetime]:
        month = self.contract.month_of(self.today) - 1
        for each in range(max(0, month), month + 40):
            yield self.instant(self.contract.begins(each), RUN)

    # ---- Commands ----

    def _sell(self) -> None:
        story = self.story
        products = tuple(
            Product(
                product,
                product.title(),
                "units",
                tuple(
                    Tier(volume, dict.fromkeys(CURRENCIES, price))
                    for volume, price in zip(VOLUMES, PRICES[product], strict=True)
                ),
            )
            for product in PRICES
        )
        replace_catalogue(products, 0, is_charged=True, context=self.context, store=self.world.store)
        contract = Contract(story.start, story.interval, story.currency, story.zone)
        discounts = tuple(
            Discount(
                each.product,
                Decimal(each.percent.numerator) / each.percent.denominator if each.percent else None,
                each.amount or None,
                each.since,
                each.until,
                "Agreed",
            )
            for each in story.reductions
        )
        owed = Owed(story.start, story.interval, self.signed(), story.reductions)
        if story.invoiced and story.ahead == 0:
            owed.first_month = story.interval
        provision_account(
            replace(
                NEW_ACCOUNT,
                contract=contract,
                company=COMPANIES[story.country],
                orders=tuple(Order(product, volume) for product, volume in self.moves.items()),
                discounts=discounts,
                invoiced_until=owed.begins(owed.first_month),
            ),
            context=self.context,
            directory=self.world.directory,
            pages=self.world.store,
            catalogues=self.world.store,
        )
        self.contracts.append(owed)
        paying = self.world.paying
        set_bank_transfer(existing(paying.payer(ACCOUNT)), context=self.context, store=paying)

    def signed(self) -> dict[str, int]:
        return {product: PRICES[product][VOLUMES.index(volume)] for product, volume in self.moves.items()}

    def run(self, *, release: bool) -> None:
        self._issue()
        while release and (self._release() or self._give_rate()):
            self._issue()

    def _issue(self) -> None:
        if self.pays_at_once:
            self._settle()
        issue_invoices(ACCOUNT, now=self.now, correlation="run", settings=self.settings, store=self.world.invoicing)
        self._follow_currency()

    def _settle(self) -> None:
        """All that is open is transferred, to the cent."""
        store = self.world.invoicing
        for each in store.unpaid(ACCOUNT, consistent=True):
            self.settled += 1
            asked = BankTransfer(
                f"settled {self.settled}", each.left, self.today, ((each.invoice.number, each.left.amount),)
            )
            billing = existing(store.billing_context(ACCOUNT))
            record_transfer(billing, asked, context=self.context, store=store, gateway=cast("Any", None))

    def _follow_currency(self) -> None:
        """A term in another currency that a run has begun: at a renewal, for as many months as before."""
        terms, owed = self.world.store.account(ACCOUNT).contract.terms, self.contract
        if len(terms) > len(owed.terms):
            event("another currency")
            [new] = terms[len(owed.terms) :]
            assert owed.opened(new.from_month) == new.from_month
            assert owed.interval_of(new.from_month) == new.interval_months
            owed.terms.append((new.from_month, new.interval_months))

    @property
    def currency_now(self) -> str:
        """The currency of the contract now: each has the same amounts."""
        return self.world.store.account(ACCOUNT).contract.currency

    def _give_rate(self) -> bool:
        """The rates of the day for which an invoice waits, if one does."""
        billing = existing(self.world.invoicing.billing_context(ACCOUNT))
        due, ending = billing.due, billing.subscriber.account.ending
        days = [] if due is None or due.awaits is None else [due.awaits.day]
        if self.story.converted and ending is not None and billing.one_offs.open and ending.active_until <= self.today:
            days.append(rate_day(self.instant(ending.active_until, time())))
        days = [each for each in days if self.exchange.rates(each) is None]
        for day in days:
            event("waited for a rate")
            self._publish(day)
        return bool(days)

    def _publish(self, day: date) -> None:
        rates = {"DKK": Decimal("7.46") + day.day, "JPY": Decimal(160), "KWD": Decimal("0.33")}
        replace_rates(DailyRates(day, "EUR", rates, "ECB"), 0, context=self.context, store=self.exchange)

    @property
    def exchange(self) -> ExchangeRateStore:
        return ExchangeRateStore(TABLE, self.world.client)

    def _release(self) -> bool:
        store = self.world.invoicing
        billing = existing(store.billing_context(ACCOUNT))
        shown = preview_invoicing(billing, context=self.context, settings=self.settings, store=store)
        if not shown.is_waiting:
            return False
        event("released")
        release_invoicing(
            billing, len(shown.pending), shown.total, context=self.context, settings=self.settings, store=store
        )
        return True

    def move(self, one: int, other: int) -> None:
        """Autoscaling moves a product to a larger tier."""
        world = self.world
        state = existing(world.autoscaling.state(ACCOUNT))
        account, subscription = state.subscriber.account, state.subscriber.subscription
        product = [*PRICES][one % 2]
        [signed] = (each for each in subscription.lines if each.product == product)
        pending = subscription.pending_change(product, self.today)
        line = subscription.line_on(signed, date.max if pending and pending.cause is Cause.AUTOSCALING else self.today)
        larger = [each for each in VOLUMES if each > (line.up_to or 0)]
        if account.status is not Status.ACTIVE or not larger:
            return
        event("move")
        volume = larger[other % len(larger)]
        price = PRICES[product][VOLUMES.index(volume)]
        effective_on = next_contract_month(account.contract, self.today, state.subscriber.fixed.until)
        money = Money(price, self.currency_now)
        change = TierChange(
            product, volume, money, effective_on, Cause.AUTOSCALING, f"{self.now}.{product}", self.today
        )
        assert state.due is not None
        after = state.subscriber.change_tiers((change,), self.today)
        world.autoscaling.decide(state, (), after, (), state.due, self.now)
        assert effective_on == self.next_open_month()
        self.contract.change(product, price, effective_on, self.today)

    def next_open_month(self) -> date:
        """The first day of the next contract month in which a move takes effect: none that another system invoices,
        as far as that is stored (DESIGN 3.2.5)."""
        first_month = 0 if self.forgotten else self.contract.first_month
        return self.contract.begins(max(0, self.contract.month_of(self.today) + 1, first_month))

    def scale(self, one: int, other: int) -> None:
        """The monthly run of autoscaling, however late, after usage above the tiers of one product or of both."""
        state = existing(self.world.autoscaling.state(ACCOUNT))
        subscription = state.subscriber.subscription
        for product in [*PRICES][one % 2 :][: 1 + other % 2]:
            [signed] = (each for each in subscription.lines if each.product == product)
            volume = line_after_pending_change(subscription, signed, self.today).up_to or 0
            self._use(product, (volume * 13 // 10,) * 5)
        before = [each["after"]["decision"] for each in self._events(EventType.SUBSCRIPTION_AUTOSCALED)]
        scale_account(ACCOUNT, now=self.now, correlation="scale", store=self.world.autoscaling, taxes=a_quarter)
        month = self.next_open_month()
        for each in self._events(EventType.SUBSCRIPTION_AUTOSCALED):
            if each["after"]["decision"] not in before:
                event("scaled")
                product, moved = each["after"]["product"]["product"], each["after"]["after"]
                assert moved["price"]["amount"] == PRICES[product][VOLUMES.index(moved["up_to"])]
                assert each["after"]["effective_on"] == month.isoformat()
                self.contract.change(product, moved["price"]["amount"], month, self.today)

    def _use(self, product: str, months: tuple[int, ...]) -> None:
        """Counts the same usage on every day of the closed months before today."""
        month = self.today.replace(day=1)
        for volume in months:
            month = (month - timedelta(days=1)).replace(day=1)
            days = monthrange(month.year, month.month)[1]
            counted = {f"d{day:02}": {"N": str(-(-volume // days))} for day in range(1, days + 1)}
            key = {"pk": {"S": keys.usage(ACCOUNT)}, "sk": {"S": keys.total(month, product)}}
            self.world.client.put_item(TableName=TABLE, Item={**key, **counted})

    def agree(self, one: int, other: int) -> None:
        """A tier from one of the next months on: it may take the place of another one that was invoiced."""
        state = existing(self.world.autoscaling.state(ACCOUNT))
        if state.subscriber.account.status is not Status.ACTIVE:
            return
        event("agree")
        product, volume = [*PRICES][one % 2], VOLUMES[(one + other) % len(VOLUMES)]
        price = PRICES[product][VOLUMES.index(volume)]
        effective_on = self.contract.begins(max(0, self.contract.month_of(self.today) + 1 + other % 7))
        money = Money(price, self.currency_now)
        change = TierChange(product, volume, money, effective_on, Cause.REVIEW, f"{self.now}.{product}", self.today)
        assert state.due is not None
        after = state.subscriber.change_tiers((change,), self.today)
        self.world.autoscaling.decide(state, (), after, (), state.due, self.now)
        self.contract.change(product, price, effective_on, self.today)

    def term(self, one: int, other: int) -> None:
        """Staff propose another interval from the next renewal on; at times an admin agrees to a longer one."""
        store, owed = self.world.store, self.contract
        page = store.billing_page(ACCOUNT, consistent=True)
        if page.account.status is not Status.ACTIVE:
            return
        interval = INTERVALS_MONTHS[other % len(INTERVALS_MONTHS)]
        agreed = [*owed.terms]
        if agreed and owed.begins(agreed[-1][0]) > self.today:
            owed.terms.pop()  # it is to come, so another one takes its place
        month = owed.renewal(max(owed.month_of(self.today) + 1, owed.first_month, 0))
        if interval == owed.interval_of(month):
            owed.terms[:] = agreed  # nothing is proposed
            return
        is_longer = interval > owed.interval_of(month)
        replaces = 0 if page.term is None else page.term.version
        request = ChangeRequest(replaces, False, self.context, SETTINGS.seller, None)
        proposed = propose_term(page, interval, "As they wish", request, pages=store)
        event("term")
        if is_longer and one % 3:
            event("longer term")
            agree_to_term(store.billing_page(ACCOUNT, consistent=True), proposed.change.id, request, pages=store)
        if not is_longer or one % 3:
            owed.terms.append((month, interval))
        terms = store.account(ACCOUNT).contract.terms
        assert [(each.from_month, each.interval_months) for each in terms] == owed.terms

    def currency(self, one: int, other: int) -> None:
        """Staff propose another currency, and an admin mostly agrees. It holds if nothing is left in the old one; at
        times the customer pays at once from now on."""
        store, owed = self.world.store, self.contract
        page = store.billing_page(ACCOUNT, consistent=True)
        currency = CURRENCIES[other % len(CURRENCIES)]
        if page.account.status is not Status.ACTIVE or currency == page.account.contract.currency:
            return
        agreed = [*owed.terms]
        if agreed and owed.begins(agreed[-1][0]) > self.today:
            owed.terms.pop()  # it is to come, so another one takes its place
        replaces = 0 if page.term is None else page.term.version
        request = ChangeRequest(replaces, False, self.context, SETTINGS.seller, None)
        order, invoices = CurrencyOrder(currency, 30), lambda: self.world.invoicing
        try:
            proposed = propose_term(page, None, "Moved", request, pages=store, order=order, invoices=invoices)
        except RuleViolation:  # a discount of a fixed amount
            owed.terms[:] = agreed
            return
        event("currency")
        self.pays_at_once = one % 2 == 0
        if one % 5:
            page = store.billing_page(ACCOUNT, consistent=True)
            agree_to_term(page, proposed.change.id, request, pages=store, invoices=invoices)

    def review(self, one: int, other: int) -> None:
        """Staff apply a lower tier."""
        store, today = self.world.store, self.today
        subscriber = store.subscriber(ACCOUNT, consistent=True)
        contract = subscriber.account.contract
        sold = store.catalogue(subscriber.subscription.catalogue_version)
        fits = tuple(
            lower_tier_fit(line, {}, sold, contract, today)
            for line in lines_at_renewal(subscriber.subscription, contract, today)
        )
        fit = fits[one % 2]
        if subscriber.account.status is not Status.ACTIVE or not fit.lower or fit.average is None:
            return
        event("review")
        self.reviews += 1
        begins = REVIEW.slot.begins + timedelta(days=self.reviews)
        slot = replace(REVIEW.slot, begins=begins, ends=begins + timedelta(minutes=30))
        review = replace(REVIEW, id=f"{self.reviews:026}", slot=slot, version=0)
        store.book_review(subscriber.account, review, sample_event())
        tier = fit.lower[other % len(fit.lower)]
        order = Order(fit.line.product, tier.up_to)
        review = store.review(ACCOUNT, review.id)
        apply_review(subscriber, review, (order,), fits, context=self.context, store=store)
        month = self.contract.renewal(max(0, self.contract.month_of(today) + 1))
        self.contract.change(fit.line.product, tier.price.amount, self.contract.begins(month), today)

    def charge(self, one: int, other: int) -> None:
        """Staff add a one-off charge, with the next invoice or at once."""
        amount, number = (1 + one * 7_777, len(self.extras) + len(self.at_once))
        if other % 3:
            self._add(Extra(f"extra-{number}", amount, False, self.today))
        elif self._can_add():
            event("charge at once")
            day = rate_day(self.instant(self.today, time()))
            if self.exchange.rates(day) is None:
                self._publish(day)
            self._ask_for(f"once-{number}", OneOffKind.CHARGE, amount, is_at_once=True)
            rate = self.rates(self.today)
            self.at_once[f"one-off/once-{number}"] = (amount, half_away(amount * rate / 100))

    def sorry(self, one: int, other: int) -> None:
        """Staff grant a goodwill, less than any month costs."""
        self._add(Extra(f"sorry-{len(self.extras)}", 1 + 31 * one, True, self.today))

    def undo(self, one: int, other: int) -> None:
        """Staff take back a one-off that no invoice has, also none that is late."""
        used = {each for document in self.documents(self.today + timedelta(days=1)) for each, _ in document.amounts}
        candidates = [
            each
            for each in self.extras
            if not each.is_goodwill and not each.is_gone and f"one-off/{each.id}" not in used
        ]
        if not candidates:
            return
        event("undo")
        candidates[one % len(candidates)].is_gone = True
        identity = candidates[one % len(candidates)].id
        take_back_one_off(self._billing(), identity, is_preview=False, context=self.context, **self._staff())

    def _add(self, extra: Extra) -> None:
        if self._can_add():
            event("goodwill" if extra.is_goodwill else "charge")
            kind = OneOffKind.GOODWILL if extra.is_goodwill else OneOffKind.CHARGE
            self._ask_for(extra.id, kind, extra.amount)
            self.extras.append(extra)

    def _ask_for(self, identity: str, kind: OneOffKind, amount: int, *, is_at_once: bool = False) -> None:
        price = Money(amount, self.currency_now)
        new = NewOneOff(identity, kind, "Training", (), price, 1, is_at_once, "Agreed")
        add_one_off(self._billing(), new, is_preview=False, context=self.context, **self._staff())

    def _can_add(self) -> bool:
        return self.contract.ends is None or self.today < self.contract.ends

    def _billing(self) -> BillingContext:
        return existing(self.world.invoicing.billing_context(ACCOUNT))

    def _staff(self) -> Any:
        return {"settings": self.settings, "store": OneOffStore(TABLE, self.world.client)}

    def cancel(self, one: int, other: int) -> None:
        cancellations = self.world.cancellations
        state = existing(cancellations.state(ACCOUNT))
        if state.subscriber.account.status is not Status.ACTIVE:
            return
        event("cancel")
        shown = preview_cancellation(state, self.today, 14, self.settings.seller, None)
        cancel_account(
            state,
            CancellationRequest(Reason.OTHER, "", shown.active_until, shown.charges),
            retention_days=14,
            seller=self.settings.seller,
            policy=None,
            context=self.context,
            store=cancellations,
        )
        self.contract.ends = self.contract.end_of_notice(self.today)
        assert shown.active_until == self.contract.ends
        charged = [(each.amount.amount, existing(each.tax).amount) for each in shown.charges_still_due]
        assert charged == [(each.net, each.tax) for each in self.to_come(self.contract.ends + timedelta(days=1))]

    def withdraw(self, one: int, other: int) -> None:
        ends = self.contract.ends
        if ends is None or self.today >= ends:
            return
        event("withdraw")
        cancellations = self.world.cancellations
        state = existing(cancellations.state(ACCOUNT))
        withdraw_cancellation(
            state, seller=self.settings.seller, policy=None, context=self.context, store=cancellations
        )
        self.contract.ends = None

    def _end(self) -> None:
        end_account(
            ACCOUNT,
            now=self.now,
            correlation="end",
            seller=self.settings.seller,
            policy=None,
            store=self.world.cancellations,
        )

    def reactivate(self, one: int, other: int) -> None:
        ends = self.contract.ends
        if ends is None or not ends <= self.today < ends + timedelta(days=14):
            return
        event("reactivate")
        today = self.today
        self._end()
        store = ReactivationStore(TABLE, self.world.client)
        billing = existing(store.billing_context(ACCOUNT))
        subscription = billing.subscriber.subscription
        day = rate_day(self.instant(today, time()))
        if self.exchange.rates(day) is None:
            self._publish(day)
        quote = reactivation_quote(billing, self.today, self.settings, self.world.store)
        request_reactivation(
            billing,
            quote.draft.due,
            context=self.context,
            settings=self.settings,
            store=store,
            catalogues=self.world.store,
        )
        if other % 3 == 0:
            self.now += timedelta(minutes=7)
        for _ in range(30):
            pending = complete_reactivation(
                ACCOUNT,
                now=self.now,
                correlation="back",
                settings=self.settings,
                store=store,
                gateway=cast("Any", None),
            )
            if pending is None:
                break
            assert self._release() or self._give_rate()
        assert existing(store.billing_context(ACCOUNT)).subscriber.account.status is Status.ACTIVE
        self.moves = {each.product: cast("int", each.up_to) for each in subscription.lines_on(today)}
        old = self.contract
        assert self.signed() == {each: old.price(each, today, old.in_force()) for each in old.prices}
        interval = old.interval_of(old.month_of(ends) - 1)
        self.contracts.append(Owed(today, interval, self.signed()))

    def forget(self, one: int, other: int) -> None:
        """The running period is not stored, nor the first month, as in an account of an earlier release."""
        if len(self.contracts) > 1 or one > 2 or self.corrected():
            return  # no earlier release corrected an invoice
        event("forget")
        self.forgotten = True
        client, partition = self.world.client, {"S": f"ACCOUNT#{ACCOUNT}"}
        client.delete_item(TableName=TABLE, Key={"pk": partition, "sk": {"S": "PAGE#PERIOD"}})
        [item] = self.world.stored("PAGE#ACCOUNT")
        body = {**json.loads(item["body"]["S"]), "invoiced_from": None}
        client.put_item(TableName=TABLE, Item={**item, "body": {"S": json.dumps(body)}})

    def company(self, one: int, other: int) -> None:
        """The company moves. The buyer's data are those of the day of issue, so what is due is issued before."""
        self.run(release=True)
        if self.now.astimezone(self.zone).time() < RUN:
            return
        page = self.world.store.billing_page(ACCOUNT, consistent=True)
        country = sorted(COMPANIES)[one % len(COMPANIES)]
        current = page.information.company
        if current.details == COMPANIES[country]:
            return
        event("company")
        change_billing_information(
            page.account,
            Area.COMPANY,
            current,
            COMPANIES[country],
            current.version,
            context=self.context,
            store=self.world.store,
        )
        self.rates.move(self.today, country)

    def pay(self, one: int, other: int) -> None:
        """A transfer: a part of what is open, all of it, or more; the oldest first."""
        store = self.world.invoicing
        currency = self.currency_now
        unpaid = [each for each in store.unpaid(ACCOUNT, consistent=True) if each.left.currency == currency]
        left = sum(each.payment.left for each in unpaid)
        amount = Money(max(1, left * (one + 1) // 7 + 101 * other), currency)
        asked = BankTransfer(f"{self.now}", amount, self.today)
        billing = existing(store.billing_context(ACCOUNT))
        with suppress(NoInvoice):  # before the first invoice
            record_transfer(billing, asked, context=self.context, store=store, gateway=cast("Any", None))
            event("paid")
        self.books_agree()

    def unpay(self, one: int, other: int) -> None:
        """Staff take back a transfer, or all."""
        store = self.world.invoicing
        for each in store.transfers(ACCOUNT, limit=10, after=None).items[one % 3 :][: 1 + other]:
            event("taken back")
            take_transfer_back(
                existing(store.billing_context(ACCOUNT)),
                each.id,
                "Another customer's",
                context=self.context,
                settings=self.settings,
                store=store,
                gateway=cast("Any", None),
            )
        self.books_agree()

    def books_agree(self) -> None:
        """In each currency the credit is what the entries say, and the transfers that were not taken back are all that
        came in."""
        store = self.world.invoicing
        billing = existing(store.billing_context(ACCOUNT))
        records = store.summaries(ACCOUNT)
        for currency in {each.left.currency for each in records} | {*billing.credits}:
            payments = [each.payment for each in records if each.left.currency == currency]
            self._books_agree_in(currency, payments, billing.credit_in(currency))

    def _books_agree_in(self, currency: str, payments: list[InvoicePayment], credit: int) -> None:
        entries = [entry for each in payments for entry in each.entries]
        transfers = self.world.invoicing.transfers(ACCOUNT, limit=100, after=None).items
        of_it = [each for each in transfers if each.amount.currency == currency]
        standing = sum(each.amount.amount for each in of_it if each.taken_back is None)
        assert sum_of(entries, EntryKind.TRANSFERRED) - sum_of(entries, EntryKind.TRANSFER_TAKEN_BACK) == standing
        assert sum(each.credit for each in payments) == credit >= 0
        assert all(0 <= each.left <= each.owed for each in payments)
        open_ones = [each for each in payments if each.left and not each.is_credit_note]
        paid = sum(each.paid for each in payments)
        assert paid + sum(each.credit for each in payments) >= standing
        assert not open_ones or not credit

    def correct(self, one: int, other: int) -> None:
        """Staff correct an invoice that no credit note names, at times by a larger amount of a line."""
        invoices = self._not_credited()
        if not invoices:
            return
        invoice, store = invoices[one % len(invoices)], self.world.invoicing
        billing = existing(store.billing_context(ACCOUNT))
        if invoice.draft.tax.rule is TaxRule.REVERSE_CHARGE and not billing.company.vat_number:
            return
        right: tuple[RightAmount, ...] = ()
        line, more = invoice.draft.lines[0], 37 * (other + 1)
        if other % 2 and not self.forgotten and line.product in PRICES:
            event("corrected by an amount")
            right = (RightAmount(0, line.net.amount + more),)
            self.more[invoice.draft.since, line.product] += more
        event("corrected")
        self.corrections += 1
        before = self._invoiced()
        reissue_invoice(
            billing,
            invoice.number,
            right,
            f"Correction {self.corrections}",
            keeps_tax=True,
            context=self.context,
            settings=self.settings,
            store=store,
            gateway=cast("Any", None),
        )
        if not self.forgotten:
            before[line.product] += more if right else 0
            assert self._invoiced() == before

    def credit(self, one: int, other: int) -> None:
        """Staff credit a part of a line of an invoice that no credit note names: its months owe what they owed."""
        invoices = self._not_credited()
        if not invoices:
            return
        invoice = invoices[one % len(invoices)]
        lines, before = invoice.draft.lines, self._invoiced()
        place = one % 2 if lines[1:2] and lines[1].product else 0
        part = RequestedPart(place, min(lines[place].net.amount, 1 + 113 * other))
        # With most of the whole taken off, the share of a part may be all of it.
        may_be_nothing = any(line.product is None for line in lines)
        with contextlib.suppress(*((RuleViolation,) if may_be_nothing else ())):
            self._credited(invoice, part)
        assert self._invoiced() == before
        self.books_agree()

    def _credited(self, invoice: IssuedInvoice, part: RequestedPart) -> None:
        store = self.world.invoicing
        note = issue_credit_note(
            existing(store.billing_context(ACCOUNT)),
            invoice.number,
            None,
            "Goodwill",
            parts=(part,),
            context=self.context,
            settings=self.settings,
            store=store,
            gateway=cast("Any", None),
        ).invoice
        event("credited in part")
        self.credits.add(note.number)
        # A line that is taken off wholly is credited as a whole, and its months by nothing.
        assert (note.replaces, note.draft.net.amount <= 0) == (None, True)

    def _not_credited(self) -> list[IssuedInvoice]:
        """The invoices that no credit note names."""
        named = {note.corrects.number for note in self.credit_notes() if note.corrects}
        return [each for each in self.issued() if each.number not in named]

    def _invoiced(self) -> Counter[str | None]:
        """What the paid periods have as invoiced, by product."""
        store = self.world.invoicing
        running = existing(store.billing_context(ACCOUNT)).period
        periods = [*(period for period, _ in store.closed_periods(ACCOUNT)), *([running] if running else [])]
        found: Counter[str | None] = Counter()
        for product in (*PRICES, None):
            found[product] = sum(each.invoiced_of(product) for each in periods)
        return found

    # ---- Answers ----

    def owed(self, before: date) -> list[Document]:
        """What the contracts have to invoice for the months that begin before a day."""
        return [each for each in self.documents(before) if each.net > 0]

    def documents(self, before: date) -> list[Document]:
        left = {each.id: each.amount for each in self.extras if not each.is_gone}
        found = []
        for contract in self.contracts:
            found += [self._with_extras(each, left) for each in contract.documents(before, self.rates)]
            if contract.ends is not None and contract.ends < before:
                last = self._with_extras(Document(contract.ends, (), self.rates(contract.ends), 0), left)
                found += [last] if last.amounts else []
                # What is given to the next contract is not of this one.
                gone = [each.id for each in self.extras if each.is_goodwill and each.added < contract.ends]
                left.update(dict.fromkeys(gone, 0))
        return [self._with_corrections(each) for each in found]

    def _with_extras(self, document: Document, left: dict[str, int]) -> Document:
        """A document with what was added before its day; takes that from what is `left`."""
        if document.net < 0:
            return document
        amounts = [*document.amounts]
        waiting = [each for each in self.extras if each.added < document.since and left.get(each.id)]
        for each in sorted(waiting, key=lambda extra: extra.is_goodwill):
            net = sum(amount for _, amount in amounts)
            used = min(net, left[each.id]) if each.is_goodwill else left[each.id]
            left[each.id] -= used
            if used:
                amounts.append((None, -used) if each.is_goodwill else (f"one-off/{each.id}", used))
        tax = half_away(sum(amount for _, amount in amounts) * document.rate / 100)
        return replace(document, amounts=tuple(amounts), tax=tax)

    def _with_corrections(self, owed: Document) -> Document:
        amounts = tuple((product, amount + self.more[owed.since, product]) for product, amount in owed.amounts)
        tax = half_away(sum(amount for _, amount in amounts) * owed.rate / 100)
        return replace(owed, amounts=amounts, tax=tax)

    def free(self) -> list[str]:
        """The first days of the months that were told to cost nothing."""
        return sorted(each["after"]["since"] for each in self._events(EventType.PERIOD_FREE))

    def _events(self, type_: EventType) -> list[Any]:
        bodies = [json.loads(item["body"]["S"]) for item in self.world.stored("EVENT#")]
        return [each for each in bodies if each["type"] == type_]

    def to_come(self, before: date) -> list[Document]:
        return self.owed(before)[len(self.issued()) :]

    def issued(self) -> list[IssuedInvoice]:
        """The invoices that hold. One in the place of another is where that one was."""
        invoices = [each for each in self._documents() if each.corrects is None]
        replaced = self.corrected()
        firsts: dict[str, str] = {}
        for each in invoices:
            firsts[each.number] = firsts[each.replaces.number] if each.replaces else each.number
        held = [each for each in invoices if each.number not in replaced and not _is_at_once(each)]
        return sorted(held, key=lambda each: firsts[each.number])

    def issued_at_once(self) -> list[IssuedInvoice]:
        return [each for each in self._documents() if _is_at_once(each)]

    def corrected(self) -> set[str]:
        """The numbers of the invoices that another one is in the place of."""
        return {each.replaces.number for each in self._documents() if each.replaces}

    def taken_back(self) -> list[IssuedInvoice]:
        """The credit notes of runs."""
        return [each for each in self.credit_notes() if each.number not in self.credits]

    def credit_notes(self) -> list[IssuedInvoice]:
        """The credit notes of runs and of parts. One of a correction has its invoice in the place of the one that it
        names."""
        return [each for each in self._documents() if each.corrects and each.corrects.replaced_by is None]

    def _documents(self) -> list[IssuedInvoice]:
        found = self.world.invoicing.invoices_since(ACCOUNT, date.min)
        return sorted(found, key=lambda each: each.number)

    def agrees(self) -> None:
        """Compares the next invoice, and the page's charge, with what is owed and not invoiced."""
        billing = existing(self.world.invoicing.billing_context(ACCOUNT))
        shown = upcoming(billing, self.today, self.settings)
        page = self.world.store.billing_page(ACCOUNT, consistent=True).next_charge(
            self.today, self.settings.seller, None
        )
        following = next(iter(self.to_come(self.today + timedelta(days=400))), None)
        if following is None:
            assert shown is None or shown[0] > self.today + timedelta(days=380)
            return
        assert shown is not None
        on, draft = shown
        told = (on, draft.net.amount, draft.tax_amount.amount)
        assert told == (max(self.today, following.since), following.net, following.tax)
        # Decision 0021: where nothing is stored, the page takes just the months that begin before today as invoiced.
        assert billing.due is not None
        assumed = max(0, self.contract.month_of(self.today - timedelta(days=1)) + 1)
        if not self.forgotten or billing.due.month == assumed:
            assert page is not None
            assert told == (page.on, page.net.amount, page.tax.amount)


def documents(life: Life) -> list[Document]:
    return [
        Document(
            each.draft.since,
            tuple((line.product, line.net.amount) for line in each.draft.lines),
            Fraction(each.draft.tax.rate),
            each.draft.tax_amount.amount,
        )
        for each in life.issued()
    ]


def lived(story: Story, *, late: bool) -> Life:
    with World().calm() as world:
        life = Life(story, world, late=late)
        life.live()
        found, owed = documents(life), life.documents(life.today + timedelta(days=1))
        expected = [each for each in owed if each.net > 0]
        assert [_sorted(each) for each in found] == [_sorted(each) for each in expected]
        assert life.free() == sorted(each.since.isoformat() for each in owed if not each.net)
        taken_back = _sum_of(dict(_amounts(each)) for each in life.taken_back())
        too_much = _sum_of(dict(each.amounts) for each in owed if each.net < 0)
        # What staff have credited of an invoice is not there any more to be taken back.
        credited = -sum(each.draft.net.amount for each in life.credit_notes() if each.number in life.credits)
        assert 0 <= sum(taken_back.values()) - sum(too_much.values()) <= credited
        assert life.credits or taken_back == too_much
        notes = life.credit_notes()
        assert life.at_once == {
            str(each.draft.lines[0].product): (each.draft.net.amount, each.draft.tax_amount.amount)
            for each in life.issued_at_once()
        }
        assert len(life.at_once) == len(life.issued_at_once())
        _each_names_its_invoice(life.issued(), notes)
        _each_is_converted_at_its_day(life, notes)
        _each_has_the_currency_of_its_month(life)
        life.books_agree()
        # Whatever has happened, each item has the keys of its lists of staff (decision 0035).
        assert ListIndexStore(TABLE, world.client).index_account(ACCOUNT) == Indexed(0, 0)
    return life


def _is_at_once(issued: IssuedInvoice) -> bool:
    return str(issued.draft.lines[0].product).startswith("one-off/once-")


def _sorted(document: Document) -> Document:
    return replace(document, amounts=tuple(sorted(document.amounts, key=str)))


def _amounts(issued: IssuedInvoice) -> Iterator[tuple[str | None, int]]:
    return ((line.product, line.net.amount) for line in issued.draft.lines)


def _sum_of(several: Iterable[dict[str | None, int]]) -> dict[str | None, int]:
    total: Counter[str | None] = Counter()
    for each in several:
        total.update(each)
    return {product: amount for product, amount in total.items() if amount}


def _each_names_its_invoice(invoices: list[IssuedInvoice], notes: list[IssuedInvoice]) -> None:
    """Credit notes have the tax of the invoice that they name, and all of one never come to more than it."""
    for invoice in invoices:
        of_it = [each.draft for each in notes if each.corrects is not None and each.corrects.number == invoice.number]
        net = -sum(each.net.amount for each in of_it)
        assert {each.tax for each in of_it} <= {invoice.draft.tax}
        assert 0 <= net <= invoice.draft.net.amount
        assert -sum(each.tax_amount.amount for each in of_it) == half_away(net * Fraction(invoice.draft.tax.rate) / 100)
        assert all(each.net.amount < 0 or each.occasion is BillingReason.CORRECTION for each in of_it)
    assert {each.corrects.number for each in notes if each.corrects} <= {each.number for each in invoices}


def _each_has_the_currency_of_its_month(life: Life) -> None:
    """A document keeps its currency, and the contract says which one its months have."""
    contract = life.world.store.account(ACCOUNT).contract
    for each in life.issued():
        month = contract.month_of(each.draft.since)
        if month >= 0:  # of this contract
            assert each.draft.total.currency == contract.currency_of(month)
            assert {line.net.currency for line in each.draft.lines} <= {each.draft.total.currency}


def _each_is_converted_at_its_day(life: Life, notes: list[IssuedInvoice]) -> None:
    """The tax in kroner has the rate of the tax point, however late it was given; a credit note that of its invoice."""
    invoices = {each.number: each.draft for each in life.issued()}
    for draft in invoices.values():
        is_converted = life.story.converted and draft.total.currency != "DKK" and draft.tax_amount.amount > 0
        assert (draft.seller_tax is not None) == is_converted
        if draft.seller_tax is not None:
            assert draft.seller_tax.rate.day == rate_day(life.instant(draft.since, time()))
    for note in notes:
        tax, named = note.draft.seller_tax, invoices[note.corrects.number if note.corrects else ""].seller_tax
        assert tax is None or (named is not None and tax.rate == named.rate)
        assert (tax is None) == (named is None or not note.draft.tax_amount.amount)


@pytest.fixture(scope="module", autouse=True)
def wire() -> Iterator[None]:
    """One client for all stories: to make it takes as long as to live one."""
    with connected():
        yield


REACTIVATED_LATE = Story(
    *(date(2024, 6, 1), 1, 1, "EUR", "UTC", "DK", (0, 0)),
    reductions=(Reduction(None, Fraction(100), 0, date(2024, 6, 1), date(2025, 1, 1)),),
    facts=(Fact(2, NOON, "cancel", 0, 0, runs=False), Fact(0, NOON, "reactivate", 0, 1, runs=False)),
    skipped=(True,),
    invoiced=False,
)
"""Months of the old contract that cost nothing were never told, and not kept, when their run came too late."""


MOVED_BEFORE_THE_FIRST_INVOICE = Story(
    *(date(2024, 1, 25), 0, 6, "EUR", "Europe/Copenhagen", "DE with a number", (0, 0)),
    reductions=(),
    facts=(
        Fact(0, EARLY, "move", 0, 0, runs=False),
        Fact(4, EARLY, "move", 0, 0, runs=False),
        Fact(29, EARLY, "move", 0, 0, runs=False),
        Fact(0, EARLY, "agree", 0, 6, runs=False),
    ),
    skipped=(True,),
    invoiced=True,
)
"""Moves wait for the first month that is invoiced here, so a tier that is agreed for later takes the place of each."""


FORGOTTEN_BEFORE_A_MOVE = Story(
    *(date(2024, 1, 31), 1, 3, "EUR", "UTC", "DK", (0, 0)),
    reductions=(),
    facts=(
        Fact(0, EARLY, "agree", 0, 1, runs=False),
        Fact(1, NOON, "forget", 0, 0, runs=False),
        Fact(0, EARLY, "move", 0, 0, runs=False),
    ),
    skipped=(True,),
    invoiced=False,
)
"""A move that the period's invoice has was taken for one that it has not, once another had taken its place."""


CORRECTED_BEFORE_A_MOVE = Story(
    *(date(2024, 1, 31), 0, 3, "EUR", "UTC", "SK", (0, 0)),
    reductions=(Reduction(None, Fraction(7), 0, date(2024, 1, 1), None),),
    facts=(
        Fact(1, NOON, "correct", 0, 1, runs=True),
        Fact(1, NOON, "correct", 0, 2, runs=False),
        Fact(0, NOON, "move", 0, 0, runs=False),
        Fact(40, NOON, "correct", 1, 4, runs=True),
    ),
    skipped=(True, False),
    invoiced=False,
)
"""What a correction left in its period as invoiced would be taken back, or invoiced again, by the runs that follow."""


ANOTHER_CURRENCY = Story(
    *(date(2024, 1, 31), 0, 3, "EUR", "Europe/Copenhagen", "SK", (0, 0)),
    reductions=(Reduction("search", Fraction(25, 2), 0, date(2024, 1, 1), None),),
    facts=(
        Fact(5, NOON, "currency", 2, 1, runs=True),
        Fact(75, NOON, "move", 0, 0, runs=True),
        Fact(75, NOON, "agree", 1, 2, runs=True),
        Fact(75, NOON, "credit", 0, 1, runs=True),
        Fact(1, NOON, "correct", 1, 1, runs=True),
        Fact(1, NOON, "charge", 3, 1, runs=True),
        Fact(1, NOON, "pay", 6, 3, runs=True),
        Fact(1, NOON, "currency", 2, 0, runs=True),
        Fact(75, NOON, "unpay", 0, 3, runs=True),
        Fact(75, NOON, "cancel", 0, 0, runs=True),
        Fact(75, NOON, "reactivate", 0, 1, runs=True),
    ),
    skipped=(False, True),
    invoiced=False,
    converted=True,
)
"""The contract is paid in kroner and then in euros again, while invoices of before are corrected and credited."""


@example(ANOTHER_CURRENCY)
@example(CORRECTED_BEFORE_A_MOVE)
@example(FORGOTTEN_BEFORE_A_MOVE)
@example(MOVED_BEFORE_THE_FIRST_INVOICE)
@example(REACTIVATED_LATE)
@examples(24, deep=800)
@given(stories(*KINDS))
def test_however_late_the_same_is_invoiced(story: Story) -> None:
    lived(story, late=False)
    lived(story, late=True)
