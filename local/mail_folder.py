"""The folder in which the mail of the emulated AWS is kept: one file a message, as it came in."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

KEPT_MAX = 2000
"""The newest stay. Without a limit the folder would grow with each test, and the list become slow."""

SENDER_HEADER = "Return-Path"
RECIPIENT_HEADER = "Delivered-To"
"""The envelope stands on top of each message, as in any mailbox: who got a blind copy is written nowhere else."""

_TIME = "%Y%m%dT%H%M%S%fZ"
_ID = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{16}", re.ASCII)
_SUFFIX = ".eml"
_UNFINISHED = ".part"


def mail_id(received_at: datetime, distinction: str) -> str:
    """Names a mail: ids sort by time, and are safe in a path, in a URL and in HTML.

    The distinction is of 16 hexadecimal digits: mails come in at the same moment.
    """
    return f"{received_at.astimezone(UTC).strftime(_TIME)}-{distinction}"


def is_mail_id(text: str) -> bool:
    """Whether it may be asked for. What comes in a URL is nothing else, and never a path."""
    return _ID.fullmatch(text) is not None


def received_at(mail: str) -> datetime:
    """When it came in."""
    return datetime.strptime(mail.partition("-")[0], _TIME).replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MailFolder:
    """Written by one process, read by any."""

    folder: Path

    def prepare(self) -> None:
        """Makes the folder, which nobody else may read: codes for logging in stand in it."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for unfinished in self.folder.glob(f"*{_UNFINISHED}"):
            unfinished.unlink()

    def store(self, content: bytes, now: datetime) -> str:
        """Keeps a message, whole or not at all. Drops the oldest for it, if there are too many. Returns its id."""
        mail = mail_id(now, secrets.token_hex(8))
        unfinished = self.folder / f"{mail}{_UNFINISHED}"
        try:
            unfinished.write_bytes(content)
            unfinished.rename(self.file(mail))
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        for old in self.ids()[KEPT_MAX:]:
            self.file(old).unlink(missing_ok=True)
        return mail

    def ids(self) -> list[str]:
        """Of every message, newest first."""
        found = (each.stem for each in self.folder.glob(f"*{_SUFFIX}"))
        return sorted(filter(is_mail_id, found), reverse=True)

    def file(self, mail: str) -> Path:
        """Where a message stands, if it is there. Raises ValueError for what is no id."""
        if not is_mail_id(mail):
            raise ValueError("no id of a mail")
        return self.folder / f"{mail}{_SUFFIX}"

    def read(self, mail: str) -> bytes | None:
        """The message as it was stored, or None: the oldest go."""
        try:
            return self.file(mail).read_bytes()
        except FileNotFoundError:
            return None
