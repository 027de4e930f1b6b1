"""Deletions in the table: their progress, the items to delete, and the receipts.

A purge works on keys only: it deletes every item in the account's partitions, whatever its kind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING

from billing.accounts.log_in_records import LogInStore
from billing.accounts.mapping import user_from
from billing.accounts.rules import Account, User
from billing.ending.deletion.claim_records import claim_item, note_item, record_for_deleted
from billing.ending.deletion.claims import Note, OpenClaim, direction
from billing.ending.deletion.rules import NotAsked, Receipt
from billing.ending.due import EndingStage
from billing.ending.due_mapping import stage_from
from billing.invoicing.balance_mapping import other_credit_from
from billing.invoicing.invoices import InvoiceDraft
from billing.invoicing.mapping import archived_body, draft_from
from billing.invoicing.records import DOCUMENTS_AT_ONCE, stored_documents
from billing.kernel.account_ids import clock_of
from billing.kernel.errors import NotFound
from billing.kernel.events import Event, time_of_ulid
from billing.kernel.fields import fields_of
from billing.kernel.schedules import Job
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import date_or_none, parsed, text
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row, Slice

if TYPE_CHECKING:
    from billing.scaling.reviews.rules import Review

AT_ONCE = 40
"""How many items one transaction deletes. The same transaction saves their count."""


DIGEST_DIGITS = 16
"""Digits of the digest of a version of a document, or of a customer: enough to tell those of one account apart."""


@dataclass(frozen=True, slots=True)
class Purge:
    """A deletion in progress.

    `recipients` are pairs of name and address for the mail at its end. `users` are the ids of the users who had access.
    `customer` is the customer id at the payment service. `counts` are the deleted items by family, `digest` the SHA-256
    digest of their keys. `archived` is the key of the last archived invoice. At `emptied_at` the account had no items
    left but this record and its due item. `kept` are the claims of the residue: their ids, and whether each is one of
    the vendor and one against the vendor. It is complete once `is_residue_kept`; `kept_until` is the last day of any of
    them. `not_invoiced` is what was due and not invoiced when the deletion began. `archived_until` is the last day of
    any archived invoice. `not_asked` are services without a key. `being_deleted` are the documents that were counted
    last, as digests: a run that was cut off does not count them again. `customers` are all that were counted, as
    digests: the payment service may list one late, or again. `is_again` says that the account was deleted before, and a
    backup has brought it back. `version` counts the changes.
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
    currency: str = ""
    not_invoiced: tuple[InvoiceDraft, ...] = ()
    kept: tuple[tuple[str, bool, bool], ...] = ()
    kept_until: date | None = None
    is_residue_kept: bool = False
    archived_until: date | None = None
    not_asked: tuple[NotAsked, ...] = ()
    being_deleted: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    is_again: bool = False
    version: int = 0


@dataclass(frozen=True, slots=True)
class StoredInvoice:
    """An invoice or a credit note as it is stored: the sort key of its summary, and the whole of it as JSON."""

    key: str
    number: str
    produced_on: date
    body: str


