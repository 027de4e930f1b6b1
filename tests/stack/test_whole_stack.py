"""The whole system from outside: real tokens, through HTTP, into the deployed functions."""

from __future__ import annotations

import base64
import json
import time
import uuid
from typing import Any

import pytest

from local.api_client import Answer
from local.cloud import client
from local.demo.companies import COMPANIES, STAFF
from local.demo.seeding import PASSWORD
from local.stack import Stack
from tests.samples import ACCOUNT, with_value
from tests.template import ROOT

COMPANY = COMPANIES[0]
PAGE = f"/v1/accounts/{COMPANY.account}/billing"
INFORMATION = f"/v1/accounts/{COMPANY.account}/billing-information"
USERS = f"/v1/accounts/{COMPANY.account}/users"


def problem(answer: Answer) -> dict[str, Any]:
    assert answer.headers["Content-Type"] == "application/problem+json", answer
    document: dict[str, Any] = answer.json()
    assert {"type", "title", "detail"} <= document.keys()
    return document


@pytest.mark.parametrize("company", COMPANIES, ids=lambda company: company.account)
def test_each_demo_company_sees_its_billing_page(company: Any, stack: Stack) -> None:
    for token in (stack.admin_token(company), stack.member_token(company), stack.staff_token()):
        answer = stack.api.request("GET", f"/v1/accounts/{company.account}/billing", token=token)
        page = answer.json()

        assert answer.status == 200
        assert page["name"] == company.name
        assert [line["product"] for line in page["subscription"]["lines"]] == [line[0] for line in company.lines]
        assert page["payment_details"]["amount_per_charge"]["amount"] > 0
        assert page["payment_details"]["amount_per_charge"]["currency"] == company.currency
        assert page["billing_information"]["company"]["country"] == company.company["country"]


def test_a_person_lists_only_their_own_accounts(stack: Stack) -> None:
    mine = stack.api.request("GET", "/v1/accounts", token=stack.admin_token(COMPANY)).json()

    assert [each["account"] for each in mine["items"]] == [COMPANY.account]


def test_another_companys_account_is_not_found(stack: Stack) -> None:
    foreign = stack.api.request("GET", f"/v1/accounts/{COMPANIES[1].account}/billing", token=stack.admin_token(COMPANY))
    unknown = stack.api.request("GET", "/v1/accounts/no-such-account/billing", token=stack.admin_token(COMPANY))

    assert (foreign.status, unknown.status) == (404, 404)
    assert problem(foreign) == problem(unknown)


def test_an_admin_changes_billing_information_under_its_version(stack: Stack) -> None:
    token = stack.admin_token(COMPANY)
    before = stack.api.request("GET", f"{INFORMATION}/contact", token=token)
    contact = {**before.json(), "name": f"Contact {uuid.uuid4().hex[:8]}"}

    blind = stack.api.request("PUT", f"{INFORMATION}/contact", token=token, body=contact)
    changed = stack.api.request(
        "PUT", f"{INFORMATION}/contact", token=token, body=contact, headers={"If-Match": before.headers["ETag"]}
    )
    late = stack.api.request(
        "PUT",
        f"{INFORMATION}/contact",
        token=token,
        body={**contact, "name": "Too late"},
        headers={"If-Match": before.headers["ETag"]},
    )

    assert problem(blind)["status"] == blind.status == 428
    assert (changed.status, changed.json()) == (200, contact)
    assert changed.headers["ETag"] != before.headers["ETag"]
    assert problem(late)["status"] == late.status == 412
    page = stack.api.request("GET", PAGE, token=token).json()
    assert page["billing_information"]["contact"] == contact


def test_a_refused_member_gets_the_admins_addresses(stack: Stack) -> None:
    refused = stack.api.request(
        "PUT", f"{INFORMATION}/contact", token=stack.member_token(COMPANY), body={"name": "Me", "phone": None}
    )

    assert refused.status == 403
    assert problem(refused)["admins"] == [
        {"name": COMPANY.admin.name, "email": COMPANY.admin.email, "status": "active"}
    ]


@pytest.mark.parametrize("area", ["company", "billing", "contact"])
def test_staff_read_billing_information_and_may_not_change_it(area: str, stack: Stack) -> None:
    token = stack.staff_token()
    read = stack.api.request("GET", f"{INFORMATION}/{area}", token=token)

    written = stack.api.request("PUT", f"{INFORMATION}/{area}", token=token, body=read.json())

    assert (read.status, written.status) == (200, 403)


