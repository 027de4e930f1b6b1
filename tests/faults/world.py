"""The world outside the process: the table, and fakes of outside services that record their calls.

Tests of a feature with a gateway of its own derive from World, add a fake, and wrap it with edge().
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from random import Random
from typing import IO, Any, TypeVar

from billing.accounts.appointment_records import AppointmentStore
from billing.accounts.directory import Directory, LogIn
from billing.accounts.term_records import TermStore
from billing.ending.cancellation.records import CancellationStore
from billing.ending.deletion.records import PurgeStore
from billing.invoicing.transfer_records import TransferStore
from billing.kernel.events import Event
from billing.payments.records import PaymentStore
from billing.platform.events.bus import EVENTS_MAX, EventBus, Refusal
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
    """A fake directory of log-ins by address. See billing.accounts.directory.Directory."""

    def __init__(self) -> None:
        self.log_ins: dict[str, LogIn] = {}
        self.invitations: list[str] = []
        self.deleted: list[str] = []

    def log_in(self, email: str, name: str) -> LogIn:
        self.invitations.append(email)
        # Who gets another log-in after a deletion has another id, as in Cognito.
        again = " again" * self.deleted.count(email)
        return self.log_ins.setdefault(email, LogIn(f"user of {email}{again}", staff=False, verified=True))

    def has_log_in(self, user: str) -> bool:
        return any(each.user == user for each in self.log_ins.values())

    def find(self, email: str) -> LogIn | None:
        return self.log_ins.get(email)

    def remove(self, user: str) -> None:
        self.deleted += [email for email, each in self.log_ins.items() if each.user == user and not each.staff]
        self.log_ins = {email: each for email, each in self.log_ins.items() if each.user != user or each.staff}


class Bucket:
    """A fake bucket. See billing.platform.files.interfaces.Documents."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def put(self, key: str, content: bytes | IO[bytes], content_type: str) -> None:
        self.files[key] = content if isinstance(content, bytes) else content.read()

    def put_once(self, key: str, content: bytes, content_type: str) -> bytes:
        return self.files.setdefault(key, content)

    def keys(self, prefix: str, after: str | None = None) -> list[str]:
        return sorted(key for key in self.files if key.startswith(prefix) and key > (after or ""))

    def link(self, key: str, name: str) -> str:
        return f"https://bucket.example/{key}"

    def get(self, key: str) -> bytes | None:
        return self.files.get(key)

    def delete_all(self, prefix: str, before: Callable[[Sequence[str]], object] | None = None) -> None:
        found = self.keys(prefix)
        if found and before is not None:
            before(found)
        self.files = {key: content for key, content in self.files.items() if not key.startswith(prefix)}


class Vault:
    """A fake archive: retention dates by key. See billing.platform.files.interfaces.Archive."""

    def __init__(self) -> None:
        self.retained_until: dict[str, date] = {}
        self.marked: dict[str, date] = {}

    def keep(self, key: str, content: bytes, content_type: str, until: date) -> None:
        assert [day for folder, day in self.marked.items() if key.startswith(folder)] == [until], "nobody deletes it"
        assert self.retained_until.setdefault(key, until) == until

    def mark(self, folder: str, until: date) -> None:
        assert self.marked.setdefault(folder, until) == until


class Bus:
    """A fake event bus with the published events, in order. See billing.platform.events.bus.EventBus.

    It refuses the events with the ids `poisoned` for good.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.poisoned: set[str] = set()

    def publish(self, events: Sequence[Event]) -> Sequence[Refusal]:
        assert 1 <= len(events) <= EVENTS_MAX
        return self._take(events, refused=())

    def publish_some(self, chance: Random, events: Sequence[Event]) -> Sequence[Refusal]:
        """Publishes a random part of the events, and none if there is only one. Returns the refused ones."""
        return self._take(events, refused=chance.sample(events, k=chance.randint(1, len(events))))

    def _take(self, events: Sequence[Event], refused: Sequence[Event]) -> Sequence[Refusal]:
        self.events.extend(event for event in events if event not in refused and event.id not in self.poisoned)
        return [
            Refusal(event, "MalformedDetail" if event.id in self.poisoned else "InternalFailure", for_good)
            for event in events
            if (for_good := event.id in self.poisoned) or event in refused
        ]


class Letters:
    """A fake dead-letter queue. See billing.platform.queues.interfaces.DeadLetters."""

    def __init__(self) -> None:
        self.bodies: list[str] = []

    def put(self, letter: str, reason: str) -> None:
        self.bodies.append(letter)


class World:
    """A table with the template's schema, and fakes of the outside services. Commands use its properties."""

    def __init__(self) -> None:
        self.table = Table(Schema.of(TABLE, resources()["Table"]["Properties"]))
        self.people = People()
        self.published = Bus()
        self.letters = Letters()

    def services(self) -> Mapping[str, Service]:
        """The fakes that answer AWS clients, by the service's name in botocore's events."""
        return {"dynamodb": self.table.answer}

    @contextmanager
    def calm(self: W) -> Iterator[W]:
        """Directs calls to this world, without faults."""
        with seam().onto(self):
            yield self

    @property
    def store(self) -> Stores:
        """The real store, over the seam."""
        store = seam().store
        if store is None:
            raise Unsupported("The store exists only within network.connected(), which the fixture `faults` enters.")
        return store

    @property
    def client(self) -> Any:
        """The real DynamoDB client, over the seam."""
        if seam().client is None:
            raise Unsupported("The client exists only within network.connected(), which the fixture `faults` enters.")
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
    def invoicing(self) -> TransferStore:
        """The real store of invoices, over the seam. A new one each time, as in a new process: it caches no number."""
        return TransferStore(TABLE, self.client)

    @property
    def terms(self) -> TermStore:
        """The real store of terms, over the seam."""
        return TermStore(TABLE, self.client)

    @property
    def appointments(self) -> AppointmentStore:
        """The real store of appointments, over the seam."""
        return AppointmentStore(TABLE, self.client)

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
        return edge("bus", self.published, partial={"publish": self.published.publish_some})

    @property
    def dead_letters(self) -> DeadLetters:
        return edge("dead letters", self.letters)

    def stored(self, prefix: str) -> list[Item]:
        """The items whose sort key starts with `prefix`, by key."""
        return [item for item in self.table.items() if item["sk"]["S"].startswith(prefix)]

    def records(self) -> list[dict[str, Any]]:
        """The records of the table's stream so far."""
        return [*self.table.records]
