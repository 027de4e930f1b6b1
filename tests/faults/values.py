"""Values as DynamoDB takes them, keeps them, compares them and counts their bytes."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from decimal import Context, Decimal
from typing import Any

Value = Mapping[str, Any]
"""One type's name and what it holds, as in the wire format. Never changed in place: images share them."""

Item = Mapping[str, Value]

ITEM_BYTES_MAX = 400 * 1024
DIGITS_MAX = 38
EXPONENT_MAX = 125
EXPONENT_MIN = -130
DEPTH_MAX = 32
DEEP_BYTES = 3
"""What a list or a map takes besides what is in it."""

SETS = {"SS": "S", "NS": "N", "BS": "B"}
ORDERED = frozenset({"S", "N", "B"})
"""The types whose values are smaller or greater than each other, and that keys may have."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_EXACT = Context(prec=400)


class Refused(Exception):
    """The service answers with an error. `facts` are what the answer carries besides code and message."""

    def __init__(self, code: str, message: str, **facts: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.facts = code, message, facts


def invalid(message: str) -> Refused:
    """A request that cannot be right, whatever stands in the table."""
    return Refused("ValidationException", message)


class Unsupported(BaseException):
    """This stand-in has not learned it. No `except Exception` may swallow that and call it a fault."""


def checked(value: Value, depth: int = 0) -> Value:
    """The value as it is kept, or raises Refused."""
    if not isinstance(value, Mapping) or len(value) != 1:
        raise invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one")
    if depth > DEPTH_MAX:
        raise invalid("Nesting Levels have exceeded supported limits")
    [(type_, held)] = value.items()
    match type_:
        case "S" | "BOOL":
            if not isinstance(held, str if type_ == "S" else bool):
                raise Refused("SerializationException", f"{type(held).__name__} is not a {type_}")
            return {type_: held}
        case "B":
            return {"B": base64.b64encode(base64.b64decode(held)).decode()}
        case "N":
            return {"N": number_text(number(held))}
        case "NULL":
            if held is not True:
                raise invalid("One or more parameter values were invalid: Null attribute value types must have true")
            return {"NULL": True}
        case "L":
            return {"L": [checked(each, depth + 1) for each in held]}
        case "M":
            return {"M": {name: checked(each, depth + 1) for name, each in held.items()}}
        case "SS" | "NS" | "BS":
            return set_of(type_, [checked({SETS[type_]: each})[SETS[type_]] for each in held])
        case _:
            raise invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")


def set_of(type_: str, members: Iterable[str]) -> Value:
    """A set in the order that makes equal sets equal; raises Refused for an empty one or a duplicate."""
    kept = sorted(members)
    if not kept:
        raise invalid("One or more parameter values were invalid: An string set  may not be empty")
    if len(set(kept)) < len(kept):
        raise invalid("One or more parameter values were invalid: Input collection contains duplicates.")
    return {type_: kept}


def number(text: str) -> Decimal:
    """The number, exactly, or raises Refused."""
    if not isinstance(text, str):
        raise Refused("SerializationException", "NUMBER_VALUE cannot be converted to String")
    if not _NUMBER.fullmatch(text):
        raise invalid("The parameter cannot be converted to a numeric value" + (f": {text}" if text else ""))
    return within_range(_EXACT.create_decimal(text))


def within_range(exact: Decimal) -> Decimal:
    """The number without superfluous zeros; raises Refused where DynamoDB would have to round it."""
    kept = _EXACT.normalize(exact)
    if not kept:
        return Decimal(0)
    if len(kept.as_tuple().digits) > DIGITS_MAX:
        raise invalid("Attempting to store more than 38 significant digits in a Number")
    if kept.adjusted() > EXPONENT_MAX:
        raise invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
    if kept.adjusted() < EXPONENT_MIN:
        raise invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
    return kept


def number_text(exact: Decimal) -> str:
    """A number as DynamoDB writes it: plain digits."""
    return f"{exact:f}"


def added(left: Value, right: Value, sign: int = 1) -> Value:
    """The sum of two numbers, or their difference; the caller has looked at the types."""
    total = _EXACT.add(Decimal(left["N"]), sign * Decimal(right["N"]))
    return {"N": number_text(within_range(total))}


def type_of(value: Value) -> str:
    """The name of the value's type."""
    return next(iter(value))


def rank(value: Value) -> Any:
    """Where a value of an ordered type stands among those of its type."""
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
    """How large DynamoDB takes an item to be."""
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def value_bytes(value: Value) -> int:
    """How large a value is; numbers about two digits to a byte."""
    [(type_, held)] = value.items()
    match type_:
        case "S":
            return len(str(held).encode())
        case "B":
            return len(base64.b64decode(held))
        case "N":
            return (len(Decimal(held).as_tuple().digits) + 1) // 2 + 1 + Decimal(held).is_signed()
        case "BOOL" | "NULL":
            return 1
        case "L":
            return DEEP_BYTES + sum(1 + value_bytes(each) for each in held)
        case "M":
            return DEEP_BYTES + len(held) + item_bytes(held)
        case _:
            return sum(value_bytes({SETS[type_]: each}) for each in held)


def copied(value: Value) -> dict[str, Any]:
    """A value that may be changed in place, as documents are by a path that leads into them."""
    [(type_, held)] = value.items()
    if type_ == "M":
        return {"M": {name: copied(each) for name, each in held.items()}}
    if type_ == "L":
        return {"L": [copied(each) for each in held]}
    return {type_: held}
