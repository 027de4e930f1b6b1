"""The companies of the demonstration: their details, contracts, subscriptions and people."""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """A person who can log in."""

    email: str
    name: str


@dataclass(frozen=True, slots=True)
class DemoDiscount:
    """A discount from the start of the contract: on a product, or on all of them if `product` is None.

    Either `percent` or `amount` (minor units per month). `months` is how long it is valid; None is for ever.
    """

    product: str | None
    percent: str | None
    amount: int | None
    months: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class DemoCompany:
    """A company to provision. Its contract began `months_ago`, on `day`, counted from the day of provisioning.

    `stores` are names by id; `lines` are products with the volume of their tier.
    """

    account: str
    name: str
    months_ago: int
    day: int
    interval_months: int
    currency: str
    time_zone: str
    company: Mapping[str, str | None]
    phone: str
    language: str
    stores: Mapping[str, str]
    lines: Sequence[tuple[str, int]]
    discounts: Sequence[DemoDiscount]
    admin: DemoPerson
    member: DemoPerson

    def provisioning(self, today: date) -> dict[str, Any]:
        """The body of POST /v1/accounts."""
        start = _month_day(today, -self.months_ago, self.day)
        return {
            "account": self.account,
            "name": self.name,
            "contract": {
                "start": start.isoformat(),
                "interval_months": self.interval_months,
                "currency": self.currency,
                "time_zone": self.time_zone,
            },
            "company": dict(self.company),
            "billing": {"email": f"billing@{self.admin.email.partition('@')[2]}", "language": self.language},
            "contact": {"name": self.admin.name, "phone": self.phone},
            "stores": [{"store": store, "name": name} for store, name in self.stores.items()],
            "lines": [{"product": product, "up_to": up_to} for product, up_to in self.lines],
            "discounts": [_discount(each, start) for each in self.discounts],
            "first_admin": {"email": self.admin.email, "name": self.admin.name},
            "invoiced_until": start.isoformat(),
        }


def _discount(discount: DemoDiscount, start: date) -> dict[str, Any]:
    until = None if discount.months is None else _month_day(start, discount.months, start.day).isoformat()
    return {
        "product": discount.product,
        "percent": discount.percent,
        "amount": discount.amount,
        "from": start.isoformat(),
        "until": until,
        "reason": discount.reason,
    }


def _month_day(origin: date, months: int, day: int) -> date:
    """The given day of the month that is `months` after the origin's, or that month's last day if it is shorter."""
    year, month = divmod(origin.year * 12 + origin.month - 1 + months, 12)
    return date(year, month + 1, min(day, calendar.monthrange(year, month + 1)[1]))


STAFF = DemoPerson("sofie.staff@livello.example", "Sofie Lindgren")

SUCCESS_MANAGER = "sofie-lindgren"
SUCCESS_MANAGER_HOURS: Mapping[str, Any] = {
    "name": STAFF.name,
    "email": STAFF.email,
    "time_zone": "Europe/Stockholm",
    "working_hours": {
        **{
            day: [{"from": "09:00", "until": "12:00"}, {"from": "13:00", "until": "16:30"}]
            for day in ("monday", "tuesday", "wednesday", "thursday")
        },
        "friday": [{"from": "09:00", "until": "12:00"}],
    },
    "review_minutes": 30,
    "place": "Video call, https://meet.livello.example/sofie",
}

COMPANIES = (
    DemoCompany(
        account="nordlys-kaffe",
        name="Nordlys Kaffe",
        months_ago=10,
        day=15,
        interval_months=1,
        currency="DKK",
        time_zone="Europe/Copenhagen",
        company={
            "name": "Nordlys Kaffe ApS",
            "address_line_1": "Eksempelvej 12, 2. tv.",
            "address_line_2": None,
            "postcode": "2100",
            "city": "København Ø",
            "country": "DK",
            "vat_number": "DK12345674",
        },
        phone="+45 55 55 01 00",
        language="en",
        stores={"nordlys-dk": "nordlys.example", "nordlys-se": "se.nordlys.example"},
        lines=[("search", 25_000), ("email", 50_000)],
        discounts=[DemoDiscount("search", "12.5", None, 24, "Welcome discount")],
        admin=DemoPerson("astrid@nordlys.example", "Astrid Holm"),
        member=DemoPerson("mikkel@nordlys.example", "Mikkel Bruun"),
    ),
    DemoCompany(
        account="lucciola-libri",
        name="Lucciola Libri",
        months_ago=14,
        day=1,
        interval_months=12,
        currency="EUR",
        time_zone="Europe/Rome",
        company={
            "name": "Lucciola Libri S.r.l.",
            "address_line_1": "Via dell'Esempio 7",
            "address_line_2": "Scala B",
            "postcode": "40121",
            "city": "Bologna",
            "country": "IT",
            "vat_number": "IT01234560371",
        },
        phone="+39 051 555 0142",
        language="it",
        stores={"lucciola-it": "lucciola.example"},
        lines=[("search", 100_000), ("recommendations", 500_000), ("audience", 50_000)],
        discounts=[DemoDiscount(None, "10", None, None, "Paid yearly")],
        admin=DemoPerson("giulia@lucciola.example", "Giulia Ferri"),
        member=DemoPerson("paolo@lucciola.example", "Paolo Conti"),
    ),
    DemoCompany(
        account="harbour-and-hound",
        name="Harbour & Hound",
        months_ago=5,
        day=31,
        interval_months=3,
        currency="GBP",
        time_zone="Europe/London",
        company={
            "name": "Harbour & Hound Ltd",
            "address_line_1": "3 Example Quay",
            "address_line_2": None,
            "postcode": "BS1 6XX",
            "city": "Bristol",
            "country": "GB",
            "vat_number": None,
        },
        phone="+44 117 496 0123",
        language="en",
        stores={
            "harbour-uk": "harbour.example",
            "harbour-ie": "ie.harbour.example",
            "hound": "hound.example",
        },
        lines=[
            ("search", 500_000),
            ("recommendations", 2_000_000),
            ("email", 150_000),
            ("audience", 200_000),
            ("chat", 2_500),
        ],
        discounts=[
            DemoDiscount("recommendations", "20", None, 12, "Launch of the new recommendations"),
            DemoDiscount("chat", None, 5_000, 24, "Pilot customer of chat"),
            DemoDiscount(None, "5", None, None, "Five products"),
        ],
        admin=DemoPerson("eleanor@harbour.example", "Eleanor Finch"),
        member=DemoPerson("tom@harbour.example", "Tom Okafor"),
    ),
)
