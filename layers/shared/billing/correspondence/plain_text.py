"""What mails are made of, as plain text: the same parts, by the same names, as languages/components.html."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence

COLUMNS = 76
"""Prose is wrapped to it, so that it stays whole when it is quoted in an answer."""

GAP = "  "

# Not \s: a space that must not break, as in an amount, stays what it is.
_SPACES = re.compile(r"[ \t\n]+")
_BLANK_LINES = re.compile(r"\n{3,}")

Rows = Sequence[Sequence[object]]


def prose(words: object, first: str = "", rest: str = "") -> str:
    """Words in lines of at most COLUMNS, the first one after `first`, the others after `rest`."""
    return textwrap.fill(
        squeezed(words),
        COLUMNS,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def squeezed(words: object) -> str:
    """Words on one line, with one space between them."""
    return _SPACES.sub(" ", str(words)).strip(" ")


def tidied(text: str) -> str:
    """A text with one empty line between its parts, and none before or after."""
    lines = "\n".join(line.rstrip(" ") for line in text.splitlines())
    return _BLANK_LINES.sub("\n\n", lines).strip("\n")


def paragraph(caller: Callable[[], str]) -> str:
    """Sentences that belong together."""
    return _part(prose(caller()))


def note(caller: Callable[[], str]) -> str:
    """A paragraph not to be overlooked."""
    return _part(prose(caller(), "  | ", "  | "))


def quote(words: str) -> str:
    """What somebody wrote."""
    return _part(prose(words, "> ", "> "))


def heading(words: str) -> str:
    """What the next parts are about."""
    line = prose(words)
    return f"\n{line}\n{'-' * min(len(line), COLUMNS)}\n"


def bullets(caller: Callable[[], str]) -> str:
    """A list of items."""
    return _part("\n".join(line for line in caller().splitlines() if line.strip()))


def item(caller: Callable[[], str]) -> str:
    """One of them."""
    return prose(caller(), "- ", "  ") + "\n"


def facts(rows: Rows) -> str:
    """Names and what they stand for, below each other."""
    cells = [[squeezed(cell) for cell in row] for row in rows]
    width = max(len(name) for name, _ in cells) + 1
    return _part(
        "\n".join(prose(value, f"{name + ':':{width}}{GAP}", " " * width + GAP) for name, value in cells),
    )


def table(head: Sequence[str], rows: Rows, *, words: bool = False) -> str:
    """Rows under a head. All but the first column are numbers, unless all are `words`.

    A table that is too wide is written row by row.
    """
    cells = [[squeezed(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    if sum(widths) + len(GAP) * (len(widths) - 1) > COLUMNS:
        return "".join(_part(f"{first}\n{_named(head[1:], rest)}") for first, *rest in cells[1:])
    aligns = ["<"] * len(widths) if words else ["<", *">" * (len(widths) - 1)]
    pattern = GAP.join(f"{{:{align}{width}}}" for align, width in zip(aligns, widths, strict=True))
    first_line, *lines = (pattern.format(*row) for row in cells)
    return _part("\n".join((first_line, "-" * len(first_line), *lines)))


def button(words: str, url: str) -> str:
    """What to do next, and where."""
    return _part(f"{prose(words)}:\n{url}")


def picture(_name: str, words: str) -> str:
    """What a picture shows, which a text cannot."""
    return paragraph(lambda: words)


def strong(words: object) -> str:
    """Words that matter more."""
    return str(words)


def mail(address: str) -> str:
    """An address to write to."""
    return address


def _part(content: str) -> str:
    return f"\n{content}\n"


def _named(names: Sequence[str], values: Sequence[str]) -> str:
    width = max(len(name) for name in names) + 1
    indent = " " * (len(GAP) + width) + GAP
    return "\n".join(
        prose(value, f"{GAP}{name + ':':{width}}{GAP}", indent) for name, value in zip(names, values, strict=True)
    )


COMPONENTS: dict[str, Callable[..., str]] = {
    "bullets": bullets,
    "button": button,
    "facts": facts,
    "heading": heading,
    "item": item,
    "mail": mail,
    "note": note,
    "paragraph": paragraph,
    "picture": picture,
    "quote": quote,
    "strong": strong,
    "table": table,
}
"""The parts by the names that templates know them by."""
