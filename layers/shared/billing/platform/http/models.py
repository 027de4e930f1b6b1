"""The building blocks of what the API takes and gives: fields that check themselves, bodies, views."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from billing.kernel import money
from billing.kernel.contract_calendar import INTERVALS_MONTHS
from billing.kernel.countries import COUNTRIES
from billing.kernel.currencies import MINOR_UNIT_DIGITS
from billing.kernel.quantities import QUANTITY_DECIMALS_MAX
from billing.languages import LANGUAGES

IDENTIFIER_LENGTH_MAX = 40
IDENTIFIER_PATTERN = "[a-z0-9]+(-[a-z0-9]+)*"
TEXT_LENGTH_MAX = 200
LOG_IN_EMAIL_LENGTH_MAX = 128
"""What a user name in Cognito may have."""

AMOUNT_MAX = 10**12
"""Minor units: far beyond any real price, far below what a client's number type can hold exactly."""


class Body(BaseModel):
    """What a client sends. A field that we do not know is refused: a typing error is never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class View(BaseModel):
    """What a client gets."""

    model_config = ConfigDict(frozen=True)


_TURNS_TEXT = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that make what follows be read in the other direction: on an invoice a forgery."""

_NO_PLACE = frozenset({"Factory", "localtime"})
"""In the data base, but another time zone on each machine."""


def _plain(text: str) -> str:
    normal = unicodedata.normalize("NFC", text)
    if any(unicodedata.category(character) in {"Cc", "Cs"} or character in _TURNS_TEXT for character in normal):
        raise ValueError("must not contain control characters")
    return normal


def plain_lines(text: str) -> str:
    """A text of several lines, without anything that turns or hides what it says."""
    return "\n".join(_plain(line.replace("\t", " ")) for line in text.replace("\r\n", "\n").split("\n"))


def _no_link(name: str) -> str:
    if "://" in name or "www." in name.lower():
        raise ValueError("must be a name, without a link")
    return name


def _country(code: str) -> str:
    if code not in COUNTRIES:
        raise ValueError("must be a country code of ISO 3166-1, such as DK")
    return code


def _currency(code: str) -> str:
    if code not in MINOR_UNIT_DIGITS:
        raise ValueError("must be a currency code of ISO 4217, such as EUR")
    return code


def _time_zone(name: str) -> str:
    from zoneinfo import available_timezones

    if name not in available_timezones() - _NO_PLACE:
        raise ValueError("must be a time zone of the IANA data base, such as Europe/Copenhagen")
    return name


def _language(code: str) -> str:
    if code not in LANGUAGES:
        raise ValueError(f"must be one of the languages that we write in: {', '.join(sorted(LANGUAGES))}")
    return code


def _email(address: str) -> str:
    from email_validator import EmailNotValidError, validate_email

    try:
        # Neither the directory nor SES takes letters beyond ASCII before the @.
        normal = validate_email(address, check_deliverability=False, allow_smtputf8=False).normalized
    except EmailNotValidError:
        raise ValueError("must be an e-mail address") from None
    # The directory does not tell capitals apart, so neither does an account: one address is one person.
    return normal.lower()


def _interval(months: int) -> int:
    if months not in INTERVALS_MONTHS:
        raise ValueError(f"must be one of {', '.join(map(str, INTERVALS_MONTHS))} months")
    return months


_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _iso_date(value: object) -> object:
    # Without this a number would be taken for seconds since 1970.
    if not isinstance(value, str) or not _ISO_DATE.fullmatch(value):
        raise ValueError("must be a date such as 2026-01-31")
    return value


def _percent(value: object) -> object:
    # Decimal reads the digits of every script.
    is_foreign = isinstance(value, str) and not value.isascii()
    if is_foreign or isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError('must be a decimal number such as "12.5"')
    return value


Identifier = Annotated[
    str, StringConstraints(pattern=f"^{IDENTIFIER_PATTERN}$", min_length=2, max_length=IDENTIFIER_LENGTH_MAX)
]
"""A short name that a client chooses: lower-case letters, digits and single hyphens."""

AccountId = Annotated[str, Path(max_length=IDENTIFIER_LENGTH_MAX)]
"""The account that a path names."""

Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=TEXT_LENGTH_MAX),
    AfterValidator(_plain),
]
PersonName = Annotated[Text, AfterValidator(_no_link)]
"""The name of somebody who is written to. With a link in it, our mail would be anybody's advertisement."""

Phone = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^\+?[0-9][0-9 ()./-]{3,29}$")]
Country = Annotated[str, AfterValidator(_country)]
Currency = Annotated[str, AfterValidator(_currency)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Language = Annotated[
    str, AfterValidator(_language), WithJsonSchema({"type": "string", "enum": sorted(LANGUAGES), "examples": ["en"]})
]
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=254),
    AfterValidator(_email),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": 254}),
]
LogInEmail = Annotated[
    Email,
    StringConstraints(max_length=LOG_IN_EMAIL_LENGTH_MAX),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": LOG_IN_EMAIL_LENGTH_MAX}),
]
"""An address by which a person is known to the directory."""

IsoDate = Annotated[date, BeforeValidator(_iso_date), WithJsonSchema({"type": "string", "format": "date"})]
Amount = Annotated[int, Field(strict=True, ge=0, le=AMOUNT_MAX)]
Volume = Annotated[int, Field(strict=True, gt=0, le=AMOUNT_MAX)]
IntervalMonths = Annotated[
    int,
    Field(strict=True),
    AfterValidator(_interval),
    WithJsonSchema({"type": "integer", "enum": list(INTERVALS_MONTHS)}),
]
Percent = Annotated[
    Decimal,
    BeforeValidator(_percent),
    Field(gt=0, le=100, decimal_places=4, allow_inf_nan=False),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,3}(\.\d{1,4})?$", "examples": ["12.5"]}),
]


class MoneyView(View):
    """Minor units of a currency (ISO 4217): 12900 EUR is 129.00 euros."""

    __qualname__ = "Money"  # the name of its schema in the OpenAPI document, on which clients depend
    model_config = ConfigDict(title="Money")

    amount: int
    currency: str

    @classmethod
    def of(cls, value: money.Money) -> MoneyView:
        return cls(amount=value.amount, currency=value.currency)


_SHOWN = Decimal(1).scaleb(-QUANTITY_DECIMALS_MAX)


def plain(value: Decimal) -> str:
    """A quantity as it is shown: without an exponent, exact unless it was divided, and then to its sixth decimal."""
    return f"{value.quantize(_SHOWN).normalize():f}"


def as_dict(value: BaseModel) -> dict[str, Any]:
    """A model's fields by name, for a domain value with the same ones."""
    return {name: getattr(value, name) for name in type(value).model_fields}
