"""Maps EndingDue to and from the body of its due item."""

from __future__ import annotations

from datetime import date

from billing.ending.due import EndingDue, EndingStage
from billing.platform.dynamodb.bodies import parsed, text


def stage_body(due: EndingDue) -> str:
    return text(due)


def stage_from(stored: str) -> EndingDue:
    body = parsed(stored)
    return EndingDue(EndingStage(body["stage"]), date.fromisoformat(body["on"]))
