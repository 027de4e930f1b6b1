"""Bank statements through the API: what agrees exactly is booked once, the rest waits for staff."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from billing import wiring

from functions.get_invoices.app import handler as get_invoices
from functions.import_bank_statements.app import handler as bank_statements
from functions.issue_invoices.app import handler as issue
from tests.api_gateway import NOW, STAFF, Answer, answer, request
from tests.aws import stored_items
from tests.bank_statements import DAY, OUR_IBAN, PAYER_IBAN, Paid, camt053, mt940
from tests.company import Company, provisioned
from tests.functions.test_vat_numbers import put_transfer, recorded, run
from tests.samples import ACCOUNT, with_value

FILES, ENTRIES, ENTRY = "/bank-statements", "/bank-entries", "/bank-entries/{entry}"
INVOICE = "/accounts/{account}/invoices/{number}"


@pytest.fixture(autouse=True)
def invoiced(company: Company, work_queue: Any, stripe_account: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The sample company pays by transfer and has two open invoices."""
    monkeypatch.setenv("SELLER_IBAN", OUR_IBAN)
    wiring.forget()
    put_transfer(company)
    run("renewal", issue, NOW, monkeypatch)
    yield
    wiring.forget()


def sent(content: bytes, media_type: str = "application/xml", **more: Any) -> Answer:
    """The answer to a file, as the gateway passes it: bytes as base64."""
    event = request("POST", FILES, claims=STAFF, body="-", headers={"Content-Type": media_type}, **more)
    event |= {"body": base64.b64encode(content).decode(), "isBase64Encoded": True}
    return answer(bank_statements, event)


def imported(content: bytes, media_type: str = "application/xml") -> dict[str, Any]:
    given = sent(content, media_type)
    assert given.status == 200, given
    body: dict[str, Any] = given.body
    return body


def rows(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for statement in body["statements"] for row in statement["entries"]]


def what(body: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(row["status"], row["doubt"]) for row in rows(body)]


def numbers() -> list[str]:
    return [json.loads(each["body"])["number"] for each in stored_items() if each["sk"].startswith("INVOICE#")]


def shown(company: Company, number: str) -> dict[str, Any]:
    path = {**company.path, "number": number}
    body: dict[str, Any] = answer(get_invoices, request("GET", INVOICE, claims=company.admin, path=path)).body
    return body


def left(company: Company, number: str) -> int:
    return wiring.transfer_store().record(company.account, number).left.amount


def listed(status: str = "doubtful") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = answer(
        bank_statements, request("GET", ENTRIES, claims=STAFF, query={"status": status})
    ).body["items"]
    return items


def entry(id_: str) -> Answer:
    return answer(bank_statements, request("GET", ENTRY, claims=STAFF, path={"entry": id_}))


def decide(id_: str, body: Any, route: str = "/decision", preview: bool = False, version: str | None = None) -> Answer:
    headers = {"If-Match": version or entry(id_).headers["ETag"]}
    query = {"preview": "true"} if preview else None
    event = request("POST", ENTRY + route, claims=STAFF, path={"entry": id_}, body=body, headers=headers, query=query)
    return answer(bank_statements, event)


def take_back(id_: str, reason: str = "wrong") -> Answer:
    return decide(id_, {"reason": reason}, "/take-back")


# ---- What is booked by itself ----


@pytest.mark.parametrize("form", [camt053, mt940])
def test_what_agrees_exactly_is_booked_once(company: Company, form: Any) -> None:
    first, second = numbers()
    due = left(company, first)
    file = form(Paid(due, f"Rechnung {first.lower().replace('-', ' ')} danke", "R1"), Paid(-500, "Fee"))

    body = imported(file, "application/octet-stream")
    again = imported(file, "text/plain")

    assert what(body) == what(again) == [("booked", None)]
    assert (body["booked"], body["doubtful"], body["is_finished"]) == (1, 0, True)
    assert body["statements"][0]["is_checked"]
    assert body["statements"][0]["ignored"] == 1
    assert left(company, first) == 0
    assert left(company, second) == due
    assert len(recorded("transfer.recorded")) == len(recorded("bank_statement.imported")) == 1


def test_one_booking_may_pay_several_invoices(company: Company) -> None:
    first, second = numbers()
    body = imported(camt053(Paid(left(company, first) + left(company, second), f"{first}, {second[-6:]} {second}")))

    assert what(body) == [("booked", None)]
    assert {each["invoice"] for each in rows(body)[0]["parts"][0]["invoices"]} == {first, second}
    assert left(company, first) == left(company, second) == 0


