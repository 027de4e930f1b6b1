"""The fields of a dataclass, by the names that stored items, events and views use."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def fields_of(value: DataclassInstance, **names: str) -> dict[str, Any]:
    """The fields of a dataclass by name, in their order; nested values stay as they are. `names` renames fields.

    An object's own id is `id` in the code. Stored items and events name it after the object: `id="event"`.
    """
    return {names.get(each.name, each.name): getattr(value, each.name) for each in fields(value)}