class PurgeStore(LogInStore):
    """The deletions in the one table."""

    def purge(self, account: str) -> Purge | None:
        """The account's deletion in progress, None if there is none. One read."""
        key = (keys.account(account), keys.PURGE)
        row = self._reads.get_all([key]).get(key)
        if row is None:
            return None
        body = parsed(row.body)
        # A deletion that began in an earlier release has kept nothing yet: what is still there is kept.
        residue = {
            "currency": body.get("currency", ""),
            "not_invoiced": tuple(map(draft_from, body.get("not_invoiced", ()))),
            "kept": tuple((claim, ours, theirs) for claim, ours, theirs in body.get("kept", ())),
            "kept_until": date_or_none(body.get("kept_until")),
            "is_residue_kept": body.get("is_residue_kept", False),
            "archived_until": date_or_none(body.get("archived_until")),
            "not_asked": tuple(map(NotAsked, body.get("not_asked", ()))),
            "being_deleted": tuple(body.get("being_deleted", ())),
            "customers": tuple(body.get("customers", ())),
            "is_again": body.get("is_again", False),
        }
        return Purge(
            **{
                **body,
                **residue,
                "recipients": tuple(tuple(each) for each in body["recipients"]),
                "users": tuple(body["users"]),
                "began_at": datetime.fromisoformat(body["began_at"]),
                "emptied_at": None if body["emptied_at"] is None else datetime.fromisoformat(body["emptied_at"]),
                "version": row.version,
            }
        )

    def due(self, account: str) -> date | None:
        """The first day on which the account may be deleted; None if no deletion is due. One read."""
        key = (keys.account(account), keys.due(Job.ENDING))
        row = self._reads.get_all([key]).get(key)
        due = None if row is None else stage_from(row.body)
        return due.on if due is not None and due.stage is EndingStage.PURGE else None

    def people(self, account: str) -> tuple[User, ...]:
        """The users of the account, read consistently: the purge deletes their log-ins. One query."""
        rows = self._reads.query(keys.account(account), keys.USER, keys.last_of(keys.USER), consistent=True)
        return tuple(user_from(row.body) for row in rows)

    def lives(self, account: str) -> bool:
        """Whether there is an account with this id, or the rest of one that is being deleted. One read."""
        places = [(keys.account(account), key) for key in (keys.PAGE_ACCOUNT, keys.PURGE)]
        return bool(self._reads.get_all(places))

    def provisioned_at(self, account: str) -> datetime | None:
        """When an account was provisioned: the time of its first event. None if it has no event. One query."""
        first = self._reads.query(keys.account(account), keys.EVENT, keys.last_of(keys.EVENT), limit=1, consistent=True)
        return next((time_of_ulid(row.key.removeprefix(keys.EVENT)) for row in first), None)

    def begin(self, account: Account, purge: Purge, invoicing_due: str | None = None) -> None:
        """Deletes the account's own item and saves the purge. From then on every other write for the account fails.

        The booked time of an open review is free again. `invoicing_due` is the body of the due item that
        `purge.not_invoiced` follows from: with it nothing is invoiced in between. Raises ConcurrentChange if the
        account is no longer at its version, for example after a reactivation, or if something was invoiced.
        One get and one transaction.
        """
        review = self._open_review(account.id)
        with self._transaction() as write:
            write.delete(keys.account(account.id), keys.PAGE_ACCOUNT, version=account.version)
            write.replace(_item(purge), purge.version)
            if review is not None:
                from billing.scaling.reviews.records import free_time

                free_time(write, review, account.id)
            if invoicing_due is not None:
                write.due_if(invoicing_due, account.id, Job.RENEWAL, None)

    def _open_review(self, account: str) -> Review | None:
        if self._reads.get(keys.account(account), keys.REVIEW_OPEN) is None:
            return None
        # Hardly any account has one left: the others need not load the rules of reviews.
        from billing.scaling.reviews.records import open_review_of

        return open_review_of(self._reads, account)

    def credits(self, account: str, currency: str) -> dict[str, int]:
        """The credit of an account whose deletion has begun, in minor units by currency; `currency` is the contract's.
        One get."""
        row = self._reads.get(keys.account(account), keys.BALANCE)
        own = 0 if row is None else int(parsed(row.body)["credit"])
        return {currency: own, **other_credit_from(row)}

    def keep(
        self,
        purge: Purge,
        claims: Sequence[OpenClaim],
        *,
        notes: Sequence[Note] = (),
        is_all: bool = False,
        events: Sequence[Event] = (),
    ) -> Purge:
        """Saves claims of the residue, that they are kept, notes of payments, and the events.

        With `is_all` the residue is complete.

        A claim that exists already stays as it is: a deletion is repeated after a restore. One read and one
        transaction.
        """
        places = [(keys.residue(each.id), keys.CLAIM) for each in claims]
        known = self._reads.get_all(places)
        last_days = [*(each.keep_until for each in claims), *([purge.kept_until] if purge.kept_until else [])]
        kept = replace(
            purge,
            kept=(*purge.kept, *((each.id, *direction(each)) for each in claims)),
            kept_until=max(last_days, default=None),
            is_residue_kept=is_all,
        )
        with self._transaction() as write:
            for each, place in zip(claims, places, strict=True):
                if place not in known:
                    write.replace(claim_item(each), 0)
            for note in notes:
                write.put(note_item(note, purge.began_at))
            for event in events:
                record_for_deleted(write, event)
            write.replace(_item(kept), kept.version)
        return replace(kept, version=purge.version + 1)

    def invoices(self, purge: Purge) -> Iterator[StoredInvoice]:
        """The invoices and credit notes not archived yet, oldest first, with their documents.

        One query per megabyte, and one read per DOCUMENTS_AT_ONCE invoices.
        """
        first = keys.INVOICE if purge.archived is None else keys.after(purge.archived)
        rows = self._reads.query(keys.account(purge.account), first, keys.last_of(keys.INVOICE), consistent=True)
        while some := [*islice(rows, DOCUMENTS_AT_ONCE)]:
            documents = stored_documents(self._reads, some)
            for row in some:
                produced_on, number = keys.day_and_number(row.key)
                body = archived_body(row.body, documents.get(row.key))
                yield StoredInvoice(row.key, number, produced_on, body)

    def archived(self, purge: Purge, invoice: StoredInvoice, until: date | None = None) -> Purge:
        """Saves that all invoices up to this one are archived, this one through `until`.

        None for one that is not kept. One transaction.
        """
        last = max((each for each in (purge.archived_until, until) if each is not None), default=None)
        return self._save(replace(purge, archived=invoice.key, archived_until=last))

    def empty(self, purge: Purge, at: datetime) -> Purge:
        """Saves that no items are left but the purge itself and its due item. One transaction."""
        return self._save(replace(purge, emptied_at=at))

    def count_customers(self, purge: Purge, customers: Sequence[str], not_asked: Sequence[NotAsked]) -> Purge:
        """Counts customers that are deleted next, each once, and notes what could not be asked.

        One transaction; none if nothing is new.
        """
        seen = (*purge.customers, *(each for each in _digests(customers) if each not in purge.customers))
        # A deletion of an earlier release has counted some without their digests.
        counted = max(purge.counts.get("customers", 0), len(seen))
        counts = {"documents": 0, **purge.counts, **({} if not_asked else {"customers": counted})}
        noted = replace(purge, counts=counts, customers=seen, not_asked=tuple(not_asked))
        return purge if noted == purge else self._save(noted)

    def count_documents(self, purge: Purge, versions: Sequence[str]) -> Purge:
        """Counts versions of documents that are deleted next, each once. One transaction, none if all are counted.

        The versions of the batch before are gone once another batch is counted.
        """
        digests = _digests(versions)
        new = {*digests} - {*purge.being_deleted}
        if not new:
            return purge
        counts = {**purge.counts, "documents": purge.counts.get("documents", 0) + len(new)}
        return self._save(replace(purge, counts=counts, being_deleted=digests))

    def delete_some(self, purge: Purge) -> Purge | None:
        """Deletes and counts the next AT_ONCE items. None if no items are left.

        One transaction, and up to three queries. They are consistent: an eventually consistent one may still list what
        the last transaction has deleted, and it would be counted twice.
        """
        for partition in partitions(purge.account):
            rows = self._reads.query(partition, " ", keys.last_of("~"), limit=AT_ONCE + 2, consistent=True)
            item_keys = [(row.partition, row.key) for row in rows]
            batch = [key for key in item_keys if key not in _deleted_last(purge.account)][:AT_ONCE]
            if batch:
                return self._delete(purge, batch)
        return None

    def finish(self, purge: Purge, receipt: Receipt, events: Sequence[Event], real: datetime | None = None) -> None:
        """Deletes the purge and its due item, and saves the receipt and the events. One transaction.

        The events expire EVENT_RETENTION after `real`, or their own time if that is None: their mail has been sent.
        """
        with self._transaction() as write:
            for key in _deleted_last(purge.account):
                write.delete(*key)
            receipts = keys.on_clock(keys.RECEIPTS, clock_of(purge.account))
            write.add(Item(receipts, keys.receipt(receipt.id), receipt_body(receipt)))
            for event in events:
                record_for_deleted(write, event, real)

    def receipt(self, receipt: str, clock: str | None = None) -> Receipt:
        """A receipt by its id, of an account on a test clock if one is named. Raises NotFound. One read."""
        key = (keys.on_clock(keys.RECEIPTS, clock), keys.receipt(receipt))
        row = self._reads.get_all([key]).get(key)
        if row is None:
            raise NotFound("There is no such receipt.")
        return receipt_from(row.body)

    def receipts(self, *, limit: int, after: str | None, clock: str | None = None) -> Slice[Receipt]:
        """A page of the receipts, newest first; of accounts on a test clock if one is named. One query."""
        receipts = keys.on_clock(keys.RECEIPTS, clock)
        return self._reads.newest(receipts, keys.RECEIPT, _receipt_of_row, limit=limit, after=after)

    def under_way(self) -> Iterator[str]:
        """The accounts with a deletion in progress. Scans the whole table: only for an operator's commands."""
        for partition in self._reads.partitions_with(keys.PURGE):
            yield partition.removeprefix(keys.account(""))

    def _delete(self, purge: Purge, item_keys: Sequence[tuple[str, str]]) -> Purge:
        counts = dict(purge.counts)
        for _, sort_key in item_keys:
            family = sort_key.partition("#")[0].lower()
            counts[family] = counts.get(family, 0) + 1
        digest = hashlib.sha256((purge.digest + "\n".join(map("\t".join, item_keys))).encode()).hexdigest()
        counted = replace(purge, counts=counts, digest=digest, being_deleted=())
        with self._transaction() as write:
            for key in item_keys:
                write.delete(*key)
            write.replace(_item(counted), counted.version)
        return replace(counted, version=purge.version + 1)

    def _save(self, purge: Purge) -> Purge:
        with self._transaction() as write:
            write.replace(_item(purge), purge.version)
        return replace(purge, version=purge.version + 1)


