"""The mail sink: the SMTP server that receives mail. It starts before the emulated AWS and ends after it."""

from __future__ import annotations

from local.local_server import LocalServer
from local.settings import ROOT, Settings

_CODE = (ROOT / "local" / "smtp_server.py", ROOT / "local" / "mail_folder.py")


def mail_sink(settings: Settings) -> LocalServer:
    """The mail sink of a stack. It depends on few files, because mail is refused while it restarts."""
    return LocalServer(
        name="mail-sink",
        title="The mail sink",
        folder=settings.folder,
        port=settings.mail_port,
        module="local.smtp_server",
        options=("--mail-folder", str(settings.mail_folder)),
        code=_CODE,
    )
