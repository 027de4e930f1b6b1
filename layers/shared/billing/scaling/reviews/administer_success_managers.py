"""Staff save customer success managers, and assign them to accounts."""

from __future__ import annotations

from dataclasses import replace

from billing.accounts.rules import Account
from billing.kernel.errors import RuleViolation, StaleVersion, VersionRequired, Violation
from billing.kernel.events import EventType, RequestContext
from billing.kernel.field_codes import FieldCode
from billing.kernel.fields import fields_of
from billing.kernel.versions import Versions, includes
from billing.platform.events.new_event import new_event
from billing.scaling.reviews.success_manager_records import SuccessManagerStore
from billing.scaling.reviews.success_managers import SuccessManager


def replace_success_manager(
    manager: SuccessManager, replaces: Versions | None, *, context: RequestContext, store: SuccessManagerStore
) -> SuccessManager:
    """Adds or replaces a success manager; returns it with its new version.

    `replaces` is the version that the caller has seen, 0 for none yet. Equal values are not written again, so a
    repeated request succeeds with any version. Booked reviews do not change. One read and one transaction; one read
    more if its condition fails. Raises VersionRequired, StaleVersion, and ConcurrentChange after a collision.
    """
    current = store.success_manager(manager.id)
    version = 0 if current is None else current.version
    if current is not None and replace(manager, version=version) == current:
        return current
    if replaces is None:
        raise VersionRequired("Name the version that this replaces: If-Match with its ETag, or If-None-Match: *.")
    if not includes(replaces, version):
        raise StaleVersion
    changed = replace(manager, version=version + 1)
    event = new_event(
        EventType.SUCCESS_MANAGER_CHANGED,
        context,
        account=None,
        before=None if current is None else fields_of(current, id="success_manager"),
        after=fields_of(changed, id="success_manager"),
    )
    try:
        store.replace_success_manager(changed, version, event)
    except StaleVersion:
        # The same request may have been sent twice at once: then the other one has written these values.
        if store.success_manager(manager.id) != changed:
            raise
    return changed


def assign_success_manager(
    account: Account, success_manager: str, *, context: RequestContext, store: SuccessManagerStore
) -> SuccessManager:
    """Assigns a success manager to an account. Booked reviews stay with their manager.

    The same assignment is not written again. One or two reads and one transaction. Raises RuleViolation for an unknown
    id, ConcurrentChange.
    """
    manager = store.success_manager(success_manager)
    if manager is None:
        raise RuleViolation(
            Violation(("success_manager",), f"There is no success manager {success_manager}.", FieldCode.UNKNOWN)
        )
    if account.success_manager == success_manager:
        return manager
    before = None if account.success_manager is None else store.success_manager(account.success_manager)
    event = new_event(
        EventType.ACCOUNT_SUCCESS_MANAGER_ASSIGNED,
        context,
        account=account.id,
        before=None if before is None else _assigned(before),
        after=_assigned(manager),
    )
    store.assign_success_manager(replace(account, success_manager=success_manager), event)
    return manager


def _assigned(manager: SuccessManager) -> dict[str, str]:
    return {"success_manager": manager.id, "name": manager.name, "email": manager.email}
