"""Keeps the promise of the mail about another version of the catalogue: the notice counts from the day it goes out.

The worker that sends the mail asks here first, and says here that it went out. A mail that is too late for the day that
it names is not sent: the day moves to a later renewal, which another mail names (decision 0038).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.accounts.rules import Status
from billing.kernel.errors import AccountNotFound
from billing.kernel.events import Event, EventType, by_system
from billing.platform.events.new_event import new_event, new_id
from billing.subscriptions.records import SubscriptionStore
from billing.subscriptions.version_changes import (
    move_of,
    version_facts,
    with_version_announced,
    with_version_put_off,
)

SENDING = timedelta(minutes=2)
"""How long a worker may take to send a mail (billing.correspondence.notify.CLAIM): midnight may pass meanwhile."""

ANNOUNCEMENTS = frozenset({EventType.CATALOGUE_VERSION_ANNOUNCED, EventType.CATALOGUE_VERSION_POSTPONED})


@dataclass(frozen=True, slots=True)
class VersionAnnouncements:
    """The mails about other versions of the catalogue, at the instant `now`. Each gives `notice_days` of notice."""

    now: datetime
    notice_days: int
    store: SubscriptionStore

    def concerns(self, event: Event) -> bool:
        """Whether an event announces another version of the catalogue."""
        return event.type in ANNOUNCEMENTS and event.account is not None

    def may_be_mailed(self, event: Event) -> bool:
        """Whether the mail about an event may go out now. One that is too late moves the day of the version.

        It may not where the move was withdrawn, or another one took its place, or the account is cancelled. One read,
        and one transaction where the day moves. Raises ConcurrentChange.
        """
        try:
            subscriber = self.store.subscriber(event.account or "", consistent=True)
        except AccountNotFound:
            return False
        account, subscription = subscriber.account, subscriber.subscription
        move = move_of(subscription, _decision(event))
        if move is None or account.status is not Status.ACTIVE:
            return False
        today = account.contract.today(self.now + SENDING)
        if move.announced_on is not None or move.may_be_announced_on(today, self.notice_days):
            return True
        later = with_version_put_off(subscriber, new_id(self.now), today, self.notice_days)
        [moved] = [each for each in later.subscription.versions if each.announced_on is None]
        put_off = new_event(
            EventType.CATALOGUE_VERSION_POSTPONED,
            by_system(self.now, event.correlation),
            account=account.id,
            before={"effective_on": move.effective_on},
            after=version_facts(later.subscription, moved),
        )
        self.store.announce_version(subscriber, later.subscription, put_off)
        return False

    def was_mailed(self, event: Event) -> None:
        """Notes that the mail about an event went out to the customer: from now on the version holds on its day.

        One read, and one transaction the first time. Raises ConcurrentChange.
        """
        subscriber = self.store.subscriber(event.account or "", consistent=True)
        move = move_of(subscriber.subscription, _decision(event))
        if move is None or move.announced_on is not None:
            return
        today = subscriber.account.contract.today(self.now)
        self.store.announce_version(subscriber, with_version_announced(subscriber.subscription, move.decision, today))


def _decision(event: Event) -> str:
    return str((event.after or {})["decision"])
