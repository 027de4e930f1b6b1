"""The fields of a value, under the names that stored items, events and answers have for them."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def fields_of(value: DataclassInstance, **names: str) -> dict[str, Any]:
    """The fields of a value in their order, not those of the values in them; `names` gives some another name.

    An object's own id is `id` in the code. Stored items and events call it by what it identifies.
    """
    return {names.get(each.name, each.name): getattr(value, each.name) for each in fields(value)}
