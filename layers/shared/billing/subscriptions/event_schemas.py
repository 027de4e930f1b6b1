"""Schemas of the events about the catalogue."""

from __future__ import annotations

from typing import Literal

from billing.platform.events.envelope import Facts, SharedEvent


class CatalogueFacts(Facts):
    version: int


class CatalogueReplaced(SharedEvent[Literal["catalogue.replaced"], CatalogueFacts | None, CatalogueFacts]):
    """There is a new version of the catalogue. Accounts stay on theirs."""
