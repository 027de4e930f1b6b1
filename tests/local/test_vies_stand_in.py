"""The stand-in for VIES answers like VIES's own test service, and takes only what is published."""

from __future__ import annotations

import json
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from local.background import free_port
from local.settings import Settings
from local.vies.__main__ import server
from local.vies.process import vies_stand_in
from local.vies.service import CHECK, OUTCOMES, STATUS, TEST, Answer
from tests.vies import stand_in

JSON = {"content-type": "application/json"}
QUESTION = {"countryCode": "DE", "vatNumber": "136695976"}
REQUESTER = {"requesterMemberStateCode": "DK", "requesterNumber": "10000009"}


def ask(question: Any, path: str = CHECK, headers: dict[str, str] | None = None) -> Answer:
    return stand_in().handle("POST", path, JSON if headers is None else headers, json.dumps(question))


def code(answer: Answer) -> Any:
    return answer.body["errorWrappers"][0]["error"]


@pytest.mark.parametrize("number", sorted(OUTCOMES))
def test_each_number_of_the_test_service_has_its_answer(number: str) -> None:
    answer = ask({"countryCode": "DE", "vatNumber": number}, TEST)

    expected = OUTCOMES[number]
    if expected in {"VALID", "INVALID"}:
        assert answer.body["valid"] == (expected == "VALID")
    else:
        assert (answer.body["actionSucceed"], code(answer)) == (False, expected)


def test_the_test_service_knows_no_other_number() -> None:
    assert code(ask(QUESTION, TEST)) == "SERVICE_UNAVAILABLE"
    assert ask(QUESTION).body["valid"] is True


@pytest.mark.parametrize(
    "question",
    [
        [],
        "DE136695976",
        {},
        {**QUESTION, "countryCode": "GR"},
        {**QUESTION, "countryCode": "GB"},
        {**QUESTION, "countryCode": "de"},
        {**QUESTION, "vatNumber": "DE 136 695"},
        {**QUESTION, "vatNumber": "1"},
        {**QUESTION, "vatNumber": 136695976},
        {**QUESTION, "vat": "x"},
    ],
)
def test_what_is_not_published_is_refused(question: Any) -> None:
    answer = ask(question)

    assert (answer.status, code(answer)) == (400, "INVALID_INPUT")


@pytest.mark.parametrize(
    "requester",
    [
        {"requesterMemberStateCode": "DK"},
        {"requesterNumber": "10000009"},
        {**REQUESTER, "requesterMemberStateCode": "GB"},
        {**REQUESTER, "requesterNumber": ""},
    ],
)
def test_a_requester_has_a_country_and_a_number(requester: dict[str, str]) -> None:
    assert code(ask({**QUESTION, **requester})) == "INVALID_REQUESTER_INFO"


def test_only_json_is_taken() -> None:
    assert ask(QUESTION, headers={"content-type": "text/plain"}).status == 415
    assert stand_in().handle("GET", CHECK, {}, "").status == 405
    assert stand_in().handle("POST", "/check", JSON, "{}").status == 404
    assert code(stand_in().handle("POST", CHECK, JSON, "{")) == "INVALID_INPUT"


def test_the_availability_of_each_member_state_is_told() -> None:
    answer = stand_in().handle("GET", STATUS, {}, "")

    assert answer.body["vow"] == {"available": True}
    assert {"countryCode": "EL", "availability": "Available"} in answer.body["countries"]


def test_it_starts_and_ends_with_the_stack(tmp_path: Path) -> None:
    stand_in_process = vies_stand_in(Settings(tmp_path, tmp_path, vies_port=free_port()))
    try:
        stand_in_process.start()
        assert stand_in_process.is_current()
    finally:
        stand_in_process.stop(by_force=True)


def test_it_is_a_server() -> None:
    serving = server(stand_in(), 0)
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{serving.server_address[1]}{CHECK}"
        request = urllib.request.Request(
            address, json.dumps({**QUESTION, **REQUESTER}).encode(), {"Content-Type": "application/json"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=5) as response:
            assert json.load(response)["requestIdentifier"] == "WAPIAAAA00000001"
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join()
