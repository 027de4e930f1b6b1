"""DynamoDB's values: validation, normal form, order and size."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from decimal import Context, Decimal
from typing import Any

Value = Mapping[str, Any]
"""A value in the wire format: one type name and its content. Never changed in place, because images share values."""

Item = Mapping[str, Value]

ITEM_BYTES_MAX = 400 * 1024
DIGITS_MAX = 38
EXPONENT_MAX = 125
EXPONENT_MIN = -130
DEPTH_MAX = 32
DEEP_BYTES = 3
"""The overhead of a list or a map."""

SETS = {"SS": "S", "NS": "N", "BS": "B"}
ORDERED = frozenset({"S", "N", "B"})
"""The types with an order. Only these can be keys."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_EXACT = Context(prec=400)


class Refused(Exception):
    """An error reply of the service. `facts` are its fields besides code and message."""

    def __init__(self, code: str, message: str, **facts: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.facts = code, message, facts


def invalid(message: str) -> Refused:
    """The error of a request that is invalid whatever the table contains."""
    return Refused("ValidationException", message)


class Unsupported(BaseException):
    """The in-memory table does not support this. A BaseException, so that no `except Exception` hides it."""


def checked(value: Value, depth: int = 0) -> Value:
    """The value as DynamoDB stores it. Raises Refused for an invalid one."""
    if not isinstance(value, Mapping) or len(value) != 1:
        raise invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one")
    if depth > DEPTH_MAX:
        raise invalid("Nesting Levels have exceeded supported limits")
    [(type_, content)] = value.items()
    match type_:
        case "S" | "BOOL":
            if not isinstance(content, str if type_ == "S" else bool):
                raise Refused("SerializationException", f"{type(content).__name__} is not a {type_}")
            return {type_: content}
        case "B":
            return {"B": base64.b64encode(base64.b64decode(content)).decode()}
        case "N":
            return {"N": number_text(number(content))}
        case "NULL":
            if content is not True:
                raise invalid("One or more parameter values were invalid: Null attribute value types must have true")
            return {"NULL": True}
        case "L":
            return {"L": [checked(each, depth + 1) for each in content]}
        case "M":
            return {"M": {name: checked(each, depth + 1) for name, each in content.items()}}
        case "SS" | "NS" | "BS":
            return set_of(type_, [checked({SETS[type_]: each})[SETS[type_]] for each in content])
        case _:
            raise invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")


def set_of(type_: str, members: Iterable[str]) -> Value:
    """A sorted set, so that equal sets compare as equal. Raises Refused for an empty set or a duplicate."""
    in_order = sorted(members)
    if not in_order:
        raise invalid("One or more parameter values were invalid: An string set  may not be empty")
    if len(set(in_order)) < len(in_order):
        raise invalid("One or more parameter values were invalid: Input collection contains duplicates.")
    return {type_: in_order}


def number(text: str) -> Decimal:
    """The exact number. Raises Refused for a text that is no number."""
    if not isinstance(text, str):
        raise Refused("SerializationException", "NUMBER_VALUE cannot be converted to String")
    if not _NUMBER.fullmatch(text):
        raise invalid("The parameter cannot be converted to a numeric value" + (f": {text}" if text else ""))
    return within_range(_EXACT.create_decimal(text))


def within_range(exact: Decimal) -> Decimal:
    """The number without trailing zeros. Raises Refused for one outside DynamoDB's range or precision."""
    normal = _EXACT.normalize(exact)
    if not normal:
        return Decimal(0)
    if len(normal.as_tuple().digits) > DIGITS_MAX:
        raise invalid("Attempting to store more than 38 significant digits in a Number")
    if normal.adjusted() > EXPONENT_MAX:
        raise invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
    if normal.adjusted() < EXPONENT_MIN:
        raise invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
    return normal


def number_text(exact: Decimal) -> str:
    """A number as DynamoDB writes it: plain digits."""
    return f"{exact:f}"


def added(left: Value, right: Value, sign: int = 1) -> Value:
    """The sum of two numbers, or with sign=-1 their difference. Both must be of type N."""
    total = _EXACT.add(Decimal(left["N"]), sign * Decimal(right["N"]))
    return {"N": number_text(within_range(total))}


def type_of(value: Value) -> str:
    """The name of the value's type."""
    return next(iter(value))


def rank(value: Value) -> Any:
    """The sort key of a value among values of its type. Its type must be in ORDERED."""
    match type_of(value):
        case "S":
            return value["S"]  # Python orders texts by code point, which is the order of their UTF-8 bytes.
        case "N":
            return Decimal(value["N"])
        case "B":
            return base64.b64decode(value["B"])
        case other:
            raise AssertionError(f"{other} has no order")


def item_bytes(item: Item) -> int:
    """The size of an item in bytes, as DynamoDB counts it."""
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def value_bytes(value: Value) -> int:
    """The size of a value in bytes. A number takes about one byte per two digits."""
    [(type_, content)] = value.items()
    match type_:
        case "S":
            return len(str(content).encode())
        case "B":
            return len(base64.b64decode(content))
        case "N":
            return (len(Decimal(content).as_tuple().digits) + 1) // 2 + 1 + Decimal(content).is_signed()
        case "BOOL" | "NULL":
            return 1
        case "L":
            return DEEP_BYTES + sum(1 + value_bytes(each) for each in content)
        case "M":
            return DEEP_BYTES + len(content) + item_bytes(content)
        case _:
            return sum(value_bytes({SETS[type_]: each}) for each in content)


def copied(value: Value) -> dict[str, Any]:
    """A deep copy that may be changed in place, for updates inside a document."""
    [(type_, content)] = value.items()
    if type_ == "M":
        return {"M": {name: copied(each) for name, each in content.items()}}
    if type_ == "L":
        return {"L": [copied(each) for each in content]}
    return {type_: content}
