"""The schemas of events by their type."""

from __future__ import annotations

from typing import get_args

from billing.api.events import SCHEMAS, Happening

SCHEMA_OF: dict[str, type[Happening]] = {
    get_args(schema.model_fields["type"].annotation)[0]: schema for schema in SCHEMAS
}
