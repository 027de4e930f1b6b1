"""Between items and the usage that they count, and the alerts about it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from decimal import Decimal

from billing.platform.dynamodb.bodies import parsed, text
from billing.platform.dynamodb.reader import Image
from billing.usage.thresholds import AlertState


def told_body(told: AlertState) -> str:
    return text(asdict(told))


def told_from(stored: str) -> AlertState:
    body = parsed(stored)
    return AlertState(body["up_to"], date.fromisoformat(body["month"]), body["percent"])


def month_from(text: str) -> date:
    """A month as keys name it: 2026-06."""
    return date.fromisoformat(f"{text}-01")


def daily_from(image: Image, month: date) -> dict[date, Decimal]:
    """A counter's amounts by day."""
    return {
        month.replace(day=int(name[1:])): Decimal(value["N"])
        for name, value in sorted(image.items())
        if name[0] == "d" and name[1:].isdecimal()
    }
