"""A VAT number through the deployed planner, its queue, and the stand-in for VIES."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from local.background import wait_until
from local.cloud import client
from local.demo.companies import COMPANIES
from local.stack import Stack

SECONDS_MAX = 60
NOW = datetime.now(UTC)
ANSWERS = {"DE136695976": "valid", "DE136108200": "invalid", "DE136102400": "not_confirmed"}


def provisioned(stack: Stack, vat_number: str) -> str:
    """An account in Germany, whose invoices of a Danish seller are reverse charge."""
    account = f"vat-{uuid.uuid4().hex[:8]}"
    body = {
        **COMPANIES[0].provisioning(NOW.date()),
        "account": account,
        "first_admin": {"email": f"ada@{account}.example", "name": "Ada Holm"},
        "discounts": [],
    }
    body["contract"] |= {"start": str(NOW.date())}
    body.pop("invoiced_until", None)  # a contract that starts today has no invoices from elsewhere
    german = {"country": "DE", "postcode": "10115", "city": "Berlin", "vat_number": vat_number}
    body["company"] = {**body["company"], **german}
    made = stack.api.request("POST", "/v1/accounts", token=stack.staff_token(), body=body)
    assert made.status == 201, made
    return account


def result(stack: Stack, account: str) -> Any:
    """What VIES said, None before it was asked."""
    found = stack.api.request("GET", f"/v1/accounts/{account}/vat-number-check", token=stack.staff_token())
    return found.json()["result"] if found.status == 200 else None


def test_vies_is_asked_about_the_number_of_a_new_account(stack: Stack) -> None:
    accounts = {provisioned(stack, number): expected for number, expected in ANSWERS.items()}
    payload = json.dumps({"time": datetime.now(UTC).isoformat()}).encode()

    reply = client(stack.settings, "lambda").invoke(FunctionName=stack.outputs["PlanVatNumbersName"], Payload=payload)

    assert "FunctionError" not in reply, reply["Payload"].read()
    for account, expected in accounts.items():
        assert wait_until(lambda account=account: result(stack, account) is not None, SECONDS_MAX)  # type: ignore[misc]
        assert result(stack, account) == expected
    listed = stack.api.request("GET", "/v1/vat-number-checks", token=stack.staff_token()).json()["items"]
    unconfirmed = {account for account, expected in accounts.items() if expected != "valid"}
    assert unconfirmed <= {each["account"] for each in listed}
    assert not {account for account in accounts if account not in unconfirmed} & {each["account"] for each in listed}
