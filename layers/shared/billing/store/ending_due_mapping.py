"""Between the due item of an account's end and its value."""

from __future__ import annotations

from datetime import date

from billing.domain.ending_due import DueStage, Stage
from billing.store.bodies import parsed, text


def stage_body(due: DueStage) -> str:
    return text(due)


def stage_from(stored: str) -> DueStage:
    body = parsed(stored)
    return DueStage(Stage(body["stage"]), date.fromisoformat(body["on"]))
