"""The responses of the reconciliation route."""

from __future__ import annotations

from datetime import datetime

from billing.invoicing.reconciliation.rules import Finding, Rule
from billing.platform.http.models import MoneyView, View


class FindingView(View):
    """A difference in the books since the comparison of `since`. `account` is null for the register of numbers.

    `subject` is what the rule is about: the id of a payment at Stripe, a number, a paid period. docs/operate.md says
    for each rule what to do.
    """

    rule: Rule
    account: str | None
    subject: str
    invoice: str | None
    expected: str
    found: str
    expected_amount: MoneyView | None
    found_amount: MoneyView | None
    since: datetime | None

    @classmethod
    def of(cls, finding: Finding) -> FindingView:
        return cls.model_validate(finding, from_attributes=True)


class FindingsView(View):
    """`next_cursor` leads to what follows, null at the end."""

    items: list[FindingView]
    next_cursor: str | None
