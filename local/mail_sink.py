"""The process that takes in the mail: started before the emulated AWS, and ended after it."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from local.background import Background, port_is_free, wait_until
from local.cloud import clean_environment
from local.settings import ROOT, LocalError, Settings

START_SECONDS_MAX = 15
_CODE = (ROOT / "local" / "smtp_server.py", ROOT / "local" / "mail_folder.py")


@dataclass(slots=True)
class MailSink:
    """The mail of one stack."""

    settings: Settings
    process: Background

    @classmethod
    def of(cls, settings: Settings) -> MailSink:
        return cls(settings, Background("mail-sink", settings.folder))

    def start(self) -> None:
        """Starts it, unless it runs as it should: while it is started anew, a mail could find nobody in."""
        wanted = self._wanted()
        if self.process.running():
            if self._started_with() == wanted:
                return
            self.process.stop()
        self._record.write_text(json.dumps(wanted), "utf-8")
        command: list[str | Path] = [
            *(sys.executable, "-m", "local.smtp_server"),
            *("--mail-folder", self.settings.mail_folder),
            *("--port", str(self.settings.mail_port)),
        ]
        self.process.start(command, clean_environment())
        wait_until(lambda: not port_is_free(self.settings.mail_port) or not self.process.running(), START_SECONDS_MAX)
        if not self.process.running():
            raise LocalError(f"The mail sink does not start.\n{self.process.log_tail()}")

    def listens_on(self, port: int) -> bool:
        """Whether it is itself that has the port."""
        started_with = self._started_with()
        return started_with is not None and started_with["port"] == str(port)

    def stop(self) -> None:
        """Ends it. What it has taken in stays."""
        self.process.stop()

    @property
    def _record(self) -> Path:
        return self.settings.folder / "mail-sink.json"

    def _wanted(self) -> dict[str, str]:
        code = hashlib.sha256(b"".join(each.read_bytes() for each in _CODE)).hexdigest()
        return {"port": str(self.settings.mail_port), "code": code}

    def _started_with(self) -> dict[str, str] | None:
        if not (self.process.running() and self._record.exists()):
            return None
        started_with: dict[str, str] = json.loads(self._record.read_text("utf-8"))
        return started_with
