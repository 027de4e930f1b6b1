"""What a function's cold start pays for: the modules that its import loads, and what it may never load.

Import rules inside our own code are import-linter's (pyproject.toml). This is about everybody else's: deterministic,
where a limit in milliseconds would not be.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))

NEVER = {"aws_xray_sdk", "boto3", "requests", "stripe"}
"""No function of today needs them at all."""

NOT_AT_START = {"dns", "email_validator", "stdnum"}
"""Loaded by whoever needs them, when they do: an e-mail address or a VAT number is being checked."""

WRITERS = {"notify", "render_documents"}
"""Functions that write for people."""

RENDERERS = {"render_documents"}
"""Functions whose libraries load what nobody calls: a worker, for which nobody waits."""

REVIEWERS = {"scale_account", "administer_reviews", "administer_success_managers"}
"""Functions that deal with reviews."""

ANSWER_WRITES = {
    "administer_autoscaling",
    "administer_cancellation",
    "administer_catalogue",
    "administer_downloads",
    "administer_reactivation",
    "administer_reviews",
    "administer_success_managers",
    "administer_users",
    "issue_credit_note",
    "provision_account",
    "record_payment",
    "update_billing_information",
    "update_payment_method",
}
"""Functions in which somebody waits for a guarded write."""

BARE = {"describe_api"}
"""Functions that load nothing but the standard library."""


@cache
def loaded(function: str) -> frozenset[str]:
    """The modules that importing a function loads, in a process of its own; one process answers all tests."""
    printed = subprocess.run(
        [sys.executable, "-c", f"import functions.{function}.app, sys; print(*sys.modules)"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    return frozenset(printed.stdout.split())


def packages(modules: frozenset[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_function_loads_what_it_does_not_need(function: str) -> None:
    modules = loaded(function)

    allowed = {"requests", "stdnum"} if function in RENDERERS else set()
    assert not packages(modules) & (NEVER - allowed)
    assert not packages(modules) & (NOT_AT_START - allowed)
    assert "aws_lambda_powertools.utilities.parser" not in modules


@pytest.mark.parametrize("function", sorted(set(FUNCTIONS) - WRITERS))
def test_only_who_writes_mail_loads_what_mail_is_written_with(function: str) -> None:
    modules = loaded(function)

    assert not packages(modules) & {"babel", "icalendar", "jinja2"}
    if function != "note_mail_feedback":
        assert "billing.correspondence.audiences" not in modules


@pytest.mark.parametrize("function", sorted(set(FUNCTIONS) - REVIEWERS))
def test_only_who_deals_with_reviews_loads_what_is_known_of_them(function: str) -> None:
    assert not loaded(function) & {"billing.scaling.reviews.rules", "billing.scaling.reviews.success_managers"}


@pytest.mark.parametrize("function", sorted(BARE))
def test_a_bare_function_loads_nothing_of_ours(function: str) -> None:
    assert not packages(loaded(function)) & {"billing", "pydantic", "pynamodb", "botocore", "aws_lambda_powertools"}


@pytest.mark.parametrize("function", sorted(set(FUNCTIONS) - {"administer_users", "provision_account"}))
def test_only_who_invites_people_loads_the_directory(function: str) -> None:
    assert "billing.accounts.cognito_directory" not in loaded(function)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_only_functions_that_answer_writes_load_pynamodb_at_their_start(function: str) -> None:
    """Nobody waits for a worker, which loads it with its first write; a function that reads never does."""
    assert ("pynamodb" in packages(loaded(function))) == (function in ANSWER_WRITES)
