"""Writes functions/describe_api/openapi.json, the OpenAPI 3.1 document of all functions, from their code.

With --check it writes nothing, and fails if the committed document differs from the code.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver

LOCATION = {"description": "Where it is from now on.", "schema": {"type": "string"}}
ETAG = {"description": "Names this version, for If-Match.", "schema": {"type": "string"}}
ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "functions" / "describe_api" / "openapi.json"
PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457. `type` is stable: a client may tell problems apart by it.",
    "required": ["type", "title", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "examples": ["urn:livello:problem:account-not-found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "One entry per bad field: `pointer` into the body, or the name of a parameter.",
            "items": {
                "type": "object",
                "required": ["code", "detail"],
                "properties": {
                    "code": {"$ref": "#/components/schemas/FieldCode"},
                    "detail": {"type": "string"},
                    "limits": {
                        "type": "object",
                        "description": "What the code is about: `min`, `max`, `allowed`, `pattern` and others.",
                        "additionalProperties": {
                            "anyOf": [
                                {"type": "integer"},
                                {"type": "string"},
                                {"type": "array", "items": {"type": "string"}},
                            ]
                        },
                    },
                    "pointer": {"type": "string", "examples": ["#/contract/start"]},
                    "parameter": {"type": "string"},
                    "in": {"type": "string", "enum": ["path", "query", "header"]},
                },
            },
        },
        "missing": {
            "type": "array",
            "description": "What keeps each product from a review.",
            "items": {
                "type": "object",
                "required": ["product", "name", "reason", "months_known", "months_below", "detail"],
                "properties": {
                    "product": {"type": "string"},
                    "name": {"type": "string"},
                    "reason": {"type": "string", "enum": ["above", "lowest_tier", "too_few_months"]},
                    "months_known": {"type": "integer"},
                    "months_below": {"type": "integer"},
                    "average": {"type": ["string", "null"]},
                    "limit": {"type": ["integer", "null"]},
                    "detail": {
                        "type": "string",
                        "examples": ["2 of 3 months below; average 61,200, must be ≤ 50,000"],
                    },
                },
            },
        },
        "preview": {
            "description": "What would follow from a cancellation now.",
            "$ref": "#/components/schemas/ConsequencesView",
        },
        "admins": {
            "type": "array",
            "description": "Whom a member may ask for what only an admin may do.",
            "items": {
                "type": "object",
                "required": ["name", "email"],
                "properties": {"name": {"type": "string"}, "email": {"type": "string", "format": "email"}},
            },
        },
    },
}


def resolvers() -> dict[str, APIGatewayRestResolver]:
    """The resolver of every function that has one, by the name of its folder. Imports all functions."""
    modules = {
        path.parent.name: importlib.import_module(f"functions.{path.parent.name}.app")
        for path in sorted((ROOT / "functions").glob("*/app.py"))
    }
    return {name: module.app for name, module in modules.items() if hasattr(module, "app")}


def document() -> dict[str, Any]:
    """The whole API in one document. Raises ValueError if two functions give one name to different things."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {"Problem": PROBLEM}
    for resolver in resolvers().values():
        part = json.loads(resolver.get_openapi_json_schema(title="Livello", version=version, openapi_version="3.1.0"))
        for route in (*resolver._static_routes, *resolver._dynamic_routes):
            operation = part["paths"][route.openapi_path][route.method.lower()]
            described = _described(operation, route.func.__name__, inspect.getdoc(route.func) or "")
            _add(paths.setdefault(route.openapi_path, {}), route.method.lower(), described, route.openapi_path)
        for name, schema in part.get("components", {}).get("schemas", {}).items():
            if not name.endswith("ValidationError"):
                _add(schemas, name, schema, "the schemas")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Livello",
            "version": version,
            "description": "Subscription billing in monthly usage tiers.",
        },
        "servers": [{"url": "/v1"}],
        "security": [{"person": []}],
        "paths": {path: _with_versions(operations) for path, operations in sorted(paths.items())},
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": {
                "Problem": {
                    "description": "What is wrong, in words.",
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
            },
            "securitySchemes": {
                "person": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The ID token of a person who has logged in.",
                }
            },
        },
    }


def text() -> str:
    """The document as JSON text, from the code."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def _described(operation: dict[str, Any], name: str, promise: str) -> dict[str, Any]:
    """The operation with its function's name as its id, and problem documents in place of the library's errors."""
    responses = {code: dict(each) for code, each in operation["responses"].items() if code.startswith("2")}
    if "201" in responses:
        responses["201"]["headers"] = {"Location": LOCATION}
    if "204" in responses:
        responses["204"].pop("content")
    return {
        **operation,
        "operationId": name,
        "summary": promise.splitlines()[0],
        "responses": {**responses, "default": {"$ref": "#/components/responses/Problem"}},
    }


def _with_versions(operations: dict[str, Any]) -> dict[str, Any]:
    """Adds the response header ETag to a path that takes If-Match."""
    parameters = [each["name"] for operation in operations.values() for each in operation.get("parameters", [])]
    if "if-match" in parameters:
        for operation in operations.values():
            operation["responses"]["200"]["headers"] = {"ETag": ETAG}
    return operations


def _add(entries: dict[str, Any], name: str, value: Any, where: str) -> None:
    if entries.setdefault(name, value) != value:
        raise ValueError(f"{where} has two different entries {name}")


def main() -> int:
    """Writes the document, or compares it with --check. Returns the exit status."""
    if "--check" in sys.argv:
        if DOCUMENT.exists() and DOCUMENT.read_text(encoding="utf-8") == text():
            return 0
        sys.stderr.write("functions/describe_api/openapi.json is not what the code says: make openapi\n")
        return 1
    DOCUMENT.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
