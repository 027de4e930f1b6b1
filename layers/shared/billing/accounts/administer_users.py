"""Adds, changes and removes the users of an account. An account keeps at least one admin (DESIGN 3.4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from billing.accounts.directory import Directory, InvalidAddress
from billing.accounts.log_in_records import ORPHANED_LOG_IN_DAYS, leaving_at
from billing.accounts.records import AccountStore
from billing.accounts.rules import Account, User
from billing.kernel.errors import NotFound, RuleViolation, Violation
from billing.kernel.events import EventType, RequestContext
from billing.kernel.field_codes import FieldCode
from billing.kernel.fields import fields_of
from billing.kernel.permissions import Role
from billing.platform.events.new_event import new_event


def save_user(
    account: Account,
    email: str,
    name: str,
    role: Role,
    *,
    context: RequestContext,
    directory: Directory,
    store: AccountStore,
) -> User:
    """Adds a user, or changes the name and role of the user with this address. Returns the saved user.

    The event of a new user sends their invitation. A repeated request only clears the address's undeliverable mark. If
    the log-in of an existing user is gone, the user gets another one, and another invitation.

    Raises LastAdmin, Conflict for a full account, RuleViolation for an address that cannot be a user's,
    ConcurrentChange, UpstreamFailed. One query and one transaction; two to four directory calls for a new address, one
    for a known one.
    """
    users = {user.id: user for user in store.users(account.id)}
    existing = next((user for user in users.values() if user.email == email), None)
    if existing is not None and not directory.has_log_in(existing.id):
        return _invite_again(account, users, existing, name, role, context=context, directory=directory, store=store)
    if existing is None:
        account.require_room()
        existing = User(find_or_create_user(directory, email, name, ("email",)), email, name, role)
    elif (existing.name, existing.role) == (name, role):
        # An admin who repeats the request confirms the address, even if mail to it has bounced.
        store.clear_undeliverable(account.id, email)
        return existing
    user = replace(existing, name=name, role=role)
    # By user id, because the account may still have the user's former address.
    before = users.get(user.id)
    event = new_event(
        EventType.USER_CHANGED if before else EventType.USER_ADDED,
        context,
        account=account.id,
        before=fields_of(before, id="user") if before else None,
        after=fields_of(user, id="user"),
    )
    store.save_user(account.with_role(user.id, role), user, event)
    return user


def _invite_again(
    account: Account,
    users: Mapping[str, User],
    gone: User,
    name: str,
    role: Role,
    *,
    context: RequestContext,
    directory: Directory,
    store: AccountStore,
) -> User:
    """Gives a user whose log-in is gone another one, with another id: somebody has deleted it in the directory.

    To the account, one user leaves and another one joins.
    """
    user = User(find_or_create_user(directory, gone.email, name, ("email",)), gone.email, name, role)
    before = users.get(user.id)  # of a log-in that has taken over this address
    left = new_event(EventType.USER_REMOVED, context, account=account.id, before=fields_of(gone, id="user"), after=None)
    joined = new_event(
        EventType.USER_CHANGED if before else EventType.USER_ADDED,
        context,
        account=account.id,
        before=fields_of(before, id="user") if before else None,
        after=fields_of(user, id="user"),
    )
    replaced = gone.id if gone.id != user.id else None
    store.save_user(account.with_another(gone.id, user.id, role), user, left, joined, replaces=replaced)
    return user


def remove_user(
    account: Account,
    user: str,
    *,
    context: RequestContext,
    store: AccountStore,
    log_in_days: int = ORPHANED_LOG_IN_DAYS,
) -> None:
    """Ends a user's access to this account.

    Their log-in is deleted `log_in_days` later, unless they belong to another account, or are invited again by then.
    Raises NotFound, LastAdmin, ConcurrentChange. One query and one transaction.
    """
    if user not in account.roles:
        raise NotFound("There is no such user in this account.")
    remaining = account.without(user)
    before = next((fields_of(each, id="user") for each in store.users(account.id) if each.id == user), None)
    event = new_event(EventType.USER_REMOVED, context, account=account.id, before=before, after=None)
    store.remove_user(remaining, user, event, leaving_at(context.time, log_in_days))


def find_or_create_user(directory: Directory, email: str, name: str, path: tuple[str, ...]) -> str:
    """Returns the user id for this address, and creates a log-in if there is none.

    Raises RuleViolation at `path` for an address that the directory refuses, for an address that its user has not
    verified, and for staff, because staff keep their rights in every account (DESIGN 3.4.3). Raises UpstreamFailed.
    """
    try:
        log_in = directory.log_in(email, name)
    except InvalidAddress as refused:
        raise RuleViolation(Violation(path, "Nobody can log in with this address.", FieldCode.UNUSABLE)) from refused
    if not log_in.verified:
        raise RuleViolation(
            Violation(path, "Whoever uses this address has not proved that it is theirs.", FieldCode.UNVERIFIED)
        )
    if log_in.staff:
        raise RuleViolation(
            Violation(path, "This address belongs to staff, who cannot be users of an account.", FieldCode.STAFF)
        )
    return log_in.user
