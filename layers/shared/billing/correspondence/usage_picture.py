"""Draws the last weeks' usage against the tier's volume, as a PNG, which every mail program shows.

The font contains only ASCII, so the labels are numbers and short dates. The mail's text has the words and the same
numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 1200, 480
"""In pixels. The mail shows it at half the size, for high-resolution screens."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 16, 1184, 56, 420
_GAP = 0.25
"""The gap between bars, as a share of their pitch."""

_WHITE, _TEXT, _LINE, _WITHIN, _ABOVE = "#ffffff", "#3e4c59", "#b42318", "#9fb3c8", "#17566b"
_COLOURS = 32
_FONT_SIZE = 22


def usage_picture(weeks: Sequence[tuple[str, Decimal]], limit: Decimal, limit_label: str) -> bytes:
    """A PNG with one bar per week and a line at the limit. Bars above the limit are darker.

    `weeks` are pairs of an ASCII label and the week's usage extrapolated to a month. The same arguments give the same
    bytes.
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
    png = BytesIO()
    image.quantize(_COLOURS).save(png, "PNG", optimize=True)
    return png.getvalue()
