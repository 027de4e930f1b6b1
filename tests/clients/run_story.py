"""Runs the steps of a story with a generated client, in the environment that has the client's dependencies.

Reads {"address", "steps": [{"operation", "tag", "token", "accept", "arguments", "body", "reads"}]} from stdin. Writes a
list of outcomes to stdout as JSON: {"status", "headers", "parsed", "read"}, or {"failure"} if the client raised. The
argument names the generator.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any

HEADERS = ("ETag", "Location", "Retry-After", "WWW-Authenticate")


def outcome(status: int, headers: Mapping[str, str], parsed: Any, reads: str | None) -> dict[str, Any]:
    """What a client has made of an answer. A table is a text."""
    found = {name: headers.get(name) for name in HEADERS if headers.get(name)}
    if isinstance(parsed, str):
        return {"status": status, "headers": found, "parsed": "text", "read": parsed.partition(",")[0]}
    kind = None if parsed is None else type(parsed).__name__
    return {"status": status, "headers": found, "parsed": kind, "read": reads and member(parsed, reads)}


def member(view: Any, path: str) -> str:
    """A member of a typed view, such as items.0.account, as text."""
    for name in path.split("."):
        renamed = f"{name}_"  # what is a name of Python's
        view = view[int(name)] if name.isdigit() else getattr(view, renamed if hasattr(view, renamed) else name)
    return str(view.value if isinstance(view, Enum) else view)


def kinds_of(annotation: Any) -> Iterator[Any]:
    """The types that an annotation names, at any depth."""
    yield annotation
    for each in typing.get_args(annotation):
        yield from kinds_of(each)


def of_kind(parameter: inspect.Parameter, value: str) -> Any:
    """A parameter as the client's own type: a member of an enumeration, or the text as it is."""
    kinds = kinds_of(parameter.annotation)
    enumerations = [each for each in kinds if isinstance(each, type) and issubclass(each, Enum)]
    return enumerations[0](value) if enumerations else value


class OpenapiPythonClient:
    """Calls by the client of openapi-python-client."""

    def __init__(self, address: str) -> None:
        self._address = address

    def run(self, step: dict[str, Any]) -> dict[str, Any]:
        module = step["tag"].replace("-", "_")
        operation = importlib.import_module(f"livello_client.api.{module}.{step['operation']}")
        parameters = inspect.signature(operation.sync_detailed).parameters
        arguments = {name: of_kind(parameters[name], value) for name, value in step["arguments"].items()}
        if step["body"] is not None:
            arguments["body"] = self._model(parameters["body"], step["body"])
        client = importlib.import_module("livello_client").AuthenticatedClient(
            base_url=self._address,
            token=step["token"],
            headers={"Accept": step["accept"]},
            raise_on_unexpected_status=True,
        )
        if step["accept"] == "text/csv":
            # The client has a type for one media type of a status. Its own HTTP client gives any other one as text.
            raw = client.get_httpx_client().request(**operation._get_kwargs(**arguments))
            return outcome(raw.status_code, raw.headers, raw.text, None)
        answer = operation.sync_detailed(client=client, **arguments)
        return outcome(int(answer.status_code), answer.headers, answer.parsed, step["reads"])

    def _model(self, parameter: inspect.Parameter, body: Any) -> Any:
        """The body as the client's own type. Raises TypeError if the operation takes no such body."""
        for kind in kinds_of(parameter.annotation):
            if hasattr(kind, "from_dict") and isinstance(body, dict):
                return kind.from_dict(body)
            if isinstance(body, list) and typing.get_origin(kind) is list:
                [element] = typing.get_args(kind)
                return [element.from_dict(each) for each in body]
        raise TypeError(f"the operation takes {parameter}")


class OpenapiGenerator:
    """Calls by the client of openapi-generator."""

    def __init__(self, address: str) -> None:
        self._client = importlib.import_module("livello_client")
        self._address = address

    def run(self, step: dict[str, Any]) -> dict[str, Any]:
        settings = self._client.Configuration(host=self._address, access_token=step["token"])
        api = getattr(self._client, f"{step['tag'].title().replace('-', '')}Api")(self._client.ApiClient(settings))
        arguments = dict(step["arguments"])
        if step["body"] is not None:
            name, kind = self._body(getattr(api, step["operation"]))
            arguments[name] = self._model(kind, step["body"])
        if step["accept"] == "text/csv":
            call = getattr(api, f"{step['operation']}_without_preload_content")
            raw = call(**arguments, _headers={"Accept": "text/csv"})
            return outcome(raw.status, raw.headers, raw.read().decode(), None)
        try:
            answer = getattr(api, f"{step['operation']}_with_http_info")(**arguments)
        except self._client.ApiException as refused:
            return outcome(refused.status, refused.headers, refused.data, step["reads"])
        parsed = getattr(answer.data, "actual_instance", answer.data)
        return outcome(answer.status_code, answer.headers, parsed, step["reads"])

    def _model(self, kind: Any, body: Any) -> Any:
        """The body as the client's own type. A list is the instance of a union."""
        if isinstance(body, dict):
            return kind.from_json(json.dumps(body))
        fields = (each for field in kind.model_fields.values() for each in kinds_of(field.annotation))
        element = next(each for each in fields if hasattr(each, "from_json"))
        return kind([element.from_json(json.dumps(each)) for each in body])

    def _body(self, operation: Any) -> tuple[str, Any]:
        """The name and the type of the parameter that is the body. Raises TypeError if there is none."""
        for name, parameter in inspect.signature(operation).parameters.items():
            for kind in kinds_of(parameter.annotation):
                if hasattr(kind, "from_json"):
                    return name, kind
        raise TypeError(f"{operation} takes no body")


CLIENTS: dict[str, Callable[[str], OpenapiPythonClient | OpenapiGenerator]] = {
    "openapi-python-client": OpenapiPythonClient,
    "openapi-generator": OpenapiGenerator,
}


def tried(client: OpenapiPythonClient | OpenapiGenerator, step: dict[str, Any]) -> dict[str, Any]:
    """The outcome of one step."""
    try:
        return client.run(step)
    except Exception as failure:  # noqa: BLE001 - any exception of the client is an outcome
        return {"failure": f"{type(failure).__name__}: {failure}"}


story = json.load(sys.stdin)
client = CLIENTS[sys.argv[1]](story["address"])
json.dump([tried(client, step) for step in story["steps"]], sys.stdout)
