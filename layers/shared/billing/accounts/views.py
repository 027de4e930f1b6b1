"""The API view of lists of accounts: a customer's own, and for staff all of them."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from billing.accounts.rules import Status
from billing.platform.http.models import View


class AccountDetailsView(View):
    """What staff see of an account in the list of all. `active_until` is its first day without service, once it is
    cancelled.

    `usable_method` says whether it has a payment method that has not expired; `paused_until` is the first day on which
    autoscaling goes on, null where it is not paused.
    """

    status: Status
    active_until: date | None
    company: str
    country: str
    vat_number: str | None
    billing_email: str
    success_manager: str | None
    payment_method: Literal["card", "sepa_debit", "bank_transfer"] | None
    usable_method: bool
    paused_until: date | None


class MembershipView(View):
    """An account, and as what the caller has access to it. Staff see its `details` too; others have no such field."""

    account: str
    name: str
    role: Literal["admin", "member", "staff"]
    details: AccountDetailsView | None = Field(default=None, exclude_if=lambda details: details is None)


class AccountsView(View):
    """`next_cursor` leads to what follows, null at the end.

    A page of staff's list may have fewer than `limit`, or none, and still a `next_cursor`.
    """

    items: list[MembershipView]
    next_cursor: str | None
