"""What events say of the money that is open at an account's end (DESIGN 3.7.5)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

from billing.invoicing.open_money import OpenMoney
from billing.kernel.events import Facts
from billing.kernel.money import Money


def totals_facts(open_money: OpenMoney | None) -> Facts:
    """`to_pay` and `to_repay` together; None where nothing is owed in that direction."""
    if open_money is None:
        return {"to_pay": None, "to_repay": None}
    return {
        "to_pay": asdict(open_money.to_pay) if open_money.to_pay.amount else None,
        "to_repay": asdict(open_money.to_repay) if open_money.to_repay.amount else None,
    }


def open_money_facts(open_money: OpenMoney, stage: str, purge_on: date, language: str | None = None) -> Facts:
    """All that is open, by document, for staff."""
    currency = open_money.currency

    def money(amount: int) -> Facts:
        return asdict(Money(amount, currency))

    not_invoiced = open_money.not_invoiced
    return {
        "stage": stage,
        "purge_on": purge_on,
        "to_pay": asdict(open_money.to_pay),
        "to_repay": asdict(open_money.to_repay),
        "documents": [
            {
                "number": each.number,
                "due_on": each.due_on,
                "to_pay": money(each.to_pay),
                "to_repay": money(each.to_repay),
                "state": each.state,
            }
            for each in open_money.documents
        ],
        "not_invoiced": {
            "invoices": len(not_invoiced),
            "total": asdict(open_money.to_invoice),
        }
        if not_invoiced
        else None,
        "unassigned": money(open_money.unassigned) if open_money.unassigned else None,
        "language": language,
    }
