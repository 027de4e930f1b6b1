"""The round trips of each route to the table: the account is read once, and that read admits the caller."""

from __future__ import annotations

from typing import Any

import pytest
from billing import wiring
from billing.platform.dynamodb.keys import SHARDS
from botocore.client import BaseClient

from functions.record_usage.app import handler as record_usage
from tests.api_gateway import MACHINE, NOW, STAFF, answer, request
from tests.company import Company
from tests.functions.test_permissions import (
    FOR_MACHINES,
    MATRIX,
    STRANGER,
    Cell,
    account_at_stripe,  # noqa: F401 - pytest looks for it here
    ask,
    documents,  # noqa: F401 - and for this
)
from tests.usage import cloud_event, correct, correction

GET, BATCH, QUERY, WRITE = "GetItem", "BatchGetItem", "Query", "TransactWriteItems"

# DESIGN 6: the round trips of a successful request by an admin, or by staff where admins may not. The first one reads
# the account. No other one reads it again.
ROUND_TRIPS: dict[str, list[str]] = {
    "GET /accounts": [QUERY],
    "POST /accounts": [QUERY, QUERY, WRITE],
    "GET /accounts/{account}/billing": [QUERY],
    "GET /accounts/{account}/subscription": [QUERY],
    "GET /accounts/{account}/stores": [GET],
    "PUT /accounts/{account}/stores/{store}": [GET, WRITE],
    "GET /accounts/{account}/contract/term": [QUERY],
    "PUT /accounts/{account}/contract/term": [QUERY, WRITE],
    "POST /accounts/{account}/contract/term/consent": [QUERY, WRITE],
    "DELETE /accounts/{account}/contract/term": [QUERY, WRITE],
    "PUT /accounts/{account}/subscription/lines/{product}": [QUERY, BATCH, WRITE],
    "PUT /accounts/{account}/subscription/lines/{product}/ending": [QUERY, WRITE],
    "DELETE /accounts/{account}/subscription/lines/{product}/ending": [QUERY, WRITE],
    "GET /accounts/{account}/catalogue-version": [QUERY],
    "PUT /accounts/{account}/catalogue-version": [QUERY, BATCH, BATCH, WRITE],
    "DELETE /accounts/{account}/catalogue-version": [QUERY, BATCH, WRITE],
    "GET /accounts/{account}/tax-exemptions": [QUERY],
    "PUT /accounts/{account}/tax-exemptions": [QUERY, WRITE],
    "GET /accounts/{account}/discounts": [QUERY],
    "PUT /accounts/{account}/discounts": [QUERY, WRITE],
    "GET /accounts/{account}/payment-method": [QUERY],
    "POST /accounts/{account}/payment-method/setup": [BATCH, WRITE],
    "PUT /accounts/{account}/payment-method": [BATCH, WRITE],
    "PUT /accounts/{account}/payment-method/bank-transfer": [BATCH, WRITE],
    "GET /accounts/{account}/payment-term": [BATCH],
    "PUT /accounts/{account}/payment-term": [BATCH, WRITE],
    "GET /accounts/{account}/invoices": [GET, QUERY],
    "GET /accounts/{account}/invoices/upcoming": [BATCH],
    "GET /accounts/{account}/invoices/archive": [BATCH],
    "POST /accounts/{account}/invoices/archive": [BATCH, WRITE],
    "GET /accounts/{account}/invoices/{number}": [BATCH, BATCH],
    "GET /accounts/{account}/invoices/{number}/pdf": [BATCH],
    "GET /accounts/{account}/invoices/{number}/xml": [BATCH],
    "POST /accounts/{account}/invoices/{number}/consent": [GET, QUERY],
    "POST /accounts/{account}/invoices/{number}/credit-notes": [BATCH, BATCH, BATCH, BATCH, WRITE],
    "POST /accounts/{account}/invoices/{number}/credit-notes/preview": [BATCH, BATCH, BATCH],
    # Its paid period has ended, so it is looked for.
    "POST /accounts/{account}/invoices/{number}/correction": [BATCH, BATCH, BATCH, QUERY, QUERY, BATCH, WRITE],
    "POST /accounts/{account}/invoices/{number}/correction/preview": [BATCH, BATCH, BATCH, QUERY],
    "POST /accounts/{account}/invoices/{number}/payment-attempts": [BATCH, QUERY],
    "POST /accounts/{account}/invoices/{number}/payments": [BATCH, QUERY, QUERY, QUERY, WRITE],
    "GET /accounts/{account}/transfers": [GET, QUERY],
    "GET /accounts/{account}/transfers/{transfer}": [GET, GET],
    "POST /accounts/{account}/transfers": [BATCH, QUERY, QUERY, WRITE],
    "POST /accounts/{account}/transfers/{transfer}/take-back": [BATCH, GET, QUERY, WRITE],
    "GET /accounts/{account}/one-offs": [BATCH, QUERY],
    "PUT /accounts/{account}/one-offs/{one_off}": [BATCH, GET, WRITE],
    "DELETE /accounts/{account}/one-offs/{one_off}": [BATCH, WRITE],
    "GET /accounts/{account}/invoicing/release": [BATCH],
    "POST /accounts/{account}/invoicing/release": [BATCH, WRITE],
    "PUT /accounts/{account}/invoices/{number}/reminder-pause": [BATCH, QUERY, WRITE],
    "DELETE /accounts/{account}/invoices/{number}/reminder-pause": [BATCH, QUERY],
    "POST /accounts/{account}/invoices/{number}/repayments": [BATCH, QUERY],
    "POST /accounts/{account}/invoices/{number}/write-off": [BATCH, QUERY, QUERY, WRITE],
    "GET /accounts/{account}/usage": [QUERY, QUERY],
    "GET /accounts/{account}/usage/reduction": [QUERY, BATCH, QUERY, QUERY, QUERY],
    "GET /accounts/{account}/billing-information/company": [QUERY],
    "GET /accounts/{account}/billing-information/billing": [QUERY],
    "GET /accounts/{account}/billing-information/contact": [QUERY],
    "PUT /accounts/{account}/billing-information/company": [QUERY, WRITE],
    "PUT /accounts/{account}/billing-information/billing": [QUERY, WRITE],
    "PUT /accounts/{account}/billing-information/contact": [QUERY, WRITE],
    "GET /accounts/{account}/cancellation": [BATCH, QUERY, QUERY],  # the account, its open invoices, its usage
    "POST /accounts/{account}/cancellation": [BATCH, BATCH, WRITE],
    "DELETE /accounts/{account}/cancellation": [BATCH],
    "GET /accounts/{account}/reactivation": [BATCH, BATCH, QUERY],
    "POST /accounts/{account}/reactivation": [BATCH, BATCH, QUERY, WRITE],
    "GET /accounts/{account}/export": [BATCH],
    "POST /accounts/{account}/export": [BATCH, WRITE],
    "GET /accounts/{account}/events": [GET, QUERY],
    "GET /accounts/{account}/users": [GET, QUERY],
    "PUT /accounts/{account}/users": [GET, QUERY, WRITE],
    "DELETE /accounts/{account}/users/{user}": [GET, QUERY, WRITE],
    "GET /accounts/{account}/appointment": [GET, GET],
    "POST /accounts/{account}/appointment": [GET, GET, QUERY, WRITE],
    "DELETE /accounts/{account}/appointment": [GET, GET, WRITE],
    "POST /accounts/{account}/appointment/objection": [GET, GET, WRITE],
    "GET /accounts/{account}/provisioning": [GET, QUERY],
    "PUT /accounts/{account}/provisioning": [QUERY, QUERY],  # refused: an admin has logged in
    "GET /accounts/{account}/success-manager": [GET, GET],
    "PUT /accounts/{account}/success-manager": [GET, GET],
    "GET /accounts/{account}/reviews": [GET, QUERY],
    "POST /accounts/{account}/reviews": [QUERY, QUERY, BATCH, GET, GET, WRITE],
    "GET /accounts/{account}/reviews/slots": [QUERY, GET, QUERY, QUERY, BATCH],
    "GET /accounts/{account}/reviews/{review}": [QUERY, GET],
    "DELETE /accounts/{account}/reviews/{review}": [GET, GET, WRITE],
    "PUT /accounts/{account}/reviews/{review}/decision": [QUERY, GET, WRITE],
    "GET /accounts/{account}/autoscaling": [BATCH, QUERY],
    "GET /accounts/{account}/autoscaling/settings": [BATCH],
    "PUT /accounts/{account}/autoscaling/settings": [BATCH],
    "POST /accounts/{account}/autoscaling/simulations": [BATCH, QUERY, BATCH],
    "GET /invoices/past-due": [QUERY, QUERY],
    "GET /invoices": [QUERY] * SHARDS,  # and one read of the summaries, where there are any
    "GET /credit-notes": [QUERY] * SHARDS,
    "GET /cancellations": [QUERY],
    "GET /autoscaling-decisions": [QUERY] * SHARDS,
    "GET /reviews": [QUERY],
    "GET /invoice-register": [QUERY],
    "GET /invoicing/held": [QUERY],
    "GET /exchange-rates": [QUERY],
    "GET /exchange-rates/{day}": [GET],
    "PUT /exchange-rates/{day}": [GET, WRITE],
    "GET /invoicing/awaiting-rates": [QUERY],
    "GET /tax-rates": [GET],
    "PUT /tax-rates": [GET],  # refused here; a seller outside of the EU has a transaction more
    "GET /invoicing/awaiting-tax-rates": [QUERY],
    "GET /tax-exemptions": [QUERY],
    "GET /test-clocks": [QUERY],
    "POST /test-clocks": [BATCH, GET, WRITE],
    "GET /test-clocks/{clock}": [GET],
    "DELETE /test-clocks/{clock}": [GET, WRITE],
    "POST /test-clocks/{clock}/advance": [GET, WRITE],
    "GET /open-claims": [QUERY],
    "GET /open-claims/{claim}": [GET],
    "POST /open-claims/{claim}/payments": [GET, WRITE],
    "POST /open-claims/{claim}/repayments": [GET, WRITE],
    "POST /open-claims/{claim}/write-off": [GET, WRITE],
    "GET /vat-number-checks": [QUERY],
    "GET /accounts/{account}/vat-number-check": [BATCH],
    "PUT /accounts/{account}/vat-number-check/decision": [BATCH, WRITE],
    "GET /accounts/{account}/invoices/{number}/vat-number-check": [GET, GET],
    "GET /reconciliation": [QUERY],
    "GET /deletions": [QUERY],
    "GET /deletions/{receipt}": [BATCH],
    "GET /catalogue": [QUERY],
    "PUT /catalogue": [QUERY],
    "GET /success-managers": [QUERY],
    "GET /success-managers/{success_manager}": [GET],
    "PUT /success-managers/{success_manager}": [GET, WRITE],
    "POST /bank-statements": [GET, WRITE, BATCH, WRITE, QUERY, WRITE, WRITE],
    "GET /bank-statements": [QUERY],
    "GET /bank-statements/{statement}": [GET, BATCH],
    "GET /bank-entries": [QUERY],
    "GET /bank-entries/{entry}": [GET],
    "POST /bank-entries/{entry}/decision": [GET, WRITE],
    "POST /bank-entries/{entry}/take-back": [GET, WRITE, WRITE],
    "POST /usage": [BATCH, WRITE],
    "POST /usage/corrections": [BATCH, WRITE],
    "POST /accounts/{account}/usage/corrections": [BATCH, WRITE],
}


