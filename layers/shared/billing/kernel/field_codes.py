"""What can be wrong with a field, as codes: a page says it in its own language. docs/api.md lists them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum

LimitValue = int | str | date | list[str]
Limits = Mapping[str, LimitValue | None]
"""The limits of a code by name, such as `min`, `max`, `allowed`. One that is None is left out."""


class FieldCode(StrEnum):
    """The codes of the entries of a problem's `errors`. A code is never renamed: clients depend on it."""

    # The form of a field
    MISSING = "missing"
    UNKNOWN_FIELD = "unknown-field"
    WRONG_TYPE = "wrong-type"
    MALFORMED = "malformed"
    TOO_SHORT = "too-short"
    TOO_LONG = "too-long"
    TOO_FEW = "too-few"
    TOO_MANY = "too-many"
    TOO_SMALL = "too-small"
    TOO_LARGE = "too-large"
    TOO_EARLY = "too-early"
    TOO_LATE = "too-late"
    TOO_MANY_DECIMALS = "too-many-decimals"
    NOT_A_MULTIPLE = "not-a-multiple"
    NOT_ALLOWED = "not-allowed"
    PATTERN = "pattern"
    # Kinds of values
    NOT_A_NUMBER = "not-a-number"
    NOT_A_DATE = "not-a-date"
    NOT_A_MONTH = "not-a-month"
    NOT_A_TIME = "not-a-time"
    NOT_A_TIME_OF_DAY = "not-a-time-of-day"
    NOT_AN_EMAIL = "not-an-email"
    UNDELIVERABLE = "undeliverable"
    NOT_A_COUNTRY = "not-a-country"
    NOT_A_CURRENCY = "not-a-currency"
    NOT_A_TIME_ZONE = "not-a-time-zone"
    NOT_A_VAT_NUMBER = "not-a-vat-number"
    NOT_AN_ATTRIBUTE = "not-an-attribute"
    BAD_CURSOR = "bad-cursor"
    # Texts
    NOT_PLAIN_TEXT = "not-plain-text"
    INVISIBLE = "invisible"
    LINK = "link"
    NOT_ASCII = "not-ascii"
    # Fields that do not go together
    DUPLICATE = "duplicate"
    NOT_TOGETHER = "not-together"
    OVERLAPPING = "overlapping"
    # What a field names
    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    NO_CHANGE = "no-change"
    UNSUPPORTED = "unsupported"
    UNUSABLE = "unusable"
    DEACTIVATED = "deactivated"
    UNVERIFIED = "unverified"
    STAFF = "staff"
    INVALID = "invalid"


class Unfit(ValueError):
    """A value that does not fit its field, with its code. Validators of fields raise it; pydantic reports it."""

    def __init__(self, detail: str, code: FieldCode, **limits: LimitValue | None) -> None:
        super().__init__(detail)
        self.code = code
        self.limits: Limits = limits
