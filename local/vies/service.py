"""What the stand-in for VIES answers, and what it refuses.

Sources: the published description (https://ec.europa.eu/assets/taxud/vow-information/swagger_publicVAT.yaml), and the
disclaimer of VIES's own test service, which lists a number for each kind of answer
(https://ec.europa.eu/taxation_customs/vies/checkVatTestService.wsdl).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

CHECK, TEST, STATUS = "/check-vat-number", "/check-vat-test-service", "/check-status"

MEMBER_STATES = frozenset("AT BE BG CY CZ DE DK EE EL ES FI FR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split())
COUNTRIES = MEMBER_STATES | {"XI"}
"""VIES's letters: Greece is EL. XI is Northern Ireland."""

FIELDS = frozenset(
    {"countryCode", "vatNumber", "requesterMemberStateCode", "requesterNumber"}
    | {f"trader{name}" for name in ("Name", "Street", "PostalCode", "City", "CompanyType")}
)
NUMBER = re.compile(r"[0-9A-Za-z+*.]{2,12}", re.ASCII)

OUTCOMES = {
    "100": "VALID",
    "200": "INVALID",
    "201": "INVALID_INPUT",
    "202": "INVALID_REQUESTER_INFO",
    "300": "SERVICE_UNAVAILABLE",
    "301": "MS_UNAVAILABLE",
    "302": "TIMEOUT",
    "400": "VAT_BLOCKED",
    "401": "IP_BLOCKED",
    "500": "GLOBAL_MAX_CONCURRENT_REQ",
    "501": "GLOBAL_MAX_CONCURRENT_REQ_TIME",
    "600": "MS_MAX_CONCURRENT_REQ",
    "601": "MS_MAX_CONCURRENT_REQ_TIME",
}
"""The test service's numbers. A real number has check digits, so at CHECK its last three digits choose the answer, and
every number that ends otherwise is valid."""

_BAD_REQUEST = frozenset({"INVALID_INPUT", "INVALID_REQUESTER_INFO"})
_NOT_SHOWN = "---"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON body."""

    status: int
    body: dict[str, Any]


class Vies:
    """The service. It counts its consultation numbers, and remembers the questions."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self.questions: list[dict[str, str]] = []

    def handle(self, method: str, path: str, headers: dict[str, str], body: str) -> Answer:
        """Answers a request. `headers` have lower-case names."""
        if (method, path) == ("GET", STATUS):
            states = [{"countryCode": each, "availability": "Available"} for each in sorted(COUNTRIES)]
            return Answer(HTTPStatus.OK, {"vow": {"available": True}, "countries": states})
        if path not in {CHECK, TEST}:
            return Answer(HTTPStatus.NOT_FOUND, {})
        if method != "POST":
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED, {})
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return Answer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, {})
        question = _question(body)
        if question is None:
            return _failed("INVALID_INPUT")
        self.questions.append(question)
        return self._checked(path, question)

    def _checked(self, path: str, question: dict[str, str]) -> Answer:
        country, number = question.get("countryCode", ""), question.get("vatNumber", "")
        if country not in COUNTRIES or not NUMBER.fullmatch(number):
            return _failed("INVALID_INPUT")
        requester = question.get("requesterMemberStateCode"), question.get("requesterNumber")
        if (requester[0] is None) != (requester[1] is None):
            return _failed("INVALID_REQUESTER_INFO")
        if requester[0] is not None and not (
            requester[0] in COUNTRIES | {"EU"} and NUMBER.fullmatch(requester[1] or "")
        ):
            return _failed("INVALID_REQUESTER_INFO")
        outcome = OUTCOMES.get(number, "SERVICE_UNAVAILABLE") if path == TEST else OUTCOMES.get(number[-3:], "VALID")
        if outcome not in {"VALID", "INVALID"}:
            return _failed(outcome)
        valid = outcome == "VALID"
        has_identifier = valid and requester[0] is not None
        return Answer(
            HTTPStatus.OK,
            {
                "countryCode": country,
                "vatNumber": number,
                "requestDate": f"{self._clock():%Y-%m-%dT%H:%M:%S.000Z}",
                "valid": valid,
                "requestIdentifier": f"WAPIAAAA{len(self.questions):08}" if has_identifier else "",
                "name": "John Doe" if valid else _NOT_SHOWN,
                "address": "123 Main St, Anytown, UK" if valid else _NOT_SHOWN,
                "traderName": _NOT_SHOWN,
                "traderStreet": _NOT_SHOWN,
                "traderPostalCode": _NOT_SHOWN,
                "traderCity": _NOT_SHOWN,
                "traderCompanyType": _NOT_SHOWN,
                "traderNameMatch": "NOT_PROCESSED",
                "traderStreetMatch": "NOT_PROCESSED",
                "traderPostalCodeMatch": "NOT_PROCESSED",
                "traderCityMatch": "NOT_PROCESSED",
                "traderCompanyTypeMatch": "NOT_PROCESSED",
            },
        )


def _question(body: str) -> dict[str, str] | None:
    """The fields of a request; None if it is not an object of known texts. VIES itself overlooks unknown fields."""
    try:
        given = json.loads(body)
    except ValueError:
        return None
    if not isinstance(given, dict) or not given.keys() <= FIELDS:
        return None
    return given if all(isinstance(each, str) for each in given.values()) else None


def _failed(code: str) -> Answer:
    status = HTTPStatus.BAD_REQUEST if code in _BAD_REQUEST else HTTPStatus.OK
    return Answer(status, {"actionSucceed": False, "errorWrappers": [{"error": code}]})
