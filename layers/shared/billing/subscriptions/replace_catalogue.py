"""A new version of what is sold. Accounts stay on the version whose prices they signed."""

from __future__ import annotations

from billing.kernel.errors import StaleVersion, VersionRequired
from billing.kernel.events import EventType, RequestContext
from billing.platform.events.new_event import new_event
from billing.subscriptions import catalogue as rules
from billing.subscriptions.catalogue import Catalogue, Product
from billing.subscriptions.catalogue_records import CatalogueStore


def replace_catalogue(
    products: tuple[Product, ...], replaces: int | None, *, context: RequestContext, store: CatalogueStore
) -> Catalogue:
    """The catalogue after it. `replaces` is the version that the caller has seen: 0 for none yet.

    What already stands is not written again, so a repeated request finds its own result whatever version it
    names. Raises RuleViolation, VersionRequired (None given, and there is one), StaleVersion.
    """
    rules.check(products)
    current = store.newest_catalogue()
    version = 0 if current is None else current.version
    if current is not None and current.products == products:
        return current
    if replaces is None:
        raise VersionRequired("Name the version that this replaces: If-Match with its ETag, or If-None-Match: *.")
    if replaces != version:
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
        # The same request, sent twice at once: this one has failed on its own result.
        if store.newest_catalogue() != replacement:
            raise
    return replacement
