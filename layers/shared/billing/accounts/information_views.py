"""The areas of billing information in API requests and answers."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator

from billing.accounts.information import (
    BillingDetails,
    CompanyDetails,
    ContactDetails,
    compact_identifier,
    normal_postcode,
)
from billing.kernel.field_codes import FieldCode, Unfit
from billing.platform.http.models import Body, Country, Email, Language, Phone, Text, View, as_dict

# Where the prefix is not the ISO 3166-1 code: Greece has EL, Northern Ireland XI, and territories their state's.
_VAT_PREFIXES = {
    "AX": ("FI",),
    "GB": ("GB", "XI"),
    "GP": ("FR",),
    "GR": ("EL", "GR"),
    "IM": ("GB",),
    "MC": ("FR",),
    "MQ": ("FR",),
    "RE": ("FR",),
}
_COUNTRY_OF_PREFIX = {"EL": "GR"}
_PREFIXED_OUTSIDE_THE_UNION = frozenset({"ch", "gb", "no"})
_VAT_NUMBER_LENGTHS = range(4, 21)
_POSTCODE_LENGTHS = range(2, 13)


def normal_vat_number(number: str, country: str) -> str:
    """Returns a VAT number in its compact form with prefix, in ASCII.

    python-stdnum has the rules of each country. A country without rules accepts any number. Whether the number is
    registered is not checked: that needs the country's own service. Raises ValueError with a message for the customer.
    """
    from stdnum import get_cc_module
    from stdnum.eu.vat import MEMBER_STATES
    from stdnum.exceptions import ValidationError

    compact = compact_identifier(number)
    if len(compact) not in _VAT_NUMBER_LENGTHS:
        raise Unfit("A VAT number has 4 to 20 letters and digits.", FieldCode.NOT_A_VAT_NUMBER, min=4, max=20)
    prefixes = _VAT_PREFIXES.get(country, (country,))
    issuer = _COUNTRY_OF_PREFIX.get(prefixes[0], prefixes[0]).lower()
    begins_rightly = compact.startswith(prefixes)
    if not begins_rightly and (issuer in MEMBER_STATES or issuer in _PREFIXED_OUTSIDE_THE_UNION):
        raise Unfit(
            f"A VAT number of this country begins with {prefixes[0]}.",
            FieldCode.NOT_A_VAT_NUMBER,
            allowed=[prefixes[0]],
        )
    if country == "GR":
        # Invoices and VIES use EL. Customers may also type GR.
        compact = f"EL{compact[2:]}"
    module = get_cc_module(issuer, "vat")
    if module is None:
        return compact
    # Outside the Union some customers type a prefix that the country's own check does not accept.
    for written in (compact, compact[2:]) if begins_rightly else (compact,):
        try:
            module.validate(written)
        except ValidationError:
            continue
        return compact
    raise Unfit("This is not a valid VAT number of the country.", FieldCode.NOT_A_VAT_NUMBER)


def _postcode(postcode: str) -> str:
    normal = normal_postcode(postcode)
    if len(normal) not in _POSTCODE_LENGTHS:
        code = FieldCode.TOO_SHORT if len(normal) < _POSTCODE_LENGTHS.start else FieldCode.TOO_LONG
        raise Unfit("A postcode has 2 to 12 characters.", code, min=2, max=12)
    return normal


VatNumber = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=4, max_length=20),
    Field(description="With its country prefix. Check digits are verified where the country has them."),
]
Postcode = Annotated[Text, StringConstraints(min_length=2, max_length=12), AfterValidator(_postcode)]


class CompanyBody(Body):
    """The company as it is to stand on invoices."""

    name: Text
    address_line_1: Text
    address_line_2: Text | None = None
    postcode: Postcode | None = None
    city: Text
    country: Country
    vat_number: VatNumber | None = None

    @field_validator("vat_number")
    @classmethod
    def _vat_number_fits(cls, number: str | None, others: ValidationInfo) -> str | None:
        # The model validates the country first. If the country is invalid, only that error is reported.
        if number is None or "country" not in others.data:
            return number
        return normal_vat_number(number, others.data["country"])

    def details(self) -> CompanyDetails:
        return CompanyDetails(**as_dict(self))


class BillingBody(Body):
    """Where invoices are to be sent, and the language of whatever is written to the account."""

    email: Email
    language: Language

    def details(self) -> BillingDetails:
        return BillingDetails(**as_dict(self))


class ContactBody(Body):
    """Whom to talk to about the account."""

    name: Text
    phone: Phone | None = None

    def details(self) -> ContactDetails:
        return ContactDetails(**as_dict(self))


class CompanyView(View):
    """The company as it stands on future invoices."""

    name: str
    address_line_1: str
    address_line_2: str | None
    postcode: str | None
    city: str
    country: str
    vat_number: str | None

    @classmethod
    def of(cls, details: CompanyDetails) -> CompanyView:
        return cls.model_validate(details, from_attributes=True)


class BillingView(View):
    """Where invoices are sent, and the language of whatever is written to the account."""

    email: str
    language: Language

    @classmethod
    def of(cls, details: BillingDetails) -> BillingView:
        return cls(email=details.email, language=details.language)


class ContactView(View):
    """Whom to talk to about the account."""

    name: str
    phone: str | None

    @classmethod
    def of(cls, details: ContactDetails) -> ContactView:
        return cls(name=details.name, phone=details.phone)
