"""Between the due item of autoscaling and its value."""

from __future__ import annotations

from datetime import date

from billing.kernel.fields import fields_of
from billing.platform.dynamodb.bodies import parsed, text
from billing.scaling.due import AlertMemory, AutoscalingDue


def due_body(due: AutoscalingDue) -> str:
    return text(
        {
            "month": due.month,
            "told": {product: fields_of(told, alert="what") for product, told in sorted(due.alerts.items())},
        }
    )


def due_from(stored: str) -> AutoscalingDue:
    body = parsed(stored)
    told = {
        product: AlertMemory(each["what"], date.fromisoformat(each["month"])) for product, each in body["told"].items()
    }
    return AutoscalingDue(date.fromisoformat(body["month"]), told)
