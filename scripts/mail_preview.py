"""Writes every mail in every language into a folder, so that a person can read them: make mail-preview FOLDER=…

The mails are about the sample events under events/published/, and about the variants below.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from billing.accounts.event_schemas import UserAdded, UserChanged, UserInvitedAgain, UserRemoved
from billing.correspondence.audiences import Letter, LetterContext, Recipient, Vendor
from billing.correspondence.event_kinds import SCHEMA_OF, AnyEvent
from billing.correspondence.letters import MAILED, letter
from billing.languages import LANGUAGES

SAMPLES = Path(__file__).parent.parent / "events" / "published"

VENDOR = Vendor("Livello", "https://billing.livello.example/", "billing@livello.example")
RECIPIENT = Recipient("astrid@nordlys.example", "Astrid Holm")
ACTORS = {"customer": "Astrid Holm", "staff": "Sofie Lindgren", "system": None}
EMAILS = {"customer": RECIPIENT.email, "staff": None, "system": None}

COLLEAGUE = {"email": "erik@nordlys.example", "name": "Erik Sand"}
"""A user whose mails are shown as the other admins of the account get them."""

PDF = b"%PDF-1.7\n"
"""In place of an invoice's document."""

VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "admin_appointment.ended": {
        "taken-back": {"outcome": "taken_back"},
        "failed": {"outcome": "failed", "cause": "rule-violation"},
        "account-full": {"outcome": "failed", "cause": "conflict"},
    },
    "address.undeliverable": {"complained": {"reason": "complained"}},
    "bank_statement.imported": {"one-doubtful": {"doubtful": 1}},
    "card.expiring": {
        "in-7-days": {"days_left": 7},
        "charged-before": {"next_charge": {"on": "2026-08-15", "amount": {"amount": 80400, "currency": "DKK"}}},
        "no-charge": {"next_charge": None},
    },
    "cancellation.requested": {"nothing-due": {"charges_still_due": [], "text": ""}},
    "catalogue_version.withdrawn": {"no-invoice": {"invoices": [], "invoices_without": []}},
    "discounts.changed": {"none-left": {"discounts": [], "invoices": [], "invoices_without": []}},
    "invoice.issued": {
        "bank-transfer": {"method": "bank_transfer", "charge_on": None},
        "no-method": {"method": None, "charge_on": None},
        "part-from-credit": {
            "method": "bank_transfer",
            "charge_on": None,
            "credit": {"amount": 1500, "currency": "DKK"},
            "due": {"amount": 300000, "currency": "DKK"},
        },
        "all-from-credit": {
            "charge_on": None,
            "credit": {"amount": 301500, "currency": "DKK"},
            "due": {"amount": 0, "currency": "DKK"},
        },
        "tax-in-the-sellers-currency": {"seller_tax": {"amount": 8083, "currency": "EUR"}},
    },
    "account.deleted": {"nothing-open": {"kept": None}},
    "account.money_open": {"deleted": {"stage": "deleted", "language": "en"}},
    "open_claim.changed": {
        change: {"change": change}
        for change in ("paid", "payment_failed", "overpaid", "disputed", "dispute_closed", "refund_failed", "expired")
    },
    "one_off.changed": {
        "at-once": {
            "mark": "invoiced",
            "uses": [{"number": "LV-2026-000007", "amount": {"amount": 180000, "currency": "DKK"}}],
            "left": {"amount": 0, "currency": "DKK"},
            "invoices_without": [],
        },
        "goodwill": {"kind": "goodwill", "quantity": 1},
        "taken-back": {"mark": "taken_back"},
        "goodwill-taken-back": {"kind": "goodwill", "mark": "taken_back", "left": {"amount": 1000, "currency": "DKK"}},
        "lapsed": {
            "kind": "goodwill",
            "mark": "lapsed",
            "left": {"amount": 1000, "currency": "DKK"},
            "invoices": [],
            "invoices_without": [],
        },
    },
    "invoice.paid": {"by-credit": {"method": None}},
    "payment.past_due": {
        "charged-back": {"reason": "charged_back"},
        "refund-failed": {"number": "CN-2026-0003", "corrects": "2026-0117", "reason": "failed"},
    },
    "payment.failed": {
        "authentication": {
            "reason": "authentication_required",
            "next_attempt_on": None,
            "authenticate_at": "https://payments.livello.example/confirm/pi_1",
        },
        "expired-card": {"reason": "expired_card", "next_attempt_on": None},
        "insufficient-funds": {"reason": "insufficient_funds"},
        "no-method": {"reason": "no_payment_method", "next_attempt_on": None},
    },
    "review.declined": {"after-the-appointment": {"appointment_cancelled": False}},
    "store.changed": {"renamed": {"name": "Nordlys Sweden", "closed_on": None}, "reopened": {"closed_on": None}},
    "subscription.autoscaled": {
        "agreed-price-ends": {"replaces_agreed": True},
        "early": {"reason": "moved_early"},
        "returning-peaks": {"reason": "moved_by_returning_peaks"},
        "nothing-left-out": {
            "left_out": [],
            "extra": None,
            "adds": {
                "on": "2026-10-15",
                "amount": {"amount": 112200, "currency": "DKK"},
                "tax": {"amount": 28050, "currency": "DKK"},
                "total": {"amount": 140250, "currency": "DKK"},
            },
            "effective_on": "2026-10-15",
            "ask": None,
        },
        "of-an-earlier-release": {
            "adds": None,
            "next_invoice": {"on": "2026-10-15", "amount": {"amount": 353400, "currency": "DKK"}},
        },
        "open-ended": {
            "after": {"up_to": None, "price": {"amount": 250000, "currency": "DKK"}},
            "left_out": [
                {"day": f"2026-06-{day:02}", "usage": "1500.2", "counted": "1146", "reason": "peak"}
                for day in range(1, 15)
            ],
        },
    },
    "subscription.changed": {
        "added": {"change": "added", "effective_on": "2026-08-15"},
        "agreed-price-ends": {"replaces_agreed": {"amount": 33000, "currency": "DKK"}},
        "agreed-price": {
            "line": {
                "product": "search",
                "name": "Search",
                "unit": "searches",
                "up_to": 10000,
                "price": {"amount": 33000, "currency": "DKK"},
                "begins_on": None,
                "ends_on": None,
            }
        },
        "ending": {"change": "ending", "effective_on": "2026-10-15", "invoices": []},
        "kept": {"change": "kept", "effective_on": "2026-10-15", "reason": None},
    },
    "subscription.tier_lowered": {
        "before-the-appointment": {"appointment_cancelled": True},
        "two-products": {
            "tiers": [
                {
                    "product": {"product": product, "name": product.title(), "unit": "messages"},
                    "months": [{"month": f"2026-0{month}", "usage": "412.5"} for month in (7, 8, 9)],
                    "average": "412.5",
                    "before": {"up_to": None, "price": {"amount": 99000, "currency": "DKK"}},
                    "after": {"up_to": 1000, "price": {"amount": 9900, "currency": "DKK"}},
                    "replaces_agreed": product == "chat",
                }
                for product in ("chat", "audience")
            ],
            "effective_on": "2027-01-08",
        },
    },
    "transfer.recorded": {
        "too-much": {
            "invoices": [
                {
                    "number": "2026-0117",
                    "due_on": "2026-05-02",
                    "amount": {"amount": 351500, "currency": "DKK"},
                    "credit": {"amount": 50000, "currency": "DKK"},
                    "left": {"amount": 0, "currency": "DKK"},
                }
            ],
            "received": {"amount": 351500, "currency": "DKK"},
            "credit": {"amount": 50000, "currency": "DKK"},
        },
    },
    "transfer.taken_back": {"only-credit": {"invoices": []}},
    "usage.threshold_reached": {
        "90": {"percent": 90, "usage": "9004"},
        "100": {"percent": 100, "usage": "10000.2"},
        "highest": {"percent": 100, "usage": "10000.2", "next_tier": None},
    },
    "user.added": {
        "admin": {"role": "admin"},
        "to-admins": COLLEAGUE,
        "admin-to-admins": {**COLLEAGUE, "role": "admin"},
    },
    "user.changed": {"to-admins": COLLEAGUE},
    "user.invited_again": {"admin": {"role": "admin"}},
    "user.removed": {
        "to-admins": COLLEAGUE,
        "left": {"user": "b3c4f8a2-7051-70d5-9a4e-2f6c1d0e8b91"},
        "left-to-admins": {**COLLEAGUE, "user": "b3c4f8a2-7051-70d5-9a4e-2f6c1d0e8b91", "role": "member"},
    },
}
"""Variants of the sample events: the fields of `after` that differ, by event type and the name of the variant. Of a
removed user it is the fields of `before`."""


