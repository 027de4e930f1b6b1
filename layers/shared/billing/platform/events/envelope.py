"""The fields that all events share. A function that lists events loads this module, and not the kinds of events."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Identifier = Annotated[str, Field(pattern="^[0-9A-HJKMNP-TV-Z]{26}$")]
"""A ULID."""


class Facts(BaseModel):
    """A part of an event."""

    # Pydantic builds a validator with its first use: a cold start pays only for the kinds that the function meets.
    model_config = ConfigDict(frozen=True, defer_build=True)


class ActorView(Facts):
    """Who did it: a person of the vendor's staff or of the customer's company, by the id of their log-in, or
    Livello itself, on a schedule or at the word of a service that it depends on."""

    kind: Literal["staff", "customer", "system"]
    user: str | None


class EventEnvelope(Facts):
    """The fields that all events share.

    `event` is unique, so a consumer can skip an event that it has processed. `sequence` orders the events of an account
    as text: the greater one was recorded later, whatever `time` says. It means what the extension of this name means in
    CloudEvents; it increases, and is not contiguous. An event that an earlier release recorded has none: its `event`
    takes the place. `correlation` is the id of the request in the logs. `account` is null for an event of all accounts.
    A replay of the past made an event with `is_replay`; its `time` is not the real one. So is that of an event of an
    account on a test clock, which `test_clock` names: a consumer that books money leaves it out.
    """

    event: Identifier
    type: str
    version: int
    account: str | None
    time: datetime
    actor: ActorView
    correlation: str
    is_replay: bool = False
    sequence: Annotated[str, Field(min_length=1)] | None = None
    test_clock: str | None = None


Type = TypeVar("Type", bound=str)
Before = TypeVar("Before")
After = TypeVar("After")


class AccountEvent(EventEnvelope, Generic[Type, Before, After]):
    """An event of one account: its type, the facts before (None for nothing), and the facts after."""

    type: Type
    version: Literal[1]
    account: str
    before: Before
    after: After


class SharedEvent(EventEnvelope, Generic[Type, Before, After]):
    """An event of something that all accounts share, such as the catalogue."""

    type: Type
    version: Literal[1]
    account: None
    before: Before
    after: After
