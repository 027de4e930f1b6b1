"""An item to be written. It loads nothing: only billing.platform.dynamodb.transaction knows how it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Item:
    """Keys, and a body that only the mapping of its area reads.

    An attribute of its own is only what is keyed, conditioned or indexed; everything else is one JSON text, which a
    reader decodes at once. `index` is the partition and sort key in the index. `expires_at` is when DynamoDB deletes
    the item; `claimed_until` is ISO 8601.
    """

    partition: str
    key: str
    body: str
    index: tuple[str, str] | None = None
    expires_at: datetime | None = None
    claimed_until: str | None = None
