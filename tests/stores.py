"""All stores of the one table in one object, for tests that look at many areas. The product's code names each."""

from __future__ import annotations

from billing.accounts.records import AccountStore
from billing.billing_page.records import BillingPageStore
from billing.correspondence.records import DeliveryStore
from billing.invoicing.records import InvoiceStore
from billing.platform.events.records import EventStore
from billing.scaling.reviews.records import ReviewStore
from billing.subscriptions.catalogue_records import CatalogueStore
from billing.subscriptions.records import SubscriptionStore


class Stores(
    BillingPageStore,
    AccountStore,
    CatalogueStore,
    SubscriptionStore,
    ReviewStore,
    EventStore,
    DeliveryStore,
    InvoiceStore,
):
    """The table as most tests see it."""
