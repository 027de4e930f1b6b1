"""The folder for the mail of the emulated AWS: one file per message, as it was received."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

MAILS_MAX = 2000
"""Older mails are deleted. Without a limit the folder would grow with each test, and the list would become slow."""

SENDER_HEADER = "Return-Path"
RECIPIENT_HEADER = "Delivered-To"
"""The envelope is written above each message, as in any mailbox. Only the envelope names a blind copy."""

_TIME = "%Y%m%dT%H%M%S%fZ"
_ID = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{16}", re.ASCII)
_SUFFIX = ".eml"
_UNFINISHED = ".part"


def mail_id(received_at: datetime, suffix: str) -> str:
    """The id of a mail. Ids sort by time, and are safe in a path, in a URL and in HTML.

    The suffix has 16 hexadecimal digits, and distinguishes mails of the same microsecond.
    """
    return f"{received_at.astimezone(UTC).strftime(_TIME)}-{suffix}"


def is_mail_id(text: str) -> bool:
    """Whether the text has the form of an id. It guards against a path in a URL."""
    return _ID.fullmatch(text) is not None


def received_at(mail: str) -> datetime:
    """When the mail with this id was received."""
    return datetime.strptime(mail.partition("-")[0], _TIME).replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MailFolder:
    """The folder of a stack's mail. One process writes it, any process reads it."""

    folder: Path

    def prepare(self) -> None:
        """Creates the folder, and removes unfinished files. It is private, because mails hold log-in codes."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for unfinished in self.folder.glob(f"*{_UNFINISHED}"):
            unfinished.unlink()

    def store(self, content: bytes, now: datetime) -> str:
        """Stores a message, whole or not at all, and deletes the oldest beyond MAILS_MAX. Returns its id.

        Raises OSError.
        """
        mail = mail_id(now, secrets.token_hex(8))
        unfinished = self.folder / f"{mail}{_UNFINISHED}"
        try:
            unfinished.write_bytes(content)
            unfinished.rename(self.file(mail))
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        for old in self.ids()[MAILS_MAX:]:
            self.file(old).unlink(missing_ok=True)
        return mail

    def ids(self) -> list[str]:
        """The ids of all messages, newest first."""
        names = (each.stem for each in self.folder.glob(f"*{_SUFFIX}"))
        return sorted(filter(is_mail_id, names), reverse=True)

    def file(self, mail: str) -> Path:
        """The file of a message, which may not exist. Raises ValueError if the text is no id."""
        if not is_mail_id(mail):
            raise ValueError("no id of a mail")
        return self.folder / f"{mail}{_SUFFIX}"

    def read(self, mail: str) -> bytes | None:
        """The message as it was stored; None if it does not exist, or no longer. Raises ValueError for no id."""
        try:
            return self.file(mail).read_bytes()
        except FileNotFoundError:
            return None
