"""Reduction advice: how to use less of a product. The customer and the staff in a review get the same advice."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from billing.scaling.reduction.rules import Reduction, reduction
from billing.subscriptions.rules import Line
from billing.subscriptions.subscriber import Subscriber
from billing.usage.records import UsageStore
from billing.usage.rules import CLOSED_MONTHS, closed_months, month_before, month_of

CONTENTS_MAX = 5000
"""Contents and months that are read for one product at most: some megabytes."""


def advise_reduction(
    subscriber: Subscriber, lines: Iterable[Line], *, today: date, store: UsageStore
) -> tuple[Reduction, ...]:
    """The reduction advice for these lines. One read of the catalogue, one query, and one more query for each line."""
    account, since = subscriber.account.id, subscriber.account.contract.start
    catalogue = store.catalogue(subscriber.subscription.version_on(today))
    first, last = month_before(month_of(today), CLOSED_MONTHS), month_before(month_of(today))
    # One more month: usage in it shows that the oldest of the three months is complete.
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
