"""The Go client of oapi-codegen tells a customer's story. It is tried where Go is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.clients.story import UNKNOWN_FIELD, check
from tests.clients.tools import DOCUMENT, FOLDER, missing, run, told, warnings
from tests.company import Company

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(missing("go") is not None, reason="oapi-codegen is a program for Go, and there is none"),
]


def test_oapi_codegen(company: Company, issued: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FOLDER / "oapi_codegen", tmp_path / "client"))
    (folder / "livello").mkdir()
    said = run(["go", "tool", "oapi-codegen", "-config", "client.yaml", DOCUMENT], folder)
    assert warnings(said) == []
    run(["go", "vet", "./..."], folder)
    run(["go", "build", "-o", "story", "."], folder)

    check(told(company, issued, [folder / "story"], folder, UNKNOWN_FIELD), UNKNOWN_FIELD)
