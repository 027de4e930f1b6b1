"""Staff, or the import of published rates, give the exchange rates of a day."""

from __future__ import annotations

from dataclasses import replace

from billing.invoicing.exchange_rates.records import ExchangeRateStore
from billing.invoicing.exchange_rates.rules import DailyRates, check
from billing.kernel.errors import StaleVersion, VersionRequired
from billing.kernel.events import EventType, Facts, RequestContext
from billing.kernel.versions import Versions, includes
from billing.platform.events.new_event import new_event


def replace_rates(
    rates: DailyRates, replaces: Versions | None, *, context: RequestContext, store: ExchangeRateStore
) -> DailyRates:
    """Adds or corrects the rates of a day; returns them with their new version.

    Invoices that wait for them are issued by the next run. `replaces` is the version that the caller has seen, 0 for
    none yet. Equal rates are not written again, so a repeated request succeeds with any version. One get and one
    transaction; one get more if its condition fails. Raises RuleViolation, VersionRequired, StaleVersion, and
    ConcurrentChange after a collision.
    """
    current = store.rates(rates.day)
    version = 0 if current is None else current.version
    if current is not None and replace(rates, version=version) == current:
        return current
    check(rates, current, context.time.date())
    if replaces is None:
        raise VersionRequired("Name the version that this replaces: If-Match with its ETag, or If-None-Match: *.")
    if not includes(replaces, version):
        raise StaleVersion
    event = new_event(
        EventType.EXCHANGE_RATES_REPLACED,
        context,
        account=None,
        before=None if current is None else _facts(current),
        after=_facts(rates),
    )
    changed = replace(rates, version=version + 1)
    try:
        store.replace_rates(replace(rates, version=version), event)
    except StaleVersion:
        # The same request may have been sent twice at once: then the other one has written these rates.
        if store.rates(rates.day) != changed:
            raise
    return changed


def _facts(rates: DailyRates) -> Facts:
    return {"day": rates.day, "base": rates.base, "rates": rates.rates, "source": rates.source}
