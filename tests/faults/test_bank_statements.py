"""An import or a decision may be cut off anywhere: each booking of the bank is booked once, staff are told once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from billing.invoicing.bank_statements.decide import Allocation, decide, take_decision_back
from billing.invoicing.bank_statements.entries import BankEntry, EntryStatus
from billing.invoicing.bank_statements.import_statements import import_statements
from billing.invoicing.bank_statements.records import BankStatementStore
from billing.kernel.errors import ConcurrentChange, Conflict
from billing.kernel.events import Actor, ActorKind, RequestContext

from tests.aws import TABLE
from tests.bank_statements import OUR_IBAN, Paid, camt053
from tests.faults.company import SETTINGS, body
from tests.faults.cuts import Faults
from tests.faults.test_invoices import ACCOUNT, JULY
from tests.faults.till import FIRST, SECOND, Till

pytestmark = pytest.mark.usefixtures("connection")

STAFF = RequestContext(Actor(ActorKind.STAFF, "staff-1"), JULY, "import")


def open_invoices() -> Any:
    """A world with open invoices of a customer who transfers."""
    till = Till()
    till.by_transfer()
    return till.world


def store(world: Any) -> BankStatementStore:
    return BankStatementStore(TABLE, world.client)


def left(world: Any, number: str) -> int:
    amount: int = world.invoicing.record(ACCOUNT, number).payment.left
    return amount


def statement(due: int) -> bytes:
    """One booking that agrees, and one that is a part."""
    return camt053(
        Paid(due, FIRST, "R1", day=JULY.date()),
        Paid(due - 1200, SECOND, "R2", day=JULY.date()),
    )


def importing(content: bytes) -> Callable[[Any], None]:
    def run(world: Any) -> None:
        import_statements(
            content,
            context=STAFF,
            series=SETTINGS.series,
            iban=OUR_IBAN,
            store=store(world),
            gateway=world.payments,
        )

    return run


def entries(world: Any, status: EntryStatus) -> list[BankEntry]:
    return [*store(world).listed_entries(status, limit=100, after=None).items]


def kinds(world: Any, *wanted: str) -> list[str]:
    """The kinds of the recorded events, of accounts and of bank statements."""
    recorded = [body(each)["type"] for each in world.table.items() if each["sk"]["S"].startswith("EVENT#")]
    return sorted(each for each in recorded if each in wanted)


def test_an_interrupted_import_books_each_booking_once(faults: Faults) -> None:
    with open_invoices().calm() as world:
        due = left(world, FIRST)

    def booked_once(world: Any) -> None:
        assert (left(world, FIRST), left(world, SECOND)) == (0, due)
        assert kinds(world, "transfer.recorded", "bank_statement.imported") == [
            "bank_statement.imported",
            "transfer.recorded",
        ]
        assert [each.doubt for each in entries(world, EntryStatus.DOUBTFUL)] == ["amount-less"]
        [booked] = entries(world, EntryStatus.BOOKED)
        [(account, transfer)] = booked.transfers
        assert world.invoicing.transfer(account, transfer).key == booked.id

    def nothing_twice(world: Any) -> None:
        assert left(world, FIRST) in {0, due}
        assert len(world.stored("TRANSFER#")) <= 1

    faults.every_cut(
        world=open_invoices, command=importing(statement(due)), invariants=booked_once, always=nothing_twice
    )


def doubtful() -> Any:
    """A world with an imported part payment."""
    world = open_invoices()
    with world.calm():
        importing(statement(left(world, FIRST)))(world)
    return world


def part_of(world: Any) -> BankEntry:
    return next(each for each in store(world).entries([*ids(world)]).values() if each.booking.reference == "R2")


def ids(world: Any) -> list[str]:
    return [each["pk"]["S"].removeprefix("BANK-ENTRY#") for each in world.stored("ENTRY")]


def test_an_interrupted_decision_is_made_once_and_taken_back_once(faults: Faults) -> None:
    with doubtful().calm() as world:
        entry = part_of(world)
        amount = entry.booking.amount.amount

    def deciding(world: Any) -> None:
        decide(
            entry.id,
            allocations=[Allocation(SECOND, amount)],
            replaces=entry.version,
            context=STAFF,
            store=store(world),
            gateway=world.payments,
        )

    def decided_once(world: Any) -> None:
        assert left(world, SECOND) == 1200
        assert part_of(world).status is EntryStatus.BOOKED
        assert kinds(world, "bank_entry.decided") == ["bank_entry.decided"]
        assert len(world.stored("TRANSFER#")) == 2

    faults.every_cut(world=doubtful, command=deciding, invariants=decided_once)

    def decided() -> Any:
        world = doubtful()
        with world.calm():
            deciding(world)
        return world

    with decided().calm() as world:
        version = part_of(world).version

    def taking_back(world: Any) -> None:
        take_decision_back(
            entry.id,
            "another customer's",
            replaces=version,
            context=STAFF,
            settings=SETTINGS,
            store=store(world),
            gateway=world.payments,
        )

    def taken_back_once(world: Any) -> None:
        assert left(world, SECOND) == amount + 1200
        assert part_of(world).status is EntryStatus.DOUBTFUL
        assert kinds(world, "transfer.taken_back") == ["transfer.taken_back"]
        assert len(kinds(world, "bank_entry.decided")) == 2

    faults.every_cut(world=decided, command=taking_back, invariants=taken_back_once)


def test_what_a_request_may_be_booking_is_not_taken_back_yet() -> None:
    """Such a transfer would be made after its entry was looked at, and nobody would find it."""
    with doubtful().calm() as world:
        entry = part_of(world)
        begun = store(world).save_entry(entry.begun_again(STAFF.time))

        def back(later: timedelta) -> None:
            context = RequestContext(STAFF.actor, STAFF.time + later, "back")
            take_decision_back(
                entry.id,
                "wrong",
                replaces=begun.version,
                context=context,
                settings=SETTINGS,
                store=store(world),
                gateway=world.payments,
            )

        with pytest.raises(ConcurrentChange):
            back(timedelta(seconds=30))
        back(timedelta(minutes=2))
        assert part_of(world).status is EntryStatus.DOUBTFUL
        assert issubclass(ConcurrentChange, Conflict)
