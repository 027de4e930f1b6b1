"""Reads and ends the newest change of an account's term. billing.billing_page.records writes one with what it costs."""

from __future__ import annotations

from billing.accounts.mapping import account_of
from billing.accounts.records import AccountStore
from billing.accounts.rules import Account
from billing.accounts.term_mapping import term_from, term_item
from billing.accounts.terms import TermChange
from billing.kernel.events import Event
from billing.platform.dynamodb import keys


class TermStore(AccountStore):
    """Changes of terms in the table."""

    def account_with_term(self, account: str) -> tuple[Account, TermChange | None] | None:
        """An account and the newest change of its term, None if there is no such account. One read."""
        partition = keys.account(account)
        rows = self._reads.get_all((partition, key) for key in (keys.PAGE_ACCOUNT, keys.PAGE_TERM))
        row = rows.get((partition, keys.PAGE_ACCOUNT))
        return None if row is None else (account_of(row), term_from(rows.get((partition, keys.PAGE_TERM))))

    def lapse(self, account: Account, change: TermChange, event: Event) -> None:
        """Saves a change that has lapsed, and records the event.

        Raises ConcurrentChange when it is no longer at its version, or the account is deleted. One transaction.
        """
        with self._transaction() as write:
            write.require_account(account.id)
            write.replace(term_item(account.id, change, account.contract), change.version)
            write.record(event)
