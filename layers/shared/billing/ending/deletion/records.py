"""An account that is being deleted: what is still there, what was deleted, and the receipt that stays.

The purge knows keys and no kinds: everything in a partition of the account is deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from billing.accounts.mapping import user_from
from billing.accounts.rules import Account, User
from billing.ending.deletion.rules import EVENT_KEPT, Receipt
from billing.ending.due import EndingStage
from billing.ending.due_mapping import stage_from
from billing.kernel.errors import NotFound
from billing.kernel.events import Event
from billing.kernel.fields import fields_of
from billing.kernel.schedules import Job
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import parsed, text
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row, Slice
from billing.platform.dynamodb.table import Table
from billing.platform.events.mapping import event_body

AT_ONCE = 40
"""Items of one transaction; each is a key, and the transaction also counts them."""


@dataclass(frozen=True, slots=True)
class Purge:
    """A deletion under way. `recipients` are told when it is over; `users` had access; `customer` is the account at
    the payment service. `counts` and `digest` say what was deleted so far; `archived` is the key of the last invoice
    that was put where the law keeps it. At `emptied_at` nothing was left but what says that there was.
    """

    account: str
    receipt: str
    account_name: str
    language: str
    recipients: tuple[tuple[str, str], ...]
    users: tuple[str, ...]
    customer: str | None
    identity: str
    began_at: datetime
    counts: Mapping[str, int]
    digest: str
    archived: str | None = None
    emptied_at: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class StoredInvoice:
    """An invoice, or a credit note, as it is kept: its key, and its body as JSON."""

    key: str
    number: str
    produced_on: date
    body: str


class PurgeStore(Table):
    """The deletions in the one table."""

    def purge(self, account: str) -> Purge | None:
        """A deletion that is under way. One read."""
        key = (keys.account(account), keys.PURGE)
        row = self._reads.get_all([key]).get(key)
        if row is None:
            return None
        body = parsed(row.body)
        return Purge(
            **{
                **body,
                "recipients": tuple(tuple(each) for each in body["recipients"]),
                "users": tuple(body["users"]),
                "began_at": datetime.fromisoformat(body["began_at"]),
                "emptied_at": None if body["emptied_at"] is None else datetime.fromisoformat(body["emptied_at"]),
                "version": row.version,
            }
        )

    def due(self, account: str) -> date | None:
        """The day from which on an account may be deleted; None if that is not due at all. One read."""
        key = (keys.account(account), keys.due(Job.ENDING))
        row = self._reads.get_all([key]).get(key)
        due = None if row is None else stage_from(row.body)
        return due.on if due is not None and due.stage is EndingStage.PURGE else None

    def people(self, account: str) -> tuple[User, ...]:
        """Who had access. One query."""
        found = self._reads.query(keys.account(account), keys.USER, keys.last_of(keys.USER))
        return tuple(user_from(row.body) for row in found)

    def belongs_elsewhere(self, user: str, account: str) -> bool:
        """Whether a person has access to another account as well. One query of the index."""
        family = keys.account("")
        found = self._reads.query(keys.user(user), family, keys.last_of(family), limit=2, index=keys.INDEX)
        return any(row.partition != keys.account(account) for row in found)

    def begin(self, account: Account, purge: Purge) -> None:
        """From here on the account is unknown, and nothing more is written for it.

        Raises ConcurrentChange when it is no longer at its version: it was taken up again. One transaction.
        """
        with self._transaction() as write:
            write.delete(keys.account(account.id), keys.PAGE_ACCOUNT, version=account.version)
            write.replace(_item(purge), purge.version)

    def invoices(self, purge: Purge) -> Iterator[StoredInvoice]:
        """The invoices that are not archived yet, oldest first. A query per megabyte."""
        first = keys.INVOICE if purge.archived is None else keys.after(purge.archived)
        for row in self._reads.query(keys.account(purge.account), first, keys.last_of(keys.INVOICE)):
            produced_on, number = row.key.removeprefix(keys.INVOICE).split("#", 1)
            yield StoredInvoice(row.key, number, date.fromisoformat(produced_on), row.body)

    def archived(self, purge: Purge, invoice: StoredInvoice) -> Purge:
        """Keeps how far the archive has come. One transaction."""
        return self._noted(replace(purge, archived=invoice.key))

    def empty(self, purge: Purge, at: datetime) -> Purge:
        """Keeps that nothing is left but what says that there was. One transaction."""
        return self._noted(replace(purge, emptied_at=at))

    def note(self, purge: Purge, **counts: int) -> Purge:
        """Keeps counts of what stands outside of the table. One transaction."""
        return self._noted(replace(purge, counts={**purge.counts, **counts}))

    def delete_some(self, purge: Purge) -> Purge | None:
        """Deletes the next items, and counts them, in one transaction; None when nothing is left to delete."""
        for partition in partitions(purge.account):
            found = self._reads.query(partition, " ", keys.last_of("~"), limit=AT_ONCE + 2)
            places = [(row.partition, row.key) for row in found]
            deleted = [place for place in places if place not in _last_of_all(purge.account)][:AT_ONCE]
            if deleted:
                return self._delete(purge, deleted)
        return None

    def finish(self, purge: Purge, receipt: Receipt, event: Event) -> None:
        """Deletes the last of the account, and keeps the receipt; the event goes when its mail has. One transaction."""
        recorded = Item(
            keys.deleted(event.id),
            keys.event(event.id),
            event_body(event),
            expires_at=event.time + EVENT_KEPT,
        )
        with self._transaction() as write:
            for place in _last_of_all(purge.account):
                write.delete(*place)
            write.add(Item(keys.RECEIPTS, keys.receipt(receipt.id), receipt_body(receipt)))
            write.put(recorded)

    def receipt(self, receipt: str) -> Receipt:
        """A receipt by its id. Raises NotFound. One read."""
        key = (keys.RECEIPTS, keys.receipt(receipt))
        row = self._reads.get_all([key]).get(key)
        if row is None:
            raise NotFound("There is no such receipt.")
        return receipt_from(row.body)

    def receipts(self, *, limit: int, after: str | None) -> Slice[Receipt]:
        """A page of the receipts, newest first. One query."""
        return self._reads.newest(keys.RECEIPTS, keys.RECEIPT, _receipt_of_row, limit=limit, after=after)

    def under_way(self) -> Iterator[str]:
        """The accounts that are being deleted. Reads the whole table: for an operator's own commands only."""
        for partition in self._reads.partitions_with(keys.PURGE):
            yield partition.removeprefix(keys.account(""))

    # ---- How ----

    def _delete(self, purge: Purge, keys_of: Sequence[tuple[str, str]]) -> Purge:
        counts = dict(purge.counts)
        for _, key in keys_of:
            family = key.partition("#")[0].lower()
            counts[family] = counts.get(family, 0) + 1
        digest = hashlib.sha256((purge.digest + "\n".join(map("\t".join, keys_of))).encode()).hexdigest()
        deleted = replace(purge, counts=counts, digest=digest)
        with self._transaction() as write:
            for place in keys_of:
                write.delete(*place)
            write.replace(_item(deleted), deleted.version)
        return replace(deleted, version=purge.version + 1)

    def _noted(self, purge: Purge) -> Purge:
        with self._transaction() as write:
            write.replace(_item(purge), purge.version)
        return replace(purge, version=purge.version + 1)


