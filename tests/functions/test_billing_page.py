"""The billing page and its sections, computed for the time of the request."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from billing import wiring
from billing.invoicing import summary_mapping as invoice_summary_mapping
from billing.invoicing.invoices import Invoice, InvoiceStatus
from billing.invoicing.issue_invoices import issue_invoices
from billing.kernel.money import Money
from billing.platform.dynamodb import keys

from functions.get_billing.app import handler as get_billing
from functions.get_invoices.app import handler as get_invoices
from functions.list_accounts.app import handler as list_accounts
from functions.update_billing_information.app import handler as update_billing_information
from tests.api_gateway import NOW, STAFF, Answer, answer, request
from tests.aws import delete_item, put_item
from tests.company import Company, provisioned
from tests.functions.ending import invoiced_elsewhere
from tests.samples import ACCOUNT, with_value
from tests.store.samples import invoices

PAGE = "/accounts/{account}/billing"


def ask(company: Company, route: str, *, now: datetime = NOW, query: dict[str, str] | None = None) -> Answer:
    handler = get_invoices if route.endswith("/invoices") else get_billing
    return answer(handler, request("GET", route, claims=company.admin, path=company.path, query=query, now=now))


def euros(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


@pytest.fixture
def company(company: Company) -> Company:
    """The sample account. All that it owes by now is invoiced."""
    invoiced_elsewhere(company)
    return company


def invoice_all(company: Company, now: datetime) -> None:
    """Issues all that is due by now."""
    issue_invoices(
        company.account, now=now, correlation="run", settings=wiring.invoicing_settings(), store=wiring.invoice_store()
    )


def test_the_billing_page_has_four_sections(company: Company) -> None:
    page = ask(company, PAGE)

    assert page.status == 200
    assert page.headers["Cache-Control"] == "no-store"
    assert page.body == {
        "account": "nordlys-kaffe",
        "name": "Nordlys Kaffe",
        "status": "active",
        "ends": None,
        "contract": ACCOUNT["contract"],
        "stores": ACCOUNT["stores"],
        "subscription": {
            "catalogue_version": 1,
            "pending_version": None,
            "lines": [
                {
                    "product": "search",
                    "name": "Search",
                    "unit": "searches",
                    "translations": {},
                    "up_to": 10_000,
                    "price_per_month": euros(4900),
                    # 4287.5 after 12.5 % off rounds half to even.
                    "price_per_month_after_discounts": euros(4288),
                    "price_is_agreed": False,
                    "discounts": [{"percent": "12.5", "amount": None, "until": "2027-01-15", "reason": "Launch"}],
                    "pending_change": None,
                    "begins_on": None,
                    "ends_on": None,
                },
                {
                    "product": "email",
                    "name": "E-mail",
                    "unit": "e-mails",
                    "translations": {},
                    "up_to": 25_000,
                    "price_per_month": euros(5900),
                    "price_per_month_after_discounts": euros(5900),
                    "price_is_agreed": False,
                    "discounts": [],
                    "pending_change": None,
                    "begins_on": None,
                    "ends_on": None,
                },
            ],
            "discounts": [{"percent": None, "amount": euros(500), "until": None, "reason": "Loyalty"}],
        },
        "invoices": [],
        "billing_information": {
            "company": ACCOUNT["company"],
            "billing": ACCOUNT["billing"],
            "contact": ACCOUNT["contact"],
        },
        "payment_details": {
            "method": None,
            "card": None,
            "debit": None,
            "payment_term_days": None,
            "interval_months": 3,
            # 25 % of tax is rounded half away from zero.
            "next_charge": {
                "on": "2026-07-15",
                "net": euros(29_062),
                "tax": euros(7_266),
                "tax_rule": "domestic",
                "total": euros(36_328),
            },
            # Three months of search (12862.5, rounded once) and of e-mail, less the loyalty discount.
            "amount_per_charge": euros(12_862 + 17_700 - 1_500),
            "next_charge_on": "2026-07-15",
        },
        "appointment": None,
    }


def test_each_sections_own_route_returns_the_same(company: Company) -> None:
    page = ask(company, PAGE).body

    assert ask(company, "/accounts/{account}/subscription").body == page["subscription"]
    assert ask(company, "/accounts/{account}/payment-method").body == page["payment_details"]
    for area, details in page["billing_information"].items():
        section = ask(company, f"/accounts/{{account}}/billing-information/{area}")
        assert section.body == details
        assert section.headers["ETag"] == '"1"'


def test_a_discount_is_shown_while_it_is_active(company: Company) -> None:
    last_day = datetime(2027, 1, 14, 12, tzinfo=UTC)
    day_after = datetime(2027, 1, 15, 12, tzinfo=UTC)

    assert ask(company, PAGE, now=last_day).body["subscription"]["lines"][0]["discounts"] != []
    assert ask(company, PAGE, now=day_after).body["subscription"]["lines"][0]["discounts"] == []


def test_the_next_charge_has_the_discounts_of_its_own_months(company: Company) -> None:
    """The paid period from 15 January 2027 is the first without the launch discount."""
    december = datetime(2026, 12, 1, tzinfo=UTC)
    invoice_all(company, december)

    payment = ask(company, PAGE, now=december).body["payment_details"]

    assert payment["next_charge_on"] == "2027-01-15"
    assert payment["amount_per_charge"] == euros(3 * 10_800 - 1_500)


def test_today_is_the_day_in_the_accounts_time_zone(company: Company) -> None:
    """At 22:30 UTC it is already the day after the renewal in Copenhagen."""
    evening = datetime(2026, 7, 15, 22, 30, tzinfo=UTC)
    assert ask(company, PAGE, now=evening).body["payment_details"]["next_charge_on"] == "2026-07-16", "not issued yet"
    invoice_all(company, evening)

    payment = ask(company, PAGE, now=evening).body["payment_details"]

    assert payment["next_charge_on"] == "2026-10-15"


def test_a_contract_that_has_not_begun_is_first_charged_on_its_start(company: Company) -> None:
    later = with_value(with_value(ACCOUNT, "later-shop", "account"), "2026-12-31", "contract", "start")

    assert provisioned({**later, "invoiced_until": None}).body["payment_details"]["next_charge_on"] == "2026-12-31"


def test_the_amount_is_in_the_contracts_currency(company: Company) -> None:
    kroner = with_value(with_value(ACCOUNT, "kroner-shop", "account"), "DKK", "contract", "currency")

    given = provisioned(with_value(kroner, [], "discounts"))

    assert given.headers["Location"] == "/v1/accounts/kroner-shop/billing"
    assert given.body["payment_details"]["amount_per_charge"] == {
        "amount": 3 * (36_500 + 43_900),
        "currency": "DKK",
    }


def test_the_page_has_the_newest_invoices_and_the_list_has_all_of_them(company: Company) -> None:
    issued = [*invoices(14), paid_invoice()]
    for invoice in issued:
        put_item(
            keys.account(company.account),
            keys.invoice(invoice.produced_on, invoice.number),
            invoice_summary_mapping.invoice_body(invoice),
        )

    on_page = ask(company, PAGE).body["invoices"]
    first = ask(company, "/accounts/{account}/invoices", query={"limit": "10"}).body
    rest = ask(company, "/accounts/{account}/invoices", query={"limit": "10", "cursor": first["next_cursor"]}).body

    assert on_page[0] == {
        "number": "A-2026-000001",
        "corrects": None,
        "produced_on": "2026-06-01",
        "due_on": "2026-06-15",
        "paid_on": "2026-06-02",
        "status": "paid",
        "total": euros(12_345),
        "left": euros(0),
    }
    assert len(on_page) == 12
    assert [each["number"] for each in (*first["items"], *rest["items"])] == [
        invoice.number for invoice in reversed(issued)
    ]
    assert rest["next_cursor"] is None


def test_another_accounts_cursor_is_refused(company: Company) -> None:
    """A cursor is that of one list. The position in it may lie outside another one."""
    other = with_value(ACCOUNT, "other-shop", "account")
    assert provisioned(other).status == 201
    for invoice in invoices(3):
        put_item(
            keys.account("other-shop"),
            keys.invoice(invoice.produced_on, invoice.number),
            invoice_summary_mapping.invoice_body(invoice),
        )
    theirs = answer(
        get_invoices,
        request(
            "GET",
            "/accounts/{account}/invoices",
            claims=STAFF,
            path={"account": "other-shop"},
            query={"limit": "1"},
        ),
    ).body["next_cursor"]

    mine = ask(company, "/accounts/{account}/invoices", query={"cursor": theirs})

    assert (mine.status, mine.body["type"]) == (422, "urn:livello:problem:bad-cursor")
    assert "items" not in mine.body


def test_the_cursor_of_a_year_is_not_one_of_another_year_or_of_all(company: Company) -> None:
    """The position lies outside the other year: DynamoDB would refuse such a range, and the answer was 502."""
    for invoice in invoices(14):
        put_item(
            keys.account(company.account),
            keys.invoice(invoice.produced_on, invoice.number),
            invoice_summary_mapping.invoice_body(invoice),
        )
    route = "/accounts/{account}/invoices"
    pages = {}
    for year in ("2025", "2026"):
        pages[year] = ask(company, route, query={"year": year, "limit": "1"}).body["next_cursor"]

    for query in ({"year": "2026"}, {}, {"year": "2025", "status": "paid"}):
        given = ask(company, route, query={**query, "cursor": pages["2025"]})
        assert (given.status, given.body["type"]) == (422, "urn:livello:problem:bad-cursor")
    again = {"year": "2025", "limit": "1", "cursor": pages["2025"]}
    assert len(ask(company, route, query=again).body["items"]) == 1


def test_a_browser_of_the_allowed_origin_may_read_the_answer(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_ORIGIN", "https://billing.shop.example")

    page = ask(company, PAGE)
    refused = answer(get_billing, request("GET", PAGE, claims=None, path=company.path))

    for given in (page, refused):
        assert given.headers["Access-Control-Allow-Origin"] == "https://billing.shop.example"
        assert "ETag" in given.headers["Access-Control-Expose-Headers"]
    assert refused.headers["WWW-Authenticate"] == "Bearer"


def test_the_api_answers_behind_a_custom_domain(company: Company) -> None:
    """With a custom domain API Gateway's path includes the base path, as our links do."""
    asked = request("GET", PAGE, claims=company.admin, path=company.path)
    asked["path"] = f"/v1{asked['path']}"
    asked["requestContext"]["path"] = asked["path"]

    assert answer(get_billing, asked).status == 200


