"""Between the due item of autoscaling and its value."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

from billing.domain.autoscaling_due import Due, News
from billing.store.bodies import parsed, text


def due_body(due: Due) -> str:
    return text({"month": due.month, "told": {product: asdict(told) for product, told in sorted(due.told.items())}})


def due_from(stored: str) -> Due:
    body = parsed(stored)
    told = {product: News(each["what"], date.fromisoformat(each["month"])) for product, each in body["told"].items()}
    return Due(date.fromisoformat(body["month"]), told)