def _digests(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(hashlib.sha256(each.encode()).hexdigest()[:DIGEST_DIGITS] for each in names)


def partitions(account: str) -> tuple[str, ...]:
    """All partitions with items of an account."""
    return keys.usage(account), keys.markers(account), keys.account(account)


def _deleted_last(account: str) -> tuple[tuple[str, str], ...]:
    """The keys of the purge and of its due item. They go last, because a retry needs both to resume the deletion."""
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
        "currency": purge.currency,
        "not_invoiced": purge.not_invoiced,
        "kept": purge.kept,
        "kept_until": purge.kept_until,
        "is_residue_kept": purge.is_residue_kept,
        "archived_until": purge.archived_until,
        "not_asked": purge.not_asked,
        "being_deleted": purge.being_deleted,
        "customers": purge.customers,
        "is_again": purge.is_again,
    }
    return Item(keys.account(purge.account), keys.PURGE, text(body))


def receipt_body(receipt: Receipt) -> str:
    """The JSON of a receipt, for the table and for the copy in the bucket."""
    return text(fields_of(receipt, id="receipt"))


def receipt_from(stored: str) -> Receipt:
    """The receipt from its JSON. Raises KeyError or ValueError if it is none."""
    body = parsed(stored)
    return Receipt(
        id=body["receipt"],
        identity=body["identity"],
        began_at=datetime.fromisoformat(body["began_at"]),
        deleted_at=datetime.fromisoformat(body["deleted_at"]),
        counts=body["counts"],
        digest=body["digest"],
        kept=body.get("kept", {}),  # older receipts were written without
        kept_until=date_or_none(body.get("kept_until")),
        archived_until=date_or_none(body.get("archived_until")),
        not_asked=tuple(map(NotAsked, body.get("not_asked", ()))),
    )


def _receipt_of_row(row: Row) -> Receipt:
    return receipt_from(row.body)
