"""What an API answers to every GET that its OpenAPI document has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.stack import Stack
from tests.upgrade.running_stack import keys_of, listed

CHANGING = {"link", "expires_at", "next_cursor"}
"""Fields that differ from one request to the next."""


ANNOUNCED = (
    # A paid invoice, and a credit note, has nothing left to pay. 0.1.0 showed the total.
    r"/invoices/[^/]+/payment/left/amount: [1-9][0-9]* is now 0$",
    # Tax is rounded half away from zero. 0.1.0 rounded half to even.
    r"/invoices/upcoming/(tax/amount|total|due)/amount: ",
    # What an account owes is invoiced after its end, too. These ended before their last period was invoiced.
    r"/accounts/(left|returning)/invoices/upcoming: status 404 is now 200$",
)
"""What the changelog has, and differs for that reason."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Status and JSON of one GET; the body of a redirect or of a file is None."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to staff by path, and the OpenAPI document that names the paths."""

    openapi: Mapping[str, Any]
    by_path: Mapping[str, Answered]


def all_answers(stack: Stack, openapi: Mapping[str, Any] | None = None) -> Answers:
    """Asks for every GET of the document as staff, for each account, invoice, review and success manager."""
    document = openapi or stack.api.request("GET", "/v1/openapi.json").json()
    staff = stack.staff_token()
    by_path: dict[str, Answered] = {}

    def get(path: str) -> Answered:
        if path not in by_path:
            answer = stack.api.request("GET", f"/v1{path}", token=staff)
            is_json = answer.headers.get("Content-Type", "").endswith("json")
            by_path[path] = Answered(answer.status, json.loads(answer.body) if is_json else None)
        return by_path[path]

    for route, methods in document["paths"].items():
        if "get" in methods:
            for path in _paths(route, stack, staff):
                get(path)
    return Answers(document, by_path)


def _paths(route: str, stack: Stack, staff: str) -> Iterator[str]:
    """The route for each account, and for each invoice, review, success manager or receipt that it names."""
    if "{account}" not in route:
        yield from _filled(route, stack, staff)
        return
    for account in accounts(stack):
        yield from _filled(route.replace("{account}", account), stack, staff)


def _filled(path: str, stack: Stack, staff: str) -> Iterator[str]:
    """The path for each thing that the list above it names, such as /invoices/{number}."""
    list_path, variable, rest = path.partition("/{")
    if not variable:
        yield path
        return
    name, _, end = rest.partition("}")
    if list_path.endswith("/exchange-rates"):
        return  # a day is no item of a list
    for each in listed(stack, list_path, staff):
        yield f"{list_path}/{each[name]}{end}"


def accounts(stack: Stack) -> list[str]:
    """All accounts, from the table."""
    return sorted(pk.removeprefix("ACCOUNT#") for pk, sk in keys_of(stack) if sk == "PAGE#ACCOUNT")


def differences(before: Any, after: Any, at: str = "") -> Iterator[str]:
    """What of an earlier answer is missing or different in a later one. New fields are none."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            if name not in after:
                yield f"{at}/{name} is gone"
            elif name not in CHANGING:
                yield from differences(value, after[name], f"{at}/{name}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{at}/{number}")
    elif before != after:
        yield f"{at}: {before} is now {after}"


IN_THE_LANGUAGE_OF_THE_ACCOUNT = (
    r"/autoscaling/items/\d+/explanation: ",
    r"/reduction/products/\d+/detail: ",
    r"/reviews/slots/missing/\d+/detail: ",
    r"/prepared/\d+/missing: ",
)
"""Sentences that were English for every account. What a review misses is told with its figures now, in an object."""

OF_STAFF = r"/accounts/items: \[\] is now \["
"""Staff belong to no account, and had an empty list. Now they see all accounts."""


def is_announced(difference: str) -> bool:
    """Whether the changelog has a difference. Where amounts differ by rounding, they differ by one minor unit."""
    if any(re.search(each, difference) for each in (*IN_THE_LANGUAGE_OF_THE_ACCOUNT, OF_STAFF)):
        return True
    if not any(re.search(each, difference) for each in ANNOUNCED):
        return False
    before, after = map(int, re.findall(r"(-?\d+) is now (-?\d+)", difference)[0])
    return "status" in difference or after == 0 or abs(before - after) == 1
