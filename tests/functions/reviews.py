"""A company whose usage fits a lower tier, its success manager, and requests about its reviews."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing import wiring
from billing.usage.rules import UsageEvent

from functions.administer_reviews.app import handler as administer_reviews
from functions.administer_success_managers.app import handler as administer_success_managers
from tests.api_gateway import NOW, STAFF, Answer, answer, request
from tests.company import Company

REVIEWS = "/accounts/{account}/reviews"
MANAGER = "sofie-lindgren"
SOFIE: dict[str, Any] = {
    "name": "Sofie Lindgren",
    "email": "sofie.staff@livello.example",
    "time_zone": "Europe/Copenhagen",
    "working_hours": {
        weekday: [{"from": "09:00", "until": "12:00"}, {"from": "13:00", "until": "16:30"}]
        for weekday in ("monday", "tuesday", "wednesday", "thursday")
    },
    "review_minutes": 30,
    "place": "Video call, https://meet.livello.example/nordlys",
    "absences": [],
}
"""The success manager of the sample company, who works from Monday to Thursday."""

BEGINS = "2026-06-16T07:00:00Z"
"""A Tuesday, 9:00 in Copenhagen: one of the free slots at NOW."""

LOWER: dict[str, Any] = {"outcome": "applied", "tiers": [{"product": "email", "up_to": 10_000}]}
DECLINED: dict[str, Any] = {"outcome": "declined", "reason": "Christmas would not fit."}


@dataclass(frozen=True)
class ReviewClient:
    """A client for the review routes of a company. Requests are the admin's unless `claims` are given."""

    company: Company

    def slots(self, query: dict[str, str] | None = None) -> Answer:
        return self._send("GET", "/slots", None, query=query)

    def book(self, begins: str = BEGINS, claims: dict[str, str] | None = None, now: datetime = NOW) -> Answer:
        return self._send("POST", "", claims, body={"begins": begins}, now=now)

    def booked(self, begins: str = BEGINS) -> str:
        """Books a review and returns its id."""
        given = self.book(begins)
        assert given.status == 201, given
        review: str = given.body["review"]
        return review

    def one(self, review: str, claims: dict[str, str] | None = None, now: datetime = NOW) -> Answer:
        return self._send("GET", "/{review}", claims, review=review, now=now)

    def all(self, **query: str) -> Answer:
        return self._send("GET", "", None, query=query or None)

    def cancel(self, review: str, claims: dict[str, str] | None = None, now: datetime = NOW) -> Answer:
        return self._send("DELETE", "/{review}", claims, review=review, now=now)

    def decide(self, review: str, body: Any, claims: dict[str, str] | None = None, now: datetime = NOW) -> Answer:
        return self._send("PUT", "/{review}/decision", claims or STAFF, review=review, body=body, now=now)

    def _send(
        self,
        method: str,
        route: str,
        claims: dict[str, str] | None,
        *,
        review: str | None = None,
        body: Any = None,
        query: dict[str, str] | None = None,
        now: datetime = NOW,
    ) -> Answer:
        path = self.company.path if review is None else {**self.company.path, "review": review}
        event = request(
            method,
            REVIEWS + route,
            claims=claims or self.company.admin,
            path=path,
            body=body,
            query=query,
            now=now,
        )
        return answer(administer_reviews, event)


def put_manager(body: dict[str, Any] = SOFIE, manager: str = MANAGER, *, replaces: int = 0) -> Answer:
    """Staff add or replace a success manager."""
    headers = {"If-Match": f'"{replaces}"'} if replaces else {"If-None-Match": "*"}
    route, path = "/success-managers/{success_manager}", {"success_manager": manager}
    event = request("PUT", route, claims=STAFF, path=path, body=body, headers=headers)
    return answer(administer_success_managers, event)


def assign(account: str, manager: str = MANAGER) -> Answer:
    """Staff assign a success manager to an account."""
    route, path = "/accounts/{account}/success-manager", {"account": account}
    body = {"success_manager": manager}
    return answer(administer_success_managers, request("PUT", route, claims=STAFF, path=path, body=body))


def report(account: str, product: str, month: date, quantity: str) -> None:
    """Counts all usage of a month on its first day."""
    events = [
        UsageEvent(
            account=account,
            source="tests",
            id=f"{account} {product} {month}",
            product=product,
            store="nordlys-dk",
            content=None,
            time=datetime(month.year, month.month, 1, 12, tzinfo=UTC),
            day=month,
            quantity=Decimal(quantity),
        )
    ]
    assert wiring.usage_store().count(events, lambda _: datetime(2027, 1, 1, tzinfo=UTC)) == {}


def make_reviewable(company: Company) -> ReviewClient:
    """Assigns a success manager, and reports usage that fits the lower tier of e-mails: 8,000 a month on average."""
    assert put_manager().status == 200
    assert assign(company.account).status == 200
    for month, quantity in ((3, "9000"), (4, "8000.5"), (5, "6999.5")):
        report(company.account, "email", date(2026, month, 1), quantity)
        report(company.account, "search", date(2026, month, 1), "5000")
    return ReviewClient(company)
