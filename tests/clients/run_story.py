"""Tells a story with a generated client, in the environment that the client was generated in.

Reads {"address", "steps": [{"operation", "token", "arguments", "body"}]} and writes what came of each step as JSON.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import typing
from typing import Any


def taken(operation: Any, body: Any) -> Any:
    """The body as the client's own type."""
    annotation = inspect.signature(operation.sync_detailed).parameters["body"].annotation
    for kind in typing.get_args(annotation) or (annotation,):
        if hasattr(kind, "from_dict") and isinstance(body, dict):
            return kind.from_dict(body)
        if isinstance(body, list) and typing.get_origin(kind) is list:
            [member] = typing.get_args(kind)
            return [member.from_dict(each) for each in body]
    raise TypeError(f"{operation.__name__} takes {annotation}")


def told(address: str, step: dict[str, Any]) -> dict[str, Any]:
    operation = importlib.import_module(f"livello_client.api.default.{step['operation']}")
    arguments = dict(step["arguments"])
    if step["body"] is not None:
        arguments["body"] = taken(operation, step["body"])
    client = importlib.import_module("livello_client").AuthenticatedClient(
        base_url=address, token=step["token"], raise_on_unexpected_status=True
    )
    try:
        answer = operation.sync_detailed(client=client, **arguments)
    except Exception as failure:  # noqa: BLE001 - whatever the client raises is what is told
        return {"failure": f"{type(failure).__name__}: {failure}"}
    said = answer.content.decode()[:300] if answer.status_code >= 400 else ""
    return {"status": int(answer.status_code), "parsed": type(answer.parsed).__name__, "said": said}


story = json.load(sys.stdin)
json.dump([told(story["address"], step) for step in story["steps"]], sys.stdout)
