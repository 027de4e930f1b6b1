"""Converts between stored items and payment profiles and card warnings."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from billing.payments.gateway import Merchant
from billing.payments.methods import Card, CardWarning, Debit, Method, PaymentMethod, PaymentProfile
from billing.platform.dynamodb.bodies import Body, parsed, text, without_version


def payment_profile_body(profile: PaymentProfile) -> str:
    body = without_version(asdict(profile))
    if profile.term_days is None:
        del body["term_days"]  # as older items were written
    if profile.agreed_at is None:
        del body["agreed_at"]
    debit = None if body["shown"] is None else body["shown"]["debit"]
    if debit is not None:
        # Beside the debit: a function of the release before builds it from all its fields.
        body["shown"]["mandate"] = {name: debit.pop(name) for name in ("mandate", "creditor")}
    return text(body)


def payment_profile_from(stored: str, version: int) -> PaymentProfile:
    body = parsed(stored)
    return PaymentProfile(
        customer=body["customer"],
        shown=_payment_method(body["shown"]),
        payment_method=body["payment_method"],
        fingerprint=body["fingerprint"],
        setup=body["setup"],
        set_up_at=None if body["set_up_at"] is None else datetime.fromisoformat(body["set_up_at"]),
        used=tuple(body["used"]),
        term_days=body.get("term_days"),
        agreed_at=datetime.fromisoformat(body["agreed_at"]) if "agreed_at" in body else None,
        version=version,
    )


def shown_payment_method_from(stored: str) -> PaymentMethod | None:
    """The visible part of a stored payment profile, None without a payment method."""
    return _payment_method(parsed(stored)["shown"])


def payment_term_from(stored: str) -> int | None:
    """The account's own payment term, in days, of a stored payment profile; None for the deployment's."""
    term: int | None = parsed(stored).get("term_days")
    return term


def _payment_method(body: Body | None) -> PaymentMethod | None:
    if body is None:
        return None
    card, debit = body["card"], body["debit"]
    mandate = body.get("mandate", {})  # the first debits were written without
    return PaymentMethod(
        Method(body["method"]),
        None if card is None else Card(**card),
        None if debit is None else Debit(**debit, **mandate),
    )


def card_warning_body(warning: CardWarning) -> str:
    return text({"days": warning.days, "at": warning.at})


def card_warning_from(stored: str) -> CardWarning:
    body = parsed(stored)
    return CardWarning(body["days"], datetime.fromisoformat(body["at"]))


def merchant_body(merchant: Merchant) -> str:
    return text(asdict(merchant))


def merchant_from(stored: str) -> Merchant:
    body = parsed(stored)
    return Merchant(body["id"], body["livemode"])