def sample(kind: str, /, **after: Any) -> AnyEvent:
    """The published sample event of a type, with the given fields of `after` replaced, or of `before` without one."""
    event = json.loads((SAMPLES / f"{kind}.json").read_text(encoding="utf-8"))
    if after:
        event["before" if event["after"] is None else "after"] |= after
    return SCHEMA_OF[kind].model_validate(event)


def samples() -> Iterator[tuple[str, AnyEvent]]:
    """Every sample event that is mailed, and its variants, each with a name for its files."""
    for kind in sorted(MAILED):
        yield kind, sample(kind)
        for name, after in VARIANTS.get(kind, {}).items():
            yield f"{kind}.{name}", sample(kind, **after)


def recipient(event: AnyEvent) -> Recipient:
    """The recipient of the mail about a sample event: the user that it is about, or the admin."""
    match event:
        case UserAdded() | UserChanged() | UserInvitedAgain():
            user = event.after
        case UserRemoved():
            user = event.before
        case _:
            return RECIPIENT
    return RECIPIENT if user.email == COLLEAGUE["email"] else Recipient(user.email, user.name, True)


def written(event: AnyEvent, language: str) -> Letter:
    """The mail about a sample event."""
    context = LetterContext(
        "Nordlys Kaffe", language, "Europe/Copenhagen", ACTORS[event.actor.kind], EMAILS[event.actor.kind]
    )
    return letter(event, context, recipient(event), VENDOR, PDF if event.type == "invoice.issued" else None)


def main(folder: Path) -> None:
    """Writes <language>/<name>.html and .txt, and each attachment beside them."""
    for language in sorted(LANGUAGES):
        (folder / language).mkdir(parents=True, exist_ok=True)
        for name, event in samples():
            mail = written(event, language)
            start = folder / language / name
            start.with_name(f"{name}.html").write_text(mail.html, encoding="utf-8")
            start.with_name(f"{name}.txt").write_text(f"Subject: {mail.subject}\n\n{mail.text}", encoding="utf-8")
            for attachment in mail.attachments:
                start.with_name(f"{name}.{attachment.name}").write_bytes(attachment.content)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Which folder? make mail-preview FOLDER=…")
    main(Path(sys.argv[1]))
