"""What the tests of an account's end share: schedules and queues, and an account that has ended."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.correspondence.event_kinds import published
from billing.ending.cancellation.commands import end_account
from billing.kernel.events import Event
from billing.platform.events.mapping import event_body, event_from

from functions.administer_cancellation.app import handler as cancellation
from functions.collect_payments.app import handler as collect
from functions.end_account.app import handler as end
from functions.issue_invoices.app import handler as issue
from functions.plan_due_work.app import handler as plan
from functions.prepare_download.app import handler as prepare
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
"""Asked on 10 June: notice ends with the contract month after the running one, which is a renewal."""

ENDED = datetime(2026, 7, 14, 22, 1, tzinfo=UTC)
"""In Copenhagen the day has begun."""

REACTIVATED = datetime(2026, 7, 20, 9, tzinfo=UTC)
PURGED = datetime(2026, 7, 28, 22, 1, tzinfo=UTC)

WORKERS = {"ending": end, "renewal": issue, "collection": collect}


class Context(LambdaContext):
    number = 0

    def __init__(self) -> None:
        Context.number += 1
        self._aws_request_id = f"run-{Context.number}"


def asked(company: Company, method: str, body: Any = None, *, now: datetime = NOW, claims: Any = None) -> Answer:
    who = claims or company.admin
    return answer(cancellation, request(method, CANCELLATION, claims=who, path=company.path, body=body, now=now))


def cancel(company: Company, until: str = CONTRACT_ENDS, **more: Any) -> Answer:
    return asked(company, "POST", {**WHY, "active_until": until}, **more)


def told(*kinds: str) -> list[Event]:
    """What was told, in order, each as its kind says."""
    happened = [event_from(item["body"]) for item in stored_items() if item["sk"].startswith("EVENT#")]
    for event in happened:
        published(event)
    return [event for event in happened if event.type in kinds]


def record(body: str) -> dict[str, Any]:
    return {
        "messageId": "19dd0b57-b21e-4ac1-bd88-01bbb068cb78",
        "receiptHandle": "handle",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }


def fire(at: datetime, work: Any, monkeypatch: pytest.MonkeyPatch, *jobs: str) -> None:
    """The schedules of that hour, and their workers; each message twice, as it may be."""
    for job in jobs or ("ending", "renewal"):
        monkeypatch.setenv("JOB", job)
        plan({"time": at.isoformat()}, Context())
        while found := work.receive_messages(MaxNumberOfMessages=10):
            for message in found:
                records = {"Records": [record(message.body), record(message.body)]}
                assert WORKERS[job](records, Context()) == {"batchItemFailures": []}
                message.delete()


def deliver(event: Event) -> dict[str, Any]:
    """What the bus has its rules do with an event; what has failed of it."""
    worker = prepare if event.type == "download.requested" else collect
    detail = json.loads(event_body(event))
    return dict(worker({"Records": [record(json.dumps({"detail": detail}))]}, Context()))


def deactivate(company: Company) -> None:
    """The account is cancelled, and its end has come. What it needs is made for it."""
    assert cancel(company).status == 201
    end_account(company.account, now=ENDED, correlation="end", store=wiring.cancellation_store())
