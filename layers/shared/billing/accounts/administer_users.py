"""Adds, changes and removes the users of an account. An account keeps at least one admin (DESIGN 3.4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from billing.accounts.directory import Directory, InvalidAddress, LogIn
from billing.accounts.log_in_records import ORPHANED_LOG_IN_DAYS, leaving_at
from billing.accounts.records import AccountStore
from billing.accounts.rules import Account, Invitation, User
from billing.kernel.errors import NotFound, RuleViolation, Violation
from billing.kernel.events import EventType, RequestContext
from billing.kernel.field_codes import FieldCode
from billing.kernel.permissions import Role
from billing.platform.events.new_event import new_event


def save_user(
    account: Account,
    email: str,
    name: str,
    role: Role,
    *,
    invitations_per_day: int,
    context: RequestContext,
    directory: Directory,
    store: AccountStore,
) -> User:
    """Adds a user, or changes the name and role of the user with this address. Returns the saved user.

    The event of a new user sends their invitation. A repeated request sends it again if the user has not logged in yet
    and INVITED_AGAIN_AFTER has passed; otherwise it only clears the address's undeliverable mark. An account sends at
    most `invitations_per_day` invitations on a UTC day, and makes at most as many people admins. If the log-in of a
    user is gone, the user gets another one, and another invitation.

    Raises LastAdmin, Conflict for a full account, TooManyInvitations, TooManyPromotions, RuleViolation for an address
    that cannot be a user's, ConcurrentChange, UpstreamFailed. One query and one transaction; two to four directory
    calls for a new address, one for a known one.
    """
    users = {user.id: user for user in store.users(account.id)}
    before = next((user for user in users.values() if user.email == email), None)
    if before is not None and not directory.has_log_in(before.id):
        account = account.with_invitation(context.time, invitations_per_day)
        if role is Role.ADMIN and before.role is not Role.ADMIN:
            account = account.with_promotion(context.time, invitations_per_day)
        return _with_another_log_in(
            account, users, before, name, role, context=context, directory=directory, store=store
        )
    if before is None:
        account.require_room()
        # A refused invitation makes no log-in.
        invited = account.with_invitation(context.time, invitations_per_day)
        id_ = find_or_create_user(directory, email, name, ("email",))
        # By user id, because the account may still have the user's former address.
        before = users.get(id_)
        if before is None:
            user = User(id_, email, name, role, Invitation(context.time, context.actor))
            return _save(EventType.USER_ADDED, invited, None, user, context, store)
    elif (before.name, before.role) == (name, role):
        if account.awaits(before, context.time):
            invited = account.with_invitation(context.time, invitations_per_day)
            user = replace(before, invitation=Invitation(context.time, context.actor))
            return _save(EventType.USER_INVITED_AGAIN, invited, before, user, context, store)
        # An admin who repeats the request confirms the address, even if mail to it has bounced.
        store.clear_undeliverable(account.id, email)
        return before
    if role is Role.ADMIN and before.role is not Role.ADMIN:
        account = account.with_promotion(context.time, invitations_per_day)
    user = replace(before, email=email, name=name, role=role)
    return _save(EventType.USER_CHANGED, account, before, user, context, store)


def _save(
    type_: EventType, account: Account, before: User | None, user: User, context: RequestContext, store: AccountStore
) -> User:
    event = new_event(
        type_, context, account=account.id, before=None if before is None else before.facts, after=user.facts
    )
    store.save_user(account.with_role(user.id, user.role), user, event)
    return user


def _with_another_log_in(
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
    id_ = find_or_create_user(directory, gone.email, name, ("email",))
    before = users.get(id_)  # somebody of the account has taken over this address
    user = User(id_, gone.email, name, role, Invitation(context.time, context.actor))
    left = new_event(EventType.USER_REMOVED, context, account=account.id, before=gone.facts, after=None)
    joined = new_event(
        EventType.USER_CHANGED if before else EventType.USER_ADDED,
        context,
        account=account.id,
        before=None if before is None else before.facts,
        after=user.facts,
    )
    store.save_user(account.with_another(gone.id, user.id, role), user, left, joined, replaces=gone.id)
    return user


def remove_user(
    account: Account,
    user: str,
    *,
    context: RequestContext,
    store: AccountStore,
    log_in_days: int = ORPHANED_LOG_IN_DAYS,
    real: datetime | None = None,
) -> None:
    """Ends a user's access to this account.

    Their log-in is deleted `log_in_days` later, unless they belong to another account, or are invited again by then.
    It belongs to no test clock, so `real` is the real time, if the account's is another.
    Raises NotFound, LastAdmin, ConcurrentChange. One query and one transaction.
    """
    if user not in account.roles:
        raise NotFound("There is no such user in this account.")
    remaining = account.without(user)
    before = next((each.facts for each in store.users(account.id) if each.id == user), None)
    event = new_event(EventType.USER_REMOVED, context, account=account.id, before=before, after=None)
    store.remove_user(remaining, user, event, leaving_at(real or context.time, log_in_days))


def find_or_create_user(directory: Directory, email: str, name: str, path: tuple[str, ...]) -> str:
    """Returns the user id for this address, and creates a log-in if there is none.

    Raises RuleViolation at `path` for an address that the directory refuses, for an address that its user has not
    verified, and for staff, because staff keep their rights in every account (DESIGN 3.4.3). Raises UpstreamFailed.
    """
    try:
        log_in = directory.log_in(email, name)
    except InvalidAddress as refused:
        raise RuleViolation(Violation(path, "Nobody can log in with this address.", FieldCode.UNUSABLE)) from refused
    _require_customer(log_in, path)
    return log_in.user


def require_customer(directory: Directory, email: str, path: tuple[str, ...]) -> None:
    """Raises as find_or_create_user for an address that cannot be a user's. It creates no log-in."""
    try:
        log_in = directory.find(email)
    except InvalidAddress as refused:
        raise RuleViolation(Violation(path, "Nobody can log in with this address.", FieldCode.UNUSABLE)) from refused
    if log_in is not None:
        _require_customer(log_in, path)


def _require_customer(log_in: LogIn, path: tuple[str, ...]) -> None:
    if not log_in.verified:
        raise RuleViolation(
            Violation(path, "Whoever uses this address has not proved that it is theirs.", FieldCode.UNVERIFIED)
        )
    if log_in.staff:
        raise RuleViolation(
            Violation(path, "This address belongs to staff, who cannot be users of an account.", FieldCode.STAFF)
        )
