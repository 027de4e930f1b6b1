"""Schemas of events about undeliverable mail."""

from __future__ import annotations

from typing import Literal

from billing.platform.events.envelope import AccountEvent, Facts


class UndeliverableFacts(Facts):
    """An address that refuses mail, or whose owner has called it unwanted. It is not written to again."""

    email: str
    reason: Literal["bounced", "complained"]


class AddressUndeliverable(AccountEvent[Literal["address.undeliverable"], None, UndeliverableFacts]):
    """Mail to somebody of the account has come back for good, or was called unwanted."""
