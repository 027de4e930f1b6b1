"""A world of smoke whose AWS, HTTP and tools answer what a test says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.message import Message
from functools import cache
from types import SimpleNamespace
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.session import Session
from botocore.stub import Stubber
from botocore.validate import ParamValidator

from local.api_client import Answer
from scripts.smoke.refusals import Refused
from scripts.smoke.world import AWS, LOCAL, Plan, World

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
OUTPUTS = {
    "ApiUrl": "https://api123.execute-api.eu-central-1.amazonaws.com/v1",
    "ApiId": "api123",
    "BillingPageClientId": "pageclient",
    "ProductClientId": "productclient",
    "UserPoolId": "eu-central-1_pool",
    "TableName": "livello-smoke-Table-1",
    "TokenUrl": "https://livello.auth.eu-central-1.amazoncognito.com/oauth2/token",
    "InvoicesDueUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/InvoicesDue",
    "PaymentsDueUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/PaymentsDue",
    "EndsDueUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/EndsDue",
    "NoticesUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/Notices",
    "MailFeedbackTopicArn": "arn:aws:sns:eu-central-1:123456789012:feedback",
    "InvoiceArchiveName": "livello-smoke-archive",
    "PlanEndsName": "livello-smoke-PlanEnds-1",
    "StripeApiSecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:api",
    "StripeSecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:hook",
    "WebhookUrl": "https://api123.execute-api.eu-central-1.amazonaws.com/v1/webhooks/stripe",
}

Route = tuple[str, str]


@cache
def _inputs(service: str) -> Mapping[str, Any]:
    """The parameters of each operation of a service, by its name in Python, as botocore's model has them."""
    model = Session().get_service_model(service)
    return {xform_name(each): model.operation_model(each).input_shape for each in model.operation_names}


def validate(service: str, operation: str, given: Mapping[str, Any]) -> None:
    """Fails for a request that AWS's own model refuses, and for an operation that does not exist."""
    shape = _inputs(service)[operation]
    report = ParamValidator().validate(given, shape) if shape is not None else None
    if report is not None and report.has_errors():
        raise AssertionError(f"{service}.{operation}: {report.generate_report()}")


def refusal(code: str, message: str, operation: str = "Operation") -> ClientError:
    """A refusal of AWS, as botocore raises it."""
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"RequestId": "request-1"}},  # type: ignore[typeddict-item]
        operation,
    )


NO_STACK = {
    "cloudformation.describe_stacks": refusal(
        "ValidationError", "Stack with id livello-smoke does not exist", "DescribeStacks"
    )
}
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html"""


class Calls:
    """A client of any service. `answers` has by operation a value, a function of the request, or an exception.

    There is no stack unless an answer says so. Any other operation without an answer fails the test.
    """

    def __init__(self, service: str, answers: Mapping[str, Any], seen: list[str]) -> None:
        self._service, self._answers, self._seen = service, answers, seen

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        if operation == "get_paginator":
            return lambda name: SimpleNamespace(paginate=lambda **given: [self._call(name, given)])
        return lambda **given: self._call(operation, given)

    def _call(self, operation: str, given: Mapping[str, Any]) -> Any:
        self._seen.append(f"{self._service}.{operation}")
        validate(self._service, operation, given)
        answer = self._answers[f"{self._service}.{operation}"]
        if isinstance(answer, Exception):
            raise answer
        return answer(given) if callable(answer) else answer


class Tools:
    """A SAM CLI that does nothing, or fails with these words."""

    def __init__(self, fails: Mapping[str, str] | None = None) -> None:
        self._fails, self.calls = fails or {}, list[tuple[str, Any]]()

    def _done(self, name: str, *given: Any) -> str:
        self.calls.append((name, given))
        if name in self._fails:
            raise Refused(self._fails[name], "no remedy of its own")
        return name

    def build(self) -> str:
        return self._done("build")

    def change_set(self, stack: str, parameters: Mapping[str, str]) -> str:
        return self._done("change_set", stack, parameters)

    def deploy(self, stack: str, parameters: Mapping[str, str], extra: Mapping[str, Any] | None = None) -> str:
        return self._done("deploy", stack, parameters, extra)

    def delete(self, stack: str) -> str:
        return self._done("delete", stack)


class FakeStripe:
    """Stripe's test mode that has the given charges."""

    keys: Mapping[str, str] = {"api_key": "sk_test_x", "publishable_key": "pk_test_x"}

    def __init__(self, charges: list[int] | None = None) -> None:
        self._charges = charges or []

    def account(self) -> str:
        return "Stripe's test mode answers"

    def confirm_card(self, setup: Mapping[str, str]) -> None:
        """Confirms any."""

    def charges(self, account: str) -> list[int]:
        return self._charges

    def listen(self, url: str) -> str:
        return "whsec_new"

    def stop_listening(self) -> int:
        return 1


def answered(status: int, body: Any = None, **headers: str) -> Answer:
    """An answer of HTTP. Header names have _ for -."""
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, message, content)


def world(
    calls: Mapping[str, Any] | None = None,
    routes: Mapping[Route, Answer] | None = None,
    *,
    place: str = AWS,
    sam: Tools | None = None,
    stripe: FakeStripe | None = None,
    plan: Plan | None = None,
    seen: list[str] | None = None,
) -> World:
    """A world that waits for nothing. `routes` are answers by method and the end of the address."""

    def http(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        for (verb, path), answer in (routes or {}).items():
            if verb == method and url.partition("?")[0].endswith(path):
                return answer
        raise AssertionError(f"{method} {url} was not expected")

    made = World(
        place=place,
        plan=plan or Plan(region="eu-central-1", sender="smoke@vendor.example", events=2),
        aws=lambda service: Calls(service, {**NO_STACK, **(calls or {})}, seen if seen is not None else []),
        http=http,
        sam=sam or Tools(),
        stripe=stripe,
        now=lambda: NOW,
        wait=lambda condition, _: condition(),
        code_for=lambda _: None,
    )
    made.made.outputs |= OUTPUTS
    made.made.origin = "https://smoke.example" if place == AWS else "http://127.0.0.1:8080"
    made.made.account, made.made.invoice = "smoke-1", "LV-2026-000001"
    made.made.admin, made.made.admin_token, made.made.staff_token = "ada@vendor.example", "eyJadmin.x.y", "eyJstaff.x.y"
    return made


def stubbed(service: str, *replies: tuple[str, Any]) -> Any:
    """A real client of a service, whose answers are checked against botocore's model: an answer or (code, message)."""
    client: Any = Session().create_client(
        service, "eu-central-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    stubber = Stubber(client)
    for operation, reply in replies:
        if isinstance(reply, tuple):
            stubber.add_client_error(operation, service_error_code=reply[0], service_message=reply[1])
        else:
            stubber.add_response(operation, reply)
    stubber.activate()
    return client


__all__ = ["AWS", "LOCAL", "NOW", "Calls", "FakeStripe", "Tools", "answered", "refusal", "stubbed", "world"]
