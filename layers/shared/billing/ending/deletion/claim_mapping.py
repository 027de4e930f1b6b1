"""The stored form of an open claim."""

from __future__ import annotations

from datetime import date, datetime

import orjson

from billing.ending.deletion.claims import Note, OpenClaim
from billing.invoicing.entries import EntryKind
from billing.invoicing.mapping import draft_from, invoice_from, issued_text
from billing.invoicing.payment_mapping import payment_alone_from, payment_body, payment_from
from billing.platform.dynamodb.bodies import date_or_none, parsed, text


def claim_body(claim: OpenClaim) -> str:
    return text(
        {
            "claim": claim.id,
            "account": claim.account,
            "receipt": claim.receipt,
            "kept_at": claim.kept_at,
            "keep_until": claim.keep_until,
            "look_on": claim.look_on,
            "currency": claim.currency,
            "language": claim.language,
            "to_repay": claim.to_repay,
            "issued_on": claim.payment.issued_on,
            "payment": payment_body(claim.payment),
            "issued": None if claim.invoice is None else orjson.Fragment(issued_text(claim.invoice)),
            "drafts": claim.drafts,
        }
    )


def claim_from(stored: str, version: int) -> OpenClaim:
    body = parsed(stored)
    invoice = None if body["issued"] is None else invoice_from(body["issued"])
    return OpenClaim(
        id=body["claim"],
        account=body["account"],
        receipt=body["receipt"],
        kept_at=datetime.fromisoformat(body["kept_at"]),
        keep_until=date.fromisoformat(body["keep_until"]),
        currency=body["currency"],
        payment=payment_alone_from(body["payment"], date.fromisoformat(body["issued_on"]))
        if invoice is None
        else payment_from(body["payment"], invoice.summary),
        language=body["language"],
        to_repay=body["to_repay"],
        invoice=invoice,
        drafts=tuple(map(draft_from, body["drafts"])),
        look_on=date_or_none(body["look_on"]),
        version=version,
    )


def note_body(note: Note) -> str:
    body = {"object": note.object, "documents": note.documents, "kinds": sorted(note.kinds)}
    return text({**body, "credit_notes": sorted(note.credit_notes)})


def note_from(stored: str) -> Note:
    body = parsed(stored)
    return Note(
        body["object"],
        tuple((number, share) for number, share in body["documents"]),
        frozenset(map(EntryKind, body["kinds"])),
        frozenset(body["credit_notes"]),
    )
