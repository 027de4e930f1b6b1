"""Every place that reads the real time asks for the account's clock first, or is named here with its reason."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.template import ROOT

REAL = re.compile(
    r"datetime\.now\(|\.utcnow\(|date\.today\(|time\.time\(|requestTimeEpoch|ApproximateCreationDateTime|SentTimestamp"
    r"|real: RealNow|now: RealNow"
)
STRIPES = re.compile(r"\.made_at\b")
"""Stripe's times are real: it knows no clock of ours."""

LAYER = "layers/shared/billing/"

BY_ACCOUNT = {
    LAYER + "platform/clock.py": (1, "time_of and time_after ask for the clock of the account first"),
    LAYER + "platform/http/callers.py": (1, "request_time asks for the clock of the account in the path first"),
    "functions/note_payment_notice/app.py": (1, "the commands ask for the clock of the account that the object names"),
    "functions/record_queued_usage/app.py": (1, "the command asks for the clock of each event's account"),
    "functions/take_reported_usage/app.py": (1, "the command asks for the clock of each event's account"),
    "functions/watch_usage/app.py": (1, "time_for asks for the clock of the account first"),
}
IN_REALITY = {
    LAYER + "platform/workers.py": (2, "the age of a message, for an alarm"),
    "functions/advance_test_clock/app.py": (1, "how long a run lasts, and a claim on a clock"),
    "functions/end_account/app.py": (2, "late files and mails arrive by the wall clock"),
    "functions/note_mail_feedback/app.py": (1, "when SES's report was received"),
    "functions/notify/app.py": (1, "the Date of a mail, and claims on it"),
    "functions/administer_downloads/app.py": (2, "how long a link works"),
    "functions/administer_users/app.py": (2, "when a log-in is deleted: it is in the user pool of everybody"),
    "functions/get_invoice_document/app.py": (2, "how long a link works"),
}
OF_STRIPE = {
    LAYER + "invoicing/collect_payments.py": (2, "only for an account that is on no clock"),
    LAYER + "invoicing/sync_payments.py": (
        4,
        "the day only for an account on no clock; an age is compared with real time",
    ),
    LAYER + "invoicing/reconciliation/rules.py": (5, "no clock runs this job"),
    LAYER + "usage/mapping.py": (1, "of a correction, not of Stripe"),
    LAYER + "usage/views.py": (1, "of a correction, not of Stripe"),
}


def found(pattern: re.Pattern[str]) -> dict[str, int]:
    """How often the pattern is in each file of the functions and the shared package."""
    count = Counter[str]()
    for folder in ("functions", "layers/shared/billing"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            lines = [line for line in file.read_text("utf-8").splitlines() if not line.startswith(("from ", "import "))]
            count[str(file.relative_to(ROOT))] += len(pattern.findall("\n".join(lines)))
    return {file: number for file, number in count.items() if number}


def test_each_place_that_reads_the_real_time_is_named() -> None:
    assert found(REAL) == {file: number for file, (number, _) in (BY_ACCOUNT | IN_REALITY).items()}


def test_each_place_that_uses_a_time_of_stripe_is_named() -> None:
    assert found(STRIPES) == {file: number for file, (number, _) in OF_STRIPE.items()}


@pytest.mark.parametrize("file", sorted(BY_ACCOUNT))
def test_a_place_by_account_asks_for_its_clock(file: str) -> None:
    """Itself, or in the commands that it calls: these get the real time, and each names the one function."""
    asked = {
        "functions/note_payment_notice/app.py": ["invoicing/sync_payments.py", "invoicing/note_payment_notice.py"],
        "functions/record_queued_usage/app.py": ["usage/record_queued_usage.py"],
        "functions/take_reported_usage/app.py": ["usage/record_usage.py"],
    }.get(file)
    sources = [ROOT / file] if asked is None else [ROOT / LAYER / each for each in asked]

    assert all(re.search(r"\b(time_for|clock_for|AccountTimes)\(", Path(each).read_text("utf-8")) for each in sources)
