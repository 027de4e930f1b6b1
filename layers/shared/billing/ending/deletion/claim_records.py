"""Open claims in the table. A settled one is deleted: nothing of it stays but an event that expires."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from billing.ending.deletion.claim_mapping import claim_body, claim_from, note_body, note_from
from billing.ending.deletion.claims import Note, OpenClaim, notes_of
from billing.ending.deletion.rules import EVENT_RETENTION
from billing.kernel.errors import ConcurrentChange, NotFound
from billing.kernel.events import Event
from billing.kernel.schedules import Job
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import parsed
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row, Slice
from billing.platform.dynamodb.table import Table
from billing.platform.events.mapping import event_body

if TYPE_CHECKING:
    from billing.platform.dynamodb.transaction import Transaction


NOTES_KEPT = timedelta(days=548)
"""How long what was taken in of a payment is noted: 18 months. A bank may take back a SEPA debit for 13 months
(docs.stripe.com/payments/sepa-debit#disputed-payments), and its decision takes some weeks."""


class ClaimStore(Table):
    """The open claims in the one table."""

    def claim(self, claim: str) -> OpenClaim:
        """An open claim by its id. Raises NotFound. One get."""
        found = self.find(claim)
        if found is None:
            raise NotFound("There is no such open claim.")
        return found

    def find(self, claim: str) -> OpenClaim | None:
        """An open claim by its id, None without it. One get."""
        row = self._reads.get(keys.residue(claim), keys.CLAIM)
        return None if row is None else _claim_of(row)

    def claims(self, *, limit: int, after: str | None) -> Slice[OpenClaim]:
        """A page of the open claims, the longest kept first. One query of the index of lists."""
        return self._reads.oldest(keys.OPEN_CLAIMS, "", _claim_of, limit=limit, after=after, index=keys.LIST_INDEX)

    def require_kept(self, account: str) -> None:
        """Raises ConcurrentChange while the account's deletion has yet to keep what is open. One get."""
        row = self._reads.get(keys.account(account), keys.PURGE)
        if row is not None and not parsed(row.body).get("is_residue_kept", False):
            raise ConcurrentChange

    def noted(self, about: str) -> Note | None:
        """What was taken in of an object of the payment service; None for nothing. One get."""
        row = self._reads.get(keys.residue(about), keys.NOTE)
        return None if row is None else note_from(row.body)

    def save(self, claims: Sequence[OpenClaim], events: Sequence[Event] = (), *, missing: Sequence[str] = ()) -> None:
        """Writes the next version of claims, or deletes those that are settled, with the events.

        Version 0 creates a claim. Raises ConcurrentChange when one has changed, or when one of the `missing` claims, by
        their ids, exists by now. One transaction, and one read more where something is settled.
        """
        settled = [each for each in claims if each.is_settled]
        notes = self._notes(settled)
        with self._transaction() as write:
            for each in missing:
                write.check(keys.residue(each), keys.CLAIM, 0)
            for claim in claims:
                if not claim.is_settled:
                    write.replace(claim_item(claim), claim.version)
                elif claim.version:
                    write.delete(keys.residue(claim.id), keys.CLAIM, version=claim.version)
            for note in notes:
                write.put(note_item(note, settled[0].kept_at))
            for event in events:
                record_for_deleted(write, event)

    def expire(self, claim: OpenClaim, event: Event) -> None:
        """Deletes a claim whose time is over, with the event. Raises ConcurrentChange. One read, one transaction."""
        notes = self._notes([claim])
        with self._transaction() as write:
            write.delete(keys.residue(claim.id), keys.CLAIM, version=claim.version)
            for note in notes:
                write.put(note_item(note, event.time))
            record_for_deleted(write, event)

    def _notes(self, settled: Sequence[OpenClaim]) -> list[Note]:
        """What was taken in of claims that are deleted, with what was noted before: a notice may be repeated."""
        notes = notes_of([(each.id, each.payment) for each in settled], date.min)
        rows = self._reads.get_all((keys.residue(each.object), keys.NOTE) for each in notes)
        known = {partition: note_from(row.body) for (partition, _), row in rows.items()}
        return [each.with_earlier(known.get(keys.residue(each.object))) for each in notes]


def note_item(note: Note, at: datetime) -> Item:
    """The item of a note. It expires when no bank can take back the payment any more."""
    return Item(keys.residue(note.object), keys.NOTE, note_body(note), expires_at=at + NOTES_KEPT)


def claim_item(claim: OpenClaim) -> Item:
    """The item of an open claim, in the index of due work and in that of lists."""
    due_at = datetime.combine(claim.due_on, time(), UTC)
    return Item(
        keys.residue(claim.id),
        keys.CLAIM,
        claim_body(claim),
        index=(keys.shard_of(Job.ENDING, claim.id), keys.instant(due_at)),
        list_index=(keys.OPEN_CLAIMS, f"{keys.instant(claim.kept_at)}#{claim.id}"),
    )


def record_for_deleted(write: Transaction, event: Event, real: datetime | None = None) -> None:
    """Records an event about a deleted account, in a partition of its own. It expires when its mail has been sent.

    `real` is the real time, if the account's is another: DynamoDB deletes by the real one.
    """
    expires_at = (real or event.time) + EVENT_RETENTION
    write.put(Item(keys.deleted(event.id), keys.event(event.id), event_body(event), expires_at=expires_at))


def _claim_of(row: Row) -> OpenClaim:
    return claim_from(row.body, row.version)
