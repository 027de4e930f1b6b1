"""The exemptions of accounts in the table: due by themselves, and in a list of staff."""

from __future__ import annotations

from dataclasses import dataclass

from billing.accounts.mapping import account_of
from billing.accounts.rules import Account
from billing.invoicing.exemptions.mapping import exemptions_body, exemptions_of
from billing.invoicing.exemptions.rules import Exemptions
from billing.kernel.events import Event
from billing.kernel.schedules import Job
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row, Slice
from billing.platform.dynamodb.table import Table


@dataclass(frozen=True, slots=True)
class ExemptAccount:
    """An account and its exemptions from tax."""

    account: str
    exemptions: Exemptions


class ExemptionStore(Table):
    """Reads the exemptions of accounts, and writes that staff were told of an end."""

    def exempt(self, account: str) -> tuple[Account, Exemptions] | None:
        """An account with its exemptions; None without the account, or where it has never had one. One read."""
        partition = keys.account(account)
        rows = self._reads.get_all((partition, key) for key in (keys.PAGE_ACCOUNT, keys.PAGE_TAX_EXEMPTIONS))
        row, exemptions = (rows.get((partition, key)) for key in (keys.PAGE_ACCOUNT, keys.PAGE_TAX_EXEMPTIONS))
        return None if row is None or exemptions is None else (account_of(row), exemptions_of(exemptions))

    def tell(self, account: Account, told: Exemptions, event: Event | None) -> None:
        """Writes that staff have been told of an end, with an event where there is one to tell.

        Raises ConcurrentChange when the exemptions have changed. One transaction.
        """
        with self._transaction() as write:
            write.require_account(account.id)
            write.replace(exemptions_item(account, told), told.version)
            if event is not None:
                write.record(event)

    def exempt_accounts(self, *, limit: int, after: str | None, clock: str | None = None) -> Slice[ExemptAccount]:
        """A page of the accounts with exemptions, the one whose last exemption ends first at the top; those without an
        end come last. Of those on a test clock if one is named. One query of the index."""
        return self._reads.oldest(
            keys.on_clock(keys.EXEMPTIONS, clock), "", _listed, limit=limit, after=after, index=keys.LIST_INDEX
        )


def exemptions_item(account: Account, exemptions: Exemptions) -> Item:
    """The item of an account's exemptions. The worker of ends finds it when staff are to be told of the next end."""
    at = exemptions.warned_at(account.contract)
    last = exemptions.entries[-1].valid_until if exemptions.entries else None
    listed = keys.EXEMPTIONS, keys.exempt_until(last, account.id)
    return Item(
        keys.account(account.id),
        keys.PAGE_TAX_EXEMPTIONS,
        exemptions_body(exemptions),
        index=None if at is None else (keys.shard_of(Job.ENDING, account.id), keys.instant(at)),
        list_index=listed if exemptions.entries else None,
    )


def _listed(row: Row) -> ExemptAccount:
    return ExemptAccount(row.partition.removeprefix(keys.account("")), exemptions_of(row))
