"""An earlier release in a checkout of its own. Its own Makefile and its own commands start and stop it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from local.settings import ROOT, Settings

FOLDER = ROOT / ".local" / "upgrade"
"""The checkouts of earlier releases, by commit. Their environments are kept from one run to the next."""

MAKE_SECONDS_MAX = 1800
_MAKES_OWN = ("MAKE", "MFLAGS", "PYTEST_", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")
"""Variables of this run that would change the earlier release's own make."""


@dataclass(frozen=True, slots=True)
class EarlierRelease:
    """A checkout of `commit`. Its stack uses `ports`, by variable."""

    commit: str
    folder: Path
    ports: Mapping[str, int]

    @property
    def settings(self) -> Settings:
        """Its stack, for today's clients: the same state, logs and ports."""
        front_door, cloud, mail, stripe, vies = self.ports.values()
        state = self.folder / ".local"
        return Settings(state, state / "artefacts", cloud, front_door, mail, stripe, vies)

    def make(self, target: str) -> None:
        """Runs a target of its Makefile; the output is in `<target>.log`. Raises AssertionError if it fails."""
        log = self.folder / f"{target}.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_MAKES_OWN)}
        environment |= {name: str(port) for name, port in self.ports.items()}
        with log.open("wb") as output:
            finished = subprocess.run(
                ["make", target],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=MAKE_SECONDS_MAX,
                check=False,
            )
        assert finished.returncode == 0, f"make {target} of {self.commit} failed:\n{log.read_text('utf-8')[-4_000:]}"


def earlier_release(revision: str, ports: Mapping[str, int]) -> EarlierRelease:
    """Checks out a tag or commit beside this checkout, without state. Raises AssertionError for an unknown revision."""
    commit = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").decode().strip()
    assert commit, f"{revision} is no tag or commit of this repository."
    folder = FOLDER / commit[:12]
    release = EarlierRelease(commit, folder, ports)
    if (folder / "Makefile").exists():
        release.make("clean")  # what an interrupted run has left
    shutil.rmtree(folder / ".local", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=BytesIO(_git("archive", "--format=tar", commit))) as archive:
        archive.extractall(folder, filter="data")
    return release


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False).stdout
