"""Where everything of one local Livello stands: its ports, its folder, its names. Passed along, never global."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".local"
"""Everything of the stack of `make run`."""

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
HTTP_PORT = 80
PORT_DIGITS_MAX = 5

PORT_DEFAULTS = {
    FRONT_DOOR_PORT_VARIABLE: FRONT_DOOR_PORT_DEFAULT,
    CLOUD_PORT_VARIABLE: CLOUD_PORT_DEFAULT,
    MAIL_PORT_VARIABLE: MAIL_PORT_DEFAULT,
    STRIPE_PORT_VARIABLE: STRIPE_PORT_DEFAULT,
}
"""By the variable that names another one."""

NEWEST_RUNTIME_MINOR = 13
"""Of the Pythons that template.yaml allows. The emulated AWS runs its own Python, whatever the template says."""


class LocalError(Exception):
    """Something that the person who runs the stack can put right; the message says what."""


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
        # As a browser writes an origin: without the port that it takes by itself.
        return f"http://{HOST}" if self.front_door_port == HTTP_PORT else f"http://{HOST}:{self.front_door_port}"

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


def settings_from_environment(folder: Path = FOLDER) -> Settings:
    """The stack of `make run` in this folder: its ports as given now, or else as given last.

    Raises LocalError for a port that is none, and for two servers on one port.
    """
    remembered = remembered_ports(folder)
    ports = {name: _port(name, remembered.get(name, default)) for name, default in PORT_DEFAULTS.items()}
    by_port: dict[int, str] = {}
    for name, port in ports.items():
        other = by_port.setdefault(port, name)
        if other != name:
            raise LocalError(f"{other} and {name} are both {port}. Each server needs a port of its own.")
    return Settings(
        folder=folder,
        artefacts=folder / "artefacts",
        cloud_port=ports[CLOUD_PORT_VARIABLE],
        front_door_port=ports[FRONT_DOOR_PORT_VARIABLE],
        mail_port=ports[MAIL_PORT_VARIABLE],
        stripe_port=ports[STRIPE_PORT_VARIABLE],
    )


def ports_file(folder: Path) -> Path:
    """Where the ports of the last `make run` are kept."""
    return folder / "ports.json"


def remembered_ports(folder: Path) -> dict[str, int]:
    """The ports of the last `make run` in this folder, by their variables; empty before the first.

    Raises LocalError for a damaged file.
    """
    file = ports_file(folder)
    try:
        ports = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError):
        ports = None
    if not isinstance(ports, dict) or not all(type(each) is int and 0 < each <= PORT_MAX for each in ports.values()):
        raise LocalError(
            f"{file} is damaged: it does not hold the ports of the last make run. "
            "Remove it, and name the ports again if they are not the usual ones."
        )
    return ports


def ports_of(settings: Settings) -> dict[str, int]:
    """Its ports, by the variables that name them."""
    return {
        FRONT_DOOR_PORT_VARIABLE: settings.front_door_port,
        CLOUD_PORT_VARIABLE: settings.cloud_port,
        MAIL_PORT_VARIABLE: settings.mail_port,
        STRIPE_PORT_VARIABLE: settings.stripe_port,
    }


def are_given(environment: Mapping[str, str]) -> bool:
    """Whether the environment names any port."""
    return any(environment.get(name) for name in PORT_DEFAULTS)


def _port(variable: str, default: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) <= PORT_DIGITS_MAX and 0 < int(text) <= PORT_MAX):
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
