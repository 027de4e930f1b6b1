"""The process that takes in the mail: started before the emulated AWS, and ended after it."""

from __future__ import annotations

from local.local_server import LocalServer
from local.settings import ROOT, Settings

_CODE = (ROOT / "local" / "smtp_server.py", ROOT / "local" / "mail_folder.py")


def mail_sink(settings: Settings) -> LocalServer:
    """Of one stack. It is started anew only if it must be: meanwhile a mail would find nobody in."""
    return LocalServer(
        name="mail-sink",
        title="The mail sink",
        folder=settings.folder,
        port=settings.mail_port,
        module="local.smtp_server",
        options=("--mail-folder", str(settings.mail_folder)),
        code=_CODE,
    )
