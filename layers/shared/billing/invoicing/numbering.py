"""Gapless invoice numbers, whose days of issue rise with them (DESIGN 3.3.6).

The transaction that writes an invoice also counts its number and registers it (InvoiceStore.issue in
billing.invoicing.records). It fails with NumberTaken if another invoice got the number first, or if the last number has
a later day. The invoice then takes the next one, with its day anew (with_next_number in issue_invoices.py). So no
number lacks its invoice, no two invoices share one, and a later number never has an earlier day.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from billing.kernel.money import Money


@dataclass(frozen=True, slots=True)
class SeriesCounter:
    """The numbers of a series and year: `count` are used, the last one on `last_day`.

    `registered_from` is the first number that is in the register. `last_day` is None where no number is used, or where
    an earlier release gave the last one.
    """

    count: int = 0
    last_day: date | None = None
    registered_from: int = 1

    def following(self, series: str, today: date) -> NextNumber:
        """Returns the next number. Its day of issue is `today`, but not before that of the last number."""
        day = today if self.last_day is None else max(today, self.last_day)
        return NextNumber(series, day, self.count + 1, self.registered_from)


@dataclass(frozen=True, slots=True)
class NextNumber:
    """The `count`-th number of a series in the year of `day`, which is the seller's day of issue."""

    series: str
    day: date
    count: int
    registered_from: int = 1

    @property
    def text(self) -> str:
        """The number as printed, such as LV-2026-000001. It has six digits, and more from the millionth on."""
        return f"{self.series}-{self.day.year}-{self.count:06}"

    @property
    def counter(self) -> SeriesCounter:
        """The counter once the number is used."""
        return SeriesCounter(self.count, self.day, self.registered_from)


class NumberTaken(Exception):
    """Another invoice has this number, or the last number has a later day. `counter` is the stored one."""

    def __init__(self, counter: SeriesCounter) -> None:
        super().__init__(counter)
        self.counter = counter


@dataclass(frozen=True, slots=True)
class RegisteredNumber:
    """A used number in the register: its day, and what its document says. The register names no person.

    `total` is with tax. `seller_tax` is the tax in the seller's own currency, None where the document has none. All
    amounts of a credit note are below zero.
    """

    series: str
    count: int
    day: date
    total: Money
    tax: Money
    seller_tax: Money | None = None

    @property
    def number(self) -> str:
        """The number as printed."""
        return NextNumber(self.series, self.day, self.count).text


def register_faults(entries: Iterable[RegisteredNumber], counter: SeriesCounter) -> tuple[str, ...]:
    """Returns what is wrong with the register of one series and year, a sentence each; empty if it is right.

    `entries` come in the order of their numbers. Each number from `counter.registered_from` to `counter.count` must be
    there once, and no day may be before that of the number before it.
    """
    faults = []
    expected, last_day = counter.registered_from, None
    for entry in entries:
        if entry.count > expected:
            faults.append(f"{expected} to {entry.count - 1} are missing.")
        if entry.count < expected:
            faults.append(f"{entry.number} is there twice.")
        if last_day is not None and entry.day < last_day:
            faults.append(f"{entry.number} of {entry.day} follows a number of {last_day}.")
        expected, last_day = max(expected, entry.count + 1), entry.day
    if expected <= counter.count:
        faults.append(f"{expected} to {counter.count} are missing.")
    if expected > counter.count + 1:
        faults.append(f"The counter is at {counter.count}, the register at {expected - 1}.")
    return tuple(faults)
