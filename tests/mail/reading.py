"""Reads the HTML of a mail as a strict mail program would: well-formed, and nothing in it that loads or runs."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"br", "img", "meta"}
ALLOWED = VOID | set(
    "a blockquote body div h1 h2 head html li p strong table td th title tr ul".split(),
)
HARMLESS = set(
    (
        "align alt bgcolor border cellpadding cellspacing charset content dir href lang name role scope src style "
        "valign width"
    ).split()
)
"""Elements, and their attributes, that neither load nor run anything."""


class Page(HTMLParser):
    """A mail's HTML, read. Fails where it is not well-formed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.language: str | None = None
        self._words: list[str] = []
        self._open: list[str] = []
        self._hidden = 0
        self.feed(html)
        self.close()
        assert self._open == []

    @property
    def words(self) -> str:
        """All that is to be seen, with one space between words."""
        return re.sub(r"[ \n]+", " ", " ".join(self._words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        assert {name for name, _ in attrs} <= HARMLESS, attrs
        values = dict(attrs)
        assert "url(" not in (values.get("style") or "")
        if tag == "html":
            self.language = values["lang"]
        if tag == "img":
            # Of the mail itself: nothing is loaded from anywhere.
            assert re.fullmatch(r"cid:[a-z]+", values["src"] or "")
            assert values["alt"]
            self.pictures.append((values["src"] or "").removeprefix("cid:"))
        if tag == "a":
            assert values["href"] is not None
            self.links.append(values["href"])
        if not self._hidden and (tag == "title" or "display:none" in (values.get("style") or "")):
            self._hidden = len(self._open) + 1
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if len(self._open) < self._hidden:
            self._hidden = 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._words.append(data)
