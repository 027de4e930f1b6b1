"""The page that shows what mail the emulated AWS has sent. Nothing of it ever leaves this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Livello: mail</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem }}
article {{ border-top: 1px solid #ccc; padding: 1rem 0 }}
h2 {{ font-size: 1.1rem; margin: 0 }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; background: #f4f4f4; padding: 1rem }}
</style>
<h1>Mail</h1>
<p>What the emulated AWS has sent since it was started, newest first.</p>
{articles}
</html>
"""
_ARTICLE = """<article>
<h2>{subject}</h2>
<p>{sent_at} · to {recipients} · from {sender}</p>
<pre>{text}</pre>
</article>"""


@dataclass(frozen=True, slots=True)
class Mail:
    """One message, as far as the emulator keeps it."""

    sent_at: datetime
    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Mail:
        return cls(
            sent_at=datetime.fromtimestamp(message["Timestamp"], UTC),
            sender=message["Source"],
            recipients=tuple(message["To"]),
            subject=message["Subject"] or "",
            text=message["BodyText"] or message["BodyHtml"] or "",
        )


def mailbox_page(mails: Sequence[Mail]) -> str:
    """The page. Whatever comes out of a mail is shown as text, never as HTML."""
    articles = "\n".join(map(_article, mails)) or "<p>None yet.</p>"
    return _PAGE.format(articles=articles)


def _article(mail: Mail) -> str:
    return _ARTICLE.format(
        subject=escape(mail.subject),
        sent_at=mail.sent_at.isoformat(" ", "seconds"),
        recipients=escape(", ".join(mail.recipients)),
        sender=escape(mail.sender),
        text=escape(mail.text),
    )
