"""Sample request bodies: a catalogue and an account, and the deployment's parameters."""

from __future__ import annotations

import copy
from typing import Any

CATALOGUE: dict[str, Any] = {
    "products": [
        {
            "product": "search",
            "name": "Search",
            "unit": "searches",
            "tiers": [
                {"up_to": 10_000, "prices": {"EUR": 4900, "DKK": 36_500}},
                {"up_to": 25_000, "prices": {"EUR": 9900, "DKK": 73_900}},
                {"up_to": None, "prices": None},
            ],
        },
        {
            "product": "email",
            "name": "E-mail",
            "unit": "e-mails",
            "tiers": [
                {"up_to": 10_000, "prices": {"EUR": 2900, "DKK": 21_500}},
                {"up_to": 25_000, "prices": {"EUR": 5900, "DKK": 43_900}},
            ],
        },
    ]
}

ACCOUNT: dict[str, Any] = {
    "account": "nordlys-kaffe",
    "name": "Nordlys Kaffe",
    "contract": {
        "start": "2026-01-15",
        "interval_months": 3,
        "currency": "EUR",
        "time_zone": "Europe/Copenhagen",
    },
    "company": {
        "name": "Nordlys Kaffe ApS",
        "address_line_1": "Havnegade 1",
        "address_line_2": None,
        "postcode": "1058",
        "city": "København",
        "country": "DK",
        "vat_number": "DK13585628",
    },
    "billing": {"email": "invoices@nordlys.example", "language": "en"},
    "contact": {"name": "Ada Holm", "phone": "+45 33 12 34 56"},
    "stores": [
        {"store": "nordlys-dk", "name": "nordlys.example"},
        {"store": "nordlys-se", "name": "nordlys.example/se"},
    ],
    "invoiced_until": "2026-01-15",
    "lines": [{"product": "search", "up_to": 10_000}, {"product": "email", "up_to": 25_000}],
    "discounts": [
        {"product": "search", "percent": "12.5", "from": "2026-01-15", "until": "2027-01-15", "reason": "Launch"},
        {"product": None, "amount": 500, "from": "2026-01-15", "until": None, "reason": "Loyalty"},
    ],
    "first_admin": {"email": "ada@nordlys.example", "name": "Ada Holm"},
}


def without(sample: dict[str, Any], *path: Any) -> dict[str, Any]:
    """A copy of the sample without the field at `path`."""
    *way, last = path
    changed_sample: Any = copy.deepcopy(sample)
    place = changed_sample
    for step in way:
        place = place[step]
    del place[last]
    whole: dict[str, Any] = changed_sample
    return whole


def with_value(sample: dict[str, Any], value: Any, *path: Any) -> dict[str, Any]:
    """A copy of the sample with `value` at `path`."""
    *way, last = path
    changed_sample: Any = copy.deepcopy(sample)
    place = changed_sample
    for step in way:
        place = place[step]
    place[last] = value
    whole: dict[str, Any] = changed_sample
    return whole


SETTINGS = {
    "CHARGED_METHODS": "card-and-sepa-debit",
    "INVOICE_SERIES": "LV",
    "PAYMENT_TERM_DAYS": "14",
    "REMINDER_DAYS": "7,14,28",
    "RETRY_DAYS": "1,3,5,7",
    "SEPA_NOTICE_DAYS": "0",
    "SELLER_ADDRESS": "Demovej 1",
    "SELLER_CITY": "Copenhagen",
    "SELLER_COUNTRY": "DK",
    "SELLER_CURRENCY": "",
    "SELLER_NAME": "Livello Demo ApS",
    "SELLER_POSTCODE": "1050",
    "SELLER_TIME_ZONE": "Europe/Copenhagen",
    "CREDIT_NOTE_SERIES": "CN",
    "SELLER_IBAN": "",
    "SELLER_VAT_NUMBER": "DK10000009",
    "UNCONFIRMED_VAT_NUMBER": "",
}
"""The deployment's parameters for invoices, as environment variables of the functions."""
