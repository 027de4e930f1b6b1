"""Formats amounts, quantities, days and instants for a language, by Babel's rules and from exact numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Protocol
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time, get_timezone_name
from babel.lists import format_list
from babel.numbers import format_currency, format_decimal, format_percent

from billing.kernel.currencies import MINOR_UNIT_DIGITS
from billing.languages import FOLDER

BRANDS = {
    "amex": "American Express",
    "cartes_bancaires": "Cartes Bancaires",
    "diners": "Diners Club",
    "discover": "Discover",
    "eftpos_au": "eftpos Australia",
    "jcb": "JCB",
    "mastercard": "Mastercard",
    "unionpay": "UnionPay",
    "visa": "Visa",
}
"""The names of card brands, by Stripe's codes."""


class Amount(Protocol):
    """Minor units of a currency: any class with these fields."""

    @property
    def amount(self) -> int: ...

    @property
    def currency(self) -> str: ...


class BrandedCard(Protocol):
    """A card with a brand: any class with this field."""

    @property
    def brand(self) -> str: ...


# CLDR demands a space between a currency code and the digits after it; Babel leaves it out.
_LETTER_THEN_DIGIT = re.compile(r"(?<=[A-Z])(?=\d)")


class Formats:
    """The filters for the templates of one language."""

    def __init__(self, locale: Locale) -> None:
        self._locale = locale

    @property
    def locale(self) -> Locale:
        """The locale by whose rules it formats."""
        return self._locale

    def money(self, money: Amount) -> str:
        """An amount with its currency. The number of decimals is ISO 4217's, which can differ from CLDR's."""
        digits = MINOR_UNIT_DIGITS[money.currency]
        pattern = self._locale.currency_formats["standard"].pattern
        written = format_currency(
            Decimal(money.amount).scaleb(-digits),
            money.currency,
            pattern.replace("0.00", "0." + "0" * digits if digits else "0"),
            self._locale,
            currency_digits=False,
        )
        return _LETTER_THEN_DIGIT.sub("\N{NO-BREAK SPACE}", written)

    def quantity(self, quantity: Decimal | int) -> str:
        """An exact quantity, with grouped digits and without trailing zeros."""
        return format_decimal(Decimal(quantity).normalize(), locale=self._locale, decimal_quantization=False)

    def percent(self, percent: int) -> str:
        """A percentage given in whole percent."""
        return format_percent(Decimal(percent) / 100, locale=self._locale)

    def day(self, day: date) -> str:
        """A day with the name of its month."""
        return format_date(day, "long", locale=self._locale)

    def short_day(self, day: date) -> str:
        """A day without its year, in short form."""
        return format_skeleton("MMMd", day, locale=self._locale)

    def weekday(self, day: date) -> str:
        """A day with its weekday."""
        return format_date(day, "full", locale=self._locale)

    def month(self, month: str) -> str:
        """A calendar month, given as 2026-11."""
        return format_skeleton("yMMMM", datetime.fromisoformat(f"{month}-01"), locale=self._locale)

    def instant(self, instant: datetime, time_zone: str) -> str:
        """An instant in a time zone, with the name of the zone."""
        local = instant.astimezone(ZoneInfo(time_zone))
        return f"{self.day(local)}, {self._clock(local)} ({self._zone(local)})"

    def meeting(self, begins: datetime, ends: datetime, time_zone: str) -> str:
        """The begin and end of a meeting in a time zone."""
        first, last = (instant.astimezone(ZoneInfo(time_zone)) for instant in (begins, ends))
        until = self._clock(last) if last.date() == first.date() else f"{self.weekday(last)}, {self._clock(last)}"
        return f"{self.weekday(first)}, {self._clock(first)}\N{EN DASH}{until} ({self._zone(first)})"

    def listing(self, words: Iterable[str]) -> str:
        """Words as a list within a sentence."""
        return format_list([*words], locale=self._locale)

    def country(self, code: str) -> str:
        """A country's name."""
        return str(self._locale.territories.get(code, code))

    def language(self, code: str) -> str:
        """A language's name."""
        return str(self._locale.languages.get(code, code))

    def _clock(self, local: datetime) -> str:
        return format_time(local, "short", locale=self._locale)

    def _zone(self, local: datetime) -> str:
        return get_timezone_name(local, locale=self._locale)


def day_before(day: date) -> date:
    """The last day of a span, from the first day after it."""
    return day - timedelta(days=1)


def local_day(instant: datetime, time_zone: str) -> date:
    """The day of an instant in a time zone."""
    return instant.astimezone(ZoneInfo(time_zone)).date()


def brand(card: BrandedCard) -> str:
    """The name of a card's brand."""
    return BRANDS.get(card.brand.lower(), card.brand)


@cache
def formats(language: str) -> Formats:
    """The formats of a language, by the locale in its `language.json`."""
    description = json.loads((FOLDER / language / "language.json").read_text(encoding="utf-8"))
    return Formats(Locale.parse(description["locale"]))
