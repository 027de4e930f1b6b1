"""Finds invoice numbers in what payers write."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from billing.invoicing.bank_statements.matching import Mention

_COUNT_DIGITS = 6
_COUNT_DIGITS_MAX = 9


def mentions(texts: Iterable[str], series: str) -> tuple[Mention, ...]:
    """The invoice numbers that texts may name: LV-2026-000014, lv 2026/14, LV2026000014, 'LV - 2026 - 000 014'.

    Also inside a creditor reference of ISO 11649 (RF18 LV20 2600 0014), whose check digits must fit. A number may be
    written in groups or lack its zeros, so there may be several readings: the register says which exist.
    """
    found: dict[tuple[str, ...], bool] = {}
    for text in texts:
        written = _written(text)
        # A bank may break a line anywhere, also within a number.
        named = [*_mentioned(written, series)] or [*_mentioned("".join(written.splitlines()), series)]
        for mention in named:
            found[mention.readings] = found.get(mention.readings, False) or mention.is_clear
    return tuple(Mention(readings, is_clear) for readings, is_clear in found.items())


def _written(text: str) -> str:
    normal = unicodedata.normalize("NFKC", text).upper()
    squeezed = re.sub(r"[\W_]", "", normal)
    if squeezed.startswith("RF"):
        from stdnum import iso11649

        if iso11649.is_valid(squeezed):
            return squeezed[4:]
    return normal


def _mentioned(text: str, series: str) -> Iterable[Mention]:
    letters = r"[\W_]{0,2}".join(map(re.escape, series))
    number = re.compile(rf"{letters}[\W_]{{0,3}}(20\d\d)[\W_]{{0,3}}(\d+(?:[\W_]{{1,2}}\d+){{0,5}})")
    for each in number.finditer(text):
        readings = [f"{series}-{each[1]}-{count:0{_COUNT_DIGITS}}" for count in _counts(re.findall(r"\d+", each[2]))]
        if readings:
            before = text[each.start() - 1 : each.start()]
            yield Mention(tuple(dict.fromkeys(readings)), is_clear=not before.isalnum())


def _counts(groups: Sequence[str]) -> Iterable[int]:
    """The counts that groups of digits can mean: the first group, or groups that are six digits together."""
    joined = ""
    for place, group in enumerate(groups):
        joined += group
        is_count = len(joined) == _COUNT_DIGITS or (len(joined) > _COUNT_DIGITS and not joined.startswith("0"))
        if len(joined) <= _COUNT_DIGITS_MAX and int(joined) and (is_count if place else is_count or len(joined) < 6):
            yield int(joined)
        if len(joined) >= _COUNT_DIGITS:
            return
