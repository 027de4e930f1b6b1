"""One-off charges and goodwill: what an account pays once, or once less, beside its contract months (decision 0040).

Staff add them. They are open until an invoice has them, and each is invoiced once. They are no part of what contract
months owe.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from billing.kernel.errors import Conflict
from billing.kernel.events import Facts
from billing.kernel.money import Money
from billing.subscriptions.pricing import InvoiceLine

OPEN_MAX = 20
"""How many of an account are open at most. One invoice may have them all: with each it writes an item more, and a
transaction of DynamoDB has room for 100."""

QUANTITY_MAX = 1000
NET_MAX = 10**12
"""Minor units: above any real price, and exact in a client's numbers. The same as that of a single amount."""

_PRODUCT = "one-off/"
"""What the products of charges begin with on invoice lines. No id of a product has a slash."""


class OneOffKind(StrEnum):
    """A charge is paid once; a goodwill reduces the price of the next invoices before tax."""

    CHARGE = "charge"
    GOODWILL = "goodwill"


class Mark(StrEnum):
    """Where a one-off stands. A goodwill is invoiced when all of it was taken off; it lapses at the account's end."""

    OPEN = "open"
    INVOICED = "invoiced"
    TAKEN_BACK = "taken_back"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class Use:
    """What an invoice has of a one-off: its `number` and net `amount` in minor units, positive also for a goodwill.

    `number` is None where the invoice came to zero: it was not issued.
    """

    number: str | None
    amount: int
    on: date


@dataclass(frozen=True, slots=True)
class OneOff:
    """A one-off charge or a goodwill: `quantity` pieces at `price`, before tax.

    `description` is on the invoice; `translations` are the descriptions by language, for the accounts that are written
    to in it. `added_on` is the day in the account's time zone, `added_by` the member of staff. One that `is_at_once`
    has an invoice of its own.
    """

    id: str
    kind: OneOffKind
    description: str
    translations: tuple[tuple[str, str], ...]
    price: Money
    quantity: int
    reason: str
    added_on: date
    added_at: datetime
    added_by: str
    is_at_once: bool = False
    mark: Mark = Mark.OPEN
    uses: tuple[Use, ...] = ()

    @property
    def net(self) -> int:
        """What it comes to before tax, in minor units."""
        return self.price.amount * self.quantity

    @property
    def left(self) -> int:
        """What of it no invoice has, in minor units."""
        return self.net - sum(each.amount for each in self.uses)

    def described(self, language: str) -> str:
        """Its description in a language."""
        return dict(self.translations).get(language, self.description)

    def is_same(self, other: OneOff) -> bool:
        """Whether both ask for the same: a repeated request finds what the first one has added."""
        return self._asked == other._asked

    def facts(self, language: str) -> Facts:
        """It as events have it."""
        return {
            "one_off": self.id,
            "kind": self.kind,
            "description": self.described(language),
            "price": asdict(self.price),
            "quantity": self.quantity,
            "amount": asdict(replace(self.price, amount=self.net)),
            "reason": self.reason,
            "mark": self.mark,
            "left": asdict(replace(self.price, amount=self.left)),
            "uses": [
                {"number": each.number, "amount": asdict(replace(self.price, amount=each.amount))} for each in self.uses
            ],
        }

    @property
    def _asked(self) -> tuple[object, ...]:
        what = (self.kind, self.description, self.translations, self.price, self.quantity)
        return (self.id, *what, self.is_at_once, self.reason)


@dataclass(frozen=True, slots=True)
class OneOffs:
    """The open one-offs of an account, the oldest first. `version` counts the writes."""

    open: tuple[OneOff, ...] = ()
    version: int = 0

    def with_added(self, one_off: OneOff) -> OneOffs:
        """These and another one."""
        return replace(self, open=(*self.open, one_off))

    def without(self, identity: str) -> OneOffs:
        """These without one."""
        return replace(self, open=tuple(each for each in self.open if each.id != identity))

    def find(self, identity: str) -> OneOff | None:
        """The open one with this id; None without one."""
        return next((each for each in self.open if each.id == identity), None)


NO_ONE_OFFS = OneOffs()
"""Those of an account that has none."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The one-offs of an account after an invoice: those that stay open, and those that it has closed."""

    open: tuple[OneOff, ...]
    closed: tuple[OneOff, ...]


