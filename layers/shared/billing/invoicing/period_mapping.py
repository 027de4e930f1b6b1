"""Paid periods as they are stored: compact, because each renewal writes two of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from billing.invoicing.periods import Adjustment, PaidPeriod, PeriodInvoice, TakenBack
from billing.invoicing.tax import Tax, TaxRule
from billing.kernel.contract_calendar import Contract
from billing.kernel.money import Money
from billing.platform.dynamodb.bodies import date_or_none, parsed, text
from billing.platform.dynamodb.reader import Row
from billing.subscriptions.pricing import ProductMonths, Step
from billing.subscriptions.rules import Discount

Body = dict[str, Any]


def period_body(period: PaidPeriod, contract: Contract) -> str:
    """The stored text of a period. Steps name their first month, and their discounts by position.

    billing.subscriptions.mapping reads `start` and `fixed_through`.
    """
    discounts: list[Discount] = []
    for each in period.content:
        for step in each.steps:
            discounts.extend(active for active in step.discounts if active not in discounts)
    body: Body = {
        "contract": period.contract,
        "start": period.start,
        "first_month": period.first_month,
        "until_month": period.until_month,
        "fixed_through": period.fixed_through,
        "active_until": period.active_until,
        "currency": period.currency_in(contract),
        "discounts": discounts,
        "content": [
            [each.product, each.name, each.unit, [_step_body(step, contract, discounts) for step in each.steps]]
            for each in period.content
        ],
        "invoiced": [
            [
                each.number,
                None if each.tax is None else [each.tax.rule, each.tax.country, each.tax.rate],
                each.amounts,
            ]
            for each in period.invoiced
        ],
    }
    if period.taken_back:  # most periods have none
        body["taken_back"] = [[each.number, each.corrects, each.amounts] for each in period.taken_back]
    if period.adjustments:
        body["adjustments"] = [
            [each.month, each.product, each.amount, each.reason, each.by, each.decided_on]
            for each in period.adjustments
        ]
    return text(body)


def period_of(row: Row | None) -> PaidPeriod | None:
    """The running paid period of its row; None without one."""
    return None if row is None else period_from(row.body, row.version)


def period_from(stored: str, version: int) -> PaidPeriod:
    body = parsed(stored)
    contract = Contract(date.fromisoformat(body["start"]), 1, body["currency"], "")
    discounts = [_discount(each) for each in body["discounts"]]
    return PaidPeriod(
        contract=body["contract"],
        start=contract.start,
        first_month=body["first_month"],
        until_month=body["until_month"],
        fixed_through=body["fixed_through"],
        content=tuple(
            ProductMonths(product, name, unit, tuple(_step(step, contract, discounts) for step in steps))
            for product, name, unit, steps in body["content"]
        ),
        invoiced=tuple(
            PeriodInvoice(
                number,
                None if tax is None else Tax(TaxRule(tax[0]), tax[1], Decimal(tax[2])),
                tuple((product, amount) for product, amount in amounts),
            )
            for number, tax, amounts in body["invoiced"]
        ),
        active_until=date_or_none(body["active_until"]),
        version=version,
        taken_back=tuple(
            TakenBack(number, corrects, tuple((product, amount) for product, amount in amounts))
            for number, corrects, amounts in body.get("taken_back", ())
        ),
        adjustments=tuple(
            Adjustment(month, product, amount, reason, by, date.fromisoformat(decided_on))
            for month, product, amount, reason, by, decided_on in body.get("adjustments", ())
        ),
    )


def _step_body(step: Step, contract: Contract, discounts: Sequence[Discount]) -> list[Any]:
    active = [discounts.index(each) for each in step.discounts]
    return [contract.month_of(step.since), step.months, step.up_to, step.price.amount, step.decision, active]


def _step(body: Sequence[Any], contract: Contract, discounts: Sequence[Discount]) -> Step:
    month, months, up_to, price, decision, active = body
    return Step(
        since=contract.month_start(month),
        until=contract.month_start(month + months),
        months=months,
        up_to=up_to,
        price=Money(price, contract.currency),
        decision=decision,
        discounts=tuple(discounts[each] for each in active),
    )


def _discount(body: Body) -> Discount:
    return Discount(
        product=body["product"],
        percent=None if body["percent"] is None else Decimal(body["percent"]),
        amount=body["amount"],
        valid_from=date.fromisoformat(body["valid_from"]),
        valid_until=date_or_none(body["valid_until"]),
        reason=body["reason"],
    )
