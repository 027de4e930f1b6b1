"""Appoints an admin: staff announce it, any present admin can object, and a worker carries it out (DESIGN 3.4.6).

It is for an account whose admins have all left. Everybody who could object is told at once, and staff cannot shorten
the time: only the deployment's AppointmentDelayDays says how long it is.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from billing.accounts.administer_users import find_or_create_user, require_customer
from billing.accounts.appointment_records import AppointmentStore
from billing.accounts.appointments import (
    AlreadyAdmin,
    Appointment,
    AppointmentEnded,
    AppointmentOpen,
    AppointmentState,
    NoAppointment,
    effective_at,
)
from billing.accounts.directory import Directory
from billing.accounts.rules import Account, Invitation, User
from billing.kernel.errors import Conflict, RuleViolation
from billing.kernel.events import Event, EventType, Facts, RequestContext, by_system
from billing.kernel.permissions import Role
from billing.platform.events.new_event import new_event, new_id

EMAIL = ("email",)


def announce_appointment(
    account: Account,
    email: str,
    name: str,
    reason: str,
    *,
    delay_days: int,
    context: RequestContext,
    directory: Directory,
    store: AppointmentStore,
) -> Appointment:
    """Announces an appointment, and returns it. A repeated request returns the same one.

    The event tells the admins and the address for invoices. Nobody gets a log-in before it takes effect. Raises
    AppointmentOpen, AlreadyAdmin, DeletedBefore, Conflict for a full account, RuleViolation for an address of staff or
    one that its user has not verified, ConcurrentChange, UpstreamFailed. One get, one query, up to two directory calls
    and one transaction.
    """
    newest = store.appointment(account.id)
    if newest is not None and newest.is_open:
        if (newest.email, newest.name) == (email, name):
            return newest
        raise AppointmentOpen(newest)
    at = effective_at(account, context.time, delay_days)
    users = {user.email: user for user in store.users(account.id)}
    if email not in users:
        account.require_room()
    elif users[email].role is Role.ADMIN:
        raise AlreadyAdmin
    require_customer(directory, email, EMAIL)
    version = 0 if newest is None else newest.version
    appointment = Appointment(new_id(context.time), email, name, reason, context.time, at, version=version)
    type_ = EventType.ADMIN_APPOINTMENT_ANNOUNCED
    event = new_event(type_, context, account=account.id, before=None, after=_facts(appointment))
    store.announce(account, appointment, event)
    return appointment


def end_appointment(
    account: Account,
    appointment: str | None,
    state: AppointmentState,
    *,
    context: RequestContext,
    store: AppointmentStore,
) -> Appointment:
    """Ends the open appointment: OBJECTED by an admin, or TAKEN_BACK by staff. A repeated request changes nothing.

    `appointment` is its id, None for the newest one. It can be ended until the moment at which it takes effect. Raises
    NoAppointment, AppointmentEnded if it has ended in another way, ConcurrentChange. One get and one transaction.
    """
    newest = store.appointment(account.id)
    if newest is None or appointment not in (None, newest.id):
        raise NoAppointment
    if newest.state is state:
        return newest
    if not newest.is_open:
        raise AppointmentEnded(newest)
    ended = newest.ended(state, context.time)
    store.end(account.id, ended, _end_event(account.id, ended, context))
    return ended


def carry_out_appointment(
    account: str, *, now: datetime, correlation: str, is_replay: bool, directory: Directory, store: AppointmentStore
) -> AppointmentState | None:
    """Carries out the open appointment of an account if it is due. Returns its state then; None if none was due.

    The person gets a log-in here, and the event of the new user invites them. If they cannot be a user of the account
    by now, the appointment fails, and staff and admins are told. One read; one query, two to four directory calls and
    one transaction if it is due. Raises ConcurrentChange, UpstreamFailed.
    """
    found = store.account_with_appointment(account)
    if found is None:
        return None
    current, appointment = found
    if appointment is None or not appointment.is_open or now < appointment.effective_at:
        return None
    context = by_system(now, correlation, is_replay=is_replay)
    try:
        return _carry_out(current, appointment, context, directory, store)
    except (RuleViolation, Conflict) as refused:
        if not _is_final(refused):
            raise
        failed = appointment.ended(AppointmentState.FAILED, now, refused.code)
        store.end(account, failed, _end_event(account, failed, context))
        return failed.state


def _carry_out(
    account: Account, appointment: Appointment, context: RequestContext, directory: Directory, store: AppointmentStore
) -> AppointmentState:
    users = {user.id: user for user in store.users(account.id)}
    before = next((user for user in users.values() if user.email == appointment.email), None)
    if before is None:
        account.require_room()
        id_ = find_or_create_user(directory, appointment.email, appointment.name, EMAIL)
        # By user id, because the account may still have the user's former address.
        before = users.get(id_)
        invitation = Invitation(context.time, context.actor) if before is None else before.invitation
        user = User(id_, appointment.email, appointment.name, Role.ADMIN, invitation)
    else:
        require_customer(directory, before.email, EMAIL)
        user = replace(before, role=Role.ADMIN)
    effective = appointment.ended(AppointmentState.EFFECTIVE, context.time)
    after = user.facts
    type_ = EventType.ADMIN_APPOINTMENT_EFFECTIVE
    events = [new_event(type_, context, account=account.id, before=_facts(appointment), after=after)]
    if before is None or before.role is not Role.ADMIN:
        change = EventType.USER_ADDED if before is None else EventType.USER_CHANGED
        facts = None if before is None else before.facts
        events.append(new_event(change, context, account=account.id, before=facts, after=after))
    store.carry_out(account.with_role(user.id, Role.ADMIN), effective, user, events, is_new=before is None)
    return effective.state


def _is_final(refused: RuleViolation | Conflict) -> bool:
    """Whether a retry would be refused again: everything but a collision with another change."""
    return isinstance(refused, RuleViolation) or type(refused) is Conflict


def _end_event(account: str, ended: Appointment, context: RequestContext) -> Event:
    type_ = EventType.ADMIN_APPOINTMENT_ENDED
    after = {"outcome": ended.state, "cause": ended.cause}
    return new_event(type_, context, account=account, before=_facts(ended), after=after)


def _facts(appointment: Appointment) -> Facts:
    return {
        "appointment": appointment.id,
        "email": appointment.email,
        "name": appointment.name,
        "reason": appointment.reason,
        "announced_at": appointment.announced_at,
        "effective_at": appointment.effective_at,
    }
