"""Errors as problem documents (RFC 9457). The only module that maps errors to HTTP (DESIGN 5.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch
from http import HTTPStatus
from typing import Any

import orjson
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from billing.kernel import errors
from billing.kernel.errors import BadParameter, BillingError, Violation
from billing.kernel.permissions import AdminsOnly

PROBLEM_JSON = "application/problem+json"
TYPE_PREFIX = "urn:livello:problem:"


class Malformed(BillingError):
    """The body is not JSON."""

    code = "malformed"


class TooLarge(BillingError):
    """The body is larger than the limit (DESIGN 5.7)."""

    code = "too-large"


class UnsupportedMediaType(BillingError):
    """The media type of the body is not JSON."""

    code = "unsupported-media-type"


class Invalid(BillingError):
    """Fields are missing, unknown, or of a wrong type."""

    code = "invalid"


class Rejected(BillingError):
    """A single entry, of a kind that is usually sent in a batch, is refused. `errors` say why."""

    code = "rejected"

    def __init__(self, errors: Sequence[Mapping[str, str]]) -> None:
        super().__init__("This is not taken: see the fields below.")
        self.errors = errors


class BadCursor(BadParameter):
    """The cursor is not one that cursor_of made."""

    code = "bad-cursor"

    def __init__(self) -> None:
        super().__init__("cursor", "This cursor is not the next_cursor of a page.")


STATUS: dict[type[BillingError], HTTPStatus] = {
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Busy: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StaleVersion: HTTPStatus.PRECONDITION_FAILED,
    errors.VersionRequired: HTTPStatus.PRECONDITION_REQUIRED,
    errors.LimitReached: HTTPStatus.TOO_MANY_REQUESTS,
    BadParameter: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.RuleViolation: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UpstreamFailed: HTTPStatus.BAD_GATEWAY,
    Rejected: HTTPStatus.UNPROCESSABLE_ENTITY,
    Malformed: HTTPStatus.BAD_REQUEST,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
}


def status_of(error: BillingError) -> HTTPStatus:
    """The HTTP status of an error, by its kind."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def document(error: BillingError) -> dict[str, Any]:
    """An error as a problem document."""
    status = status_of(error)
    problem: dict[str, Any] = {
        "type": TYPE_PREFIX + error.code,
        "title": status.phrase,
        "status": int(status),
        "detail": error.detail,
    }
    return problem | members(error)


@singledispatch
def members(_: BillingError) -> dict[str, Any]:
    """The members of a problem document beside those of RFC 9457, as JSON values.

    An area whose error shows more than its `detail` registers a function here, in its `views` module. Each function
    that can raise the error imports that module anyway.
    """
    return {}


@members.register
def _violations(error: errors.RuleViolation) -> dict[str, Any]:
    return {"errors": [violation_problem(each) for each in error.violations]}


@members.register
def _rejected(error: Rejected) -> dict[str, Any]:
    return {"errors": [*error.errors]}


@members.register
def _parameter(error: BadParameter) -> dict[str, Any]:
    return {"errors": [{"detail": error.detail, "parameter": error.parameter, "in": "query"}]}


@members.register
def _admins(error: AdminsOnly) -> dict[str, Any]:
    return {
        "admins": [
            {"name": admin.name, "email": admin.email, "status": "active" if admin.has_logged_in else "invited"}
            for admin in error.admins
        ]
    }


def response(error: BillingError) -> Response[str]:
    """The answer for an error."""
    answer = _answer(document(error))
    if isinstance(error, errors.Busy | errors.LimitReached):
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
    return answer


def validation_response(invalid: RequestValidationError) -> Response[str]:
    """The answer for fields that do not fit their schema. It names each field, and repeats no value."""
    problem = document(Invalid("The request does not fit: see the fields below."))
    problem["errors"] = [field_problem(each) for each in invalid.errors()]
    return _answer(problem)


def failure_response() -> Response[str]:
    """The answer for a fault of ours: 500, without any detail of the fault."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    detail = "The answer could not be made. The fault is ours, and has been noted."
    return _answer({"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail})


def _answer(problem: dict[str, Any]) -> Response[str]:
    return Response(
        status_code=problem["status"],
        content_type=PROBLEM_JSON,
        body=orjson.dumps(problem).decode(),
        headers={"WWW-Authenticate": "Bearer"} if problem["status"] == HTTPStatus.UNAUTHORIZED else {},
    )


def field_problem(error: Mapping[str, Any]) -> dict[str, str]:
    """An error of pydantic as an entry of `errors`. Powertools puts the place first in `loc`: body, query, path …"""
    where, *path = error["loc"]
    detail = str(error["msg"]).removeprefix("Value error, ")
    if where == "body":
        return {"detail": detail, "pointer": _pointer(path)}
    return {"detail": detail, "parameter": str(path[0]), "in": str(where)}


def violation_problem(violation: Violation) -> dict[str, str]:
    """A violation as an entry of `errors`."""
    problem = {"detail": violation.detail, "pointer": _pointer(violation.path)}
    return problem if violation.code is None else {**problem, "code": violation.code}


def _pointer(path: Sequence[str | int]) -> str:
    """A JSON pointer as a URI fragment, the form in RFC 9457."""
    pointer = "#" + "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
    # JSON may escape half of a surrogate pair in a field's name. UTF-8 cannot encode it.
    return pointer.encode(errors="replace").decode()
