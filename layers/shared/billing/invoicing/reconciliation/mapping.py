"""The stored form of a finding."""

from __future__ import annotations

from datetime import datetime

from billing.invoicing.reconciliation.rules import Finding, Rule
from billing.kernel.fields import fields_of
from billing.kernel.money import Money
from billing.platform.dynamodb.bodies import Body, parsed, text


def finding_body(finding: Finding) -> str:
    return text(fields_of(finding))


def finding_from(stored: str) -> Finding:
    body = parsed(stored)
    return Finding(
        rule=Rule(body["rule"]),
        account=body["account"],
        subject=body["subject"],
        invoice=body["invoice"],
        expected=body["expected"],
        found=body["found"],
        expected_amount=_money(body["expected_amount"]),
        found_amount=_money(body["found_amount"]),
        since=datetime.fromisoformat(body["since"]),
    )


def _money(body: Body | None) -> Money | None:
    return None if body is None else Money(**body)
