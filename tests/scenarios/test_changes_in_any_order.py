"""What staff change of a running account, in any order with other facts and late runs: the same sums and the same tax.

As tests/scenarios/test_any_order.py, with the products, tiers, prices and discounts that staff change. What such a
change shows is what is invoiced, and none leads to a credit note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from billing.accounts.rules import Status
from billing.billing_page.change_subscription import (
    ChangeRequest,
    SubscriptionChange,
    change_product,
    end_product,
    keep_product,
    replace_discounts,
)
from billing.billing_page.page import BillingPage
from billing.kernel.errors import RuleViolation
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money
from billing.subscriptions.rules import Discount, Order
from hypothesis import event, given

from tests.faults.network import connected
from tests.faults.world import World
from tests.properties import examples
from tests.scenarios.owed import Document, Reduction
from tests.scenarios.test_any_order import ACCOUNT, PRICES, VOLUMES, Life, Story, documents, stories

KINDS = ("wish", "wish", "price", "discount", "discount", "undiscount", "drop", "keep", "move", "cancel", "withdraw")


class Changing(Life):
    """A story with changes by staff."""

    def page(self) -> BillingPage:
        return self.world.store.billing_page(ACCOUNT, consistent=True)

    def change(self, command: Callable[[BillingPage, ChangeRequest], SubscriptionChange]) -> SubscriptionChange | None:
        """Asks for a preview and for the change, which must agree. None for a cancelled account."""
        page = self.page()
        if page.account.status is not Status.ACTIVE:
            return None
        request = ChangeRequest(page.subscription.version, True, self.context, self.settings.seller, None)
        shown = command(page, request)
        made = command(page, replace(request, is_preview=False))
        assert (shown.effective_on, shown.invoices) == (made.effective_on, made.invoices)
        return made

    def shows_what_is_to_come(self, made: SubscriptionChange) -> None:
        """The invoices that a change has shown are those that are owed by now and not issued."""
        if made.effective_on is None or self.forgotten:
            return
        renewal = self.contract.begins(
            self.contract.renewal(max(0, self._month_from(max(made.effective_on, self.today))))
        )
        told = [(each.on, each.net.amount, each.tax.amount) for each in made.invoices]
        to_come = self.to_come(renewal + timedelta(days=1))
        assert told == [(max(self.today, each.since), each.net, each.tax) for each in to_come]

    def _month_from(self, day: date) -> int:
        month = self.contract.month_of(day)
        return month if self.contract.begins(month) == day else month + 1

    def next_renewal(self) -> date:
        """The first paid period after today that another system does not invoice."""
        first_month = 0 if self.forgotten else self.contract.first_month
        return self.contract.begins(self.contract.renewal(max(0, self.contract.month_of(self.today) + 1, first_month)))

    def latest(self, product: str) -> int:
        """The price that is decided for a product, whenever it takes effect."""
        return self.contract.price(product, date.max, self.contract.in_force())

    def _put(self, product: str, volume: int, price: int | None) -> None:
        if product in self.contract.dropped:
            return
        agreed = None if price is None else Money(price, self.story.currency)
        order = Order(product, volume)
        before = self.latest(product)
        made = self.change(
            lambda page, request: change_product(page, order, agreed, "Asked", request, pages=self.world.store)
        )
        if made is None or made.effective_on is None:
            return
        amount = PRICES[product][VOLUMES.index(volume)] if price is None else price
        is_larger = volume > self.moves[product]
        paid = self.contract.price(product, self.next_open_month(), self.contract.in_force())
        expected = self.next_open_month() if is_larger and amount >= max(before, paid) else self.next_renewal()
        assert made.effective_on == expected
        self.moves[product] = volume
        self.contract.change(product, amount, expected, self.today)
        self.shows_what_is_to_come(made)

    def wish(self, one: int, other: int) -> None:
        """A larger tier at the catalogue's price, or a cheaper or dearer one."""
        product = [*PRICES][one % 2]
        larger = [each for each in VOLUMES if each > self.moves[product]]
        if larger:
            event("wish")
            volume = larger[other % len(larger)]
            self._put(product, volume, (None, None, 1, 88_888)[one % 4])

    def price(self, one: int, other: int) -> None:
        """Another price for the same tier."""
        event("price")
        product = [*PRICES][one % 2]
        self._put(product, self.moves[product], 1 + 1111 * other)

    def move(self, one: int, other: int) -> None:
        """Autoscaling, as it would decide where the tier in force by then is known."""
        product = [*PRICES][one % 2]
        before = len(self.contract.decided)
        super().move(one, other)
        if len(self.contract.decided) > before:
            [line] = (each for each in self.page().subscription.lines if each.product == product)
            self.moves[product] = self.page().subscription.line_on(line, date.max).up_to or 0

    def discount(self, one: int, other: int) -> None:
        """One more discount from the next renewal on, or from a later day."""
        since = self.next_renewal() + timedelta(days=(0, 0, 40, 200)[other % 4])
        percent, amount = ((Fraction(25, 2), 0), (Fraction(0), 7), (Fraction(1, 2), 0))[one % 3]
        more = Reduction(["search", "email", None][other % 3], percent, amount, since, None)
        try:
            made = self._discounts([*self._kept(), _discount(more)])
        except RuleViolation as refused:
            if any(each.code not in {FieldCode.TOO_LARGE, FieldCode.DUPLICATE} for each in refused.violations):
                raise
            return
        if made is not None and made.effective_on is not None:
            event("discount")
            assert made.effective_on == since
            self.contract.reductions = (*self.contract.reductions, more)
            self.shows_what_is_to_come(made)

    def undiscount(self, one: int, other: int) -> None:
        """One discount less from the next renewal on."""
        kept, renewal = self._kept(), self.next_renewal()
        if not kept:
            return
        gone = kept.pop(other % len(kept))
        made = self._discounts(kept)
        if made is None or made.effective_on is None:
            return
        event("undiscount")
        self.contract.reductions = tuple(
            replace(each, until=max(renewal, each.since)) if _discount(each) == gone else each
            for each in self.contract.reductions
        )
        self.shows_what_is_to_come(made)

    def _kept(self) -> list[Discount]:
        return [
            each for each in self.page().subscription.discounts if not each.valid_until or each.valid_until > self.today
        ]

    def _discounts(self, discounts: list[Discount]) -> SubscriptionChange | None:
        return self.change(lambda page, request: replace_discounts(page, discounts, request, pages=self.world.store))

    def drop(self, one: int, other: int) -> None:
        """A product ends with notice."""
        if self.contract.dropped or self.forgotten:
            return
        product = [*PRICES][one % 2]
        made = self.change(
            lambda page, request: end_product(page, product, None, "Asked", request, pages=self.world.store)
        )
        if made is not None:
            event("drop")
            ends = max(self.contract.end_of_notice(self.today), self.next_renewal())
            assert made.effective_on == ends
            self.contract.dropped[product] = ends
            self.shows_what_is_to_come(made)

    def keep(self, one: int, other: int) -> None:
        """An admin takes the end back, if its day is still to come."""
        for product, ends in [*self.contract.dropped.items()]:
            if self.today < ends:
                made = self.change(
                    lambda page, request, kept=product: keep_product(page, kept, request, pages=self.world.store)  # type: ignore[misc]
                )
                if made is not None:
                    event("keep")
                    del self.contract.dropped[product]
                    self.shows_what_is_to_come(made)


