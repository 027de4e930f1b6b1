"""Where everything of one local Livello stands: its ports, its folder, its names. Passed along, never global."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
HOST = "127.0.0.1"
REGION = "eu-central-1"

CLOUD_PORT_VARIABLE = "LIVELLO_CLOUD_PORT"
FRONT_DOOR_PORT_VARIABLE = "LIVELLO_PORT"
MAIL_PORT_VARIABLE = "LIVELLO_MAIL_PORT"
STRIPE_PORT_VARIABLE = "LIVELLO_STRIPE_PORT"
CLOUD_PORT_DEFAULT = 4566
FRONT_DOOR_PORT_DEFAULT = 8080
MAIL_PORT_DEFAULT = 2525
STRIPE_PORT_DEFAULT = 12111
PORT_MAX = 65535

NEWEST_RUNTIME_MINOR = 13
"""Of the Pythons that template.yaml allows. The emulated AWS runs its own Python, whatever the template says."""


class LocalError(Exception):
    """Something that whoever runs the stack can put right; the message says what."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One local stack. Two with different ports and folders stand beside each other.

    `folder` holds its state and its logs, `artefacts` what was built for it.
    """

    folder: Path
    artefacts: Path
    cloud_port: int = CLOUD_PORT_DEFAULT
    front_door_port: int = FRONT_DOOR_PORT_DEFAULT
    mail_port: int = MAIL_PORT_DEFAULT
    stripe_port: int = STRIPE_PORT_DEFAULT
    persistent: bool = True
    stack: str = "livello"

    @property
    def cloud_address(self) -> str:
        """The emulated AWS."""
        return f"http://{HOST}:{self.cloud_port}"

    @property
    def address(self) -> str:
        """The front door, and so the one web origin."""
        return f"http://{HOST}:{self.front_door_port}"

    @property
    def stripe_address(self) -> str:
        """The stand-in for Stripe."""
        return f"http://{HOST}:{self.stripe_port}"

    @property
    def mail_folder(self) -> Path:
        """What the emulated AWS has mailed."""
        return self.folder / "mail"

    @property
    def build_folder(self) -> Path:
        """Apart from .aws-sam: what was built for this machine must never be deployed into the cloud."""
        return self.artefacts / "build"

    @property
    def layers_folder(self) -> Path:
        """The layers that were built, each under a name of its own."""
        return self.artefacts / "layers"


def settings_from_environment() -> Settings:
    """The stack of `make run`. Raises LocalError for a port that is none."""
    return Settings(
        folder=ROOT / ".local",
        artefacts=ROOT / ".local" / "artefacts",
        cloud_port=_port(CLOUD_PORT_VARIABLE, CLOUD_PORT_DEFAULT),
        front_door_port=_port(FRONT_DOOR_PORT_VARIABLE, FRONT_DOOR_PORT_DEFAULT),
        mail_port=_port(MAIL_PORT_VARIABLE, MAIL_PORT_DEFAULT),
        stripe_port=_port(STRIPE_PORT_VARIABLE, STRIPE_PORT_DEFAULT),
    )


def _port(variable: str, default: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not text.isdecimal() or not 0 < int(text) <= PORT_MAX:
        raise LocalError(f"{variable} must be a port between 1 and {PORT_MAX}, not {text!r}.")
    return int(text)


@dataclass(frozen=True, slots=True)
class Machine:
    """What the layer must be built for so that it runs here."""

    python: str
    runtime: str
    architecture: str
    platform: str


def this_machine() -> Machine:
    """This machine. Raises LocalError where the layer's packages have no builds for it."""
    architectures = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
    platforms = {
        ("linux", "x86_64"): "x86_64-manylinux_2_28",
        ("linux", "arm64"): "aarch64-manylinux_2_28",
        ("darwin", "x86_64"): "x86_64-apple-darwin",
        ("darwin", "arm64"): "aarch64-apple-darwin",
    }
    architecture = architectures.get(platform.machine().lower(), "")
    target = platforms.get((sys.platform, architecture))
    if target is None:
        raise LocalError(f"Livello runs locally on Linux and macOS, not on {sys.platform} {platform.machine()}.")
    minor = sys.version_info.minor
    return Machine(
        python=f"3.{minor}",
        runtime=f"python3.{min(minor, NEWEST_RUNTIME_MINOR)}",
        architecture=architecture,
        platform=target,
    )
