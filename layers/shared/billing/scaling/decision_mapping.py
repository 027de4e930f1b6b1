"""Maps autoscaling's decisions and settings to and from stored bodies. Only functions that scale load it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from billing.platform.dynamodb.bodies import Body, parsed, text
from billing.scaling.autoscaling import Decision, LeftOut, Season, TypicalMonth, Week
from billing.scaling.tier_changes import AutoscalingSettings, Hold, KnownPeak, Pause, ProductDecision
from billing.usage.rules import Daily, month_before, month_of


def settings_body(settings: AutoscalingSettings) -> str:
    return text(
        {"pause": settings.pause and asdict(settings.pause), "known_peaks": list(map(asdict, settings.known_peaks))}
    )


def settings_from(stored: str, version: int) -> AutoscalingSettings:
    body = parsed(stored)
    pause = body["pause"]
    return AutoscalingSettings(
        pause=None if pause is None else Pause(date.fromisoformat(pause["until"]), pause["reason"]),
        known_peaks=tuple(
            KnownPeak(date.fromisoformat(each["day"]), each["product"], each["reason"]) for each in body["known_peaks"]
        ),
        version=version,
    )


def body(decided: ProductDecision) -> str:
    """A decision with its inputs, and a digest of them that shows whether they were changed later."""
    return text(
        {
            "product": decided.product,
            "decided_at": decided.decided_at,
            "decision": decided.decision,  # orjson writes a dataclass without a copy of its fields
            "tiers": decided.tiers,
            "inputs": _by_month(decided.inputs),
            "inputs_digest": decided.inputs_digest,
            "known_peaks": decided.known_peaks,
            "hold": decided.hold,
            "hold_reason": decided.hold_reason,
            "effective_on": decided.effective_on,
        }
    )


def decided_from(stored: str) -> ProductDecision:
    body = parsed(stored)
    return ProductDecision(
        product=body["product"],
        decided_at=datetime.fromisoformat(body["decided_at"]),
        decision=_decision_from(body["decision"]),
        tiers=tuple(body["tiers"]),
        inputs=_by_day(body["inputs"]),
        known_peaks=tuple(map(date.fromisoformat, body["known_peaks"])),
        hold=None if body["hold"] is None else Hold(body["hold"]),
        hold_reason=body["hold_reason"],
        effective_on=None if body["effective_on"] is None else date.fromisoformat(body["effective_on"]),
    )


def _decision_from(body: Body) -> Decision:
    season = body["season"]
    return Decision(
        rule_version=body["rule_version"],
        month=date.fromisoformat(body["month"]),
        current=body["current"],
        target=body["target"],
        limit=_decimal(body["limit"]),
        reason=body["reason"],
        months=tuple(
            TypicalMonth(
                date.fromisoformat(each["month"]),
                Decimal(each["usage"]),
                Decimal(each["with_peaks"]),
                Decimal(each["typical"]),
            )
            for each in body["months"]
        ),
        left_out=tuple(
            LeftOut(date.fromisoformat(each["day"]), Decimal(each["usage"]), Decimal(each["counted"]), each["reason"])
            for each in body["left_out"]
        ),
        weeks=tuple(Week(date.fromisoformat(each["first_day"]), Decimal(each["pace"])) for each in body["weeks"]),
        highest_before=_decimal(body["highest_before"]),
        season=None if season is None else Season(Decimal(season["before"]), Decimal(season["after"])),
        steady=_decimal(body["steady"]),
    )


def _by_month(daily: Daily) -> dict[str, str]:
    """The quantities of each month from its first day on, a dash for a missing day: a tenth of an object's size."""
    months = sorted({month_of(day) for day in daily})
    return {f"{month:%Y-%m}": " ".join(_quantity(daily, day) for day in _days(month)) for month in months}


def _by_day(months: dict[str, str]) -> dict[date, Decimal]:
    return {
        day: Decimal(quantity)
        for month, quantities in months.items()
        for day, quantity in zip(_days(date.fromisoformat(f"{month}-01")), quantities.split(" "), strict=True)
        if quantity != "-"
    }


def _quantity(daily: Daily, day: date) -> str:
    return f"{daily[day]:f}" if day in daily else "-"


def _days(month: date) -> list[date]:
    return [month + timedelta(days) for days in range((month_before(month, -1) - month).days)]


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)
