"""Lists all accounts for staff: an index finds them, the table says whether they fit (decision 0035)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from billing.billing_page.list_records import ACCOUNTS_AT_ONCE, AccountListStore
from billing.billing_page.listing import LOOKED_AT_MAX, Asked, Candidate, Found, ListedAccount
from billing.platform.dynamodb.reader import Slice


def list_accounts(
    asked: Asked, *, now: datetime, limit: int, after: str | None, store: AccountListStore
) -> Slice[ListedAccount]:
    """A page of the accounts that fit. It may have fewer than `limit`, and still a position to go on from.

    One query per partition of the list, one read per ACCOUNTS_AT_ONCE accounts that it looks at, and with `past_due`
    one query for each of them that fits otherwise.
    """
    found: dict[str, ListedAccount] = {}
    candidates = store.candidates(asked, now, after=after, at_once=limit + 2)
    last, looked_at = after, 0
    for candidate, listed in _read(candidates, limit, store):
        is_new = candidate.account not in found
        if is_new and listed is not None and _fits(candidate, listed, asked, now, store):
            if len(found) == limit:
                return Slice(tuple(found.values()), last)
            found[candidate.account] = listed
        last, looked_at = candidate.position, looked_at + 1
        if looked_at == LOOKED_AT_MAX:
            return Slice(tuple(found.values()), last)
    return Slice(tuple(found.values()), None)


def _read(
    candidates: Iterable[Candidate], limit: int, store: AccountListStore
) -> Iterator[tuple[Candidate, ListedAccount | None]]:
    """Candidates with their accounts, some at once; the first read is enough for a small page where all fit."""
    waiting, expected = iter(candidates), limit + 1
    while some := [*islice(waiting, min(expected, ACCOUNTS_AT_ONCE))]:
        accounts = store.read(each.account for each in some)
        expected = expected - len(some) or ACCOUNTS_AT_ONCE
        yield from ((each, accounts.get(each.account)) for each in some)


def _fits(candidate: Candidate, listed: ListedAccount, asked: Asked, now: datetime, store: AccountListStore) -> bool:
    today = listed.account.contract.today(now)
    if not (listed.fits(asked, today) and listed.is_found(asked, candidate.found)):
        return False
    if asked.past_due is None:
        return True
    first = store.first_past_due(candidate.account)
    if candidate.found is Found.PAST_DUE:
        return first == candidate.place  # an account with several such invoices is listed once, with the first
    return asked.past_due is (first is not None)
