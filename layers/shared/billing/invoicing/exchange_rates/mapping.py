"""The stored forms of a day's rates, of an invoice's rate, and of what an invoice waits for."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from billing.invoicing.exchange_rates.rules import AwaitedRate, DailyRates, ExchangeRate, SellerTax
from billing.kernel.money import Money
from billing.platform.dynamodb.bodies import Body, parsed, text


def rates_body(rates: DailyRates) -> str:
    return text({"base": rates.base, "rates": rates.rates, "source": rates.source})


def rates_from(day: date, stored: str, version: int) -> DailyRates:
    body = parsed(stored)
    rates = {currency: Decimal(rate) for currency, rate in body["rates"].items()}
    return DailyRates(day, body["base"], rates, body["source"], version)


def seller_tax_from(body: Body | None) -> SellerTax | None:
    if body is None:
        return None
    rate = body["rate"]
    exact = Decimal(rate["invoice_rate"]), Decimal(rate["seller_rate"])
    published = ExchangeRate(rate["base"], *exact, date.fromisoformat(rate["day"]), rate["source"])
    return SellerTax(Money(**body["amount"]), published)


def awaited_from(body: dict[str, Any] | None) -> AwaitedRate | None:
    return None if body is None else AwaitedRate(date.fromisoformat(body["day"]), body["currency"])
