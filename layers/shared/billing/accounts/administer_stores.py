"""Staff add, rename, close and reopen the stores of a running account (decision 0034)."""

from __future__ import annotations

from dataclasses import replace

from billing.accounts.records import AccountStore
from billing.accounts.rules import Account, Status, Store
from billing.kernel.errors import Conflict, StaleVersion, VersionRequired
from billing.kernel.events import EventType, RequestContext
from billing.kernel.fields import fields_of
from billing.kernel.versions import Versions, includes
from billing.platform.events.new_event import new_event


def change_store(
    account: Account,
    store: Store,
    replaces: Versions | None,
    *,
    is_preview: bool,
    context: RequestContext,
    accounts: AccountStore,
) -> Account:
    """Returns the account after a store was added or changed. An equal store is not written again.

    `replaces` is the version of the account that the caller has seen. A preview writes nothing, and names no version.
    One transaction, and one get if its condition fails. Raises RuleViolation, Conflict for a deactivated account or one
    with too many stores, VersionRequired, StaleVersion, and ConcurrentChange after a collision.
    """
    if account.status is Status.DEACTIVATED:
        raise Conflict("The account is deactivated: its stores are not changed any more.")
    changed = account.with_store(store, account.contract.today(context.time))
    if changed == account:
        return account
    if replaces is None and not is_preview:
        raise VersionRequired("Name the version that this replaces: If-Match with its ETag.")
    if replaces is not None and not includes(replaces, account.version):
        raise StaleVersion
    if is_preview:
        return changed
    before = next((each for each in account.stores if each.id == store.id), None)
    event = new_event(
        EventType.STORE_CHANGED,
        context,
        account=account.id,
        before=None if before is None else fields_of(before, id="store"),
        after=fields_of(store, id="store"),
    )
    try:
        accounts.save_account(changed, event)
    except StaleVersion:
        # Two copies of one request may run at once. The slower one then finds the result of the faster one.
        stored = accounts.account(account.id)
        if store not in stored.stores:
            raise
        return stored
    return replace(changed, version=account.version + 1)
