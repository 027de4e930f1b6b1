"""Test clocks: accounts whose time is moved by hand, and never passes by itself (DESIGN 4.8).

The id of an account says on which clock it is (billing.kernel.account_ids).

The states and limits follow Stripe's test clocks (docs.stripe.com/billing/testing/test-clocks/api-advanced-usage,
docs.stripe.com/api/test_clocks).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from billing.kernel.errors import Conflict, NotFound, RuleViolation, Violation
from billing.kernel.field_codes import FieldCode
from billing.kernel.schedules import Job, next_run

ADVANCE_MAX = timedelta(days=731)
"""How far one call advances a clock: two years, as Stripe's do without a subscription."""

BEGINS_WITHIN = timedelta(days=731)
"""How far from the real time a clock begins. A contract begins as far from the clock's time
(billing.accounts.rules.START_PAST_DAYS_MAX)."""

ACCOUNTS_MAX = 10
"""Accounts of one clock, those that are purged included. Each step reads what is due of each."""

STEP_AGAIN = timedelta(days=1)
"""When work that was done and is still due is tried again, on the clock: an invoice that waits for staff, for example.
The schedules try each hour, which nothing on a clock can change while it advances."""


class ClockStatus(StrEnum):
    """READY: everything that was due is done. ADVANCING: on the way to its next time. FAILED: it cannot go on; another
    request to advance tries again. DELETING: its accounts are being purged. DELETED: they are; its id is never used
    again, because invoice numbers have it."""

    READY = "ready"
    ADVANCING = "advancing"
    FAILED = "failed"
    DELETING = "deleting"
    DELETED = "deleted"


class ClockAdvancing(Conflict):
    """The clock is on its way to another time: its accounts are not changed until it is there."""

    code = "test-clock-advancing"

    def __init__(self, clock: Clock) -> None:
        super().__init__(f"The test clock {clock.id} advances to {clock.to.isoformat()}. Wait until it is ready.")


class ClockDeleted(Conflict):
    """The clock is deleted, or is being deleted."""

    code = "test-clock-deleted"

    def __init__(self, clock: str) -> None:
        super().__init__(f"The test clock {clock} is deleted, and its id is not used again. Make another one.")


class ClockExists(Conflict):
    """Another request has made a clock with this id."""

    code = "test-clock-exists"


class ClockFull(Conflict):
    """The clock has as many accounts as a clock may have."""

    code = "test-clock-full"

    def __init__(self) -> None:
        super().__init__(f"A test clock has at most {ACCOUNTS_MAX} accounts. Make another one.")


class ClocksForbidden(Conflict):
    """The deployment has no test clocks, or uses a live key of the payment service."""

    code = "test-clocks-forbidden"


@dataclass(frozen=True, slots=True)
class Clock:
    """A test clock. All instants are aware.

    `now` is the time of its accounts, `to` where it advances to; both are the same unless it advances or has failed.
    `began_as` is the time that it was made with. `accounts` are all that were ever provisioned on it. `failure` is why
    it does not go on, for staff. `runner` is the run that advances it, until `claimed_until` by the wall clock;
    `progressed_at` is when, by the wall clock, it made its last step. `version` counts the changes.
    """

    id: str
    began_as: datetime
    now: datetime
    to: datetime
    made_at: datetime
    progressed_at: datetime
    status: ClockStatus = ClockStatus.READY
    accounts: tuple[str, ...] = ()
    failure: str | None = None
    runner: str | None = None
    claimed_until: datetime | None = None
    version: int = 0

    @property
    def is_under_way(self) -> bool:
        """Whether a worker has work to do for it."""
        return self.status in {ClockStatus.ADVANCING, ClockStatus.DELETING}

    def advanced_to(self, to: datetime, real: datetime) -> Clock:
        """The clock on its way to `to`. Raises ClockDeleted, ClockAdvancing, RuleViolation."""
        self.require_kept()
        if self.status is ClockStatus.ADVANCING:
            raise ClockAdvancing(self)
        if to < self.now or (to == self.now and self.status is not ClockStatus.FAILED):
            raise _wrong("to", FieldCode.TOO_EARLY, f"A clock advances only. It is {self.now.isoformat()} on it.")
        if to - self.now > ADVANCE_MAX:
            latest = (self.now + ADVANCE_MAX).isoformat()
            raise _wrong(
                "to", FieldCode.TOO_LATE, f"One call advances a clock by {ADVANCE_MAX.days} days at most, to {latest}."
            )
        return replace(self, to=to, status=ClockStatus.ADVANCING, failure=None, progressed_at=real)

    def with_account(self, account: str) -> Clock:
        """The clock with another account. Raises ClockDeleted, ClockAdvancing, ClockFull."""
        self.require_kept()
        if self.status is not ClockStatus.READY:
            raise ClockAdvancing(self)
        if account in self.accounts:
            return self
        if len(self.accounts) >= ACCOUNTS_MAX:
            raise ClockFull
        return replace(self, accounts=(*self.accounts, account))

    def require_kept(self) -> None:
        """Raises ClockDeleted if it is deleted or is being deleted."""
        if self.status in {ClockStatus.DELETING, ClockStatus.DELETED}:
            raise ClockDeleted(self.id)


class ClockNotFound(NotFound):
    """There is no such test clock."""

    code = "test-clock-not-found"

    def __init__(self) -> None:
        super().__init__("There is no such test clock.")


def new_clock(clock: str, begins: datetime, real: datetime) -> Clock:
    """A new clock whose time is `begins`. Raises RuleViolation for one too far from the real time."""
    if not real - BEGINS_WITHIN <= begins <= real + BEGINS_WITHIN:
        code = FieldCode.TOO_EARLY if begins < real else FieldCode.TOO_LATE
        raise _wrong("now", code, f"A clock begins at most {BEGINS_WITHIN.days} days from the real time.")
    return Clock(clock, begins, begins, begins, real, real, version=1)


@dataclass(frozen=True, slots=True, order=True)
class DueStep:
    """Work of an account on a clock: the instant `at` at which the schedule of its job runs it.

    `subject` is what is due: the sort key of an item. `due` is the instant from which that is due. The fields are in
    the order in which work is done: what the schedules start at the same instant has the order of `Job`.
    """

    at: datetime
    place: int
    account: str
    job: Job
    subject: str
    due: datetime


LEFT_OUT = frozenset({Job.RECONCILIATION})
"""Jobs that no clock runs: the books are compared with what customers have paid (DESIGN 3.3.13)."""

_PLACES = {job: place for place, job in enumerate(Job)}


def step_of(account: str, job: Job, subject: str, due: datetime, not_before: datetime) -> DueStep:
    """The step in which something due is processed: the first run of its schedule, but none before `not_before`."""
    return DueStep(next_run(job, max(due, not_before)), _PLACES[job], account, job, subject, due)


def steps_at_next_instant(steps: Iterable[DueStep], until: datetime) -> list[DueStep]:
    """The steps of the earliest instant, in their order; empty if that is after `until`.

    One step for each account and job: a worker processes everything of its account that is due.
    """
    ordered = sorted(step for step in steps if step.at <= until and step.job not in LEFT_OUT)
    first: dict[tuple[str, Job], DueStep] = {}
    for step in ordered:
        if step.at == ordered[0].at:
            first.setdefault((step.account, step.job), step)
    return [*first.values()]


def _wrong(field: str, code: FieldCode, detail: str) -> RuleViolation:
    return RuleViolation(Violation((field,), detail, code))
