"""Billing information: who is invoiced, where the invoices go, whom to talk to. Used on future invoices."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Generic, TypeVar

DEFAULT_LANGUAGE = "en"

_ASCII_ONLY = "Use the letters A to Z and the digits 0 to 9."
_MINUS = "\u2212"


def compact_identifier(text: str) -> str:
    """An identifier, such as a VAT number, as machines compare it: A to Z and 0 to 9, without what parts its groups.

    Letters and digits in full width and digits of any script become ASCII; spaces, punctuation and invisible
    characters go. Raises ValueError, in words for its author, for any other character.
    """
    kept = [each for each in _folded(text) if not _is_separator(each)]
    if not all(each.isascii() and each.isalnum() for each in kept):
        raise ValueError(_ASCII_ONLY)
    # Only now, because some letters of other alphabets become ASCII as capitals.
    return "".join(kept).upper()


def normal_postcode(text: str) -> str:
    """A postcode as it is printed: printable ASCII, one space between its parts. Capitals stay as they are.

    Raises ValueError, in words for its author, for letters and digits that have no ASCII form.
    """
    plain = "".join(_plain_separator(each) for each in _folded(text))
    if not (plain.isascii() and plain.isprintable()):
        raise ValueError(_ASCII_ONLY)
    return " ".join(plain.split())


def as_printed(normal: Callable[[str], str], stored: str | None) -> str | None:
    """An identifier that was stored before identifiers were normalised. It is left alone where it is ASCII already,
    and where it has no ASCII form."""
    if stored is None or stored.isascii():
        return stored
    try:
        return normal(stored)
    except ValueError:
        return stored


def _folded(text: str) -> str:
    """NFKC knows full width and the like; the digits of other scripts have a value of their own."""
    compatible = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.decimal(each, each)) for each in compatible)


def _is_separator(character: str) -> bool:
    return (
        character.isspace() or character == _MINUS or unicodedata.category(character)[0] in "PZ" or _hidden(character)
    )


def _plain_separator(character: str) -> str:
    if _hidden(character):
        return ""
    if unicodedata.category(character) == "Pd" or character == _MINUS:
        return "-"
    return " " if unicodedata.category(character)[0] == "Z" else character


def _hidden(character: str) -> bool:
    return unicodedata.category(character) == "Cf"


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

    def for_invoice(self) -> CompanyDetails:
        """The company with its identifiers in ASCII. Those of older accounts are stored as they were typed."""
        return replace(
            self,
            postcode=as_printed(normal_postcode, self.postcode),
            vat_number=as_printed(compact_identifier, self.vat_number),
        )


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
