"""moto's DynamoDB without two slow steps, which took half of a run. Its answers stay the same.

* moto copies the whole table before a transaction, for the rollback. Here an update works on a copy of its item, so the
  copy of the table can share all items.
* moto tries ten types, in several spellings, for every value of an answer. Here strings and numbers, which are most
  values, go straight through.
"""

from __future__ import annotations

from copy import copy, deepcopy
from typing import Any

import pytest
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

UPDATE_ITEM = DynamoDBBackend.update_item
SERIALIZE = BaseJSONSerializer._serialize_type_structure
"""The methods of moto that are replaced."""


def make_quick(patch: pytest.MonkeyPatch) -> None:
    """Removes both slow steps until the patch is undone."""
    patch.setattr(DynamoDBBackend, "update_item", _update_a_copy)
    patch.setattr(Table, "__deepcopy__", _table_for_rollback, raising=False)
    patch.setattr(BaseJSONSerializer, "_serialize_type_structure", _serialize)


def make_as_installed(patch: pytest.MonkeyPatch) -> None:
    """Restores moto as installed until the patch is undone."""
    patch.setattr(DynamoDBBackend, "update_item", UPDATE_ITEM)
    patch.delattr(Table, "__deepcopy__")
    patch.setattr(BaseJSONSerializer, "_serialize_type_structure", SERIALIZE)


def _update_a_copy(self: DynamoDBBackend, table_name: str, key: dict[str, Any], *given: Any, **named: Any) -> Any:
    table: Any = self.get_table(table_name)
    partition = table.items.get(DynamoType(key[table.hash_key_attr]), {})
    sort = DynamoType(key[table.range_key_attr])
    if sort in partition:
        partition[sort] = deepcopy(partition[sort])
    return UPDATE_ITEM(self, table_name, key, *given, **named)


def _table_for_rollback(self: Table, _memo: dict[int, Any]) -> Table:
    before = copy(self)
    before.items = copy(self.items)
    before.items.update({partition: copy(items) for partition, items in self.items.items()})
    return before


def _serialize(self: BaseJSONSerializer, serialized: Any, value: Any, shape: Any, key: str) -> None:
    if shape.name == "AttributeValue" and type(value) is dict and len(value) == 1:
        [(kind, content)] = value.items()
        if kind in {"S", "N"} and type(content) is str:
            self._default_serialize(serialized, {kind: content}, shape, key)
            return
    SERIALIZE(self, serialized, value, shape, key)
