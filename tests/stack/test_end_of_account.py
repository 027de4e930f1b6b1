"""The end of an account through the front door and its queues: withdrawal, reactivation, export and deletion."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.request import urlopen

import pytest

from local.background import wait_until
from local.cloud import client
from local.demo.companies import COMPANIES
from local.demo.seeding import PASSWORD
from local.stack import Stack
from local.stripe.browser import TEST_CARD, ask, confirm_setup
from local.stripe.process import KEYS

SECONDS_MAX = 60
NOW = datetime.now(UTC)
WHY = {"reason": "closing_business", "text": "The shop closes at the end of the season.", "confirmed": True}


class Shop:
    """An account to end, and another account of the same admin that must stay unchanged."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.account, self.other = (f"{word}-{uuid.uuid4().hex[:8]}" for word in ("ends", "stays"))
        self.admin_email, self.colleague = f"ada@{self.other}.example", f"cy@{self.account}.example"
        for account in (self.account, self.other):
            self._provision(account)
        client(stack.settings, "cognito-idp").admin_set_user_password(
            UserPoolId=stack.outputs["UserPoolId"], Username=self.admin_email, Password=PASSWORD, Permanent=True
        )
        self.token = stack.api.person_token(stack.outputs["BillingPageClientId"], self.admin_email, PASSWORD)
        colleague = {"email": self.colleague, "name": "Cy Ek", "role": "admin"}
        self.require(200, "PUT", "users", colleague)
        for account in (self.account, self.other):
            setup = self.require(201, "POST", "payment-method/setup", {}, account=account)
            confirm_setup(stack.settings, setup, TEST_CARD)
            self.require(200, "PUT", "payment-method", {"setup_intent": setup["setup_intent"]}, account=account)

    def _provision(self, account: str) -> None:
        body = {
            **COMPANIES[0].provisioning(NOW.date()),
            "account": account,
            "first_admin": {"email": self.admin_email, "name": "Ada Holm"},
            "discounts": [],
            "invoiced_until": None,
        }
        body["contract"] |= {"start": str(NOW.date() - timedelta(days=3)), "interval_months": 3}
        made = self.stack.api.request("POST", "/v1/accounts", token=self.stack.staff_token(), body=body)
        assert made.status == 201, made

    def ask(self, method: str, route: str, body: Any = None, account: str | None = None) -> Any:
        return self.stack.api.request(
            method, f"/v1/accounts/{account or self.account}/{route}", token=self.token, body=body
        )

    def require(self, status: int, method: str, route: str, body: Any = None, account: str | None = None) -> Any:
        given = self.ask(method, route, body, account)
        assert given.status == status, given
        return given.json() if given.body else None

    def send(self, queue: str, at: datetime) -> None:
        """Sends the planner's message for this account only."""
        message = json.dumps({"account": self.account, "at": at.isoformat(), "clock": at.isoformat()})
        client(self.stack.settings, "sqs").send_message(QueueUrl=self.stack.outputs[queue], MessageBody=message)

    def is_in(self, status: str) -> bool:
        return wait_until(lambda: self.require(200, "GET", "billing")["status"] == status, SECONDS_MAX)

    def cancel(self) -> Any:
        preview = self.require(200, "GET", "cancellation")["preview"]
        return self.require(201, "POST", "cancellation", {**WHY, "active_until": preview["active_until"]})

    def items(self, account: str) -> list[Any]:
        pages = client(self.stack.settings, "dynamodb").get_paginator("scan")
        scanned = pages.paginate(TableName=self.stack.outputs["TableName"])
        return [item for page in scanned for item in page["Items"] if account in json.dumps(item)]

    def partitions_of(self, account: str) -> list[Any]:
        return [item for item in self.items(account) if account in item["pk"]["S"]]

    def files(self, account: str) -> list[str]:
        s3 = client(self.stack.settings, "s3")
        buckets = [each["Name"] for each in s3.list_buckets()["Buckets"]]
        return [
            version["Key"]
            for bucket in buckets
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
            for version in page.get("Versions", [])
            if account in version["Key"]
        ]

    def customers(self, account: str) -> list[Any]:
        customers = ask(self.stack.settings, "/v1/customers?limit=100", KEYS["api_key"])["data"]
        return [each for each in customers if each["metadata"].get("account") == account]

    def log_ins(self) -> set[str]:
        cognito = client(self.stack.settings, "cognito-idp")
        pages = cognito.get_paginator("list_users").paginate(UserPoolId=self.stack.outputs["UserPoolId"])
        return {
            attribute["Value"]
            for page in pages
            for user in page["Users"]
            for attribute in user["Attributes"]
            if attribute["Name"] == "email"
        }

    def mails(self, words: str) -> list[Any]:
        return [
            mail for mail in self.stack.mails() if mail["Delivered-To"] == self.admin_email and words in mail["Subject"]
        ]


