"""Erasures in the table: their progress, and the items that they change.

Each family of an account's items is in one of three lists. A test holds the lists against all families, so that none
can be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from billing.accounts.appointment_mapping import appointment_from
from billing.accounts.appointment_records import AppointmentStore
from billing.accounts.information import Area, BillingInformation
from billing.accounts.log_in_records import leave
from billing.accounts.records import account_item
from billing.accounts.rules import Account
from billing.ending.erasure.rules import Aliases, Counts, Erasure, Phase
from billing.kernel.events import ActorKind, Event
from billing.kernel.schedules import Job
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import parsed, text
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row

REWRITTEN = (
    keys.ALERT,
    keys.AUTOSCALING,
    keys.BALANCE,
    keys.CANCELLATION,
    keys.CORRECTION,
    keys.DECISION,
    keys.EVENT,
    keys.EXTRA,
    keys.FINDING,
    keys.HELD,
    keys.PAGE_APPOINTMENT,
    keys.PAGE_ONE_OFFS,
    keys.PAGE_TERM,
    keys.PERIOD,
    keys.REACTIVATION,
    keys.REVIEW,
    keys.REVIEW_OPEN,
    keys.USER,
)
"""The families whose items are read, and written again without the person."""

REWRITTEN_IN_PART = {keys.INVOICE: ("payment", "reminders"), keys.TRANSFER: ("taken_back",)}
"""The families of which only one part is about people, and where it is: why staff have paused reminders, or have taken
a transfer back. The rest is what law wants of an invoice, its payments, and what the bank says of them (GDPR art.
17(3)(b)); it names a company."""

DELETED = {
    keys.DELIVERY: "with the copy of the mail to the person: its key is a digest of the address",
    keys.DOWNLOAD: "with its file: an export from before has the person in it",
    keys.ERASURE: "when the erasure is done: it has the names and addresses",
    keys.UNDELIVERABLE: "the mark of one of the person's addresses, which is its key",
}
"""The families of which items are deleted, and which ones."""

UNTOUCHED = {
    keys.CONTENT: "counts usage of the shop's own pages",
    keys.DELIVERED: "has no body: its key is that of an event",
    keys.DOCUMENT: "an invoice as it was issued: law wants it whole (GDPR art. 17(3)(b))",
    keys.DUE: "when Livello looks at the account next",
    keys.MARKER: "digests of usage events",
    keys.PAGE: "the account, without the person's role; a person whom the billing information names is not erased. An"
    " appointment, a change of the term and the open one-offs are pages of their own",
    keys.PAYER: "a digest of an account at a bank: it names nobody",
    keys.PURGE: "while an account is deleted, nobody is erased from it by themselves",
    keys.TOTAL: "counts usage",
    keys.VAT_CHECK: "the evidence for an invoice's tax, which law wants whole (GDPR art. 17(3)(b))",
}
"""The families that an erasure leaves, each with the reason."""

LOOKED_THROUGH = 3000
"""How many of the newest events a request looks through for somebody who is no user any more: a few megabytes."""

ERASURES_MAX = 100


class ErasureStore(AppointmentStore):
    """The erasures in the one table."""

    def erasure(self, account: str, user: str) -> Erasure | None:
        """The erasure of a person that is under way; None if there is none. One get."""
        row = self._reads.get(keys.account(account), keys.erasure(user))
        return None if row is None else _erasure_from(account, row)

    def erasures(self, account: str) -> tuple[Erasure, ...]:
        """The erasures that are under way in an account. One query."""
        rows = self._reads.query(
            keys.account(account), keys.ERASURE, keys.last_of(keys.ERASURE), limit=ERASURES_MAX, consistent=True
        )
        return tuple(_erasure_from(account, row) for row in rows)

    def customer_of(self, account: str, user: str) -> Aliases | None:
        """What a customer's log-in is called in the account's newest events; None if these do not know it.

        It looks for an address, and settles for a deed. Staff are no customers. Up to LOOKED_THROUGH events: a query
        per megabyte.
        """
        found, has_acted, events = Aliases(frozenset({user})), False, 0
        for row in self._reads.query(
            keys.account(account),
            keys.EVENT,
            keys.last_of(keys.EVENT),
            limit=LOOKED_THROUGH,
            newest_first=True,
            consistent=True,
        ):
            events += 1
            if user not in row.body:
                continue
            body = parsed(row.body)
            found = found.found_in(body, frozenset())
            if found.emails:
                return found
            has_acted |= body["actor"] == {"kind": ActorKind.CUSTOMER, "user": user}
        return found if has_acted or events == LOOKED_THROUGH else None

    def begin_erasure(
        self,
        erasure: Erasure,
        account: Account,
        information: BillingInformation,
        log_in_until: datetime,
        events: Sequence[Event],
        *,
        is_member: bool,
    ) -> Erasure:
        """Saves an erasure that begins, takes the person's access with their user, and records the events.

        `account` is without their role. From `log_in_until` on their log-in is deleted if they belong to no other
        account. Raises ConcurrentChange when the account or its billing information is no longer as it was read, or the
        person is being erased already. One transaction.
        """
        partition = keys.account(account.id)
        with self._transaction() as write:
            if is_member:
                unmarked = [keys.logged_in(erasure.user)]
                write.replace_account(account_item(account), account.version, unmarked=unmarked)
                write.delete(partition, keys.user(erasure.user))
            else:
                write.check(partition, keys.PAGE_ACCOUNT, account.version)
            for area in (Area.BILLING, Area.CONTACT):
                write.check(partition, keys.page_information(area), information.area(area).version)
            leave(write, erasure.user, log_in_until)
            write.replace(_item(erasure), 0)
            for event in events:
                write.record(event)
        return replace(erasure, version=1)

    def rows(self, account: str, family: str, after: str | None) -> Iterator[Row]:
        """The items of a family, by their keys, after one of them. One query per megabyte.

        An open appointment is left out: its person is about to come.
        """
        partition = keys.usage(account) if family in keys.USAGE_FAMILIES else keys.account(account)
        first = family if after is None else keys.after(after)
        # REVIEW-OPEN is no REVIEW#, but a family that is one item ends with its own key.
        last = keys.last_of(family) if family.endswith("#") else family
        rows = self._reads.query(partition, first, last, consistent=True)
        return rows if family != keys.PAGE_APPOINTMENT else (each for each in rows if not _is_open(each))

    def save_erasure(
        self,
        erasure: Erasure,
        rewritten: Sequence[tuple[Row, str]] = (),
        deleted: Sequence[str] = (),
    ) -> Erasure:
        """Saves the progress, with items that are written again without the person, and keys that are deleted.

        Nothing is published: the stream's publisher takes new events only. Raises ConcurrentChange when one of them has
        changed since it was read, when somebody else has gone on, and when the account is deleted. One transaction.
        """
        partition = keys.account(erasure.account)
        with self._transaction() as write:
            write.replace(_item(erasure), erasure.version)
            for row, body in rewritten:
                write.rewrite(row, body)
            for key in deleted:
                write.delete(partition, key)
        return replace(erasure, version=erasure.version + 1)

    def downloads(self, account: str) -> tuple[Row, ...]:
        """The account's downloads. One query."""
        return tuple(self.rows(account, keys.DOWNLOAD, None))

    def finish_erasure(self, erasure: Erasure, downloads: Sequence[Row], event: Event) -> None:
        """Deletes the downloads as they were read, and the erasure, and records the event.

        A download that is being prepared can no longer be finished. Raises ConcurrentChange when one was finished
        meanwhile. One transaction.
        """
        partition = keys.account(erasure.account)
        with self._transaction() as write:
            write.delete(partition, keys.erasure(erasure.user), version=erasure.version)
            for row in downloads:
                write.delete(partition, row.key, version=row.version)
            # A request that was under way when the erasure began may have set it again.
            write.unmark_account(erasure.account, map(keys.logged_in, sorted(erasure.aliases.ids)))
            write.record(event)


