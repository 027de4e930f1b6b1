"""Reads CAMT.053, the ISO 20022 bank-to-customer statement, and CAMT.052, the report of the day, of any version.

The message definition reports of ISO 20022 (camt.053.001.02 to .13, https://www.iso20022.org/catalogue-messages) are
what it follows. Elements are found by their local names: banks use prefixes, and namespaces of every version. What the
versions say differently is read both ways: the status of an entry (a text in .02, a code within it from .04 on), a
party (its name, or a choice with its name), the amount of a payment within a batch.

A file may be hostile: document types, and with them entities, are refused before anything is read.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation, Overflow
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from billing.invoicing.bank_statements.rules import (
    ENTRIES_MAX,
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
from billing.kernel.money import Money

STATEMENTS = ("Stmt", "Rpt")
"""A statement of CAMT.053, a report of CAMT.052."""

MESSAGES = ("BkToCstmrStmt", "BkToCstmrAcctRpt")

ALL_ENTRIES_MAX = 10 * ENTRIES_MAX
"""Entries of a file, with those of outgoing money."""

_NOT_PROVIDED = frozenset({"NOTPROVIDED", "NONREF", "NOREF", ""})
_OPENING, _CLOSING = ("OPBD", "PRCD"), ("CLBD",)


@dataclass(slots=True)
class _Reading:
    """A statement while it is read."""

    place: Path
    entries: int = 0
    movement: int = 0
    ignored: int = 0
    pending: int = 0
    currency: str | None = None
    bookings: list[Booking] = field(default_factory=list)


def read_camt(content: bytes, first: int = 0) -> tuple[Statement, ...]:
    """The statements of a file. `first` is the position of its first one among those of all files.

    Raises RuleViolation, naming the place.
    """
    found: list[Statement] = []
    reading: _Reading | None = None
    is_message, entries = False, 0
    try:
        for event, element in iterparse(io.BytesIO(content), events=("start", "end"), forbid_dtd=True):
            name = _local(element)
            if event == "start":
                is_message = is_message or name in MESSAGES
                if name in STATEMENTS and is_message:
                    reading = _Reading(("statements", first + len(found)))
            elif name == "Ntry" and reading is not None:
                _read_entry(element, reading)
                entries += 1
                if entries > ALL_ENTRIES_MAX:
                    detail = f"No more than {ALL_ENTRIES_MAX} entries."
                    raise refused(("statements",), detail, FieldCode.TOO_MANY, {"max": ALL_ENTRIES_MAX})
                element.clear()
            elif name in STATEMENTS and reading is not None:
                found.append(_finished(element, reading))
                reading = None
                element.clear()
    except DefusedXmlException:
        raise refused((), "The file has a document type or entities. No bank sends any.", FieldCode.MALFORMED) from None
    except ParseError as error:
        line, column = error.position
        raise refused(
            (), f"The file is no well-formed XML: line {line}, column {column}. Is it complete?", FieldCode.MALFORMED
        ) from None
    except (LookupError, ValueError):  # an encoding that nobody knows
        raise refused((), "The encoding of the file is not known.", FieldCode.MALFORMED) from None
    if not is_message:
        raise refused(
            (),
            "The file is neither CAMT.053 nor CAMT.052.",
            FieldCode.UNSUPPORTED,
            {"allowed": ["camt.052", "camt.053", "MT940"]},
        )
    return tuple(found)


def _finished(statement: Element, reading: _Reading) -> Statement:
    place = reading.place
    account = _text(statement, "Acct/Id/IBAN") or _text(statement, "Acct/Id/Othr/Id")
    if account is None:
        raise refused((*place, "account"), "The statement names no account.", FieldCode.MISSING)
    balances = [*_balances(statement, place)]
    currency = _text(statement, "Acct/Ccy") or reading.currency or next((each[1].currency for each in balances), None)
    if currency not in MINOR_UNIT_DIGITS:
        raise refused((*place, "currency"), "The statement names no currency.", FieldCode.NOT_A_CURRENCY)
    by_kind = {kind: money.amount for kind, money, _ in reversed(balances)}
    days = [each.booked_on for each in reading.bookings] + [day for _, _, day in balances if day is not None]
    given = [_day(statement, path) for path in ("FrToDt/FrDtTm", "FrToDt/ToDtTm", "CreDtTm")]
    first = given[0] or min(days, default=None) or given[2]
    last = given[1] or max(days, default=None) or given[2]
    if first is None or last is None:
        raise refused((*place, "last_day"), "The statement names no day.", FieldCode.MISSING)
    pages = next((each for name in ("StmtPgntn", "RptPgntn") for each in _all(statement, name)), None)
    page = None if pages is None else _text(pages, "PgNb")
    is_divided = pages is not None and not (page == "1" and _text(pages, "LastPgInd") in {"true", "1"})
    name = _text(statement, "Id") or _text(statement, "ElctrncSeqNb") or ""
    return Statement(
        account=account,
        name=name[:TEXT_LENGTH_MAX],
        currency=currency,
        first_day=min(first, last),
        last_day=last,
        # One page of several does not lead from the one balance to the other.
        opening=None if is_divided else next((by_kind[kind] for kind in _OPENING if kind in by_kind), None),
        closing=next((by_kind[kind] for kind in _CLOSING if kind in by_kind), None),
        movement=reading.movement,
        bookings=tuple(reading.bookings),
        ignored=reading.ignored,
        pending=reading.pending,
        page=page or "",
        place=place,
    )


def _balances(statement: Element, place: Path) -> Iterator[tuple[str, Money, date | None]]:
    for position, balance in enumerate(_all(statement, "Bal")):
        kind = _text(balance, "Tp/CdOrPrtry/Cd")
        money = _money(balance, "Amt", (*place, "balances", position))
        if kind is not None and money is not None:
            sign = -1 if _text(balance, "CdtDbtInd") == "DBIT" else 1
            yield kind, Money(sign * money.amount, money.currency), _day(balance, "Dt/Dt") or _day(balance, "Dt/DtTm")


def _read_entry(entry: Element, reading: _Reading) -> None:
    """Counts an entry, and takes it in if money came in or the bank took something back."""
    place = (*reading.place, "entries", reading.entries)
    reading.entries += 1
    status = _text(entry, "Sts/Cd") or _text(entry, "Sts/Prtry") or _text(entry, "Sts") or "BOOK"
    if status != "BOOK":
        reading.pending += 1
        return
    money = _money(entry, "Amt", place)
    direction = _text(entry, "CdtDbtInd")
    if money is None or direction not in {"CRDT", "DBIT"}:
        raise refused(
            (*place, "amount"), "The entry has no amount, or does not say which way it went.", FieldCode.MISSING
        )
    if reading.currency not in {None, money.currency}:
        detail = f"The entries before it are in {reading.currency}."
        raise refused(
            (*place, "amount", "currency"), detail, FieldCode.NOT_ALLOWED, {"allowed": [reading.currency or ""]}
        )
    reading.currency = money.currency
    amount = money.amount if direction == "CRDT" else -money.amount
    reading.movement += amount
    is_reversal = _text(entry, "RvslInd") in {"true", "1"}
    if amount < 0 and not is_reversal:
        reading.ignored += 1
        return
    day = (
        _day(entry, "BookgDt/Dt") or _day(entry, "BookgDt/DtTm") or _day(entry, "ValDt/Dt") or _day(entry, "ValDt/DtTm")
    )
    if day is None:
        raise refused((*place, "booked_on"), "The entry has no day.", FieldCode.MISSING)
    whole = Booking(
        Money(amount, money.currency),
        day,
        # NtryRef tells nothing: it numbers the entries of one report, or is that of the account.
        reference=_reference(_text(entry, "AcctSvcrRef")),
        is_reversal=is_reversal,
        place=place,
    )
    payments = [each for details in _all(entry, "NtryDtls") for each in _all(details, "TxDtls")]
    reading.bookings.extend(_bookings(whole, entry, payments))


def _bookings(whole: Booking, entry: Element, payments: list[Element]) -> list[Booking]:
    """The payments of an entry; the entry itself if it has one, or if the amounts of a batch are not all known."""
    if len(payments) > 1:
        each_one = [_payment(whole, each) for each in payments]
        known = [each for each in each_one if each is not None]
        if len(known) == len(each_one) and sum(each.amount.amount for each in known) == whole.amount.amount:
            return [each for each in known if each.amount.amount > 0 or each.is_reversal]
    texts = [text for each in payments for text in _texts(each)] + _lines(entry, "AddtlNtryInf")
    count = _text(entry, "NtryDtls/Btch/NbOfTxs") or "1"
    is_batch = len(payments) > 1 or (len(payments) == 0 and count.isdecimal() and int(count) > 1)
    first = payments[0] if len(payments) == 1 else None
    reference = whole.reference if first is None else whole.reference or _own_reference(first)
    return [
        Booking(
            whole.amount,
            whole.booked_on,
            reference,
            tuple(texts[:TEXTS_MAX]),
            BankPayer() if first is None else _payer(first),
            is_reversal=whole.is_reversal or (first is not None and _one(first, "RtrInf") is not None),
            is_batch=is_batch,
            place=whole.place,
        )
    ]


def _payment(whole: Booking, payment: Element) -> Booking | None:
    """One payment of a batch. None if its amount in the account's currency is not known."""
    money = next(
        (
            found
            for path in ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt")
            if (found := _money(payment, path, whole.place)) is not None and found.currency == whole.amount.currency
        ),
        None,
    )
    if money is None:
        return None
    way = _text(payment, "CdtDbtInd")
    is_out = way == "DBIT" if way else whole.amount.amount < 0
    return Booking(
        Money(-money.amount if is_out else money.amount, money.currency),
        whole.booked_on,
        # A batch has one reference of its own: it tells nothing about its payments.
        _own_reference(payment) or (f"{whole.reference}/{_end_to_end(payment)}" if whole.reference else None),
        tuple(_texts(payment)[:TEXTS_MAX]),
        _payer(payment),
        is_reversal=whole.is_reversal or _one(payment, "RtrInf") is not None,
        place=whole.place,
    )