def start_of(day: str) -> datetime:
    """An instant that is within that day in the account's time zone."""
    return datetime.combine(date.fromisoformat(day), time(20), UTC)


@pytest.fixture(scope="module")
def shop(stack: Stack) -> Shop:
    return Shop(stack)


def test_an_account_is_cancelled_withdrawn_ended_and_reactivated(shop: Shop) -> None:
    shop.send("InvoicesDueUrl", NOW)
    assert wait_until(lambda: bool(shop.require(200, "GET", "invoices")["items"]), SECONDS_MAX)
    shop.cancel()
    assert shop.ask("DELETE", "cancellation").status == 204
    assert shop.is_in("active")
    receipt = shop.cancel()
    staff = shop.stack.api.request(
        "DELETE", f"/v1/accounts/{shop.account}/cancellation", token=shop.stack.staff_token()
    )
    assert staff.status == 403

    shop.send("EndsDueUrl", start_of(receipt["active_until"]))

    assert shop.is_in("deactivated")
    offer = shop.require(200, "GET", "reactivation")["offer"]
    shop.require(202, "POST", "reactivation", {"due": offer["invoice"]["due"], "confirmed": True})
    assert shop.is_in("active")
    newest = shop.require(200, "GET", "invoices")["items"][0]
    assert (newest["status"], newest["total"]) == ("paid", offer["invoice"]["total"])
    assert wait_until(lambda: len(shop.mails("is active again")) == 1, SECONDS_MAX)


def test_an_export_holds_all_data_of_the_account(shop: Shop) -> None:
    shop.require(202, "POST", "export")

    assert wait_until(lambda: shop.require(200, "GET", "export")["status"] == "ready", SECONDS_MAX)
    link = shop.require(200, "GET", "export")["link"]
    with urlopen(link) as answer:  # noqa: S310 - a link of our API
        archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    assert {"usage.csv", "invoices.csv", "data/page.json", "data/invoice.json"} <= set(archive.namelist())
    assert wait_until(lambda: len(shop.mails("is ready")) == 1, SECONDS_MAX)


def test_a_deletion_leaves_only_the_receipt_and_the_archived_invoices(shop: Shop) -> None:
    receipt = shop.cancel()
    shop.send("EndsDueUrl", start_of(receipt["active_until"]))
    assert shop.is_in("deactivated")
    theirs = shop.partitions_of(shop.other)
    numbers = [each["number"] for each in shop.require(200, "GET", "invoices")["items"]]
    assert shop.files(shop.account)

    shop.send("EndsDueUrl", start_of(receipt["purge_on"]))

    assert wait_until(lambda: shop.ask("GET", "billing").status == 404, SECONDS_MAX)
    assert wait_until(lambda: {item["pk"]["S"][:8] for item in shop.items(shop.account)} == {"DELETED#"}, SECONDS_MAX)
    assert wait_until(lambda: len(shop.mails("Receipt: everything of")) == 1, SECONDS_MAX)
    assert wait_until(lambda: not shop.files(shop.account), SECONDS_MAX)
    assert shop.customers(shop.account) == []
    assert shop.colleague not in shop.log_ins()
    archived = [key for number in numbers for key in shop.files(number)]
    assert {key.split("/")[2] for key in archived} == set(numbers)
    # The other account of the same admin is unchanged.
    assert shop.admin_email in shop.log_ins()
    assert len(shop.customers(shop.other)) == 1
    assert shop.partitions_of(shop.other) == theirs
    listed = shop.stack.api.request("GET", "/v1/deletions?limit=1", token=shop.stack.staff_token())
    [deletion] = listed.json()["items"]
    assert deletion["counts"]["invoice"] == len(numbers)
