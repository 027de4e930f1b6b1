"""What events say of the money that is open at an account's end (DESIGN 3.7.5)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

from billing.invoicing.open_money import OpenMoney
from billing.kernel.events import Facts
from billing.kernel.money import Money


def totals_facts(open_money: OpenMoney | None) -> Facts:
    """`to_pay` and `to_repay` together, None where nothing is owed in that direction; and `others`, the same in each
    currency that the contract had before."""
    if open_money is None:
        return {"to_pay": None, "to_repay": None}
    return {**_both(open_money), **_others(open_money)}


def _others(open_money: OpenMoney) -> Facts:
    return {"others": [_both(each) for each in open_money.others]} if open_money.others else {}


def _both(open_money: OpenMoney) -> Facts:
    return {
        "to_pay": asdict(open_money.to_pay) if open_money.to_pay.amount else None,
        "to_repay": asdict(open_money.to_repay) if open_money.to_repay.amount else None,
    }


def open_money_facts(open_money: OpenMoney, stage: str, purge_on: date, language: str | None = None) -> Facts:
    """All that is open, by document, for staff."""
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
                "to_pay": asdict(Money(each.to_pay, of.currency)),
                "to_repay": asdict(Money(each.to_repay, of.currency)),
                "state": each.state,
            }
            for of in (open_money, *open_money.others)
            for each in of.documents
        ],
        **_others(open_money),
        "not_invoiced": {
            "invoices": len(not_invoiced),
            "total": asdict(open_money.to_invoice),
        }
        if not_invoiced
        else None,
        "unassigned": asdict(Money(open_money.unassigned, open_money.currency)) if open_money.unassigned else None,
        "language": language,
    }
