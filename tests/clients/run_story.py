"""Runs the steps of a story with a generated client, in the environment that has the client's dependencies.

Reads {"address", "steps": [{"operation", "tag", "token", "arguments", "body"}]} from stdin. Writes a list of results to
stdout as JSON: {"status", "parsed", "said"}, or {"failure"} if the client raised.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import typing
from typing import Any


def as_model(operation: Any, body: Any) -> Any:
    """The body as the client's own type. Raises TypeError if the operation takes no such body."""
    annotation = inspect.signature(operation.sync_detailed).parameters["body"].annotation
    for kind in typing.get_args(annotation) or (annotation,):
        if hasattr(kind, "from_dict") and isinstance(body, dict):
            return kind.from_dict(body)
        if isinstance(body, list) and typing.get_origin(kind) is list:
            [member] = typing.get_args(kind)
            return [member.from_dict(each) for each in body]
    raise TypeError(f"{operation.__name__} takes {annotation}")


def run(address: str, step: dict[str, Any]) -> dict[str, Any]:
    """The result of one step."""
    operation = importlib.import_module(f"livello_client.api.{step['tag'].replace('-', '_')}.{step['operation']}")
    arguments = dict(step["arguments"])
    if step["body"] is not None:
        arguments["body"] = as_model(operation, step["body"])
    client = importlib.import_module("livello_client").AuthenticatedClient(
        base_url=address, token=step["token"], raise_on_unexpected_status=True
    )
    try:
        answer = operation.sync_detailed(client=client, **arguments)
    except Exception as failure:  # noqa: BLE001 - any exception of the client is a result
        return {"failure": f"{type(failure).__name__}: {failure}"}
    said = answer.content.decode()[:300] if answer.status_code >= 400 else ""
    return {"status": int(answer.status_code), "parsed": type(answer.parsed).__name__, "said": said}


story = json.load(sys.stdin)
json.dump([run(story["address"], step) for step in story["steps"]], sys.stdout)
