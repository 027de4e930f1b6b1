"""What a request may say: each one is checked against the typed parameters that Stripe's own SDK ships for it.

The SDK generates them from Stripe's published description of its API (github.com/stripe/openapi), for the version of
the API that it pins. So an upgrade of the SDK renews what is checked here. The refusals are those of
docs.stripe.com/error-codes: `parameter_unknown`, `parameter_missing`, `parameter_invalid_integer`.
"""

from __future__ import annotations

import importlib
import re
import typing
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from typing_extensions import is_typeddict

from local.stripe.answers import Object, Refused, invalid
from stripe._request_options import RequestOptions

SINGULAR = {
    "customers": "customer",
    "payment_methods": "payment_method",
    "setup_intents": "setup_intent",
    "payment_intents": "payment_intent",
    "refunds": "refund",
    "charges": "charge",
    "disputes": "dispute",
    "events": "event",
}

NO_LONGER_SUPPORTED = "payment_method_types_no_longer_supported"
"""docs.stripe.com/changelog/endive/2026-09-30/removes-the-payment-method-types-parameter-from-payment-intents-and-setup-intents"""

FROM_A_BROWSER = frozenset({"client_secret", "payment_method_data", "key", "use_stripe_sdk"})
"""What Stripe's script sends and the SDK of a server does not describe."""

_HEADERS = frozenset(RequestOptions.__annotations__)
"""The SDK types its options beside the parameters. They travel as headers."""

_NOT_IMPORTED: dict[str, Any] = {"StripeContext": object, "Mapping": Mapping}
"""Names that the SDK's types refer to and import for type checkers only."""

_UNIONS: tuple[Any, ...] = (Union, UnionType)


class InvalidParameter(Refused):
    """A request that is refused before it begins: Stripe keeps no answer to its idempotency key."""


def require_known(method: str, path: str, given: Object, *, browser: bool) -> None:
    """Refuses a request with a parameter that Stripe does not know, without one that it needs, or of a wrong type.

    A path that Stripe does not have is let through: the router refuses it.
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
        given = {name: each for name, each in given.items() if name not in FROM_A_BROWSER}
    _check(given, described, "")


def _described(method: str, path: str) -> Any:
    """The TypedDict of a request, None where the SDK has none."""
    named = _name(method, path.strip("/").split("/"))
    return None if named is None else _parameters(named)


@cache
def _parameters(named: str) -> Any:
    module = importlib.import_module(f"stripe.params._{named}_params")
    return getattr(module, "".join(word.capitalize() for word in named.split("_")) + "Params")


def _name(method: str, parts: list[str]) -> str | None:
    match (method, *parts):
        case ("GET", "v1", "customers", _, "payment_methods"):
            return "customer_payment_method_list"
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
    """The types of a TypedDict's parameters, and which of them it needs."""
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
    """Refuses a value that fits none of the types; the refusal is that of the first that it might have been."""
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
    """The members of a union, those of a value's own shape first."""
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
    made = invalid(message, code=code, param=param)
    refusal = InvalidParameter(HTTPStatus.BAD_REQUEST, "invalid_request_error", message)
    refusal.error = made.error
    return refusal
