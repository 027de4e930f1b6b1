"""The process of the stand-in for VIES. It keeps nothing."""

from __future__ import annotations

from pathlib import Path

from local.local_server import LocalServer
from local.settings import Settings


def vies_stand_in(settings: Settings) -> LocalServer:
    """The stand-in of one local stack."""
    return LocalServer(
        name="vies",
        title="The stand-in for VIES",
        folder=settings.folder,
        port=settings.vies_port,
        module="local.vies",
        options=(),
        code=sorted(Path(__file__).parent.glob("*.py")),
    )
