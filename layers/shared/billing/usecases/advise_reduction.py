"""The advice how to need less of a product: the same for the customer, and for whoever prepares their review."""

from __future__ import annotations

from datetime import date

from billing.domain.account import BillingPage
from billing.domain.reduction import MONTHS, Reduction, reduction
from billing.domain.usage import month_before, month_of
from billing.store.usage_store import UsageStore
from billing.usecases.show_usage import lines_of

CONTENTS_MAX = 5000
"""Contents and months that are looked at for one product: some megabytes."""


def advise_reduction(page: BillingPage, product: str | None, *, today: date, store: UsageStore) -> list[Reduction]:
    """What can be done about the usage of one product, or of each. A read, and a query for each product.

    Raises BadParameter for a product that the account does not subscribe to.
    """
    lines = lines_of(page, product)
    catalogue = store.catalogue(page.subscription.catalogue_version)
    first, last = month_before(month_of(today), MONTHS), month_before(month_of(today))
    return [
        reduction(
            line,
            catalogue.product(line.product),
            store.contents(page.account.account, line.product, first, last, limit=CONTENTS_MAX + 1),
            today=today,
            since=page.account.contract.start,
            contents_max=CONTENTS_MAX,
        )
        for line in lines
    ]
