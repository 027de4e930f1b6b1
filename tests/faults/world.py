"""What outlives a process: the table, and what stands outside. Fakes keep what they were told, for the invariants.

A feature with a gateway of its own derives from World, adds the fake, and hands out its edge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from random import Random
from typing import IO, Any, TypeVar

from billing.accounts.directory import Directory, LogIn
from billing.ending.cancellation.records import CancellationStore
from billing.ending.deletion.records import PurgeStore
from billing.invoicing.records import InvoiceStore
from billing.kernel.events import Event
from billing.payments.records import PaymentStore
from billing.platform.events.bus import EVENTS_MAX, EventBus
from billing.platform.queues.interfaces import DeadLetters
from billing.scaling.records import AutoscalingStore
from billing.usage.records import UsageStore

from tests.aws import TABLE
from tests.faults.edges import edge
from tests.faults.network import Service
from tests.faults.points import seam
from tests.faults.table import Schema, Table
from tests.faults.values import Item, Unsupported
from tests.stores import Stores
from tests.template import resources

W = TypeVar("W", bound="World")


class People:
    """Everybody who can log in, by address. See billing.accounts.directory.Directory."""

    def __init__(self) -> None:
        self.log_ins: dict[str, LogIn] = {}
        self.invitations: list[str] = []

    def log_in(self, email: str, name: str) -> LogIn:
        self.invitations.append(email)
        return self.log_ins.setdefault(email, LogIn(f"user of {email}", staff=False, verified=True))

    def remove(self, user: str) -> None:
        self.log_ins = {email: known for email, known in self.log_ins.items() if known.user != user or known.staff}


class Bucket:
    """Keeps files. See billing.platform.files.interfaces.Documents."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def put(self, key: str, content: bytes | IO[bytes], content_type: str) -> None:
        self.files[key] = content if isinstance(content, bytes) else content.read()

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.files if key.startswith(prefix))

    def link(self, key: str, name: str) -> str:
        return f"https://bucket.example/{key}"

    def get(self, key: str) -> bytes | None:
        return self.files.get(key)

    def count(self, prefix: str) -> int:
        return sum(key.startswith(prefix) for key in self.files)

    def delete_all(self, prefix: str) -> None:
        self.files = {key: content for key, content in self.files.items() if not key.startswith(prefix)}


class Vault:
    """Keeps files for good. See billing.platform.files.interfaces.Archive."""

    def __init__(self) -> None:
        self.kept: dict[str, date] = {}

    def keep(self, key: str, content: bytes, content_type: str, until: date) -> None:
        assert self.kept.setdefault(key, until) == until


class Bus:
    """What the vendor's own systems have been told, in order. See billing.platform.events.bus.EventBus."""

    def __init__(self) -> None:
        self.taken: list[Event] = []

    def publish(self, events: Sequence[Event]) -> Sequence[Event]:
        assert 1 <= len(events) <= EVENTS_MAX
        self.taken.extend(events)
        return []

    def publish_some(self, chance: Random, events: Sequence[Event]) -> Sequence[Event]:
        """Takes a part of them, and none if there is only one."""
        refused = chance.sample(events, k=chance.randint(1, len(events)))
        self.taken.extend(event for event in events if event not in refused)
        return refused


class Letters:
    """What an operator finds. See billing.platform.queues.interfaces.DeadLetters."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def put(self, letter: str, reason: str) -> None:
        self.kept.append(letter)


class World:
    """A table with the template's keys, and the gateways' fakes. Its properties are what a command is given."""

    def __init__(self) -> None:
        self.table = Table(Schema.of(TABLE, resources()["Table"]["Properties"]))
        self.people = People()
        self.told = Bus()
        self.letters = Letters()

    def services(self) -> Mapping[str, Service]:
        """What answers AWS's clients, by the service's name in botocore's events."""
        return {"dynamodb": self.table.answer}

    @contextmanager
    def calm(self: W) -> Iterator[W]:
        """Calls reach this world, and nothing befalls them."""
        with seam().onto(self):
            yield self

    @property
    def store(self) -> Stores:
        """The real store, over the seam."""
        store = seam().store
        if store is None:
            raise Unsupported("The store is there within network.connected(), which the fixture `faults` enters.")
        return store

    @property
    def client(self) -> Any:
        """The real client of DynamoDB, over the seam, for the stores that speak so."""
        if seam().client is None:
            raise Unsupported("It is there within network.connected(), which the fixture `faults` enters.")
        return seam().client

    @property
    def usage(self) -> UsageStore:
        """The real store of usage, over the seam."""
        return UsageStore(TABLE, self.client)

    @property
    def autoscaling(self) -> AutoscalingStore:
        """The real store of autoscaling, over the seam."""
        return AutoscalingStore(TABLE, self.client)

    @property
    def paying(self) -> PaymentStore:
        """The real store of payment methods, over the seam."""
        return PaymentStore(TABLE, self.client)

    @property
    def invoicing(self) -> InvoiceStore:
        """The real store of invoices, over the seam: each time that of a new process, which remembers no number."""
        return InvoiceStore(TABLE, self.client)

    @property
    def cancellations(self) -> CancellationStore:
        """The real store of cancellations, over the seam."""
        return CancellationStore(TABLE, self.client)

    @property
    def purges(self) -> PurgeStore:
        """The real store of deletions, over the seam."""
        return PurgeStore(TABLE, self.client)

    @property
    def directory(self) -> Directory:
        return edge("directory", self.people)

    @property
    def bus(self) -> EventBus:
        return edge("bus", self.told, partial={"publish": self.told.publish_some})

    @property
    def dead_letters(self) -> DeadLetters:
        return edge("dead letters", self.letters)

    def stored(self, prefix: str) -> list[Item]:
        """The items whose sort key begins so, by key."""
        return [item for item in self.table.items() if item["sk"]["S"].startswith(prefix)]

    def records(self) -> list[dict[str, Any]]:
        """What the table's stream has told so far."""
        return [*self.table.records]
