"""What a review is about: how the usage of each product stands to the tiers below its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from billing.domain.account import BillingPage
from billing.domain.reviews import Standing, lines_at_renewal, standing
from billing.domain.usage import CLOSED_MONTHS, Daily, month_before, month_of
from billing.store.store import BillingStore


class Totals(Protocol):
    """Where usage is kept: see billing.store.usage_store.UsageStore.totals."""

    def totals(self, account: str, first: date, last: date) -> Mapping[str, Daily]: ...


@dataclass(frozen=True, slots=True)
class PreparedReview:
    """The products of an account, as a review looks at them."""

    products: tuple[Standing, ...]


def prepared_review(page: BillingPage, *, now: datetime, store: BillingStore, usage: Totals) -> PreparedReview:
    """The review of an account as it would be held now. A query of usage and a get of the catalogue."""
    contract = page.account.contract
    today = contract.today(now)
    running = month_of(today)
    # One month more than is asked for: usage in it shows that the oldest one is complete.
    usage_by_product = usage.totals(
        page.account.account, month_before(running, CLOSED_MONTHS + 1), month_before(running)
    )
    catalogue = store.catalogue_version(page.subscription.catalogue_version)
    return PreparedReview(
        tuple(
            standing(line, usage_by_product.get(line.product, {}), catalogue, contract, today)
            for line in lines_at_renewal(page.subscription, contract, today)
        )
    )
