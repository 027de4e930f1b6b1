"""The TypeScript client of openapi-typescript and openapi-fetch tells a customer's story."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.clients.story import UNKNOWN_FIELD, check
from tests.clients.tools import DOCUMENT, FOLDER, npm, run, told, warnings
from tests.company import Company

pytestmark = pytest.mark.clients


def test_openapi_typescript(company: Company, issued: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FOLDER / "openapi_typescript", tmp_path / "client"))
    run([*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"], folder)
    tools = folder / "node_modules"

    said = run(["node", tools / "openapi-typescript" / "bin" / "cli.js", DOCUMENT, "-o", "livello.d.ts"], folder)
    assert warnings(said) == []
    run(["node", tools / "typescript" / "bin" / "tsc"], folder)

    check(told(company, issued, ["node", "built/story.js"], folder, UNKNOWN_FIELD), UNKNOWN_FIELD)
