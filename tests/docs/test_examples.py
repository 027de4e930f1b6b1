"""The examples of README.md and docs/*.md: the programs accept the commands and JSON that readers paste.

tests/stack/test_examples.py runs the examples that need a running Livello.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from functions.record_usage.app import handler as record_usage
from local.settings import FRONT_DOOR_PORT_DEFAULT
from tests.api_gateway import MACHINE, answer, request
from tests.company import Company
from tests.docs.examples import PYTHON, Example, calls, examples, examples_of
from tests.samples import ACCOUNT
from tests.template import ROOT, template

API = "https://api.example/v1"
LOCAL_API = f"http://127.0.0.1:{FRONT_DOOR_PORT_DEFAULT}/v1"
DOCUMENTED = json.loads((ROOT / "functions" / "describe_api" / "openapi.json").read_text(encoding="utf-8"))["paths"]
SHELL = [example for example in examples() if example.is_shell]
JSON = [example for example in examples() if example.is_json]


class Parsed(Exception):
    """An argument parser has accepted all arguments."""


@pytest.mark.parametrize("example", SHELL, ids=lambda example: example.id)
def test_the_program_accepts_a_documented_command(
    example: Example, tmp_path: Path, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program, *arguments in calls(example, tmp_path, {"API": API, "TOKEN": "token"}):
        CHECKS[program](arguments, monkeypatch)


def test_documented_json_is_valid(company: Company) -> None:
    for example in JSON:
        content = json.loads(example.text)
        events = content if isinstance(content, list) else [content]
        if all(isinstance(event, dict) and "specversion" in event for event in events):
            check_usage(events)


def test_fenced_and_indented_blocks_are_examples(tmp_path: Path) -> None:
    text = """
Words.

    make run

    make stop

1. A list

       of words

Then:

```json
{"a": 1}
```

~~~sh
$ make [--silent] test
~~~
"""
    (tmp_path / "page.md").write_text(text, encoding="utf-8")

    blocks = list(examples_of(tmp_path / "page.md", tmp_path))

    assert [(each.line, each.is_shell, each.is_json) for each in blocks] == [
        (4, True, False),
        (15, False, True),
        (19, True, False),
    ]
    assert blocks[0].text == "make run\n\nmake stop"
    assert calls(blocks[2], tmp_path, {}) == [["make", "--silent", "test"]]


def test_the_main_documents_have_examples() -> None:
    """Guards against a rewritten document whose blocks the reader of examples no longer finds."""
    assert {"README.md", "docs/import.md", "docs/dead-letters.md"} <= {example.document for example in SHELL}
    assert any("/usage" in example.text and "curl" in example.text for example in SHELL)


def check_make(arguments: list[str], _: pytest.MonkeyPatch) -> None:
    targets = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {each for each in arguments if "=" not in each and not each.startswith("-")} <= set(targets)


def check_python(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The script's own parser accepts the arguments. The script itself does not run."""
    assert arguments[0] == "-m"
    parse = argparse.ArgumentParser.parse_args

    def parse_only(self: argparse.ArgumentParser, *given: Any) -> Any:
        raise Parsed(parse(self, *given))

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
    with pytest.raises(Parsed):
        importlib.import_module(arguments[1]).main(arguments[2:])
    monkeypatch.undo()


def check_curl(arguments: list[str], _: pytest.MonkeyPatch) -> None:
    """The OpenAPI document has the route. Usage is accepted."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("url")
    parser.add_argument("-s", "--silent", action="store_true")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-X", "--request")
    parser.add_argument("-d", "--data")
    parser.add_argument("-u", "--user")
    asked = parser.parse_args(arguments)
    method = (asked.request or ("GET" if asked.data is None else "POST")).lower()
    base = next((each for each in (API, LOCAL_API) if asked.url.startswith(each)), None)
    assert base is not None, f"{asked.url} is not an address of the API"
    path = asked.url.removeprefix(base).partition("?")[0]
    routes = [route for route in DOCUMENTED if re.fullmatch(re.sub(r"{[^}]*}", "[^/]+", route), path)]
    assert any(method in DOCUMENTED[route] for route in routes), f"{method} {path} is not in the OpenAPI document"
    if path == "/usage":
        check_usage(json.loads(asked.data))


def check_usage(events: list[dict[str, Any]]) -> None:
    """The function accepts the events. They are about the sample account, which is that of the demonstration."""
    now = max(datetime.fromisoformat(each["time"]) for each in events)
    assert all(each["subject"].startswith(f"{ACCOUNT['account']}/") for each in events)
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    given = answer(record_usage, request("POST", "/usage", claims=MACHINE, body=events, headers=headers, now=now))
    assert [each["outcome"] for each in given.body["results"]] == ["accepted"] * len(events), given


def check_aws(arguments: list[str], _: pytest.MonkeyPatch) -> None:
    """The AWS service has the operation with these parameters."""
    service, operation, *options = arguments
    model = botocore.session.get_session().get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    shape: Any = model.operation_model(operations[operation]).input_shape
    assert {each for each in options if each.startswith("--")} <= {
        f"--{xform_name(name, '-')}" for name in shape.members
    }


def test_the_first_member_of_staff_can_log_in_by_the_documented_commands() -> None:
    """A user that Cognito's admin-create-user has made must change the temporary password first.

    They join the group once they have a second factor: without one the group gives no rights.
    """
    commands = [
        line.split()[2]
        for line in (ROOT / "docs" / "operate.md").read_text("utf-8").splitlines()
        if line.startswith("    aws cognito-idp ")
    ]
    assert commands == [
        *("admin-create-user", "admin-set-user-password", "initiate-auth"),
        *("associate-software-token", "verify-software-token", "set-user-mfa-preference"),
        *("admin-add-user-to-group", "initiate-auth", "respond-to-auth-challenge"),
        *("admin-remove-user-from-group", "admin-set-user-mfa-preference", "admin-user-global-sign-out"),
    ]


def check_sam(arguments: list[str], _: pytest.MonkeyPatch) -> None:
    assert arguments[0] in {"build", "delete", "deploy", "validate"}
    overrides = [each.partition("=")[0] for each in arguments if "=" in each and not each.startswith("-")]
    assert set(overrides) <= set(template()["Parameters"])


def check_uv(arguments: list[str], _: pytest.MonkeyPatch) -> None:
    assert arguments[:2] == ["python", "install"]


CHECKS: dict[str, Callable[[list[str], pytest.MonkeyPatch], None]] = {
    "aws": check_aws,
    "curl": check_curl,
    "git": lambda *_: None,
    "make": check_make,
    PYTHON: check_python,
    "sam": check_sam,
    "uv": check_uv,
}
