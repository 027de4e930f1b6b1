"""Between items and what is due."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

from billing.domain.schedules import BillingDue, Due, DueStage, News, Stage
from billing.store.bodies import parsed, text


def due_body(due: Due) -> str:
    return text({"month": due.month, "told": {product: asdict(told) for product, told in sorted(due.told.items())}})


def due_from(stored: str) -> Due:
    body = parsed(stored)
    told = {product: News(each["what"], date.fromisoformat(each["month"])) for product, each in body["told"].items()}
    return Due(date.fromisoformat(body["month"]), told)


def billing_due_body(due: BillingDue) -> str:
    return text(asdict(due))


def billing_due_from(stored: str) -> BillingDue:
    body = parsed(stored)
    return BillingDue(body["month"], tuple(body["settled"]))


def stage_body(due: DueStage) -> str:
    return text(due)


def stage_from(stored: str) -> DueStage:
    body = parsed(stored)
    return DueStage(Stage(body["stage"]), date.fromisoformat(body["on"]))


def day_body(day: date) -> str:
    return text({"on": day})


def day_from(stored: str) -> date:
    return date.fromisoformat(parsed(stored)["on"])
