"""A company's first year on Livello: its users see the billing page month by month."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from billing import wiring
from billing.invoicing.issue_invoices import issue_invoices

from functions.administer_users.app import handler as administer_users
from functions.get_billing.app import handler as get_billing
from functions.update_billing_information.app import handler as update_billing_information
from tests.api_gateway import STAFF, answer, person, request
from tests.aws import UserPool
from tests.company import provisioned, put_catalogue
from tests.samples import ACCOUNT, CATALOGUE, with_value
from tests.stores import Stores

SHOP = {
    **with_value(ACCOUNT, 1, "contract", "interval_months"),
    "account": "first-year-shop",
    "discounts": [{"product": None, "percent": "50", "from": "2026-01-31", "until": "2026-03-31", "reason": "Launch"}],
}
PATH = {"account": "first-year-shop"}


def noon_of(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC)


def invoice_all(day: str) -> None:
    """Issues all that is due by noon."""
    settings, store = wiring.invoicing_settings(), wiring.invoice_store()
    issue_invoices(PATH["account"], now=noon_of(day), correlation="run", settings=settings, store=store)


def page_on(day: str, claims: dict[str, str]) -> dict[str, Any]:
    """The page after all that is due was issued."""
    noon = noon_of(day)
    invoice_all(day)
    given = answer(get_billing, request("GET", "/accounts/{account}/billing", claims=claims, path=PATH, now=noon))
    assert given.status == 200, given
    page: dict[str, Any] = given.body
    return page


def next_charge(page: dict[str, Any]) -> tuple[str, int]:
    payment = page["payment_details"]
    return payment["next_charge_on"], payment["amount_per_charge"]["amount"]


def test_a_first_year(store: Stores, user_pool: UserPool) -> None:
    # Before Christmas, staff sell from the first catalogue: search and e-mail, 108.00 a month, half price for
    # the first two contract months. The contract starts on 31 January.
    assert put_catalogue(CATALOGUE).status == 200
    december = datetime(2025, 12, 20, 9, tzinfo=UTC)
    sold = with_value(with_value(SHOP, "2026-01-31", "contract", "start"), None, "invoiced_until")
    assert provisioned(sold, now=december).status == 201
    users = answer(administer_users, request("GET", "/accounts/{account}/users", claims=STAFF, path=PATH)).body["items"]
    ada = person(users[0]["user"])
    assert next_charge(page_on("2025-12-20", ada)) == ("2026-01-31", 5400)

    # The 31st is kept through February.
    assert next_charge(page_on("2026-02-01", ada)) == ("2026-02-28", 5400)
    assert next_charge(page_on("2026-03-01", ada)) == ("2026-03-31", 10_800)

    # In April prices rise for new accounts only.
    dearer = with_value(CATALOGUE, 5900, "products", 0, "tiers", 0, "prices", "EUR")
    assert put_catalogue(dearer, replaces=1).status == 200
    april = page_on("2026-04-15", ada)
    assert april["subscription"]["catalogue_version"] == 1
    assert april["subscription"]["discounts"] == []
    assert next_charge(april) == ("2026-04-30", 10_800)

    # In June the company moves. Ada makes Bo an admin and leaves. Bo enters the new address.
    bo_invited = answer(
        administer_users,
        request(
            "PUT",
            "/accounts/{account}/users",
            claims=ada,
            path=PATH,
            body={"email": "bo@first-year.example", "name": "Bo", "role": "admin"},
        ),
    )
    bo = person(bo_invited.body["user"])
    removed = answer(
        administer_users,
        request("DELETE", "/accounts/{account}/users/{user}", claims=bo, path={**PATH, "user": users[0]["user"]}),
    )
    assert removed.status == 204
    moved = {**ACCOUNT["company"], "address_line_1": "Nørregade 7", "postcode": "1165"}
    changed = answer(
        update_billing_information,
        request(
            "PUT",
            "/accounts/{account}/billing-information/company",
            claims=bo,
            path=PATH,
            body=moved,
            headers={"If-Match": '"1"'},
        ),
    )
    assert changed.status == 200

    # A year later the contract has the same prices and renewal days, and the new address.
    for month in ("2026-06", "2026-08", "2026-10", "2026-12"):
        invoice_all(f"{month}-28")
    anniversary = page_on("2027-02-01", bo)
    assert next_charge(anniversary) == ("2027-02-28", 10_800)
    assert anniversary["billing_information"]["company"] == moved
    assert answer(get_billing, request("GET", "/accounts/{account}/billing", claims=ada, path=PATH)).status == 404
