"""The stored form of an account's exemptions from tax."""

from __future__ import annotations

from datetime import date

from billing.invoicing.exemptions.rules import NO_EXEMPTIONS, Exemption, Exemptions
from billing.invoicing.tax import Certificate
from billing.platform.dynamodb.bodies import Body, date_or_none, parsed, text
from billing.platform.dynamodb.reader import Row


def exemptions_body(exemptions: Exemptions) -> str:
    return text({"exemptions": exemptions.entries, "told_through": exemptions.told_through})


def exemptions_of(row: Row | None) -> Exemptions:
    """The exemptions of their row; none without one."""
    if row is None:
        return NO_EXEMPTIONS
    body = parsed(row.body)
    found = tuple(map(_exemption, body["exemptions"]))
    return Exemptions(found, date_or_none(body["told_through"]), row.version)


def _exemption(body: Body) -> Exemption:
    kept = body["certificate"]
    return Exemption(
        code=body["code"],
        words=body["words"],
        certificate=Certificate(kept["reference"], kept["authority"], date.fromisoformat(kept["issued_on"])),
        valid_from=date.fromisoformat(body["valid_from"]),
        valid_until=date_or_none(body["valid_until"]),
    )
