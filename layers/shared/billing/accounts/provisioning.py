"""What staff may correct of an account that no admin has logged in to (DESIGN 3.4.7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from billing.accounts.information import Area, BillingDetails, BillingInformation, CompanyDetails, ContactDetails
from billing.accounts.rules import Account
from billing.kernel.errors import Conflict


@dataclass(frozen=True, slots=True)
class ProvisioningCorrection:
    """What is right about a provisioning. An area that is None stays as it is."""

    email: str
    name: str
    reason: str
    company: CompanyDetails | None = None
    billing: BillingDetails | None = None
    contact: ContactDetails | None = None

    def areas(
        self, current: BillingInformation
    ) -> Iterator[tuple[Area, CompanyDetails | BillingDetails | ContactDetails]]:
        """The areas that change, with their new details."""
        for area, details in ((Area.COMPANY, self.company), (Area.BILLING, self.billing), (Area.CONTACT, self.contact)):
            if details is not None and current.area(area).details != details:
                yield area, details


class AdminHasLoggedIn(Conflict):
    """An admin has used the account: it is theirs to change."""

    code = "admin-has-logged-in"

    def __init__(self) -> None:
        super().__init__("An admin has logged in to this account. Staff can announce another admin instead.")


class LogInsUnknown(Conflict):
    """The account is of a release that did not note who had logged in."""

    code = "log-ins-unknown"

    def __init__(self) -> None:
        super().__init__(
            "It is not known whether an admin has logged in: an earlier release has provisioned this account. Staff "
            "can announce another admin instead."
        )


def is_correctable(account: Account) -> bool:
    """Whether staff may still correct the provisioning: no admin has ever logged in."""
    return bool(account.identity) and account.used_since is None


def require_correctable(account: Account) -> None:
    """Raises AdminHasLoggedIn, or LogInsUnknown for an account of an earlier release."""
    if account.used_since is not None:
        raise AdminHasLoggedIn
    if not account.identity:  # accounts have one since the release that notes log-ins
        raise LogInsUnknown