def test_an_account_is_not_found_while_it_is_being_provisioned(company: Company) -> None:
    """A query may see a part of the transaction that provisions it."""
    delete_item(keys.account(company.account), keys.PAGE_SUBSCRIPTION)

    assert ask(company, PAGE).status == 404
    assert provisioned(ACCOUNT).body["type"] == "urn:livello:problem:concurrent-change"


def test_the_page_shows_changed_information_at_once(company: Company) -> None:
    moved = {**ACCOUNT["company"], "name": "Nordlys Kaffe A/S", "address_line_2": "3. sal"}

    given = answer(
        update_billing_information,
        request(
            "PUT",
            "/accounts/{account}/billing-information/company",
            claims=company.admin,
            path=company.path,
            body=moved,
            headers={"If-Match": '"1"'},
        ),
    )

    assert (given.status, given.body, given.headers["ETag"]) == (200, moved, '"2"')
    assert ask(company, PAGE).body["billing_information"]["company"] == moved


def test_a_user_lists_their_own_accounts(company: Company) -> None:
    second = with_value(with_value(ACCOUNT, "another-shop", "account"), "Another Shop", "name")
    assert provisioned(second).status == 201

    admins = answer(list_accounts, request("GET", "/accounts", claims=company.admin)).body
    members = answer(list_accounts, request("GET", "/accounts", claims=company.member)).body
    first_page = answer(list_accounts, request("GET", "/accounts", claims=company.admin, query={"limit": "1"})).body

    assert admins == {
        "items": [
            {"account": "another-shop", "name": "Another Shop", "role": "admin"},
            {"account": "nordlys-kaffe", "name": "Nordlys Kaffe", "role": "admin"},
        ],
        "next_cursor": None,
    }
    assert members["items"] == [{"account": "nordlys-kaffe", "name": "Nordlys Kaffe", "role": "member"}]
    assert first_page["items"] == admins["items"][:1]
    assert first_page["next_cursor"] is not None


def paid_invoice() -> Invoice:
    day = datetime(2026, 6, 1, tzinfo=UTC).date()
    return Invoice(
        "A-2026-000001", day, day.replace(day=15), day.replace(day=2), InvoiceStatus.PAID, Money(12_345, "EUR"), 0
    )


def test_before_the_first_invoice_the_charge_that_is_due_is_the_next_one(company: Company) -> None:
    """Provisioned today, with a start that lies back: the hourly run has not come yet."""
    begun = with_value(with_value(ACCOUNT, "begun-shop", "account"), "2026-06-01", "contract", "start")

    charge = provisioned({**begun, "invoiced_until": None}).body["payment_details"]["next_charge"]

    upcoming = request(
        "GET", "/accounts/{account}/invoices/upcoming", claims=STAFF, path={"account": "begun-shop"}, now=NOW
    )
    invoice = answer(get_invoices, upcoming).body
    assert charge["on"] == invoice["on"] == "2026-06-10"
    assert (charge["net"], charge["total"]) == (invoice["net"], invoice["total"])
