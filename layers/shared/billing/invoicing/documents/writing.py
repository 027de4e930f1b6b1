"""Makes a text safe for a document: one line, no change of direction, only letters of the font."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

FONTS = Path(__file__).parent / "fonts"
FONT = FONTS / "DejaVuSansCondensed.ttf"
BOLD = FONTS / "DejaVuSansCondensed-Bold.ttf"

MISSING = "\N{WHITE SQUARE}"
"""Replaces a letter that the font does not have."""

# A name may hold characters that break a line or a document, or change the direction of writing.
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")
_SPACES = re.compile(" {2,}")
_INVISIBLE = re.compile(r"[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def printable(text: str) -> str:
    """The text on one line, without control and invisible characters."""
    plain = _INVISIBLE.sub("", _BREAKS.sub(" ", unicodedata.normalize("NFC", text)))
    return _SPACES.sub(" ", plain).strip()


def drawable(text: str) -> str:
    """The text with MISSING in place of letters that the font does not have."""
    drawn = _letters()
    return "".join(letter if ord(letter) in drawn else MISSING for letter in text)


@cache
def _letters() -> frozenset[int]:
    from fontTools.ttLib import TTFont

    with TTFont(FONT) as font:
        return frozenset(font.getBestCmap())