def partitions(account: str) -> tuple[str, ...]:
    """All partitions in which something of an account stands."""
    return keys.usage(account), keys.markers(account), keys.account(account)


def _last_of_all(account: str) -> tuple[tuple[str, str], ...]:
    """What says that the account is being deleted, and that this is due: without it nobody would go on."""
    partition = keys.account(account)
    return (partition, keys.PURGE), (partition, keys.due(Job.ENDING))


def _item(purge: Purge) -> Item:
    body = {
        "account": purge.account,
        "receipt": purge.receipt,
        "account_name": purge.account_name,
        "language": purge.language,
        "recipients": purge.recipients,
        "users": purge.users,
        "customer": purge.customer,
        "identity": purge.identity,
        "began_at": purge.began_at,
        "counts": dict(sorted(purge.counts.items())),
        "digest": purge.digest,
        "archived": purge.archived,
        "emptied_at": purge.emptied_at,
    }
    return Item(keys.account(purge.account), keys.PURGE, text(body))


def receipt_body(receipt: Receipt) -> str:
    """A receipt as it is stored, and as it is kept as a file."""
    return text(fields_of(receipt, id="receipt"))


def receipt_from(stored: str) -> Receipt:
    """A receipt as it stands in the table, and outside of it."""
    body = parsed(stored)
    return Receipt(
        id=body["receipt"],
        identity=body["identity"],
        began_at=datetime.fromisoformat(body["began_at"]),
        deleted_at=datetime.fromisoformat(body["deleted_at"]),
        counts=body["counts"],
        digest=body["digest"],
    )


def _receipt_of_row(row: Row) -> Receipt:
    return receipt_from(row.body)
