"""Billing information: who is invoiced, where the invoices go, whom to talk to. Used on future invoices."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

DEFAULT_LANGUAGE = "en"


class Area(StrEnum):
    """The three areas; each is changed by itself."""

    COMPANY = "company"
    BILLING = "billing"
    CONTACT = "contact"


@dataclass(frozen=True, slots=True)
class CompanyDetails:
    """The company as it stands on an invoice. `country` is ISO 3166-1 alpha-2."""

    name: str
    address_line_1: str
    address_line_2: str | None
    postcode: str | None
    city: str
    country: str
    vat_number: str | None


@dataclass(frozen=True, slots=True)
class BillingDetails:
    """Where invoices are sent, and the language (ISO 639) in which the account is written to."""

    email: str
    language: str = DEFAULT_LANGUAGE


@dataclass(frozen=True, slots=True)
class ContactDetails:
    """The person to talk to about the account."""

    name: str
    phone: str | None


Details = CompanyDetails | BillingDetails | ContactDetails

D_co = TypeVar("D_co", bound=Details, covariant=True)


@dataclass(frozen=True, slots=True)
class Information(Generic[D_co]):
    """One area with the count of its changes."""

    details: D_co
    version: int


@dataclass(frozen=True, slots=True)
class BillingInformation:
    """The three areas together."""

    company: Information[CompanyDetails]
    billing: Information[BillingDetails]
    contact: Information[ContactDetails]

    def area(self, area: Area) -> Information[Details]:
        """One of them by its name."""
        areas: dict[Area, Information[Details]] = {
            Area.COMPANY: self.company,
            Area.BILLING: self.billing,
            Area.CONTACT: self.contact,
        }
        return areas[area]
