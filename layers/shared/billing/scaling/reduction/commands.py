"""The advice how to need less of a product: the same for the customer, and for whoever prepares their review."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from billing.scaling.reduction.rules import Reduction, reduction
from billing.subscriptions.rules import Line
from billing.subscriptions.subscriber import Subscriber
from billing.usage.records import UsageStore
from billing.usage.rules import CLOSED_MONTHS, closed_months, month_before, month_of

CONTENTS_MAX = 5000
"""Contents and months that are looked at for one product: some megabytes."""


def advise_reduction(
    subscriber: Subscriber, lines: Iterable[Line], *, today: date, store: UsageStore
) -> tuple[Reduction, ...]:
    """What can be done about the usage of these lines. A read, a query, and another one for each line."""
    account, since = subscriber.account.id, subscriber.account.contract.start
    catalogue = store.catalogue(subscriber.subscription.catalogue_version)
    first, last = month_before(month_of(today), CLOSED_MONTHS), month_before(month_of(today))
    # One month more than is looked at: usage in it shows that the oldest one is complete.
    totals = store.totals(account, month_before(first), last)
    return tuple(
        reduction(
            line,
            catalogue.product(line.product),
            closed_months(totals.get(line.product, {}), today, since, CLOSED_MONTHS),
            store.contents(account, line.product, first, last, limit=CONTENTS_MAX + 1),
            contents_max=CONTENTS_MAX,
        )
        for line in lines
    )
