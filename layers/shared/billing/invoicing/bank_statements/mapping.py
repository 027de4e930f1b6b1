"""The stored forms of bank statements and bank entries."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from billing.invoicing.bank_statements.entries import BankEntry, EntryDecision, EntryStatus, ImportedStatement
from billing.invoicing.bank_statements.matching import Doubt, Part, PayableInvoice
from billing.invoicing.bank_statements.rules import BankPayer, Booking
from billing.kernel.money import Money
from billing.platform.dynamodb.bodies import Body, parsed, text, without_version


def statement_body(statement: ImportedStatement) -> str:
    return text(without_version({name: value for name, value in asdict(statement).items() if name != "id"}))


def statement_from(id_: str, stored: str, version: int) -> ImportedStatement:
    body = parsed(stored)
    return ImportedStatement(
        **{
            **body,
            "id": id_,
            "entries": tuple(body["entries"]),
            "imported_at": datetime.fromisoformat(body["imported_at"]),
            "finished_at": _instant_from(body["finished_at"]),
            "version": version,
        }
    )


def entry_body(entry: BankEntry) -> str:
    return text(without_version({name: value for name, value in asdict(entry).items() if name != "id"}))


def entry_from(id_: str, stored: str, version: int) -> BankEntry:
    body = parsed(stored)
    decision, doubt = body["decision"], body["doubt"]
    return BankEntry(
        id=id_,
        statement=body["statement"],
        account=body["account"],
        booking=_booking_from(body["booking"]),
        status=EntryStatus(body["status"]),
        doubt=None if doubt is None else Doubt(doubt),
        parts=_parts_from(body["parts"]),
        candidates=tuple(PayableInvoice(**{**each, "left": Money(**each["left"])}) for each in body["candidates"]),
        transfers=tuple((account, transfer) for account, transfer in body["transfers"]),
        decision=None if decision is None else _decision_from(decision),
        round=body["round"],
        detail=body["detail"],
        begun_at=_instant_from(body["begun_at"]),
        settled_at=_instant_from(body["settled_at"]),
        version=version,
    )


def _instant_from(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored)


def _booking_from(body: Body) -> Booking:
    return Booking(
        Money(**body["amount"]),
        date.fromisoformat(body["booked_on"]),
        body["reference"],
        tuple(body["texts"]),
        BankPayer(**body["payer"]),
        is_reversal=body["is_reversal"],
        is_batch=body["is_batch"],
    )


def _decision_from(body: Body) -> EntryDecision:
    return EntryDecision(datetime.fromisoformat(body["at"]), body["by"], _parts_from(body["parts"]), body["reason"])


def _parts_from(stored: list[dict[str, Any]]) -> tuple[Part, ...]:
    return tuple(
        Part(
            each["account"],
            each["amount"],
            None if each["invoices"] is None else tuple((number, amount) for number, amount in each["invoices"]),
        )
        for each in stored
    )
