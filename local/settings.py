"""The settings of one local Livello: ports, folders, names. They are passed as an argument, never global."""

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
"""The folder of the stack of `make run`: state, logs, artefacts."""

PORTAL = ROOT / "portal" / "dist"
"""The built billing page."""

HOST = "127.0.0.1"
REGION = "eu-central-1"

CLOUD_PORT_VARIABLE = "LIVELLO_CLOUD_PORT"
FRONT_DOOR_PORT_VARIABLE = "LIVELLO_PORT"
MAIL_PORT_VARIABLE = "LIVELLO_MAIL_PORT"
STRIPE_PORT_VARIABLE = "LIVELLO_STRIPE_PORT"
VIES_PORT_VARIABLE = "LIVELLO_VIES_PORT"
CLOUD_PORT_DEFAULT = 4566
FRONT_DOOR_PORT_DEFAULT = 8080
MAIL_PORT_DEFAULT = 2525
STRIPE_PORT_DEFAULT = 12111
VIES_PORT_DEFAULT = 12112
PORT_MAX = 65535
HTTP_PORT = 80
PORT_DIGITS_MAX = 5

PORT_DEFAULTS = {
    FRONT_DOOR_PORT_VARIABLE: FRONT_DOOR_PORT_DEFAULT,
    CLOUD_PORT_VARIABLE: CLOUD_PORT_DEFAULT,
    MAIL_PORT_VARIABLE: MAIL_PORT_DEFAULT,
    STRIPE_PORT_VARIABLE: STRIPE_PORT_DEFAULT,
    VIES_PORT_VARIABLE: VIES_PORT_DEFAULT,
}
"""The default ports, by the variable that overrides each."""

RUNTIME_MINORS = (12, 13)
"""The oldest and the newest Python in template.yaml are 3.12 and 3.13. The emulated AWS always runs this machine's,
which may be older. On AWS the layer's packages need a newer C library than Python 3.11 has there."""


class LocalError(Exception):
    """A failure that the person who runs the stack can fix. The message says how."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One local stack. Stacks with different ports and folders run side by side.

    `folder` holds the state and the logs, `artefacts` the build. Only a `persistent` stack saves its state.
    """

    folder: Path
    artefacts: Path
    cloud_port: int = CLOUD_PORT_DEFAULT
    front_door_port: int = FRONT_DOOR_PORT_DEFAULT
    mail_port: int = MAIL_PORT_DEFAULT
    stripe_port: int = STRIPE_PORT_DEFAULT
    vies_port: int = VIES_PORT_DEFAULT
    persistent: bool = True
    stack: str = "livello"

    @property
    def cloud_address(self) -> str:
        """The endpoint of the emulated AWS."""
        return f"http://{HOST}:{self.cloud_port}"

    @property
    def address(self) -> str:
        """The front door's address, which is the only web origin."""
        # As a browser writes an origin: without the default port.
        return f"http://{HOST}" if self.front_door_port == HTTP_PORT else f"http://{HOST}:{self.front_door_port}"

    @property
    def stripe_address(self) -> str:
        """The address of the stand-in for Stripe."""
        return f"http://{HOST}:{self.stripe_port}"

    @property
    def vies_address(self) -> str:
        """The address of the stand-in for VIES."""
        return f"http://{HOST}:{self.vies_port}"

    @property
    def mail_folder(self) -> Path:
        """The mail that the emulated AWS has sent."""
        return self.folder / "mail"

    @property
    def build_folder(self) -> Path:
        """The output of `sam build`. Not .aws-sam: a build for this machine must never be deployed to the cloud."""
        return self.artefacts / "build"

    @property
    def layers_folder(self) -> Path:
        """The built layers, each under a digest of its contents."""
        return self.artefacts / "layers"


def settings_from_environment(folder: Path = FOLDER) -> Settings:
    """The stack of `make run` in this folder. A port is that of the environment, else the remembered or default one.

    Raises LocalError for an invalid port, and for two servers on one port.
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
        vies_port=ports[VIES_PORT_VARIABLE],
    )


def ports_file(folder: Path) -> Path:
    """The file with the ports of the last `make run`."""
    return folder / "ports.json"


def remembered_ports(folder: Path) -> dict[str, int]:
    """The ports of the last `make run` in this folder, by variable; empty before the first.

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
    """The ports of a stack, by variable."""
    return {
        FRONT_DOOR_PORT_VARIABLE: settings.front_door_port,
        CLOUD_PORT_VARIABLE: settings.cloud_port,
        MAIL_PORT_VARIABLE: settings.mail_port,
        STRIPE_PORT_VARIABLE: settings.stripe_port,
        VIES_PORT_VARIABLE: settings.vies_port,
    }


def names_a_port(environment: Mapping[str, str]) -> bool:
    """Whether the environment names any port."""
    return any(environment.get(name) for name in PORT_DEFAULTS)


def _port(variable: str, default: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) <= PORT_DIGITS_MAX and 0 < int(text) <= PORT_MAX):
        raise LocalError(f"{variable} must be a port between 1 and {PORT_MAX}, not {text!r}.")
    return int(text)


@dataclass(frozen=True, slots=True)
class Machine:
    """The target of the layer's build: Python version, Lambda runtime, architecture and uv's platform."""

    python: str
    runtime: str
    architecture: str
    platform: str


def this_machine() -> Machine:
    """The build target of this machine. Raises LocalError if the layer's packages have no builds for it."""
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
        runtime=f"python3.{min(max(minor, RUNTIME_MINORS[0]), RUNTIME_MINORS[1])}",
        architecture=architecture,
        platform=target,
    )