def test_a_colleague_is_added_logs_in_and_is_removed(stack: Stack) -> None:
    admin = stack.admin_token(COMPANY)
    email = f"colleague-{uuid.uuid4().hex[:8]}@colleagues.example"

    invited = stack.api.request(
        "PUT", USERS, token=admin, body={"email": email, "name": "New Colleague", "role": "member"}
    )
    again = stack.api.request(
        "PUT", USERS, token=admin, body={"email": email, "name": "New Colleague", "role": "member"}
    )
    assert (invited.status, again.status) == (200, 200), invited
    assert again.json() == invited.json()
    set_password(stack, email)
    colleague = stack.api.person_token(stack.outputs["BillingPageClientId"], email, PASSWORD)
    assert stack.api.request("GET", PAGE, token=colleague).status == 200

    removed = stack.api.request("DELETE", f"{USERS}/{invited.json()['user']}", token=admin)
    assert (removed.status, removed.body) == (204, b"")
    assert stack.api.request("GET", PAGE, token=colleague).status == 404


def test_the_last_admin_cannot_be_removed(stack: Stack) -> None:
    token = stack.admin_token(COMPANY)
    admins = stack.api.request("GET", f"{USERS}?role=admin", token=token).json()["items"]

    removed = stack.api.request("DELETE", f"{USERS}/{admins[0]['user']}", token=token)

    assert len(admins) == 1
    assert removed.status == 409
    assert problem(removed)["type"] == "urn:livello:problem:last-admin"


def test_an_account_is_provisioned_once(stack: Stack) -> None:
    account = f"shop-{uuid.uuid4().hex[:8]}"
    today = stack.api.request("GET", PAGE, token=stack.staff_token()).json()["contract"]["start"]
    body = with_value(with_value(ACCOUNT, account, "account"), today, "contract", "start")
    body = with_value(with_value(body, [], "discounts"), today, "invoiced_until")
    body = with_value(body, f"admin@{account}.example", "first_admin", "email")
    staff = stack.staff_token()

    made = stack.api.request("POST", "/v1/accounts", token=staff, body=body)
    again = stack.api.request("POST", "/v1/accounts", token=staff, body=body)
    other = stack.api.request("POST", "/v1/accounts", token=staff, body=with_value(body, "Another", "name"))

    assert (made.status, again.status, other.status) == (201, 201, 409)
    assert made.headers["Location"] == f"/v1/accounts/{account}/billing"
    assert again.json() == made.json()
    assert problem(other)["type"] == "urn:livello:problem:account-exists"
    assert stack.api.request("GET", made.headers["Location"], token=staff).json() == made.json()


def test_a_new_catalogue_does_not_change_signed_prices(stack: Stack) -> None:
    staff = stack.staff_token()
    before = stack.api.request("GET", "/v1/catalogue", token=staff)
    signed = stack.api.request("GET", PAGE, token=staff).json()["subscription"]
    dearer = {"products": before.json()["products"]}
    for product in dearer["products"]:
        for tier in product["tiers"]:
            tier["prices"] = tier["prices"] and {code: price + 100 for code, price in tier["prices"].items()}

    put = stack.api.request(
        "PUT", "/v1/catalogue", token=staff, body=dearer, headers={"If-Match": before.headers["ETag"]}
    )

    assert put.status == 200
    assert put.json()["version"] == before.json()["version"] + 1
    assert stack.api.request("GET", PAGE, token=staff).json()["subscription"] == signed


# ---- Tokens that are refused ----


def tampered(token: str) -> str:
    head, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    claims["cognito:groups"] = ["staff"]
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"{head}.{forged}.{signature}"


def unsigned(token: str) -> str:
    _, payload, _ = token.split(".")
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    return f"{head}.{payload}."


def foreign_token(stack: Stack) -> str:
    """A valid token of another user pool, for the same e-mail address."""
    cognito = client(stack.settings, "cognito-idp")
    pool = cognito.create_user_pool(PoolName="another-vendor", UsernameAttributes=["email"])["UserPool"]["Id"]
    app = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="page", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    )["UserPoolClient"]["ClientId"]
    cognito.admin_create_user(
        UserPoolId=pool,
        Username=STAFF.email,
        MessageAction="SUPPRESS",
        UserAttributes=[{"Name": "email", "Value": STAFF.email}],
    )
    cognito.admin_set_user_password(UserPoolId=pool, Username=STAFF.email, Password=PASSWORD, Permanent=True)
    cognito.create_group(GroupName="staff", UserPoolId=pool)
    cognito.admin_add_user_to_group(UserPoolId=pool, Username=STAFF.email, GroupName="staff")
    return stack.api.person_token(app, STAFF.email, PASSWORD)


