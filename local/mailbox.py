"""All the mail that the emulated AWS has sent: what came in whole, and what it only tells of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from functools import lru_cache
from pathlib import Path
from typing import Any

from local.letter import Letter, one_line
from local.mail_folder import KEPT_MAX, RECIPIENT_HEADER, MailFolder, is_mail_id, mail_id, received_at

PAGE_SIZE = 100
ON_ITS_WAY_SECONDS_MAX = 3
"""The emulated SES first tells of a mail, and sends it then."""

ENVELOPE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Envelope:
    """What must be known of every mail to find one: whom it really goes to, and what the emulated SES calls it."""

    recipients: tuple[str, ...]
    message_id: str

    def is_to(self, text: str) -> bool:
        """Whether the text stands in one of the addresses."""
        return any(text.casefold() in each.casefold() for each in self.recipients)


@dataclass(frozen=True, slots=True)
class Heading:
    """What the list shows of a mail."""

    sender: str
    recipients: str
    blind_copies: tuple[str, ...]
    """Who gets it without standing in it."""

    subject: str
    attachments: int

    @classmethod
    def of(cls, letter: Letter, envelope: Envelope) -> Heading:
        named = [value for name in ("To", "Cc") if (value := letter.header(name))]
        return cls(
            sender=letter.header("From"),
            recipients=", ".join(named),
            blind_copies=tuple(each for each in envelope.recipients if not any(each in value for value in named)),
            subject=letter.header("Subject"),
            attachments=len(letter.attachments),
        )


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail in the list."""

    mail: str
    envelope: Envelope
    file: Path | None
    told: Letter | None = None
    """Of a mail that did not come in there is no file: its words are what the emulated SES tells, and no more."""

    @property
    def is_whole(self) -> bool:
        return self.file is not None

    @property
    def received_at(self) -> datetime:
        return received_at(self.mail)

    def letter(self) -> Letter:
        """Reads it. Raises FileNotFoundError: the oldest go meanwhile."""
        if self.told is not None:
            return self.told
        if self.file is None:
            raise FileNotFoundError(self.mail)
        return Letter.of(self.file.read_bytes())

    def heading(self) -> Heading:
        """Raises FileNotFoundError, as above."""
        if self.file is None:
            return Heading.of(self.letter(), self.envelope)
        return _heading(self.file, self.envelope)


@dataclass(frozen=True, slots=True)
class Page:
    """Some mails, newest first."""

    mails: Sequence[Mail]
    next: str | None
    """Where the older ones begin, if there are any."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Everything that was sent. `told` asks the emulated SES what it has sent since it was started."""

    folder: MailFolder
    told: Callable[[], Sequence[Mapping[str, Any]]]

    def page(self, to: str, before: str) -> Page:
        """The newest mails; with `to` only those to such an address, with `before` only those older than that one."""
        mails = [each for each in self._mails() if each.envelope.is_to(to)] if to else self._mails()
        older = [each for each in mails if not before or each.mail < before]
        shown = older[:PAGE_SIZE]
        return Page(shown, shown[-1].mail if len(older) > PAGE_SIZE else None)

    def find(self, mail: str) -> Mail | None:
        """One mail, or None if there is none, or no longer."""
        if not is_mail_id(mail):
            return None
        return self._kept(mail) or next((each for each in self._mails() if each.mail == mail), None)

    def _mails(self) -> list[Mail]:
        """A mail that came in whole is known by its Message-ID, which is what the emulated SES calls it."""
        told = self.told()  # first: what comes in meanwhile is then not taken for something that never will
        kept = [mail for each in self.folder.ids() if (mail := self._kept(each)) is not None]
        known = {each.envelope.message_id for each in kept}
        lost = [_told(each) for each in told if each["MessageId"] not in known and not _is_on_its_way(each)]
        return sorted([*kept, *lost], key=lambda each: each.mail, reverse=True)[:KEPT_MAX]

    def _kept(self, mail: str) -> Mail | None:
        file = self.folder.file(mail)
        try:
            return Mail(mail, _envelope(file), file)
        except FileNotFoundError:
            return None


@lru_cache(maxsize=KEPT_MAX)
def _envelope(file: Path) -> Envelope:
    """Out of the top of the file, where it stands line by line. What was stored never changes: it is read once."""
    with file.open("rb") as opened:
        top = opened.read(ENVELOPE_BYTES_MAX)
    recipients, message_id = [], ""
    for line in top.decode("utf-8", "replace").splitlines():
        name, colon, value = line.partition(":")
        if not colon:
            break
        if name == RECIPIENT_HEADER:
            recipients.append(one_line(value))
        elif name == "Message-ID":
            message_id = value.strip("<> ")
            break
    return Envelope(tuple(recipients), message_id)


@lru_cache(maxsize=KEPT_MAX)
def _heading(file: Path, envelope: Envelope) -> Heading:
    return Heading.of(Letter.of(file.read_bytes()), envelope)


def _is_on_its_way(told: Mapping[str, Any]) -> bool:
    return datetime.now(UTC) - _sent_at(told) < timedelta(seconds=ON_ITS_WAY_SECONDS_MAX)


def _sent_at(told: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(told["Timestamp"], UTC)


def _told(told: Mapping[str, Any]) -> Mail:
    """A mail out of what the emulated SES tells: who, to whom, the words. Attachments it does not keep."""
    distinction = hashlib.sha256(told["MessageId"].encode()).hexdigest()[:16]
    recipients = tuple(one_line(each) for name in ("To", "CC", "BCC") for each in told[name])
    envelope = Envelope(recipients, told["MessageId"])
    return Mail(mail_id(_sent_at(told), distinction), envelope, None, Letter.of(_message(told)))


def _message(told: Mapping[str, Any]) -> bytes:
    message = MIMEMultipart("alternative")
    headers = {
        "From": told["Source"],
        "To": ", ".join(told["To"]),
        "Cc": ", ".join(told["CC"]),
        "Subject": told["Subject"],
        "Message-ID": f"<{told['MessageId']}>",
    }
    for name, value in headers.items():
        if value:
            message[name] = one_line(value)
    for subtype, text in (("plain", told["BodyText"]), ("html", told["BodyHtml"])):
        if text:
            message.attach(MIMEText(text.encode("utf-8", "replace").decode(), subtype, "utf-8"))
    return message.as_bytes()
