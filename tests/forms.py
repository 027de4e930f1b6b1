"""The forms and links of a page, as a browser sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass(slots=True)
class Form:
    """A form: where it is sent, its fields with their values, and their attributes."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def visible(self) -> list[str]:
        """The names of the fields that a person sees, in order."""
        return [name for name, attributes in self.attributes.items() if attributes.get("type") != "hidden"]


class Document(HTMLParser):
    """A parsed page: language, title, headings, forms, links by their text, texts by role, and labels by field."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.language = ""
        self.texts: dict[str, str] = {}
        """Texts by tag (`title`, `h1`) and by role (`alert`, `status`)."""

        self.labels: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.forms: list[Form] = []
        self._open: list[tuple[str, dict[str, str]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.language = attributes["lang"]
        elif tag == "form":
            assert attributes["method"] == "post"
            self.forms.append(Form(attributes["action"]))
        elif tag == "input":
            self.forms[-1].fields[attributes["name"]] = attributes.get("value", "")
            self.forms[-1].attributes[attributes["name"]] = attributes
        if tag not in {"input", "meta", "link"}:
            self._open.append((tag, attributes))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not self._open:
            return
        tag, attributes = self._open[-1]
        for key in {tag, attributes.get("role", "")} - {"", "style"}:
            self.texts[key] = self.texts.get(key, "") + data
        if tag == "label":
            self.labels[attributes["for"]] = data
        elif tag == "a":
            self.links[data] = attributes["href"]
