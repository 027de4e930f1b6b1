"""The comparison of the books from its schedule to the list and the mail of staff."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from billing import wiring
from billing.invoicing.collect_payments import collect_payments
from billing.invoicing.reconciliation.rules import Rule

from functions.get_reconciliation.app import handler as get_reconciliation
from functions.issue_invoices.app import handler as issue
from functions.notify.app import handler as notify
from functions.plan_due_work.app import handler as plan
from functions.reconcile_books.app import handler as reconcile
from local.stripe.api import Stripe
from tests.api_gateway import NOW, STAFF, Answer, answer, request
from tests.aws import delete_item, put_item, stored_items
from tests.cards import card
from tests.company import Company, provisioned
from tests.functions.test_mail import Context as MailContext
from tests.functions.test_mail import Post, post  # noqa: F401 - pytest looks for it here
from tests.functions.test_policies import Permission, allowed, used  # noqa: F401 - and for this
from tests.functions.test_vat_numbers import queued, recorded, run
from tests.samples import ACCOUNT, with_value

NIGHT = (NOW + timedelta(days=1)).replace(hour=3, minute=20)
OTHER = "other-shop"


def compare(at: datetime, monkeypatch: pytest.MonkeyPatch) -> int:
    """The night's schedule and its worker, replayed at an instant. Returns how many books were due."""
    return run("reconciliation", reconcile, at, monkeypatch)


def listed(**query: str) -> Answer:
    return answer(get_reconciliation, request("GET", "/reconciliation", claims=STAFF, query=query))


def give_credit(account: str) -> None:
    """A credit balance that comes from no entry."""
    put_item(f"ACCOUNT#{account}", "BALANCE", json.dumps({"credit": 100}), version=1)


