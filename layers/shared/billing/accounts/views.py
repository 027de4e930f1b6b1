"""The API view of a user's accounts."""

from __future__ import annotations

from typing import Literal

from billing.platform.http.models import (
    View,
)


class MembershipView(View):
    """An account that the caller belongs to, and as what."""

    account: str
    name: str
    role: Literal["admin", "member"]


class AccountsView(View):
    """`next_cursor` leads to what follows, null at the end."""

    items: list[MembershipView]
    next_cursor: str | None
