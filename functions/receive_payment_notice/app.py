"""POST /webhooks/stripe: Stripe tells that something has happened. Whether it is Stripe is known by the signature.

What is told is only kept, and looked up by a worker: so Stripe has its answer at once, and nothing is believed.
"""

import base64
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.invoicing.note_payment_notice import KNOWN
from billing.kernel.errors import BillingError, reason_of
from billing.payments.gateway import PaymentNotice

TOLERANCE_SECONDS = 300
CHARACTERS_MAX = 256 * 1024

logger = Logger()


def handler(event: Mapping[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Keeps a notice that is Stripe's. Nothing of the body is looked at before its signature was."""
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body).decode(errors="replace")
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    if len(body) > CHARACTERS_MAX:
        return _problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large.")
    try:
        if not _is_signed(body, headers.get("stripe-signature", "")):
            logger.warning("notice refused")
            return _problem(HTTPStatus.BAD_REQUEST, "The signature is missing, wrong or too old.")
        notice = _notice(orjson.loads(body))
        if notice is not None:
            wiring.payment_notices().put(notice)
    except (KeyError, TypeError, ValueError):
        return _problem(HTTPStatus.BAD_REQUEST, "This is no event of Stripe.")
    except BillingError as failure:
        logger.warning("notice not kept", reason=reason_of(failure))
        return _problem(HTTPStatus.BAD_GATEWAY, "The notice could not be kept. Try again.")
    logger.info("notice", notice=notice and notice.notice, type=notice and notice.type)
    return _answer(HTTPStatus.OK, {"received": True}, "application/json")


def _is_signed(body: str, signature: str) -> bool:
    from stripe import SignatureVerificationError, WebhookSignature

    try:
        WebhookSignature.verify_header(body, signature, wiring.payment_secret()("webhook_secret"), TOLERANCE_SECONDS)
    except SignatureVerificationError:
        return False
    return True


def _notice(told: Any) -> PaymentNotice | None:
    """What is kept of an event: which object it is about. None for a type that nobody deals with."""
    if told["type"] not in KNOWN:
        return None
    about = told["data"]["object"]
    # What was just taken away from a customer says whose it was.
    before = told["data"].get("previous_attributes") or {}
    customer = about.get("customer") or before.get("customer")
    return PaymentNotice(str(told["id"]), str(told["type"]), str(about["id"]), customer)


def _problem(status: HTTPStatus, detail: str) -> dict[str, Any]:
    problem = {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail}
    return _answer(status, problem, "application/problem+json")


def _answer(status: HTTPStatus, body: Mapping[str, Any], content_type: str) -> dict[str, Any]:
    headers = {"Content-Type": [content_type], "Cache-Control": ["no-store"]}
    return {"statusCode": int(status), "multiValueHeaders": headers, "body": json.dumps(body)}
