"""Who of a company may see its account, and who may change it. There is always an admin left."""

from __future__ import annotations

from dataclasses import replace

from billing.accounts.directory import Directory, InvalidAddress
from billing.accounts.records import AccountStore
from billing.accounts.rules import Account, User
from billing.kernel.errors import NotFound, RuleViolation, Violation
from billing.kernel.events import EventType, RequestContext
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
    """The person with this address in this role afterwards, written to (notify) if they are new to the account.

    Raises LastAdmin, Conflict for a full account, RuleViolation for staff, ConcurrentChange, UpstreamFailed.
    """
    people = {user.id: user for user in store.users(account.id)}
    known = next((user for user in people.values() if user.email == email), None)
    if known is None:
        account.require_room()
        known = User(user_of(directory, email, name, ("email",)), email, name, role)
    elif (known.name, known.role) == (name, role):
        # The same again means: the address is right, whatever became of the mail to it.
        store.write_again_to(account.id, email)
        return known
    user = replace(known, name=name, role=role)
    # Looked up by the person: somebody who has changed their address was known by another one.
    before = people.get(user.id)
    event = new_event(
        EventType.USER_CHANGED if before else EventType.USER_ADDED,
        context,
        account=account.id,
        before=fields_of(before, id="user") if before else None,
        after=fields_of(user, id="user"),
    )
    store.save_user(account.with_role(user.id, role), user, event)
    return user


def remove_user(account: Account, user: str, *, context: RequestContext, store: AccountStore) -> None:
    """Ends a person's access to this account; their log-in stays, for they may belong to others.

    Raises NotFound, LastAdmin, ConcurrentChange.
    """
    if user not in account.roles:
        raise NotFound("There is no such user in this account.")
    remaining = account.without(user)
    before = next((fields_of(each, id="user") for each in store.users(account.id) if each.id == user), None)
    event = new_event(EventType.USER_REMOVED, context, account=account.id, before=before, after=None)
    store.remove_user(remaining, user, event)


def user_of(directory: Directory, email: str, name: str, path: tuple[str, ...]) -> str:
    """The user id of whoever has this address, with a log-in made if they have none.

    Raises RuleViolation at `path` for an address that cannot be written to, for one that somebody has given
    themselves without proving that it is theirs, and for staff, who would carry their rights into a customer's
    account.
    """
    try:
        log_in = directory.log_in(email, name)
    except InvalidAddress as refused:
        raise RuleViolation(Violation(path, "Nobody can log in with this address.")) from refused
    if not log_in.verified:
        raise RuleViolation(Violation(path, "Whoever uses this address has not proved that it is theirs."))
    if log_in.staff:
        raise RuleViolation(Violation(path, "This address belongs to staff, who cannot be users of an account."))
    return log_in.user
