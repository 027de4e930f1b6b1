"""What all events have in common. Apart from the kinds, which a function that lists events does not load."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Identifier = Annotated[str, Field(pattern="^[0-9A-HJKMNP-TV-Z]{26}$")]
"""A ULID."""


class Facts(BaseModel):
    """A part of an event."""

    # A validator is built when it is first used: a function meets a few kinds, and its cold start pays for no others.
    model_config = ConfigDict(frozen=True, defer_build=True)


class ActorView(Facts):
    """Who did it: a person of the vendor's staff or of the customer's company, by the id of their log-in, or
    Livello itself, on a schedule or at the word of a service that it depends on."""

    kind: Literal["staff", "customer", "system"]
    user: str | None


class EventEnvelope(Facts):
    """What all events have in common.

    `event` is unique: a consumer that meets it again has dealt with it. `correlation` is the id of the request
    in the logs. `account` is null for what concerns all of them.
    """

    event: Identifier
    type: str
    version: int
    account: str | None
    time: datetime
    actor: ActorView
    correlation: str


Type = TypeVar("Type", bound=str)
Before = TypeVar("Before")
After = TypeVar("After")


class AccountEvent(EventEnvelope, Generic[Type, Before, After]):
    """An event of one account: its type, what was before (None for nothing), and what is after it."""

    type: Type
    version: Literal[1]
    account: str
    before: Before
    after: After


class SharedEvent(EventEnvelope, Generic[Type, Before, After]):
    """An event of what all accounts share."""

    type: Type
    version: Literal[1]
    account: None
    before: Before
    after: After
