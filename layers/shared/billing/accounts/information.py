"""Billing information: the company on invoices, the address for invoices, the contact. For future invoices only."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Generic, TypeVar

from billing.kernel.field_codes import FieldCode, Unfit

DEFAULT_LANGUAGE = "en"

_ASCII_ONLY = "Use the letters A to Z and the digits 0 to 9."
_MINUS = "\u2212"


def compact_identifier(text: str) -> str:
    """Returns an identifier, such as a VAT number, for comparison: capitals A to Z and digits, no separators.

    Full-width letters and digits of any script become ASCII. Spaces, punctuation and invisible characters are removed.
    Raises ValueError for any other character, with a message for the author of the text.
    """
    characters = [each for each in _folded(text) if not _is_separator(each)]
    if not all(each.isascii() and each.isalnum() for each in characters):
        raise Unfit(_ASCII_ONLY, FieldCode.NOT_ASCII)
    # After the check, because some letters of other alphabets have an ASCII capital.
    return "".join(characters).upper()


def normal_postcode(text: str) -> str:
    """Returns a postcode for print: printable ASCII, one space between its parts, upper and lower case unchanged.

    Raises ValueError for letters and digits without an ASCII form, with a message for the author of the text.
    """
    plain = "".join(_plain_separator(each) for each in _folded(text))
    if not (plain.isascii() and plain.isprintable()):
        raise Unfit(_ASCII_ONLY, FieldCode.NOT_ASCII)
    return " ".join(plain.split())


def as_printed(normal: Callable[[str], str], stored: str | None) -> str | None:
    """Returns an identifier that was stored before identifiers were normalised, made ASCII with `normal`.

    An identifier that is ASCII already, or has no ASCII form, is returned unchanged.
    """
    if stored is None or stored.isascii():
        return stored
    try:
        return normal(stored)
    except ValueError:
        return stored


def _folded(text: str) -> str:
    """NFKC replaces compatibility forms, such as full width. It keeps digits of other scripts, so these follow."""
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
    """The areas of billing information. Each has its own version and is changed by itself."""

    COMPANY = "company"
    BILLING = "billing"
    CONTACT = "contact"


@dataclass(frozen=True, slots=True)
class CompanyDetails:
    """The company that an invoice names. `country` is ISO 3166-1 alpha-2."""

    name: str
    address_line_1: str
    address_line_2: str | None
    postcode: str | None
    city: str
    country: str
    vat_number: str | None

    def for_invoice(self) -> CompanyDetails:
        """The company with its identifiers in ASCII. Older accounts have them stored as typed."""
        return replace(
            self,
            postcode=as_printed(normal_postcode, self.postcode),
            vat_number=as_printed(compact_identifier, self.vat_number),
        )


@dataclass(frozen=True, slots=True)
class BillingDetails:
    """The address for invoices, and the language (ISO 639) of all mail to the account."""

    email: str
    language: str = DEFAULT_LANGUAGE


@dataclass(frozen=True, slots=True)
class ContactDetails:
    """The company's contact person."""

    name: str
    phone: str | None


Details = CompanyDetails | BillingDetails | ContactDetails

D_co = TypeVar("D_co", bound=Details, covariant=True)


@dataclass(frozen=True, slots=True)
class Information(Generic[D_co]):
    """One area with its version, which grows by one with every change."""

    details: D_co
    version: int


@dataclass(frozen=True, slots=True)
class BillingInformation:
    """All areas of an account's billing information."""

    company: Information[CompanyDetails]
    billing: Information[BillingDetails]
    contact: Information[ContactDetails]

    def area(self, area: Area) -> Information[Details]:
        """One area by its name."""
        areas: dict[Area, Information[Details]] = {
            Area.COMPANY: self.company,
            Area.BILLING: self.billing,
            Area.CONTACT: self.contact,
        }
        return areas[area]
