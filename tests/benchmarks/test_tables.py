"""`make bench` prints tables, and nothing else: neither log lines nor tracebacks."""

from __future__ import annotations

import subprocess
import sys

from tests.template import ROOT

CHEAP = ("warm-request", "invoicing", "autoscaling")
"""The first one runs a function that logs; the last one would get the answers of the second in a shared process."""


def test_benchmarks_print_their_tables_and_nothing_else() -> None:
    command = [sys.executable, "-m", "benchmarks", *CHEAP, "--rounds", "1"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert finished.stderr == ""
    python, *tables = finished.stdout.split("\n\n")
    assert python.startswith("Python ")
    titles = [table.splitlines()[0] for table in tables]
    assert [title.partition(":")[0] for title in titles] == ["Billing page", "Renewal", "Autoscaling"]
    for table in tables:
        assert all(line.startswith("  ") for line in table.splitlines()[1:]), table
    # An account that finds the items of another benchmark has nothing to decide, and writes nothing.
    assert "writes 0 units" not in tables[2]


def test_a_benchmark_that_does_not_exist_is_refused() -> None:
    command = [sys.executable, "-m", "benchmarks", "nothing"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert finished.returncode == 2
    assert "there is no nothing" in finished.stderr
