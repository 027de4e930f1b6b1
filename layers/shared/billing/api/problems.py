"""Everything that can go wrong, as RFC 9457 problem documents. The only place that maps errors to HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

import orjson
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from billing.api.models import plain
from billing.domain import errors
from billing.domain.errors import BadParameter, BillingError, Violation

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
    if isinstance(error, errors.RuleViolation):
        problem["errors"] = [violation_problem(each) for each in error.violations]
    if isinstance(error, Rejected):
        problem["errors"] = [*error.errors]
    if isinstance(error, BadParameter):
        problem["errors"] = [{"detail": error.detail, "parameter": error.parameter, "in": "query"}]
    if isinstance(error, errors.AdminsOnly):
        problem["admins"] = [{"name": admin.name, "email": admin.email} for admin in error.admins]
    if error.code == "cancellation-dates-changed":
        problem["preview"] = _preview(error)
    if isinstance(error, errors.ReviewNotYet):
        problem["missing"] = [missing_document(each) for each in error.missing]
    return problem


def _preview(error: BillingError) -> dict[str, Any]:
    """The dates as they are now. Only those who deal with cancellations load what they are shown as."""
    from billing.api.cancellation import ConsequencesView
    from billing.domain.cancellation import DatesChanged

    if not isinstance(error, DatesChanged):
        raise TypeError("only changed dates have this code")
    return ConsequencesView.of(error.consequences).model_dump(mode="json")


def missing_document(missing: errors.Missing) -> dict[str, Any]:
    """What keeps a product from a review."""
    return {**asdict(missing), "average": None if missing.average is None else plain(missing.average)}


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
