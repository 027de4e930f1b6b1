"""Changes billing information for future invoices. An issued invoice never changes (DESIGN 3.3.7)."""

from __future__ import annotations

from dataclasses import asdict
from typing import TypeVar

from billing.accounts.information import Area, BillingDetails, CompanyDetails, ContactDetails, Information
from billing.accounts.records import AccountStore
from billing.accounts.rules import Account
from billing.accounts.vat_number_due import VatNumberDue
from billing.kernel.errors import StaleVersion, VersionRequired
from billing.kernel.events import EventType, RequestContext
from billing.kernel.versions import Versions, includes
from billing.platform.events.new_event import new_event

D = TypeVar("D", CompanyDetails, BillingDetails, ContactDetails)


def change_billing_information(
    account: Account,
    area: Area,
    current: Information[D],
    details: D,
    replaces: Versions | None,
    *,
    context: RequestContext,
    store: AccountStore,
    checks_vat_numbers: bool = False,
) -> Information[D]:
    """Returns the area after the change. `current` is the stored area; `replaces` is the version the caller has seen.

    Details that are already stored are not written again. So a repeated request finds its own result and succeeds, as
    RFC 9110 13.1.1 allows. One transaction, and one query more if its condition fails. Raises VersionRequired,
    StaleVersion, and ConcurrentChange after a collision.

    Where the deployment `checks_vat_numbers`, the number of a changed company is due at once.
    """
    if current.details == details:
        if isinstance(details, BillingDetails):
            # An admin who repeats the request confirms the address, even if mail to it has bounced.
            store.clear_undeliverable(account.id, details.email)
        return current
    if replaces is None:
        raise VersionRequired("Name the version that this replaces: If-Match with the ETag of the last answer.")
    if not includes(replaces, current.version):
        raise StaleVersion
    changed = Information(details, current.version + 1)
    event = new_event(
        EventType.BILLING_INFORMATION_CHANGED,
        context,
        account=account.id,
        before={"area": area, "details": asdict(current.details)},
        after={"area": area, "details": asdict(details)},
    )
    asked = checks_vat_numbers and isinstance(details, CompanyDetails)
    vat_number = VatNumberDue(context.time) if asked else None
    try:
        store.replace_information(account.id, area, details, current.version, event, vat_number)
    except StaleVersion:
        # Two copies of one request may run at once. The slower one then finds the result of the faster one.
        stored = store.details(account.id).information.area(area)
        if stored != changed:
            raise
    return changed
