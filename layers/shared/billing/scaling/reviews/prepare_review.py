"""Prepares a review: compares the usage of each product with the tiers below its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing.scaling.reviews.rules import LowerTierFit, lines_at_renewal, lower_tier_fit, next_renewal
from billing.subscriptions.subscriber import Subscriber
from billing.usage.rules import CLOSED_MONTHS, month_before, month_of
from billing.usage.totals import UsageReads


@dataclass(frozen=True, slots=True)
class PreparedReview:
    """How the usage of each product of an account fits lower tiers."""

    products: tuple[LowerTierFit, ...]


def prepared_review(subscriber: Subscriber, *, now: datetime, usage: UsageReads) -> PreparedReview:
    """The figures for a review of an account at the instant `now`. One query of usage, one read of the catalogue."""
    contract = subscriber.account.contract
    today = contract.today(now)
    running = month_of(today)
    # One more month: usage in it shows that the oldest of the three months is complete.
    usage_by_product = usage.totals(
        subscriber.account.id, month_before(running, CLOSED_MONTHS + 1), month_before(running)
    )
    subscription = subscriber.subscription
    catalogue = usage.catalogue(subscription.version_on(next_renewal(contract, today)))
    return PreparedReview(
        tuple(
            lower_tier_fit(line, usage_by_product.get(line.product, {}), catalogue, contract, today)
            for line in lines_at_renewal(subscription, contract, today)
        )
    )
