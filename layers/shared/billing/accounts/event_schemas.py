"""Schemas of the events about accounts, their users and their billing information."""

from __future__ import annotations

from typing import Literal

from billing.platform.events.envelope import AccountEvent, Facts
from billing.platform.events.facts import ContractFacts, LineFacts


class UserFacts(Facts):
    user: str
    email: str
    name: str
    role: Literal["admin", "member"]


class AccountFacts(Facts):
    name: str
    contract: ContractFacts
    lines: list[LineFacts]
    first_admin: UserFacts


class InformationFacts(Facts):
    """An area of billing information; `details` are its fields."""

    area: Literal["company", "billing", "contact"]
    details: dict[str, str | None]


class AccountProvisioned(AccountEvent[Literal["account.provisioned"], None, AccountFacts]):
    """A new account."""


class BillingInformationChanged(
    AccountEvent[Literal["billing_information.changed"], InformationFacts, InformationFacts]
):
    """An area of billing information was changed; future invoices say so."""


class UserAdded(AccountEvent[Literal["user.added"], None, UserFacts]):
    """A person was given a role in the account."""


class UserChanged(AccountEvent[Literal["user.changed"], UserFacts, UserFacts]):
    """A person's name or role was changed."""


class UserInvitedAgain(AccountEvent[Literal["user.invited_again"], UserFacts, UserFacts]):
    """The invitation of a person who has not logged in yet is sent again. Nothing about the person has changed."""


class UserRemoved(AccountEvent[Literal["user.removed"], UserFacts, None]):
    """A person has no longer access to the account."""
