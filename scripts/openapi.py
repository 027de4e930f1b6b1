"""Writes functions/describe_api/openapi.json, the OpenAPI 3.1 document of all functions, from their code.

With --check it writes nothing, and fails if the committed document differs from the code.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import tomllib
import typing
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from billing.accounts.admission import Permits, StaffOnly
from billing.kernel.permissions import ALLOWED, USAGE_SCOPE, Role
from billing.platform.http.answers import CSV, JSON, XLSX, Documented, Response
from billing.platform.http.bodies import FILE_TYPES
from billing.platform.http.callers import machine_context
from billing.platform.http.judge import judges_of
from billing.platform.http.problems import PROBLEM_JSON

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "functions" / "describe_api" / "openapi.json"
HEADERS: dict[str, dict[str, Any]] = {
    "ETag": {"description": "Names this version, for If-Match.", "schema": {"type": "string"}},
    "Location": {"description": "Where it is from now on.", "schema": {"type": "string"}},
    "Retry-After": {
        "description": "After how many seconds to ask again.",
        "schema": {"type": "integer", "format": "int64"},
    },
    "WWW-Authenticate": {
        "description": "Bearer: the token is missing, expired or another.",
        "schema": {"type": "string"},
    },
}
REFUSALS = {
    400: ("Malformed", "The body is not JSON."),
    401: ("Unauthenticated", "The token is missing, has expired, or is of another kind.", "WWW-Authenticate"),
    403: ("Forbidden", "The caller may not do this."),
    404: ("NotFound", "There is no such thing, or the caller may not know of it."),
    409: ("Conflict", "It cannot be done as things are, or something has changed meanwhile."),
    412: ("Stale", "It has changed since the version that If-Match names."),
    413: ("TooLarge", "The body is too large."),
    415: ("UnsupportedMediaType", "The body has a media type that is not taken."),
    422: ("Invalid", "Fields or parameters do not fit: `errors` names each."),
    428: ("VersionRequired", "If-Match must name the version that is replaced."),
    429: ("TooManyRequests", "Too many requests, or too many invitations today.", "Retry-After"),
    503: ("Busy", "Try the same again after a moment.", "Retry-After"),
}
"""The refusals by status: the name, description and headers of their response."""
LIMITS = ("multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
FILE = "StatementFileBody"
"""The schema of a body that may also be the file itself."""

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
                "required": ["name", "email", "status"],
                "properties": {
                    "name": {"type": "string"},
                    "email": {"type": "string", "format": "email"},
                    "status": {"type": "string", "enum": ["invited", "active"]},
                },
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
    schemas: dict[str, Any] = {"Problem": _tidied(PROBLEM)}
    for resolver in resolvers().values():
        part = json.loads(resolver.get_openapi_json_schema(title="Livello", version=version, openapi_version="3.1.0"))
        for route in (*resolver._static_routes, *resolver._dynamic_routes):
            operation = part["paths"][route.openapi_path][route.method.lower()]
            _add(
                paths.setdefault(route.openapi_path, {}),
                route.method.lower(),
                _described(operation, route, schemas),
                route.openapi_path,
            )
        for name, schema in part.get("components", {}).get("schemas", {}).items():
            if not name.endswith("ValidationError"):
                _add(schemas, name, _tidied(schema), "the schemas")
    tags = {tag for operations in paths.values() for each in operations.values() for tag in each["tags"]}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Livello",
            "version": version,
            "description": "Subscription billing in monthly usage tiers.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/v1"}],
        "tags": [{"name": tag} for tag in sorted(tags)],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": {
                "Problem": _problem("What is wrong, in words."),
                **{name: _problem(description, *headers) for name, description, *headers in REFUSALS.values()},
            },
            "headers": {name: HEADERS[name] for name in sorted(HEADERS)},
            "securitySchemes": {
                "person": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The ID token of a person who has logged in to the user pool.",
                },
                "machine": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": f"The access token of a machine, with the scope {USAGE_SCOPE} (client credentials).",
                },
            },
        },
    }


def text() -> str:
    """The document as JSON text, from the code."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def documented(route: Callable[..., Any]) -> tuple[Documented, ...]:
    """The answers that a route's return type names; 200 with JSON where it names none."""
    returned = typing.get_type_hints(route, include_extras=True)["return"]
    if typing.get_origin(returned) is Response:
        [returned] = typing.get_args(returned)
    named = tuple(each for each in getattr(returned, "__metadata__", ()) if isinstance(each, Documented))
    return named or (Documented(200),)


