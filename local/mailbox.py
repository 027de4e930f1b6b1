"""All mail that the emulated AWS has sent: the received messages, and those only in the record of its SES.

SES cannot relay some messages (see local.mail_pages). Such a mail has no file; its text comes from SES's record.
"""

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
from local.mail_folder import MAILS_MAX, RECIPIENT_HEADER, MailFolder, is_mail_id, mail_id, received_at

PAGE_SIZE = 100
RELAY_SECONDS_MAX = 3
"""How long a recorded mail may take to arrive: the emulated SES records a mail before it sends it."""

ENVELOPE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Envelope:
    """The facts for finding a mail: its real recipients, and the message id of the emulated SES."""

    recipients: tuple[str, ...]
    message_id: str

    def is_to(self, text: str) -> bool:
        """Whether one of the addresses contains the text, in any case."""
        return any(text.casefold() in each.casefold() for each in self.recipients)


@dataclass(frozen=True, slots=True)
class Heading:
    """The fields of a mail in the list."""

    sender: str
    recipients: str
    blind_copies: tuple[str, ...]
    """The recipients that the headers do not name."""

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

    id: str
    envelope: Envelope
    file: Path | None
    recorded: Letter | None = None
    """The message from SES's record, for a mail that did not arrive and has no file."""

    @property
    def is_whole(self) -> bool:
        return self.file is not None

    @property
    def received_at(self) -> datetime:
        return received_at(self.id)

    def letter(self) -> Letter:
        """Reads the message. Raises FileNotFoundError if it was deleted meanwhile, as the oldest are."""
        if self.recorded is not None:
            return self.recorded
        if self.file is None:
            raise FileNotFoundError(self.id)
        return Letter.of(self.file.read_bytes())

    def heading(self) -> Heading:
        """The fields for the list. Raises FileNotFoundError, as `letter`."""
        if self.file is None:
            return Heading.of(self.letter(), self.envelope)
        return _heading(self.file, self.envelope)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list, newest first."""

    mails: Sequence[Mail]
    next: str | None
    """The id to continue before; None on the last page."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """All sent mail. `ses_messages` returns the emulated SES's record of sent messages since it started."""

    folder: MailFolder
    ses_messages: Callable[[], Sequence[Mapping[str, Any]]]

    def page(self, to: str, before: str) -> Page:
        """The newest PAGE_SIZE mails: with `to` to addresses that contain it, with `before` older than that mail."""
        mails = [each for each in self._mails() if each.envelope.is_to(to)] if to else self._mails()
        older = [each for each in mails if not before or each.id < before]
        mails_of_page = older[:PAGE_SIZE]
        return Page(mails_of_page, mails_of_page[-1].id if len(older) > PAGE_SIZE else None)

    def find(self, id_: str) -> Mail | None:
        """The mail with this id; None if there is none, or no longer."""
        if not is_mail_id(id_):
            return None
        return self._received(id_) or next((each for each in self._mails() if each.id == id_), None)

    def _mails(self) -> list[Mail]:
        """Received and recorded mails, newest first. SES's message id is the Message-ID of the received message."""
        recorded = self.ses_messages()  # read first, so a mail that arrives meanwhile does not count as lost
        received = [mail for each in self.folder.ids() if (mail := self._received(each)) is not None]
        message_ids = {each.envelope.message_id for each in received}
        lost = [_recorded(each) for each in recorded if each["MessageId"] not in message_ids and not _may_arrive(each)]
        return sorted([*received, *lost], key=lambda each: each.id, reverse=True)[:MAILS_MAX]

    def _received(self, id_: str) -> Mail | None:
        file = self.folder.file(id_)
        try:
            return Mail(id_, _envelope(file), file)
        except FileNotFoundError:
            return None


@lru_cache(maxsize=MAILS_MAX)
def _envelope(file: Path) -> Envelope:
    """The envelope from the top lines of the file. Cached, because a stored file never changes."""
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


@lru_cache(maxsize=MAILS_MAX)
def _heading(file: Path, envelope: Envelope) -> Heading:
    return Heading.of(Letter.of(file.read_bytes()), envelope)


def _may_arrive(record: Mapping[str, Any]) -> bool:
    return datetime.now(UTC) - _sent_at(record) < timedelta(seconds=RELAY_SECONDS_MAX)


def _sent_at(record: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(record["Timestamp"], UTC)


def _recorded(record: Mapping[str, Any]) -> Mail:
    """A mail from SES's record: sender, recipients, subject and text. The record has no attachments."""
    suffix = hashlib.sha256(record["MessageId"].encode()).hexdigest()[:16]
    recipients = tuple(one_line(each) for name in ("To", "CC", "BCC") for each in record[name])
    envelope = Envelope(recipients, record["MessageId"])
    return Mail(mail_id(_sent_at(record), suffix), envelope, None, Letter.of(_message(record)))


def _message(record: Mapping[str, Any]) -> bytes:
    message = MIMEMultipart("alternative")
    headers = {
        "From": record["Source"],
        "To": ", ".join(record["To"]),
        "Cc": ", ".join(record["CC"]),
        "Subject": record["Subject"],
        "Message-ID": f"<{record['MessageId']}>",
    }
    for name, value in headers.items():
        if value:
            message[name] = one_line(value)
    for subtype, text in (("plain", record["BodyText"]), ("html", record["BodyHtml"])):
        if text:
            message.attach(MIMEText(text.encode("utf-8", "replace").decode(), subtype, "utf-8"))
    return message.as_bytes()
