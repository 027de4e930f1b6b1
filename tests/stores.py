"""All stores of the one table in one object, for tests that look at many areas. The product's code names each."""

from __future__ import annotations

from billing.store.account_store import AccountStore
from billing.store.billing_page_store import BillingPageStore
from billing.store.catalogue_store import CatalogueStore
from billing.store.delivery_store import DeliveryStore
from billing.store.event_store import EventStore
from billing.store.invoice_store import InvoiceStore
from billing.store.review_store import ReviewStore
from billing.store.subscription_store import SubscriptionStore


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
