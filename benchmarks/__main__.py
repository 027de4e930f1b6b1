"""`python -m benchmarks [name …] [--rounds N]`: prints how fast Livello is, by the named benchmarks or by all.

Nothing passes or fails here, because a limit on time in a test would only show how busy the machine is. The tests check
what each function imports instead (tests/architecture/test_imports.py).
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROUNDS = 15


def cold_start(rounds: int) -> str:
    """The cold start of every function: imports and clients."""
    from benchmarks import cold_start
    from benchmarks.measuring import table

    with tempfile.TemporaryDirectory() as folder:
        results = cold_start.measured(Path(folder), rounds)
    return table("Cold start: processor time of a fresh process, from the built layer", results, digits=0)


def warm_request(rounds: int) -> str:
    """A request for the billing page in a warm function."""
    from benchmarks import warm_request
    from benchmarks.measuring import table

    return table("Billing page: processor time of a warm request", warm_request.measured(rounds), digits=2)


def usage(rounds: int) -> str:
    """Counting usage: processor time and write units."""
    from benchmarks import usage

    return usage.table(usage.measured(rounds))


def autoscaling(_rounds: int) -> str:
    """The autoscaling rule, and the monthly run of an account."""
    from benchmarks import scaling

    return scaling.table(scaling.measured())


def invoicing(_rounds: int) -> str:
    """Issuing an invoice."""
    from benchmarks import invoicing

    return invoicing.table(invoicing.measured())


def documents(_rounds: int) -> str:
    """Invoices as PDF and XML."""
    from benchmarks import documents

    return documents.table(documents.measured())


def round_trips(_rounds: int) -> str:
    """Latency and throughput of the running local stack."""
    from benchmarks import round_trips

    title = "Round trips through the local stack"
    stack = round_trips.running_stack()
    if stack is None:
        return f"{title}: none runs. `make run` starts it."
    return f"{title}\n{round_trips.table(round_trips.measured(stack))}"


def portal(rounds: int) -> str:
    """The billing page: what a browser loads for each screen, and when the screen is usable."""
    from benchmarks import page_size
    from local.settings import PORTAL

    title = "Billing page in a browser"
    try:
        views = page_size.first_views(PORTAL)
    except page_size.NotBuilt as error:
        return f"{title}\n  {error}"
    return f"{title}: first view, compressed\n{page_size.table(views)}\n{_portal_speed(rounds)}"


def _portal_speed(rounds: int) -> str:
    from benchmarks import page_speed, round_trips
    from tests.browser.browsers import NoBrowser

    stack = round_trips.running_stack()
    if stack is None:
        return "  No Livello runs, so no time is measured. make run starts it."
    try:
        seen = page_speed.measured_by_a_browser_of_its_own(stack, rounds)
    except NoBrowser as error:
        return f"  No time is measured. {error}"
    line = f"1.6 Mbit/s, {page_speed.LATENCY_MILLISECONDS} ms, processor / {page_speed.SLOWER}"
    return f"  At {line}; the goal for billing is {page_speed.LIMIT_SECONDS} s:\n{page_speed.table(seen)}"


BENCHMARKS: dict[str, Callable[[int], str]] = {
    "cold-start": cold_start,
    "warm-request": warm_request,
    "usage": usage,
    "autoscaling": autoscaling,
    "documents": documents,
    "invoicing": invoicing,
    "round-trips": round_trips,
    "portal": portal,
}


def main(arguments: list[str]) -> None:
    """Prints the tables of the named benchmarks, or of all. Exits with 2 for an unknown name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"{', '.join(BENCHMARKS)}; all if none is given")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each variant is measured")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - set(BENCHMARKS):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    if chosen.alone:
        for name in chosen.names:
            sys.stdout.write(f"\n{BENCHMARKS[name](chosen.rounds)}\n")
        return
    sys.stdout.write(f"Python {platform.python_version()}, {platform.machine()}\n")
    sys.stdout.flush()
    for name in chosen.names or BENCHMARKS:
        # Each benchmark has a process of its own. It registers fake answers of DynamoDB in the process's only AWS
        # session, and a second benchmark would get the answers of the first.
        alone = [sys.executable, "-m", "benchmarks", "--alone", name, "--rounds", str(chosen.rounds)]
        subprocess.run(alone, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