def _own_reference(payment: Element) -> str | None:
    return _reference(_text(payment, "Refs/AcctSvcrRef") or _text(payment, "Refs/TxId"))


def _end_to_end(payment: Element) -> str:
    return _text(payment, "Refs/EndToEndId") or ""


def _reference(text: str | None) -> str | None:
    return None if text is None or text.upper() in _NOT_PROVIDED else text[:TEXT_LENGTH_MAX]


def _texts(payment: Element) -> list[str]:
    """What the payer wrote: unstructured lines, structured references, the end-to-end id."""
    found = []
    lines = _lines(payment, "RmtInf/Ustrd")
    if lines:
        found.append("\n".join(lines))
    for structured in (each for about in _all(payment, "RmtInf") for each in _all(about, "Strd")):
        found += _lines(structured, "CdtrRefInf/Ref")
        found += _lines(structured, "RfrdDocInf/Nb")
        found += _lines(structured, "AddtlRmtInf")
    end_to_end = _end_to_end(payment)
    if end_to_end.upper() not in _NOT_PROVIDED:
        found.append(end_to_end)
    return [each[:TEXT_LENGTH_MAX] for each in [*found, *_lines(payment, "AddtlTxInf")]]


def _payer(payment: Element) -> BankPayer:
    name = _text(payment, "RltdPties/Dbtr/Nm") or _text(payment, "RltdPties/Dbtr/Pty/Nm")
    name = name or _text(payment, "RltdPties/UltmtDbtr/Nm") or _text(payment, "RltdPties/UltmtDbtr/Pty/Nm")
    iban = _text(payment, "RltdPties/DbtrAcct/Id/IBAN") or _text(payment, "RltdPties/DbtrAcct/Id/Othr/Id")
    return BankPayer(None if name is None else name[:TEXT_LENGTH_MAX], None if iban is None else iban[:TEXT_LENGTH_MAX])


