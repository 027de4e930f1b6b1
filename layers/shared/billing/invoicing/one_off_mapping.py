"""One-off charges and goodwill as they are stored: the open ones in one item, each closed one in an item of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from billing.invoicing.one_offs import Mark, OneOff, OneOffKind, OneOffs, Use
from billing.kernel.fields import fields_of
from billing.kernel.money import Money
from billing.platform.dynamodb.bodies import parsed, text
from billing.platform.dynamodb.reader import Row

Body = dict[str, Any]


def open_body(one_offs: Sequence[OneOff]) -> str:
    """The stored text of the open one-offs."""
    return text({"open": [_fields(each) for each in one_offs]})


def one_offs_of(row: Row | None) -> OneOffs:
    """The open one-offs of their row; none without one, as for accounts of earlier releases."""
    if row is None:
        return OneOffs()
    return OneOffs(tuple(map(_one_off, parsed(row.body)["open"])), row.version)


def closed_body(one_off: OneOff) -> str:
    """The stored text of a closed one-off."""
    return text(_fields(one_off))


def closed_from(stored: str) -> OneOff:
    """A closed one-off from its stored text."""
    return _one_off(parsed(stored))


def _fields(one_off: OneOff) -> Body:
    return {
        **fields_of(one_off, id="one_off"),
        "translations": dict(one_off.translations),
        "uses": [[each.number, each.amount, each.on] for each in one_off.uses],
    }


def _one_off(body: Body) -> OneOff:
    return OneOff(
        id=body["one_off"],
        kind=OneOffKind(body["kind"]),
        description=body["description"],
        translations=tuple(sorted(body["translations"].items())),
        price=Money(**body["price"]),
        quantity=body["quantity"],
        reason=body["reason"],
        added_on=date.fromisoformat(body["added_on"]),
        added_at=datetime.fromisoformat(body["added_at"]),
        added_by=body["added_by"],
        is_at_once=body["is_at_once"],
        mark=Mark(body["mark"]),
        uses=tuple(Use(number, amount, date.fromisoformat(on)) for number, amount, on in body["uses"]),
    )
