"""Helpers for the tests of an account's end: requests, schedules, queues, and a deactivated account."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.accounts.rules import existing
from billing.correspondence.event_kinds import published
from billing.ending.cancellation.commands import end_account
from billing.invoicing.due import InvoicingDue
from billing.invoicing.invoices import BillingReason
from billing.invoicing.periods import FixedMonth, elsewhere
from billing.kernel.events import Event
from billing.platform.events.mapping import event_body, event_from

from functions.administer_cancellation.app import handler as cancellation
from functions.collect_payments.app import handler as collect
from functions.end_account.app import handler as end
from functions.issue_invoices.app import handler as issue
from functions.plan_due_work.app import handler as plan
from functions.prepare_download.app import handler as prepare
from functions.scale_account.app import handler as scale
from tests.api_gateway import NOW, Answer, answer, request
from tests.aws import stored_items
from tests.company import Company

CANCELLATION = "/accounts/{account}/cancellation"
WHY = {
    "reason": "closing_business",
    "text": "We close two of our four shops.\nThank you for the help.",
    "confirmed": True,
}
CONTRACT_ENDS = "2026-07-15"
"""`active_until` of a cancellation on 10 June: the notice ends on 15 July, which is also a renewal."""

ENDED = datetime(2026, 7, 14, 22, 1, tzinfo=UTC)
"""Just after midnight in Copenhagen on the day of the deactivation, 15 July."""

REACTIVATED = datetime(2026, 7, 20, 9, tzinfo=UTC)
PURGED = datetime(2026, 7, 28, 22, 1, tzinfo=UTC)
"""Just after midnight in Copenhagen on the day of the deletion, 29 July."""

WORKERS = {"ending": end, "renewal": issue, "collection": collect, "autoscaling": scale}


class Context(LambdaContext):
    """The context of one invocation, each with a request id of its own."""

    number = 0

    def __init__(self) -> None:
        Context.number += 1
        self._aws_request_id = f"run-{Context.number}"


def call_cancellation(
    company: Company, method: str, body: Any = None, *, now: datetime = NOW, claims: Any = None
) -> Answer:
    caller = claims or company.admin
    return answer(cancellation, request(method, CANCELLATION, claims=caller, path=company.path, body=body, now=now))


def cancel(company: Company, until: str = CONTRACT_ENDS, *, text: str = str(WHY["text"]), **more: Any) -> Answer:
    return call_cancellation(company, "POST", {**WHY, "text": text, "active_until": until}, **more)


def events_of(*kinds: str) -> list[Event]:
    """The recorded events of these types, oldest first. Every recorded event must fit its schema."""
    events = [event_from(item["body"]) for item in stored_items() if item["sk"].startswith("EVENT#")]
    for event in events:
        published(event)
    return [event for event in events if event.type in kinds]


def record(body: str) -> dict[str, Any]:
    """An SQS record with this body, received for the first time."""
    return {
        "messageId": "19dd0b57-b21e-4ac1-bd88-01bbb068cb78",
        "receiptHandle": "handle",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }


def fire(at: datetime, work: Any, monkeypatch: pytest.MonkeyPatch, *jobs: str, real: datetime | None = None) -> None:
    """Runs the planners at `at`, then their workers. Each message is delivered twice, as SQS may do.

    It is a replay at `at`; with `real` it is none, and the messages arrive at that time.
    """
    event = {"time": at.isoformat()}
    if real is None:
        event["clock"] = at.isoformat()
    else:
        monkeypatch.setattr("billing.platform.clock._now", lambda: real)
    for job in jobs or ("ending", "renewal"):
        monkeypatch.setenv("JOB", job)
        plan(event, Context())
        while messages := work.receive_messages(MaxNumberOfMessages=10):
            for message in messages:
                records = {"Records": [record(message.body), record(message.body)]}
                assert WORKERS[job](records, Context()) == {"batchItemFailures": []}
                message.delete()


def deliver(event: Event) -> dict[str, Any]:
    """Delivers an event, at its time, to the worker that the bus routes it to. Returns the worker's batch response."""
    worker = prepare if event.type == "download.requested" else collect
    detail = json.loads(event_body(replace(event, is_replay=True)))
    return dict(worker({"Records": [record(json.dumps({"detail": detail}))]}, Context()))


def invoiced_elsewhere(company: Company, month: int = 6) -> None:
    """Everything before a contract month is invoiced; without more, before the sample company's next renewal."""
    store = wiring.invoice_store()
    billing = existing(store.billing_context(company.account))
    contract, subscription = billing.subscriber.account.contract, billing.subscriber.subscription
    since = contract.month_start(month)
    period = replace(
        elsewhere(subscription, contract, InvoicingDue(month - 1), billing.period), fixed_through=month - 1
    )
    before = FixedMonth(month - 1, since, since, BillingReason.PERIOD, (), InvoicingDue(month), period)
    store.advance(billing, before)


def deactivate(company: Company) -> None:
    """Cancels the company's account, and deactivates it on its day."""
    assert cancel(company).status == 201
    end_account(
        company.account,
        now=ENDED,
        correlation="end",
        seller=wiring.seller_address(),
        policy=None,
        store=wiring.cancellation_store(),
    )
