"""The contract that functions keep: each answer in a test is one that the OpenAPI document has.

Its status, media type, headers and body are compared with the committed document, on the spot. So the document says
what handlers really answer, and a test fails where it does not.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.template import ROOT

JSON_TYPES = ("application/json", "application/problem+json")
BODIES_MAX = 25
"""How many bodies of an operation and status one run compares with their schema: each takes a millisecond or more."""

OF_A_BODY = frozenset({400, 413, 415})
"""The refusals of a body, which a client may also send to an operation that takes none."""

_compared: Counter[tuple[str, str, int]] = Counter()


def forget() -> None:
    """The next bodies are compared, as if they were the first of a run."""
    _compared.clear()


@cache
def document() -> dict[str, Any]:
    """The committed OpenAPI document."""
    text = (ROOT / "functions" / "describe_api" / "openapi.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def resolved(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """A response or a header of the document; one that is referred to, from the components."""
    if "$ref" not in entry:
        return entry
    _, _, kind, name = entry["$ref"].split("/")
    found: Mapping[str, Any] = document()["components"][kind][name]
    return found


def faults(method: str, route: str, status: int, headers: Mapping[str, str], body: str | None) -> list[str]:
    """What the document does not say of an answer. None for a route that it does not have."""
    operation = document()["paths"].get(route, {}).get(method.lower())
    if operation is None:
        return []
    what = f"{method} {route} answers {status}"
    of_no_body = status in OF_A_BODY and "requestBody" not in operation
    documented = operation["responses"].get("default" if status >= 500 or of_no_body else str(status))
    if documented is None:
        return [f"{what}, which is not documented"]
    answer = resolved(documented)
    found = []
    content = answer.get("content", {})
    media_type = headers.get("Content-Type", "").partition(";")[0]
    if not content and (body or media_type):
        return [f"{what} with a body, and none is documented"]
    if content and media_type not in content:
        return [f"{what} as {media_type}, and documented are {sorted(content)}"]
    for name in answer.get("headers", {}):
        if name not in headers and status not in {429, 503}:
            found.append(f"{what} without the header {name}")
    if media_type in JSON_TYPES and _compared[method, route, status] < BODIES_MAX:
        _compared[method, route, status] += 1
        validator = _validator(route, method.lower(), str(status), media_type)
        found += [f"{what}: {each.json_path}: {each.message[:200]}" for each in validator(json.loads(body or ""))]
    return found


@cache
def _registry() -> Registry[Any]:
    empty: Registry[Any] = Registry()
    registry: Registry[Any] = empty.with_resource("document", DRAFT202012.create_resource(document()))
    return registry


@cache
def _validator(route: str, method: str, status: str, media_type: str) -> Any:
    responses = document()["paths"][route][method]["responses"]
    schema = resolved(responses.get(status, responses["default"]))["content"][media_type]["schema"]
    at_document = json.loads(json.dumps(schema).replace('"#/', '"document#/'))
    return Draft202012Validator(at_document, registry=_registry()).iter_errors
