"""An item to write. This module loads no library; billing.platform.dynamodb.transaction sends items."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing.platform.dynamodb import keys

Place = tuple[str, str]
"""A partition key and a sort key."""


@dataclass(frozen=True, slots=True)
class Item:
    """Keys, and a body that only the mapping of its area reads.

    A value is an attribute if it is a key, a condition or an index key. All other values are in `body`, one JSON text
    (DESIGN 6.2). `index` is the partition key and sort key in the index of due work, `list_index` those in the index of
    the lists of staff; keys says which lists are in the first one. DynamoDB deletes the item after `expires_at`.
    `claimed_until` is an instant in ISO 8601.
    """

    partition: str
    key: str
    body: str
    index: Place | None = None
    list_index: Place | None = None
    expires_at: datetime | None = None
    claimed_until: str | None = None

    @property
    def places(self) -> tuple[Place | None, Place | None]:
        """The keys that it is stored with in the two indexes. Those of an account on a test clock are in the lists of
        its clock."""
        return _place(self.partition, self.index), _place(self.partition, self.list_index)


def _place(item: str, index: Place | None) -> Place | None:
    return None if index is None else (keys.index_partition(item, index[0]), index[1])
