"""Adds a version of the catalogue. Accounts keep the version whose prices they signed."""

from __future__ import annotations

from billing.kernel.errors import StaleVersion, VersionRequired
from billing.kernel.events import EventType, RequestContext
from billing.kernel.versions import Versions, includes
from billing.platform.events.new_event import new_event
from billing.subscriptions import catalogue as rules
from billing.subscriptions.catalogue import Catalogue, Product
from billing.subscriptions.catalogue_records import CatalogueStore


def replace_catalogue(
    products: tuple[Product, ...],
    replaces: Versions | None,
    *,
    is_charged: bool,
    context: RequestContext,
    store: CatalogueStore,
) -> Catalogue:
    """Returns the newest catalogue after the change. `replaces` is the version that the caller has seen, 0 for none.

    `is_charged` is False where all customers pay by bank transfer.

    Products that are already the newest version are not written again. So a repeated request finds its own result,
    whatever version it names. Raises RuleViolation, VersionRequired if `replaces` is None, StaleVersion, and
    ConcurrentChange after a collision. One query and one transaction; one query more if its condition fails.
    """
    rules.check(products, is_charged=is_charged)
    current = store.newest_catalogue()
    version = 0 if current is None else current.version
    if current is not None and current.products == products:
        return current
    if replaces is None:
        raise VersionRequired("Name the version that this replaces: If-Match with its ETag, or If-None-Match: *.")
    if not includes(replaces, version):
        raise StaleVersion
    replacement = Catalogue(version + 1, products)
    event = new_event(
        EventType.CATALOGUE_REPLACED,
        context,
        account=None,
        before=None if current is None else {"version": version},
        after={"version": replacement.version},
    )
    try:
        store.add_catalogue(replacement, event)
    except StaleVersion:
        # Two copies of one request may run at once. The slower one then finds the result of the faster one.
        if store.newest_catalogue() != replacement:
            raise
    return replacement