# ---- Elements ----------------------------------------------------------------------------------------


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _all(element: Element, name: str) -> list[Element]:
    return [each for each in element if _local(each) == name]


def _one(element: Element, path: str) -> Element | None:
    found: Element | None = element
    for name in path.split("/"):
        found = None if found is None else next(iter(_all(found, name)), None)
    return found


def _text(element: Element, path: str) -> str | None:
    found = _one(element, path)
    text = "" if found is None else (found.text or "").strip()
    return text or None


def _lines(element: Element, path: str) -> list[str]:
    """The texts of all elements with a path."""
    *parents, name = path.split("/")
    inside: list[Element] = [element]
    for each in parents:
        inside = [child for parent in inside for child in _all(parent, each)]
    return [text for parent in inside for child in _all(parent, name) if (text := (child.text or "").strip())]


def _day(element: Element, path: str) -> date | None:
    text = _text(element, path)
    if text is None:
        return None
    try:
        # ISODate may have a zone, as 2026-12-01+01:00; the day is the bank's own.
        return date.fromisoformat(text[:10]) if "T" not in text else datetime.fromisoformat(text).date()
    except ValueError:
        return None


def _money(element: Element, path: str, place: Path) -> Money | None:
    found = _one(element, path)
    if found is None:
        return None
    return minor_units((found.text or "").strip(), found.get("Ccy", ""), place)


def minor_units(amount: str | Decimal, currency: str, place: Path) -> Money:
    """A decimal amount in minor units of its currency. Raises RuleViolation for a currency or digits that are none."""
    if currency not in MINOR_UNIT_DIGITS:
        detail = "The amount names no currency of ISO 4217."
        raise refused((*place, "amount", "currency"), detail, FieldCode.NOT_A_CURRENCY)
    digits = MINOR_UNIT_DIGITS[currency]
    try:
        exact = Decimal(amount).scaleb(digits)
        # Before it is an integer: of 1E+999990 that takes most of a minute.
        is_too_large = abs(exact) > AMOUNT_MAX
    except (InvalidOperation, ValueError):
        raise refused((*place, "amount"), "The amount is no decimal number.", FieldCode.NOT_A_NUMBER) from None
    except Overflow:
        is_too_large = True
    if is_too_large:
        raise refused((*place, "amount"), "The amount is too large.", FieldCode.TOO_LARGE, {"max": AMOUNT_MAX})
    whole = int(exact)
    if whole != exact:
        detail = f"{currency} has {digits} decimals."
        raise refused((*place, "amount"), detail, FieldCode.TOO_MANY_DECIMALS, {"decimals": digits})
    return Money(whole, currency)


AMOUNT_MAX = 10**15
"""Minor units: ISO 20022 has 18 digits."""
