"""Maps counters to usage by day, and alert states to and from stored bodies."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from decimal import Decimal

from billing.platform.dynamodb.bodies import parsed, text
from billing.platform.dynamodb.reader import Image
from billing.usage.thresholds import AlertState


def alert_body(alert: AlertState) -> str:
    return text(asdict(alert))


def alert_from(stored: str) -> AlertState:
    body = parsed(stored)
    return AlertState(body["up_to"], date.fromisoformat(body["month"]), body["percent"])


def month_from(text: str) -> date:
    """The first day of a month, from the form that keys use: 2026-06."""
    return date.fromisoformat(f"{text}-01")


def daily_from(image: Image, month: date) -> dict[date, Decimal]:
    """A counter's quantities by day, from its attributes d01 to d31."""
    return {
        month.replace(day=int(name[1:])): Decimal(value["N"])
        for name, value in sorted(image.items())
        if name[0] == "d" and name[1:].isdecimal()
    }
