"""An account that is being deleted: what is still there, what was deleted, and the receipt that stays.

The purge knows keys and no kinds: whatever stands in a partition of the account is deleted. See billing.store.store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import islice
from typing import Any

from billing.domain.account import Account, User
from billing.domain.deletion import EVENT_KEPT, Receipt
from billing.domain.errors import ConcurrentChange, NotFound
from billing.domain.events import Event
from billing.domain.schedules import Job, Stage
from billing.store import keys, mapping
from billing.store.table import Table

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
        row = self._get_all([key]).get(key)
        if row is None:
            return None
        body = mapping.parsed(row["body"]["S"])
        return Purge(
            **{
                **body,
                "recipients": tuple(tuple(each) for each in body["recipients"]),
                "users": tuple(body["users"]),
                "began_at": datetime.fromisoformat(body["began_at"]),
                "emptied_at": None if body["emptied_at"] is None else datetime.fromisoformat(body["emptied_at"]),
                "version": int(row["version"]["N"]),
            }
        )

    def due(self, account: str) -> date | None:
        """The day from which on an account may be deleted; None if that is not due at all. One read."""
        key = (keys.account(account), keys.due(Job.ENDING))
        row = self._get_all([key]).get(key)
        body = {} if row is None else mapping.parsed(row["body"]["S"])
        return date.fromisoformat(body["on"]) if body.get("stage") == Stage.PURGE else None

    def people(self, account: str) -> tuple[User, ...]:
        """Who had access. One query."""
        found = self._query(keys.account(account), keys.USER, keys.last_of(keys.USER))
        return tuple(mapping.user_from(row["body"]["S"]) for row in found)

    def belongs_elsewhere(self, user: str, account: str) -> bool:
        """Whether a person has access to another account as well. One query of the index."""
        family = keys.account("")
        found = self._query(keys.user(user), family, keys.last_of(family), limit=2, index=keys.INDEX)
        return any(row["pk"]["S"] != keys.account(account) for row in found)

    def begin(self, account: Account, purge: Purge) -> None:
        """From here on the account is unknown, and nothing more is written for it.

        Raises ConcurrentChange when it is no longer at its version: it was taken up again. One transaction.
        """
        partition = keys.account(account.account)
        gone = {
            "Delete": {
                "TableName": self._table,
                "Key": {"pk": {"S": partition}, "sk": {"S": keys.PAGE_ACCOUNT}},
                "ConditionExpression": "version = :version",
                "ExpressionAttributeValues": {":version": {"N": str(account.version)}},
            }
        }
        self._write([gone, self._kept(purge)], ConcurrentChange())

    def invoices(self, purge: Purge) -> Iterator[StoredInvoice]:
        """The invoices that are not archived yet, oldest first. A query per megabyte."""
        first = keys.INVOICE if purge.archived is None else keys.behind(purge.archived)
        for row in self._query(keys.account(purge.account), first, keys.last_of(keys.INVOICE)):
            produced_on, number = row["sk"]["S"].removeprefix(keys.INVOICE).split("#", 1)
            yield StoredInvoice(row["sk"]["S"], number, date.fromisoformat(produced_on), row["body"]["S"])

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
            keys_of = [
                (row["pk"]["S"], row["sk"]["S"])
                for row in islice(self._query(partition, " ", keys.last_of("~"), limit=AT_ONCE + 2), AT_ONCE + 2)
                if (row["pk"]["S"], row["sk"]["S"]) not in _last_of_all(purge.account)
            ][:AT_ONCE]
            if keys_of:
                return self._delete(purge, keys_of)
        return None

    def finish(self, purge: Purge, receipt: Receipt, event: Event) -> None:
        """Deletes the last of the account, and keeps the receipt; the event goes when its mail has. One transaction."""
        last = [self._deleting(*key) for key in _last_of_all(purge.account)]
        told = self._item(keys.deleted(event.event), keys.event(event.event), mapping.event_body(event))
        told["Item"]["expires_at"] = {"N": str(int((event.time + EVENT_KEPT).timestamp()))}
        kept = self._item(keys.RECEIPTS, keys.receipt(receipt.receipt), mapping.text(receipt))
        new = {"ConditionExpression": "attribute_not_exists(pk)"}
        self._write([*last, {"Put": kept | new}, {"Put": told}], ConcurrentChange())

    def receipt(self, receipt: str) -> Receipt:
        """A receipt by its id. Raises NotFound. One read."""
        key = (keys.RECEIPTS, keys.receipt(receipt))
        row = self._get_all([key]).get(key)
        if row is None:
            raise NotFound("There is no such receipt.")
        return receipt_from(row["body"]["S"])

    def receipts(self, *, limit: int, after: str | None) -> tuple[tuple[Receipt, ...], str | None]:
        """A part of the receipts, newest first, and what leads to the rest. One query."""
        last = keys.last_of(keys.RECEIPT) if after is None else keys.receipt(after)
        rows = [*self._query(keys.RECEIPTS, keys.RECEIPT, last, limit=limit + 2, newest_first=True)]
        found = [receipt_from(row["body"]["S"]) for row in rows if row["sk"]["S"] != last]
        return tuple(found[:limit]), found[limit - 1].receipt if len(found) > limit else None

    def under_way(self) -> Iterator[str]:
        """The accounts that are being deleted. Reads the whole table: for an operator's own commands only."""
        return self._accounts_with(keys.PURGE)

    def account(self, account: str) -> Account | None:
        """An account as it stands, None without it. One read."""
        key = (keys.account(account), keys.PAGE_ACCOUNT)
        row = self._get_all([key]).get(key)
        return None if row is None else mapping.account_from(row["body"]["S"], int(row["version"]["N"]))

    # ---- How ----

    def _delete(self, purge: Purge, keys_of: Sequence[tuple[str, str]]) -> Purge:
        counts = dict(purge.counts)
        for _, key in keys_of:
            family = key.partition("#")[0].lower()
            counts[family] = counts.get(family, 0) + 1
        digest = hashlib.sha256((purge.digest + "\n".join(map("\t".join, keys_of))).encode()).hexdigest()
        deleted = replace(purge, counts=counts, digest=digest)
        self._write([*(self._deleting(*key) for key in keys_of), self._kept(deleted)], ConcurrentChange())
        return replace(deleted, version=purge.version + 1)

    def _noted(self, purge: Purge) -> Purge:
        self._write([self._kept(purge)], ConcurrentChange())
        return replace(purge, version=purge.version + 1)

    def _kept(self, purge: Purge) -> dict[str, Any]:
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
        return self._replacing(keys.account(purge.account), keys.PURGE, purge.version, mapping.text(body))


def partitions(account: str) -> tuple[str, ...]:
    """All partitions in which something of an account stands."""
    return keys.usage(account), keys.markers(account), keys.account(account)


def _last_of_all(account: str) -> tuple[tuple[str, str], ...]:
    """What says that the account is being deleted, and that this is due: without it nobody would go on."""
    partition = keys.account(account)
    return (partition, keys.PURGE), (partition, keys.due(Job.ENDING))


def receipt_from(stored: str) -> Receipt:
    """A receipt as it stands in the table, and outside of it."""
    body = mapping.parsed(stored)
    return Receipt(
        receipt=body["receipt"],
        identity=body["identity"],
        began_at=datetime.fromisoformat(body["began_at"]),
        deleted_at=datetime.fromisoformat(body["deleted_at"]),
        counts=body["counts"],
        digest=body["digest"],
    )