def _discount(reduction: Reduction) -> Discount:
    return Discount(
        reduction.product,
        Decimal(reduction.percent.numerator) / reduction.percent.denominator if reduction.percent else None,
        reduction.amount or None,
        reduction.since,
        reduction.until,
        "Agreed",
    )


def lived(story: Story, *, late: bool) -> None:
    with World().calm() as world:
        life: Any = Changing(story, world, late=late)
        life.live()
        owed = life.documents(life.today + timedelta(days=1))
        assert [_sorted(each) for each in documents(life)] == [_sorted(each) for each in owed if each.net > 0]
        assert life.free() == sorted(each.since.isoformat() for each in owed if not each.net)
        if not any(each.kind == "move" for each in story.facts):  # which may lead to a tier that costs less than agreed
            assert life.taken_back() == [], "no change by staff takes back what is invoiced"


def _sorted(document: Document) -> Document:
    return replace(document, amounts=tuple(sorted(document.amounts, key=str)))


@pytest.fixture(scope="module", autouse=True)
def wire() -> Iterator[None]:
    """One client for all stories."""
    with connected():
        yield


@examples(8, deep=800)
@given(stories(*KINDS))
def test_what_staff_change_is_invoiced_the_same_however_late(story: Story) -> None:
    lived(story, late=False)
    lived(story, late=True)
