"""Accounts on a test clock, their workers in this process, and the same time lived by the schedules."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.correspondence.event_kinds import published
from billing.kernel.events import Event
from billing.kernel.schedules import SCHEDULES, Job
from billing.platform import clock as account_clock
from billing.platform.events.mapping import event_from
from billing.platform.queues.interfaces import DueWork
from billing.platform.queues.sqs_work_queue import message_of

from functions.administer_test_clocks.app import handler as administer_test_clocks
from functions.advance_test_clock.app import handler as advance_test_clock
from functions.check_vat_number.app import handler as check_vat_number
from functions.collect_payments.app import handler as collect_payments
from functions.end_account.app import handler as end_account
from functions.issue_invoices.app import handler as issue_invoices
from functions.plan_due_work.app import handler as plan
from functions.scale_account.app import handler as scale_account
from functions.warn_expiring_card.app import handler as warn_expiring_card
from tests.api_gateway import NOW, STAFF, Answer, answer, request
from tests.aws import REGION, stored_items

CLOCKS, CLOCK = "/test-clocks", "/test-clocks/{clock}"
PATH = {"clock": "q1"}
ON_CLOCK = "q1.nordlys-kaffe"

HANDLERS: dict[Job, Callable[..., Any]] = {
    Job.AUTOSCALING: scale_account,
    Job.CARD_EXPIRY: warn_expiring_card,
    Job.COLLECTION: collect_payments,
    Job.ENDING: end_account,
    Job.RENEWAL: issue_invoices,
    Job.VAT_NUMBER: check_vat_number,
}


class Run(LambdaContext):
    """A run of a function with an id of its own."""

    number = 0

    def __init__(self) -> None:
        Run.number += 1
        self._aws_request_id = f"run-{Run.number}"


def record(body: Any) -> dict[str, Any]:
    return {
        "messageId": "19dd0b57-b21e-4ac1-bd88-01bbb068cb78",
        "receiptHandle": "handle",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }


@dataclass
class InProcessWorkers:
    """The workers of the jobs in this process. See billing.platform.test_clocks.workers.Workers."""

    ran: list[tuple[Job, str, datetime]] = field(default_factory=list)
    before: Callable[[Job, DueWork], object] = lambda _job, _work: None

    def run(self, job: Job, work: DueWork) -> bool:
        self.before(job, work)
        self.ran.append((job, work.account, work.at))
        return bool(HANDLERS[job]({"Records": [record(message_of(work))]}, Run()) == {"batchItemFailures": []})


@pytest.fixture
def workers(work_queue: Any, monkeypatch: pytest.MonkeyPatch) -> InProcessWorkers:
    made = InProcessWorkers()
    monkeypatch.setattr(wiring, "workers", lambda: made)
    return made


# ---- Requests of staff -------------------------------------------------------------------------------------


def ask(method: str, route: str, body: Any = None, *, now: datetime = NOW, claims: Any = STAFF, **more: Any) -> Answer:
    path = PATH if "{clock}" in route else None
    return answer(administer_test_clocks, request(method, route, claims=claims, path=path, body=body, now=now, **more))


def make(begins: datetime = NOW, clock: str = "q1") -> Answer:
    return ask("POST", CLOCKS, {"test_clock": clock, "now": begins.isoformat()})


def advance(to: datetime) -> Answer:
    return ask("POST", CLOCK + "/advance", {"to": to.isoformat()})


def status() -> dict[str, Any]:
    body: dict[str, Any] = ask("GET", CLOCK).body
    return body


def run_worker(runs_max: int = 100) -> int:
    """Delivers the event of the last request to the worker, then its own messages, until there are no more. Returns how
    often it ran."""
    asked = [each for each in recorded(None) if each.type in {"test_clock.advancing", "test_clock.deleting"}][-1]
    bodies = [json.dumps({"detail": published(asked).model_dump(mode="json")})]
    for number in range(1, runs_max + 1):
        assert advance_test_clock({"Records": [record(bodies.pop(0))]}, Run()) == {"batchItemFailures": []}
        bodies += [each for each in queued() if "test_clock" in each]
        if not bodies:
            return number
    raise AssertionError("the clock does not arrive")


def advanced(to: datetime) -> dict[str, Any]:
    """The clock after it was advanced, and has arrived."""
    assert advance(to).status == 202
    run_worker()
    return status()


# ---- The same time by the schedules ------------------------------------------------------------------------


@contextmanager
def real_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[datetime], None]]:
    """The wall clock of workers, in the hands of a test."""
    with monkeypatch.context() as patch:
        yield lambda at: patch.setattr(account_clock, "_now", lambda: at)


def live(
    first: datetime, until: datetime, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[datetime], object]
) -> None:
    """Lets the time pass from `first` to `until`: each schedule fires when the template says, its planner queues what
    is due, and its workers process that. A schedule that would find nothing is left out."""
    with real_time(monkeypatch) as set_time:
        due = _due()
        minute = timedelta(minutes=1)
        hour = first.replace(minute=0, second=0, microsecond=0)
        while hour <= until:
            for place in sorted({each for schedule in SCHEDULES.values() for each in schedule.minutes}):
                at = hour + place * minute
                if not first <= at <= until:
                    continue
                for job, schedule in SCHEDULES.items():
                    fires = place in schedule.minutes and schedule.hour in {None, at.hour}
                    if fires and job in HANDLERS and due.get(job, "~") <= f"{at:%Y-%m-%dT%H:%MZ}":
                        set_time(at)
                        meanwhile(at)
                        _fire(job, at, monkeypatch)
                        due = _due()
            hour += timedelta(hours=1)


def _due() -> dict[Job, str]:
    due: dict[Job, str] = {}
    for item in stored_items():
        if str(item.get("gsi1pk", "")).startswith("DUE#") and "#clock#" not in item["gsi1pk"]:
            job = Job(item["gsi1pk"].split("#")[1])
            due[job] = min(due.get(job, "~"), item["gsi1sk"])
    return due


def _fire(job: Job, at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB", job)
    plan({"time": at.isoformat()}, Run())
    for body in queued():
        assert HANDLERS[job]({"Records": [record(body)]}, Run()) == {"batchItemFailures": []}


def queued() -> list[str]:
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.get_queue_url(QueueName="work")["QueueUrl"]
    bodies = []
    while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [each["Body"] for each in found]
        for each in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    return bodies


# ---- What happened -----------------------------------------------------------------------------------------


def recorded(account: str | None) -> list[Event]:
    """The events of an account, also after its purge, or of no account; in their order. Each fits its schema."""
    events = [event_from(item["body"]) for item in stored_items() if item["sk"].startswith("EVENT#")]
    for event in events:
        published(event)
    return sorted((event for event in events if event.account == account), key=lambda event: event.id)
