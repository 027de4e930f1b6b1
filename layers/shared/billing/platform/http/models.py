"""The building blocks of bodies and views: the base classes, and types of fields that validate themselves."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

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
from billing.kernel.account_ids import CLOCK_PATTERN
from billing.kernel.contract_calendar import INTERVALS_MONTHS
from billing.kernel.countries import COUNTRIES
from billing.kernel.currencies import MINOR_UNIT_DIGITS
from billing.kernel.quantities import QUANTITY_DECIMALS_MAX
from billing.languages import LANGUAGES
from billing.languages.explanations import Explanation

IDENTIFIER_LENGTH_MAX = 40
IDENTIFIER_PATTERN = "[a-z0-9]+(-[a-z0-9]+)*"
ACCOUNT_PATTERN = rf"({CLOCK_PATTERN}\.)?{IDENTIFIER_PATTERN}"
TEXT_LENGTH_MAX = 200
LOG_IN_EMAIL_LENGTH_MAX = 128
"""The limit of a user name in Cognito."""

AMOUNT_MAX = 10**12
"""Minor units: above any real price, and below 2**53, so a client's number type holds it exactly."""


class Body(BaseModel):
    """The body of a request. An unknown field is refused, so a misspelt one is not ignored (DESIGN 5.3)."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class View(BaseModel):
    """The body of an answer."""

    model_config = ConfigDict(frozen=True)


_TURNS_TEXT = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that reverse the direction of the text after them. On an invoice they could forge a name or an amount."""

_NO_TIME_ZONE = frozenset({"Factory", "localtime"})
"""Entries of the IANA database that are no time zone, or another one on each machine."""


def _plain(text: str) -> str:
    normal = unicodedata.normalize("NFC", text)
    if any(unicodedata.category(character) in {"Cc", "Cs"} or character in _TURNS_TEXT for character in normal):
        raise ValueError("must not contain control characters")
    return normal


def plain_lines(text: str) -> str:
    """A text of several lines, normalised (NFC). Raises ValueError for control characters and direction marks."""
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

    if name not in available_timezones() - _NO_TIME_ZONE:
        raise ValueError("must be a time zone of the IANA data base, such as Europe/Copenhagen")
    return name


def _language(code: str) -> str:
    if code not in LANGUAGES:
        raise ValueError(f"must be one of the languages that we write in: {', '.join(sorted(LANGUAGES))}")
    return code


def _email(address: str) -> str:
    from email_validator import EmailNotValidError, validate_email

    try:
        # Cognito and SES accept only ASCII before the @.
        normal = validate_email(address, check_deliverability=False, allow_smtputf8=False).normalized
    except EmailNotValidError:
        raise ValueError("must be an e-mail address") from None
    # Cognito ignores case, so an account does the same: one address is one person.
    return normal.lower()


def _interval(months: int) -> int:
    if months not in INTERVALS_MONTHS:
        raise ValueError(f"must be one of {', '.join(map(str, INTERVALS_MONTHS))} months")
    return months


_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _iso_date(value: object) -> object:
    # Without this check pydantic reads a number as seconds since 1970.
    if not isinstance(value, str) or not _ISO_DATE.fullmatch(value):
        raise ValueError("must be a date such as 2026-01-31")
    return value


def _percent(value: object) -> object:
    # Decimal accepts the digits of every script.
    is_foreign = isinstance(value, str) and not value.isascii()
    if is_foreign or isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError('must be a decimal number such as "12.5"')
    return value


Identifier = Annotated[
    str, StringConstraints(pattern=f"^{IDENTIFIER_PATTERN}$", min_length=2, max_length=IDENTIFIER_LENGTH_MAX)
]
"""A short name that a client chooses: lower-case letters, digits and single hyphens."""

NewAccountId = Annotated[
    str, StringConstraints(pattern=f"^{ACCOUNT_PATTERN}$", min_length=2, max_length=IDENTIFIER_LENGTH_MAX)
]
"""The id of a new account. One on a test clock begins with the id of the clock and a dot."""

AccountId = Annotated[str, Path(max_length=IDENTIFIER_LENGTH_MAX)]
"""The account id in a path."""

Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=TEXT_LENGTH_MAX),
    AfterValidator(_plain),
]
PersonName = Annotated[Text, AfterValidator(_no_link)]
"""The name of a mail's recipient. A link is refused, or anyone could advertise in our mail."""

Phone = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^\+?[0-9][0-9 ()./-]{3,29}$")]
Country = Annotated[str, AfterValidator(_country)]
Currency = Annotated[str, AfterValidator(_currency)]
Confirmed = Annotated[
    Literal[True],
    # As a constant, generated Java code would compare it with a text, and not compile.
    WithJsonSchema({"type": "boolean", "description": "true: the customer has confirmed it.", "examples": [True]}),
]
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
"""The address that a person logs in with."""

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


class ExplanationView(View):
    """One reason: a stable `code`, the `values` of its sentence, and the sentence in the account's language.

    Quantities among the values are decimal numbers as text. What is not known is not among them.
    """

    code: str
    values: dict[str, str | int]
    text: str

    @classmethod
    def of(cls, explanation: Explanation, language: str) -> ExplanationView:
        values = {
            name: plain(value) if isinstance(value, Decimal) else value
            for name, value in explanation.values.items()
            if value is not None
        }
        return cls(code=explanation.code, values=values, text=explanation.in_words(language))


class MoneyView(View):
    """Minor units of a currency (ISO 4217): 12900 EUR is 129.00 euros."""

    __qualname__ = "Money"  # clients depend on the name of its schema in the OpenAPI document
    model_config = ConfigDict(title="Money")

    amount: int
    currency: str

    @classmethod
    def of(cls, value: money.Money) -> MoneyView:
        return cls(amount=value.amount, currency=value.currency)


_SMALLEST_QUANTITY = Decimal(1).scaleb(-QUANTITY_DECIMALS_MAX)


def plain(value: Decimal) -> str:
    """A quantity as a decimal string without an exponent. It is exact; only a quotient is rounded, to six decimals."""
    return f"{value.quantize(_SMALLEST_QUANTITY).normalize():f}"


def as_dict(value: BaseModel) -> dict[str, Any]:
    """The fields of a model by name, for a domain value with the same fields."""
    return {name: getattr(value, name) for name in type(value).model_fields}
