"""Errors as problem documents (RFC 9457). The only module that maps errors to HTTP (DESIGN 5.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import singledispatch
from http import HTTPStatus
from typing import Any

import orjson
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from billing.kernel import errors
from billing.kernel.errors import BadParameter, BillingError, Path, Violation
from billing.kernel.field_codes import FieldCode, Limits, LimitValue, Unfit
from billing.kernel.permissions import AdminsOnly

Entry = dict[str, Any]
"""An entry of `errors`: `code`, `detail`, `limits` if there are any, and `pointer`, or `parameter` and `in`."""

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


class UnsupportedEncoding(UnsupportedMediaType):
    """The body has a content coding that is not undone here (RFC 9110, 8.4)."""

    code = "unsupported-encoding"


class Invalid(BillingError):
    """Fields are missing, unknown, or of a wrong type."""

    code = "invalid"


class Rejected(BillingError):
    """An entry of a kind that is usually sent in a batch is refused, or the whole batch is. `errors` say why."""

    code = "rejected"

    def __init__(
        self,
        errors: Sequence[Entry],
        detail: str = "This is not taken: see the fields below.",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.errors = errors
        self.headers = headers or {}


class BadCursor(BadParameter):
    """The cursor is not one that ListPages.cursor made for this list."""

    code = "bad-cursor"

    def __init__(self) -> None:
        detail = "This cursor is not the next_cursor of a page of this list."
        super().__init__("cursor", detail, FieldCode.BAD_CURSOR)


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
    said = _said(error.field_code, error.detail, error.limits)
    return {"errors": [{**said, "parameter": error.parameter, "in": "query"}]}


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
    if isinstance(error, Rejected):
        answer.headers.update(error.headers)
    if isinstance(error, UnsupportedEncoding):
        answer.headers["Accept-Encoding"] = "gzip, deflate"  # RFC 9110, 15.5.16
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


def field_problem(error: Mapping[str, Any]) -> Entry:
    """An error of pydantic as an entry of `errors`. Powertools puts the place first in `loc`: body, query, path …"""
    where, *path = error["loc"]
    code, limits = _code_of(str(error["type"]), error.get("ctx") or {})
    said = _said(code, str(error["msg"]).removeprefix("Value error, "), limits)
    if where == "body":
        return {**said, "pointer": _pointer(path)}
    return {**said, "parameter": str(path[0]), "in": str(where)}


def violation_problem(violation: Violation) -> Entry:
    """A violation as an entry of `errors`."""
    return entry(violation.code, violation.detail, violation.path, violation.limits)


def entry(code: FieldCode, detail: str, path: Path, limits: Limits | None = None) -> Entry:
    """An entry of `errors` about a place in the body."""
    return {**_said(code, detail, limits or {}), "pointer": _pointer(path)}


def _said(code: FieldCode, detail: str, limits: Limits) -> Entry:
    given = {name: _as_json(value) for name, value in limits.items() if value is not None}
    return {"code": code.value, "detail": detail, **({"limits": given} if given else {})}


def _as_json(value: LimitValue) -> int | str | list[str]:
    return value if isinstance(value, int | str | list) else value.isoformat()


_OF_PYDANTIC: Mapping[str, FieldCode] = {
    "missing": FieldCode.MISSING,
    "extra_forbidden": FieldCode.UNKNOWN_FIELD,
    "string_too_short": FieldCode.TOO_SHORT,
    "string_too_long": FieldCode.TOO_LONG,
    "too_short": FieldCode.TOO_FEW,
    "too_long": FieldCode.TOO_MANY,
    "greater_than": FieldCode.TOO_SMALL,
    "greater_than_equal": FieldCode.TOO_SMALL,
    "less_than": FieldCode.TOO_LARGE,
    "less_than_equal": FieldCode.TOO_LARGE,
    "multiple_of": FieldCode.NOT_A_MULTIPLE,
    "decimal_max_places": FieldCode.TOO_MANY_DECIMALS,
    "string_pattern_mismatch": FieldCode.PATTERN,
    "literal_error": FieldCode.NOT_ALLOWED,
    "enum": FieldCode.NOT_ALLOWED,
    "finite_number": FieldCode.NOT_A_NUMBER,
    "decimal_parsing": FieldCode.NOT_A_NUMBER,
    "int_parsing": FieldCode.NOT_A_NUMBER,
    "int_from_float": FieldCode.NOT_A_NUMBER,
    "string_unicode": FieldCode.NOT_PLAIN_TEXT,
    "date_from_datetime_parsing": FieldCode.NOT_A_DATE,
    "date_from_datetime_inexact": FieldCode.NOT_A_DATE,
    "date_parsing": FieldCode.NOT_A_DATE,
    "datetime_parsing": FieldCode.NOT_A_TIME,
    "datetime_from_date_parsing": FieldCode.NOT_A_TIME,
    "timezone_aware": FieldCode.NOT_A_TIME,
}
"""Our code of each kind of error that pydantic reports here. A kind that ends in _type is a value of another type."""

_LIMIT_NAMES: Mapping[str, str] = {
    "min_length": "min",
    "max_length": "max",
    "ge": "min",
    "le": "max",
    "gt": "above",
    "lt": "below",
    "multiple_of": "step",
    "decimal_places": "decimals",
    "pattern": "pattern",
}


def _code_of(kind: str, context: Mapping[str, Any]) -> tuple[FieldCode, Limits]:
    """The code of an error of pydantic, with its limits."""
    raised = context.get("error")
    if isinstance(raised, Unfit):
        return raised.code, raised.limits
    limits: dict[str, LimitValue] = {
        ours: value if isinstance(value, int | date) else str(value)
        for theirs, ours in _LIMIT_NAMES.items()
        if (value := context.get(theirs)) is not None
    }
    code = _OF_PYDANTIC.get(kind, FieldCode.INVALID)
    if kind.endswith("_type"):
        code, limits["expected"] = FieldCode.WRONG_TYPE, _JSON_TYPES.get(kind.removesuffix("_type"), "object")
    if code is FieldCode.NOT_ALLOWED:
        limits["allowed"] = _LITERAL.findall(str(context.get("expected", "")))
    if code in _OF_TIME and any(isinstance(each, date) for each in limits.values()):
        code = _OF_TIME[code]
    return code, limits


_LITERAL = re.compile(r"'([^']*)'")
"""A value in the list of pydantic's message: 'day' or 'month'."""

_OF_TIME = {FieldCode.TOO_SMALL: FieldCode.TOO_EARLY, FieldCode.TOO_LARGE: FieldCode.TOO_LATE}

_JSON_TYPES = {
    "string": "string",
    "int": "integer",
    "decimal": "number",
    "bool": "boolean",
    "list": "array",
    "tuple": "array",
    "date": "string",
    "datetime": "string",
}


def _pointer(path: Sequence[str | int]) -> str:
    """A JSON pointer as a URI fragment, the form in RFC 9457."""
    text = "#" + "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
    # JSON may escape half of a surrogate pair in a field's name. UTF-8 cannot encode it.
    return text.encode(errors="replace").decode()
