"""The stored forms of a check, of its due item, and of an outage."""

from __future__ import annotations

from datetime import datetime

from billing.invoicing.vat_numbers.rules import (
    Outage,
    Treatment,
    VatNumberCheck,
    VatNumberDecision,
    VatResult,
)
from billing.kernel.fields import fields_of
from billing.platform.dynamodb.bodies import Body, date_or_none, parsed, text, without_version


def check_body(check: VatNumberCheck) -> str:
    return text(without_version(fields_of(check)))


def check_from(stored: str, version: int) -> VatNumberCheck:
    body = parsed(stored)
    return VatNumberCheck(
        number=body["number"],
        result=None if body["result"] is None else VatResult(body["result"]),
        code=body["code"],
        requester=body["requester"],
        request_identifier=body["request_identifier"],
        answered_on=date_or_none(body["answered_on"]),
        since=date_or_none(body["since"]),
        decision=_decision_from(body["decision"]),
        version=version,
    )


def _decision_from(body: Body | None) -> VatNumberDecision | None:
    if body is None:
        return None
    return VatNumberDecision(
        Treatment(body["treatment"]), body["reason"], body["by"], datetime.fromisoformat(body["at"])
    )


def outage_body(outage: Outage) -> str:
    return text(without_version(fields_of(outage)))


def outage_from(stored: str, version: int) -> Outage:
    body = parsed(stored)
    since, last = (datetime.fromisoformat(body[name]) for name in ("since", "last"))
    return Outage(body["country"], since, last, body["code"], body["told"], version)
