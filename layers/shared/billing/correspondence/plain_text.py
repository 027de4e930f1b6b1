"""The components of mail templates as plain text. languages/components.html has the same components as HTML."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence

COLUMNS = 76
"""The line width of prose. Quoted in a reply, such lines still fit into 80 columns."""

GAP = "  "

# Not \s: the no-break spaces of amounts must stay.
_SPACES = re.compile(r"[ \t\n]+")
_BLANK_LINES = re.compile(r"\n{3,}")

Rows = Sequence[Sequence[object]]


def prose(words: object, first: str = "", rest: str = "") -> str:
    """Words wrapped to COLUMNS. The first line starts with `first`, the others with `rest`."""
    return textwrap.fill(
        squeezed(words),
        COLUMNS,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def squeezed(words: object) -> str:
    """The words on one line, with single spaces."""
    return _SPACES.sub(" ", str(words)).strip(" ")


def tidied(text: str) -> str:
    """The text with one empty line between its parts, and none at its start or end."""
    lines = "\n".join(line.rstrip(" ") for line in text.splitlines())
    return _BLANK_LINES.sub("\n\n", lines).strip("\n")


def paragraph(caller: Callable[[], str]) -> str:
    """A paragraph of prose."""
    return _part(prose(caller()))


def note(caller: Callable[[], str]) -> str:
    """A highlighted paragraph, with a bar on its left."""
    return _part(prose(caller(), "  | ", "  | "))


def quote(words: str) -> str:
    """A quotation of a person's own words."""
    return _part(prose(words, "> ", "> "))


def heading(words: str) -> str:
    """An underlined heading."""
    line = prose(words)
    return f"\n{line}\n{'-' * min(len(line), COLUMNS)}\n"


def bullets(caller: Callable[[], str]) -> str:
    """A bullet list of `item` components."""
    return _part("\n".join(line for line in caller().splitlines() if line.strip()))


def item(caller: Callable[[], str]) -> str:
    """One bullet of a list."""
    return prose(caller(), "- ", "  ") + "\n"


def facts(rows: Rows) -> str:
    """Rows of a name and its value, in two aligned columns."""
    cells = [[squeezed(cell) for cell in row] for row in rows]
    width = max(len(name) for name, _ in cells) + 1
    return _part(
        "\n".join(prose(value, f"{name + ':':{width}}{GAP}", " " * width + GAP) for name, value in cells),
    )


def table(head: Sequence[str], rows: Rows, *, words: bool = False) -> str:
    """Rows below column heads. All columns but the first are right-aligned numbers, unless `words` is set.

    A table wider than COLUMNS becomes a list: each row as its first cell, followed by named values.
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
    """A call to action and its URL."""
    return _part(f"{prose(words)}:\n{url}")


def picture(_name: str, words: str) -> str:
    """The description of a picture, in place of the picture."""
    return paragraph(lambda: words)


def strong(words: object) -> str:
    """Emphasised words. Plain text has no emphasis."""
    return str(words)


def mail(address: str) -> str:
    """A mail address."""
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
"""The components by the names that templates use."""