def test_two_payments_of_one_file_for_one_invoice(company: Company) -> None:
    first = numbers()[0]
    due = left(company, first)

    body = imported(camt053(Paid(due, first, "R1"), Paid(due, first, "R2")))

    assert what(body) == [("booked", None), ("doubtful", "paid-already")]
    assert len(recorded("transfer.recorded")) == 1


# ---- Twice, half, overlapping ----


def test_a_booking_of_the_day_report_is_known_in_the_final_statement(company: Company) -> None:
    first, second = numbers()
    early = Paid(left(company, first), first, "R1")
    late = Paid(left(company, second), second, "R2")

    imported(camt053(early, Paid(100, "not yet", status="PDNG"), message="052", name="RPT-1", opening=None))
    body = imported(camt053(early, late, Paid(100, "not yet", "R3"), name="STM-1"))

    assert what(body) == [("booked", None), ("booked", None), ("doubtful", "unknown")]
    assert [row["is_new"] for row in rows(body)] == [False, True, True]
    assert len(recorded("transfer.recorded")) == 2
    after = [event.after or {} for event in recorded("bank_statement.imported")]
    assert [(each["entries"], each["known"], each["pending"]) for each in after] == [(1, 0, 1), (3, 1, 0)]


def test_equal_bookings_without_a_reference_of_the_bank_are_as_many_as_there_are(company: Company) -> None:
    twice = [Paid(500, "coffee"), Paid(500, "coffee")]

    body = imported(camt053(*twice))
    again = imported(camt053(*twice, Paid(700, "tea"), name="STM-2"))

    assert len({row["entry"] for row in rows(body)}) == 2
    assert [row["is_new"] for row in rows(again)] == [False, False, True]
    assert len(listed()) == 3


