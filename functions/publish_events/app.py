"""Stream reader: publishes the events of the table on the bus, at least once, in order for each account.

An event that cannot be read, or that the bus refuses for good, goes to the dead letters by its key; the others go on.
"""

import json
from collections.abc import Mapping
from time import sleep
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.kernel.events import Event
from billing.platform.events.bus import Refusal
from billing.platform.events.mapping import event_from
from billing.platform.events.publish import publish_events
from billing.platform.runs import begin_run

logger = Logger()


def handler(event: Mapping[str, Any], context: LambdaContext) -> None:
    """Publishes a batch, without what a restore has brought back.

    Raises UpstreamFailed if the bus takes nothing; the stream then repeats the batch.

    A record that is set aside is set aside again when its batch is repeated. Its letters have the same key.
    """
    begin_run(context.aws_request_id, logger)
    records: dict[str, Mapping[str, Any]] = {}
    events = []
    written = [record for record in event["Records"] if not _is_restored(record)]
    for record in written:
        if (read := _read(record)) is not None:
            records[read.id] = record
            events.append(read)
    refused = 0

    def set_aside(refusal: Refusal) -> None:
        nonlocal refused
        refused += 1
        _set_aside(records[refusal.event.id], f"The bus refuses it: {refusal.code}.")

    publish_events(events, bus=wiring.bus(), wait=sleep, set_aside=set_aside)
    unreadable, restored = len(written) - len(events), len(event["Records"]) - len(written)
    logger.info(
        "published",
        events=len(events) - refused,
        unreadable=unreadable,
        refused=refused,
        restored=restored,
        correlations=sorted({each.correlation for each in events}),
    )


def _is_restored(record: Mapping[str, Any]) -> bool:
    """Whether a restore has written this event: it was published before (scripts.restore)."""
    return "restored" in record.get("dynamodb", {}).get("NewImage", {})


def _read(record: Mapping[str, Any]) -> Event | None:
    try:
        return event_from(record["dynamodb"]["NewImage"]["body"]["S"])
    except (KeyError, TypeError, ValueError) as failure:
        _set_aside(record, type(failure).__name__)
        return None


def _set_aside(record: Mapping[str, Any], reason: str) -> None:
    keys = record.get("dynamodb", {}).get("Keys", {})
    letter = {
        "record": str(record.get("eventID")),
        "pk": str(keys.get("pk", {}).get("S")),
        "sk": str(keys.get("sk", {}).get("S")),
        "reason": reason,
    }
    wiring.dead_letters().put(json.dumps(letter), reason)
