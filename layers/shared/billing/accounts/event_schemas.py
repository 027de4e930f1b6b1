"""Schemas of the events about accounts, their users and their billing information."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from billing.platform.events.envelope import AccountEvent, Facts
from billing.platform.events.facts import ContractFacts, LineFacts


class UserFacts(Facts):
    user: str
    email: str
    name: str
    role: Literal["admin", "member"]


class AccountFacts(Facts):
    name: str
    contract: ContractFacts
    lines: list[LineFacts]
    first_admin: UserFacts


class InformationFacts(Facts):
    """An area of billing information; `details` are its fields."""

    area: Literal["company", "billing", "contact"]
    details: dict[str, str | None]


class AccountProvisioned(AccountEvent[Literal["account.provisioned"], None, AccountFacts]):
    """A new account."""


class BillingInformationChanged(
    AccountEvent[Literal["billing_information.changed"], InformationFacts, InformationFacts]
):
    """An area of billing information was changed; future invoices say so."""


class AdminAppointmentFacts(Facts):
    """The appointment of an admin by staff. It takes effect at `effective_at`, unless it is ended before."""

    appointment: str
    email: str
    name: str
    reason: str
    announced_at: datetime
    effective_at: datetime


class AppointmentEndFacts(Facts):
    """Who ended it: an admin objected, or staff took it back. If it failed, `cause` is the code of the error."""

    outcome: Literal["objected", "taken_back", "failed"]
    cause: str | None


class FirstAdminsFacts(Facts):
    admins: list[UserFacts]


class CorrectedProvisioningFacts(Facts):
    """`areas` are the areas of the billing information that were corrected, too."""

    first_admin: UserFacts
    areas: list[Literal["company", "billing", "contact"]]
    reason: str


class AdminAppointmentAnnounced(AccountEvent[Literal["admin_appointment.announced"], None, AdminAppointmentFacts]):
    """Staff have announced an admin of the account. Any present admin can object."""


class AdminAppointmentEffective(AccountEvent[Literal["admin_appointment.effective"], AdminAppointmentFacts, UserFacts]):
    """An appointment has taken effect: the person is an admin."""


class AdminAppointmentEnded(
    AccountEvent[Literal["admin_appointment.ended"], AdminAppointmentFacts, AppointmentEndFacts]
):
    """An appointment has ended without effect."""


class ProvisioningCorrected(
    AccountEvent[Literal["provisioning.corrected"], FirstAdminsFacts, CorrectedProvisioningFacts]
):
    """Staff have corrected the first admin of an account that no admin had logged in to."""


class UserAdded(AccountEvent[Literal["user.added"], None, UserFacts]):
    """A person was given a role in the account."""


class UserChanged(AccountEvent[Literal["user.changed"], UserFacts, UserFacts]):
    """A person's name or role was changed."""


class UserInvitedAgain(AccountEvent[Literal["user.invited_again"], UserFacts, UserFacts]):
    """The invitation of a person who has not logged in yet is sent again. Nothing about the person has changed."""


class UserRemoved(AccountEvent[Literal["user.removed"], UserFacts, None]):
    """A person has no longer access to the account."""
