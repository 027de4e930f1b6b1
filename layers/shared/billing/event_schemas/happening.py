"""What all events have in common. Apart from the kinds, which whoever only lists events need not load."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Identifier = Annotated[str, Field(pattern="^[0-9A-HJKMNP-TV-Z]{26}$")]
"""A ULID."""


class Facts(BaseModel):
    """A part of an event."""

    model_config = ConfigDict(frozen=True)


class ActorView(Facts):
    """Who did it: a person of the vendor's staff or of the customer's company, by the id of their log-in, or
    Livello itself, on a schedule or at the word of a service that it depends on."""

    kind: Literal["staff", "customer", "system"]
    user: str | None


class Happening(Facts):
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
