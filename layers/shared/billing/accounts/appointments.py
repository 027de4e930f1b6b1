"""Appointments: staff give an account an admin, after a time in which any present admin can object (DESIGN 3.4.6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from billing.accounts.rules import Account
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import Conflict, NotFound

DELAY_DAYS_MIN = 1
"""An appointment without a delay would let staff act for a customer: cancel, or change a card."""


class AppointmentState(StrEnum):
    """The state of an appointment: open, or how it has ended."""

    OPEN = "open"
    EFFECTIVE = "effective"
    OBJECTED = "objected"
    TAKEN_BACK = "taken_back"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Appointment:
    """The appointment of a person as an admin of an account. `id` is a ULID.

    It takes effect at `effective_at`. `cause` is the code of the error by which it has failed, None otherwise.
    `version` counts the writes of the account's newest appointment.
    """

    id: str
    email: str
    name: str
    reason: str
    announced_at: datetime
    effective_at: datetime
    state: AppointmentState = AppointmentState.OPEN
    ended_at: datetime | None = None
    cause: str | None = None
    version: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it will take effect unless somebody ends it."""
        return self.state is AppointmentState.OPEN

    def ended(self, state: AppointmentState, at: datetime, cause: str | None = None) -> Appointment:
        """The appointment after its end."""
        return replace(self, state=state, ended_at=at, cause=cause)


class AppointmentOpen(Conflict):
    """An account has one open appointment at a time."""

    code = "appointment-open"

    def __init__(self, open_one: Appointment) -> None:
        super().__init__(
            f"Another appointment is open until {open_one.effective_at:%Y-%m-%d %H:%M} UTC. Take it back first."
        )


class AlreadyAdmin(Conflict):
    """The person is an admin of the account already."""

    code = "already-admin"

    def __init__(self) -> None:
        super().__init__("This person is an admin of the account already.")


class DeletedBefore(Conflict):
    """The account is deleted before the appointment would take effect."""

    code = "deleted-before"

    def __init__(self) -> None:
        super().__init__("The account is deleted before the appointment would take effect.")


class NoAppointment(NotFound):
    """There is no appointment, or none with this id."""

    code = "appointment-not-found"

    def __init__(self) -> None:
        super().__init__("There is no such appointment.")


class AppointmentEnded(Conflict):
    """The appointment has ended in another way."""

    code = "appointment-ended"

    def __init__(self, ended: Appointment) -> None:
        ends = {
            AppointmentState.EFFECTIVE: "It has taken effect. An admin can end the person's access.",
            AppointmentState.OBJECTED: "An admin has objected.",
            AppointmentState.TAKEN_BACK: "Staff have taken it back.",
            AppointmentState.FAILED: "It could not take effect.",
        }
        super().__init__(ends[ended.state])


def effective_at(account: Account, now: datetime, delay_days: int) -> datetime:
    """The instant at which an appointment of `now` takes effect, in UTC. Raises DeletedBefore.

    A cancelled or deactivated account can get an admin: to withdraw the cancellation, to reactivate, to take its data.
    """
    at = now + timedelta(days=max(delay_days, DELAY_DAYS_MIN))
    contract: Contract = account.contract
    if account.ending is not None and contract.today(at) >= account.ending.purge_on:
        raise DeletedBefore
    return at
