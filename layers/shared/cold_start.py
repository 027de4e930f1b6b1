"""Writes one line to the log when a function starts cold: which build runs where.

It is no part of the package billing, because a function that loads nothing of it writes the line too. It uses the
standard library only: a process pays about a quarter of a millisecond.
"""

import json
import os
from pathlib import Path

BUILD = Path(__file__).with_name("build.json")
"""Version and commit, as the build wrote them (Makefile). A checkout has no such file."""


def log_cold_start() -> None:
    """Prints the line, in the form of the logger's lines. Prints nothing outside of Lambda.

    Lambda's JSON log format passes on a printed line that is JSON, and gives it the time (AWS Lambda Developer Guide,
    "Using Lambda advanced logging controls with Python").
    """
    function = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
    if function is None:
        return
    facts = {
        "level": "INFO",
        "message": "cold start",
        "service": os.environ.get("POWERTOOLS_SERVICE_NAME"),
        "function": function,
        "region": os.environ.get("AWS_REGION"),
        "stage": os.environ.get("STAGE"),
        **build(),
    }
    print(json.dumps(facts), flush=True)


def build() -> dict[str, str | None]:
    """The version and the commit of this build; None where they are not known."""
    try:
        written = json.loads(BUILD.read_text("utf-8"))
    except (OSError, ValueError):
        written = {}
    return {"version": written.get("version"), "commit": written.get("commit")}
