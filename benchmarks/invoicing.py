"""The cost of issuing an invoice: processor time of a renewal, and its share outside the bare DynamoDB calls."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import orjson
from billing.accounts import mapping as account_mapping
from billing.accounts.rules import Account
from billing.billing_page.records import PAGE_INVOICES
from billing.invoicing import due_mapping as invoicing_due_mapping
from billing.invoicing.due import InvoicingDue
from billing.invoicing.dunning import after_charge
from billing.invoicing.invoices import Seller
from billing.invoicing.issue_invoices import issue_invoices
from billing.invoicing.mapping import summary_body, summary_from
from billing.invoicing.period_mapping import period_body
from billing.invoicing.periods import fix_month
from billing.invoicing.records import InvoiceStore
from billing.invoicing.settings import InvoicingSettings
from billing.invoicing.tax import Tax, TaxRule
from billing.kernel.schedules import Job
from billing.payments.methods import Charge, ChargeState, Method
from billing.platform.aws_session import aws_session
from billing.platform.dynamodb import keys
from billing.subscriptions.mapping import subscription_from

from benchmarks import billing_page
from benchmarks.cold_start import ENVIRONMENT
from benchmarks.scaling import milliseconds, reply

SETTINGS = InvoicingSettings("LV", Seller("Livello", "Demovej 1", None, "1050", "Copenhagen", "DK", "DK10000009"))


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a renewal: `renewal` and the `bare` calls in milliseconds of processor time, and its write units.

    `document` and `summary` are the sizes in bytes of the two items of its invoice, the summary once it is paid.
    """

    renewal: float
    bare: float
    products: int
    write_units: int
    document: int
    summary: int

    def read_units(self, invoices: int, more: int = 0) -> float:
        """What an eventually consistent query of so many summaries and `more` bytes costs: a half for 4 KB begun."""
        return -(-(invoices * self.summary + more) // 4096) / 2


def measured() -> Cost:
    """A renewal on a fake table, then the same DynamoDB calls alone."""
    os.environ.update(ENVIRONMENT)
    answers = _Answers()
    client = answers.client()
    store = InvoiceStore("billing", client)

    def renew() -> None:
        assert issue_invoices(
            billing_page.ACCOUNT, now=answers.now, correlation="bench", settings=SETTINGS, store=store
        )

    renewal = milliseconds(renew)
    read, write = answers.requests["BatchGetItem"], answers.requests["TransactWriteItems"]

    def bare() -> None:
        client.batch_get_item(**read)
        client.transact_write_items(**write)

    document, summary = answers.invoice()
    return Cost(
        renewal,
        milliseconds(bare),
        len(billing_page.PRODUCTS),
        answers.write_units,
        _size(document),
        _size(_paid(summary)),
    )


def table(cost: Cost) -> str:
    """The costs as text."""
    return "\n".join(
        [
            "Renewal: processor time of one invoice, from the due item to the invoice with its number",
            f"  an account of {cost.products} products          {cost.renewal:6.2f} ms",
            f"  of it the bare DynamoDB calls       {cost.bare:6.2f} ms",
            f"  outside of them                     {1 - cost.bare / cost.renewal:6.0%}",
            f"  renewals per second and worker      {1000 / cost.renewal:6.0f}",
            f"  a renewal writes {cost.write_units} units",
            f"  the document {cost.document} bytes, the summary {cost.summary} once it is paid",
            f"  a list of 50 reads {50 * cost.summary / 1024:.0f} KB",
            f"  the page reads {cost.read_units(PAGE_INVOICES, page_size())} units",
            f"  collection after ten years of months reads {120 * cost.summary / 1024:.0f} KB",
        ]
    )


def page_size() -> int:
    """The size of the page's own items in bytes."""
    page = billing_page.page_bodies()
    account = account_mapping.account_from(page[keys.PAGE_ACCOUNT], 1)
    running = _running_period(account, page[keys.PAGE_SUBSCRIPTION], account.contract.interval_months)
    return sum(
        _size({"pk": {"S": keys.account(account.id)}, "sk": {"S": key}, "body": {"S": body}, "version": {"N": "1"}})
        for key, body in {**page, keys.PAGE_PERIOD: running}.items()
    )


def _size(item: dict[str, Any]) -> int:
    """The size of an item as DynamoDB counts it: names and values, in bytes."""
    return sum(len(name) + len(next(iter(value.values())).encode()) for name, value in item.items())


def _paid(item: dict[str, Any]) -> dict[str, Any]:
    """The summary after the invoice was charged."""
    summary, payment, _ = summary_from(billing_page.ACCOUNT, item["body"]["S"])
    charge = Charge("pi_3RZhYtEXAMPLE0000000001", ChargeState.SUCCEEDED, None, hard=False)
    tried_with = "pm_1RZhYtEXAMPLE0000000001#8f14e45fceea167a"
    charged = after_charge(
        payment, charge, Method.CARD, summary.due_on, (3, 5, 7), due_on=summary.due_on, tried_with=tried_with
    )
    kept = {name: value for name, value in item.items() if not name.startswith("gsi")}
    return {**kept, "body": {"S": summary_body(summary, charged)}}


class _Answers:
    """A fake DynamoDB: it always returns the same due account, and ignores writes."""

    def __init__(self) -> None:
        page = billing_page.page_bodies()
        account = account_mapping.account_from(page[keys.PAGE_ACCOUNT], 1)
        month = account.contract.interval_months
        self.now = datetime.combine(account.contract.month_start(month), datetime.min.time(), UTC) + timedelta(days=1)
        partition = keys.account(billing_page.ACCOUNT)
        due = {keys.due(Job.RENEWAL): invoicing_due_mapping.invoicing_due_body(InvoicingDue(month))}
        running = {keys.PAGE_PERIOD: _running_period(account, page[keys.PAGE_SUBSCRIPTION], month)}
        items = [
            {"pk": {"S": partition}, "sk": {"S": key}, "body": {"S": body}, "version": {"N": "1"}}
            for key, body in {**page, **due, **running}.items()
        ]
        self._stored = {item["sk"]["S"]: item for item in items}
        self._billing_context = reply(Responses={"billing": items})
        self._nothing = reply(Responses={"billing": []})
        self._empty = reply()
        self.requests: dict[str, dict[str, Any]] = {}
        self.write_units = 0

    def client(self) -> Any:
        session = aws_session()
        session.register("before-send.dynamodb.*", cast("Any", self._answer))
        return session.create_client("dynamodb")

    def _units(self, action: dict[str, Any]) -> int:
        """What DynamoDB bills for an action: the larger item of before and after, names and values, in kilobytes."""
        [parts] = action.values()
        after = parts.get("Item", {})
        before = self._stored.get((after or parts["Key"])["sk"]["S"], {})
        return 2 * -(-max(map(_size, (before, after))) // 1024)

    def invoice(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The document and the summary that the renewal has written."""
        written = [
            each["Put"]["Item"] for each in self.requests["TransactWriteItems"]["TransactItems"] if "Put" in each
        ]
        [document] = [item for item in written if item["sk"]["S"].startswith(keys.DOCUMENT)]
        [summary] = [item for item in written if item["sk"]["S"].startswith(keys.INVOICE)]
        return document, summary

    def _answer(self, request: Any, **_: Any) -> Any:
        operation = request.headers["X-Amz-Target"].decode().partition(".")[2]
        body = orjson.loads(request.body)
        if operation == "TransactWriteItems":
            self.requests[operation] = body
            self.write_units = sum(map(self._units, body["TransactItems"]))
            return self._empty(request)
        if b"SERIES#" in request.body:
            return self._nothing(request)
        self.requests[operation] = body
        return self._billing_context(request)


def _running_period(account: Account, subscription: str, until_month: int) -> str:
    """The first paid period as it is stored at its end: all of its months are fixed, and it has an invoice."""
    contract = account.contract
    signed = subscription_from(subscription, 1)
    first = fix_month(account, signed, InvoicingDue(0), None)
    assert first.period is not None
    period = first.period.with_invoice("LV-2026-000001", Tax(TaxRule.DOMESTIC, "DK", Decimal(25)), first.lines)
    for month in range(1, until_month):
        period = fix_month(account, signed, InvoicingDue(month), period).period or period
    return period_body(period, contract)
