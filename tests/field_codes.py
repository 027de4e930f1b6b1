"""Holds every problem that a function answers in a test against what is documented of the codes of fields."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import orjson

from tests.template import ROOT

OPENAPI = ROOT / "functions" / "describe_api" / "openapi.json"
DOCUMENTATION = ROOT / "docs" / "api.md"

_ROW = re.compile(r"^\| `([a-z-]+)` \| (.*) \|$", re.MULTILINE)
_LIMIT = re.compile(r"`(\w+)`")


@cache
def in_openapi() -> frozenset[str]:
    """The codes of the OpenAPI document."""
    return frozenset(orjson.loads(OPENAPI.read_bytes())["components"]["schemas"]["FieldCode"]["enum"])


@cache
def documented() -> dict[str, frozenset[str]]:
    """The codes of docs/api.md, each with its limits."""
    chapter = DOCUMENTATION.read_text(encoding="utf-8").partition('<a id="codes"></a>')[2].partition("<a id=")[0]
    return {code: frozenset(_LIMIT.findall(text)) for code, text in _ROW.findall(chapter)}


def check_problem(problem: dict[str, Any]) -> None:
    """Raises AssertionError for a problem whose errors have an undocumented code, or a limit that it does not have."""
    for each in problem.get("errors", ()):
        check_entry(each)


def check_entry(entry: dict[str, Any]) -> None:
    """Raises AssertionError for an entry that a page could not say in its own language."""
    assert {"code", "detail"} < entry.keys() <= {"code", "detail", "limits", "pointer", "parameter", "in"}, entry
    assert ("pointer" in entry) != ("parameter" in entry), entry
    assert entry["code"] in in_openapi(), f"make openapi: {entry}"
    assert entry["code"] in documented(), f"docs/api.md does not document {entry}"
    assert entry.get("limits", {}).keys() <= documented()[entry["code"]], f"docs/api.md does not document {entry}"
