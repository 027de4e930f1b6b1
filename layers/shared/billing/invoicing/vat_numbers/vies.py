"""VIES, the European Commission's register of VAT numbers, by its REST service. The only module that knows its words.

Published description: https://ec.europa.eu/assets/taxud/vow-information/swagger_publicVAT.yaml. The service answers a
failure with status 200 too: `{"actionSucceed": false, "errorWrappers": [{"error": CODE}]}`. The name and the address
that it may return are personal data of sole traders: they are not kept.
"""

from __future__ import annotations

from datetime import date
from http import HTTPStatus
from typing import Any

import orjson
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session

from billing.invoicing.vat_numbers.register import NoAnswer
from billing.invoicing.vat_numbers.rules import Answer, VatResult

VIES = "https://ec.europa.eu/taxation_customs/vies/rest-api"

CHECK = "/check-vat-number"

TIMEOUT_SECONDS = (3.0, 20.0)
"""To connect, and to wait for an answer: a member state's register may need many seconds. The worker has 60."""

ABOUT_THE_NUMBER = frozenset({"INVALID_INPUT", "VAT_BLOCKED"})
"""The error codes that are an answer about the number: asking again gives the same. Every other one is an outage, or a
fault of ours (INVALID_REQUESTER_INFO, IP_BLOCKED): it says nothing about the number."""

NO_CONNECTION, NOT_UNDERSTOOD = "NO_CONNECTION", "NOT_UNDERSTOOD"
"""Our own codes: no connection or no answer in time; an answer that is not in the published form."""

_PREFIX_LENGTH = 2
_CODE_LENGTH_MAX = 60


class Vies:
    """See billing.invoicing.vat_numbers.register.VatRegister."""

    def __init__(self, base: str | None = None, session: Any = None) -> None:
        """`base` is the address of the service, without the last part of a path; None for the Commission's."""
        self._address = (base or VIES) + CHECK
        self._session = session or URLLib3Session(timeout=TIMEOUT_SECONDS)  # type: ignore[arg-type] # botocore itself passes a pair

    def check(self, number: str, requester: str | None) -> Answer:
        question = {"countryCode": number[:_PREFIX_LENGTH], "vatNumber": number[_PREFIX_LENGTH:]}
        if requester is not None:
            question["requesterMemberStateCode"] = requester[:_PREFIX_LENGTH]
            question["requesterNumber"] = requester[_PREFIX_LENGTH:]
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        request = AWSRequest("POST", self._address, headers, orjson.dumps(question)).prepare()
        try:
            reply = self._session.send(request)
        except BotoCoreError as failure:
            raise NoAnswer(NO_CONNECTION) from failure
        return _answer(question, reply.status_code, _parsed(reply.content))


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _answer(question: dict[str, str], status: int, body: dict[str, Any]) -> Answer:
    code = _error_code(body)
    if code in ABOUT_THE_NUMBER:
        return Answer(VatResult.NOT_CONFIRMED, code, None, _day(body))
    if code is not None or status != HTTPStatus.OK:
        raise NoAnswer(code or f"HTTP_{status}")
    same_number = all(body.get(name) == question[name] for name in ("countryCode", "vatNumber"))
    if not (same_number and isinstance(body.get("valid"), bool)):
        raise NoAnswer(NOT_UNDERSTOOD)
    identifier = body.get("requestIdentifier")
    result = VatResult.VALID if body["valid"] else VatResult.INVALID
    return Answer(result, None, identifier if isinstance(identifier, str) and identifier else None, _day(body))


def _error_code(body: dict[str, Any]) -> str | None:
    wrappers = body.get("errorWrappers")
    if not (isinstance(wrappers, list) and wrappers):
        return None
    first = wrappers[0]
    code = first.get("error") if isinstance(first, dict) else None
    return code[:_CODE_LENGTH_MAX] if isinstance(code, str) and code else NOT_UNDERSTOOD


def _day(body: dict[str, Any]) -> date | None:
    """VIES's own day, such as 2026-11-27 of 2026-11-27T10:00:00.000Z; None without one."""
    try:
        return date.fromisoformat(str(body["requestDate"])[:10])
    except (KeyError, ValueError):
        return None
