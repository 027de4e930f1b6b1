"""The list of all accounts in the API."""

from __future__ import annotations

from datetime import date, datetime

from billing.accounts.views import AccountDetailsView, MembershipView
from billing.billing_page.listing import ListedAccount


def listed_view(listed: ListedAccount, now: datetime) -> MembershipView:
    """An account as staff see it in the list."""
    account, company = listed.account, listed.company
    today: date = account.contract.today(now)
    pause = listed.pause_on(today)
    return MembershipView(
        account=account.id,
        name=account.name,
        role="staff",
        details=AccountDetailsView(
            status=account.status,
            active_until=None if account.ending is None else account.ending.active_until,
            company=company.name,
            country=company.country,
            vat_number=company.vat_number,
            billing_email=listed.email,
            success_manager=account.success_manager,
            payment_method=None if listed.method is None else listed.method.method.value,
            usable_method=listed.can_pay(today),
            paused_until=None if pause is None else pause.until,
        ),
    )
