"""Erases one person from an account's record (DESIGN 3.8): a request begins it, a worker goes on with it.

The order: what the person is called is collected from the whole record; items are written again without them; copies of
mails that name them are deleted; the erasure waits, and looks again at what may have been written meanwhile; then the
exports from before go, with the erasure itself. An erasure can be interrupted anywhere and resumes. The transaction
that writes items again also counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from billing.accounts.rules import Account
from billing.ending.erasure.mail_copies import addressees_of, words_of
from billing.ending.erasure.records import REWRITTEN, REWRITTEN_IN_PART, ErasureStore
from billing.ending.erasure.rules import (
    WAIT,
    Aliases,
    Counts,
    ErasedPerson,
    Erasure,
    NamedInAppointment,
    Phase,
    normal,
    require_not_named,
)
from billing.ending.exports.rules import folder_of_downloads
from billing.kernel.errors import AccountNotFound, NotFound
from billing.kernel.events import RANDOM_BYTES, Actor, ActorKind, EventType, RequestContext, instant_before, ulid
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import parsed, text
from billing.platform.dynamodb.reader import Row
from billing.platform.events.new_event import new_event, new_id
from billing.platform.files.interfaces import Documents

REWRITTEN_AT_ONCE = 25
"""How many items one transaction writes again. The largest have some kilobytes; a transaction takes four megabytes."""

LOOKED_AT_ONCE = 500
"""After how many items without the person the place is saved."""

MAILS_AT_ONCE = 50

LATE = timedelta(hours=1)
"""How long before an erasure began the second look begins. Clocks differ, and an event's id is its machine's time."""


class ErasureProgress(StrEnum):
    """The progress of an erasure: finished, more to do, or waiting for what was under way when it began."""

    FINISHED = "finished"
    GOES_ON = "goes_on"
    WAITS = "waits"


# ---- The request -------------------------------------------------------------------------------------


def request_erasure(
    account: Account, user: str, *, context: RequestContext, store: ErasureStore, real: datetime | None = None
) -> Erasure:
    """Takes a person's access, and begins to erase them from the record of the account. Safe to repeat.

    They may have been removed before. Their log-in is deleted, unless they belong to another account, whose record
    stays. `real` is the real time, if the account's is another. Raises NotFound for somebody whom the record does not
    know, LastAdmin, NamedInBilling, NamedInAppointment, ConcurrentChange. Two gets, two queries and one transaction; a
    query of up to LOOKED_THROUGH events for somebody who is no user.
    """
    under_way = store.erasure(account.id, user)
    if under_way is not None:
        return under_way
    details, users = store.details(account.id), store.users(account.id)
    current = next((each for each in users if each.id == user), None)
    is_member = user in account.roles
    found = (
        Aliases(frozenset({user})).with_more(user, current.email, current.name)
        if current is not None
        else store.customer_of(account.id, user)
    )
    if found is None:
        raise NotFound("The record of this account knows no such person.")
    remaining = account.without(user) if is_member else account
    pseudonym = f"erased-{new_id(context.time).lower()}"
    others = {each.id: each.name for each in users if each.id != user}
    person = ErasedPerson(found, pseudonym, others)
    require_not_named(person, details.information)
    appointment = store.appointment(account.id)
    if appointment is not None and appointment.is_open and person.is_called(appointment.email):
        raise NamedInAppointment
    events = [
        new_event(
            EventType.USER_ERASURE_REQUESTED,
            context,
            account=account.id,
            before=None,
            after={"user": user, "erased_as": pseudonym},
        )
    ]
    if is_member:
        before = None if current is None else current.facts
        removed = new_event(EventType.USER_REMOVED, context, account=account.id, before=before, after=None)
        events = [removed, *events]
    erasure = Erasure(
        account=account.id,
        user=user,
        pseudonym=pseudonym,
        began_at=context.time,
        requested_by=(context.actor.kind, context.actor.user),
        correlation=context.correlation,
        aliases=found,
        collected=found,
    )
    return store.begin_erasure(
        erasure, remaining, details.information, (real or context.time) + WAIT, events, is_member=is_member
    )


def look_for(account: str, *, user: str | None, email: str | None, store: ErasureStore) -> tuple[Aliases, int]:
    """What a person is called in the whole record, and how many of its entries name them; for an operator.

    The queries of the record, twice or more often.
    """
    aliases = Aliases(frozenset({user} if user else ()), frozenset({email} if email else ()))
    for each in store.users(account):
        if each.id == user or (email is not None and normal(each.email) == normal(email)):
            aliases = aliases.with_more(each.id, each.email, each.name)
    others = frozenset(store.account(account).roles) - aliases.ids
    before = None
    while before != aliases:
        before = aliases
        for row in _all_rows(account, store):
            aliases = aliases.found_in(_about_people(row), others)
    person = ErasedPerson(aliases, "", {})
    entries = 0
    for row in _all_rows(account, store):
        body = parsed(row.body)
        entries += person.may_be_in(row.body) and _erased_from(person, body, _part_of(row)) != body
    return aliases, entries


def _all_rows(account: str, store: ErasureStore) -> Iterator[Row]:
    families = sorted((*REWRITTEN, *REWRITTEN_IN_PART))
    return (row for family in families for row in store.rows(account, family, None) if row.body)


def _about_people(row: Row) -> Any:
    """The part of an item that is about people: all of it, or that of REWRITTEN_IN_PART, None where it is not set."""
    value: Any = parsed(row.body)
    for name in _part_of(row):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _erased_from(person: ErasedPerson, value: Any, part: tuple[str, ...]) -> Any:
    """The content of an item with a part of it, or all of it, without the person."""
    if not part:
        return person.erased_from(value)
    name, *inner = part
    if not isinstance(value, dict) or name not in value:
        return value
    return {**value, name: _erased_from(person, value[name], tuple(inner))}


def _part_of(row: Row) -> tuple[str, ...]:
    return next((part for family, part in REWRITTEN_IN_PART.items() if row.key.startswith(family)), ())


# ---- The worker --------------------------------------------------------------------------------------


def erase_person(
    account: str,
    user: str,
    *,
    now: datetime,
    clock: datetime,
    goes_on: Callable[[], bool],
    store: ErasureStore,
    documents: Documents,
    wait: timedelta = WAIT,
    is_replay: bool = False,
) -> ErasureProgress:
    """Goes on with an erasure, and returns its progress. FINISHED if there is none.

    `now` is the time of its last event, `clock` the wall clock. Stops early when `goes_on` returns False. Costs the
    queries of the account's record, twice, a read of each copy of a mail, and a transaction for each REWRITTEN_AT_ONCE
    items that name the person. Raises ConcurrentChange if something that it writes again has changed, UpstreamFailed.
    """
    erasure = store.erasure(account, user)
    if erasure is None:
        return ErasureProgress.FINISHED
    try:
        return _Eraser(store, documents, goes_on).go_on(erasure, now, clock, wait, is_replay=is_replay)
    except AccountNotFound:
        return ErasureProgress.FINISHED  # the account is being deleted, with all of this


class _Eraser:
    """One run of an erasure."""

    def __init__(self, store: ErasureStore, documents: Documents, goes_on: Callable[[], bool]) -> None:
        self._store = store
        self._documents = documents
        self._goes_on = goes_on

    def go_on(
        self, erasure: Erasure, now: datetime, clock: datetime, wait: timedelta, *, is_replay: bool
    ) -> ErasureProgress:
        details, users = self._store.details(erasure.account), self._store.users(erasure.account)
        others = {each.id: each.name for each in users}
        kept = (details.account.name, details.information.company.details.name)
        work: Mapping[Phase, Callable[[Erasure], Erasure | None]] = {
            Phase.COLLECT: lambda each: self._collect(each, frozenset(others)),
            Phase.ITEMS: lambda each: self._items(each, person_of(each)),
            Phase.MAILS: lambda each: self._mails(each, person_of(each), clock + wait),
            Phase.ITEMS_AGAIN: lambda each: self._items(each, person_of(each)),
            Phase.MAILS_AGAIN: lambda each: self._mails(each, person_of(each), None),
        }

        def person_of(each: Erasure) -> ErasedPerson:
            return ErasedPerson(each.aliases, each.pseudonym, others, kept)

        while True:
            if erasure.waits_until is not None and clock < erasure.waits_until:
                return ErasureProgress.WAITS
            if erasure.phase is Phase.FILES:
                self._finish(erasure, now, is_replay=is_replay)
                return ErasureProgress.FINISHED
            further = work[erasure.phase](erasure)
            if further is None:
                return ErasureProgress.GOES_ON
            erasure = further

    def _collect(self, erasure: Erasure, others: frozenset[str]) -> Erasure | None:
        """Finds what the person is called. Once more from the beginning while that finds more names."""
        looked = 0
        for row in self._rows(erasure):
            found = erasure.aliases.found_in(_about_people(row), others) if row.body else erasure.aliases
            looked += 1
            if found != erasure.aliases or looked == LOOKED_AT_ONCE or not self._goes_on():
                erasure = self._store.save_erasure(replace(erasure, aliases=found, place=row.key))
                looked = 0
                if not self._goes_on():
                    return None
        if erasure.collected != erasure.aliases:
            return self._store.save_erasure(replace(erasure, collected=erasure.aliases, place=None))
        return self._store.save_erasure(erasure.after(Phase.ITEMS))

    def _items(self, erasure: Erasure, person: ErasedPerson) -> Erasure | None:
        batch: list[tuple[Row, str]] = []
        looked = 0
        for row in self._rows(erasure):
            looked += 1
            if row.body and person.may_be_in(row.body):
                body = text(_erased_from(person, parsed(row.body), _part_of(row)))
                if body != row.body:
                    batch.append((row, body))
            is_last = not self._goes_on()
            if is_last or len(batch) == REWRITTEN_AT_ONCE or looked == LOOKED_AT_ONCE:
                erasure = self._save(erasure, batch, row.key)
                batch, looked = [], 0
                if is_last:
                    return None
        addresses = [keys.undeliverable(each) for each in sorted(erasure.aliases.emails)]
        following = Phase.MAILS if erasure.phase is Phase.ITEMS else Phase.MAILS_AGAIN
        counted = replace(erasure.after(following), counts=_more(erasure.counts, entries=len(batch)))
        return self._store.save_erasure(counted, batch, addresses)

    def _save(self, erasure: Erasure, batch: list[tuple[Row, str]], place: str) -> Erasure:
        counted = replace(erasure, place=place, counts=_more(erasure.counts, entries=len(batch)))
        return self._store.save_erasure(counted, batch)

    def _mails(self, erasure: Erasure, person: ErasedPerson, waits_until: datetime | None) -> Erasure | None:
        """Deletes the copies of mails that name the person, to whomever they went.

        A copy is kept as it was sent, or not at all.
        """
        found: dict[str, bool] = {}
        looked = 0
        for key in self._documents.keys(_mail_of(erasure.account), after=erasure.place or _first_mail(erasure)):
            message = self._documents.get(key)
            looked += 1
            if message is not None and any(map(person.is_named_in, words_of(message))):
                found[key] = person.is_named_in(addressees_of(message))
            is_last = not self._goes_on()
            if is_last or looked == MAILS_AT_ONCE:
                erasure = self._delete_mails(erasure, found)
                erasure = self._store.save_erasure(replace(erasure, place=key, deleting=()))
                found, looked = {}, 0
                if is_last:
                    return None
        erasure = replace(self._delete_mails(erasure, found), deleting=(), waits_until=waits_until)
        following = Phase.ITEMS_AGAIN if erasure.phase is Phase.MAILS else Phase.FILES
        return self._store.save_erasure(erasure.after(following))

    def _delete_mails(self, erasure: Erasure, found: Mapping[str, bool]) -> Erasure:
        """Deletes copies of mails, and the deliveries of those that went to the person. Counts each copy once."""
        if not found:
            return erasure
        counts = _more(erasure.counts, mails=len(found.keys() - {*erasure.deleting}))
        deliveries = [_delivery_of(erasure.account, key) for key, is_theirs in found.items() if is_theirs]
        erasure = self._store.save_erasure(replace(erasure, counts=counts, deleting=tuple(found)), (), deliveries)
        for key in found:
            self._documents.delete_all(key)
        return erasure

    def _finish(self, erasure: Erasure, now: datetime, *, is_replay: bool) -> None:
        """Deletes the exports from before, and records that the person is erased.

        The files go before their entries, and an entry only as it was read. So an export that is finished in between
        is found by the next attempt, and one that is still being prepared cannot be finished.
        """
        downloads = self._store.downloads(erasure.account)
        folder = folder_of_downloads(erasure.account)
        files = len([*self._documents.keys(folder)])
        self._documents.delete_all(folder)
        kind, user = erasure.requested_by
        actor = Actor(ActorKind(kind), erasure.pseudonym if user in erasure.aliases.ids else user)
        counts = _more(erasure.counts, files=files)
        event = new_event(
            EventType.USER_ERASED,
            RequestContext(actor, now, erasure.correlation, is_replay),
            account=erasure.account,
            before=None,
            after={
                "user": erasure.pseudonym,
                "entries": counts.entries,
                "mails": counts.mails,
                "files": counts.files,
            },
        )
        self._store.finish_erasure(erasure, downloads, event)

    def _rows(self, erasure: Erasure) -> Iterator[Row]:
        """The items to look at, from where the erasure is. The second look leaves out the events of before."""
        families = sorted((*REWRITTEN, *REWRITTEN_IN_PART))
        place = erasure.place
        current = "" if place is None else max(each for each in families if place.startswith(each))
        for family in families:
            if family < current:
                continue
            after = place if family == current else None
            if after is None and family == keys.EVENT and erasure.phase is Phase.ITEMS_AGAIN:
                after = keys.event(_first_late(erasure))
            yield from self._store.rows(erasure.account, family, after)


def _more(counts: Counts, entries: int = 0, mails: int = 0, files: int = 0) -> Counts:
    return Counts(counts.entries + entries, counts.mails + mails, counts.files + files)


def _mail_of(account: str) -> str:
    """The folder of the copies of an account's mails, by event (billing.correspondence.notify.audit_copy)."""
    return f"accounts/{account}/mail/"


def _delivery_of(account: str, copy: str) -> str:
    """The sort key of the delivery of which a file is the copy."""
    event, _, recipient = copy.removeprefix(_mail_of(account)).removesuffix(".eml").partition("/")
    return keys.delivery(event, recipient)


def _first_mail(erasure: Erasure) -> str | None:
    is_second = erasure.phase is Phase.MAILS_AGAIN
    return f"{_mail_of(erasure.account)}{_first_late(erasure)}" if is_second else None


def _first_late(erasure: Erasure) -> str:
    """The first id of an event that may have been recorded when the erasure had begun."""
    return instant_before(ulid(erasure.began_at, bytes(RANDOM_BYTES)), LATE)
