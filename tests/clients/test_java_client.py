"""The Java client of openapi-generator tells a customer's story. It is tried where Java is, with Maven."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.clients.story import check
from tests.clients.tools import FOLDER, OF_OPENAPI_GENERATOR, missing, openapi_generator, run, told, warnings
from tests.company import Company

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(
        missing("java", "javac", "mvn") is not None,
        reason="openapi-generator's Java client needs a JDK and Maven, and there are not both",
    ),
]


def test_openapi_generator(company: Company, issued: str, tmp_path: Path) -> None:
    folder = tmp_path / "client"
    options = "apis,models,supportingFiles,apiTests=false,modelTests=false,apiDocs=false,modelDocs=false"
    command = openapi_generator("java", folder, "--global-property", options)
    assert warnings(run(command, tmp_path), *OF_OPENAPI_GENERATOR) == []
    shutil.copytree(FOLDER / "openapi_generator_java", folder, dirs_exist_ok=True)
    class_path = folder / "class-path"
    run(["mvn", "-q", "-B", "compile", "dependency:build-classpath", f"-Dmdep.outputFile={class_path}"], folder)
    classes = f"{folder / 'target' / 'classes'}{os.pathsep}{class_path.read_text(encoding='utf-8')}"

    check(told(company, issued, ["java", "-cp", classes, "Story"], folder))