def expired_token(stack: Stack) -> str:
    cognito = client(stack.settings, "cognito-idp")
    app = cognito.create_user_pool_client(
        UserPoolId=stack.outputs["UserPoolId"],
        ClientName="short",
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        IdTokenValidity=1,
        TokenValidityUnits={"IdToken": "seconds"},
    )["UserPoolClient"]["ClientId"]
    token = stack.api.person_token(app, STAFF.email, PASSWORD)
    time.sleep(2)
    return token


@pytest.mark.parametrize("route", ["/v1/accounts", PAGE, USERS, "/v1/catalogue"])
@pytest.mark.parametrize("kind", ["none", "nonsense", "tampered", "unsigned", "foreign", "expired", "machine"])
def test_a_bad_token_is_refused(kind: str, route: str, stack: Stack) -> None:
    token = {
        "none": lambda: None,
        "nonsense": lambda: "nonsense",
        "tampered": lambda: tampered(stack.admin_token(COMPANY)),
        "unsigned": lambda: unsigned(stack.staff_token()),
        "foreign": lambda: foreign_token(stack),
        "expired": lambda: expired_token(stack),
        "machine": stack.machine_token,
    }[kind]()

    refused = stack.api.request("GET", route, token=token)

    assert refused.status == 401, refused
    assert problem(refused)["title"] == "Unauthorized"


# ---- Responses of the gateway itself ----


def test_an_unknown_resource_is_a_problem_document(stack: Stack) -> None:
    unknown = stack.api.request("GET", "/v1/nothing-here", token=stack.staff_token())
    wrong_method = stack.api.request("DELETE", "/v1/catalogue", token=stack.staff_token())

    assert (unknown.status, wrong_method.status) == (404, 404)
    assert problem(unknown)["detail"] == problem(wrong_method)["detail"]


def test_a_browser_of_the_allowed_origin_is_answered_with_cors_headers(stack: Stack) -> None:
    origin = stack.settings.address
    preflight = stack.api.request(
        "OPTIONS",
        "/v1/accounts",
        headers={"Origin": origin, "Access-Control-Request-Method": "GET"},
    )
    asked = stack.api.request("GET", "/v1/accounts", token=stack.staff_token(), headers={"Origin": origin})
    refused = stack.api.request("GET", "/v1/accounts", headers={"Origin": origin})

    assert preflight.status == 200
    assert "If-Match" in preflight.headers["Access-Control-Allow-Headers"]
    for answer in (preflight, asked, refused):
        assert answer.headers["Access-Control-Allow-Origin"] == origin


def test_the_committed_openapi_document_is_served_publicly(stack: Stack) -> None:
    described = stack.api.request("GET", "/v1/openapi.json")

    assert described.status == 200
    committed = (ROOT / "functions" / "describe_api" / "openapi.json").read_text(encoding="utf-8")
    assert described.json() == json.loads(committed)


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"products": []}', "text/plain", 415),
        (b'{"products": "' + b"x" * 300_000 + b'"}', "application/json", 413),
        (b'{"products": []}', "application/json", 422),
        (b"\xff\xfe", "application/json", 400),
    ],
    ids=["cut", "not JSON", "too large", "empty", "not UTF-8"],
)
def test_a_bad_body_is_a_problem_document(body: bytes, media_type: str, status: int, stack: Stack) -> None:
    sent = {"Content-Type": media_type, "If-Match": '"1"', "Authorization": f"Bearer {stack.staff_token()}"}

    refused = stack.api._send("PUT", "/v1/catalogue", body, sent)

    assert refused.status == status, refused
    assert problem(refused)["status"] == status


def test_the_functions_log_one_json_line_per_request_without_personal_data(stack: Stack) -> None:
    stack.api.request("GET", PAGE, token=stack.admin_token(COMPANY))
    logs = client(stack.settings, "logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    lines = [
        event["message"]
        for group in groups
        for event in logs.filter_log_events(logGroupName=group, limit=10_000)["events"]
    ]

    requests = [json.loads(line) for line in lines if '"message":"request"' in line]
    assert requests
    assert all(line["route"].startswith("/") for line in requests)
    assert not [line for line in lines if "@" in line or "Bearer" in line]


def set_password(stack: Stack, email: str) -> None:
    client(stack.settings, "cognito-idp").admin_set_user_password(
        UserPoolId=stack.outputs["UserPoolId"], Username=email, Password=PASSWORD, Permanent=True
    )
