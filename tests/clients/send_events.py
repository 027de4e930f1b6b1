"""Sends events of usage with the SDK of CloudEvents for Python, with its defaults, in each mode.

Runs in the environment that has the SDK. Reads {"address", "token", "event"} from stdin, and writes the statuses by
mode to stdout as JSON.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from http.client import HTTPConnection
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit


def main() -> dict[str, int]:
    """The statuses by mode: of today's SDK, and of its first API, which it still has."""
    order = json.load(sys.stdin)
    event = order["event"]

    def post(headers: dict[str, str], body: bytes | str) -> int:
        sent = {**headers, "Authorization": f"Bearer {order['token']}"}
        place = urlsplit(order["address"])
        connection = HTTPConnection(place.netloc)
        # Adds no Content-Type: the SDK writes none for an event that does not name one.
        connection.request("POST", place.path, body.encode() if isinstance(body, str) else body, sent)
        status = connection.getresponse().status
        connection.close()
        return status

    def attributes(id_: str, time: Any) -> dict[str, Any]:
        names = ("type", "source", "subject")
        return {**{name: event[name] for name in names}, "id": id_, "time": time, "sampledrate": "1"}

    now, http = import_module("cloudevents.core.v1.event"), import_module("cloudevents.core.bindings.http")
    time = datetime.fromisoformat(event["time"])
    binary = http.to_binary_event(now.CloudEvent(attributes("py-binary", time), event["data"]))
    structured = http.to_structured_event(now.CloudEvent(attributes("py-structured", time), event["data"]))
    in_bytes = now.CloudEvent(attributes("py-bytes", time), json.dumps(event["data"]).encode())
    as_bytes = http.to_structured_event(in_bytes)
    batch = [json.loads(structured.body) | {"id": f"py-batch-{number}"} for number in range(2)]

    first = import_module("cloudevents.v1.http")
    first_binary = first.to_binary(first.CloudEvent(attributes("py-first-binary", event["time"]), event["data"]))
    first_structured = first.to_structured(first.CloudEvent(attributes("py-first-str", event["time"]), event["data"]))
    return {
        "binary": post(binary.headers, binary.body),
        "structured": post(structured.headers, structured.body),
        "bytes": post(as_bytes.headers, as_bytes.body),
        # The SDK has no call that makes a batch: an array of its events is one.
        "batch": post({"Content-Type": "application/cloudevents-batch+json"}, json.dumps(batch)),
        "first binary": post(*first_binary),
        "first structured": post(*first_structured),
    }


json.dump(main(), sys.stdout)