class OneOffExists(Conflict):
    """The account has had a one-off with this id, which was another one."""

    code = "one-off-exists"

    def __init__(self) -> None:
        super().__init__("The account has another one-off under this id. Choose a new id.")


class TooManyOneOffs(Conflict):
    """No more one-offs can be open."""

    code = "too-many-one-offs"

    def __init__(self) -> None:
        super().__init__(
            f"The account has {OPEN_MAX} open one-offs. Wait for its next invoice, or invoice one at once."
        )


class OneOffClosed(Conflict):
    """What was invoiced, or has lapsed, cannot be taken back."""

    code = "one-off-closed"

    def __init__(self, mark: Mark) -> None:
        what = "was invoiced: issue a credit note" if mark is Mark.INVOICED else "has lapsed"
        super().__init__(f"This one-off {what}.")


class AccountEnded(Conflict):
    """The account is not served any more: its last invoice has been issued."""

    code = "account-ended"

    def __init__(self) -> None:
        super().__init__("The account has ended. What is owed after its end is no part of its billing.")


def lines_of_one_offs(
    one_offs: Iterable[OneOff], day: date, net: int, language: str, currency: str
) -> tuple[InvoiceLine, ...]:
    """Returns the lines of the invoice of `day` for the one-offs that are open: the charges, then the goodwill.

    `net` is what the other lines come to, in minor units. An invoice has what was added before its day, also if it is
    issued later: a run that is late finds the same as one in time. Goodwill is taken off as far as there is something
    to take it off, the oldest first.
    """
    waiting = [each for each in one_offs if each.added_on < day and each.price.currency == currency]
    charges = [_line(each, each.left, language) for each in waiting if each.kind is OneOffKind.CHARGE]
    room = net + sum(line.net.amount for line in charges)
    reductions = []
    for each in waiting:
        used = min(room, each.left) if each.kind is OneOffKind.GOODWILL else 0
        if used > 0:
            reductions.append(_line(each, -used, language))
            room -= used
    return (*charges, *reductions)


def line_at_once(charge: OneOff, language: str) -> InvoiceLine:
    """The line of a charge that is invoiced at once."""
    return _line(charge, charge.left, language)


def settled(one_offs: Iterable[OneOff], lines: Sequence[InvoiceLine], number: str | None, on: date) -> Settled:
    """Returns the open one-offs after an invoice with these lines, which has the number, None if it came to zero."""
    amounts = {line.one_off: abs(line.net.amount) for line in lines if line.one_off is not None}
    still_open, closed = [], []
    for each in one_offs:
        if each.id not in amounts:
            still_open.append(each)
            continue
        used = replace(each, uses=(*each.uses, Use(number, amounts[each.id], on)))
        if used.left > 0:
            still_open.append(used)
        else:
            closed.append(replace(used, mark=Mark.INVOICED))
    return Settled(tuple(still_open), tuple(closed))


def lapsed(after: Settled) -> tuple[Settled, tuple[OneOff, ...]]:
    """Returns the one-offs at the end of an account, after its last invoice: the goodwill that is left lapses, and is
    returned too. Credit is only what was paid, so none of it is given back."""
    gone = tuple(each for each in after.open if each.kind is OneOffKind.GOODWILL)
    still_open = tuple(each for each in after.open if each.kind is not OneOffKind.GOODWILL)
    return Settled(still_open, (*after.closed, *(replace(each, mark=Mark.LAPSED) for each in gone))), gone


def goodwill_left(one_offs: Iterable[OneOff]) -> int:
    """Returns what is left of all goodwill, in minor units."""
    return sum(each.left for each in one_offs if each.kind is OneOffKind.GOODWILL)


def _line(one_off: OneOff, net: int, language: str) -> InvoiceLine:
    is_charge = one_off.kind is OneOffKind.CHARGE
    return InvoiceLine(
        product=f"{_PRODUCT}{one_off.id}" if is_charge else None,
        name=one_off.described(language),
        unit="",
        steps=(),
        instead_of=(),
        net=replace(one_off.price, amount=net),
        one_off=one_off.id,
        quantity=one_off.quantity,
    )
