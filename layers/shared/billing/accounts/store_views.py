"""API views and bodies of the stores of an account."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import Field

from billing.accounts.rules import Account, Store
from billing.platform.http.models import (
    IDENTIFIER_LENGTH_MAX,
    IDENTIFIER_PATTERN,
    Body,
    IsoDate,
    Text,
    View,
)

StoreId = Annotated[str, Path(pattern=f"^{IDENTIFIER_PATTERN}$", min_length=2, max_length=IDENTIFIER_LENGTH_MAX)]
"""The id of a store in a path, new or known."""


class StoreChangeBody(Body):
    """A store as it is from now on."""

    name: Text
    closed_on: IsoDate | None = Field(
        default=None, description="The first day whose usage is refused, in the future. null: the store is open."
    )

    def value(self, store: str) -> Store:
        return Store(store, self.name, self.closed_on)


class StoreDetailsView(View):
    """A store. Usage of days before `closed_on` counts; null while it is open."""

    store: str
    name: str
    closed_on: date | None


class StoresView(View):
    """All stores of an account, closed ones included."""

    items: list[StoreDetailsView]

    @classmethod
    def of(cls, account: Account) -> StoresView:
        return cls(
            items=[StoreDetailsView(store=each.id, name=each.name, closed_on=each.closed_on) for each in account.stores]
        )
