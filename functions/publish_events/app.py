"""Stream reader: publishes the events of the table on the bus, at least once, in order for each account."""

import json
from collections.abc import Mapping
from time import sleep
from typing import Any

from aws_lambda_powertools import Logger
from billing import wiring
from billing.kernel.events import Event
from billing.platform.events.mapping import event_from
from billing.platform.events.publish import publish_events

logger = Logger()


def handler(event: Mapping[str, Any], _context: object) -> None:
    """Publishes a batch. Raises UpstreamFailed if the bus takes nothing; the stream then repeats the batch.

    An unreadable record does not block the others: its key goes to the dead letters.
    """
    events = [read for record in event["Records"] if (read := _read(record)) is not None]
    publish_events(events, bus=wiring.bus(), wait=sleep)
    logger.info("published", events=len(events), unreadable=len(event["Records"]) - len(events))


def _read(record: Mapping[str, Any]) -> Event | None:
    try:
        return event_from(record["dynamodb"]["NewImage"]["body"]["S"])
    except (KeyError, TypeError, ValueError) as failure:
        keys = record.get("dynamodb", {}).get("Keys", {})
        letter = {
            "record": str(record.get("eventID")),
            "pk": str(keys.get("pk", {}).get("S")),
            "sk": str(keys.get("sk", {}).get("S")),
            "reason": type(failure).__name__,
        }
        wiring.dead_letters().put(json.dumps(letter), letter["reason"])
        return None
