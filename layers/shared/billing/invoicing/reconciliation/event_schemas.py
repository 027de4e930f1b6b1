"""The event of a comparison of the books that found something new."""

from __future__ import annotations

from typing import Literal

from billing.platform.events.envelope import EventEnvelope, Facts
from billing.platform.events.facts import MoneyFacts


class FindingFacts(Facts):
    """A difference. `rule` and `subject` tell it from the others; `expected` and `found` are words for staff. The
    amounts are null where it is not about one."""

    rule: Literal[
        "payment-not-booked",
        "payment-foreign",
        "payment-stuck",
        "refund-not-booked",
        "dispute-not-booked",
        "charge-not-confirmed",
        "transit-not-confirmed",
        "look-overdue",
        "look-missing",
        "month-not-due",
        "owed-differs",
        "one-off-differs",
        "credit-differs",
        "transfer-differs",
        "register-broken",
    ]
    subject: str
    invoice: str | None
    expected: str
    found: str
    expected_amount: MoneyFacts | None
    found_amount: MoneyFacts | None


class DifferenceFacts(Facts):
    findings: list[FindingFacts]


class ReconciliationDiffered(EventEnvelope):
    """The comparison of the books has found differences that it did not find before. `account` is null where they are
    in the register of numbers, which belongs to no account. Told to staff."""

    type: Literal["reconciliation.differed"]
    version: Literal[1]
    account: str | None
    before: None
    after: DifferenceFacts
