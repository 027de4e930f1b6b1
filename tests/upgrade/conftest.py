"""An earlier release with a year of data in it, upgraded once per test session to this checkout."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from local.background import free_port
from local.deployment import stack_outputs
from local.settings import PORT_DEFAULTS, ROOT
from local.stack import Stack, start, stop_without_saving
from local.stripe.process import account_file
from tests.upgrade.answers import Answers, all_answers
from tests.upgrade.earlier_release import earlier_release
from tests.upgrade.recorded import record
from tests.upgrade.running_stack import PLANNERS, Snapshot, fire, send_in_first_form, snapshot, wait_until_quiet
from tests.upgrade.states import (
    CANCELLED,
    IN_TRANSIT,
    LEFT,
    TRANSFER,
    add_states,
    cancellation_receipt,
    evening,
    settle,
)

FROM_VARIABLE = "LIVELLO_UPGRADE_FROM"
RECORD_VARIABLE = "LIVELLO_UPGRADE_RECORD"
"""Names a file for what the earlier release stored and answered: the fixture for tests without a stack."""

ARTEFACTS = ROOT / ".local" / "test-artefacts"
"""The build of this checkout, which the tests of the stack use as well."""

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this folder, and skips them without an earlier release."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.upgrade)
            if not os.environ.get(FROM_VARIABLE):
                item.add_marker(pytest.mark.skip(reason="make test-upgrade names the earlier release"))


@dataclass(slots=True)
class Upgrade:
    """A stack after its upgrade and some days of work, with what was in it before and right after.

    `seconds` is how long each step took, `days` are those on which the planners were fired. `after` is what is stored
    then.
    """

    commit: str
    stack: Stack
    at: datetime
    before: Snapshot
    answers_before: Answers
    upgraded: Snapshot
    answers_after: Answers
    seconds: dict[str, float] = field(default_factory=dict)
    days: list[date] = field(default_factory=list)
    after: Snapshot | None = None


@pytest.fixture(scope="session")
def upgrade() -> Iterator[Upgrade]:
    """Deploys the earlier release, adds a year and more states, ends it, and starts this checkout over its state."""
    ports = {name: int(os.environ.get(name) or free_port()) for name in PORT_DEFAULTS}
    release = earlier_release(os.environ[FROM_VARIABLE], ports)
    settings = replace(release.settings, artefacts=ARTEFACTS)
    seconds: dict[str, float] = {}
    last = time.monotonic()

    def took(step: str) -> None:
        nonlocal last
        seconds[step] = time.monotonic() - last
        last = time.monotonic()

    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    with (ARTEFACTS / "in-use.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a run of the stack's tests would overwrite the build of this one
        try:
            release.make("year")
            took("earlier release deployed, a year of three companies")
            now = datetime.now(UTC)
            earlier = Stack(release.settings, stack_outputs(release.settings))
            add_states(earlier, now)
            before, answers_before = snapshot(earlier), all_answers(earlier)
            took("states added by HTTP")
            release.make("stop")
            if os.environ.get(RECORD_VARIABLE):
                file, account = Path(os.environ[RECORD_VARIABLE]), account_file(settings)
                record(file, release.commit, now, before, answers_before, account)
            took("earlier release ended, state kept")
            at = datetime.now(UTC)
            stack = start(settings, at, print)
            wait_until_quiet(stack)
            took("this checkout deployed over it")
            upgraded = snapshot(stack)
            done = Upgrade(
                release.commit,
                stack,
                at,
                before,
                answers_before,
                upgraded,
                all_answers(stack, answers_before.openapi),
                seconds,
            )
            _live_on(done, now)
            done.after = snapshot(stack)
            took(f"{len(done.days)} later days")
            yield done
        finally:
            stop_without_saving(settings)


def _live_on(upgrade: Upgrade, now: datetime) -> None:
    """Messages of the earlier release first, then every planner on later days, until three accounts are deleted."""
    stack = upgrade.stack
    for queue, account in (
        ("InvoicesDueUrl", TRANSFER),
        ("PaymentsDueUrl", TRANSFER),
        ("AutoscalingDueUrl", TRANSFER),
        ("EndsDueUrl", CANCELLED),
    ):
        send_in_first_form(stack, queue, account, now)
    settle(stack, IN_TRANSIT)
    wait_until_quiet(stack)
    receipts = [cancellation_receipt(stack, account) for account in (CANCELLED, LEFT)]
    ends = {evening(each[name]) for each in receipts for name in ("active_until", "purge_on")}
    days = {now + timedelta(days=each) for each in (1, 3, 8, 18, 29, 31, 34)}
    for day in sorted(days | ends):
        for planner in PLANNERS:
            fire(stack, planner, day)
        wait_until_quiet(stack)
        upgrade.days.append(day.date())
