"""VAT numbers from the change of a company to its invoice: asked of VIES, kept as evidence, decided by staff."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.correspondence.audiences import Recipient, recipients
from billing.correspondence.event_kinds import published
from billing.ending.exports.records import DownloadStore
from billing.kernel.events import Event
from billing.platform.events.mapping import event_from

from functions.administer_cancellation.app import handler as cancellation
from functions.administer_reactivation.app import handler as reactivation
from functions.administer_vat_numbers.app import handler as vat_numbers
from functions.check_vat_number.app import handler as check
from functions.get_billing.app import handler as get_billing
from functions.get_invoices.app import handler as get_invoices
from functions.issue_credit_note.app import handler as credit
from functions.issue_invoices.app import handler as issue
from functions.plan_due_work.app import handler as plan
from functions.update_billing_information.app import handler as update
from local.vies.service import Vies
from tests.api_gateway import NOW, STAFF, Answer, answer, person, request
from tests.aws import REGION, TABLE, stored_items
from tests.company import Company, provisioned
from tests.functions.ending import deactivate
from tests.functions.test_policies import Permission, allowed, used  # noqa: F401 - pytest looks for `used` here
from tests.samples import ACCOUNT, with_value
from tests.vies import InProcess, stand_in

VALID, INVALID, UNAVAILABLE, BLOCKED = "DE136695976", "DE136108200", "DE136100301", "DE136102400"
CHECK = "/accounts/{account}/vat-number-check"
DECISION = {"treatment": "reverse_charge", "reason": "The tax authority has confirmed the number in writing."}
QUARTER = timedelta(minutes=15)


class Context(LambdaContext):
    def __init__(self) -> None:
        self._aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


@pytest.fixture(params=["hold"])
def policy(request: pytest.FixtureRequest) -> str:
    """The deployment's UnconfirmedVatNumber."""
    chosen: str = request.param
    return chosen


@pytest.fixture(autouse=True)
def vies(company: Company, work_queue: Any, policy: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vies]:
    """A deployment that asks VIES, and the stand-in."""
    monkeypatch.setenv("VAT_NUMBER_CHECK", "on")
    monkeypatch.setenv("UNCONFIRMED_VAT_NUMBER", policy)
    monkeypatch.setenv("VIES_API_BASE", "http://vies.example")
    wiring.forget()
    service = stand_in()
    session = InProcess(service)
    monkeypatch.setattr("billing.invoicing.vat_numbers.vies.URLLib3Session", lambda timeout: session)
    yield service
    wiring.forget()


def move(company: Company, vat_number: str | None, *, version: int = 1) -> None:
    """An admin moves the company to Germany, with this number."""
    body = {
        **ACCOUNT["company"],
        "country": "DE",
        "postcode": "10115",
        "city": "Berlin",
        "vat_number": vat_number,
    }
    route = "/accounts/{account}/billing-information/company"
    headers = {"If-Match": f'"{version}"'}
    event = request("PUT", route, claims=company.admin, path=company.path, body=body, headers=headers)
    assert answer(update, event).status == 200


def run(job: str, worker: Any, at: datetime, monkeypatch: pytest.MonkeyPatch) -> int:
    """Runs a schedule and its worker at an instant. Returns how many accounts were due."""
    monkeypatch.setenv("JOB", job)
    plan({"time": at.isoformat(), "clock": at.isoformat()}, Context())
    bodies = queued()
    for body in bodies:
        message = {
            "messageId": "19dd0b57-b21e-4ac1-bd88-01bbb068cb78",
            "receiptHandle": "handle",
            "body": body,
            "attributes": {"ApproximateReceiveCount": "1"},
            "eventSource": "aws:sqs",
        }
        assert worker({"Records": [message]}, Context()) == {"batchItemFailures": []}
    return len(bodies)


def ask_vies(at: datetime, monkeypatch: pytest.MonkeyPatch) -> int:
    return run("vat-number", check, at, monkeypatch)


