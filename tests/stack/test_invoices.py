"""Invoices through the deployed planners, queues, bus and the stand-in for Stripe; and their numbers under load."""

from __future__ import annotations

import io
import json
import random
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import urlopen

import pytest
from billing.invoicing.invoices import Seller
from billing.invoicing.issue_invoices import issue_invoices
from billing.invoicing.records import InvoiceStore
from billing.invoicing.settings import InvoicingSettings
from billing.kernel.errors import ConcurrentChange
from billing.platform.dynamodb import keys
from botocore.exceptions import EndpointConnectionError
from pypdf import PdfReader

from local.background import wait_until
from local.cloud import client
from local.demo.companies import COMPANIES
from local.demo.seeding import PASSWORD
from local.stack import Stack
from local.stripe.browser import TEST_CARD, ask, confirm_setup
from local.stripe.process import KEYS

SECONDS_MAX = 60
WORKERS, ACCOUNTS = 16, 24
KILLED = 0.15
NOW = datetime.now(UTC)


def provisioned(stack: Stack, account: str, interval: int = 1, start_days_ago: int = 3) -> None:
    body = {
        **COMPANIES[0].provisioning(NOW.date()),
        "account": account,
        "first_admin": {"email": f"ada@{account}.example", "name": "Ada Holm"},
        "discounts": [],
        "invoiced_until": None,
    }
    body["contract"] |= {"start": str(NOW.date() - timedelta(days=start_days_ago)), "interval_months": interval}
    made = stack.api.request("POST", "/v1/accounts", token=stack.staff_token(), body=body)
    assert made.status == 201, made


def fire(stack: Stack, planner: str, at: datetime) -> None:
    reply = client(stack.settings, "lambda").invoke(
        FunctionName=stack.outputs[planner],
        Payload=json.dumps({"time": at.isoformat(), "clock": at.isoformat()}).encode(),
    )
    assert "FunctionError" not in reply, reply["Payload"].read()


def invoices(stack: Stack, account: str) -> list[dict[str, Any]]:
    given = stack.api.request("GET", f"/v1/accounts/{account}/invoices", token=stack.staff_token())
    assert given.status == 200, given
    items: list[dict[str, Any]] = given.json()["items"]
    return items


@pytest.fixture(scope="module")
def shop(stack: Stack) -> tuple[str, str]:
    """An account of these tests that pays by card, and its admin's token."""
    account = f"shop-{uuid.uuid4().hex[:8]}"
    provisioned(stack, account)
    client(stack.settings, "cognito-idp").admin_set_user_password(
        UserPoolId=stack.outputs["UserPoolId"], Username=f"ada@{account}.example", Password=PASSWORD, Permanent=True
    )
    token = stack.api.person_token(stack.outputs["BillingPageClientId"], f"ada@{account}.example", PASSWORD)
    path = f"/v1/accounts/{account}/payment-method"
    setup = stack.api.request("POST", f"{path}/setup", token=token, body={}).json()
    confirm_setup(stack.settings, setup, TEST_CARD)
    given = stack.api.request("PUT", path, token=token, body={"setup_intent": setup["setup_intent"]})
    assert given.status == 200, given
    return account, token


def test_an_invoice_is_issued_charged_and_mailed_once(stack: Stack, shop: tuple[str, str]) -> None:
    account, token = shop
    preview = stack.api.request("GET", f"/v1/accounts/{account}/invoices/upcoming", token=token).json()
    issue_invoices_of(stack, account)
    fire(stack, "PlanPaymentsName", NOW)

    assert wait_until(lambda: [each["status"] for each in invoices(stack, account)] == ["paid"], SECONDS_MAX)
    [invoice] = invoices(stack, account)
    details = stack.api.request("GET", f"/v1/accounts/{account}/invoices/{invoice['number']}", token=token).json()
    assert (details["net"], details["total"], details["lines"]) == (
        preview["net"],
        preview["total"],
        preview["lines"],
    )
    assert details["payment"]["method"] == "card"
    issue_invoices_of(stack, account)
    fire(stack, "PlanPaymentsName", NOW + timedelta(days=2))
    charges = ask(stack.settings, "/v1/charges?limit=100", KEYS["api_key"])["data"]
    assert [each["amount"] for each in charges if each["metadata"].get("account") == account] == [
        details["due"]["amount"]
    ]
    assert len(invoices(stack, account)) == 1

    def mailed(words: str) -> int:
        return len(
            [
                mail
                for mail in stack.mails()
                if mail["Delivered-To"] == f"ada@{account}.example" and words in mail["Subject"]
            ]
        )

    assert wait_until(lambda: mailed(f"Invoice {invoice['number']}") == 2, SECONDS_MAX), "issued, and paid"


def fetched(stack: Stack, shop: tuple[str, str], number: str, what: str) -> bytes:
    """The file behind the route's redirect, as a browser gets it."""
    account, token = shop
    path = f"/v1/accounts/{account}/invoices/{number}/{what}"
    assert wait_until(lambda: stack.api.request("GET", path, token=token).status == 302, SECONDS_MAX)
    link = stack.api.request("GET", path, token=token).headers["location"]
    with urlopen(link) as answer:  # noqa: S310 - a link of our API
        content: bytes = answer.read()
        assert f"{number}" in answer.headers["Content-Disposition"]
    return content


