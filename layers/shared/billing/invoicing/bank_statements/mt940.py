"""Reads MT940, SWIFT's customer statement, with the library mt-940 (BSD-3-Clause).

What banks put into :86: differs. The library reads the structure of German banks; the texts of others are searched as
they are, and the payer of the Dutch form (/IBAN/…/NAME/…) is taken out of them.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import mt940

from billing.invoicing.bank_statements.camt import minor_units
from billing.invoicing.bank_statements.rules import (
    TEXT_LENGTH_MAX,
    TEXTS_MAX,
    BankPayer,
    Booking,
    Statement,
    refused,
)
from billing.kernel.currencies import MINOR_UNIT_DIGITS
from billing.kernel.errors import Path
from billing.kernel.field_codes import FieldCode

_ENVELOPE = re.compile(r"(?m)^-?\}?\{[1-5]:.*$|^-\}.*$")
"""The blocks of a SWIFT message around its text."""

_LINE = re.compile(r"(?m)^:61:")
_NONE = frozenset({"NONREF", "NOTPROVIDED", "NOREF", ""})
_IBAN = re.compile(r"/(?:IBAN|CNTP)/([A-Z]{2}\d\d[A-Z0-9]{8,30})")
_NAME = re.compile(r"/NAME/([^/]+)|/CNTP/[^/]*/[^/]*/([^/]+)")


def read_mt940(content: bytes, first: int = 0) -> tuple[Statement, ...]:
    """The statements of a file. `first` is the position of its first one among those of all files.

    Raises RuleViolation, naming the place.
    """
    # The library logs what it cannot read, with the names and accounts of payers.
    logging.getLogger("mt940").setLevel(logging.CRITICAL + 1)
    text = _ENVELOPE.sub("", _decoded(content).replace("\r\n", "\n").replace("\r", "\n"))
    blocks = re.split(r"(?m)^(?=:20:)", text)[1:]
    found = []
    for position, block in enumerate(blocks):
        place = ("statements", first + position)
        try:
            # From a stream: the library would open a file of this name.
            [read] = mt940.parse_statements(io.StringIO(block), options=mt940.Options.all())
        except RuntimeError as error:  # its text repeats the line
            tag = getattr(error.args[1], "id", "") if len(error.args) > 1 else ""
            raise refused(place, f"The field :{tag}: cannot be read.", FieldCode.MALFORMED) from None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            raise refused(place, "The statement cannot be read.", FieldCode.MALFORMED) from None
        if len(read) != len(_LINE.findall(block)):
            raise refused((*place, "entries"), "Not each :61: of the statement can be read.", FieldCode.MALFORMED)
        found.append(_statement(read, place))
    return tuple(found)


def _decoded(content: bytes) -> str:
    text = content.decode("utf-8-sig", errors="strict") if _is_utf8(content) else content.decode("cp1252", "replace")
    return text.replace("\0", "")


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _statement(read: mt940.models.Transactions, place: Path) -> Statement:
    data = read.data
    account = data.get("account_identification")
    if not account:
        raise refused((*place, "account"), "The statement names no account (:25:).", FieldCode.MISSING)
    currency = read.currency
    if currency not in MINOR_UNIT_DIGITS:
        raise refused((*place, "currency"), "The statement names no currency (:60F:).", FieldCode.NOT_A_CURRENCY)
    opening = _balance(data, "opening_balance", place)
    closing = _balance(data, "closing_balance", place)
    bookings: list[Booking] = []
    movement = ignored = 0
    for position, each in enumerate(read):
        booking = _booking(each.data, currency, (*place, "entries", position))
        movement += booking.amount.amount
        if booking.amount.amount < 0 and not booking.is_reversal:
            ignored += 1
        else:
            bookings.append(booking)
    days = [day for day in (opening[1], closing[1]) if day is not None] + [each.booked_on for each in bookings]
    if not days:
        raise refused((*place, "last_day"), "The statement names no day (:60F:).", FieldCode.MISSING)
    return Statement(
        account=account,
        name=str(data.get("statement_number") or data.get("transaction_reference") or "")[:TEXT_LENGTH_MAX],
        currency=currency,
        first_day=min(days),
        last_day=max(days),
        opening=opening[0],
        closing=closing[0],
        movement=movement,
        bookings=tuple(bookings),
        ignored=ignored,
        pending=0,
        page=str(data.get("sequence_number") or ""),
        place=place,
    )


def _balance(data: Mapping[str, Any], name: str, place: Path) -> tuple[int | None, date | None]:
    """A balance in minor units, of a whole statement or of one of its pages, and its day."""
    for kind in (f"final_{name}", f"intermediate_{name}", name):
        if kind in data:
            amount = data[kind].amount
            money = minor_units(amount.amount, amount.currency or "", (*place, name.removesuffix("_balance")))
            return money.amount, _day(data[kind].date)
    return None, None


def _booking(data: Mapping[str, Any], currency: str, place: Path) -> Booking:
    texts = [data.get(name) for name in ("transaction_details", "purpose", "additional_purpose", "extra_details")]
    references = [data.get(name) for name in ("end_to_end_reference", "customer_reference")]
    said = [str(text) for text in [*texts, *references] if text and str(text).strip().upper() not in _NONE]
    details = "".join(str(data.get("transaction_details") or "").splitlines())
    iban, name = _IBAN.search(details), _NAME.search(details)
    status = str(data.get("status") or "").upper()
    reference = str(data.get("bank_reference") or "").strip()
    day = _day(data.get("entry_date")) or _day(data.get("date"))
    if day is None:
        raise refused((*place, "booked_on"), "The entry has no day.", FieldCode.MISSING)
    payer_iban = data.get("applicant_iban") or data.get("gvc_applicant_iban") or (iban[1] if iban else None)
    payer_name = data.get("applicant_name") or (name[1] or name[2] if name else None)
    return Booking(
        minor_units(data["amount"].amount, currency, place),
        day,
        None if reference.upper() in _NONE else reference,
        tuple(dict.fromkeys(each[:TEXT_LENGTH_MAX] for each in said))[:TEXTS_MAX],
        BankPayer(_cut(payer_name), _cut(payer_iban)),
        is_reversal=status.startswith("R"),
        place=place,
    )


def _cut(text: str | None) -> str | None:
    return str(text).strip()[:TEXT_LENGTH_MAX] or None if text else None


def _day(value: date | None) -> date | None:
    """A plain date: the library has a class of its own."""
    return None if not isinstance(value, date) else date(value.year, value.month, value.day)
