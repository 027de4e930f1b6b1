"""A change of billing information, used on future invoices: issued ones keep what they say."""

from __future__ import annotations

from dataclasses import asdict
from typing import TypeVar

from billing.accounts.information import Area, BillingDetails, CompanyDetails, ContactDetails, Information
from billing.accounts.records import AccountStore
from billing.accounts.rules import Account
from billing.kernel.errors import StaleVersion, VersionRequired
from billing.kernel.events import EventType, RequestContext
from billing.platform.events.new_event import new_event

D = TypeVar("D", CompanyDetails, BillingDetails, ContactDetails)


def change_billing_information(
    account: Account,
    area: Area,
    current: Information[D],
    details: D,
    replaces: int | None,
    *,
    context: RequestContext,
    store: AccountStore,
) -> Information[D]:
    """The area after it. `current` is the one before; `replaces` is the version that the caller has seen.

    What already stands is not written again: a request whose answer was lost finds its own result and
    succeeds, as RFC 9110 13.1.1 allows. Raises VersionRequired, StaleVersion.
    """
    if current.details == details:
        if isinstance(details, BillingDetails):
            # The same again means: the address is right, whatever became of the mail to it.
            store.write_again_to(account.id, details.email)
        return current
    if replaces is None:
        raise VersionRequired("Name the version that this replaces: If-Match with the ETag of the last answer.")
    if replaces != current.version:
        raise StaleVersion
    changed = Information(details, replaces + 1)
    event = new_event(
        EventType.BILLING_INFORMATION_CHANGED,
        context,
        account=account.id,
        before={"area": area, "details": asdict(current.details)},
        after={"area": area, "details": asdict(details)},
    )
    try:
        store.replace_information(account.id, area, details, replaces, event)
    except StaleVersion:
        # The same request, sent twice at once: this one has failed on its own result.
        standing = store.details(account.id).information.area(area)
        if standing != changed:
            raise
    return changed