def test_an_invoice_and_its_credit_note_are_documents_and_the_charge_is_refunded(
    stack: Stack, shop: tuple[str, str]
) -> None:
    account, token = shop
    [invoice] = invoices(stack, account)
    number = invoice["number"]

    pdf = fetched(stack, shop, number, "pdf")

    assert number in PdfReader(io.BytesIO(pdf)).pages[0].extract_text()
    assert b"CrossIndustryInvoice" in fetched(stack, shop, number, "xml")
    attached = [
        part.get_content()
        for mail in stack.mails()
        for part in mail.iter_attachments()
        if part.get_filename() == f"{number}.pdf" and mail["Delivered-To"] == f"ada@{account}.example"
    ]
    assert attached == [pdf]
    path = f"/v1/accounts/{account}/invoices/{number}/credit-notes"
    reason = {"lines": None, "reason": "Invoiced by mistake"}
    assert stack.api.request("POST", path, token=token, body=reason).status == 403
    given = stack.api.request("POST", path, token=stack.staff_token(), body=reason)
    assert given.status == 201, given
    note = given.json()["number"]
    assert note in PdfReader(io.BytesIO(fetched(stack, shop, note, "pdf"))).pages[0].extract_text()

    def refunded() -> list[int]:
        refunds = ask(stack.settings, "/v1/refunds?limit=100", KEYS["api_key"])["data"]
        return [each["amount"] for each in refunds if each["metadata"].get("credit_note") == note]

    work = json.dumps({"account": account, "at": NOW.isoformat(), "clock": NOW.isoformat()})
    queue = stack.outputs["PaymentsDueUrl"]
    for _ in range(2):
        client(stack.settings, "sqs").send_message(QueueUrl=queue, MessageBody=work)
    assert wait_until(lambda: refunded() == [invoice["total"]["amount"]], SECONDS_MAX)


def issue_invoices_of(stack: Stack, account: str) -> None:
    """Sends the worker a message for this account only, so the demonstration stays unchanged."""
    message = json.dumps({"account": account, "at": NOW.isoformat(), "clock": NOW.isoformat()})
    client(stack.settings, "sqs").send_message(QueueUrl=stack.outputs["InvoicesDueUrl"], MessageBody=message)
    assert wait_until(lambda: bool(invoices(stack, account)), SECONDS_MAX)


class Killed(Exception):
    """The worker's process dies."""


class DyingClient:
    """A client of DynamoDB whose process sometimes dies: before a write, or right after it."""

    def __init__(self, real: Any, chance: random.Random) -> None:
        self._real, self._chance = real, chance

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)
        if name != "transact_write_items":
            return method

        def call(**request: Any) -> Any:
            chance = self._chance.random()
            if chance < KILLED / 2:
                raise Killed
            answer = method(**request)
            if chance < KILLED:
                raise Killed
            return answer

        return call


def test_invoice_numbers_have_no_gap_and_no_duplicate_when_workers_die(stack: Stack) -> None:
    """Sixteen workers on the emulated table. Each dies at about every seventh write."""
    series = f"T{uuid.uuid4().hex[:6].upper()}"
    seller = Seller("Livello", "Demovej 1", None, None, "Copenhagen", "DK", None)
    settings = InvoicingSettings(series, seller)
    accounts = [f"load-{series.lower()}-{number}" for number in range(ACCOUNTS)]
    template = f"shop-{uuid.uuid4().hex[:8]}"
    provisioned(stack, template)
    dynamodb = client(stack.settings, "dynamodb")
    copy_account(dynamodb, stack.outputs["TableName"], template, accounts)

    def issue(number: int) -> list[str]:
        chance = random.Random(f"{series} {number}")
        own_client = client(stack.settings, "dynamodb")
        store = InvoiceStore(stack.outputs["TableName"], DyingClient(own_client, chance))
        issued: list[str] = []
        for account in accounts[number::WORKERS]:
            while True:
                try:
                    issued += issue_invoices(account, now=NOW, correlation="load", settings=settings, store=store)
                    break
                except (Killed, ConcurrentChange, EndpointConnectionError):
                    continue  # the queue delivers the message again
        return issued

    started_at = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(issue, range(WORKERS)))
    seconds = time.monotonic() - started_at

    store = InvoiceStore(stack.outputs["TableName"], dynamodb)
    numbers = [
        invoice.number
        for account in accounts
        for invoice in store.invoices(account, year=None, status=None, limit=100, after=None).items
    ]
    assert sorted(numbers) == [f"{series}-{NOW.year}-{count:06}" for count in range(1, ACCOUNTS + 1)]
    assert store.counter(series, NOW.year).count == ACCOUNTS
    print(f"{ACCOUNTS / seconds:.0f} invoices a second with {WORKERS} workers that die")


def copy_account(dynamodb: Any, table: str, template: str, accounts: list[str]) -> None:
    """Copies an account's items in the table, which is faster than provisioning each account."""
    items = dynamodb.query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": keys.account(template)}},
    )["Items"]
    for account in accounts:
        for item in items:
            if item["sk"]["S"].startswith(("PAGE#", "DUE#renewal")):
                text = json.dumps(item).replace(template, account)
                dynamodb.put_item(TableName=table, Item=json.loads(text))
