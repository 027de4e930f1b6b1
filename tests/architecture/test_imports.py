"""The modules that each function loads at its cold start, and the modules that it must not load.

import-linter checks the imports inside our own code (pyproject.toml); these tests check the libraries. They are
deterministic, unlike a limit in milliseconds.
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
"""Libraries that no function needs at its start."""

NOT_AT_START = {"dns", "email_validator", "stdnum", "xlsxwriter"}
"""Libraries that a function loads with the first e-mail address or VAT number that it checks, or workbook it writes."""

WRITERS = {"notify", "render_documents"}
"""Functions that write mail or documents."""

RENDERERS = {"render_documents"}
"""Workers whose libraries load requests and stdnum. No request waits for a worker."""

REVIEWERS = {"scale_account", "administer_reviews", "administer_success_managers"}
"""Functions that use the rules of reviews."""

ANSWER_WRITES = {
    "administer_autoscaling",
    "administer_cancellation",
    "administer_claims",
    "administer_catalogue",
    "administer_downloads",
    "administer_exchange_rates",
    "administer_reactivation",
    "administer_reviews",
    "administer_success_managers",
    "administer_subscriptions",
    "administer_test_clocks",
    "administer_vat_numbers",
    "administer_users",
    "import_bank_statements",
    "issue_credit_note",
    "provision_account",
    "record_payment",
    "release_invoicing",
    "update_billing_information",
    "update_payment_method",
}
"""Functions that answer a request with a guarded write."""

BARE = {"describe_api"}
"""Functions that load the standard library only."""


@cache
def loaded(function: str) -> frozenset[str]:
    """The modules that a function's import loads in a new process. The result is cached for all tests."""
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
def test_no_function_loads_unneeded_libraries_at_its_start(function: str) -> None:
    modules = loaded(function)

    allowed = {"requests", "stdnum"} if function in RENDERERS else set()
    assert not packages(modules) & (NEVER - allowed)
    assert not packages(modules) & (NOT_AT_START - allowed)
    assert "aws_lambda_powertools.utilities.parser" not in modules


@pytest.mark.parametrize("function", sorted(set(FUNCTIONS) - WRITERS))
def test_only_writers_load_the_libraries_and_audiences_of_mail(function: str) -> None:
    modules = loaded(function)

    assert not packages(modules) & {"babel", "icalendar", "jinja2"}
    if function != "note_mail_feedback":
        assert "billing.correspondence.audiences" not in modules


@pytest.mark.parametrize("function", sorted(set(FUNCTIONS) - REVIEWERS))
def test_only_reviewers_load_the_rules_of_reviews(function: str) -> None:
    assert not loaded(function) & {"billing.scaling.reviews.rules", "billing.scaling.reviews.success_managers"}


@pytest.mark.parametrize("function", sorted(BARE))
def test_a_bare_function_loads_neither_our_package_nor_its_libraries(function: str) -> None:
    assert not packages(loaded(function)) & {"billing", "pydantic", "pynamodb", "botocore", "aws_lambda_powertools"}


@pytest.mark.parametrize("function", sorted(set(FUNCTIONS) - {"administer_users", "provision_account"}))
def test_only_functions_that_invite_users_load_the_directory(function: str) -> None:
    assert "billing.accounts.cognito_directory" not in loaded(function)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_only_functions_that_answer_writes_load_pynamodb_at_their_start(function: str) -> None:
    """A worker loads it with its first write, because no request waits for it. A function that reads never loads it."""
    assert ("pynamodb" in packages(loaded(function))) == (function in ANSWER_WRITES)
