"""Requests and answers of the routes of test clocks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import AfterValidator, Field, StringConstraints

from billing.kernel.account_ids import CLOCK_PATTERN
from billing.kernel.test_clocks import Clock
from billing.platform.http.models import IDENTIFIER_LENGTH_MAX, Body, Instant, View

ClockId = Annotated[str, Path(max_length=IDENTIFIER_LENGTH_MAX, description="The id of a test clock.")]


def _in_utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:  # before the year 1 or after 9999 in UTC
        return instant


InstantInUtc = Annotated[Instant, AfterValidator(_in_utc)]


class NewClockBody(Body):
    """A test clock and the time on it. The ids of its accounts begin with its own: `q1.nordlys`."""

    test_clock: Annotated[str, StringConstraints(pattern=f"^{CLOCK_PATTERN}$")]
    now: Annotated[InstantInUtc, Field(description="With an offset from UTC: 2027-01-01T00:00:00Z.")]


class AdvanceBody(Body):
    """Where a test clock shall go: later than its time, by two years at most."""

    to: Annotated[InstantInUtc, Field(description="With an offset from UTC: 2027-03-01T12:00:00Z.")]


class ClockView(View):
    """A test clock. `now` is the time of its accounts. While it is `advancing` or has `failed`, `to` is where it goes;
    `failure` says why it does not go on."""

    test_clock: str
    status: Literal["ready", "advancing", "failed", "deleting", "deleted"]
    now: datetime
    to: datetime
    accounts: list[str]
    failure: str | None

    @classmethod
    def of(cls, clock: Clock) -> ClockView:
        return cls(
            test_clock=clock.id,
            status=clock.status.value,
            now=clock.now,
            to=clock.to,
            accounts=[*clock.accounts],
            failure=clock.failure,
        )


class ClocksView(View):
    """The clocks by their ids. `next_cursor` leads to what follows, null at the end."""

    items: list[ClockView]
    next_cursor: str | None
