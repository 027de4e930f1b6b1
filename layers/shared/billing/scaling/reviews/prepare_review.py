"""What a review is about: how the usage of each product stands to the tiers below its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing.scaling.reviews.rules import LowerTierFit, lines_at_renewal, lower_tier_fit
from billing.subscriptions.subscriber import Subscriber
from billing.usage.rules import CLOSED_MONTHS, month_before, month_of
from billing.usage.totals import UsageReads


@dataclass(frozen=True, slots=True)
class PreparedReview:
    """The products of an account, as a review looks at them."""

    products: tuple[LowerTierFit, ...]


def prepared_review(subscriber: Subscriber, *, now: datetime, usage: UsageReads) -> PreparedReview:
    """The review of an account as it would be held now. A query of usage and a read of the catalogue."""
    contract = subscriber.account.contract
    today = contract.today(now)
    running = month_of(today)
    # One month more than is asked for: usage in it shows that the oldest one is complete.
    usage_by_product = usage.totals(
        subscriber.account.id, month_before(running, CLOSED_MONTHS + 1), month_before(running)
    )
    catalogue = usage.catalogue(subscriber.subscription.catalogue_version)
    return PreparedReview(
        tuple(
            lower_tier_fit(line, usage_by_product.get(line.product, {}), catalogue, contract, today)
            for line in lines_at_renewal(subscriber.subscription, contract, today)
        )
    )
