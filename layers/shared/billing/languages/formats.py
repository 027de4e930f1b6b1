"""How a language writes amounts, quantities, days and instants: Babel's rules, on exact numbers only."""

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
"""The names of cards as their owners know them."""


class Amount(Protocol):
    """Minor units of a currency, wherever they come from."""

    @property
    def amount(self) -> int: ...

    @property
    def currency(self) -> str: ...


class BrandedCard(Protocol):
    """A card, wherever it comes from."""

    @property
    def brand(self) -> str: ...


# CLDR asks for a space where a currency without a sign of its own stands before the digits; Babel forgets it.
_LETTER_THEN_DIGIT = re.compile(r"(?<=[A-Z])(?=\d)")


class Formats:
    """The filters of one language's templates."""

    def __init__(self, locale: Locale) -> None:
        self._locale = locale

    def money(self, money: Amount) -> str:
        """An amount with its currency. ISO 4217 says how many decimals it has; CLDR's habits differ."""
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
        """A quantity as exact as it is, in groups of digits, without zeros at its end."""
        return format_decimal(Decimal(quantity).normalize(), locale=self._locale, decimal_quantization=False)

    def percent(self, percent: int) -> str:
        """A percentage given in whole percent."""
        return format_percent(Decimal(percent) / 100, locale=self._locale)

    def day(self, day: date) -> str:
        """A day with its month in letters."""
        return format_date(day, "long", locale=self._locale)

    def short_day(self, day: date) -> str:
        """A day without its year, as short as it can be read."""
        return format_skeleton("MMMd", day, locale=self._locale)

    def weekday(self, day: date) -> str:
        """A day with its weekday."""
        return format_date(day, "full", locale=self._locale)

    def month(self, month: str) -> str:
        """A calendar month, given as 2026-11."""
        return format_skeleton("yMMMM", datetime.fromisoformat(f"{month}-01"), locale=self._locale)

    def instant(self, instant: datetime, time_zone: str) -> str:
        """An instant as the clocks of a time zone show it, with the zone's name."""
        local = instant.astimezone(ZoneInfo(time_zone))
        return f"{self.day(local)}, {self._clock(local)} ({self._zone(local)})"

    def meeting(self, begins: datetime, ends: datetime, time_zone: str) -> str:
        """From when to when, as the clocks of a time zone show it."""
        first, last = (instant.astimezone(ZoneInfo(time_zone)) for instant in (begins, ends))
        until = self._clock(last) if last.date() == first.date() else f"{self.weekday(last)}, {self._clock(last)}"
        return f"{self.weekday(first)}, {self._clock(first)}\N{EN DASH}{until} ({self._zone(first)})"

    def listing(self, words: Iterable[str]) -> str:
        """Several words in one sentence."""
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
    """The last day that counts, where the first one that does not is known."""
    return day - timedelta(days=1)


def local_day(instant: datetime, time_zone: str) -> date:
    """The day that an instant falls on in a time zone."""
    return instant.astimezone(ZoneInfo(time_zone)).date()


def brand(card: BrandedCard) -> str:
    """The name of a card's brand."""
    return BRANDS.get(card.brand.lower(), card.brand)


@cache
def formats(language: str) -> Formats:
    """Those of a language, by the locale that its folder names."""
    description = json.loads((FOLDER / language / "language.json").read_text(encoding="utf-8"))
    return Formats(Locale.parse(description["locale"]))