def _is_open(row: Row) -> bool:
    appointment = appointment_from(row)
    return appointment is not None and appointment.is_open


def _item(erasure: Erasure) -> Item:
    body = {
        "user": erasure.user,
        "pseudonym": erasure.pseudonym,
        "began_at": erasure.began_at,
        "requested_by": erasure.requested_by,
        "correlation": erasure.correlation,
        "ids": sorted(erasure.aliases.ids),
        "emails": sorted(erasure.aliases.emails),
        "names": sorted(erasure.aliases.names),
        "is_collected": erasure.collected == erasure.aliases,
        "phase": erasure.phase,
        "place": erasure.place,
        "deleting": erasure.deleting,
        "waits_until": erasure.waits_until,
        "counts": erasure.counts,
    }
    return Item(
        keys.account(erasure.account),
        keys.erasure(erasure.user),
        text(body),
        index=(keys.shard_of(Job.ENDING, erasure.account), keys.instant(erasure.began_at)),
    )


def _erasure_from(account: str, row: Row) -> Erasure:
    body = parsed(row.body)
    waits_until = body["waits_until"]
    kind, user = body["requested_by"]
    aliases = Aliases(frozenset(body["ids"]), frozenset(body["emails"]), frozenset(body["names"]))
    return Erasure(
        account=account,
        user=body["user"],
        pseudonym=body["pseudonym"],
        began_at=datetime.fromisoformat(body["began_at"]),
        requested_by=(kind, user),
        correlation=body["correlation"],
        aliases=aliases,
        collected=aliases if body["is_collected"] else None,
        phase=Phase(body["phase"]),
        place=body["place"],
        deleting=tuple(body["deleting"]),
        waits_until=None if waits_until is None else datetime.fromisoformat(waits_until),
        counts=Counts(**body["counts"]),
        version=row.version,
    )