def name(cell: Cell) -> str:
    return f"{cell.method} {cell.route}"


REFUSED = [
    (cell, role)
    for cell in MATRIX
    for role in ("member", "stranger")
    if "{account}" in cell.route and getattr(cell, role) in {403, 404}
]


class Calls(list[str]):
    """The operations of DynamoDB that were called since the last `clear`."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    counted = Calls()
    send = BaseClient._make_api_call  # type: ignore[attr-defined]

    def count(client: Any, operation: str, parameters: Any) -> Any:
        if client.meta.service_model.service_name == "dynamodb":
            counted.append(operation)
        return send(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", count)
    return counted


def test_every_route_has_its_round_trips() -> None:
    assert {*ROUND_TRIPS} == {name(cell) for cell in [*MATRIX, *FOR_MACHINES]}


@pytest.mark.parametrize("cell", MATRIX, ids=name)
def test_a_successful_request_costs_its_round_trips(cell: Cell, company: Company, calls: Calls) -> None:
    claims = STAFF if cell.admin == 403 else company.admin
    prepared = cell.prepare(company)
    # Once for each process: whose API key it has, and whether that account at Stripe is the one that was kept.
    wiring.payments().account_of("cus_of_nobody")
    calls.clear()

    given = ask(cell, claims, company, prepared)

    assert given.status in {cell.admin, cell.staff}, given
    assert calls == ROUND_TRIPS[name(cell)]


def test_a_report_of_usage_costs_its_round_trips(company: Company, calls: Calls) -> None:
    calls.clear()

    given = answer(record_usage, request("POST", "/usage", claims=MACHINE, body=cloud_event(), now=NOW))

    assert given.status == 202, given
    assert calls == ROUND_TRIPS["POST /usage"]


def test_a_correction_by_the_product_costs_its_round_trips(company: Company, calls: Calls) -> None:
    calls.clear()

    assert correct(correction(), account=company.account).status == 201

    assert calls == ROUND_TRIPS["POST /usage/corrections"]


def test_a_usage_page_with_corrections_costs_one_query_more(company: Company, calls: Calls) -> None:
    assert correct(correction(), account=company.account).status == 201
    [cell] = [each for each in MATRIX if name(each) == "GET /accounts/{account}/usage"]
    calls.clear()

    assert len(ask(cell, company.member, company).body["corrections"]) == 1

    assert calls == [*ROUND_TRIPS[name(cell)], QUERY]


@pytest.mark.parametrize(("cell", "role"), REFUSED, ids=lambda value: value if isinstance(value, str) else name(value))
def test_a_refusal_costs_one_read_and_one_more_for_a_member(
    cell: Cell, role: str, company: Company, calls: Calls
) -> None:
    prepared = cell.prepare(company)
    calls.clear()

    ask(cell, company.member if role == "member" else STRANGER, company, prepared)

    admins_are_named = role == "member" and cell.admin != 403
    assert calls == ROUND_TRIPS[name(cell)][:1] + [QUERY] * admins_are_named
