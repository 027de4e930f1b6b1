"""Reports at the end of pytest's output how many cuts were run."""

from __future__ import annotations

import os

import pytest

from tests.faults.cuts import Points

SEED = "20261123"
PROPERTY = "faults"


def seed() -> str:
    """The seed of all randomness: LIVELLO_SEED, or a fixed one."""
    return os.environ.get("LIVELLO_SEED", SEED)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the number of cuts of each scenario."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    scenarios = [
        Points(**value)
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if not scenarios:
        return
    terminalreporter.section(f"faults, seed {seed()}")
    for each in scenarios:
        terminalreporter.line(f"{each.points:5} {each.what:26} {each.scenario}")
    terminalreporter.line(f"{sum(each.points for each in scenarios):5} in all")
