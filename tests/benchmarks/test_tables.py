"""`make bench` prints only tables: no log lines and no tracebacks."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.cold_start import ENVIRONMENT
from tests.template import ROOT, template

UNREAD = {"STRIPE_API_BASE", "STAFF_ADDRESS", "VENDOR_NAME", "REPLY_TO_ADDRESS"}
"""Variables that no constructor reads."""

CHEAP = ("warm-request", "invoicing", "autoscaling")
"""The first runs a function that logs. The last would read the items of the second if they shared a process."""


def test_benchmarks_print_only_their_tables() -> None:
    command = [sys.executable, "-m", "benchmarks", *CHEAP, "--rounds", "1"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert finished.stderr == ""
    python, *tables = finished.stdout.split("\n\n")
    assert python.startswith("Python ")
    titles = [table.splitlines()[0] for table in tables]
    assert [title.partition(":")[0] for title in titles] == ["Billing page", "Renewal", "Autoscaling"]
    for table in tables:
        assert all(line.startswith("  ") for line in table.splitlines()[1:]), table
    # With the items of another benchmark there is no decision to write.
    assert "writes 0 units" not in tables[2]


def test_an_unknown_benchmark_is_refused() -> None:
    command = [sys.executable, "-m", "benchmarks", "nothing"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert finished.returncode == 2
    assert "there is no nothing" in finished.stderr


def test_the_cold_start_benchmark_has_every_variable_that_a_function_reads() -> None:
    resources = template()["Resources"]
    functions = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::Serverless::Function"]
    variables = {name for each in functions for name in each.get("Environment", {}).get("Variables", {})}

    assert variables - {*ENVIRONMENT} <= UNREAD
