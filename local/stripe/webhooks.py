"""Signed notices of what happened, as Stripe sends them: at least once, in no order that one may rely on."""

from __future__ import annotations

import hashlib
import hmac


def signature(payload: bytes, secret: str, seconds: int) -> str:
    """The header Stripe-Signature of a payload that is sent at an instant, in seconds since 1970."""
    signed = hmac.new(secret.encode(), f"{seconds}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={signed}"
