"""The seam at botocore's `before-send` event: in place of the network, below botocore's retries and parsers.

Real clients make real requests, and the current world's services answer them. botocore takes a response that the
handler returns for the network's answer, and an Exception for a network failure. A Crash passes through it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from random import Random
from typing import Any, cast

import orjson
import pytest
from billing.platform.aws_session import aws_session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.retries.quota import RetryQuota
from botocore.retries.standard import ExponentialBackoff
from botocore.session import Session
from moto.core.models import botocore_stubber

from tests.aws import REGION, TABLE
from tests.faults.points import Crash, Mode, Point, Way, seam
from tests.faults.table import cancelled
from tests.faults.values import Refused, Unsupported
from tests.stores import Stores

Service = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Answers an operation's JSON request with a JSON reply, or raises Refused."""

_OK, _BAD_REQUEST, _SERVER_ERROR = 200, 400, 500
_THROTTLED = ("ProvisionedThroughputExceededException", "ThrottlingException")
_UNPROCESSED = {"BatchWriteItem": "UnprocessedItems", "BatchGetItem": "UnprocessedKeys"}


class _Body(BytesIO):
    """A response body with urllib3's interface."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def seam_session() -> Session:
    """A session like the product's. Its clients reach only the current world."""
    session = aws_session.__wrapped__()
    session.set_credentials("test", "test")
    session.set_config_variable("region", REGION)
    # moto registers itself in every session once it is imported, and would answer too.
    session.unregister("before-send", cast("Any", botocore_stubber))
    session.register(
        "before-send.*.*", cast("Any", _answer)
    )  # the stubs do not allow a handler that returns a response
    return session


@contextmanager
def connected() -> Iterator[Stores]:
    """The store over the seam, without waits between retries and with an unlimited retry quota."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
        patch.setattr(RetryQuota, "acquire", lambda *_: True)
        seam().client = client = seam_session().create_client("dynamodb")
        seam().store = store = Stores(TABLE, client)
        try:
            yield store
        finally:
            seam().store = seam().client = None


def _answer(request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
    _before_send, service, operation = event_name.split(".")
    invocation = request.headers["amz-sdk-invocation-id"]
    request_json = orjson.loads(cast("bytes", request.body))
    services = seam().world.services()
    if service not in services:
        raise Unsupported(f"The world has no {service}.")

    def perform(body: dict[str, Any] = request_json) -> AWSResponse:
        try:
            return _response(request, _OK, services[service](operation, body))
        except Refused as refused:
            return _error(request, refused)

    point = Point(
        name=f"{service} {operation}",
        call=invocation,
        repeats=invocation,
        succeed=perform,
        ways=_ways(request, operation, request_json, perform),
    )
    answer: AWSResponse = seam().pass_through(point)
    return answer


def _ways(
    request: AWSPreparedRequest, operation: str, request_json: dict[str, Any], perform: Callable[..., AWSResponse]
) -> Mapping[Mode, Way]:
    """The faults that a request can get."""

    def crash_before(_: Random) -> AWSResponse:
        raise Crash

    def crash_after(_: Random) -> AWSResponse:
        perform()
        raise Crash

    def timeout_before(chance: Random) -> AWSResponse:
        raise chance.choice([ConnectTimeoutError, EndpointConnectionError])(endpoint_url=request.url)

    def timeout_after(chance: Random) -> AWSResponse:
        perform()
        error = chance.choice([ReadTimeoutError, ConnectionClosedError, None])
        if error is None:
            return _error(request, Refused("InternalServerError", "Internal server error"), _SERVER_ERROR)
        raise error(endpoint_url=request.url)

    def throttle(chance: Random) -> AWSResponse:
        return _error(request, Refused(chance.choice(_THROTTLED), "Slow down."))

    def conflict(chance: Random) -> AWSResponse:
        reasons: list[dict[str, Any]] = [{"Code": "None"} for _ in request_json["TransactItems"]]
        reasons[chance.randrange(len(reasons))] = {
            "Code": "TransactionConflict",
            "Message": "Transaction is ongoing for the item",
        }
        return _error(request, cancelled(reasons))

    def partial(_: Random) -> AWSResponse:
        answer = perform({"RequestItems": _first_half(request_json["RequestItems"])})
        if answer.status_code != _OK:
            return answer
        reply = orjson.loads(answer.content)
        return _response(request, _OK, {**reply, _UNPROCESSED[operation]: _second_half(request_json["RequestItems"])})

    ways: dict[Mode, Way] = {
        Mode.CRASH_BEFORE: crash_before,
        Mode.CRASH_AFTER: crash_after,
        Mode.TIMEOUT_BEFORE: timeout_before,
        Mode.TIMEOUT_BEFORE_LASTING: timeout_before,
        Mode.TIMEOUT_AFTER: timeout_after,
        Mode.TIMEOUT_AFTER_LASTING: timeout_after,
        Mode.THROTTLE: throttle,
        Mode.THROTTLE_LASTING: throttle,
    }
    if operation.startswith("Transact"):
        ways[Mode.CONFLICT] = conflict
    if operation in _UNPROCESSED and sum(map(_length, request_json["RequestItems"].values())) > 1:
        ways[Mode.PARTIAL] = partial
    return ways


def _length(requests: Any) -> int:
    return len(requests["Keys"] if isinstance(requests, dict) else requests)


def _first_half(requests: dict[str, Any]) -> dict[str, Any]:
    return {name: _sliced(each, slice(None, (_length(each) + 1) // 2)) for name, each in requests.items()}


def _second_half(requests: dict[str, Any]) -> dict[str, Any]:
    rest = {name: _sliced(each, slice((_length(each) + 1) // 2, None)) for name, each in requests.items()}
    return {name: each for name, each in rest.items() if _length(each)}


def _sliced(requests: Any, part: slice) -> Any:
    return {**requests, "Keys": requests["Keys"][part]} if isinstance(requests, dict) else requests[part]


def _error(request: AWSPreparedRequest, refused: Refused, status: int = _BAD_REQUEST) -> AWSResponse:
    body = {
        "__type": f"com.amazonaws.dynamodb.v20120810#{refused.code}",
        "message": refused.message,
        **refused.facts,
    }
    return _response(request, status, body)


def _response(request: AWSPreparedRequest, status: int, body: dict[str, Any]) -> AWSResponse:
    headers = HeadersDict({"content-type": "application/x-amz-json-1.0", "x-amzn-requestid": "0"})
    return AWSResponse(request.url, status, cast("Any", headers), _Body(orjson.dumps(body)))
