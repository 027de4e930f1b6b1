"""How many points were tried, at the end of the report."""

from __future__ import annotations

import os

import pytest

from tests.faults.cuts import Points

SEED = "20261123"
PROPERTY = "faults"


def seed() -> str:
    """What everything left to chance follows from."""
    return os.environ.get("LIVELLO_SEED", SEED)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many points were tried, scenario by scenario."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    tried = [
        Points(**value)
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if not tried:
        return
    terminalreporter.section(f"faults, seed {seed()}")
    for points in tried:
        terminalreporter.line(f"{points.points:5} {points.what:26} {points.scenario}")
    terminalreporter.line(f"{sum(points.points for points in tried):5} in all")
