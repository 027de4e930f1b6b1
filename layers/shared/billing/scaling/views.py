"""Autoscaling in the API: decisions with an explanation, settings of staff, and simulations."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from billing.kernel.field_codes import FieldCode, Unfit
from billing.kernel.quantities import QUANTITY_DECIMALS_MAX, QUANTITY_MAX
from billing.languages.explanations import COUNT, Explanation, in_words
from billing.platform.http.models import Body, ExplanationView, Identifier, IsoDate, Text, View, plain
from billing.scaling.autoscaling import Reason
from billing.scaling.tier_changes import (
    KNOWN_PEAKS_MAX,
    AutoscalingSettings,
    Hold,
    KnownPeak,
    Pause,
    ProductDecision,
    as_hundredths,
)
from billing.usage.rules import CLOSED_MONTHS

DAYS_MAX = 500
"""Daily figures in one simulation: more than the rule reads."""

CONTENTS_MAX = 100

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 1, 1)


def _month(value: object) -> object:
    if not isinstance(value, str) or not _MONTH.fullmatch(value):
        raise Unfit("must be a month such as 2026-01", FieldCode.NOT_A_MONTH)
    return f"{value}-01"


def _decimal(value: object) -> object:
    # Decimal accepts the digits of every script.
    is_foreign = isinstance(value, str) and not value.isascii()
    if is_foreign or isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise Unfit('must be a decimal number such as "12.5"', FieldCode.NOT_A_NUMBER)
    return value


Month = Annotated[
    date,
    BeforeValidator(_month),
    Field(ge=EARLIEST, lt=LATEST),
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d{2}$", "examples": ["2026-07"]}),
]
Quantity = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    Field(ge=0, le=QUANTITY_MAX * 1000, decimal_places=QUANTITY_DECIMALS_MAX, allow_inf_nan=False),
    WithJsonSchema({"type": "string", "examples": ["412.5"]}),
]


# ---- Settings ----


class PauseBody(Body):
    """Nothing moves before the day `until`, for a reason."""

    until: IsoDate
    reason: Text


class KnownPeakBody(Body):
    """A day that counts no more than a usual one: of one product, or with null of all."""

    day: IsoDate
    product: Identifier | None = None
    reason: Text


class SettingsBody(Body):
    """What is not named is taken back: with neither of both, autoscaling works as it does for everybody."""

    pause: PauseBody | None = None
    known_peaks: Annotated[tuple[KnownPeakBody, ...], Field(max_length=KNOWN_PEAKS_MAX)] = ()

    def value(self) -> AutoscalingSettings:
        peaks = {KnownPeak(each.day, each.product, each.reason) for each in self.known_peaks}
        return AutoscalingSettings(
            pause=None if self.pause is None else Pause(self.pause.until, self.pause.reason),
            known_peaks=tuple(sorted(peaks, key=lambda each: (each.day, each.product or "", each.reason))),
        )


class PauseView(View):
    until: date
    reason: str


class KnownPeakView(View):
    day: date
    product: str | None
    reason: str


class SettingsView(View):
    """What staff have set for the account: a pause, and days that are marked as known peaks."""

    pause: PauseView | None
    known_peaks: list[KnownPeakView]

    @classmethod
    def of(cls, settings: AutoscalingSettings) -> SettingsView:
        pause = settings.pause
        return cls(
            pause=None if pause is None else PauseView(until=pause.until, reason=pause.reason),
            known_peaks=[
                KnownPeakView(day=each.day, product=each.product, reason=each.reason) for each in settings.known_peaks
            ],
        )


# ---- Decisions ----


class TypicalMonthView(View):
    """A closed month: its usage, and at the length of an average month with its peaks, and without them."""

    month: str
    usage: str
    with_peaks: str
    typical: str


class LeftOutView(View):
    """A day that did not count in full. A `known_peak` is one that staff had marked."""

    day: date
    usage: str
    counted: str
    reason: Literal["peak", "known_peak"]


class WeekView(View):
    """Seven days from `first_day` on; `pace` is what a month of such weeks comes to, without peaks."""

    first_day: date
    pace: str


class SeasonView(View):
    """Typical months of last year, before and after this date, and the `percent` that was left."""

    before: str
    after: str
    percent: str


class AutoscalingDecisionView(View):
    """What was decided of one product for one month, why, and by which figures. Quantities are per month.

    `current`, `target` are volumes of tiers, null where open-ended; `steady` is the usage that the target holds.
    `hold` says what kept the product from a move, `effective_on` the day of a move. `explanations` are codes with their
    values, `explanation` is their sentences in the account's language.
    """

    month: str
    product: str
    decided_at: datetime
    outcome: Literal["moves", "stays", "held"]
    reason: Reason
    explanation: str
    explanations: list[ExplanationView]
    current: int | None
    target: int | None
    effective_on: date | None
    hold: Hold | None
    hold_reason: str | None
    limit: str | None
    months: list[TypicalMonthView]
    months_above: int
    weeks: list[WeekView]
    weeks_above: int
    left_out: list[LeftOutView]
    highest_before: str | None
    season: SeasonView | None
    steady: str | None
    rule_version: int
    inputs_digest: str

    @classmethod
    def of(cls, decided: ProductDecision, language: str) -> AutoscalingDecisionView:
        decision, reasons = decided.decision, explanations(decided)
        outcome: Literal["moves", "stays", "held"] = (
            "moves" if decided.moves else "held" if decided.hold is not None else "stays"
        )
        season = decision.season
        return cls(
            month=f"{decided.month:%Y-%m}",
            product=decided.product,
            decided_at=decided.decided_at,
            outcome=outcome,
            reason=decision.reason,
            explanation=in_words(reasons, language),
            explanations=[ExplanationView.of(each, language) for each in reasons],
            current=decided.tiers[decision.current],
            target=decided.tiers[decision.target],
            effective_on=decided.effective_on,
            hold=decided.hold,
            hold_reason=decided.hold_reason,
            limit=_rounded(decision.limit),
            months=[
                TypicalMonthView(
                    month=f"{each.month:%Y-%m}",
                    usage=plain(each.usage),
                    with_peaks=plain(as_hundredths(each.with_peaks)),
                    typical=plain(as_hundredths(each.typical)),
                )
                for each in decision.months
            ],
            months_above=decision.months_above,
            weeks=[WeekView(first_day=each.first_day, pace=plain(as_hundredths(each.pace))) for each in decision.weeks],
            weeks_above=decision.weeks_above,
            left_out=[
                LeftOutView(
                    day=each.day,
                    usage=plain(as_hundredths(each.usage)),
                    counted=plain(as_hundredths(each.counted)),
                    reason=each.reason,
                )
                for each in decision.left_out
            ],
            highest_before=_rounded(decision.highest_before),
            season=None
            if season is None
            else SeasonView(
                before=plain(as_hundredths(season.before)),
                after=plain(as_hundredths(season.after)),
                percent=plain(as_hundredths(season.share * 100)),
            ),
            steady=_rounded(decision.steady),
            rule_version=decision.rule_version,
            inputs_digest=decided.inputs_digest,
        )


class AutoscalingView(View):
    """What was decided, newest month first, and what staff have set. `next_cursor` leads to the older decisions."""

    settings: SettingsView
    next_decision: str | None
    items: list[AutoscalingDecisionView]
    next_cursor: str | None


class RemovedContentBody(Body):
    """Content of a store; null is the usage that names none."""

    store: Identifier
    content: Annotated[str, Field(min_length=1, max_length=200)] | None


class FigureBody(Body):
    """The usage of a day."""

    day: IsoDate
    quantity: Quantity


class SimulationBody(Body):
    """What if: over these `daily` figures, or over the account's own usage without some content.

    `month` is the month that is decided for, the running one unless it is named.
    """

    product: Identifier
    month: Month | None = None
    daily: Annotated[tuple[FigureBody, ...], Field(min_length=1, max_length=DAYS_MAX)] | None = None
    without: Annotated[tuple[RemovedContentBody, ...], Field(max_length=CONTENTS_MAX)] = ()

    @model_validator(mode="after")
    def _one_or_the_other(self) -> SimulationBody:
        if self.daily is not None and self.without:
            raise Unfit(
                "content can be left out of the account's own usage, not of given figures", FieldCode.NOT_TOGETHER
            )
        if self.daily is not None and len({each.day for each in self.daily}) < len(self.daily):
            raise Unfit("each day can be given once", FieldCode.DUPLICATE)
        return self

    def given(self) -> dict[date, Decimal] | None:
        return None if self.daily is None else {each.day: each.quantity for each in self.daily}

    def left_out(self) -> frozenset[tuple[str, str | None]]:
        return frozenset((each.store, each.content) for each in self.without)


def explanations(decided: ProductDecision) -> tuple[Explanation, ...]:
    """Why a product moves or stays, for customers."""
    decision = decided.decision
    reasons = [
        Explanation(
            f"autoscaling.{decision.reason}",
            {
                "limit": decision.limit,
                "months_above": decision.months_above,
                "months_known": len(decision.months),
                "months_needed": CLOSED_MONTHS,
                "weeks_above": decision.weeks_above,
                "weeks": len(decision.weeks),
            },
        )
    ]
    if decided.hold is not None:
        values = {"reason": decided.hold_reason} if decided.hold is Hold.PAUSED else {}
        reasons.append(Explanation(f"autoscaling.{decided.hold}", values))
    if decision.left_out:
        reasons.append(Explanation("autoscaling.left_out", {COUNT: len(decision.left_out)}))
    return tuple(reasons)


def _rounded(quantity: Decimal | None) -> str | None:
    return None if quantity is None else plain(as_hundredths(quantity))
