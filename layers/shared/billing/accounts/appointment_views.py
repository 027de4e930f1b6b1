"""Appointments of admins, and corrections of a provisioning, in API requests and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import StringConstraints

from billing.accounts.appointments import Appointment, AppointmentState
from billing.accounts.information_views import BillingBody, CompanyBody, ContactBody
from billing.accounts.provisioning import ProvisioningCorrection, is_correctable
from billing.accounts.rules import Account, User
from billing.accounts.user_views import UserView
from billing.kernel.permissions import Role
from billing.platform.http.models import IDENTIFIER_LENGTH_MAX, Body, LogInEmail, PersonName, Text, View


class AppointmentBody(Body):
    """The person whom staff appoint as an admin, and why. The reason is mailed to the admins."""

    email: LogInEmail
    name: PersonName
    reason: Text


class ObjectionBody(Body):
    """Which appointment an admin objects to: its id."""

    appointment: Annotated[str, StringConstraints(min_length=1, max_length=IDENTIFIER_LENGTH_MAX)]


class AppointmentView(View):
    """The newest appointment of an admin. While it is `open`, it takes effect at `effective_at`.

    `cause` is the code of the error by which a `failed` one could not take effect.
    """

    appointment: str
    status: AppointmentState
    email: str
    name: str
    reason: str
    announced_at: datetime
    effective_at: datetime
    ended_at: datetime | None
    cause: str | None

    @classmethod
    def of(cls, appointment: Appointment) -> AppointmentView:
        return cls(
            appointment=appointment.id,
            status=appointment.state,
            email=appointment.email,
            name=appointment.name,
            reason=appointment.reason,
            announced_at=appointment.announced_at,
            effective_at=appointment.effective_at,
            ended_at=appointment.ended_at,
            cause=appointment.cause,
        )


class CorrectedAdminBody(Body):
    """The person who is invited to run the account on the customer's side."""

    email: LogInEmail
    name: PersonName


class ProvisioningCorrectionBody(Body):
    """What is right about a provisioning. An area without a value stays as it is."""

    first_admin: CorrectedAdminBody
    reason: Text
    company: CompanyBody | None = None
    billing: BillingBody | None = None
    contact: ContactBody | None = None

    def value(self) -> ProvisioningCorrection:
        return ProvisioningCorrection(
            email=self.first_admin.email,
            name=self.first_admin.name,
            reason=self.reason,
            company=None if self.company is None else self.company.details(),
            billing=None if self.billing is None else self.billing.details(),
            contact=None if self.contact is None else self.contact.details(),
        )


class ProvisioningView(View):
    """The first admins of an account, and whether staff may still correct them: until an admin logs in."""

    account: str
    correctable: bool
    admins: list[UserView]

    @classmethod
    def of(cls, account: Account, users: tuple[User, ...]) -> ProvisioningView:
        admins = [UserView.of(user, account.logged_in.get(user.id)) for user in users if user.role is Role.ADMIN]
        return cls(account=account.id, correctable=is_correctable(account), admins=admins)
