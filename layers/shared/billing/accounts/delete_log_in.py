"""Deletes the log-in of a person who has access to no account any more (DESIGN 3.4.9)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from billing.accounts.directory import Directory
from billing.accounts.log_in_records import LogInStore


class LogInFate(StrEnum):
    """What became of a log-in that leaves."""

    DELETED = "deleted"
    KEPT = "kept"
    NOT_DUE = "not_due"


def delete_log_in(
    user: str, *, now: datetime | None, store: LogInStore, directory: Directory, apart_from: str = ""
) -> LogInFate:
    """Deletes a log-in that leaves, unless its user has access to an account, or is staff.

    With `now` None it is deleted whenever it would be due. Access to the account `apart_from` does not count, because
    that account is being deleted. Cut off anywhere, the next
    call goes on. One get, one query, two transactions and two calls of the directory. Raises ConcurrentChange if the
    user gets access at this moment, UpstreamFailed.
    """
    leaving = store.leaving(user)
    if leaving is None:
        return LogInFate.NOT_DUE
    if not leaving.is_claimed:
        if now is not None and now < leaving.at:
            return LogInFate.NOT_DUE
        if store.belongs_elsewhere(user, apart_from):
            store.forget_log_in(leaving)
            return LogInFate.KEPT
        store.claim_log_in(leaving)
    directory.remove(user)
    store.forget_log_in(leaving)
    return LogInFate.DELETED
