"""Log-ins that may belong to no account any more: when each is to be deleted, and whether somebody is deleting it.

A LEAVING item decides between the worker that deletes a log-in and a transaction that gives its user access. The worker
claims the item first, and the claim fails if the item is gone. The other transaction removes the item, and fails if it
is claimed. So a user with access never loses their log-in, although the index of memberships lags behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from billing.kernel.errors import ConcurrentChange
from billing.kernel.schedules import Job
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import parsed, text
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row
from billing.platform.dynamodb.table import Table

if TYPE_CHECKING:
    from billing.platform.dynamodb.transaction import Transaction

ORPHANED_LOG_IN_DAYS = 14
"""How long a log-in stays after its user's last access, unless a deployment says otherwise: whoever was removed by
mistake is invited again within days, and keeps their password."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """A log-in that is deleted at `at` unless its user has access to an account by then.

    `is_claimed` says that a worker is deleting it: nobody gives its user access any more.
    """

    user: str
    at: datetime
    is_claimed: bool = False


class LogInStore(Table):
    """The log-ins that leave, in the one table."""

    def leaving(self, user: str) -> Leaving | None:
        """A log-in that leaves; None for any other. One get."""
        row = self._reads.get(keys.log_in(user), keys.LEAVING)
        return None if row is None else _leaving_from(row)

    def leaving_of(self, users: Iterable[str]) -> Mapping[str, Leaving]:
        """Those of up to 100 log-ins that leave, by user. One read."""
        rows = self._reads.get_all((keys.log_in(user), keys.LEAVING) for user in users)
        return {each.user: each for each in map(_leaving_from, rows.values())}

    def belongs_elsewhere(self, user: str, account: str) -> bool:
        """Whether a user also has access to another account. One query of the index."""
        family = keys.account("")
        rows = self._reads.query(keys.user(user), family, keys.last_of(family), limit=2, index=keys.INDEX)
        return any(row.partition != keys.account(account) for row in rows)

    def let_leave(self, user: str, at: datetime) -> None:
        """Saves when a log-in is to be deleted, whatever was saved before. One that is being deleted goes anyhow.

        One transaction, and one get if somebody deletes the log-in. Raises ConcurrentChange.
        """
        try:
            with self._transaction() as write:
                leave(write, user, at)
        except ConcurrentChange:
            found = self.leaving(user)
            if found is None or not found.is_claimed:
                raise

    def claim_log_in(self, leaving: Leaving) -> None:
        """Claims a log-in that leaves, for its deletion. A repeated claim changes nothing.

        Raises ConcurrentChange if its user got access meanwhile. One transaction.
        """
        with self._transaction() as write:
            write.replace_if(leaving_item(leaving.user, leaving.at, is_claimed=True), _body(leaving.user, leaving.at))

    def forget_log_in(self, leaving: Leaving) -> None:
        """Removes the item of a log-in that is deleted, or whose user has access.

        Raises ConcurrentChange if the user lost access again meanwhile. One transaction.
        """
        with self._transaction() as write:
            write.delete_if(keys.log_in(leaving.user), keys.LEAVING, _body(leaving.user, leaving.at))


def leave(write: Transaction, user: str, at: datetime) -> None:
    """Adds to a transaction that takes a user's access that their log-in is looked at, at `at`.

    The transaction fails while the log-in is being deleted.
    """
    write.put_unclaimed(leaving_item(user, at))


def stay(write: Transaction, user: str) -> None:
    """Adds to a transaction that gives a user access that their log-in stays.

    The transaction fails while the log-in is being deleted. Soon another one can be made.
    """
    write.delete_unclaimed(keys.log_in(user), keys.LEAVING)


def leaving_item(user: str, at: datetime, *, is_claimed: bool = False) -> Item:
    """The item of a log-in that leaves. A claim never expires: who has claimed it deletes it, however late."""
    return Item(
        keys.log_in(user),
        keys.LEAVING,
        _body(user, at),
        index=(keys.shard_of(Job.ENDING, user), keys.instant(at)),
        claimed_until=at.isoformat() if is_claimed else None,
    )


def leaving_at(now: datetime, days: int) -> datetime:
    """When the log-in of a user is looked at who loses their access now."""
    return now + timedelta(days=days)


def _body(user: str, at: datetime) -> str:
    return text({"user": user, "at": at})


def _leaving_from(row: Row) -> Leaving:
    body = parsed(row.body)
    return Leaving(body["user"], datetime.fromisoformat(body["at"]), "claimed_until" in row.image)
