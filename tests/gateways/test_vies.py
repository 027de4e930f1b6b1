"""The gateway to VIES, against the stand-in: every answer of VIES's own test service, and broken ones."""

from __future__ import annotations

from datetime import date

import orjson
import pytest
from billing.invoicing.vat_numbers.register import NoAnswer
from billing.invoicing.vat_numbers.rules import VatResult
from billing.invoicing.vat_numbers.vies import TIMEOUT_SECONDS, VIES, Vies
from botocore.exceptions import ConnectTimeoutError, HTTPClientError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

from local.vies.service import OUTCOMES
from tests.vies import Reply, gateway, stand_in

VALID, INVALID, BLOCKED, MALFORMED = "DE136695976", "DE136108200", "DE136102400", "DE136105201"
SELLER = "DK10000009"
TODAY = date(2026, 6, 10)


def test_a_valid_number_is_confirmed_with_a_consultation_number() -> None:
    vies = stand_in()

    answer = gateway(vies).check(VALID, SELLER)

    assert (answer.result, answer.code, answer.answered_on) == (VatResult.VALID, None, TODAY)
    assert answer.request_identifier == "WAPIAAAA00000001"
    [question] = vies.questions
    assert question == {
        "countryCode": "DE",
        "vatNumber": "136695976",
        "requesterMemberStateCode": "DK",
        "requesterNumber": "10000009",
    }


def test_without_a_requester_there_is_no_consultation_number() -> None:
    assert gateway(stand_in()).check(VALID, None).request_identifier is None


@pytest.mark.parametrize(
    ("number", "result", "code"),
    [
        (INVALID, VatResult.INVALID, None),
        (BLOCKED, VatResult.NOT_CONFIRMED, "VAT_BLOCKED"),
        (MALFORMED, VatResult.NOT_CONFIRMED, "INVALID_INPUT"),
    ],
)
def test_an_answer_about_the_number_is_final(number: str, result: VatResult, code: str | None) -> None:
    answer = gateway(stand_in()).check(number, SELLER)

    assert (answer.result, answer.code, answer.request_identifier) == (result, code, None)


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (ending, code)
        for ending, code in OUTCOMES.items()
        if code not in {"VALID", "INVALID", "INVALID_INPUT", "VAT_BLOCKED"}
    ],
)
def test_every_other_code_is_no_answer(ending: str, code: str) -> None:
    with pytest.raises(NoAnswer) as failure:
        gateway(stand_in()).check(f"DE136000{ending}", SELLER)
    assert failure.value.reason == code


def test_a_seller_that_vies_does_not_know_is_no_answer_about_the_buyer() -> None:
    with pytest.raises(NoAnswer, match="INVALID_REQUESTER_INFO"):
        gateway(stand_in()).check(VALID, "GB999999973")


GOOD = {"countryCode": "DE", "vatNumber": "136695976", "valid": True, "requestIdentifier": ""}


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (200, b""),
        (200, b"<html>maintenance</html>"),
        (200, b"[]"),
        (200, b"{}"),
        (200, orjson.dumps({**GOOD, "valid": "true"})),
        (200, orjson.dumps({**GOOD, "vatNumber": "129273398"})),
        (200, orjson.dumps({**GOOD, "countryCode": "AT"})),
        (200, orjson.dumps({"actionSucceed": False, "errorWrappers": [7]})),
        (200, orjson.dumps({"actionSucceed": False, "errorWrappers": [{"error": None}]})),
        (500, orjson.dumps(GOOD)),
        (403, b"forbidden"),
        (302, b""),
    ],
)
def test_a_broken_answer_says_nothing_about_the_number(status: int, content: bytes) -> None:
    with pytest.raises(NoAnswer):
        gateway(stand_in(), lambda: Reply(status, content)).check(VALID, SELLER)


@pytest.mark.parametrize(
    "error",
    [
        ConnectTimeoutError(endpoint_url="https://vies.example"),
        ReadTimeoutError(endpoint_url="https://vies.example"),
        HTTPClientError(error="TLS"),
    ],
)
def test_no_connection_is_no_answer(error: Exception) -> None:
    def fails() -> Reply:
        raise error

    with pytest.raises(NoAnswer, match="NO_CONNECTION"):
        gateway(stand_in(), fails).check(VALID, SELLER)


@pytest.mark.parametrize("day", [None, "", "yesterday", 7])
def test_an_answer_without_a_day_is_an_answer(day: object) -> None:
    reply = Reply(200, orjson.dumps({**GOOD, "requestDate": day}))

    assert gateway(stand_in(), lambda: reply).check(VALID, SELLER).answered_on is None


def test_without_an_address_the_commission_is_asked_over_https_with_limits() -> None:
    vies = Vies()

    assert vies._address == VIES + "/check-vat-number"
    assert isinstance(vies._session, URLLib3Session)
    assert vars(vies._session)["_timeout"].connect_timeout == TIMEOUT_SECONDS[0]
