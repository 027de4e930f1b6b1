"""Decodes Stripe's request parameters: forms whose names have brackets."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

_PART = re.compile(r"\[([^\[\]]*)\]")


def decoded(form: str) -> dict[str, Any]:
    """Decodes `metadata[account]=x&expand[0]=customer` to {"metadata": {"account": "x"}, "expand": ["customer"]}."""
    result: dict[str, Any] = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        first, parts = name.partition("[")[0], _PART.findall(name)
        place, key = result, first
        for part in parts:
            place = place.setdefault(key, {})
            key = part or str(len(place))
        place[key] = value
    return {name: _with_lists(value) for name, value in result.items()}


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _with_lists(each) for name, each in value.items()}
    if inner and all(name.isdecimal() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
