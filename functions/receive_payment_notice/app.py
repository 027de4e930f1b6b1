"""POST /webhooks/stripe: Stripe's webhook. The signature proves that the event comes from Stripe.

An event is only queued. A worker re-reads its object from Stripe: Stripe gets its answer at once, and the content of
the event is never trusted.
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
from billing.invoicing.note_payment_notice import CUSTOMER_NOTICES, KNOWN
from billing.kernel.errors import BillingError, reason_of
from billing.payments.gateway import PaymentNotice
from billing.platform.runs import begin_run

TOLERANCE_SECONDS = 300
ACCOUNT = "account"
"""The metadata of a customer at Stripe that holds our account id (billing.payments.stripe_gateway)."""
CHARACTERS_MAX = 256 * 1024

logger = Logger()


def handler(event: Mapping[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Queues an event with a valid signature. The signature is checked before the body is parsed."""
    begin_run(event["requestContext"]["requestId"], logger)
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
        WebhookSignature.verify_header(body, signature, wiring.webhook_secret()("webhook_secret"), TOLERANCE_SECONDS)
    except SignatureVerificationError:
        return False
    return True


def _notice(payload: Any) -> PaymentNotice | None:
    """The part of an event that is queued: its type and its object. None for a type that no worker handles."""
    if payload["type"] not in KNOWN:
        return None
    object_ = payload["data"]["object"]
    # An object that was just detached names its customer only under previous_attributes.
    before = payload["data"].get("previous_attributes") or {}
    customer = object_.get("customer") or before.get("customer")
    # Only this notice says whose customer was deleted: Stripe keeps no metadata of it.
    deleted = payload["type"] in CUSTOMER_NOTICES
    account = (object_.get("metadata") or {}).get(ACCOUNT) if deleted else None
    return PaymentNotice(str(payload["id"]), str(payload["type"]), str(object_["id"]), customer, account)


def _problem(status: HTTPStatus, detail: str) -> dict[str, Any]:
    problem = {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail}
    return _answer(status, problem, "application/problem+json")


def _answer(status: HTTPStatus, body: Mapping[str, Any], content_type: str) -> dict[str, Any]:
    headers = {"Content-Type": [content_type], "Cache-Control": ["no-store"]}
    return {"statusCode": int(status), "multiValueHeaders": headers, "body": json.dumps(body)}
