"""The tax rates of staff in the table, and the accounts whose invoices wait for one."""

from __future__ import annotations

from dataclasses import dataclass

from billing.invoicing.tax import AwaitedTaxRate
from billing.invoicing.tax_rates.mapping import awaited_tax_from, tax_rates_body, tax_rates_of
from billing.invoicing.tax_rates.rules import TaxRates
from billing.kernel.errors import StaleVersion
from billing.kernel.events import Event
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import parsed
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row, Slice
from billing.platform.dynamodb.table import Table


@dataclass(frozen=True, slots=True)
class TaxRateAwaited:
    """An account whose next invoice waits for a tax rate of staff."""

    account: str
    awaited: AwaitedTaxRate


class TaxRateStore(Table):
    """Reads and writes the tax rates of staff in the table."""

    def tax_rates(self) -> TaxRates:
        """All tax rates, read consistently. One get."""
        return tax_rates_of(self._reads.get(keys.TAX_RATES, keys.TAX_TABLE))

    def replace_tax_rates(self, rates: TaxRates, event: Event) -> None:
        """Replaces the version `rates.version` by the next one, and records the event; 0 adds the first one.

        Raises StaleVersion, and ConcurrentChange after a collision. One transaction.
        """
        item = Item(keys.TAX_RATES, keys.TAX_TABLE, tax_rates_body(rates))
        with self._transaction(StaleVersion()) as write:
            write.replace(item, rates.version)
            write.record(event, shared=keys.TAX_RATES)

    def awaiting_tax(self, *, limit: int, after: str | None, clock: str | None = None) -> Slice[TaxRateAwaited]:
        """A page of the accounts whose invoices wait for a tax rate, the earliest day first; of those on a test clock
        if one is named. One query of the index."""
        return self._reads.oldest(
            keys.on_clock(keys.AWAITS_TAX, clock), "", _waiting, limit=limit, after=after, index=keys.LIST_INDEX
        )


def _waiting(row: Row) -> TaxRateAwaited:
    awaited = awaited_tax_from(parsed(row.body)["awaits_tax"])
    if awaited is None:
        raise ValueError("an item of this list names the rate that it waits for")
    return TaxRateAwaited(row.partition.removeprefix(keys.account("")), awaited)
