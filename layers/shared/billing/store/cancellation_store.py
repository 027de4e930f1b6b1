"""Cancellations, as Livello keeps them, and the days on which an account ends. See billing.store.store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from billing.domain.account import Account, User
from billing.domain.cancellation import Cancellation, DueCharge, Reason, Requester
from billing.domain.errors import ConcurrentChange
from billing.domain.events import Event
from billing.domain.money import Money
from billing.domain.schedules import DueStage, Job, Stage, next_notice, start_of
from billing.store import keys, mapping
from billing.store.table import Row, Subscriber, Table, subscriber_from


@dataclass(frozen=True, slots=True)
class Ended:
    """An account with its cancellation, and with what is due of that; None where there is none."""

    subscriber: Subscriber
    cancellation: Cancellation | None
    due: DueStage | None


class CancellationStore(Table):
    """The cancellations in the one table."""

    def ended(self, account: str) -> Ended | None:
        """An account as of now, None without it. One read."""
        partition = keys.account(account)
        due = keys.due(Job.ENDING)
        wanted = (keys.PAGE_ACCOUNT, keys.PAGE_SUBSCRIPTION, keys.CANCELLATION, due)
        rows = self._get_all((partition, key) for key in wanted)
        subscriber = subscriber_from(rows, partition)
        if subscriber is None:
            return None
        return Ended(
            subscriber,
            _cancellation_from(rows.get((partition, keys.CANCELLATION))),
            _due_from(rows.get((partition, due))),
        )

    def user(self, account: str, user: str) -> User | None:
        """One of an account's people. One read."""
        key = (keys.account(account), keys.user(user))
        found = self._get_all([key]).get(key)
        return None if found is None else mapping.user_from(found["body"]["S"])

    def cancel(self, account: Account, cancellation: Cancellation, event: Event) -> None:
        """Keeps an account that is cancelled now, the receipt, and when it is deactivated, and tells it.

        Raises ConcurrentChange when the account is no longer at its version. One transaction.
        """
        partition = keys.account(account.account)
        actions = [
            self._replacing(partition, keys.PAGE_ACCOUNT, account.version, mapping.account_body(account)),
            {"Put": self._item(partition, keys.CANCELLATION, mapping.text(cancellation))},
            self._due(account, DueStage(Stage.DEACTIVATE, cancellation.active_until)),
            self._event(event),
        ]
        self._write(actions, ConcurrentChange())

    def withdraw(self, account: Account, today: date, event: Event) -> None:
        """Keeps an account whose cancellation is withdrawn, and tells it. Raises ConcurrentChange. One transaction."""
        partition = keys.account(account.account)
        actions = [
            self._replacing(partition, keys.PAGE_ACCOUNT, account.version, mapping.account_body(account)),
            self._deleting(partition, keys.CANCELLATION),
            self._due(account, next_notice(account.contract, today)),
            self._event(event),
        ]
        self._write(actions, ConcurrentChange())

    def move_on(self, account: Account, following: DueStage | None, events: Sequence[Event]) -> None:
        """Keeps the account after a stage of its end, and what is due then, and tells it.

        Raises ConcurrentChange when the account is no longer at its version. One transaction.
        """
        partition = keys.account(account.account)
        actions = [
            self._replacing(partition, keys.PAGE_ACCOUNT, account.version, mapping.account_body(account)),
            self._due(account, following),
            *map(self._event, events),
        ]
        self._write(actions, ConcurrentChange())

    # ---- How ----

    def _due(self, account: Account, due: DueStage | None) -> dict[str, Any]:
        if due is None:
            return self._deleting(keys.account(account.account), keys.due(Job.ENDING))
        at = start_of(due.on, account.contract)
        return {"Put": self._due_item(account.account, Job.ENDING, at, mapping.text(due))}


def _due_from(row: Row | None) -> DueStage | None:
    if row is None:
        return None
    body = mapping.parsed(row["body"]["S"])
    return DueStage(Stage(body["stage"]), date.fromisoformat(body["on"]))


def _cancellation_from(row: Row | None) -> Cancellation | None:
    if row is None:
        return None
    body: Mapping[str, Any] = mapping.parsed(row["body"]["S"])
    return Cancellation(
        receipt=body["receipt"],
        requested_at=datetime.fromisoformat(body["requested_at"]),
        requested_by=Requester(**body["requested_by"]),
        reason=Reason(body["reason"]),
        text=body["text"],
        notice_ends=date.fromisoformat(body["notice_ends"]),
        active_until=date.fromisoformat(body["active_until"]),
        charges_still_due=tuple(
            DueCharge(date.fromisoformat(each["on"]), Money(**each["amount"])) for each in body["charges_still_due"]
        ),
        purge_on=date.fromisoformat(body["purge_on"]),
    )
