"""Parses an e-mail message. Something of every message can be shown, however malformed it is."""

from __future__ import annotations

import email
import email.policy
import mimetypes
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from functools import cached_property
from urllib.parse import unquote

NAME_LENGTH_MAX = 120

_CID = re.compile(r"cid:([^\"'\s<>)]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """One leaf of a message: its text, its HTML, a picture or a file."""

    number: int
    message: EmailMessage

    @cached_property
    def content_type(self) -> str:
        return self.message.get_content_type()

    @cached_property
    def name(self) -> str:
        """A file name that is safe to show and to save; generated if the sender gives none."""
        name = safe_file_name(_file_name(self.message))
        return name or f"part-{self.number}{mimetypes.guess_extension(self.content_type) or '.bin'}"

    @cached_property
    def content_id(self) -> str:
        """The id that the HTML refers to as `cid:`; empty if there is none."""
        return header(self.message, "Content-ID").strip(" <>")

    @cached_property
    def is_attached(self) -> bool:
        """Whether the sender marks it as an attachment."""
        return header(self.message, "Content-Disposition").strip().lower().startswith("attachment")

    @cached_property
    def content(self) -> bytes:
        """The decoded bytes."""
        payload = self.message.get_payload()
        if isinstance(payload, list):  # an attached message
            return b"\r\n".join(_as_bytes(each) for each in payload if isinstance(each, EmailMessage))
        decoded = self.message.get_payload(decode=True)
        return decoded if isinstance(decoded, bytes) else b""

    @cached_property
    def charset(self) -> str:
        """The character set of its text; UTF-8 if it names none, or one that cannot decode this text."""
        named = self.message.get_content_charset() or "utf-8"
        try:
            (self.content + b"a").decode(named, errors="replace")
        except (LookupError, ValueError):
            return "utf-8"
        return named

    @cached_property
    def text(self) -> str:
        """The decoded text, with "\\n" as line ends."""
        return self.content.decode(self.charset, errors="replace").replace("\r\n", "\n")


@dataclass(frozen=True)
class Letter:
    """A message and its parts."""

    raw: bytes
    message: EmailMessage

    @classmethod
    def of(cls, raw: bytes) -> Letter:
        """Parses a message. One that cannot be parsed becomes a plain text of its raw bytes."""
        try:
            letter = cls(raw, email.message_from_bytes(raw, EmailMessage, policy=email.policy.default))
            for part in letter.parts:
                _ = (part.content_type, part.name, part.content_id, part.is_attached, part.content, part.charset)
        except Exception:  # noqa: BLE001 - the library does not document what it raises for a malformed message
            unreadable = EmailMessage()
            unreadable["Subject"] = "(this message cannot be read)"
            unreadable.set_content(raw.decode("utf-8", errors="replace"))
            return cls(raw, unreadable)
        return letter

    def header(self, name: str) -> str:
        """The first header with this name, as text in one line; empty if there is none."""
        return header(self.message, name)

    def headers(self) -> list[tuple[str, str]]:
        """All headers in their order, decoded as far as possible."""
        return [(name, _header_text(self.message, name, raw)) for name, raw in self.message.raw_items()]

    def header_values(self, name: str) -> tuple[str, ...]:
        """The values of all headers with this name."""
        return tuple(value for each, value in self.headers() if each.lower() == name.lower())

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        return tuple(Part(number, leaf) for number, leaf in enumerate(_leaves(self.message)))

    @cached_property
    def text(self) -> Part | None:
        """The plain text, if there is any."""
        return self._body("text/plain")

    @cached_property
    def html(self) -> Part | None:
        return self._body("text/html")

    @cached_property
    def pictures(self) -> tuple[Part, ...]:
        """The parts that the HTML shows, by their Content-ID."""
        if self.html is None:
            return ()
        used = {unquote(each) for each in _CID.findall(self.html.text)}
        return tuple(part for part in self.parts if part.content_id in used)

    @cached_property
    def attachments(self) -> tuple[Part, ...]:
        """All parts except the text, the HTML and its pictures."""
        in_body = {part.number for part in (self.text, self.html, *self.pictures) if part is not None}
        return tuple(part for part in self.parts if part.number not in in_body)

    def html_with_pictures(self, address: str) -> str:
        """The HTML, with each `cid:` reference replaced by the address and the number of the picture's part."""
        if self.html is None:
            return ""
        numbers = {part.content_id: part.number for part in self.pictures}

        def replaced(reference: re.Match[str]) -> str:
            number = numbers.get(unquote(reference[1]))
            return reference[0] if number is None else f"{address}{number}"

        return _CID.sub(replaced, self.html.text)

    def _body(self, content_type: str) -> Part | None:
        for part in self.parts:
            if part.content_type == content_type and not part.is_attached:
                return part
        return None


def header(message: EmailMessage, name: str) -> str:
    """The first header with this name, as text in one line; empty if there is none."""
    for each, raw in message.raw_items():
        if each.lower() == name.lower():
            return _header_text(message, each, raw)
    return ""


def one_line(text: str) -> str:
    """The text in one line, without invisible characters and without those that change the text's direction."""
    spaced = "".join(" " if unicodedata.category(each) in {"Cc", "Zl", "Zp"} else each for each in text)
    return " ".join("".join(each for each in spaced if unicodedata.category(each) not in {"Cf", "Cs"}).split())


def safe_file_name(name: str) -> str:
    """The name without folders, and without characters that mean something to a file system or a header."""
    last = re.split(r"[/\\]", one_line(name))[-1]
    cleaned = re.sub(r'[<>:"|?*;]', "_", last).strip(". ")
    stem, dot, ending = cleaned.rpartition(".")
    if dot and len(ending) < NAME_LENGTH_MAX // 2:
        return f"{stem[: NAME_LENGTH_MAX - len(ending) - 1]}.{ending}"
    return cleaned[:NAME_LENGTH_MAX]


def _header_text(message: EmailMessage, name: str, raw: object) -> str:
    try:
        text = str(message.policy.header_fetch_parse(name, str(raw)))
    except Exception:  # noqa: BLE001 - the library does not document what it raises for a malformed header
        text = str(raw)
    return one_line(text)


def _file_name(message: EmailMessage) -> str:
    try:
        return message.get_filename() or ""
    except (LookupError, TypeError, ValueError):
        return ""


def _leaves(message: EmailMessage) -> Iterator[EmailMessage]:
    payload = message.get_payload()
    if message.get_content_maintype() == "multipart" and isinstance(payload, list):
        for each in payload:
            if isinstance(each, EmailMessage):
                yield from _leaves(each)
    else:
        yield message


def _as_bytes(message: EmailMessage) -> bytes:
    try:
        return message.as_bytes()
    except (LookupError, TypeError, ValueError):
        return b""
