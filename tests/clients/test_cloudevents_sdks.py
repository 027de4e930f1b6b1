"""The official SDKs of CloudEvents report usage with their defaults, in each mode that they have.

`make test-clients` makes the environment of those for Python and JavaScript. Those for Go and Java need Go, and Java
with Maven: where these are not, their tests are skipped and say so.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from billing import wiring

from tests.api_gateway import MACHINE, NOW
from tests.aws import REGION
from tests.clients.http_gateway import served
from tests.clients.tools import FOLDER, PYTHON, Command, missing, npm, run
from tests.company import Company
from tests.samples import ACCOUNT
from tests.usage import totals

EVENT: dict[str, Any] = {
    "source": "//shop.example/search",
    "type": "usage.search",
    "subject": f"{ACCOUNT['account']}/nordlys-dk",
    "time": "2026-06-10T11:00:00Z",
    "data": {"quantity": 0.5, "content": "Größe #1 ☕"},
}

pytestmark = pytest.mark.clients


@pytest.fixture(autouse=True)
def backlog(company: Company, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The function's backlog queue, on moto."""
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.create_queue(QueueName="usage-backlog")["QueueUrl"]
    monkeypatch.setenv("USAGE_BACKLOG_URL", url)
    monkeypatch.setenv("USAGE_REPORTED_WITHIN_DAYS", "35")
    wiring.forget()
    yield
    sqs.delete_queue(QueueUrl=url)


def statuses(command: Command, folder: Path) -> dict[str, int]:
    """The statuses by mode of the events that a program sends."""
    with served({"machine": MACHINE}) as address:
        order = {"address": f"{address}/usage", "token": "machine", "event": EVENT}
        given: dict[str, int] = json.loads(run(command, folder, json.dumps(order)))
    return given


def counted(events: int) -> dict[str, dict[Any, Decimal]]:
    return {"search": {NOW.date(): events * Decimal("0.5")}}


def test_python() -> None:
    given = statuses([PYTHON, FOLDER / "send_events.py"], FOLDER)

    single = {"binary", "structured", "bytes", "first binary", "first structured"}
    assert given == {**dict.fromkeys(single, 202), "batch": 200}
    assert totals() == counted(7)


def test_javascript(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FOLDER / "javascript", tmp_path / "javascript"))
    run([*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)

    given = statuses(["node", "send.mjs"], folder)

    single = {"default", "binary", "structured", "bytes", "double"}
    assert given == {**dict.fromkeys(single, 202), "batch": 200}
    assert totals() == {"search": {NOW.date(): Decimal("3.6")}}


def test_go(tmp_path: Path) -> None:
    if missing("go"):
        pytest.skip("there is no Go here")
    program = tmp_path / "send"
    run(["go", "build", "-mod=readonly", "-o", program, "."], FOLDER / "go")

    given = statuses([program], FOLDER)

    assert given == {**dict.fromkeys({"default", "binary", "structured"}, 202), "batch": 200}
    assert totals() == counted(5)


def test_java(tmp_path: Path) -> None:
    if missing("mvn", "java"):
        pytest.skip("there is no Java with Maven here")
    folder = Path(shutil.copytree(FOLDER / "java", tmp_path / "java"))
    class_path = tmp_path / "class-path"
    run(["mvn", "-q", "-B", "compile", "dependency:build-classpath", f"-Dmdep.outputFile={class_path}"], folder)
    classes = f"{folder / 'target' / 'classes'}{os.pathsep}{class_path.read_text(encoding='utf-8')}"

    given = statuses(["java", "-cp", classes, "Send"], folder)

    assert given == dict.fromkeys({"binary", "structured"}, 202)
    assert totals() == counted(2)
