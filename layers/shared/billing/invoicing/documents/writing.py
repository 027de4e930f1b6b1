"""What may be written into a document: one line, in the direction of the rest, in letters that the font has."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

FONTS = Path(__file__).parent / "fonts"
FONT = FONTS / "DejaVuSansCondensed.ttf"
BOLD = FONTS / "DejaVuSansCondensed-Bold.ttf"

MISSING = "\N{WHITE SQUARE}"
"""Stands for a letter that the font does not have."""

# What would break a line or a document, and what turns the direction of writing: a name may hold it.
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")
_SPACES = re.compile(" {2,}")
_INVISIBLE = re.compile(r"[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def printable(text: str) -> str:
    """A text as it may stand in a document."""
    plain = _INVISIBLE.sub("", _BREAKS.sub(" ", unicodedata.normalize("NFC", text)))
    return _SPACES.sub(" ", plain).strip()


def drawable(text: str) -> str:
    """A text as the font can draw it."""
    known = _letters()
    return "".join(letter if ord(letter) in known else MISSING for letter in text)


@cache
def _letters() -> frozenset[int]:
    from fontTools.ttLib import TTFont

    with TTFont(FONT) as font:
        return frozenset(font.getBestCmap())
