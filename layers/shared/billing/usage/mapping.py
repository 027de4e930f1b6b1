"""Maps counters to usage by day; corrections and alert states to and from stored bodies."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal

from billing.kernel.events import Actor, ActorKind
from billing.kernel.money import Money
from billing.platform.dynamodb.bodies import Body, parsed, text
from billing.platform.dynamodb.reader import Image
from billing.usage.corrections import Figures, RecordedUsageCorrection, UsageCorrection
from billing.usage.thresholds import AlertState

USED, CORRECTED = "d", "c"
"""The first letter of a counter's attributes by day: its usage, and how much of that is corrections."""


def alert_body(alert: AlertState) -> str:
    body = asdict(alert)
    if alert.corrected is None:
        del body["corrected"]  # most have none, and older ones lack it: a condition compares the whole body
    return text(body)


def alert_from(stored: str) -> AlertState:
    body = parsed(stored)
    return AlertState(body["up_to"], date.fromisoformat(body["month"]), body["percent"], body.get("corrected"))


def month_from(text: str) -> date:
    """The first day of a month, from the form that keys use: 2026-06."""
    return date.fromisoformat(f"{text}-01")


def daily_from(image: Image, month: date) -> dict[date, Decimal]:
    """A counter's quantities by day, from its attributes d01 to d31."""
    return _by_day(image, month, USED)


def corrected_from(image: Image, month: date) -> dict[date, Decimal]:
    """How much of a counter's quantities is corrections, by day, from its attributes c01 to c31."""
    return _by_day(image, month, CORRECTED)


def _by_day(image: Image, month: date, kind: str) -> dict[date, Decimal]:
    return {
        month.replace(day=int(name[1:])): Decimal(value["N"])
        for name, value in sorted(image.items())
        if name[0] == kind and name[1:].isdecimal()
    }


def correction_body(recorded: RecordedUsageCorrection) -> str:
    correction = recorded.correction
    return text(
        {
            "correction": correction.id,
            "product": correction.product,
            "store": correction.store,
            "content": correction.content,
            "day": correction.day,
            "quantity": correction.quantity,
            "conversions": correction.conversions,
            "revenue": correction.revenue,
            "reason": correction.reason,
            "made_by": recorded.made_by,
            "made_at": recorded.made_at,
            "before": recorded.before,
            "after": recorded.after,
        }
    )


def correction_from(account: str, stored: str) -> RecordedUsageCorrection:
    body = parsed(stored)
    return RecordedUsageCorrection(
        UsageCorrection(
            id=body["correction"],
            account=account,
            product=body["product"],
            store=body["store"],
            content=body["content"],
            day=date.fromisoformat(body["day"]),
            quantity=Decimal(body["quantity"]),
            conversions=body["conversions"],
            revenue=None if body["revenue"] is None else Money(**body["revenue"]),
            reason=body["reason"],
        ),
        made_by=Actor(ActorKind(body["made_by"]["kind"]), body["made_by"]["user"]),
        made_at=datetime.fromisoformat(body["made_at"]),
        before=_figures_from(body["before"]),
        after=_figures_from(body["after"]),
    )


def _figures_from(body: Body) -> Figures:
    return Figures(Decimal(body["usage"]), Decimal(body["content_usage"]), body["conversions"], body["revenue"])
