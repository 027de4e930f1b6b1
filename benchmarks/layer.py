"""Builds the layer as `sam build` does, for benchmarks and tests of the artefact."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from local.settings import this_machine

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "layers" / "shared"
BUILD_SECONDS_MAX = 300


def build_layer_for_this_machine(artifacts: Path) -> Path:
    """Builds for this Python and processor. Returns the folder that a function has on its path."""
    machine = this_machine()
    build_layer(artifacts, machine.python, machine.platform, compiler=sys.executable)
    return artifacts / "python"


def build_layer(artifacts: Path, python: str, platform: str, compiler: str = "") -> str:
    """Builds into a folder that does not exist yet. Returns the output. Raises RuntimeError if the build fails."""
    variables = {
        "ARTIFACTS_DIR": str(artifacts),
        "LAYER_PYTHON": python,
        "LAYER_PLATFORM": platform,
        "LAYER_COMPILER": compiler,
        "PYTHON": sys.executable,
        "UV": os.environ.get("UV", str(ROOT / ".tools" / "bin" / "uv")),
    }
    finished = subprocess.run(
        ["make", "--directory", str(SOURCE), "build-Shared", *(f"{key}={value}" for key, value in variables.items())],
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS_MAX,
        check=False,
    )
    if finished.returncode:
        raise RuntimeError(f"The layer cannot be built:\n{finished.stdout}{finished.stderr}")
    return finished.stdout + finished.stderr