def test_the_same_statement_twice_in_one_zip_is_one(company: Company) -> None:
    first = numbers()[0]
    statement = camt053(Paid(left(company, first), first), Paid(500, "coffee"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.xml", statement)
        file.writestr("copy of a.xml", b"\xef\xbb\xbf" + statement)
        file.writestr("__MACOSX/._a.xml", b"nothing")
        file.writestr("b.sta", mt940(Paid(900, "tea", "T1")))

    body = imported(packed.getvalue(), "application/zip")

    assert len(body["statements"]) == 2
    assert what(body) == [("booked", None), ("doubtful", "unknown"), ("doubtful", "unknown")]


def test_an_import_without_time_goes_on_with_the_next_request(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = numbers()[0]
    file = camt053(Paid(left(company, first), first), Paid(500, "coffee"))
    monkeypatch.setattr("functions.import_bank_statements.app.IMPORT_SECONDS", -1.0)
    body = imported(file)
    assert (body["is_finished"], body["waiting"]) == (False, 2)
    assert body["statements"][0]["finished_at"] is None
    assert recorded("bank_statement.imported") == []
    assert [each["status"] for each in listed("waiting")] == ["waiting", "waiting"]

    monkeypatch.undo()
    monkeypatch.setenv("SELLER_IBAN", OUR_IBAN)
    again = imported(file)

    assert again["is_finished"]
    assert what(again) == [("booked", None), ("doubtful", "unknown")]
    assert len(recorded("bank_statement.imported")) == 1
    assert listed("waiting") == []


# ---- What is doubtful ----


def test_what_does_not_agree_waits_for_staff(company: Company) -> None:
    first = numbers()[0]
    due = left(company, first)
    expected = [
        (Paid(due - 1200, first), "amount-less"),
        (Paid(due + 1, first), "amount-more"),
        (Paid(due, "LV-2026-000999"), "number-not-found"),
        (Paid(due, f"Rechnung{first}"), "unclear-number"),
        (Paid(due, "for the coffee"), "unknown"),
        (Paid(due, first, is_reversal=True), "reversal"),
        (Paid(-due, first, is_reversal=True), "reversal"),
    ]

    body = imported(camt053(*[paid for paid, _ in expected]))

    assert what(body) == [("doubtful", doubt) for _, doubt in expected]
    assert left(company, first) == due
    items = listed()
    assert {each["doubt"] for each in items} == {doubt for _, doubt in expected}
    assert {(each["payer_name"], each["payer_account"]) for each in items} == {("Nordlys Kaffe ApS", PAYER_IBAN)}
    [event] = recorded("bank_statement.imported")
    assert (event.after or {})["doubtful"] == len(expected)
    said = json.dumps(event.after, default=str)
    assert "Nordlys" not in said
    assert PAYER_IBAN not in said


def test_another_account_of_ours_and_another_currency_are_doubtful(company: Company) -> None:
    first = numbers()[0]
    due = left(company, first)

    elsewhere = imported(camt053(Paid(due, first, "R1"), account="DE02120300000000202051"))
    dollars = Paid(due, first, "R2", currency="USD")
    foreign = imported(camt053(dollars, opening=None, name="USD").replace(b"<Ccy>EUR</Ccy>", b"<Ccy>USD</Ccy>"))

    assert what(elsewhere) + what(foreign) == [("doubtful", "other-account"), ("doubtful", "other-currency")]


def test_invoices_of_two_accounts_are_for_staff_who_may_confirm(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = numbers()
    assert provisioned(with_value(ACCOUNT, "sydlys-kaffe", "account")).status == 201
    run("renewal", issue, NOW, monkeypatch)
    third = next(each for each in numbers() if each not in {first, second})
    total = left(company, first) + wiring.transfer_store().record("sydlys-kaffe", third).left.amount

    [row] = rows(imported(camt053(Paid(total, f"{first} {third}"))))
    assert (row["status"], row["doubt"]) == ("doubtful", "several-accounts")
    assert [part["account"] for part in row["parts"]] == ["nordlys-kaffe", "sydlys-kaffe"]

    shares = [share for part in row["parts"] for share in part["invoices"]]
    allocations = [{"invoice": each["invoice"], "amount": each["amount"]["amount"]} for each in shares]
    given = decide(row["entry"], {"allocations": allocations})

    assert given.status == 200, given
    assert given.body["entry"]["status"] == "booked"
    assert len(given.body["transfers"]) == 2
    assert left(company, first) == 0


def test_a_known_payer_is_a_suggestion_and_not_booked(company: Company) -> None:
    first, second = numbers()
    due = left(company, first)
    imported(camt053(Paid(due, first, "R1")))

    [row] = rows(imported(camt053(Paid(due, "June", "R2"), name="STM-2")))

    assert (row["status"], row["doubt"]) == ("doubtful", "known-payer")
    assert [share["invoice"] for share in row["parts"][0]["invoices"]] == [second]
    assert left(company, second) == due


def test_a_credit_note_is_not_paid(company: Company) -> None:
    from functions.issue_credit_note.app import handler as issue_credit_note

    first = numbers()[0]
    path = {**company.path, "number": first}
    route = "/accounts/{account}/invoices/{number}/credit-notes"
    note = answer(
        issue_credit_note, request("POST", route, claims=STAFF, path=path, body={"lines": None, "reason": "gone"})
    )
    assert note.status < 300, note

    [row] = rows(imported(camt053(Paid(500, first))))

    assert (row["status"], row["doubt"]) == ("doubtful", "paid-already")


# ---- Decisions ----


def doubtful(amount: int, text: str = "for the coffee") -> str:
    [row] = rows(imported(camt053(Paid(amount, text, "R1"))))
    found: str = row["entry"]
    return found


def test_staff_decide_what_a_part_payment_pays(company: Company) -> None:
    first = numbers()[0]
    due = left(company, first)
    id_ = doubtful(due - 1200, first)
    body = {"allocations": [{"invoice": first, "amount": due - 1200}]}
    before = entry(id_)

    shown_first = decide(id_, body, preview=True)
    assert shown_first.body["transfers"][0]["invoices"][0]["left"]["amount"] == 1200
    assert left(company, first) == due
    assert entry(id_) == before

    given = decide(id_, body)
    assert (given.status, given.body["entry"]["status"]) == (200, "booked")
    assert given.headers["ETag"] == entry(id_).headers["ETag"]
    assert left(company, first) == 1200
    assert decide(id_, body, version=before.headers["ETag"]) == given, "the same decision again"
    assert len(recorded("bank_entry.decided")) == len(recorded("transfer.recorded")) == 1
    other = decide(id_, {"ignore": {"reason": "ours"}})
    assert (other.status, other.body["type"]) == (409, "urn:livello:problem:entry-decided")


def test_a_decision_is_taken_back_and_made_anew(company: Company) -> None:
    first, second = numbers()
    due = left(company, first)
    id_ = doubtful(due)
    assert decide(id_, {"allocations": [{"invoice": first, "amount": due}]}).status == 200

    back = take_back(id_)
    assert (back.status, back.body["status"], back.body["doubt"]) == (200, "doubtful", "taken-back")
    assert take_back(id_).body == back.body, "twice is once"
    assert left(company, first) == due
    again = decide(id_, {"allocations": [{"invoice": second, "amount": due}]})

    assert again.body["entry"]["status"] == "booked"
    assert (left(company, first), left(company, second)) == (due, 0)
    assert len(recorded("transfer.taken_back")) == 1
    assert what(imported(camt053(Paid(due, "for the coffee", "R1")))) == [("booked", None)]


def test_what_was_booked_by_itself_is_taken_back(company: Company) -> None:
    first = numbers()[0]
    due = left(company, first)
    [row] = rows(imported(camt053(Paid(due, first))))

    assert take_back(row["entry"]).status == 200
    assert left(company, first) == due
    assert what(imported(camt053(Paid(due, first)))) == [("doubtful", "taken-back")], "it is not booked again by itself"
    again = decide(row["entry"], {"allocations": [{"invoice": first, "amount": due}]})
    assert again.body["entry"]["status"] == "booked"
    assert left(company, first) == 0


def test_an_entry_is_credit_of_an_account(company: Company) -> None:
    due = sum(left(company, each) for each in numbers())
    id_ = doubtful(due + 700)

    given = decide(id_, {"credit": {"account": company.account}})

    assert given.status == 200, given
    assert [left(company, each) for each in numbers()] == [0, 0]
    context = wiring.transfer_store().billing_context(company.account)
    assert context is not None
    assert context.credit == 700


def test_an_entry_is_ignored_and_taken_up_again(company: Company) -> None:
    id_ = doubtful(500)

    given = decide(id_, {"ignore": {"reason": "interest"}})

    assert (given.body["entry"]["status"], given.body["entry"]["reason"]) == ("ignored", "interest")
    assert (listed(), [each["id"] for each in listed("ignored")]) == ([], [id_])
    assert "expires_at" in next(each for each in stored_items() if each["pk"] == f"BANK-ENTRY#{id_}")
    assert take_back(id_).body["status"] == "doubtful"
    assert "expires_at" not in next(each for each in stored_items() if each["pk"] == f"BANK-ENTRY#{id_}")
    kinds = [
        ((event.before or {})["status"], (event.after or {})["status"]) for event in recorded("bank_entry.decided")
    ]
    assert kinds == [("doubtful", "ignored"), ("ignored", "doubtful")]


WRONG_DECISIONS: list[tuple[Any, str, str]] = [
    ({}, "#", "not-together"),
    ({"ignore": {"reason": "x"}, "credit": {"account": "nordlys-kaffe"}}, "#", "not-together"),
    ({"allocations": []}, "#/allocations", "too-few"),
    ({"allocations": [{"invoice": "LV-2026-000001", "amount": 499}]}, "#/allocations", "too-small"),
    ({"allocations": [{"invoice": "LV-2026-000001", "amount": 501}]}, "#/allocations", "too-large"),
    ({"allocations": [{"invoice": "LV-2026-000999", "amount": 500}]}, "#/allocations/0/invoice", "unknown"),
    ({"allocations": [{"invoice": "no number", "amount": 500}]}, "#/allocations/0/invoice", "unknown"),
    ({"credit": {"account": "nobody"}}, "#/credit/account", "unknown"),
    ({"credit": {"account": "q1.nordlys"}}, "#/credit/account", "unknown"),
    (
        {"allocations": [{"invoice": "LV-2026-000001", "amount": 500, "account": "nobody"}]},
        "#/allocations/0/account",
        "unknown",
    ),
    ({"ignore": {"reason": ""}}, "#/ignore/reason", "too-short"),
]


def test_a_wrong_decision_names_the_field() -> None:
    id_ = doubtful(500)
    before = entry(id_)

    for body, pointer, code in WRONG_DECISIONS:
        given = decide(id_, body, version=before.headers["ETag"])

        assert given.status == 422, (body, given)
        assert (pointer, code) in {(each["pointer"], each["code"]) for each in given.body["errors"]}, body
    assert entry(id_) == before


def test_a_decision_names_the_version_that_was_seen() -> None:
    id_ = doubtful(500)
    body = {"ignore": {"reason": "interest"}}
    unnamed = request("POST", ENTRY + "/decision", claims=STAFF, path={"entry": id_}, body=body)

    assert answer(bank_statements, unnamed).status == 428
    assert decide(id_, body, version='"9"').status == 412
    assert entry("20260609-none").status == 404
    assert take_back(id_).body["type"] == "urn:livello:problem:nothing-decided"


def test_money_that_went_out_can_only_be_ignored(company: Company) -> None:
    first = numbers()[0]
    [row] = rows(imported(camt053(Paid(-500, first, is_reversal=True))))

    refusal = decide(row["entry"], {"credit": {"account": company.account}})

    assert refusal.body["errors"][0]["pointer"] == "#/ignore"
    assert decide(row["entry"], {"ignore": {"reason": "was taken back by hand"}}).status == 200


# ---- Files that are refused ----

WELL = camt053(Paid(500, "coffee"))


WRONG_FILES: list[tuple[bytes, str, str]] = [
    (WELL[:-40], "#", "malformed"),
    (camt053(Paid(500, "coffee"), closing=100_400), "#/statements/0/closing", "invalid"),
    (b"<Document/>", "#", "unsupported"),
    (b"day;amount\n2026-06-09;5", "#", "unsupported"),
    (WELL.replace(b"<Ntry>", b"<Ntry><Amt Ccy='EUR'>x</Amt>"), "#/statements/0/entries/0/amount", "not-a-number"),
    (WELL.replace(b">5.00<", b">5.001<"), "#/statements/0/entries/0/amount", "too-many-decimals"),
    (WELL.replace(b'"EUR">5', b'"XXX">5'), "#/statements/0/entries/0/amount/currency", "not-a-currency"),
    (WELL.replace(b"CRDT</CdtDbtInd><Sts>", b"BOTH</CdtDbtInd><Sts>"), "#/statements/0/entries/0/amount", "missing"),
    (WELL.replace(b"<IBAN>" + OUR_IBAN.encode() + b"</IBAN>", b""), "#/statements/0/account", "missing"),
    (
        b'<!DOCTYPE d [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>' + WELL[WELL.index(b"<Document") :],
        "#",
        "malformed",
    ),
    (
        camt053(Paid(500, "old", day=NOW.date() - timedelta(days=366)), day=date(2025, 6, 9)),
        "#/statements/0/entries/0/booked_on",
        "too-early",
    ),
    (mt940(Paid(500, "coffee")).replace(b"0609C5,00N", b"0609X5,00N"), "#/statements/0", "malformed"),
    (mt940(Paid(500, "coffee")).replace(b"EUR1005,00", b"EUR1004,00"), "#/statements/0/closing", "invalid"),
    (b"PK\x03\x04 no zip", "#", "malformed"),
]


def test_a_file_that_cannot_be_imported_is_refused_as_a_whole() -> None:
    before = stored_items()

    for content, pointer, code in WRONG_FILES:
        given = sent(content)

        assert given.status == 422, (content, given)
        assert [(each["pointer"], each["code"]) for each in given.body["errors"]] == [(pointer, code)], content
        assert "coffee" not in json.dumps(given.body)
    assert stored_items() == before


def test_a_file_is_as_large_as_a_request_may_be() -> None:
    too_large = sent(b"<" + b" " * 4 * 1024 * 1024)

    assert (too_large.status, too_large.body["type"]) == (413, "urn:livello:problem:too-large")
    assert sent(WELL, "application/pdf").status == 415
    path = {"entry": "one"}
    event = request(
        "POST", ENTRY + "/decision", claims=STAFF, path=path, body="x", headers={"Content-Type": "text/xml"}
    )
    assert answer(bank_statements, event).status == 415


def test_a_statement_is_listed_and_read(company: Company) -> None:
    body = imported(WELL)
    summary = {name: value for name, value in body["statements"][0].items() if name != "entries"}

    items = answer(bank_statements, request("GET", FILES, claims=STAFF)).body["items"]
    path = {"statement": summary["id"]}
    one = answer(bank_statements, request("GET", FILES + "/{statement}", claims=STAFF, path=path))

    assert items == [summary]
    assert one.body == body["statements"][0]
    missing = request("GET", FILES + "/{statement}", claims=STAFF, path={"statement": "none"})
    assert answer(bank_statements, missing).status == 404


@pytest.mark.deep  # thousands of calls: its neighbours are in make test
def test_two_hundred_bookings_are_one_import(company: Company) -> None:
    """What agrees is booked, the rest is doubtful, and the same file again changes nothing."""
    first, second = numbers()
    due = left(company, first)
    payments = [Paid(100 + each, f"order {each}", f"R{each}", name=f"Payer {each}") for each in range(198)]
    file = camt053(Paid(due, first, "A"), *payments, Paid(due, second, "B"), *[Paid(-10, "fee")] * 50)

    body = imported(file)
    again = imported(file)

    assert (body["booked"], body["doubtful"], body["waiting"]) == (2, 198, 0)
    assert again == body
    assert (left(company, first), left(company, second)) == (0, 0)
    assert len(listed()) == 25
    assert len([each for each in stored_items() if each["pk"].startswith("BANK-ENTRY#")]) == 200
    assert DAY.isoformat() == rows(body)[0]["booked_on"]
