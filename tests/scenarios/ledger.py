"""What a customer's documents say and what is left of them, reckoned without any code of the product.

`owed.py` reckons what contract months cost. A ledger adds one-offs, tax, credit notes, payments and credit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fractions import Fraction
from itertools import islice

from tests.scenarios.owed import Owed, Rates, half_away

FAR = date(2027, 12, 31)


@dataclass(frozen=True)
class Sum:
    """Minor units: net, tax, and both. Below zero for a credit note."""

    net: int
    tax: int

    @property
    def total(self) -> int:
        return self.net + self.tax

    @classmethod
    def of(cls, net: int, rate: Fraction) -> Sum:
        return cls(net, half_away(net * rate / 100))


@dataclass
class Paper:
    """An invoice, and what has become of what it asks for."""

    said: Sum
    rate: Fraction
    applied: int = 0
    paid: int = 0
    waived: int = 0
    credited: Sum = field(default_factory=lambda: Sum(0, 0))

    @property
    def left(self) -> int:
        return self.said.total - self.applied - self.paid - self.waived


@dataclass
class Note:
    """A credit note. What it takes back need not be paid, is refunded, or becomes credit. `left` must still go back."""

    said: Sum
    waived: int
    refunded: int
    carried: int
    left: int


@dataclass
class Ledger:
    """A customer's documents by number, the one-offs that wait for an invoice, and the credit with where it is from."""

    currency: str
    owed: Owed
    country: str
    invoices: dict[str, Paper] = field(default_factory=dict)
    notes: dict[str, Note] = field(default_factory=dict)
    charges: int = 0
    goodwill: int = 0
    periods: int = 0
    overpaid: int = 0
    carried: int = 0
    applied: int = 0

    @property
    def credit(self) -> int:
        return self.overpaid + self.carried - self.applied

    @property
    def rates(self) -> Rates:
        return Rates(self.country)

    def to_come(self) -> Iterator[tuple[date, Sum]]:
        """The next invoices, each with its first day; one-offs are on the first of them."""
        charges, goodwill = self.charges, self.goodwill
        for document in islice(self.owed.documents(FAR, self.rates), self.periods, None):
            gross = document.net + charges
            off = min(gross, goodwill)
            charges, goodwill = 0, goodwill - off
            yield document.since, Sum.of(gross - off, document.rate)

    def shown(self, *, invoices: int = 1) -> list[tuple[str, Sum]]:
        """Day and sums of the next invoices."""
        return [(str(day), said) for day, said in islice(self.to_come(), invoices)]

    def last_day_to_avoid(self, renewal: date) -> date:
        """The last day on which a cancellation ends the contract by a renewal."""
        day = renewal
        while self.owed.end_of_notice(day) > renewal:
            day -= timedelta(days=1)
        return day

    def issue(self, number: str) -> Paper:
        """The next of the invoices to come is issued. Credit pays it first."""
        since, said = next(self.to_come())
        self.periods, self.charges, self.goodwill = self.periods + 1, 0, 0
        return self._add(number, Paper(said, self.rates(since)))

    def issue_at_once(self, number: str, net: int, day: date) -> Paper:
        """A one-off alone on an invoice."""
        return self._add(number, Paper(Sum.of(net, self.rates(day)), self.rates(day)))

    def _add(self, number: str, paper: Paper) -> Paper:
        paper.applied = min(self.credit, paper.left)
        self.applied += paper.applied
        self.invoices[number] = paper
        return paper

    def pay(self, number: str, amount: int) -> None:
        """Money arrives for an invoice. What is over is credit."""
        paper = self.invoices[number]
        kept = min(amount, paper.left)
        paper.paid += kept
        self.overpaid += amount - kept

    def take_back(self, number: str, amount: int) -> None:
        """Money that was recorded for an invoice has not arrived for it."""
        self.invoices[number].paid -= amount

    def credit_note(self, number: str, corrects: str, net: int, *, by_card: bool = False) -> Note:
        """A part of an invoice before tax is taken back; so is its tax. All parts together are rounded as one."""
        paper = self.invoices[corrects]
        before = paper.credited
        both = Sum.of(before.net + net, paper.rate)
        said = Sum(-net, before.tax - both.tax)
        paper.credited = both
        waived = min(paper.left, -said.total)
        paper.waived += waived
        back = -said.total - waived
        refunded = back if by_card else 0
        note = Note(said, waived, refunded, back - refunded, refunded)
        self.carried += note.carried
        self.notes[number] = note
        return note

    def correct(self, number: str, by: str, note: str) -> None:
        """An invoice of which nothing is paid is taken back, and another one says the same."""
        old = self.invoices[number]
        self.credit_note(note, number, old.said.net)
        self._add(by, replace(old, applied=0, waived=0, credited=Sum(0, 0)))
