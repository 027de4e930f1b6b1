"""A request can be followed through the queues: a log line has the id of its run, and of the run that caused it."""

from __future__ import annotations

import ast
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import cold_start
import pytest
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.platform import workers
from billing.platform.http import resolver
from billing.platform.runs import begin_run, message_attributes, sender_of
from billing.usage.records import MonthTotal

from functions.get_billing.app import handler as get_billing
from functions.plan_due_work import app as planner
from functions.publish_events import app as publisher
from functions.receive_payment_notice import app as webhook
from functions.record_queued_usage import app as counter
from functions.watch_usage import app as watcher
from tests.api_gateway import NOW, answer, request
from tests.aws import REGION
from tests.company import Company
from tests.template import ROOT, resources

GATEWAYS_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


class Context(LambdaContext):
    """The context of an invocation."""

    aws_request_id = "run-of-lambda"


def lines_of(logger: Logger) -> Iterator[io.StringIO]:
    lines = io.StringIO()
    handler = logger.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(lines)
    yield lines
    handler.setStream(before)


def parsed(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def queued() -> list[dict[str, Any]]:
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.get_queue_url(QueueName="work")["QueueUrl"]
    found: list[dict[str, Any]] = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages", [])
    return found


def as_lambda_passes_it(message: dict[str, Any]) -> dict[str, Any]:
    """A message of SQS as Lambda hands it to a worker: names begin with small letters."""
    attributes = {
        name: {"stringValue": each["StringValue"], "dataType": each["DataType"]}
        for name, each in message["MessageAttributes"].items()
    }
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": attributes,
        "eventSource": "aws:sqs",
    }


def test_a_request_has_the_id_that_the_gateway_gave_it(company: Company) -> None:
    for lines in lines_of(resolver.logger):
        answer(get_billing, request("GET", "/accounts/{account}/billing", claims=company.admin, path=company.path))
        assert [each["request_id"] for each in parsed(lines)] == [GATEWAYS_ID]


