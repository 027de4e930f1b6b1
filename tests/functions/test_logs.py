"""Logs have no personal data, for any request and any answer."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from billing.billing_page.views import StoreView
from billing.platform.http.models import View
from billing.platform.http.resolver import entrypoint, logger, make_api

from functions.administer_users.app import handler as administer_users
from functions.get_billing.app import handler as get_billing
from functions.record_usage.app import handler as record_usage
from functions.update_billing_information.app import handler as update_billing_information
from tests.api_gateway import MACHINE, STAFF, answer, person, request
from tests.company import Company, provisioned
from tests.samples import ACCOUNT, with_value
from tests.template import resources, template
from tests.usage import cloud_event

CANARY = "canary-4242424242424242"
PERSONAL = {
    **with_value(ACCOUNT, "canary-shop", "account"),
    "company": {**ACCOUNT["company"], "name": CANARY, "address_line_1": CANARY},
    "billing": {"email": f"{CANARY}@canary.example", "language": "en"},
    "contact": {"name": CANARY, "phone": "+45 42 42 42 42"},
    "first_admin": {"email": f"{CANARY}@canary.example", "name": CANARY},
}


@pytest.fixture
def logged(company: Company) -> Iterator[io.StringIO]:
    """The log lines of the functions during the test."""
    lines = io.StringIO()
    handler = logger.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(lines)
    yield lines
    handler.setStream(before)


def test_no_log_line_has_personal_data(company: Company, logged: io.StringIO) -> None:
    users = "/accounts/{account}/users"
    contact = "/accounts/{account}/billing-information/contact"
    path = company.path
    token = {"Authorization": f"Bearer {CANARY}"}
    user = {"email": f"second-{CANARY}@canary.example", "name": CANARY, "role": "member"}

    assert provisioned(PERSONAL).status == 201
    assert provisioned(with_value(PERSONAL, CANARY, "billing", "email")).status == 422
    for claims, method, body in (
        (company.admin, "PUT", user),
        (company.member, "PUT", user),
        (company.admin, "PUT", {**user, "role": CANARY}),
        (company.admin, "PUT", f"no JSON {CANARY}"),
    ):
        answer(administer_users, request(method, users, claims=claims, path=path, body=body, headers=token))
    answer(administer_users, request("DELETE", users + "/{user}", claims=company.admin, path={**path, "user": CANARY}))
    answer(get_billing, request("GET", users, claims=company.admin, path={"account": CANARY}, query={"x": CANARY}))
    changed = request(
        "PUT",
        contact,
        claims=company.admin,
        path=path,
        body={"name": CANARY, "phone": None},
        headers={"If-Match": '"1"'},
    )
    assert answer(update_billing_information, changed).status == 200

    lines = logged.getvalue()
    assert len(lines.splitlines()) == 9, "one line for each request"
    assert CANARY not in lines
    # Ids of log-ins are not personal by themselves. They are in no other field: a path may name another person.
    for line in map(json.loads, lines.splitlines()):
        ids = {company.admin["sub"], company.member["sub"], STAFF["sub"]}
        assert line.pop("user") in ids
        assert not ids & set(map(str, line.values()))


def test_a_log_line_has_the_route_status_and_duration(
    company: Company, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "livello-GetBilling")
    asked = request("GET", "/accounts/{account}/billing", claims=company.admin, path=company.path)

    answer(get_billing, asked)

    line = json.loads(logged.getvalue())
    assert (line["method"], line["route"], line["status"]) == ("GET", "/accounts/{account}/billing", 200)
    assert line["request_id"] == asked["requestContext"]["requestId"]
    assert line["duration_ms"] >= 0
    assert line["function"] == "livello-GetBilling"


def test_an_answer_that_does_not_match_its_schema_is_a_server_error(logged: io.StringIO) -> None:
    api = make_api()

    @api.get("/broken")
    def broken() -> StoreView:
        return View.model_construct(store=CANARY)  # type: ignore[return-value]

    given = answer(entrypoint(api), request("GET", "/broken", claims=None))

    assert given.status == 500
    assert given.headers["Content-Type"] == "application/problem+json"
    assert "name" not in str(given.body["detail"])
    assert "does not fit its schema" in logged.getvalue()
    assert CANARY not in logged.getvalue()


def test_staff_who_read_an_account_leave_a_trace(company: Company, logged: io.StringIO) -> None:
    asked = request("GET", "/accounts/{account}/billing", claims=STAFF, path=company.path)

    assert answer(get_billing, asked).status == 200

    line = json.loads(logged.getvalue())
    assert (line["user"], line["staff"], line["account"]) == (STAFF["sub"], True, company.account)
    assert (line["method"], line["route"], line["status"]) == ("GET", "/accounts/{account}/billing", 200)
    assert line["request_id"] == asked["requestContext"]["requestId"], "the correlation of its events and messages"


def test_a_refused_admin_of_another_account_leaves_one_too_without_what_they_typed(
    company: Company, logged: io.StringIO
) -> None:
    """An account that does not exist may be anything, such as a person's address."""
    for claims, account in ((person("stranger"), company.account), (STAFF, "ada@nordlys.example"), (None, CANARY)):
        answer(get_billing, request("GET", "/accounts/{account}/billing", claims=claims, path={"account": account}))

    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert [line.get("user") for line in lines] == ["stranger", STAFF["sub"], None]
    assert all("account" not in line for line in lines)
    assert [line["status"] for line in lines] == [404, 404, 401]


def test_a_refused_member_is_logged_with_the_account(company: Company, logged: io.StringIO) -> None:
    users = request("PUT", "/accounts/{account}/users", claims=company.member, path=company.path, body={})

    assert answer(administer_users, users).status == 403

    line = json.loads(logged.getvalue())
    assert (line["user"], line["staff"], line["account"]) == (company.member["sub"], False, company.account)


def test_a_machine_is_logged_by_the_id_of_its_client(company: Company, logged: io.StringIO) -> None:
    answer(record_usage, request("POST", "/usage", claims=MACHINE, body=cloud_event()))

    assert json.loads(logged.getvalue().splitlines()[-1])["user"] == MACHINE["sub"]


def test_lines_are_kept_as_long_as_the_deployer_says_and_each_function_writes_there() -> None:
    assert resources()["Logs"]["Properties"] == {"RetentionInDays": {"Ref": "LogRetentionDays"}}
    assert template()["Globals"]["Function"]["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": {"Ref": "Logs"}}
