"""The Python clients of openapi-python-client and openapi-generator tell a customer's story."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.story import check
from tests.clients.tools import (
    DOCUMENT,
    FOLDER,
    OF_OPENAPI_GENERATOR,
    PYTHON,
    Command,
    missing,
    openapi_generator,
    run,
    told,
    warnings,
)
from tests.company import Company
from tests.template import ROOT

RUNNER = FOLDER / "run_story.py"

pytestmark = pytest.mark.clients


def check_types(folder: Path, *strictness: str) -> None:
    """mypy accepts the client, with the dependencies of the environment that runs it."""
    mypy = [ROOT / ".venv" / "bin" / "python", "-m", "mypy", "--config-file", "", "--python-executable", PYTHON]
    run([*map(str, mypy), *strictness, "-p", "livello_client"], folder)


def test_openapi_python_client(company: Company, issued: str, tmp_path: Path) -> None:
    folder = tmp_path / "livello"
    command: Command = [PYTHON, "-m", "openapi_python_client", "generate", "--path", DOCUMENT, "--output-path", folder]
    assert warnings(run(command, tmp_path)) == []
    check_types(folder, "--strict")

    check(told(company, issued, [PYTHON, RUNNER, "openapi-python-client"], folder, PYTHONPATH="."))


@pytest.mark.skipif(missing("java") is not None, reason="openapi-generator is a program for Java, and there is none")
def test_openapi_generator(company: Company, issued: str, tmp_path: Path) -> None:
    command = openapi_generator("python", tmp_path, "--package-name", "livello_client")
    assert warnings(run(command, tmp_path), *OF_OPENAPI_GENERATOR) == []
    check_types(tmp_path)

    check(told(company, issued, [PYTHON, RUNNER, "openapi-generator"], tmp_path, PYTHONPATH="."))
