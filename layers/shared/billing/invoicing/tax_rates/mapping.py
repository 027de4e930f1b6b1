"""The stored form of the tax rates of staff."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from billing.invoicing.tax import AwaitedTaxRate
from billing.invoicing.tax_rates.rules import TaxRate, TaxRates, TaxTreatment
from billing.platform.dynamodb.bodies import Body, parsed, text
from billing.platform.dynamodb.reader import Row


def tax_rates_body(rates: TaxRates) -> str:
    return text({"entries": rates.entries})


def tax_rates_of(row: Row | None) -> TaxRates:
    """The tax rates of their row; none without one."""
    if row is None:
        return TaxRates()
    return TaxRates(tuple(map(_entry, parsed(row.body)["entries"])), row.version)


def awaited_tax_from(body: Body | None) -> AwaitedTaxRate | None:
    """The rate that an invoice waits for of its parsed JSON; None for None."""
    return None if body is None else AwaitedTaxRate(body["country"], date.fromisoformat(body["day"]))


def _entry(body: Body) -> TaxRate:
    return TaxRate(
        country=body["country"],
        valid_from=date.fromisoformat(body["valid_from"]),
        treatment=TaxTreatment(body["treatment"]),
        name=body["name"],
        rate=Decimal(body["rate"]),
        words=body["words"],
    )
