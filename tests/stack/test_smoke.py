"""The promise of `make run`: the people of three companies log in and see their billing pages."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from local.demo.companies import COMPANIES, DemoCompany
from local.stack import Stack

by_account = pytest.mark.parametrize("company", COMPANIES, ids=lambda company: company.account)


@by_account
def test_admin_and_member_see_their_billing_page(stack: Stack, company: DemoCompany) -> None:
    for token in (stack.admin_token(company), stack.member_token(company)):
        answer = stack.api.request("GET", f"/v1/accounts/{company.account}/billing", token=token)
        assert answer.status == HTTPStatus.OK, answer.body
        page = answer.json()
        assert [line["product"] for line in page["subscription"]["lines"]] == [each for each, _ in company.lines]
        assert page["billing_information"]["company"]["name"] == company.company["name"]


def test_an_admin_of_another_company_sees_nothing(stack: Stack) -> None:
    nordlys, lucciola, _ = COMPANIES
    answer = stack.api.request("GET", f"/v1/accounts/{nordlys.account}/billing", token=stack.admin_token(lucciola))
    assert answer.status == HTTPStatus.NOT_FOUND
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_every_section_is_readable_with_the_templates_permissions(stack: Stack) -> None:
    company = COMPANIES[0]
    token = stack.admin_token(company)
    sections = (
        "subscription",
        "billing-information/company",
        "billing-information/billing",
        "billing-information/contact",
        "payment-method",
        "invoices",
        "users",
    )
    for section in sections:
        answer = stack.api.request("GET", f"/v1/accounts/{company.account}/{section}", token=token)
        assert answer.status == HTTPStatus.OK, (section, answer.body)


def test_the_api_refuses_requests_without_a_persons_token(stack: Stack) -> None:
    path = f"/v1/accounts/{COMPANIES[0].account}/billing"
    for token in (None, "not-a-token", stack.machine_token()):
        answer = stack.api.request("GET", path, token=token)
        assert answer.status == HTTPStatus.UNAUTHORIZED
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_pre_flight_of_our_origin_is_allowed(stack: Stack) -> None:
    answer = stack.api.request(
        "OPTIONS",
        f"/v1/accounts/{COMPANIES[0].account}/billing",
        headers={"Origin": stack.settings.address, "Access-Control-Request-Method": "GET"},
    )
    assert answer.status == HTTPStatus.OK
    assert answer.headers["Access-Control-Allow-Origin"] == stack.settings.address
    assert "If-Match" in answer.headers["Access-Control-Allow-Headers"]


def test_the_openapi_document_is_public(stack: Stack) -> None:
    answer = stack.api.request("GET", "/v1/openapi.json")
    assert answer.status == HTTPStatus.OK
    assert answer.json()["openapi"] == "3.1.0"


def test_the_front_door_forwards_nothing_else(stack: Stack) -> None:
    for method, path in (
        ("POST", "/_ministack/reset"),
        ("GET", "/v1x/accounts"),
        ("GET", "/auth"),
        ("POST", "/auth/_ministack/reset"),
    ):
        assert stack.api.request(method, path).status == HTTPStatus.NOT_FOUND
    assert stack.api.request("POST", "/auth").status == HTTPStatus.FORBIDDEN
