"""What a browser loads of the built billing page before it shows a screen: script and style, compressed.

A screen's first view is its own file, the files of the way to it, and all that these import. The names are read from
the built files, as a browser reads them.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LIMIT_BYTES = 40_000
"""The most that a first view may weigh, compressed. At 1.6 Mbit/s this takes 0.2 s."""

_LINKED = re.compile(r'(?:src|href)="\./([^"]+\.(?:js|css))"')
_IMPORTED = re.compile(r"(?:\bfrom|\bimport)\s*[\"'`]\./([^\"'`]+\.js)[\"'`]")
_LOADED_LATER = re.compile(r"\bimport\(\s*[\"'`]\./([^\"'`]+\.js)[\"'`]\s*\)")


class NotBuilt(Exception):
    """The page is not built. Its text is one line for a person."""


@dataclass(frozen=True, slots=True)
class FirstView:
    """What a browser loads for one screen, with an empty cache."""

    screen: str
    """The module of the screen, such as `billing`."""

    script_bytes: int
    style_bytes: int
    files: int

    @property
    def total_bytes(self) -> int:
        return self.script_bytes + self.style_bytes


def first_views(folder: Path) -> list[FirstView]:
    """The first view of every screen of a built page, the largest first. Raises NotBuilt."""
    if not (folder / "index.html").exists():
        raise NotBuilt("The page is not built: make portal")
    linked = [*dict.fromkeys(_LINKED.findall((folder / "index.html").read_text("utf-8")))]
    always = _with_imports([folder / each for each in linked])
    return sorted(_views(always, set()), key=lambda view: -view.total_bytes)


def _views(loaded: set[Path], on_the_way: set[Path]) -> Iterator[FirstView]:
    """The views of the screens that the files `loaded` load later, and of those within them."""
    later = {
        file.parent / name
        for file in loaded
        if file.suffix == ".js"
        for name in _LOADED_LATER.findall(file.read_text("utf-8"))
    }
    for screen in sorted(later - on_the_way):
        whole = loaded | _with_imports([screen])
        sizes = {file: len(gzip.compress(file.read_bytes(), mtime=0)) for file in whole}
        script = sum(size for file, size in sizes.items() if file.suffix == ".js")
        # Vite adds a digest of eight letters, digits, - and _ to a name.
        yield FirstView(screen.stem[:-9], script, sum(sizes.values()) - script, len(whole))
        yield from _views(whole, on_the_way | later)


def _with_imports(files: list[Path]) -> set[Path]:
    """The files, and all that they import at once."""
    found: set[Path] = set()
    left = [*files]
    while left:
        file = left.pop()
        if file in found:
            continue
        found.add(file)
        if file.suffix == ".js":
            left += [file.parent / name for name in _IMPORTED.findall(file.read_text("utf-8"))]
    return found


def table(views: list[FirstView]) -> str:
    """The first views as text."""
    width = max(len(view.screen) for view in views)
    lines = [f"  {'':{width}}  script kB  style kB  together  of {LIMIT_BYTES / 1000:.0f} kB  files"]
    lines += [
        f"  {view.screen:{width}}  {view.script_bytes / 1000:9.1f}  {view.style_bytes / 1000:8.1f}"
        f"  {view.total_bytes / 1000:8.1f}  {view.total_bytes / LIMIT_BYTES:8.0%}  {view.files:5}"
        for view in views
    ]
    return "\n".join(lines)