def test_what_a_planner_queues_names_its_run_and_the_worker_logs_it(
    company: Company, work_queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB", "renewal")
    for lines in lines_of(planner.logger):
        planner.handler({"time": NOW.isoformat()}, Context())
        assert {each["request_id"] for each in parsed(lines)} == {"run-of-lambda"}

    [message] = queued()
    assert message["MessageAttributes"]["correlation"]["StringValue"] == "run-of-lambda"
    seen = []
    handler = workers.worker(lambda body, run: seen.append(run) or {"account": "a"}, wiring.queue)  # type: ignore[func-returns-value]
    for lines in lines_of(workers.logger):
        context = Context()
        context._aws_request_id = "run-of-worker"
        handler({"Records": [as_lambda_passes_it(message)]}, context)
        [line] = parsed(lines)
    assert line["correlation"] == "run-of-lambda"
    assert line["request_id"] == seen[0]


def test_an_event_of_the_bus_names_the_request_that_caused_it() -> None:
    body = json.dumps({"detail-type": "invoice.issued", "detail": {"correlation": GATEWAYS_ID}})
    assert sender_of({"body": body}) == GATEWAYS_ID


@pytest.mark.parametrize("body", ["", "no JSON", "[]", '{"detail": 1}', '{"detail": {"correlation": 7}}', "null"])
def test_a_message_without_a_sender_has_none(body: str) -> None:
    assert sender_of({"body": body, "messageAttributes": {}}) is None


def test_the_next_run_does_not_keep_the_one_before() -> None:
    logger = Logger(service="test")
    begin_run("first", logger)
    logger.append_keys(correlation="sender")
    begin_run("second", logger)

    assert message_attributes()["correlation"]["StringValue"] == "second"
    assert logger.get_current_keys()["correlation"] is None


# ---- Functions with a handler of their own ------------------------------------------------------


@pytest.fixture
def after_another_run() -> Iterator[io.StringIO]:
    """The lines of a process that has handled something before: its ids must not be in the next run's lines."""
    for lines in lines_of(workers.logger):
        begin_run("run-before", workers.logger)
        workers.logger.append_keys(correlation="sender-before")
        yield lines


def test_a_reader_of_the_stream_names_its_run_and_the_requests_of_its_events(
    after_another_run: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = json.loads((ROOT / "events" / "publish_events.json").read_text("utf-8"))
    monkeypatch.setattr(publisher, "publish_events", lambda *_, **__: None)
    monkeypatch.setattr(wiring, "bus", lambda: None)
    publisher.handler(batch, Context())

    [line] = parsed(after_another_run)
    bodies = [json.loads(each["dynamodb"]["NewImage"]["body"]["S"]) for each in batch["Records"]]
    assert (line["request_id"], line.get("correlation")) == ("run-of-lambda", None)
    assert line["correlations"] == sorted({each["correlation"] for each in bodies})


def test_the_watcher_of_usage_names_its_run_as_its_events_do(
    after_another_run: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[str] = []

    def watched(*_: object, correlation: str, **__: object) -> int:
        recorded.append(correlation)
        return 90

    total = MonthTotal("nordlys-kaffe", "search", date(2026, 6, 1), Decimal(9000))
    monkeypatch.setattr(watcher, "month_total_from", lambda _: total)
    monkeypatch.setattr(watcher, "watch_usage", watched)
    monkeypatch.setattr(wiring, "usage_store", lambda: None)
    watcher.handler({"Records": [{"dynamodb": {"NewImage": {}, "ApproximateCreationDateTime": 0}}]}, Context())

    [line] = parsed(after_another_run)
    assert (line["request_id"], line.get("correlation")) == ("run-of-lambda", None)
    assert recorded == ["run-of-lambda"]


def test_the_webhook_names_the_request(after_another_run: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "_is_signed", lambda *_: False)
    webhook.handler(request("POST", "/webhooks/stripe", claims=None, body="{}"), Context())

    [line] = parsed(after_another_run)
    assert (line["request_id"], line.get("correlation")) == (GATEWAYS_ID, None)


@pytest.mark.parametrize("messages", [1, 2])
def test_queued_usage_names_its_run_and_the_requests_that_reported_it(
    messages: int, after_another_run: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counter, "_record", lambda *_: {"accepted": 1})
    monkeypatch.setattr(counter, "events_from", lambda body: [body])
    records = [
        as_lambda_passes_it(
            {
                "MessageId": str(number),
                "ReceiptHandle": "receipt",
                "Body": "{}",
                "MessageAttributes": {"correlation": {"DataType": "String", "StringValue": f"sender-{number}"}},
            }
        )
        for number in range(messages)
    ]
    counter.handler({"Records": records}, Context())

    [line] = parsed(after_another_run)
    assert line["request_id"] == "run-of-lambda"
    senders = line["correlations"] if messages > 1 else [line["correlation"]]
    assert senders == [f"sender-{number}" for number in range(messages)]
    assert "sender-before" not in json.dumps(line)


@pytest.mark.parametrize("app", sorted((ROOT / "functions").glob("*/app.py")), ids=lambda app: app.parent.name)
def test_a_function_that_logs_begins_its_run(app: Path) -> None:
    """The frames of requests and of workers begin it. A handler of its own must do so before anything else."""
    tree = ast.parse(app.read_text("utf-8"))
    handlers = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == "handler"]
    names = {each.id for each in ast.walk(tree) if isinstance(each, ast.Name)}
    if not handlers or "logger" not in names:
        return
    [handler] = handlers
    first = next(each for each in handler.body if not isinstance(getattr(each, "value", None), ast.Constant))
    assert ast.unparse(first).startswith("begin_run("), (
        f"{app.parent.name}: its lines would have the ids of another run"
    )


# ---- Cold starts --------------------------------------------------------------------------------


def started(code: str, **environment: str) -> list[dict[str, Any]]:
    """The lines that a fresh process prints."""
    paths = os.pathsep.join([str(ROOT / "layers" / "shared"), str(ROOT)])
    finished = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": paths, "PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in finished.stdout.splitlines()]


IN_LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "livello-GetBilling",
    "AWS_REGION": "eu-south-1",
    "STAGE": "prod",
    "POWERTOOLS_SERVICE_NAME": "livello",
}


@pytest.mark.parametrize("code", ["import billing, billing.kernel.money", "import functions.describe_api.app"])
def test_a_function_that_starts_says_once_which_build_runs_where(code: str) -> None:
    [line] = started(code, **IN_LAMBDA)

    assert line == {
        "level": "INFO",
        "message": "cold start",
        "service": "livello",
        "function": "livello-GetBilling",
        "region": "eu-south-1",
        "stage": "prod",
        "version": None,
        "commit": None,
    }, "a checkout has no build"


def test_nothing_is_said_outside_of_lambda() -> None:
    assert started("import billing") == []


def test_the_build_says_its_version_and_commit(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    written = tmp_path / "build.json"
    written.write_text(json.dumps({"version": "1.2.3", "commit": "abc-dirty"}), "utf-8")
    monkeypatch.setattr(cold_start, "BUILD", written)
    assert cold_start.build() == {"version": "1.2.3", "commit": "abc-dirty"}
    written.write_text("broken", "utf-8")
    assert cold_start.build() == {"version": None, "commit": None}


def test_every_function_knows_its_stage() -> None:
    template = (ROOT / "template.yaml").read_text("utf-8")
    assert "        STAGE: !Ref Stage\n" in template.partition("Resources:")[0]
    assert resources()
