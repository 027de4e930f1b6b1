"""Checks every call of the tests to AWS against the service's own model, as AWS does.

botocore checks types and minima alone, and Livello switches that off. The models also have maxima, patterns and
enumerations, which AWS enforces and moto and the emulator mostly do not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.client import BaseClient

CALLS: Counter[str] = Counter()
"""How often each operation was called in this process."""

CLASSES = {
    "L": "a-zA-Z\u00c0-\uffff",
    "M": "\u0300-\u036f",
    "N": "0-9",
    "P": "!-/:-@\\[-`{-~",
    "S": "$+<=>^`|~",
    "Z": "\\s",
}
"""Python's expressions for the Unicode classes of the models' patterns."""

_convert = BaseClient._convert_to_request_dict  # type: ignore[attr-defined]


class AwsRefuses(AssertionError):
    """AWS would answer this call with a validation error."""


def install() -> None:
    """Checks every call of this process from now on. Raises AwsRefuses where it is made."""
    BaseClient._convert_to_request_dict = _checked  # type: ignore[attr-defined]


def faults(shape: Any, value: Any, path: str) -> Iterator[str]:
    """What is wrong with a parameter: one text per fault, with its path."""
    if value is None:
        return
    limits = shape.metadata
    match shape.type_name:
        case "structure":
            if not isinstance(value, dict):
                yield f"{path}: {type(value).__name__} is no structure"
                return
            yield from (f"{path}: {name} is missing" for name in shape.required_members if name not in value)
            for name, each in value.items():
                if name in shape.members:
                    yield from faults(shape.members[name], each, f"{path}.{name}")
                else:
                    yield f"{path}.{name}: unknown"
        case "list":
            yield from _size(len(value), limits, f"{path}: items")
            for number, each in enumerate(value):
                yield from faults(shape.member, each, f"{path}[{number}]")
        case "map":
            yield from _size(len(value), limits, f"{path}: entries")
            for key, each in value.items():
                yield from faults(shape.key, key, f"{path}.key({key})")
                yield from faults(shape.value, each, f"{path}.{key}")
        case "string":
            yield from _text(shape, value, path)
        case "integer" | "long" | "float" | "double":
            yield from _size(value, limits, path)
        case "blob":
            if isinstance(value, bytes | bytearray):
                yield from _size(len(value), limits, f"{path}: bytes")


def _text(shape: Any, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{path}: {type(value).__name__} is no string"
        return
    yield from _size(len(value), shape.metadata, f"{path}: characters")
    if shape.enum and value not in shape.enum:
        yield f"{path}: {value!r} is none of {shape.enum}"
    pattern = _compiled(shape.metadata["pattern"]) if "pattern" in shape.metadata else None
    if pattern is not None and not pattern.fullmatch(value):
        yield f"{path}: {value!r} does not match {shape.metadata['pattern']}"


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """A model's pattern, which is one of Java. None if Python cannot express it."""
    try:
        return re.compile(re.sub(r"\\p\{(\w)\}", lambda found: CLASSES[found[1]], pattern))
    except re.error:
        return None


def _size(size: float, limits: dict[str, Any], path: str) -> Iterator[str]:
    if "min" in limits and size < limits["min"]:
        yield f"{path}: {size} < {limits['min']}"
    if "max" in limits and size > limits["max"]:
        yield f"{path}: {size} > {limits['max']}"


def _checked(client: Any, api_params: dict[str, Any], operation_model: Any, *more: Any, **named: Any) -> Any:
    # Here, and not where the call is made: in between, boto3's resources convert plain values into DynamoDB's.
    name = f"{client._service_model.service_name}.{operation_model.name}"
    CALLS[name] += 1
    shape = operation_model.input_shape
    if shape is not None and (found := [*faults(shape, api_params, operation_model.name)]):
        raise AwsRefuses(f"AWS refuses {name}: {found}")
    return _convert(client, api_params, operation_model, *more, **named)
