"""Everything that can go wrong, as RFC 9457 problem documents. The only place that maps errors to HTTP."""

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
    """The body cannot be read at all."""

    code = "malformed"


class TooLarge(BillingError):
    """The body is larger than anything that this API takes."""

    code = "too-large"


class UnsupportedMediaType(BillingError):
    """The body is something else than JSON."""

    code = "unsupported-media-type"


class Invalid(BillingError):
    """Fields are missing, unknown, or not of their type."""

    code = "invalid"


class Rejected(BillingError):
    """One of many things that are sent together, here sent alone, is not taken; `errors` say why."""

    code = "rejected"

    def __init__(self, errors: Sequence[Mapping[str, str]]) -> None:
        super().__init__("This is not taken: see the fields below.")
        self.errors = errors


class BadCursor(BadParameter):
    """The place in a list is not one that we gave."""

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
    """What a problem document of this error has beside the members of RFC 9457, in values that JSON knows.

    An area whose error tells a client more than its detail registers here how that is shown, in its module of
    billing.api: a function that can raise the error loads that module for its views.
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
    return {"admins": [{"name": admin.name, "email": admin.email} for admin in error.admins]}


def response(error: BillingError) -> Response[str]:
    """An error as the answer to a request."""
    answer = _answer(document(error))
    if isinstance(error, errors.Busy):
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
    return answer


def validation_response(invalid: RequestValidationError) -> Response[str]:
    """Fields that do not fit their schema, each named; what was sent is not repeated."""
    problem = document(Invalid("The request does not fit: see the fields below."))
    problem["errors"] = [field_problem(each) for each in invalid.errors()]
    return _answer(problem)


def failure_response() -> Response[str]:
    """Our own fault: nothing that the client could change, and nothing of what went wrong inside."""
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
    """One of pydantic's errors, its place told as powertools tells it: in the body, or a parameter's."""
    where, *path = error["loc"]
    detail = str(error["msg"]).removeprefix("Value error, ")
    if where == "body":
        return {"detail": detail, "pointer": _pointer(path)}
    return {"detail": detail, "parameter": str(path[0]), "in": str(where)}


def violation_problem(violation: Violation) -> dict[str, str]:
    """A place that breaks a rule."""
    return {"detail": violation.detail, "pointer": _pointer(violation.path)}


def _pointer(path: Sequence[str | int]) -> str:
    """A JSON pointer in a URI fragment, the form that RFC 9457 shows."""
    pointer = "#" + "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
    # A field's name may be half a character, which JSON can bring in and UTF-8 cannot take out.
    return pointer.encode(errors="replace").decode()
