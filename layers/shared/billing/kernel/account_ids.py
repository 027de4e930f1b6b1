"""What the id of an account says about it (DESIGN 4.8). This module loads nothing: every function has it.

The id of an account on a test clock begins with the id of the clock and a dot: `q1.nordlys` is on the clock `q1`. The
id of a customer's account has no dot. So an account is on its clock from its provisioning to its purge, nothing moves
it off, and whatever names the account also says that it is a test.
"""

from __future__ import annotations

SEPARATOR = "."

CLOCK_PATTERN = "[a-z0-9]{2,16}"
"""The id of a test clock. It is part of account ids and of invoice numbers, so it is short and has no hyphen."""

SERIES_PREFIX = "TEST"


def clock_of(account: str | None) -> str | None:
    """The id of the test clock of an account; None for an account of a customer."""
    clock, dot, _ = (account or "").partition(SEPARATOR)
    return clock if dot else None


def series_of(series: str, account: str) -> str:
    """The series of an account's invoice numbers: `series`, or one of its test clock's own, such as TEST-q1-LV.

    Each clock has its own, because the days of a series rise with its numbers, and each clock has another day.
    """
    clock = clock_of(account)
    return series if clock is None else f"{SERIES_PREFIX}-{clock}-{series}"
