"""Checks the parameters of each request against the types in Stripe's own SDK.

The SDK's types are generated from Stripe's published API description (github.com/stripe/openapi), for the API version
that the SDK pins. So an upgrade of the SDK updates these checks. The error codes are from docs.stripe.com/error-codes:
`parameter_unknown`, `parameter_missing`, `parameter_invalid_integer`.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from typing_extensions import is_typeddict

from local.stripe.answers import Object, Refused, invalid
from stripe import RequestOptions, params

SINGULAR = {
    "customers": "customer",
    "payment_methods": "payment_method",
    "setup_intents": "setup_intent",
    "payment_intents": "payment_intent",
    "refunds": "refund",
    "charges": "charge",
    "disputes": "dispute",
    "mandates": "mandate",
    "events": "event",
}

NO_LONGER_SUPPORTED = "payment_method_types_no_longer_supported"
"""docs.stripe.com/changelog/endive/2026-09-30/removes-the-payment-method-types-parameter-from-payment-intents-and-setup-intents"""

FROM_A_BROWSER = frozenset({"client_secret", "payment_method_data", "key", "use_stripe_sdk"})
"""Parameters that Stripe's script sends, and that the server SDK does not describe."""

_HEADERS = frozenset(RequestOptions.__annotations__)
"""The SDK's types mix its request options with the parameters. Options are sent as headers."""

_NOT_IMPORTED: dict[str, Any] = {"StripeContext": object, "Mapping": Mapping}
"""Names that the SDK's types use, and import for type checkers only."""

_UNIONS: tuple[Any, ...] = (Union, UnionType)


class InvalidParameter(Refused):
    """A request that is refused before its execution: Stripe saves no response to its idempotency key."""


def require_known(method: str, path: str, given: Object, *, browser: bool) -> None:
    """Raises InvalidParameter for an unknown parameter, a missing one, or one of a wrong type.

    An unknown path passes: the router refuses it.
    """
    described = _described(method, path)
    if described is None:
        return
    if "payment_method_types" in given and re.fullmatch(r"/v1/(payment|setup)_intents.*", path) and method == "POST":
        raise _refused(
            "The `payment_method_types` parameter is no longer supported on this API version. Use "
            "`allowed_payment_method_types` instead.",
            NO_LONGER_SUPPORTED,
            "payment_method_types",
        )
    if browser:
        _check_method_data(given.get("payment_method_data"))
        given = {name: each for name, each in given.items() if name not in FROM_A_BROWSER}
    _check(given, described, "")


def _check_method_data(data: Any) -> None:
    """A browser sends card and IBAN inside `payment_method_data`, in the form of POST /v1/payment_methods.

    A debit needs a name and an e-mail address: docs.stripe.com/payments/sepa-debit/set-up-payment.
    """
    if data is None:
        return
    place = "payment_method_data"
    if not isinstance(data, dict):
        raise _refused(f"Invalid object: {place}", None, place)
    _check(data, _parameters("payment_method_create"), place)
    needed = {"card": ("card",), "sepa_debit": ("sepa_debit", "billing_details")}.get(data.get("type", ""), ("type",))
    for name in needed:
        if not data.get(name):
            raise _missing(f"{place}[{name}]")
    if data["type"] == "sepa_debit":
        for name in ("name", "email"):
            if not data["billing_details"].get(name):
                raise _missing(f"{place}[billing_details][{name}]")


def _missing(named: str) -> InvalidParameter:
    return _refused(f"Missing required param: {named}.", "parameter_missing", named)


def _described(method: str, path: str) -> Any:
    """The TypedDict of a request's parameters, None for an unknown path."""
    operation = _operation(method, path.strip("/").split("/"))
    return None if operation is None else _parameters(operation)


@cache
def _parameters(operation: str) -> Any:
    return getattr(params, "".join(word.capitalize() for word in operation.split("_")) + "Params")


