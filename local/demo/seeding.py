"""Fills a stack with the demonstration: the staff's log-in and past usage directly, everything else through the API.

It may be repeated: what exists stays unchanged. Only the passwords are set again, so those that `make run` prints are
right.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from billing.billing_page.provisioning_bodies import AccountBody
from billing.platform.retry import RetryBudget
from billing.usage.import_usage import import_usage
from billing.usage.records import UsageStore
from billing.usage.rules import month_of

from local.api_client import Answer, ApiClient
from local.cloud import client
from local.demo.companies import COMPANIES, STAFF, SUCCESS_MANAGER, SUCCESS_MANAGER_HOURS, DemoCompany, DemoPerson
from local.demo.usage import missing, usage
from local.settings import LocalError, Settings

CATALOGUE = Path(__file__).parent / "catalogue.json"
PASSWORD = "Livello-demo-2026"  # noqa: S105 - the demonstration's people exist only in the emulated AWS
STAFF_GROUP = "staff"

BUDGET_SECONDS = 10


def seed(settings: Settings, outputs: dict[str, str], now: datetime) -> None:
    """Creates what is missing of the staff's log-in, the catalogue, the companies and their usage up to yesterday.

    Raises LocalError if the API refuses a request.
    """
    cognito = client(settings, "cognito-idp")
    pool = outputs["UserPoolId"]
    _make_staff(cognito, pool)
    api = ApiClient(settings.address)
    staff = api.person_token(outputs["BillingPageClientId"], STAFF.email, PASSWORD)
    _put_catalogue(api, staff)
    _put_success_manager(api, staff)
    store = UsageStore(outputs["TableName"], client(settings, "dynamodb"))
    for company in COMPANIES:
        _provision(api, staff, company, now.date())
        _set_password(cognito, pool, company.admin)
        admin = api.person_token(outputs["BillingPageClientId"], company.admin.email, PASSWORD)
        _invite(api, admin, company)
        _set_password(cognito, pool, company.member)
        _assign_success_manager(api, staff, company)
        _import_usage(api, staff, company, store, now)


def _make_staff(cognito: Any, pool: str) -> None:
    with suppress(cognito.exceptions.UsernameExistsException):
        cognito.admin_create_user(
            UserPoolId=pool,
            Username=STAFF.email,
            UserAttributes=[
                {"Name": "email", "Value": STAFF.email},
                {"Name": "email_verified", "Value": "true"},
                {"Name": "name", "Value": STAFF.name},
            ],
            MessageAction="SUPPRESS",
        )
    cognito.admin_add_user_to_group(UserPoolId=pool, Username=STAFF.email, GroupName=STAFF_GROUP)
    _set_password(cognito, pool, STAFF)


def _set_password(cognito: Any, pool: str, person: DemoPerson) -> None:
    cognito.admin_set_user_password(UserPoolId=pool, Username=person.email, Password=PASSWORD, Permanent=True)


def _put_catalogue(api: ApiClient, staff: str) -> None:
    if _is_missing(api.request("GET", "/v1/catalogue", token=staff)):
        catalogue = json.loads(CATALOGUE.read_text("utf-8"))
        headers = {"If-None-Match": "*"}
        _require(api.request("PUT", "/v1/catalogue", token=staff, body=catalogue, headers=headers))


def _provision(api: ApiClient, staff: str, company: DemoCompany, today: date) -> None:
    # The contract's start depends on today, so the same request on another day would be a conflict.
    if _is_missing(api.request("GET", f"/v1/accounts/{company.account}/billing", token=staff)):
        body = company.provisioning(today)
        # Its past is for "make year". The schedules of the running stack issue what comes.
        body["invoiced_until"] = AccountBody.model_validate(body).value().contract.next_charge(today)[1].isoformat()
        _require(api.request("POST", "/v1/accounts", token=staff, body=body))


def _invite(api: ApiClient, admin: str, company: DemoCompany) -> None:
    body = {"email": company.member.email, "name": company.member.name, "role": "member"}
    _require(api.request("PUT", f"/v1/accounts/{company.account}/users", token=admin, body=body))


def _put_success_manager(api: ApiClient, staff: str) -> None:
    path = f"/v1/success-managers/{SUCCESS_MANAGER}"
    if _is_missing(api.request("GET", path, token=staff)):
        headers = {"If-None-Match": "*"}
        _require(api.request("PUT", path, token=staff, body=SUCCESS_MANAGER_HOURS, headers=headers))


def _assign_success_manager(api: ApiClient, staff: str, company: DemoCompany) -> None:
    path = f"/v1/accounts/{company.account}/success-manager"
    _require(api.request("PUT", path, token=staff, body={"success_manager": SUCCESS_MANAGER}))


def _import_usage(api: ApiClient, staff: str, company: DemoCompany, store: UsageStore, now: datetime) -> None:
    """Imports the missing usage up to yesterday. Raises LocalError if rows are refused or in conflict."""
    page = api.request("GET", f"/v1/accounts/{company.account}/billing", token=staff).json()
    if page["status"] == "deactivated":
        return  # usage of a deactivated account is refused
    contract = page["contract"]
    today = now.astimezone(ZoneInfo(contract["time_zone"])).date()
    start = date.fromisoformat(contract["start"])
    rows = missing([*usage(company, start, today)], store.totals(company.account, month_of(start), month_of(today)))
    imported = import_usage(rows, now=now, budget=lambda: RetryBudget(BUDGET_SECONDS), store=store)
    if imported.conflict or imported.refused:
        raise LocalError(f"The stored usage differs from the demonstration's; make clean deletes it: {imported}")


def _is_missing(answer: Answer) -> bool:
    if answer.status != HTTPStatus.NOT_FOUND:
        _require(answer)
    return answer.status == HTTPStatus.NOT_FOUND


def _require(answer: Answer) -> None:
    if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        raise LocalError(f"The demonstration cannot be made: {answer.status} {answer.body.decode()}")
