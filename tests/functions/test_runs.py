"""A request can be followed through the queues: a log line has the id of its run, and of the run that caused it."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
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

from functions.get_billing.app import handler as get_billing
from functions.plan_due_work import app as planner
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
