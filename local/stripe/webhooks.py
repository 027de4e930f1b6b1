"""The signature of webhook events (docs.stripe.com/webhooks)."""

from __future__ import annotations

import hashlib
import hmac


def signature(payload: bytes, secret: str, seconds: int) -> str:
    """The header Stripe-Signature of a payload; `seconds` is the time of sending, since 1970."""
    signed = hmac.new(secret.encode(), f"{seconds}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={signed}"
