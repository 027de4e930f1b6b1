"""The whole system, deployed once per test session into an emulated AWS of its own."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from local.background import free_port
from local.cloud import client
from local.settings import ROOT, Settings
from local.stack import Stack, start, stop

ARTEFACTS = ROOT / ".local" / "test-artefacts"
"""Kept from one run of the tests to the next, so only changes are built."""


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A deployed Livello with the demonstration, used through the front door.

    All tests share it: each works with accounts and people of its own, or only reads.
    """
    settings = Settings(
        folder=tmp_path_factory.mktemp("stack"),
        artefacts=ARTEFACTS,
        cloud_port=free_port(),
        front_door_port=free_port(),
        mail_port=free_port(),
        stripe_port=free_port(),
        vies_port=free_port(),
        persistent=False,
    )
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    with (ARTEFACTS / "in-use.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second run waits, because it would overwrite the build of this one
        try:
            running = start(settings, datetime.now(UTC), print)
            _stop_planners_of_money(running)
            yield running
        finally:
            stop(settings)


def _stop_planners_of_money(stack: Stack) -> None:
    """Disables the schedules of money: the tests fire them when they want, and one may run over a full hour."""
    scheduler = client(stack.settings, "scheduler")
    planners = {stack.outputs[each] for each in ("PlanInvoicesName", "PlanPaymentsName", "PlanReconciliationName")}
    stopped = 0
    for listed in scheduler.list_schedules()["Schedules"]:
        schedule = scheduler.get_schedule(Name=listed["Name"])
        if schedule["Target"]["Arn"].rpartition(":")[2] in planners:
            assert schedule["State"] == "ENABLED"
            changed = {key: schedule[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
            scheduler.update_schedule(**changed, State="DISABLED")
            stopped += 1
    assert stopped == len(planners)
