"""Events as they are published and shown: one schema per kind, exported under docs/events/ (make openapi)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from billing.api.models import View
from billing.domain.events import Event


class ActorView(View):
    """Who did it: a person of the vendor's staff or of the customer's company, by the id of their log-in."""

    kind: Literal["staff", "customer"]
    user: str


class Happening(View):
    """What all events have in common.

    `event` is unique: a consumer that meets it again has dealt with it. `correlation` is the id of the request
    in the logs. `account` is null for what concerns all of them.
    """

    event: Annotated[str, Field(pattern="^[0-9A-HJKMNP-TV-Z]{26}$")]
    type: str
    version: int
    account: str | None
    time: datetime
    actor: ActorView
    correlation: str


class EventView(Happening):
    """One thing that happened. `before` and `after` say what changed; their shapes are under docs/events/."""

    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @classmethod
    def of(cls, event: Event) -> EventView:
        return cls.model_validate(event, from_attributes=True)


class EventsView(View):
    """Newest first. `next_cursor` leads to the older ones, null where there are none."""

    items: list[EventView]
    next_cursor: str | None


class UserFacts(View):
    user: str
    email: str
    name: str
    role: Literal["admin", "member"]


class ContractFacts(View):
    start: date
    interval_months: int
    currency: str
    time_zone: str


class LineFacts(View):
    product: str
    up_to: int | None


class AccountFacts(View):
    name: str
    contract: ContractFacts
    lines: list[LineFacts]
    first_admin: UserFacts


class InformationFacts(View):
    """An area of billing information; `details` are its fields."""

    area: Literal["company", "billing", "contact"]
    details: dict[str, str | None]


class CatalogueFacts(View):
    version: int


class AccountProvisioned(Happening):
    """A new account."""

    type: Literal["account.provisioned"]
    version: Literal[1]
    account: str
    before: None
    after: AccountFacts


class BillingInformationChanged(Happening):
    """An area of billing information was changed; future invoices say so."""

    type: Literal["billing_information.changed"]
    version: Literal[1]
    account: str
    before: InformationFacts
    after: InformationFacts


class CatalogueReplaced(Happening):
    """There is a new version of the catalogue. Accounts stay on theirs."""

    type: Literal["catalogue.replaced"]
    version: Literal[1]
    account: None
    before: CatalogueFacts | None
    after: CatalogueFacts


class UserAdded(Happening):
    """A person was given a role in the account, and invited if they had no log-in yet."""

    type: Literal["user.added"]
    version: Literal[1]
    account: str
    before: None
    after: UserFacts


class UserChanged(Happening):
    """A person's name or role was changed."""

    type: Literal["user.changed"]
    version: Literal[1]
    account: str
    before: UserFacts
    after: UserFacts


class UserRemoved(Happening):
    """A person has no longer access to the account."""

    type: Literal["user.removed"]
    version: Literal[1]
    account: str
    before: UserFacts
    after: None


SCHEMAS: tuple[type[Happening], ...] = (
    AccountProvisioned,
    BillingInformationChanged,
    CatalogueReplaced,
    UserAdded,
    UserChanged,
    UserRemoved,
)
