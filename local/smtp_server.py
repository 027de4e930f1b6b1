"""Takes in what the emulated SES sends, and keeps it. Nothing of it ever leaves this machine.

A process of its own that outlives the front door and the emulated AWS: while either is started anew, no mail is lost.
"""

from __future__ import annotations

import argparse
import signal
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from local.mail_folder import RECIPIENT_HEADER, SENDER_HEADER, MailFolder
from local.settings import HOST

MESSAGE_BYTES_MAX = 40 * 1024 * 1024
"""What SES takes."""


class Keeper:
    """Keeps each message, with its envelope on top."""

    def __init__(self, folder: MailFolder) -> None:
        self._folder = folder

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802 - as the library asks for it
        """Answers once the message is on the disk, and not before."""
        recipients = [f"{RECIPIENT_HEADER}: {address}" for address in envelope.rcpt_tos]
        top = "".join(f"{line}\r\n" for line in [f"{SENDER_HEADER}: <{envelope.mail_from}>", *recipients])
        self._folder.store(top.encode() + _bytes(envelope.content), datetime.now(UTC))
        return "250 Kept"


def _bytes(content: bytes | str | None) -> bytes:
    if not isinstance(content, bytes):
        raise TypeError("the server hands over what it was sent")
    return content


def smtp_server(folder: MailFolder, port: int) -> Controller:
    """Not started yet. Heard on this machine only."""
    options: dict[str, Any] = {"data_size_limit": MESSAGE_BYTES_MAX, "ident": "Livello"}
    # Without a name of its own it would ask the DNS for one.
    return Controller(Keeper(folder), hostname=HOST, port=port, server_hostname="localhost", **options)


def main() -> None:
    """Serves until it is asked to end."""
    parser = argparse.ArgumentParser(prog="python -m local.smtp_server")
    parser.add_argument("--mail-folder", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    folder = MailFolder(given.mail_folder)
    folder.prepare()
    server = smtp_server(folder, given.port)
    server.start()
    ended.wait()
    server.stop()


if __name__ == "__main__":
    main()
