"""Exchange rates in the table, and the accounts whose invoices wait for one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from billing.invoicing.exchange_rates.mapping import awaited_from, rates_body, rates_from
from billing.invoicing.exchange_rates.rules import AwaitedRate, DailyRates
from billing.kernel.errors import StaleVersion
from billing.kernel.events import Event
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import parsed
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row, Slice
from billing.platform.dynamodb.table import Table


@dataclass(frozen=True, slots=True)
class WaitingAccount:
    """An account whose next invoice waits for an exchange rate."""

    account: str
    awaited: AwaitedRate


class RateReads(Table):
    """Reads the exchange rates of a day."""

    def rates(self, day: date) -> DailyRates | None:
        """The rates of a day, read consistently; None before any was given. One get."""
        row = self._reads.get(keys.EXCHANGE_RATES, keys.rates(day))
        return None if row is None else _rates_of(row)


class ExchangeRateStore(RateReads):
    """Reads and writes exchange rates in the table."""

    def replace_rates(self, rates: DailyRates, event: Event) -> None:
        """Replaces the version `rates.version` of a day's rates by the next one, and records the event; 0 adds them.

        Raises StaleVersion, and ConcurrentChange after a collision. One transaction.
        """
        item = Item(keys.EXCHANGE_RATES, keys.rates(rates.day), rates_body(rates))
        with self._transaction(StaleVersion()) as write:
            write.replace(item, rates.version)
            write.record(event, shared=keys.EXCHANGE_RATES)

    def all_rates(self, *, limit: int, after: str | None) -> Slice[DailyRates]:
        """A page of the days that have rates, the newest first. One query."""
        return self._reads.newest(keys.EXCHANGE_RATES, keys.RATES, _rates_of, limit=limit, after=after)

    def waiting(self, *, limit: int, after: str | None, clock: str | None = None) -> Slice[WaitingAccount]:
        """A page of the accounts whose invoices wait for a rate, the earliest day first; of those on a test clock if
        one is named. One query of the index."""
        return self._reads.oldest(
            keys.on_clock(keys.AWAITS_RATE, clock), "", _waiting, limit=limit, after=after, index=keys.LIST_INDEX
        )


def _rates_of(row: Row) -> DailyRates:
    return rates_from(date.fromisoformat(row.key.removeprefix(keys.RATES)), row.body, row.version)


def _waiting(row: Row) -> WaitingAccount:
    awaited = awaited_from(parsed(row.body)["awaits_rate"])
    if awaited is None:
        raise ValueError("an item of this list names the rate that it waits for")
    return WaitingAccount(row.partition.removeprefix(keys.account("")), awaited)
