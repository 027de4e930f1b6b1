"""Answers of the API about invoices, which an account of the tests does not have yet: copied from a running stack.

`test_invoices.py` compares them with the models of the API.
"""

from __future__ import annotations

from typing import Any


def money(amount: int) -> dict[str, Any]:
    """An amount in øre."""
    return {"amount": amount, "currency": "DKK"}


def listed(number: int, status: str = "paid", left: int = 0) -> dict[str, Any]:
    """A row of the list of invoices, the newest of which has the highest number."""
    day = f"2026-{number % 10 + 1:02}-15"
    return {
        "number": f"LV-2026-{number:06}",
        "corrects": None,
        "produced_on": day,
        "due_on": day,
        "paid_on": day if status == "paid" else None,
        "status": status,
        "total": money(230313),
        "left": money(left),
    }


def invoice(status: str = "paid", left: int = 0, **payment: Any) -> dict[str, Any]:
    """An invoice. `payment` is what differs in its payment."""
    step = {
        "since": "2026-11-15",
        "until": "2026-12-15",
        "months": 1,
        "up_to": 50000,
        "price": money(126000),
        "decision": "2026-10.search",
        "discounts": [{"percent": "12.5", "amount": None, "until": "2028-01-15", "reason": "Welcome discount"}],
    }
    party = {
        "name": "Livello Demo ApS",
        "address_line_1": "Demovej 1",
        "address_line_2": None,
        "postcode": "1050",
        "city": "Kobenhavn",
        "country": "DK",
        "vat_number": "DK10000009",
    }
    return {
        "number": "LV-2026-000014",
        "corrects": None,
        "replaces": None,
        "produced_on": "2026-11-15",
        "due_on": "2026-11-15",
        "occasion": "period",
        "since": "2026-11-15",
        "until": "2026-12-15",
        "seller": party,
        "company": party | {"name": "Nordlys Kaffe ApS"},
        "lines": [
            {
                "product": "search",
                "one_off": None,
                "quantity": 1,
                "description": "Search, up to 50,000 searches per month, 1 month",
                "steps": [step],
                "instead_of": [],
                "net": money(184250),
            }
        ],
        "net": money(184250),
        "tax": {
            "rule": "domestic",
            "country": "DK",
            "rate": "25",
            "amount": money(46063),
            "sentence": None,
            "seller_tax": None,
        },
        "total": money(230313),
        "credit": money(0),
        "due": money(230313),
        "payment": {
            "status": status,
            "paid_on": "2026-11-15" if status == "paid" else None,
            "method": "card",
            "attempts": 0,
            "next_attempt_on": None,
            "failure": None,
            "reference": None,
            "paid": money(230313 - left),
            "left": money(left),
            "waived": money(0),
            "refunded": money(0),
            "credited": [],
            "reminders": {"sent": [], "next_on": None, "pause": None},
            **payment,
        },
    }
