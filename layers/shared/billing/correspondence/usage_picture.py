"""A picture of the last weeks' usage against the tier's volume, as a PNG: what every mail program shows.

Its font has the letters of ASCII and no others, so what it says is numbers and short dates; the words, and the same
numbers, stand in the mail's text.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 1200, 480
"""Twice the size at which it is shown, for screens that have the points."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 16, 1184, 56, 420
_GAP = 0.25
"""Between bars, of their pitch."""

_WHITE, _TEXT, _LINE, _WITHIN, _ABOVE = "#ffffff", "#3e4c59", "#b42318", "#9fb3c8", "#17566b"
_COLOURS = 32
_FONT_SIZE = 22


def usage_picture(weeks: Sequence[tuple[str, Decimal]], limit: Decimal, limit_label: str) -> bytes:
    """A bar for each week, by its label, darker above the limit, and the line of the limit with its own label.

    The same arguments give the same bytes. Labels are ASCII.
    """
    image = Image.new("RGB", (WIDTH, HEIGHT), _WHITE)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=_FONT_SIZE)
    highest = max(limit, *(pace for _, pace in weeks)) or Decimal(1)
    pitch = (_RIGHT - _LEFT) / max(1, len(weeks))

    def height(pace: Decimal) -> int:
        return _BOTTOM - round((_BOTTOM - _TOP) * pace / highest)

    for position, (label, pace) in enumerate(weeks):
        left = _LEFT + position * pitch
        bar = [left + pitch * _GAP / 2, min(height(pace), _BOTTOM - 1), left + pitch * (1 - _GAP / 2), _BOTTOM]
        draw.rectangle(bar, fill=_ABOVE if pace > limit else _WITHIN)
        draw.text((left + pitch / 2, _BOTTOM + 12), label, fill=_TEXT, font=font, anchor="ma")
    draw.line([_LEFT, _BOTTOM, _RIGHT, _BOTTOM], fill=_TEXT, width=2)
    draw.line([_LEFT, height(limit), _RIGHT, height(limit)], fill=_LINE, width=4)
    box = draw.textbbox((_LEFT + 8, height(limit) - 10), limit_label, font=font, anchor="ls")
    draw.rectangle([box[0] - 6, box[1] - 4, box[2] + 6, box[3] + 4], fill=_WHITE)
    draw.text((_LEFT + 8, height(limit) - 10), limit_label, fill=_LINE, font=font, anchor="ls")
    written = BytesIO()
    image.quantize(_COLOURS).save(written, "PNG", optimize=True)
    return written.getvalue()
