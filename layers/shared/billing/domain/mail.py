"""Who is written to about what, and what a mail consists of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody who gets a mail. `name` is None where only an address is known."""

    email: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Vendor:
    """Who writes. `billing_page` is where the customer sees their billing; `reply_to` is read by people."""

    name: str
    billing_page: str
    reply_to: str


@dataclass(frozen=True, slots=True)
class Situation:
    """What a mail says beside the event: whose account, in which language and time zone, and who did it.

    `actor_name` is None where Livello did it, or somebody who is no longer there.
    """

    account_name: str
    language: str
    time_zone: str
    actor_name: str | None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that comes with a mail. With an `inline` name it is a picture that the HTML shows as cid:name."""

    name: str
    content_type: str
    content: bytes
    inline: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail before it is addressed: the same words as text and as HTML."""

    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...] = ()
