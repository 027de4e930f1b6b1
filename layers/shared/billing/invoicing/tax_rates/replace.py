"""Staff give the tax rates of a seller outside of the EU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from billing.invoicing.tax_rates.records import TaxRateStore
from billing.invoicing.tax_rates.rules import TaxRate, TaxRates, TaxRatesBuiltIn, check, has_own_rates
from billing.invoicing.vat_territories import Address, territory_of
from billing.kernel.errors import StaleVersion, VersionRequired
from billing.kernel.events import EventType, Facts, RequestContext
from billing.kernel.fields import fields_of
from billing.kernel.versions import Versions, includes
from billing.platform.events.new_event import new_event


def replace_tax_rates(
    entries: Sequence[TaxRate],
    replaces: Versions | None,
    *,
    seller: Address,
    context: RequestContext,
    store: TaxRateStore,
) -> TaxRates:
    """Replaces all tax rates; returns them with their new version. Issued invoices keep the rates that they say.

    `replaces` is the version that the caller has seen, 0 for none yet. Equal rates are not written again, so a repeated
    request succeeds with any version. One get and one transaction; one get more if its condition fails. Raises
    TaxRatesBuiltIn, RuleViolation, VersionRequired, StaleVersion, and ConcurrentChange after a collision.
    """
    today, current = context.time.date(), store.tax_rates()
    if not has_own_rates(seller, today):
        raise TaxRatesBuiltIn(territory_of(seller, today).state)
    wanted = TaxRates(tuple(sorted(entries, key=_place)), current.version)
    if wanted == current and current.version:
        return current
    # Before the rules, which judge by the version that the caller has seen.
    if replaces is not None and not includes(replaces, current.version):
        raise StaleVersion
    check(entries, current, seller, context.time)
    if replaces is None:
        raise VersionRequired("Name the version that this replaces: If-Match with its ETag, or If-None-Match: *.")
    before = None if not current.version else _facts(current)
    event = new_event(EventType.TAX_RATES_REPLACED, context, account=None, before=before, after=_facts(wanted))
    changed = replace(wanted, version=current.version + 1)
    try:
        store.replace_tax_rates(wanted, event)
    except StaleVersion:
        # The same request may have been sent twice at once: then the other one has written these rates.
        if store.tax_rates() != changed:
            raise
    return changed


def _place(entry: TaxRate) -> tuple[str, str]:
    return entry.country or "", entry.valid_from.isoformat()


def _facts(rates: TaxRates) -> Facts:
    return {"rates": [fields_of(each) for each in rates.entries]}