def issue_due(at: datetime, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The numbers of the invoices so far, after the hourly run."""
    run("renewal", issue, at, monkeypatch)
    return invoices()


def queued() -> list[str]:
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.get_queue_url(QueueName="work")["QueueUrl"]
    bodies = []
    while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for each in found:
            bodies.append(each["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    return bodies


def recorded(kind: str) -> list[Event]:
    """The events of a kind. Each fits its schema."""
    found = [event_from(item["body"]) for item in stored_items() if item["sk"].startswith("EVENT#")]
    for event in found:
        published(event)
    return [event for event in found if event.type == kind]


def invoices() -> list[str]:
    return [json.loads(each["body"])["number"] for each in stored_items() if each["sk"].startswith("INVOICE#")]


def shown(company: Company) -> Answer:
    return answer(vat_numbers, request("GET", CHECK, claims=STAFF, path=company.path))


def decide(company: Company, body: Any, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    event = request("PUT", CHECK + "/decision", claims=STAFF, path=company.path, body=body, headers=named)
    return answer(vat_numbers, event)


def evidence(company: Company, number: str) -> Answer:
    path = {**company.path, "number": number}
    event = request("GET", "/accounts/{account}/invoices/{number}/vat-number-check", claims=STAFF, path=path)
    return answer(vat_numbers, event)


def listed() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer(vat_numbers, request("GET", "/vat-number-checks", claims=STAFF)).body["items"]
    return found


def tax_of(company: Company, number: str) -> dict[str, Any]:
    path = {**company.path, "number": number}
    event = request("GET", "/accounts/{account}/invoices/{number}", claims=STAFF, path=path)
    tax: dict[str, Any] = answer(get_invoices, event).body["tax"]
    return tax


# ---- A confirmed number ----


def test_a_changed_number_is_asked_about_and_kept_as_evidence(
    company: Company, vies: Vies, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(company, VALID)

    assert ask_vies(NOW, monkeypatch) == 1
    assert ask_vies(NOW + QUARTER, monkeypatch) == 0
    assert len(vies.questions) == 1
    known = shown(company)
    assert known.headers["ETag"] == '"1"'
    assert known.body == {
        "number": VALID,
        "result": "valid",
        "code": None,
        "requester": "DK10000009",
        "request_identifier": "WAPIAAAA00000001",
        "answered_on": "2026-06-10",
        "since": "2026-06-10",
        "decision": None,
        "treatment": "reverse_charge",
        # Three days before the first contract month that begins more than 30 days later.
        "next_check_at": "2026-07-11T22:00:00Z",
    }
    [event] = recorded("vat_number.confirmed")
    assert event.after == {
        "number": VALID,
        "requester": "DK10000009",
        "request_identifier": "WAPIAAAA00000001",
        "answered_on": "2026-06-10",
    }
    numbers = issue_due(NOW, monkeypatch)
    assert numbers
    assert {tax_of(company, number)["rule"] for number in numbers} == {"reverse_charge"}
    kept = evidence(company, numbers[0]).body
    assert (kept["number"], kept["request_identifier"]) == (VALID, "WAPIAAAA00000001")


def test_evidence_stays_as_it_was_at_the_issue(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    move(company, VALID)
    ask_vies(NOW, monkeypatch)
    [number, *_] = issue_due(NOW, monkeypatch)
    before = evidence(company, number).body

    assert ask_vies(NOW + timedelta(days=40), monkeypatch) == 1

    assert shown(company).body["request_identifier"] == "WAPIAAAA00000002"
    assert evidence(company, number).body == before
    assert len(recorded("vat_number.confirmed")) == 1, "the same answer is no news"


def test_a_number_is_due_with_its_account(monkeypatch: pytest.MonkeyPatch, vies: Vies) -> None:
    german = {**ACCOUNT["company"], "country": "DE", "postcode": "10115", "city": "Berlin", "vat_number": VALID}
    body = with_value(with_value(ACCOUNT, "nordlicht", "account"), german, "company")
    assert provisioned(body).status == 201

    # The sample company was provisioned by a deployment that does not ask.
    assert ask_vies(NOW, monkeypatch) == 1
    assert [each["vatNumber"] for each in vies.questions] == [VALID[2:]]


@pytest.mark.parametrize("vat_number", ["DK13585628", None])
def test_a_number_that_decides_no_tax_is_not_asked_about(
    vat_number: str | None, company: Company, vies: Vies, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {**ACCOUNT["company"], "vat_number": vat_number, "city": "Odense"}
    event = request(
        "PUT",
        "/accounts/{account}/billing-information/company",
        claims=company.admin,
        path=company.path,
        body=body,
        headers={"If-Match": '"1"'},
    )
    assert answer(update, event).status == 200
    ask_vies(NOW, monkeypatch)

    assert vies.questions == []
    assert ask_vies(NOW + timedelta(days=1), monkeypatch) == 0
    assert shown(company).status == 404
    [number, *_] = issue_due(NOW, monkeypatch)
    assert evidence(company, number).status == 404


def test_a_deployment_that_does_not_ask_stores_nothing(
    company: Company, vies: Vies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAT_NUMBER_CHECK", "off")
    monkeypatch.setenv("UNCONFIRMED_VAT_NUMBER", "")
    wiring.forget()
    move(company, INVALID)

    assert ask_vies(NOW, monkeypatch) == 0
    assert issue_due(NOW, monkeypatch)
    assert not any("VAT" in each["sk"].upper() for each in stored_items())


# ---- An unconfirmed number ----


@pytest.mark.parametrize(
    ("number", "result", "code"), [(INVALID, "invalid", None), (BLOCKED, "not_confirmed", "VAT_BLOCKED")]
)
def test_under_hold_no_invoice_is_issued_before_staff_decide(
    number: str, result: str, code: str | None, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(company, number)
    ask_vies(NOW, monkeypatch)

    assert issue_due(NOW, monkeypatch) == []
    [event] = recorded("vat_number.not_confirmed")
    assert event.after is not None
    assert {name: event.after[name] for name in ("result", "code", "treatment")} == {
        "result": result,
        "code": code,
        "treatment": "hold",
    }
    [awaiting] = listed()
    assert (awaiting["account"], awaiting["number"], awaiting["result"]) == (company.account, number, result)
    assert shown(company).body["treatment"] == "hold"

    decided = decide(company, DECISION, If_Match='"1"')

    assert decided.status == 200
    assert decided.body["treatment"] == "reverse_charge"
    assert decided.body["decision"] == {**DECISION, "by": STAFF["sub"], "at": NOW.isoformat().replace("+00:00", "Z")}
    assert listed() == []
    numbers = issue_due(NOW + timedelta(hours=1), monkeypatch)
    assert numbers
    assert evidence(company, numbers[0]).body["decision"]["reason"] == DECISION["reason"]
    [event] = recorded("vat_number.decided")
    assert event.after == {"number": number, **DECISION}


def test_staff_may_decide_to_charge_tax(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    move(company, INVALID)
    ask_vies(NOW, monkeypatch)
    assert decide(company, {**DECISION, "treatment": "charge_tax"}, If_Match='"1"').status == 200

    [number, *_] = issue_due(NOW, monkeypatch)

    assert (tax_of(company, number)["rule"], tax_of(company, number)["rate"]) == ("destination", "19")
    assert evidence(company, number).status == 404, "no evidence for a reverse charge that is none"


@pytest.mark.parametrize(
    ("policy", "rule"), [("charge", "destination"), ("continue", "reverse_charge")], indirect=["policy"]
)
def test_the_parameter_decides_while_staff_have_not(
    policy: str, rule: str, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(company, INVALID)
    ask_vies(NOW, monkeypatch)

    [number, *_] = issue_due(NOW, monkeypatch)

    assert tax_of(company, number)["rule"] == rule
    assert [each["account"] for each in listed()] == [company.account]


@pytest.mark.parametrize("policy", ["charge"], indirect=True)
def test_every_answer_to_what_comes_next_has_the_tax_of_a_refused_number(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page showed 0 %, and the card was charged with 19 %."""
    move(company, INVALID)
    later = NOW + timedelta(days=1)
    assert issue_due(NOW, monkeypatch)
    assert _next_tax(company, NOW) == {0}, "nobody has answered yet"
    ask_vies(later, monkeypatch)

    [tax] = _next_tax(company, later)

    assert tax > 0
    total = _get(company, get_invoices, "/accounts/{account}/invoices/upcoming", datetime(2026, 7, 15, tzinfo=UTC))
    [*_, number] = issue_due(datetime(2026, 7, 15, 1, tzinfo=UTC), monkeypatch)
    assert tax_of(company, number)["amount"]["amount"] == tax == total.body["tax"]["amount"]["amount"]
    body = {"treatment": "reverse_charge", "reason": "Seen the register"}
    assert decide(company, body, If_Match=shown(company).headers["ETag"]).status == 200
    assert _next_tax(company, datetime(2026, 7, 16, tzinfo=UTC)) == {0}


def _next_tax(company: Company, at: datetime) -> set[int]:
    """The tax of the next invoice as each place shows it."""
    page = _get(company, get_billing, "/accounts/{account}/billing", at).body["payment_details"]["next_charge"]
    section = _get(company, get_billing, "/accounts/{account}/payment-method", at).body["next_charge"]
    upcoming = _get(company, get_invoices, "/accounts/{account}/invoices/upcoming", at).body
    late = at + timedelta(days=6)
    preview = _get(company, cancellation, "/accounts/{account}/cancellation", late).body["preview"]
    [charge, *_] = preview["charges_still_due"] or [page]
    return {each["tax"]["amount"] for each in (page, section, charge)} | {upcoming["tax"]["amount"]["amount"]}


def _get(company: Company, handler: Any, route: str, at: datetime) -> Answer:
    return answer(handler, request("GET", route, claims=company.admin, path=company.path, now=at))


@pytest.mark.parametrize("policy", ["charge"], indirect=True)
def test_the_preview_shows_the_tax_that_will_be_charged(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    move(company, INVALID)
    ask_vies(NOW, monkeypatch)

    event = request("GET", "/accounts/{account}/invoices/upcoming", claims=company.admin, path=company.path)

    assert answer(get_invoices, event).body["tax"]["rule"] == "destination"


@pytest.mark.parametrize("policy", ["hold", "charge", "continue"], indirect=True)
def test_the_page_and_a_cancellation_show_the_tax_of_the_next_invoice(
    company: Company, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Germany's VAT is charged on what a number does not cover that VIES refuses; both showed none."""
    move(company, INVALID)
    ask_vies(NOW, monkeypatch)

    following = answer(
        get_invoices, request("GET", "/accounts/{account}/invoices/upcoming", claims=company.admin, path=company.path)
    ).body
    page = answer(
        get_billing, request("GET", "/accounts/{account}/billing", claims=company.admin, path=company.path)
    ).body
    preview = answer(
        cancellation, request("GET", "/accounts/{account}/cancellation", claims=company.admin, path=company.path)
    ).body

    assert (following["tax"]["amount"]["amount"] > 0) == (policy == "charge")
    assert page["payment_details"]["next_charge"]["total"] == following["total"]
    assert preview["preview"]["charges_still_due"][0]["total"] == following["total"]


def test_a_number_that_was_registered_meanwhile_frees_the_invoices_the_next_day(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(company, INVALID)
    ask_vies(NOW, monkeypatch)
    tomorrow = NOW + timedelta(days=1)
    assert issue_due(NOW, monkeypatch) == []
    monkeypatch.setattr("local.vies.service.OUTCOMES", {})

    assert ask_vies(tomorrow, monkeypatch) == 1

    assert issue_due(tomorrow, monkeypatch)
    assert listed() == []
    assert len(recorded("vat_number.not_confirmed")) == len(recorded("vat_number.confirmed")) == 1


def test_an_unconfirmed_number_is_told_once(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    move(company, INVALID)

    for day in range(5):
        assert ask_vies(NOW + timedelta(days=day), monkeypatch) == 1

    assert len(recorded("vat_number.not_confirmed")) == 1
    [unconfirmed] = listed()
    assert (unconfirmed["since"], unconfirmed["answered_on"]) == ("2026-06-10", "2026-06-10")


def test_a_corrected_number_frees_the_invoices(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    move(company, INVALID)
    ask_vies(NOW, monkeypatch)
    assert issue_due(NOW, monkeypatch) == []
    move(company, VALID, version=2)
    # The old answer says nothing about the new number.
    assert issue_due(NOW, monkeypatch) == []

    ask_vies(NOW + QUARTER, monkeypatch)

    assert issue_due(NOW + QUARTER, monkeypatch)
    assert listed() == []


def test_a_company_that_has_its_number_no_more_is_charged_tax(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(company, INVALID)
    ask_vies(NOW, monkeypatch)
    move(company, None, version=2)

    [number, *_] = issue_due(NOW, monkeypatch)
    ask_vies(NOW + QUARTER, monkeypatch)

    assert tax_of(company, number)["rule"] == "destination"
    assert listed() == []
    assert shown(company).status == 404


def test_a_reactivation_waits_for_the_decision(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    move(company, INVALID)
    ask_vies(NOW, monkeypatch)
    deactivate(company)
    route = "/accounts/{account}/reactivation"
    quote = answer(reactivation, request("GET", route, claims=company.admin, path=company.path)).body["offer"]
    body = {"due": quote["invoice"]["due"], "confirmed": True}
    put_transfer(company)

    refused = answer(reactivation, request("POST", route, claims=company.admin, path=company.path, body=body))

    assert (refused.status, refused.body["type"].rpartition(":")[2]) == (409, "vat-number-unconfirmed")
    assert decide(company, DECISION, If_Match='"1"').status == 200
    accepted = answer(reactivation, request("POST", route, claims=company.admin, path=company.path, body=body))
    assert accepted.status == 202


def test_a_correction_with_tax_anew_waits_for_the_decision(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    [number, *_] = issue_due(NOW, monkeypatch)
    move(company, INVALID)
    ask_vies(NOW, monkeypatch)
    route, path = "/accounts/{account}/invoices/{number}/correction", {**company.path, "number": number}
    body = {"reason": "It was another company", "tax": "anew"}

    for preview in ("/preview", ""):
        asked = request("POST", route + preview, claims=STAFF, path=path, body=body)
        refused = answer(credit, asked)
        assert (refused.status, refused.body["type"].rpartition(":")[2]) == (409, "vat-number-unconfirmed")
    assert decide(company, DECISION, If_Match='"1"').status == 200
    assert answer(credit, request("POST", route, claims=STAFF, path=path, body=body)).status == 201


def put_transfer(company: Company) -> None:
    """Staff agree on bank transfers, so that no card is needed."""
    from functions.update_payment_method.app import handler as update_method

    route = "/accounts/{account}/payment-method/bank-transfer"
    assert answer(update_method, request("PUT", route, claims=STAFF, path=company.path)).status == 200


# ---- An outage ----


@pytest.mark.parametrize("policy", ["hold", "charge", "continue"], indirect=True)
def test_an_outage_after_a_confirmation_changes_nothing(
    company: Company, vies: Vies, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(company, VALID)
    ask_vies(NOW, monkeypatch)
    before = issue_due(NOW, monkeypatch)
    monkeypatch.setattr("local.vies.service.OUTCOMES", {VALID[-3:]: "MS_UNAVAILABLE"})
    later = datetime(2026, 7, 15, 12, tzinfo=UTC)

    assert ask_vies(later - timedelta(days=2), monkeypatch) == 1
    assert ask_vies(later - timedelta(days=1), monkeypatch) == 1
    [number] = [each for each in issue_due(later, monkeypatch) if each not in before]

    assert tax_of(company, number)["rule"] == "reverse_charge"
    assert evidence(company, number).body["request_identifier"] == "WAPIAAAA00000001"
    [event] = recorded("vat_number.unanswered")
    assert event.after == {"country": "DE", "since": "2026-07-13T12:00:00+00:00", "code": "MS_UNAVAILABLE"}


@pytest.mark.parametrize("policy", ["charge"], indirect=True)
def test_a_number_without_an_answer_is_no_reason_to_charge_tax(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(company, UNAVAILABLE)
    ask_vies(NOW, monkeypatch)

    [number, *_] = issue_due(NOW, monkeypatch)

    assert tax_of(company, number)["rule"] == "reverse_charge"


def test_a_question_without_an_answer_is_asked_again_later(
    company: Company, vies: Vies, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(company, UNAVAILABLE)

    asked = [ask_vies(NOW + each * QUARTER, monkeypatch) for each in range(8)]

    assert asked == [1, 1, 0, 1, 0, 0, 0, 1]
    assert recorded("vat_number.unanswered") == []


def test_staff_may_decide_before_vies_has_answered(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    move(company, UNAVAILABLE)
    ask_vies(NOW, monkeypatch)
    assert issue_due(NOW, monkeypatch) == []

    assert decide(company, DECISION, If_None_Match="*").status == 200

    [number, *_] = issue_due(NOW, monkeypatch)
    kept = evidence(company, number).body
    assert (kept["result"], kept["decision"]["treatment"]) == (None, "reverse_charge")


# ---- Permissions ----


def test_each_function_may_do_what_a_check_needs(
    company: Company,
    used: set[Permission],  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def steps() -> Iterator[tuple[str, Any]]:
        yield "update_billing_information", lambda: move(company, UNAVAILABLE)
        yield "check_vat_number", lambda: checked(NOW)
        yield "check_vat_number", lambda: checked(NOW + timedelta(days=1))
        yield "update_billing_information", lambda: move(company, INVALID, version=2)
        yield "check_vat_number", lambda: checked(NOW + timedelta(days=2))
        yield "administer_vat_numbers", lambda: decide(company, DECISION, If_Match='"1"')
        yield "issue_invoices", lambda: worked(issue, NOW)
        yield "update_billing_information", lambda: move(company, None, version=3)
        yield "check_vat_number", lambda: checked(NOW + timedelta(days=3))

    def worked(worker: Any, at: datetime) -> None:
        body = json.dumps({"account": company.account, "at": at.isoformat(), "clock": at.isoformat()})
        record = {"messageId": "1", "receiptHandle": "1", "body": body, "eventSource": "aws:sqs"}
        record["attributes"] = {"ApproximateReceiveCount": "1"}  # type: ignore[assignment]
        assert worker({"Records": [record]}, Context()) == {"batchItemFailures": []}

    def checked(at: datetime) -> None:
        worked(check, at)

    for function, step in steps():
        used.clear()
        step()
        assert used
        assert used <= allowed(function), function
    assert invoices()


# ---- Staff, mail, and what is kept ----


def test_a_decision_names_the_version_that_it_is_about(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    move(company, INVALID)
    ask_vies(NOW, monkeypatch)

    assert decide(company, DECISION).status == 428
    assert decide(company, DECISION, If_Match='"7"').status == 412
    assert decide(company, DECISION, If_Match='"1"').headers["ETag"] == '"2"'
    assert decide(company, DECISION, If_Match='"1"').status == 200, "a repeated request"
    assert len(recorded("vat_number.decided")) == 1
    another = {"treatment": "charge_tax", "reason": "It was a mistake."}
    assert decide(company, another, If_Match='"1"').status == 412
    assert decide(company, another, If_Match='"2"').status == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {**DECISION, "treatment": "hold"},
        {**DECISION, "reason": " "},
        {**DECISION, "number": VALID},
    ],
)
def test_a_decision_without_a_reason_or_a_result_is_refused(body: Any, company: Company) -> None:
    move(company, INVALID)

    assert decide(company, body, If_None_Match="*").status == 422


def test_without_a_number_there_is_nothing_to_decide(company: Company) -> None:
    move(company, None)

    refused = decide(company, DECISION, If_None_Match="*")

    assert (refused.status, refused.body["type"].rpartition(":")[2]) == (409, "no-vat-number")


def test_a_stranger_learns_nothing(company: Company) -> None:
    stranger = person("stranger-1")

    assert answer(vat_numbers, request("GET", CHECK, claims=stranger, path=company.path)).status == 404
    assert answer(vat_numbers, request("GET", CHECK, claims=company.admin, path=company.path)).status == 403


def test_admins_and_staff_get_a_mail_about_an_unconfirmed_number(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(company, INVALID)
    ask_vies(NOW, monkeypatch)
    [event] = recorded("vat_number.not_confirmed")
    users = wiring.account_store().users(company.account)

    addressed = recipients(event, users, "invoices@nordlys.example", "staff@livello.example")

    assert addressed == (Recipient("ada@nordlys.example", "Ada Holm"), Recipient("staff@livello.example", None))


def test_the_check_and_its_evidence_are_in_the_export(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    move(company, VALID)
    ask_vies(NOW, monkeypatch)
    issued = issue_due(NOW, monkeypatch)

    exported = [each.key for each in DownloadStore(TABLE, wiring.dynamodb()).everything(company.account)]

    assert [each for each in exported if "VAT-CHECK" in each] == [
        "PAGE#VAT-CHECK",
        *(f"VAT-CHECK#{number}" for number in issued),
    ]
