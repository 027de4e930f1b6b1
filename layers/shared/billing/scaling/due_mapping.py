"""Maps the due item of autoscaling to and from its stored body."""

from __future__ import annotations

from datetime import date

from billing.kernel.fields import fields_of
from billing.platform.dynamodb.bodies import parsed, text
from billing.scaling.due import AlertMemory, AutoscalingDue


def due_body(due: AutoscalingDue) -> str:
    return text(
        {
            "month": due.month,
            "told": {product: fields_of(memory, alert="what") for product, memory in sorted(due.alerts.items())},
        }
    )


def due_from(stored: str) -> AutoscalingDue:
    body = parsed(stored)
    alerts = {
        product: AlertMemory(each["what"], date.fromisoformat(each["month"])) for product, each in body["told"].items()
    }
    return AutoscalingDue(date.fromisoformat(body["month"]), alerts)
