"""Files of invoices are written once and downloaded by a short-lived link; credit notes give money back once."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlparse

import boto3
import pytest
from billing.kernel.events import Event
from billing.platform.events.mapping import event_body
from pypdf import PdfReader

from functions.get_invoice_document.app import handler as get_document
from functions.get_invoices.app import handler as get_invoices
from functions.issue_credit_note.app import handler as credit
from functions.record_payment.app import handler as record_payment
from functions.render_documents.app import handler as render
from functions.update_payment_method.app import handler as update
from local.stripe.api import Stripe
from tests.api_gateway import NOW, STAFF, Answer, answer, person, request
from tests.aws import DOCUMENTS, REGION, TABLE, stored_items
from tests.cards import METHOD, card
from tests.company import Company, provisioned
from tests.functions.ending import Context, deliver, events_of, fire, record
from tests.samples import ACCOUNT, with_value

INVOICES = "/accounts/{account}/invoices"
ISSUED = NOW + timedelta(days=5)
JSON = "application/json"

pytestmark = pytest.mark.usefixtures("work")


def issued(work: Any, monkeypatch: pytest.MonkeyPatch, *jobs: str) -> Event:
    """Runs the jobs, by default to issue and to charge. Returns the event of the first invoice."""
    fire(ISSUED, work, monkeypatch, *(jobs or ("renewal", "collection")))
    return events_of("invoice.issued")[0]


def number_of(event: Event) -> str:
    return str((event.after or {})["number"])


def rendered(event: Event) -> None:
    detail = json.dumps({"detail": json.loads(event_body(event))})
    assert render({"Records": [record(detail)]}, Context()) == {"batchItemFailures": []}


def ask(
    company: Company,
    number: str,
    what: str,
    query: Any = None,
    *,
    claims: Any = None,
    accept: str | None = None,
    now: datetime = NOW,
) -> Answer:
    path = {**company.path, "number": number}
    route = f"{INVOICES}/{{number}}/{what}"
    headers = {} if accept is None else {"Accept": accept}
    event = request("GET", route, claims=claims or company.member, path=path, query=query, headers=headers, now=now)
    return answer(get_document, event)


def correct(company: Company, number: str, body: Any, *, claims: Any = STAFF, now: datetime = ISSUED) -> Answer:
    path = {**company.path, "number": number}
    route = f"{INVOICES}/{{number}}/credit-notes"
    return answer(credit, request("POST", route, claims=claims, path=path, body=body, now=now))


def details(company: Company, number: str) -> Any:
    path = {**company.path, "number": number}
    return answer(get_invoices, request("GET", INVOICES + "/{number}", claims=company.member, path=path)).body


def upcoming(company: Company, now: datetime = ISSUED) -> Any:
    route = INVOICES + "/upcoming"
    return answer(get_invoices, request("GET", route, claims=company.member, path=company.path, now=now)).body


def fetched(link: str) -> tuple[bytes, str]:
    """The content behind a download link, and its Content-Disposition."""
    parts = urlparse(link)
    key = parts.path.removeprefix("/").removeprefix(f"{DOCUMENTS}/")
    [disposition] = parse_qs(parts.query)["response-content-disposition"]
    content = boto3.resource("s3", region_name=REGION).Object(DOCUMENTS, key).get()["Body"].read()
    return content, disposition


def refunds(account: Stripe) -> list[int]:
    return [each["amount"] for each in account.objects["refund"].values()]


def payments_of(account: Stripe, number: str) -> list[Any]:
    return [each for each in account.objects["payment_intent"].values() if each["metadata"].get("invoice") == number]


ALL = {"lines": None, "reason": "Invoiced by mistake"}


# ---- Files -------------------------------------------------------------------------------------------


def test_a_file_can_be_downloaded_after_it_was_written(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = issued(work, monkeypatch)
    number = number_of(event)
    before = ask(company, number, "pdf")
    assert (before.status, before.body, before.headers["Retry-After"]) == (
        202,
        {"status": "preparing", "link": None, "works_until": None},
        "5",
    )

    rendered(event)

    found = ask(company, number, "pdf")
    assert (found.status, found.headers["Cache-Control"]) == (302, "no-store")
    pdf, name = fetched(found.headers["Location"])
    assert name == f'attachment; filename="Livello-Demo-ApS-{number}.pdf"'
    assert number in PdfReader(io.BytesIO(pdf)).pages[0].extract_text()
    assert int(parse_qs(urlparse(found.headers["Location"]).query)["X-Amz-Expires"][0]) == 300
    assert found.body == {
        "status": "ready",
        "link": found.headers["Location"],
        "works_until": (NOW + timedelta(seconds=300)).isoformat().replace("+00:00", "Z"),
    }
    for syntax, root in (("cii", b"CrossIndustryInvoice"), ("ubl", b"<Invoice")):
        xml, _ = fetched(ask(company, number, "xml", {"syntax": syntax}).headers["Location"])
        assert root in xml or root.replace(b"<", b":") in xml
        assert number.encode() in xml


def test_a_page_gets_the_link_instead_of_a_redirect_that_it_cannot_see(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = issued(work, monkeypatch)
    number = number_of(event)
    before = ask(company, number, "pdf", accept=JSON)
    assert (before.status, before.headers["Vary"]) == (202, "Accept")
    rendered(event)

    for what, root in (("pdf", b"%PDF"), ("xml", b"<")):
        found = ask(company, number, what, accept=JSON)
        assert (found.status, found.headers["Cache-Control"], "Location" in found.headers) == (200, "no-store", False)
        assert found.headers["Vary"] == "Accept"
        assert fetched(found.body["link"])[0].startswith(root)
        assert found.body["works_until"] == "2026-06-10T12:05:00Z"


ACCEPTED: list[tuple[str | None, int]] = [
    (JSON, 200),
    ("APPLICATION/json; charset=utf-8", 200),
    ("application/json, */*;q=0.1", 200),
    ("application/*", 302),
    ("application/json, text/plain, */*", 200),  # axios and Angular
    ("application/json;q=0.9, application/pdf;q=0.5, application/xml;q=0.5", 200),
    (None, 302),
    ("", 302),
    ("*/*", 302),  # curl, fetch, httpx
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 302),  # a browser that follows a link
    ("application/pdf, application/xml, application/json", 302),
    ("application/json;q=0.5, application/pdf, application/xml", 302),
    ("application/json;q=0.5, */*", 302),
    ("application/json;q=0", 302),
    ("application/json;q=much", 302),
    ("text/html", 302),
    (",,;q=1,", 302),
]
"""Accept headers, and the status that each gets."""


def test_the_accepted_media_types_decide_between_a_link_and_a_redirect(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = issued(work, monkeypatch)
    rendered(event)

    for what in ("pdf", "xml"):
        found = [(accept, ask(company, number_of(event), what, accept=accept)) for accept, _ in ACCEPTED]
        assert [(accept, each.status) for accept, each in found] == ACCEPTED
        assert {(each.headers["Vary"], each.headers["Cache-Control"]) for _, each in found} == {("Accept", "no-store")}


def test_files_are_written_once_and_rendered_again_with_the_same_bytes(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = issued(work, monkeypatch)
    rendered(event)
    versions = boto3.resource("s3", region_name=REGION).Bucket(DOCUMENTS).object_versions
    first = {each.object_key: each.get()["Body"].read() for each in versions.all()}

    rendered(event)
    assert len([*versions.all()]) == len(first) == 3
    for each in versions.all():
        each.delete()
    rendered(event)

    assert {each.object_key: each.get()["Body"].read() for each in versions.all()} == first


def test_a_deleted_account_gets_no_files(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    event = issued(work, monkeypatch)
    table = boto3.resource("dynamodb", region_name=REGION).Table(TABLE)
    table.delete_item(Key={"pk": f"ACCOUNT#{company.account}", "sk": "PAGE#ACCOUNT"})

    rendered(event)

    assert [*boto3.resource("s3", region_name=REGION).Bucket(DOCUMENTS).object_versions.all()] == []


def test_an_invoice_of_another_account_gives_the_same_404_as_none(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert provisioned(with_value(ACCOUNT, "other-shop", "account")).status == 201
    other = Company("other-shop", company.admin, company.member)
    issued(work, monkeypatch)
    event = next(each for each in events_of("invoice.issued") if each.account == company.account)
    theirs = next(each for each in events_of("invoice.issued") if each.account == "other-shop")

    for number in (number_of(theirs), "LV-2026-999999", "nothing", "LV-2026-", "../../x"):
        assert ask(company, number, "pdf").status == 404
        assert ask(company, number, "xml").status == 404
    assert ask(other, number_of(theirs), "pdf", claims=company.admin).status == 202
    assert ask(company, number_of(event), "pdf", claims=person("a-stranger")).status == 404
    assert ask(company, number_of(event), "xml", {"syntax": "edifact"}).status == 422


# ---- Credit notes -------------------------------------------------------------------------------------


def test_a_credit_note_refunds_the_charge_once(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    event = issued(work, monkeypatch)
    number = number_of(event)
    before = details(company, number)

    given = correct(company, number, ALL)
    again = correct(company, number, ALL)

    assert given.status == 201
    assert again.body == given.body
    note = given.body
    assert note["number"] == "CN-2026-000001"
    assert note["corrects"]["number"] == number
    assert note["total"]["amount"] == -before["total"]["amount"]
    for _ in range(3):
        fire(ISSUED, work, monkeypatch, "collection")
    assert refunds(stripe_account) == [before["total"]["amount"]]
    assert details(company, note["number"])["payment"]["status"] == "paid"
    [refunded] = events_of("credit_note.refunded")
    assert (refunded.after or {})["refunded"] == before["total"]
    # The content of the invoice stays; its payment shows the credit.
    after = details(company, number)
    assert {**after, "payment": None} == {**before, "payment": None}
    assert after["payment"]["status"] == "paid"
    assert after["payment"]["refunded"] == before["total"]
    assert {each["credit_note"] for each in after["payment"]["credited"]} == {note["number"]}
    listed = answer(get_invoices, request("GET", INVOICES, claims=company.member, path=company.path)).body["items"]
    assert {each["number"]: each["corrects"] for each in listed}[note["number"]] == number
    [credit_note_issued] = events_of("credit_note.issued")
    assert (credit_note_issued.after or {})["refunded"] == before["total"]
    rendered(credit_note_issued)
    assert ask(company, note["number"], "pdf").status == 302


def test_a_credit_note_of_one_line_and_then_one_of_the_rest(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    number = number_of(issued(work, monkeypatch))
    total = details(company, number)["total"]["amount"]

    first = correct(company, number, {"lines": [0], "reason": "Wrong tier"})
    twice = correct(company, number, {"lines": [0], "reason": "Another reason"})
    rest = correct(company, number, ALL)

    assert (first.status, rest.status) == (201, 201)
    assert (twice.status, twice.body["type"]) == (409, "urn:livello:problem:already-credited")
    fire(ISSUED, work, monkeypatch, "collection")
    assert sum(refunds(stripe_account)) == total
    assert [each.body["number"] for each in (first, rest)] == ["CN-2026-000001", "CN-2026-000002"]


def test_a_credit_note_reduces_the_amount_that_is_charged_later(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    number = number_of(issued(work, monkeypatch, "renewal"))
    line = details(company, number)["lines"][0]["net"]["amount"]

    assert correct(company, number, {"lines": [0], "reason": "Wrong tier"}).status == 201
    left = details(company, number)["payment"]["left"]["amount"]
    fire(ISSUED, work, monkeypatch, "collection")

    assert left < details(company, number)["due"]["amount"] - line
    assert [each["amount"] for each in payments_of(stripe_account, number)] == [left]
    assert refunds(stripe_account) == []


def test_an_unpaid_invoice_that_is_credited_wholly_is_void(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account, "4000000000000341")
    number = number_of(issued(work, monkeypatch))
    assert details(company, number)["payment"]["attempts"] == 1

    assert correct(company, number, ALL).status == 201
    card(company, stripe_account)
    fire(ISSUED + timedelta(days=3), work, monkeypatch, "collection")

    assert details(company, number)["payment"]["status"] == "void"
    assert {each["status"] for each in payments_of(stripe_account, number)} == {"canceled"}
    assert upcoming(company)["credit"]["amount"] == 0


def test_a_credited_bank_transfer_is_taken_off_the_next_invoice(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answer(update, request("PUT", METHOD + "/bank-transfer", claims=STAFF, path=company.path)).status == 200
    number = number_of(issued(work, monkeypatch, "renewal"))
    paid = {"paid_on": str(ISSUED.date()), "reference": "A transfer"}
    route = INVOICES + "/{number}/payments"
    for each in map(number_of, events_of("invoice.issued")):
        path = {**company.path, "number": each}
        given = answer(record_payment, request("POST", route, claims=STAFF, path=path, body=paid, now=ISSUED))
        assert given.status == 200

    note = correct(company, number, {"lines": [0], "reason": "Wrong tier"}).body

    assert upcoming(company)["credit"]["amount"] == -note["total"]["amount"]


def test_a_refund_that_stripe_refuses_is_reported_to_staff(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    number = number_of(issued(work, monkeypatch))
    [payment] = payments_of(stripe_account, number)
    charge = stripe_account.objects["charge"][payment["latest_charge"]]
    charge["amount_refunded"] = charge["amount_captured"]  # staff have refunded it at Stripe by hand

    note = correct(company, number, ALL).body["number"]
    for _ in range(2):
        fire(ISSUED, work, monkeypatch, "collection")

    assert details(company, note)["payment"]["status"] == "past_due"
    [event] = events_of("payment.past_due")
    assert (event.after or {})["number"] == note
    past_due = answer(get_invoices, request("GET", "/invoices/past-due", claims=STAFF)).body["items"]
    assert [(each["number"], each["due"]["amount"] > 0) for each in past_due] == [(note, True)]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"lines": [99], "reason": "x"}, "#/lines/0"),
        ({"lines": [0, 0], "reason": "x"}, "#/lines/1"),
        ({"lines": [], "reason": "x"}, "#/lines"),
        ({"lines": [-1], "reason": "x"}, "#/lines/0"),
        ({"lines": ["0"], "reason": "x"}, "#/lines/0"),
        ({"lines": None, "reason": " "}, "#/reason"),
        ({"lines": None}, "#/reason"),
        ({"reason": "x"}, "#/lines"),
    ],
)
def test_a_credit_note_with_bad_input_changes_nothing(
    body: Any, pointer: str, company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = number_of(issued(work, monkeypatch, "renewal"))
    before = stored_items()

    given = correct(company, number, body)

    assert given.status == 422
    assert given.body["errors"][0]["pointer"] == pointer
    assert stored_items() == before


def test_a_credit_note_is_not_corrected(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    number = number_of(issued(work, monkeypatch, "renewal"))
    note = correct(company, number, ALL).body["number"]

    given = correct(company, note, ALL)

    assert (given.status, given.body["type"]) == (409, "urn:livello:problem:not-correctable")
    assert deliver(events_of("credit_note.issued")[0]) == {"batchItemFailures": []}
