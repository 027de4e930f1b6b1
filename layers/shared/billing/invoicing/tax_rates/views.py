"""Requests and answers of the routes of the tax rates of staff."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from billing.invoicing.tax import DEFAULT_LANGUAGE, Words
from billing.invoicing.tax_rates.records import TaxRateAwaited
from billing.invoicing.tax_rates.rules import TaxRate, TaxRates, TaxTreatment, first_change, has_own_rates
from billing.invoicing.vat_territories import Address
from billing.kernel.field_codes import FieldCode, Unfit
from billing.platform.http.models import Body, Country, IsoDate, Text, View

RATES_MAX = 200

_RATE = re.compile(r"[0-9]{1,2}(\.[0-9]{1,4})?")


def _rate(value: object) -> Decimal:
    if not isinstance(value, str) or not _RATE.fullmatch(value):
        raise Unfit(
            'must be a percentage below 100 as text, with at most four decimals: "8.1"',
            FieldCode.PATTERN,
            pattern=f"^{_RATE.pattern}$",
        )
    return Decimal(value).normalize() + 0


Rate = Annotated[
    Decimal,
    BeforeValidator(_rate),
    WithJsonSchema({"type": "string", "pattern": f"^{_RATE.pattern}$", "examples": ["8.1"]}),
]


class WordsBody(Body):
    """What the invoice says, by language. English is for every language that is not given."""

    en: Text
    it: Text | None = None

    def value(self) -> Words:
        return {"en": self.en} if self.it is None else {"en": self.en, "it": self.it}


class WordsView(View):
    """What the invoice says, by language."""

    en: str
    it: str | None

    @classmethod
    def of(cls, words: Words) -> WordsView:
        return cls(en=words[DEFAULT_LANGUAGE], it=words.get("it"))


class TaxRateBody(Body):
    """What holds from a day on for buyers in a country; null for every country without an entry.

    `rate` is in percent, and 0 for every treatment but `taxed`: those say in `words` why there is no tax.
    """

    country: Country | None
    valid_from: IsoDate
    treatment: TaxTreatment = TaxTreatment.TAXED
    name: Annotated[Text, Field(examples=["MWST"])]
    rate: Rate
    words: WordsBody | None = None

    def value(self) -> TaxRate:
        words = None if self.words is None else self.words.value()
        return TaxRate(self.country, self.valid_from, self.treatment, self.name, self.rate, words)


class TaxRatesBody(Body):
    """All tax rates of the seller, with what held before. An entry that holds stays as it is."""

    rates: Annotated[tuple[TaxRateBody, ...], Field(max_length=RATES_MAX)]

    def values(self) -> tuple[TaxRate, ...]:
        return tuple(each.value() for each in self.rates)


class TaxRateView(View):
    """What holds from a day on for buyers in a country; null for every country without an entry."""

    country: str | None
    valid_from: date
    treatment: TaxTreatment
    name: str
    rate: str
    words: WordsView | None

    @classmethod
    def of(cls, rate: TaxRate) -> TaxRateView:
        return cls(
            country=rate.country,
            valid_from=rate.valid_from,
            treatment=rate.treatment,
            name=rate.name,
            rate=f"{rate.rate:f}",
            words=None if rate.words is None else WordsView.of(rate.words),
        )


class TaxRatesView(View):
    """All tax rates of the seller, by country and day. `apply` is false for a seller with the VAT of a member state,
    whose rates are built in. A change takes effect on `changes_from` at the earliest."""

    apply: bool
    changes_from: date
    rates: list[TaxRateView]

    @classmethod
    def of(cls, rates: TaxRates, seller: Address, now: datetime) -> TaxRatesView:
        return cls(
            apply=has_own_rates(seller, now.date()),
            changes_from=first_change(now),
            rates=[TaxRateView.of(each) for each in rates.entries],
        )


class TaxRateAwaitedView(View):
    """An account whose next invoice, with the tax point `day`, waits for the tax rate of a country."""

    account: str
    country: str
    day: date

    @classmethod
    def of(cls, waiting: TaxRateAwaited) -> TaxRateAwaitedView:
        return cls(account=waiting.account, country=waiting.awaited.country, day=waiting.awaited.day)


class TaxRatesAwaitedView(View):
    """The earliest day first. `next_cursor` leads to what follows, null at the end."""

    items: list[TaxRateAwaitedView]
    next_cursor: str | None
