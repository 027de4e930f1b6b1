"""An unreadable event: listed, explained, mended and redriven by the operator's command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from typing import Any

from local.cloud import client
from local.settings import CLOUD_PORT_VARIABLE, ROOT
from local.stack import Stack

SECONDS_MAX = 60


def operate(stack: Stack, *arguments: str) -> str:
    """Runs the command, and returns its output."""
    environment = {**os.environ, CLOUD_PORT_VARIABLE: str(stack.settings.cloud_port)}
    command = [sys.executable, "-m", "scripts.dead_letters", "--local", "--stack", stack.settings.stack, *arguments]
    finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def listed(stack: Stack, about: str) -> str | None:
    """The id of the message whose line contains the text, as soon as it is listed; None after SECONDS_MAX."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        lines = [line for line in operate(stack, "list").splitlines() if about in line]
        if lines:
            return lines[0].split()[0]
        time.sleep(1)
    return None


def test_a_planner_that_fails_leaves_a_letter_that_invokes_it_again(stack: Stack) -> None:
    """Scheduler does not see the failure: it invokes asynchronously."""
    functions: Any = client(stack.settings, "lambda")
    moment = f"no time {uuid.uuid4().hex[:8]}"

    planner = stack.outputs["PlanEndsName"]
    functions.invoke(FunctionName=planner, InvocationType="Event", Payload=json.dumps({"time": moment}))

    letter = listed(stack, moment)
    assert letter is not None
    assert f"planner {planner} at {moment}" in operate(stack, "list")
    assert "Invalid isoformat string" in operate(stack, "show", letter)
    assert operate(stack, "redrive", "--id", letter).startswith("1 sent")
    again = listed(stack, moment)
    assert again is not None
    assert again != letter
    operate(stack, "discard", again, "--yes")


def test_an_unreadable_event_is_listed_mended_and_redriven(stack: Stack) -> None:
    table: Any = client(stack.settings, "dynamodb")
    sqs: Any = client(stack.settings, "sqs")
    account = f"broken-{uuid.uuid4().hex[:8]}"
    event = {
        "event": "01M83DRBER6HR1QAESBEGZCQ20",
        "type": "user.removed",
        "account": account,
        "time": "2026-11-23T10:00:00+00:00",
        "actor": {"kind": "system", "user": None},
        "correlation": "none",
        "before": {"user": "u", "email": "bo@nordlys.example", "name": "Bo Lind", "role": "member"},
        "after": None,
        "version": 1,
    }
    keys = {"pk": {"S": f"ACCOUNT#{account}"}, "sk": {"S": f"EVENT#{event['event']}"}}
    table.put_item(TableName=stack.outputs["TableName"], Item={**keys, "body": {"S": "{"}})

    letter = listed(stack, f"ACCOUNT#{account}")

    assert letter is not None
    assert "JSONDecodeError" in operate(stack, "show", letter)
    assert "still cannot be read" in operate(stack, "redrive", "--id", letter)
    table.put_item(TableName=stack.outputs["TableName"], Item={**keys, "body": {"S": json.dumps(event)}})
    assert operate(stack, "redrive", "--id", letter).startswith("1 sent")
    assert account not in operate(stack, "list")
    left = sqs.get_queue_attributes(
        QueueUrl=stack.outputs["DeadLettersUrl"], AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"]
    assert left["ApproximateNumberOfMessages"] == "0"
