"""The CSV that a spreadsheet expects in a locale: its decimal sign and its separator."""

from __future__ import annotations

from babel import Locale, UnknownLocaleError

from billing.kernel.spreadsheet import Dialect
from billing.languages.formats import formats

_SEMICOLON_WITH_POINT = frozenset({"CH", "LI"})
"""Territories where Windows lists with semicolons although the decimal sign is a point."""


def dialect_of(name: str) -> Dialect:
    """The dialect of a locale, such as da, it or de-CH. Raises ValueError if CLDR does not have it."""
    try:
        locale = Locale.parse(name, sep="-")
    except UnknownLocaleError as unknown:
        raise ValueError(f"{name} is no locale of CLDR") from unknown
    return _dialect(locale)


def dialect_of_language(language: str) -> Dialect:
    """The dialect of one of our languages, by the locale in its `language.json`."""
    return _dialect(formats(language).locale)


def _dialect(locale: Locale) -> Dialect:
    # Digits and sign are always Latin ones: a number of others is a text to most programs.
    decimal = "," if locale.number_symbols["latn"]["decimal"] == "," else "."
    lists_with_comma = decimal == "." and locale.territory not in _SEMICOLON_WITH_POINT
    return Dialect("," if lists_with_comma else ";", decimal, is_marked=True)
