"""The SMTP server that receives and stores the emulated SES's mail. No mail leaves this machine.

It is a process of its own, so no mail is lost while the front door or the emulated AWS restarts.
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
"""The limit of SES."""


class StoringHandler:
    """Stores each message, with its envelope above it."""

    def __init__(self, folder: MailFolder) -> None:
        self._folder = folder

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802 - the library's signature
        """Answers after the message is on the disk. Raises OSError, which the library answers with an error."""
        recipients = [f"{RECIPIENT_HEADER}: {address}" for address in envelope.rcpt_tos]
        top = "".join(f"{line}\r\n" for line in [f"{SENDER_HEADER}: <{envelope.mail_from}>", *recipients])
        self._folder.store(top.encode() + _bytes(envelope.content), datetime.now(UTC))
        return "250 Kept"


def _bytes(content: bytes | str | None) -> bytes:
    if not isinstance(content, bytes):
        raise TypeError("the library must pass the raw bytes")
    return content


def smtp_server(folder: MailFolder, port: int) -> Controller:
    """The server, not started. It listens only on this machine."""
    options: dict[str, Any] = {"data_size_limit": MESSAGE_BYTES_MAX, "ident": "Livello"}
    # Without a hostname the library would ask the DNS for one.
    return Controller(StoringHandler(folder), hostname=HOST, port=port, server_hostname="localhost", **options)


def main() -> None:
    """Serves until it is asked to end."""
    parser = argparse.ArgumentParser(prog="python -m local.smtp_server")
    parser.add_argument("--mail-folder", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    folder = MailFolder(given.mail_folder)
    folder.prepare()
    server = smtp_server(folder, given.port)
    server.start()
    stopped.wait()
    server.stop()


if __name__ == "__main__":
    main()