def _operation(method: str, parts: list[str]) -> str | None:
    """The SDK's name of an operation, such as payment_intent_confirm; None for an unknown path."""
    match (method, *parts):
        case ("GET", "v1", "account"):
            return "account_retrieve_current"
        case ("GET", "v1", "customers", _, "payment_methods"):
            return "customer_payment_method_list"
        case ("GET", "v1", "mandates"):
            return None  # mandates are not listed
        case ("GET", "v1", "customers" | "payment_intents" as plural, "search"):
            return f"{SINGULAR[plural]}_search"
        case ("GET", "v1", plural) if plural in SINGULAR:
            return f"{SINGULAR[plural]}_list"
        case ("GET", "v1", plural, _) if plural in SINGULAR:
            return f"{SINGULAR[plural]}_retrieve"
        case (
            "POST",
            "v1",
            "customers" | "payment_methods" | "setup_intents" | "payment_intents" | "refunds" as plural,
        ):
            return f"{SINGULAR[plural]}_create"
        case ("POST", "v1", "customers" | "payment_intents" | "setup_intents" as plural, _):
            return f"{SINGULAR[plural]}_update"
        case ("DELETE", "v1", "customers", _):
            return "customer_delete"
        case ("POST", "v1", "payment_methods", _, "attach" | "detach" as verb):
            return f"payment_method_{verb}"
        case ("POST", "v1", "setup_intents" | "payment_intents" as plural, _, "confirm" | "cancel" as verb):
            return f"{SINGULAR[plural]}_{verb}"
        case _:
            return None


@cache
def _types(described: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """The types of a TypedDict's parameters by name, and the names of the required ones."""
    hints = typing.get_type_hints(described, localns=_NOT_IMPORTED)
    names = {name: each for name, each in hints.items() if name not in _HEADERS}
    return names, frozenset(described.__required_keys__) - _HEADERS


def _check(given: Object, described: Any, place: str) -> None:
    types, required = _types(described)
    for name, value in given.items():
        named = f"{place}[{name}]" if place else name
        if name not in types:
            raise _refused(f"Received unknown parameter: {named}", "parameter_unknown", named)
        _check_value(value, types[name], named)
    for name in sorted(required - given.keys()):
        named = f"{place}[{name}]" if place else name
        raise _refused(f"Missing required param: {named}.", "parameter_missing", named)


def _check_value(value: Any, described: Any, named: str) -> None:
    """Raises InvalidParameter for a value that fits no type of a union: the error of the first type."""
    refusals = []
    for alternative in _alternatives(described):
        try:
            _check_one(value, alternative, named)
        except InvalidParameter as refused:
            refusals.append(refused)
        else:
            return
    raise refusals[0]


def _alternatives(described: Any) -> tuple[Any, ...]:
    """The members of a union, literals last: their errors say less about the value."""
    members = get_args(described) if get_origin(described) in _UNIONS else (described,)
    return tuple(sorted(members, key=_is_literal))


def _is_literal(described: Any) -> bool:
    origin: Any = get_origin(described)
    return origin is Literal


def _check_one(value: Any, described: Any, named: str) -> None:
    origin = get_origin(described) or described
    if is_typeddict(described):
        if not isinstance(value, dict):
            raise _refused(f"Invalid object: {named}", "parameter_invalid_empty" if value == "" else None, named)
        _check(value, described, named)
    elif origin is list:
        if not isinstance(value, list):
            raise _refused("Invalid array", None, named)
        for position, each in enumerate(value):
            _check_value(each, get_args(described)[0], f"{named}[{position}]")
    elif origin is dict or getattr(origin, "__name__", "") == "UntypedStripeObject":
        if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
            raise _refused(f"Invalid object: {named}", None, named)
    elif isinstance(value, dict | list):
        raise _refused(f"Invalid string: {named}", None, named)
    elif origin is Literal:
        if value not in get_args(described):
            allowed = ", ".join(str(each) for each in get_args(described))
            raise _refused(f"Invalid {named}: must be one of {allowed}", None, named)
    elif origin is int and not re.fullmatch(r"-?[0-9]+", value):
        raise _refused(f"Invalid integer: {value}", "parameter_invalid_integer", named)
    elif origin is bool and value not in {"true", "false"}:
        raise _refused(f"Invalid boolean: {value}", None, named)


def _refused(message: str, code: str | None, param: str) -> InvalidParameter:
    refusal = InvalidParameter(HTTPStatus.BAD_REQUEST, "invalid_request_error", message)
    refusal.error = invalid(message, code=code, param=param).error
    return refusal
