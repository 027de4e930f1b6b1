"""What a stored copy of a mail says: its addressees, and its words as they are read."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default

_FOLD = re.compile("\r?\n[ \t]")
"""A line of a calendar that goes on in the next one (RFC 5545, 3.1)."""

_TAG = re.compile("<[^>]*>")


def words_of(message: bytes) -> Iterator[str]:
    """The headers of a message, and its texts: plain, HTML and calendars. Its PDFs are documents of their own."""
    mail = BytesParser(policy=default).parsebytes(message)
    yield from (str(value) for value in mail.values())
    for part in mail.walk():
        if part.get_content_maintype() == "text" and isinstance(part, EmailMessage):
            yield _words(part)


def addressees_of(message: bytes) -> str:
    """To whom a message went."""
    mail = BytesParser(policy=default).parsebytes(message, headersonly=True)
    return ", ".join(str(value) for value in mail.get_all("To", ()))


def _words(part: EmailMessage) -> str:
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    text = content.decode(part.get_content_charset("utf-8"), "replace")
    match part.get_content_subtype():
        case "calendar":
            return _FOLD.sub("", text)
        case "html":
            return html.unescape(_TAG.sub(" ", text))
        case _:
            return text