@pytest.fixture(autouse=True)
def invoiced(work: Any, company: Company, stripe_account: Stripe, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample company pays by card, and its contract months are invoiced. So are those of another one."""
    other = with_value(ACCOUNT, OTHER, "account")
    assert provisioned(other).status == 201
    card(company, stripe_account)
    run("renewal", issue, NOW, monkeypatch)


def collected(company: Company) -> None:
    for account in (company.account, OTHER):
        collect_payments(
            account,
            at_once=False,
            now=NOW,
            correlation="test",
            settings=wiring.invoicing_settings(),
            consent_page="",
            store=wiring.invoice_store(),
            gateway=wiring.payments(),
        )


def test_all_books_that_are_due_are_compared_and_what_differs_is_listed(
    company: Company,
    used: set[Permission],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collected(company)
    give_credit(company.account)
    wiring.forget()  # the worker reads Stripe's key by itself
    used.clear()

    assert compare(NIGHT, monkeypatch) == 2

    worker = {each for each in used if each != ("Query", "gsi1")}  # the planner's
    assert worker <= allowed("reconcile_books")
    [finding] = listed().body["items"]
    assert finding == {
        "rule": Rule.CREDIT_DIFFERS,
        "account": company.account,
        "subject": "balance",
        "invoice": None,
        "expected": "the sum of the entries",
        "found": "the balance",
        "expected_amount": {"amount": 0, "currency": "EUR"},
        "found_amount": {"amount": 100, "currency": "EUR"},
        "since": "2026-06-11T03:20:00Z",
    }
    [event] = recorded("reconciliation.differed")
    assert (event.account, event.time, event.is_replay) == (company.account, NIGHT, True)


def test_the_next_night_compares_the_register_as_well(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    collected(company)
    assert compare(NIGHT, monkeypatch) == 2
    numbers = [item["sk"] for item in stored_items() if item["sk"].startswith("NUMBER#LV")]
    delete_item("NUMBERS", numbers[1])

    assert compare(NIGHT + timedelta(days=1), monkeypatch) == 3

    [finding] = listed().body["items"]
    assert (finding["rule"], finding["account"], finding["subject"]) == ("register-broken", None, "LV-2026")
    assert finding["found"] == "2 to 2 are missing."


def test_a_difference_that_is_mended_is_gone_the_night_after(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    collected(company)
    give_credit(company.account)
    compare(NIGHT, monkeypatch)
    assert len(listed().body["items"]) == 1
    put_item(f"ACCOUNT#{company.account}", "BALANCE", json.dumps({"credit": 0}), version=2)

    compare(NIGHT + timedelta(days=1), monkeypatch)

    assert listed().body["items"] == []
    assert len(recorded("reconciliation.differed")) == 1


def test_staff_read_the_list_page_by_page_or_of_one_account(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    collected(company)
    for account in (company.account, OTHER):
        give_credit(account)
    compare(NIGHT, monkeypatch)

    first = listed(limit="1").body
    second = listed(limit="1", cursor=first["next_cursor"]).body

    assert {each["items"][0]["account"] for each in (first, second)} == {company.account, OTHER}
    assert second["next_cursor"] is None
    assert [each["account"] for each in listed(account=OTHER).body["items"]] == [OTHER]
    assert listed(account="nobody").body["items"] == []


def test_one_account_whose_requests_fail_holds_up_no_other(
    company: Company, stripe_account: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the company is a customer at Stripe, which is down. Its message is delivered again, and it stays due."""
    collected(company)
    for account in (company.account, OTHER):
        give_credit(account)
    stripe_account.faults.append({"kind": "500", "path": "", "count": 1_000})
    monkeypatch.setattr("billing.platform.clock._now", lambda: NIGHT)
    monkeypatch.setenv("JOB", "reconciliation")
    plan({"time": NIGHT.isoformat()}, MailContext())

    failed = reconcile({"Records": [message(number, body) for number, body in enumerate(queued())]}, MailContext())

    assert len(failed["batchItemFailures"]) == 1
    assert [each["account"] for each in listed().body["items"]] == [OTHER]
    assert [event.is_replay for event in recorded("reconciliation.differed")] == [False]
    stripe_account.faults.clear()
    assert compare(NIGHT, monkeypatch) == 1
    assert {each["account"] for each in listed().body["items"]} == {company.account, OTHER}


def message(number: int, body: str) -> dict[str, Any]:
    return {
        "messageId": f"message {number}",
        "receiptHandle": "handle",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }


def test_staff_get_one_mail_about_what_is_new(
    company: Company,
    post: Post,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STAFF_ADDRESS", "staff@vendor.example")
    events = [*(json.dumps({"detail": body}) for body in published())]

    for each in events:
        assert notify(post.delivered(each), MailContext()) == {"batchItemFailures": []}

    mails = post.mails()
    assert [address for address, _ in mails] == ["staff@vendor.example"] * 2
    subjects = [mail["Subject"] for _, mail in mails]
    assert subjects == [
        "Nordlys Kaffe: the books differ in 1 place",
        "Register of invoice numbers: the books differ in 1 place",
    ]
    words = mails[1][1].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "2 to 2 are missing." in words


def published() -> list[dict[str, Any]]:
    """The events of an account and of the register."""
    finding = {"subject": "x", "invoice": None, "expected_amount": None, "found_amount": None, "expected": "1 to 3"}
    common = {
        "type": "reconciliation.differed",
        "version": 1,
        "time": "2026-06-11T03:20:00Z",
        "actor": {"kind": "system", "user": None},
        "correlation": "night",
        "before": None,
    }
    found = "2 to 2 are missing."
    return [
        {
            **common,
            "event": "01KTRPENG07H37QHTTH7QTSRGA",
            "account": "nordlys-kaffe",
            "after": {"findings": [{**finding, "rule": "month-not-due", "found": "nothing"}]},
        },
        {
            **common,
            "event": "01KTRPENG07H37QHTTH7QTSRGB",
            "account": None,
            "after": {"findings": [{**finding, "rule": "register-broken", "found": found}]},
        },
    ]
