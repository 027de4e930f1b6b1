"""Makes, advances and deletes test clocks (DESIGN 4.8).

A request writes where a clock shall go, with an event. The event wakes a worker, which goes there step by step: to the
next instant at which a schedule would find something due, and there it runs the workers of that job, until nothing is
due any more. Each step is written before its work begins, so a run that is cut off anywhere is taken up where it was:
what was done already is not due any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from billing.kernel.account_ids import clock_of
from billing.kernel.backoff import backoff_seconds
from billing.kernel.errors import ConcurrentChange, RuleViolation, UpstreamFailed, Violation
from billing.kernel.events import Event, EventType, RequestContext, by_system
from billing.kernel.field_codes import FieldCode
from billing.kernel.schedules import Job
from billing.kernel.test_clocks import (
    STEP_AGAIN,
    Clock,
    ClockExists,
    ClocksForbidden,
    ClockStatus,
    DueStep,
    new_clock,
    step_of,
    steps_at_next_instant,
)
from billing.platform.events.new_event import new_event
from billing.platform.queues.interfaces import DueWork
from billing.platform.test_clocks.records import ClockStore
from billing.platform.test_clocks.workers import Workers

CLAIM = timedelta(minutes=5)
"""How long a run holds a clock. Longer than the time-out of its function: the owner of an expired claim is gone."""

STUCK_AFTER = timedelta(minutes=15)
"""A clock that makes no step for so long has failed: a worker fails again and again."""

WAIT_SECONDS = 0.5
"""The wait after the first failed attempt of a step. It doubles after each further one, up to WAIT_SECONDS_MAX."""

WAIT_SECONDS_MAX = 20


@dataclass(frozen=True, slots=True)
class Advancer:
    """What a run needs. `runner` names it, `real` tells the wall clock, `wait` waits for some seconds.

    `goes_on` is False once the run should end and leave the rest to another one.
    """

    store: ClockStore
    workers: Workers
    runner: str
    real: Callable[[], datetime]
    wait: Callable[[float], object]
    goes_on: Callable[[], bool]
    claim: timedelta = CLAIM
    stuck_after: timedelta = STUCK_AFTER


# ---- Requests ----------------------------------------------------------------------------------------------


def require_clocks(*, are_allowed: bool, is_live: bool) -> None:
    """Raises ClocksForbidden where the deployment has no test clocks, or charges real money."""
    if not are_allowed:
        raise ClocksForbidden("This deployment has no test clocks (parameter TestClocks).")
    if is_live:
        raise ClocksForbidden("This deployment uses a live key of Stripe. Test clocks need one of test mode.")


def clock_of_new(account: str, store: ClockStore) -> Clock | None:
    """The test clock that the id of a new account names; None if it names none. One get. Raises RuleViolation."""
    named = clock_of(account)
    clock = None if named is None else store.find(named)
    if named is not None and clock is None:
        detail = f"There is no test clock {named}. POST /test-clocks makes one."
        raise RuleViolation(Violation(("account",), detail, FieldCode.UNKNOWN))
    return clock


def make_clock(clock: str, begins: datetime, *, context: RequestContext, store: ClockStore) -> Clock:
    """Makes a clock whose time is `begins`. The same request again returns the clock as it is by then.

    One get and one transaction. Raises ClockExists for an id that another request has taken, RuleViolation,
    ConcurrentChange.
    """
    existing = store.find(clock)
    if existing is None:
        made = new_clock(clock, begins, context.time)
        try:
            return store.save(replace(made, version=0), _event(EventType.TEST_CLOCK_CREATED, None, made, context))
        except ConcurrentChange:
            existing = store.find(clock)
            if existing is None:
                raise
    if existing.began_as != begins or existing.status in {ClockStatus.DELETING, ClockStatus.DELETED}:
        raise ClockExists(f"There is a test clock {clock}, made by another request.")
    return existing


def advance_clock(clock: str, to: datetime, *, context: RequestContext, store: ClockStore) -> Clock:
    """Sends a clock to a later time. Its event wakes the worker that goes there. The same request again, before it is
    there, changes nothing.

    One get and one transaction. Raises ClockNotFound, ClockDeleted, ClockAdvancing, RuleViolation, ConcurrentChange.
    """
    before = store.clock(clock)
    if before.status is ClockStatus.ADVANCING and before.to == to:
        return before
    if before.status is ClockStatus.READY and before.now == to:
        return before  # a repeated request, after the clock has arrived
    after = before.advanced_to(to, context.time)
    return store.save(after, _event(EventType.TEST_CLOCK_ADVANCING, before, after, context))


def delete_clock(clock: str, *, context: RequestContext, store: ClockStore) -> Clock:
    """Deletes a clock. Its event wakes the worker that purges its accounts. A repeated request changes nothing.

    A clock that advances stops at its next step. One get and one transaction. Raises ClockNotFound, ConcurrentChange.
    """
    before = store.clock(clock)
    if before.status in {ClockStatus.DELETING, ClockStatus.DELETED}:
        return before
    after = replace(
        before,
        status=ClockStatus.DELETING,
        to=before.now,
        failure=None,
        runner=None,
        claimed_until=None,
        progressed_at=context.time,
    )
    return store.save(after, _event(EventType.TEST_CLOCK_DELETING, before, after, context))


# ---- The worker --------------------------------------------------------------------------------------------


def run_clock(clock: str, *, correlation: str, advancer: Advancer) -> Clock | None:
    """Goes on with what is under way of a clock. Returns the clock as it is then; None without the clock.

    Where the clock is still under way, another run goes on. Each step costs one transaction, and up to three reads for
    each account. Raises ConcurrentChange while another run has the clock, or when its status is changed meanwhile.
    """
    current = advancer.store.find(clock)
    if current is None or not current.is_under_way:
        return current
    current = _claimed(current, advancer)
    if current.status is ClockStatus.DELETING:
        return _purge(current, correlation, advancer)
    return _advance(current, correlation, advancer)


def _claimed(clock: Clock, advancer: Advancer) -> Clock:
    real = advancer.real()
    is_free = clock.runner in {None, advancer.runner} or clock.claimed_until is None or clock.claimed_until < real
    if not is_free:
        raise ConcurrentChange
    return advancer.store.save(replace(clock, runner=advancer.runner, claimed_until=real + advancer.claim))


def _advance(clock: Clock, correlation: str, advancer: Advancer) -> Clock:
    done: dict[tuple[str, str, datetime], datetime] = {}
    while advancer.goes_on():
        steps = steps_at_next_instant(_due(clock, done, advancer.store), clock.to)
        if not steps:
            ready = replace(clock, now=clock.to, status=ClockStatus.READY)
            return _finished(ready, EventType.TEST_CLOCK_READY, clock, correlation, advancer)
        clock = _moved(clock, steps[0].at, advancer)
        for step in steps:
            if not _is_processed(step, clock, done, advancer):
                return _stopped(clock, f"The job {step.job} fails for {step.account}.", correlation, advancer)
            clock = replace(clock, progressed_at=advancer.real())
    return _handed_on(clock, advancer)


def _due(clock: Clock, done: dict[tuple[str, str, datetime], datetime], store: ClockStore) -> list[DueStep]:
    return [
        step_of(
            each.account, each.job, each.subject, each.due, done.get((each.account, each.subject, each.due), clock.now)
        )
        for account in clock.accounts
        for each in store.due_items(account)
    ]


def _moved(clock: Clock, at: datetime, advancer: Advancer) -> Clock:
    """The clock at its next step, which is written before its work begins: its accounts are at that time then."""
    real = advancer.real()
    progressed_at = real if at > clock.now else clock.progressed_at
    moved = replace(clock, now=max(at, clock.now), progressed_at=progressed_at, claimed_until=real + advancer.claim)
    return advancer.store.save(moved)


def _is_processed(
    step: DueStep, clock: Clock, done: dict[tuple[str, str, datetime], datetime], advancer: Advancer
) -> bool:
    """Runs the worker of a step until it has processed its account. False if it goes on failing, or time is over."""
    if not advancer.goes_on():
        return False
    tried = [
        (each.account, each.subject, each.due)
        for each in advancer.store.due_items(step.account)
        if each.job is step.job and each.due <= clock.now
    ]
    failures = 0
    while tried:
        if _ran(step.job, step.account, clock, advancer):
            break
        failures += 1
        if not _waited(failures, clock, advancer):
            return False
    # What is still due waits for something: for staff, for a rate. As the schedules do, it is tried again later.
    done.update(dict.fromkeys(tried, clock.now + STEP_AGAIN))
    failures = 0
    while step.job is Job.ENDING and advancer.store.is_being_purged(step.account):
        failures += 1
        if not _waited(failures, clock, advancer):
            return False
    return True


def _ran(job: Job, account: str, clock: Clock, advancer: Advancer) -> bool:
    try:
        return advancer.workers.run(job, DueWork(account, clock.now))
    except UpstreamFailed:
        return False


def _waited(failures: int, clock: Clock, advancer: Advancer) -> bool:
    """Waits before another attempt. False if this run or its patience is over."""
    if advancer.real() - clock.progressed_at >= advancer.stuck_after or not advancer.goes_on():
        return False
    advancer.wait(backoff_seconds(failures, WAIT_SECONDS, WAIT_SECONDS_MAX))
    return True


def _purge(clock: Clock, correlation: str, advancer: Advancer) -> Clock:
    """Purges the accounts of a clock that is deleted. The worker of ends does so for an account of such a clock."""
    for account in clock.accounts:
        failures = 0
        while advancer.store.is_there(account):
            if not advancer.store.is_being_purged(account):
                _ran(Job.ENDING, account, clock, advancer)
            if not advancer.store.is_there(account):
                break
            failures += 1
            if not _waited(failures, clock, advancer):
                return _stopped(clock, f"The account {account} cannot be purged.", correlation, advancer)
    deleted = replace(clock, status=ClockStatus.DELETED, accounts=())
    return _finished(deleted, EventType.TEST_CLOCK_DELETED, clock, correlation, advancer)


def _stopped(clock: Clock, failure: str, correlation: str, advancer: Advancer) -> Clock:
    """The clock after a step that was not done: another run tries it again, until the clock has failed.

    Raises UpstreamFailed for a deletion that makes no progress: its message is retried, and becomes a dead letter.
    """
    if advancer.real() - clock.progressed_at < advancer.stuck_after:
        return _handed_on(clock, advancer)
    if clock.status is ClockStatus.DELETING:
        _handed_on(clock, advancer)
        raise UpstreamFailed(failure)
    failed = replace(clock, status=ClockStatus.FAILED, failure=failure)
    return _finished(failed, EventType.TEST_CLOCK_FAILED, clock, correlation, advancer)


def _handed_on(clock: Clock, advancer: Advancer) -> Clock:
    """The clock without its run: the next one need not wait for the claim to expire."""
    return advancer.store.save(replace(clock, runner=None, claimed_until=None))


def _finished(after: Clock, type_: EventType, before: Clock, correlation: str, advancer: Advancer) -> Clock:
    context = by_system(advancer.real(), correlation)
    after = replace(after, runner=None, claimed_until=None)
    return advancer.store.save(after, _event(type_, before, after, context))


def _event(type_: EventType, before: Clock | None, after: Clock, context: RequestContext) -> Event:
    return new_event(
        type_,
        context,
        account=None,
        before=None if before is None else _facts(before),
        after=_facts(after),
    )


def _facts(clock: Clock) -> dict[str, Any]:
    return {
        "test_clock": clock.id,
        "status": clock.status,
        "now": clock.now,
        "to": clock.to,
        "accounts": list(clock.accounts),
        "failure": clock.failure,
    }