def _described(operation: dict[str, Any], route: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """The operation as it is: its function's name as its id, who may call it, and the answers that it gives.

    Unions that have a name are added to `schemas`.
    """
    summary, _, more = (inspect.getdoc(route.func) or "").partition("\n")
    judges = [*judges_of(route.func)]
    is_machine = any(each.dependency is machine_context for each in judges)
    roles = {role for each in judges if isinstance(each, Permits | StaffOnly) for role in ALLOWED[each.permission]}
    callers = [f"{role}s" if role is not Role.STAFF else str(role) for role in Role if role in roles]
    whom = "the vendor's product" if is_machine else _listed(callers) or "each person who has logged in"
    parameters = [
        _parameter(each, operation) for each in operation.get("parameters", []) if each["name"].lower() != "accept"
    ]
    described: dict[str, Any] = {
        "operationId": route.func.__name__,
        "summary": summary,
        "description": " ".join(filter(None, (" ".join(more.split()), f"For {whom}."))),
        "tags": [_tag(route.openapi_path)],
        "security": [{"machine": []} if is_machine else {"person": []}],
        "parameters": parameters,
    }
    if "requestBody" in operation:
        described["requestBody"] = _named(_tidied(operation["requestBody"]), route.func.__name__, schemas)
    answers = {str(each.status): _answer(each, operation, schemas) for each in documented(route.func)}
    refusals = {
        str(status): {"$ref": f"#/components/responses/{REFUSALS[status][0]}"} for status in _refusals(described)
    }
    described["responses"] = {**answers, **refusals, "default": {"$ref": "#/components/responses/Problem"}}
    return described


def _answer(answer: Documented, operation: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    """An answer of a route: its description, headers, and the schema of its body by media type."""
    described: dict[str, Any] = {"description": HTTPStatus(answer.status).phrase}
    if answer.headers:
        described["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in answer.headers}
    schema = next(
        each["content"][JSON]["schema"] for code, each in operation["responses"].items() if code.startswith("2")
    )
    if CSV in answer.media_types:
        [schema] = [each for each in schema["anyOf"] if each.get("type") != "string"]
    if answer.schema is not None:
        reference = {"$ref": f"#/components/schemas/{answer.schema}"}
        if reference not in schema["anyOf"]:
            _add(named, answer.schema, _tidied(schema), "the schemas")
        schema = reference
    schemas = {JSON: _tidied(schema), CSV: {"type": "string"}, XLSX: {"type": "string", "format": "binary"}}
    if answer.media_types:
        described["content"] = {each: {"schema": schemas[each]} for each in answer.media_types}
    return described


def _named(body: dict[str, Any], operation: str, schemas: dict[str, Any]) -> dict[str, Any]:
    """A request body whose schemas have names. A union is added to `schemas`, under a name from the operation's.

    A file that may itself be the body is described in words.
    """
    name = f"{operation.title().replace('_', '')}Body"
    content = {}
    for media_type, taken in body["content"].items():
        content[media_type] = taken
        if "anyOf" in taken["schema"]:
            _add(schemas, name, taken["schema"], "the schemas")
            content[media_type] = {**taken, "schema": {"$ref": f"#/components/schemas/{name}"}}
    if any(each["schema"] == {"$ref": f"#/components/schemas/{FILE}"} for each in content.values()):
        # In words alone: openapi-python-client writes a module that does not import for bytes beside JSON.
        body = {**body, "description": f"JSON, or the file itself as {', '.join(FILE_TYPES)}."}
    return {**body, "content": content}


def _refusals(operation: dict[str, Any]) -> list[int]:
    """The refusals that any operation of this shape may answer."""
    names = {each["name"] for each in operation["parameters"]}
    in_path = any(each["in"] == "path" for each in operation["parameters"])
    statuses = {401, 403, 429, 503}
    if "requestBody" in operation:
        statuses |= {400, 409, 413, 415, 422}
    if "If-Match" in names:
        statuses |= {412, 428}
    if in_path:
        statuses |= {404, 409}
    if operation["parameters"]:
        statuses |= {422}
    return sorted(statuses)


def _parameter(parameter: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    """A parameter. One that may be left out is not sent as null; a lone If-Match may not be left out."""
    names = {each["name"] for each in operation["parameters"]}
    schema = {name: value for name, value in parameter["schema"].items() if name != "description"}
    given = [each for each in schema.pop("anyOf", ()) if each != {"type": "null"}]
    required = parameter["required"] or (parameter["name"] == "if-match" and "if-none-match" not in names)
    name = parameter["name"].title() if parameter["in"] == "header" else parameter["name"]
    return {
        "name": name,
        "in": parameter["in"],
        **({"description": parameter["description"]} if "description" in parameter else {}),
        "required": required,
        "schema": _tidied({**schema, **(given[0] if len(given) == 1 else {"anyOf": given} if given else {})}),
    }


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _tag(path: str) -> str:
    """What an operation is about: the first fixed part of its path, after the account's."""
    parts = [each for each in path.split("/") if each and not each.startswith("{")]
    return parts[1] if parts[0] == "accounts" and len(parts) > 1 else parts[0]


def _tidied(schema: Any) -> Any:
    """A schema without the titles that are made of field names, and with integers of 64 bits, whose limits are
    integers."""
    if isinstance(schema, list):
        return [_tidied(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = {
        name: {each: _tidied(value) for each, value in value.items()} if name == "properties" else _tidied(value)
        for name, value in schema.items()
        if name != "title" or not isinstance(value, str)
    }
    if tidied.get("type") == "integer":
        limits = {name: int(str(tidied[name]).partition(".")[0]) for name in LIMITS if name in tidied}
        tidied = {**tidied, "format": "int64", **limits}
    return tidied


def _problem(description: str, *headers: str) -> dict[str, Any]:
    problem: dict[str, Any] = {
        "description": description,
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if headers:
        problem["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    return problem


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
