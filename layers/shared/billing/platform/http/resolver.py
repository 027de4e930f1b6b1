"""The frame of every HTTP function: reading the body, validation, problem documents, one log line."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Any

import orjson
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError, ResponseValidationError
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing.kernel.errors import AccountNotFound, BillingError, Busy, Forbidden, NotFound, Unauthenticated
from billing.kernel.permissions import STAFF_GROUP
from billing.platform.http import problems
from billing.platform.http.bodies import Headers, body_text, headers_of, read_json
from billing.platform.http.callers import groups_of
from billing.platform.http.judge import ADMITTED, judge_caller
from billing.platform.http.media_types import JSON, media_type
from billing.platform.http.problems import UnsupportedMediaType
from billing.platform.runs import begin_run

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler.middlewares import NextMiddleware

BODY_CHARACTERS_MAX = 256 * 1024

Event = Mapping[str, Any]
Handler = Callable[[Event, LambdaContext], dict[str, Any]]

WRONG_BODY = "wrong_body"
"""The key, in a request's context, of the error of a body that was refused before it was parsed."""

SENT_HEADERS = "sent_headers"
"""The key, in a request's context, of the headers that the client sent, by their names in lower case."""

SAY_NOTHING = (AccountNotFound, Busy, Forbidden, Unauthenticated)
"""Errors that every caller may see: they disclose nothing about an account or the request's content."""

logger = Logger()


def make_api(read: Callable[[str, Headers], Any] | None = None) -> APIGatewayRestResolver:
    """A resolver with this API's conventions (DESIGN 5). `read` parses a body; the default is read_json."""

    def parsed(text: str) -> Any:
        return read_json(text) if read is None else read(text, api.context[SENT_HEADERS])

    api = APIGatewayRestResolver(
        enable_validation=True,
        # Behind a custom domain the API's base path, which our links begin with, is part of the path.
        strip_prefixes=["/v1"],
        response_validation_error_http_code=500,
        serializer=_serialized,
        json_body_deserializer=parsed,
    )

    def problem(error: BillingError | RequestValidationError) -> Response[str]:
        return _problem(api, error)

    api.exception_handler([BillingError, RequestValidationError])(problem)
    api.exception_handler(ResponseValidationError)(_unfit_answer)
    api.not_found(_no_such_resource)
    api.use([_only_admitted])
    return api


def entrypoint(
    api: APIGatewayRestResolver,
    *,
    media_types: Collection[str] = (JSON,),
    takes: Callable[[Headers], bool] | None = None,
    characters_max: int = BODY_CHARACTERS_MAX,
    read_body: Callable[[Event, Headers, int], str | None] = body_text,
) -> Handler:
    """The Lambda handler of an API. An unexpected error is not caught: the invocation fails, and the alarm rings.

    `media_types` are the accepted media types of a body, all of them read as JSON. `takes` accepts further ones by a
    request's headers. `characters_max` limits a body's length, after its encoding is undone. `read_body` returns its
    text from an event of the gateway.
    """

    def takes_type(headers: Headers) -> bool:
        return media_type(headers.get("content-type")) in media_types or (takes is not None and takes(headers))

    def handler(event: Event, context: LambdaContext) -> dict[str, Any]:
        started = perf_counter()
        begin_run(event["requestContext"]["requestId"], logger)
        headers = headers_of(event)
        api.context[SENT_HEADERS] = headers
        text = None
        try:
            text = read_body(event, headers, characters_max)
            if text and not takes_type(headers):
                raise UnsupportedMediaType(f"The body must be sent as {' or '.join(media_types)}.")
        except BillingError as error:  # the route must still judge the caller before it refuses the body
            api.context[WRONG_BODY], text = error, None
        answer = api.resolve(_as_json(event, headers, text), context)
        answered = answer.setdefault("multiValueHeaders", {})
        answered["Cache-Control"] = ["no-store"]
        if answer["statusCode"] == HTTPStatus.NO_CONTENT:  # has no content, so no type of it either (RFC 9110, 15.3.5)
            answer["body"] = ""
            answered.pop("Content-Type", None)
        if "ALLOWED_ORIGIN" in os.environ:
            answered["Access-Control-Allow-Origin"] = [os.environ["ALLOWED_ORIGIN"]]
            answered["Access-Control-Expose-Headers"] = ["Content-Disposition, ETag, Link, Location, Retry-After"]
        # The route's pattern, not its path: a path may name a person.
        logger.info(
            "request",
            method=event["httpMethod"],
            route=event["resource"],
            status=answer["statusCode"],
            duration_ms=round((perf_counter() - started) * 1000, 1),
            **_who(event, answer["statusCode"]),
        )
        return answer

    return handler


def _who(event: Event, status: int) -> dict[str, Any]:
    """Who asked, and for which account: the ids of log-in and account, and whether it was staff. No name, no address.

    A refused caller may have typed anything in the account's place, so it is left out of a 401, 404 and 422.
    """
    claims: Mapping[str, str] = (event["requestContext"].get("authorizer") or {}).get("claims") or {}
    account = (event.get("pathParameters") or {}).get("account")
    known = status not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}
    return {
        "user": claims.get("sub"),
        "staff": STAFF_GROUP in groups_of(claims),
        **({"account": account} if account and known else {}),
    }


def _only_admitted(api: APIGatewayRestResolver, next_middleware: NextMiddleware) -> Response[Any]:
    """Refuses a wrong body before the route runs. Raises RuntimeError if a route has not admitted its caller."""
    error: BillingError | None = api.context.get(WRONG_BODY)
    if error is not None:
        raise error
    answer = next_middleware(api)
    if api.context.get(ADMITTED) is False:
        raise RuntimeError("A route has answered a caller whom it has not admitted.")
    return answer


def _problem(api: APIGatewayRestResolver, error: BillingError | RequestValidationError) -> Response[str]:
    """The problem document of an error. A caller without permission gets only that refusal (DESIGN 3.4.5)."""
    if not isinstance(error, SAY_NOTHING):
        try:
            judge_caller(api)
        except BillingError as refusal:
            return problems.response(refusal)
    error = api.context.get(WRONG_BODY, error)
    return problems.response(error) if isinstance(error, BillingError) else problems.validation_response(error)


def _as_json(event: Event, headers: Headers, text: str | None) -> dict[str, Any]:
    """The request with the text of its body, and with the one media type that the resolver parses."""
    sent = {**headers, "content-type": JSON}
    lists = {name: [value] for name, value in sent.items()}
    return {**event, "headers": sent, "multiValueHeaders": lists, "body": text, "isBase64Encoded": False}


def _unfit_answer(unfit: ResponseValidationError) -> Response[str]:
    # The place and kind of the error, without the value: it may be a person's name.
    logger.error("the answer does not fit its schema", places=[(each["loc"], each["type"]) for each in unfit.errors()])
    return problems.failure_response()


def _no_such_resource(_: Exception) -> Response[str]:
    return problems.response(NotFound("There is no such resource."))


def _serialized(body: Any) -> str:
    return orjson.dumps(body).decode()
