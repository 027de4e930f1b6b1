"""A strict reader of a mail's HTML. It accepts only well-formed HTML that loads and runs nothing."""

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
"""Attributes that neither load nor run anything. ALLOWED are the elements of that kind."""


class Page(HTMLParser):
    """The parsed HTML of a mail. Raises AssertionError for HTML that is malformed or not allowed."""

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
        """The visible words, with single spaces."""
        return re.sub(r"[ \n]+", " ", " ".join(self._words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        assert {name for name, _ in attrs} <= HARMLESS, attrs
        values = dict(attrs)
        assert "url(" not in (values.get("style") or "")
        if tag == "html":
            self.language = values["lang"]
        if tag == "img":
            # The picture must be an attachment of the mail: nothing is loaded from the network.
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
