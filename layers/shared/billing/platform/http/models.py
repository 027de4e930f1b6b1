"""The building blocks of bodies and views: the base classes, and types of fields that validate themselves."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import (
    AfterValidator,
    AwareDatetime,
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
from billing.kernel.field_codes import FieldCode, Unfit
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

_ENDS_OF_LINES = re.compile("\r\n|[\n\u2028\u2029]")

_NO_SENSE = str.maketrans("", "", "\u00ad\u200b\u2060\ufeff")
"""Invisible characters that say nothing, and come with texts that are copied from pages. They are left out."""

_EMPTY = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters that show nothing and are neither spaces nor format characters (Default_Ignorable_Code_Point, braille)."""

_LINK = re.compile(
    r"://|www\.|mailto:|[^\W_][.\u3002\uff0e\uff61](xn--[a-z0-9-]+|[^\W\d_]{2,})[/:?#]|\d(\.\d{1,3}){3}[/:?#]",
    re.IGNORECASE,
)
"""What a mail program makes a link of: a scheme, a host, or a domain or address with a path. The last part of a domain
has letters only, or is internationalised (RFC 5890)."""

_UNDELIVERED = ("internal", "alt")
"""Top-level domains that stay free of mail (ICANN's resolution of July 2024, RFC 9476). The library knows others."""

_NO_TIME_ZONE = frozenset({"Factory", "localtime"})
"""Entries of the IANA database that are no time zone, or another one on each machine."""


def _plain(text: str) -> str:
    normal = unicodedata.normalize("NFC", text).translate(_NO_SENSE)
    categories = {unicodedata.category(character) for character in normal}
    if categories & {"Cc", "Cs", "Zl", "Zp"} or not _TURNS_TEXT.isdisjoint(normal):
        raise Unfit("must not contain control characters", FieldCode.NOT_PLAIN_TEXT)
    return normal


def _visible(text: str) -> str:
    if all(each.isspace() or each in _EMPTY or unicodedata.category(each) in {"Cf", "Mn"} for each in text):
        raise Unfit("must have a character that can be seen", FieldCode.INVISIBLE)
    return text.strip()


def plain_lines(text: str) -> str:
    """A text of several lines, normalised (NFC). Raises ValueError for control characters and direction marks."""
    return _visible("\n".join(_plain(line.replace("\t", " ")) for line in _ENDS_OF_LINES.split(text)))


def _no_link(name: str) -> str:
    if _LINK.search(name):
        raise Unfit("must be a name, without a link", FieldCode.LINK)
    return name


def _country(code: str) -> str:
    if code not in COUNTRIES:
        raise Unfit("must be a country code of ISO 3166-1, such as DK", FieldCode.NOT_A_COUNTRY)
    return code


def _currency(code: str) -> str:
    if code not in MINOR_UNIT_DIGITS:
        raise Unfit("must be a currency code of ISO 4217, such as EUR", FieldCode.NOT_A_CURRENCY)
    return code


def _time_zone(name: str) -> str:
    from zoneinfo import available_timezones

    if name not in available_timezones() - _NO_TIME_ZONE:
        raise Unfit("must be a time zone of the IANA data base, such as Europe/Copenhagen", FieldCode.NOT_A_TIME_ZONE)
    return name


def _language(code: str) -> str:
    if code not in LANGUAGES:
        allowed = sorted(LANGUAGES)
        raise Unfit(
            f"must be one of the languages that we write in: {', '.join(allowed)}",
            FieldCode.NOT_ALLOWED,
            allowed=allowed,
        )
    return code


def _email(address: str) -> str:
    from email_validator import EmailNotValidError, validate_email

    try:
        # Cognito and SES accept only ASCII before the @.
        valid = validate_email(address, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        raise Unfit("must be an e-mail address", FieldCode.NOT_AN_EMAIL) from None
    # Cognito ignores case, so an account does the same: one address is one person.
    normal = valid.normalized.lower()
    # A header reads `=?` as the beginning of an encoded word (RFC 2047), and no longer as a part of an address.
    if "=?" in normal or normal.endswith(tuple(f".{each}" for each in _UNDELIVERED)):
        raise Unfit("must be an address that mail can be delivered to", FieldCode.UNDELIVERABLE)
    return normal


def _interval(months: int) -> int:
    if months not in INTERVALS_MONTHS:
        allowed = [*map(str, INTERVALS_MONTHS)]
        raise Unfit(f"must be one of {', '.join(allowed)} months", FieldCode.NOT_ALLOWED, allowed=allowed)
    return months


_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _iso_date(value: object) -> object:
    # Without this check pydantic reads a number as seconds since 1970.
    if not isinstance(value, str) or not _ISO_DATE.fullmatch(value):
        raise Unfit("must be a date such as 2026-01-31", FieldCode.NOT_A_DATE)
    return value


_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)
_EARLIEST, _LATEST = date(2000, 1, 1), date(2100, 1, 1)


def _month(value: object) -> object:
    if not isinstance(value, str) or not _MONTH.fullmatch(value):
        raise Unfit("must be a month such as 2026-01", FieldCode.NOT_A_MONTH)
    return f"{value}-01"


_INSTANT = re.compile(
    r"(?P<minute>\d{4}-\d\d-\d\d[Tt]\d\d:\d\d):(?P<second>\d\d)(?P<fraction>\.\d{1,30})?(?P<offset>[Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)
_MICROSECONDS = 7
"""The length of a fraction of a second that a datetime can hold, with its point."""

_LEAP_SECOND = "60"
_BEFORE_A_LEAP_SECOND = time(23, 59, 59)


def _instant(value: object) -> object:
    # Pydantic would read a number, and a number as text, as seconds since 1970.
    parts = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    instant = None if parts is None else _datetime(**parts.groupdict())
    if instant is None:
        raise Unfit("must be an RFC 3339 time with its offset, such as 2026-11-27T08:30:00Z", FieldCode.NOT_A_TIME)
    return instant


def _datetime(minute: str, second: str, fraction: str | None, offset: str) -> datetime | None:
    """The instant of these parts of an RFC 3339 time. None if there is none.

    A leap second lies at the end of a day in UTC (RFC 3339, 5.7), and is the second after it here, as in POSIX.
    """
    is_leap = second == _LEAP_SECOND
    text = f"{minute}:{'59' if is_leap else second}{(fraction or '')[:_MICROSECONDS]}{offset}"
    try:
        instant = datetime.fromisoformat(text.upper())
        if not is_leap:
            return instant
        is_last = instant.astimezone(UTC).time().replace(microsecond=0) == _BEFORE_A_LEAP_SECOND
        return instant + timedelta(seconds=1) if is_last else None
    except (ValueError, OverflowError):
        return None


def _percent(value: object) -> object:
    # Decimal accepts the digits of every script.
    is_foreign = isinstance(value, str) and not value.isascii()
    if is_foreign or isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise Unfit('must be a decimal number such as "12.5"', FieldCode.NOT_A_NUMBER)
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
    AfterValidator(_visible),
]
PersonName = Annotated[Text, AfterValidator(_no_link)]
"""The name of a mail's recipient. A link is refused, or anyone could advertise in our mail."""

Phone = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^(\(|\(?\+)?[0-9][0-9 ()./-]{3,29}$")]
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
Month = Annotated[
    date,
    BeforeValidator(_month),
    Field(ge=_EARLIEST, lt=_LATEST),
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d{2}$", "examples": ["2026-07"]}),
]
"""A month, as its first day."""

Instant = Annotated[AwareDatetime, BeforeValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})]
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
