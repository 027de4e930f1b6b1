"""Staff record that an account is exempt from tax: a preview, or the change with its event (decision 0044)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date

from billing.billing_page.change_subscription import ChangeRequest
from billing.billing_page.page import BillingPage, NextCharge
from billing.billing_page.records import BillingPageStore
from billing.invoicing.exemptions.rules import Exemption, Exemptions, check, exemption_facts
from billing.invoicing.tax_rates.rules import has_own_rates
from billing.kernel.errors import ConcurrentChange, StaleVersion, VersionRequired
from billing.kernel.events import EventType, Facts
from billing.kernel.versions import includes
from billing.platform.events.new_event import new_event


@dataclass(frozen=True, slots=True)
class ExemptionsChange:
    """An account's page after a change, and its next charge then and before; None where none is to come."""

    page: BillingPage
    next_charge: NextCharge | None
    before: NextCharge | None


def exempt_from(page: BillingPage, today: date) -> date:
    """The first day from which an exemption can begin: that of the first contract month that is not fixed.

    Nothing is invoiced for it. For an account of an earlier release without a paid period it is at the earliest today's
    contract month.
    """
    contract, fixed = page.account.contract, page.subscriber.fixed
    is_known = fixed.version or page.account.invoiced_from is not None
    month = fixed.until if is_known else max(0, contract.month_of(today))
    return contract.month_start(month)


def replace_exemptions(
    page: BillingPage, wanted: Sequence[Exemption], request: ChangeRequest, *, pages: BillingPageStore
) -> ExemptionsChange:
    """Replaces the exemptions of an account. What is invoiced stays as it is.

    Exemptions that are so already are not written again. One transaction, and one query if its condition fails. Raises
    RuleViolation, VersionRequired, StaleVersion, ConcurrentChange.
    """
    today = page.account.contract.today(request.context.time)
    current = page.exemptions
    ordered = tuple(sorted(wanted, key=lambda each: each.valid_from))
    shown = _next_charge(page, today, request)
    if ordered == current.entries:
        return ExemptionsChange(page, shown, shown)
    if request.replaces is not None and not includes(request.replaces, current.version):
        raise StaleVersion
    has_vat = not has_own_rates(request.seller, today)
    check(wanted, current, exempt_from(page, today), today, has_vat=has_vat)
    if request.replaces is None and not request.is_preview:
        raise VersionRequired("Name the version that this replaces: If-Match with its ETag.")
    after = replace(page, exemptions=current.replaced_by(ordered, today))
    change = ExemptionsChange(after, _next_charge(after, today, request), shown)
    if request.is_preview:
        return change
    event = new_event(
        EventType.TAX_EXEMPTIONS_CHANGED,
        request.context,
        account=page.account.id,
        before=_facts(current, change.before),
        after=_facts(after.exemptions, change.next_charge),
    )
    try:
        pages.change_exemptions(page, after.exemptions, event)
    except ConcurrentChange:
        # Two copies of one request may run at once. The slower one then finds the result of the faster one.
        stored = pages.billing_page(page.account.id, invoices=0, consistent=True)
        if stored.exemptions.entries == ordered:
            return replace(change, page=stored)
        if stored.exemptions.version != current.version:
            raise StaleVersion from None
        raise
    written = replace(after.exemptions, version=current.version + 1)
    return replace(change, page=replace(after, exemptions=written))


def _next_charge(page: BillingPage, today: date, request: ChangeRequest) -> NextCharge | None:
    return page.next_charge(today, request.seller, request.policy)


def _facts(exemptions: Exemptions, charge: NextCharge | None) -> Facts:
    return {
        "exemptions": [exemption_facts(each) for each in exemptions.entries],
        "next_charge": None
        if charge is None
        else {
            "on": charge.on,
            "amount": asdict(charge.net),
            "tax": asdict(charge.tax),
            "total": asdict(charge.total),
            "rule": charge.taxed.rule,
            "rate": f"{charge.taxed.rate.normalize():f}",
        },
    }
