"""Most stores in one object, for tests that use several areas. The code itself uses each store by name."""

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
    """The stores that most tests use."""
