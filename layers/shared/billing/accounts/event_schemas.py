"""Schemas of the events about accounts, their users and their billing information."""

from __future__ import annotations

from datetime import date
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


class StoreFacts(Facts):
    """A store. `closed_on` is the first day whose usage is refused, None while the store is open without end."""

    store: str
    name: str
    closed_on: date | None


class StoreChanged(AccountEvent[Literal["store.changed"], StoreFacts | None, StoreFacts]):
    """Staff have added, renamed, closed or reopened a store. `before` is null for a new one."""


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


class UserRemoved(AccountEvent[Literal["user.removed"], UserFacts, None]):
    """A person has no longer access to the account."""
