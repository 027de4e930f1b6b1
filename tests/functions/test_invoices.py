"""Invoices: issued when due, explained, charged once, retried, and never a reason to lock the customer out."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.correspondence.event_kinds import published
from billing.kernel.events import Event
from billing.kernel.money import Money
from billing.platform.events.mapping import event_from
from billing.subscriptions.catalogue import Tier
from billing.subscriptions.rules import Cause, TierChange

from functions.administer_users.app import handler as administer_users
from functions.collect_payments.app import handler as collect
from functions.get_billing.app import handler as get_billing
from functions.get_invoices.app import handler as get_invoices
from functions.issue_invoices.app import handler as issue
from functions.note_payment_notice.app import handler as note
from functions.plan_due_work.app import handler as plan
from functions.record_payment.app import handler as record_payment
from functions.release_invoicing.app import handler as release_invoicing
from functions.update_payment_method.app import handler as update
from local.demo import companies as demo_companies
from local.demo.companies import COMPANIES, DemoCompany
from local.stripe.api import Stripe
from local.stripe.process import KEYS
from tests.api_gateway import NOW, STAFF, Answer, answer, person, request
from tests.aws import REGION, stored_items
from tests.cards import ASKS, DECLINED_WHEN_CHARGED, LOST, VISA, card
from tests.company import Company, provisioned, put_catalogue
from tests.samples import ACCOUNT, with_value
from tests.stripe import later

INVOICES = "/accounts/{account}/invoices"
DEMO_CATALOGUE = Path(demo_companies.__file__).with_name("catalogue.json")


class Context(LambdaContext):
    number = 0

    def __init__(self) -> None:
        Context.number += 1
        self._aws_request_id = f"run-{Context.number}"


@pytest.fixture(autouse=True)
def stripe(company: Company, stripe_account: Stripe, work_queue: Any) -> Stripe:
    return stripe_account


# ---- Schedules and events ------------------------------------------------------------------------------------


def record(body: Any) -> dict[str, Any]:
    return {
        "messageId": "19dd0b57-b21e-4ac1-bd88-01bbb068cb78",
        "receiptHandle": "handle",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }


def run(at: datetime, monkeypatch: pytest.MonkeyPatch, *, charged: bool = True) -> None:
    """Runs both schedules and their workers at an instant, and delivers the events of new invoices for charging."""
    before = {event.id for event in recorded()}
    for job, worker in (("renewal", issue), ("collection", collect)):
        if job == "collection" and not charged:
            return
        monkeypatch.setenv("JOB", job)
        plan({"time": at.isoformat(), "clock": at.isoformat()}, Context())
        for body in queued():
            assert worker({"Records": [record(body)]}, Context()) == {"batchItemFailures": []}
        if job == "renewal" and charged:
            notify(*(event for event in recorded("invoice.issued") if event.id not in before))


def release(company: Company, at: datetime) -> Answer:
    """Staff look at the invoices that wait for them, and confirm number and sum."""
    route = "/accounts/{account}/invoicing/release"
    seen = answer(release_invoicing, request("GET", route, claims=STAFF, path=company.path, now=at)).body
    body = {"invoices": len(seen["invoices"]), "total": seen["total"]}
    return answer(release_invoicing, request("POST", route, claims=STAFF, path=company.path, body=body, now=at))


def notify(*events: Event) -> None:
    """Delivers events to the worker that charges, as the bus does."""
    for event in events:
        detail = published(event).model_dump(mode="json")
        body = record({"detail-type": event.type, "detail": detail})
        assert collect({"Records": [body]}, Context()) == {"batchItemFailures": []}


def queued() -> list[str]:
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.get_queue_url(QueueName="work")["QueueUrl"]
    bodies = []
    while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [each["Body"] for each in found]
        for each in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    return bodies


def recorded(*kinds: str) -> list[Event]:
    """The recorded events of these kinds, or all, oldest first. Each must fit the schema of its kind."""
    events = [event_from(item["body"]) for item in stored_items() if item["sk"].startswith("EVENT#")]
    for event in events:
        published(event)
    return [event for event in events if event.type in kinds or not kinds]


def switch_to_transfer(company: Company) -> None:
    path = "/accounts/{account}/payment-method/bank-transfer"
    assert answer(update, request("PUT", path, claims=STAFF, path=company.path)).status == 200


# ---- What customers see ------------------------------------------------------------------------------------


def ask(company: Company, route: str, *, now: datetime = NOW, claims: Any = None, **more: Any) -> Answer:
    path = {**company.path, **more.pop("path", {})}
    return answer(get_invoices, request("GET", route, claims=claims or company.member, path=path, now=now, **more))


def invoice_rows(company: Company, **query: str) -> list[tuple[str, str, str, int]]:
    """The list of invoices, newest first: number, day of issue, status, total in cents."""
    found = ask(company, INVOICES, query=query or None).body["items"]
    return [(each["number"], each["produced_on"], each["status"], each["total"]["amount"]) for each in found]


def one(company: Company, number: str) -> Any:
    given = ask(company, INVOICES + "/{number}", path={"number": number})
    assert given.status == 200, given
    return given.body


def charges(stripe: Stripe) -> list[tuple[int, str]]:
    return [(each["amount"], each["status"]) for each in stripe.objects["charge"].values()]


# The sample company pays in EUR every 3 months from 15 January, in Copenhagen. For three months: search 12,862.5, email
# 17,700, less 1,500 (see tests/functions/test_billing_page.py).
FIRST_NET = 12_862 + 17_700 - 1_500


# ---- Issued ------------------------------------------------------------------------------------------


def test_the_first_invoice_covers_the_period_from_the_contracts_start(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(NOW, monkeypatch, charged=False)

    [newest, first] = invoice_rows(company)
    assert first[:2] == ("LV-2026-000001", "2026-06-10")
    details = one(company, "LV-2026-000001")
    assert (details["since"], details["until"]) == ("2026-01-15", "2026-04-15")
    assert (one(company, "LV-2026-000002")["since"], newest[0]) == ("2026-04-15", "LV-2026-000002")
    assert [event.type for event in recorded("invoice.issued")] == ["invoice.issued"] * 2


def test_an_invoice_explains_each_amount(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    run(NOW, monkeypatch, charged=False)

    details = one(company, "LV-2026-000002")

    search = next(line for line in details["lines"] if line["product"] == "search")
    assert search["description"] == "Search, up to 10,000 searches per month, 3 months"
    [step] = search["steps"]
    assert (step["months"], step["up_to"], step["price"]["amount"], step["decision"]) == (3, 10_000, 4_900, None)
    assert [each["percent"] for each in step["discounts"]] == ["12.5"]
    assert search["net"] == {"amount": 12_862, "currency": "EUR"}
    # A Danish seller, a Danish company: Danish VAT.
    assert details["tax"]["rule"] == "domestic"
    assert details["tax"]["rate"] == "25"
    assert details["total"]["amount"] == details["net"]["amount"] + round(details["net"]["amount"] * 0.25)
    assert details["seller"]["name"] == "Livello Demo ApS"
    assert details["company"] == {**ACCOUNT["company"], "address_line_2": details["company"]["address_line_2"]}


def test_the_issued_invoice_equals_its_preview(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    run(NOW, monkeypatch, charged=False)
    preview = ask(company, INVOICES + "/upcoming").body
    assert preview["on"] == "2026-07-15"
    page = answer(get_billing, request("GET", "/accounts/{account}/billing", claims=company.member, path=company.path))
    assert preview["net"] == page.body["payment_details"]["amount_per_charge"]

    run(datetime(2026, 7, 15, 1, tzinfo=UTC), monkeypatch, charged=False)

    issued = one(company, "LV-2026-000003")
    for part in ("occasion", "since", "until", "lines", "net", "tax", "total", "credit", "due"):
        assert issued[part] == preview[part], part


def test_a_repeated_run_issues_nothing(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    run(NOW, monkeypatch, charged=False)
    before = stored_items()

    run(NOW, monkeypatch, charged=False)
    body = {"account": company.account, "at": NOW.isoformat(), "clock": NOW.isoformat()}
    assert issue({"Records": [record(body), record(body)]}, Context()) == {"batchItemFailures": []}

    assert stored_items() == before


def test_an_invoice_is_issued_when_the_day_begins_in_the_time_zone_of_the_account(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(NOW, monkeypatch, charged=False)

    run(datetime(2026, 7, 14, 21, 59, tzinfo=UTC), monkeypatch, charged=False)
    assert len(invoice_rows(company)) == 2
    run(datetime(2026, 7, 14, 22, 0, tzinfo=UTC), monkeypatch, charged=False)
    assert invoice_rows(company)[0][:2] == ("LV-2026-000003", "2026-07-15")


def raise_tier(company: Company, effective_on: date, decision: str = "2026-05.search") -> None:
    """Autoscaling moves search to 25,000 for 99.00."""
    store = wiring.autoscaling_store()
    state = store.state(company.account)
    assert state is not None
    tier = Tier(25_000, {"EUR": 9_900})
    change = TierChange("search", tier.up_to, Money(9_900, "EUR"), effective_on, Cause.AUTOSCALING, decision)
    subscription = state.subscriber.subscription.changed((change,), effective_on - timedelta(14), date(2026, 4, 15))
    assert state.due is not None
    store.decide(state, (), subscription, (), state.due, datetime(2026, 7, 1, tzinfo=UTC))


def test_a_larger_tier_within_a_paid_period_is_invoiced_for_its_remaining_months(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(datetime(2026, 5, 1, tzinfo=UTC), monkeypatch, charged=False)
    raise_tier(company, date(2026, 5, 15))
    assert ask(company, INVOICES + "/upcoming", now=datetime(2026, 5, 2, tzinfo=UTC)).body["on"] == "2026-05-15"

    for _ in range(2):
        run(datetime(2026, 5, 15, 3, tzinfo=UTC), monkeypatch, charged=False)

    extra = one(company, "LV-2026-000003")
    assert (extra["occasion"], extra["since"], extra["until"]) == ("tier_change", "2026-05-15", "2026-07-15")
    [line] = extra["lines"]
    # Two months of 50.00 less 12.5 %.
    assert line["net"]["amount"] == 8_750
    assert line["description"] == "Search, larger tier: up to 25,000 searches per month, 2 months"
    assert [(each["months"], each["decision"]) for each in line["steps"]] == [(2, "2026-05.search")]
    assert [(each["months"], each["up_to"]) for each in line["instead_of"]] == [(2, 10_000)]
    run(datetime(2026, 7, 15, tzinfo=UTC), monkeypatch, charged=False)
    period = one(company, "LV-2026-000004")
    search = next(line for line in period["lines"] if line["product"] == "search")
    assert search["net"]["amount"] == 25_988
    assert len(invoice_rows(company)) == 4


def test_periods_invoiced_elsewhere_are_not_invoiced_again(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    other = {**with_value(ACCOUNT, "taken-over", "account"), "invoiced_until": "2026-04-15"}
    assert provisioned(other).status == 201
    wrong = provisioned({**with_value(ACCOUNT, "wrong", "account"), "invoiced_until": "2026-05-15"})
    assert (wrong.status, wrong.body["errors"][0]["pointer"]) == (422, "#/invoiced_until")

    run(NOW, monkeypatch, charged=False)

    found = answer(get_invoices, request("GET", INVOICES, claims=STAFF, path={"account": "taken-over"})).body["items"]
    assert len(found) == 1


def test_a_late_run_dates_an_invoice_by_the_real_clock(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that waited: the schedule's time only finds what is due."""
    monkeypatch.setattr("billing.platform.clock._now", lambda: NOW + timedelta(days=2))
    body = record({"account": company.account, "at": NOW.isoformat()})

    assert issue({"Records": [body]}, Context()) == {"batchItemFailures": []}

    assert {each[1] for each in invoice_rows(company)} == {str(NOW.date() + timedelta(days=2))}


def test_staff_read_the_register_of_numbers_in_pages_and_as_csv(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(NOW, monkeypatch, charged=False)
    numbers = sorted(each[0] for each in invoice_rows(company))
    query = {"series": "LV", "year": "2026"}

    first = answer(get_invoices, request("GET", "/invoice-register", claims=STAFF, query={**query, "limit": "1"})).body
    cursor = {"limit": "1", "cursor": first["next_cursor"]}
    second = answer(get_invoices, request("GET", "/invoice-register", claims=STAFF, query={**query, **cursor})).body
    headers = {"Accept": "text/csv"}
    text = get_invoices(
        request("GET", "/invoice-register", claims=STAFF, query=query, headers=headers), LambdaContext()
    )["body"]

    listed = [*first["items"], *second["items"]]
    assert ([each["number"] for each in listed], second["next_cursor"]) == (numbers, None)
    shown = one(company, numbers[0])
    assert listed[0]["total"] == shown["total"]
    assert listed[0]["tax"] == shown["tax"]["amount"]
    assert [row["number"] for row in csv.DictReader(io.StringIO(text))] == numbers
    for wrong in ({"year": "2026"}, {"series": "LV"}, {"series": "LV#2026", "year": "2026"}):
        asked = request("GET", "/invoice-register", claims=STAFF, query=wrong)
        assert answer(get_invoices, asked).status == 422


def test_invoices_are_listed_by_year_status_and_page_and_as_csv(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = datetime(2027, 5, 1, tzinfo=UTC)
    run(late, monkeypatch, charged=False)
    assert release(company, late).status == 200
    run(late, monkeypatch, charged=False)
    assert len(invoice_rows(company, limit="100")) == 6
    assert invoice_rows(company, year="2026") == []
    assert len(invoice_rows(company, year="2027")) == 6
    assert len(invoice_rows(company, status="open")) == 6
    assert invoice_rows(company, status="paid") == []
    first = ask(company, INVOICES, query={"limit": "4"}).body
    rest = ask(company, INVOICES, query={"limit": "4", "cursor": first["next_cursor"]}).body
    numbers = [each["number"] for each in (*first["items"], *rest["items"])]
    assert (numbers, rest["next_cursor"]) == ([f"LV-2027-{count:06}" for count in range(6, 0, -1)], None)
    text = get_invoices(
        request("GET", INVOICES, claims=company.member, path=company.path, headers={"Accept": "text/csv"}),
        LambdaContext(),
    )["body"]
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 6
    assert (rows[0]["number"], rows[0]["currency"], rows[0]["status"]) == ("LV-2027-000006", "EUR", "open")
    assert ask(company, INVOICES, query={"status": "nonsense"}).status == 422
    assert ask(company, INVOICES, query={"year": "26"}).status == 422


@pytest.mark.parametrize("number", ["LV-2026-000009", "LV-2026", "nonsense", "-", "LV-2026-000001x"])
def test_an_unknown_number_gives_404(number: str, company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    run(NOW, monkeypatch, charged=False)

    assert ask(company, INVOICES + "/{number}", path={"number": number}).status == 404


# ---- Charged -----------------------------------------------------------------------------------------


def test_an_invoice_is_charged_once_when_it_is_issued(
    company: Company, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe)
    run(NOW, monkeypatch)

    totals = [each[3] for each in reversed(invoice_rows(company))]
    assert charges(stripe) == [(total, "succeeded") for total in totals]
    assert [each[2] for each in invoice_rows(company)] == ["paid", "paid"]
    events = recorded("invoice.paid")
    assert [(event.after or {})["method"] for event in events] == ["card", "card"]
    notify(*recorded("invoice.issued"), *recorded("card.updated"))
    run(NOW + timedelta(days=3), monkeypatch)
    assert len(charges(stripe)) == 2
    assert len(recorded("invoice.paid")) == 2


def leave_one_open(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pays the older invoices: the only open one will be issued on 15 July."""
    run(NOW, monkeypatch, charged=False)
    switch_to_transfer(company)
    for number in ("LV-2026-000001", "LV-2026-000002"):
        assert record_transfer(company, number, "2026-06-10", number).status == 200


def record_transfer(company: Company, number: str, on: str, reference: str, *, claims: Any = STAFF) -> Answer:
    """Staff record the arrival of a bank transfer."""
    body = {"paid_on": on, "reference": reference}
    path = {**company.path, "number": number}
    return answer(record_payment, request("POST", INVOICES + "/{number}/payments", claims=claims, path=path, body=body))


def test_a_failed_charge_is_retried_and_then_past_due(
    company: Company, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_one_open(company, monkeypatch)
    card(company, stripe, DECLINED_WHEN_CHARGED)

    for day in range(15, 26):
        run(datetime(2026, 7, day, 4, tzinfo=UTC), monkeypatch)

    failures = recorded("payment.failed")
    assert [(event.time.day, (event.after or {})["next_attempt_on"]) for event in failures] == [
        (15, "2026-07-16"),
        (16, "2026-07-18"),
        (18, "2026-07-20"),
        (20, "2026-07-22"),
        (22, None),
    ]
    assert {(event.after or {})["reason"] for event in failures} == {"declined"}
    [event] = recorded("payment.past_due")
    assert (event.after or {})["number"] == "LV-2026-000003"
    assert invoice_rows(company)[0][2] == "past_due"
    assert len(stripe.objects["payment_intent"]) == 1
    page = answer(get_billing, request("GET", "/accounts/{account}/billing", claims=company.member, path=company.path))
    assert page.body["status"] == "active"
    everywhere = answer(get_invoices, request("GET", "/invoices/past-due", claims=STAFF)).body
    assert [(each["account"], each["number"]) for each in everywhere["items"]] == [(company.account, "LV-2026-000003")]

    # A new card is charged at once, and once only.
    card(company, stripe, VISA, datetime(2026, 7, 26, 9, tzinfo=UTC))
    newest = recorded("card.updated")[-1]
    notify(newest, newest)
    assert invoice_rows(company)[0][2] == "paid"
    assert answer(get_invoices, request("GET", "/invoices/past-due", claims=STAFF)).body["items"] == []
    assert [status for _, status in charges(stripe)] == ["failed"] * 5 + ["succeeded"]


def test_a_hard_decline_is_not_retried(company: Company, stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_one_open(company, monkeypatch)
    card(company, stripe)
    [method] = list(stripe.numbers)
    stripe.numbers[method] = LOST  # meanwhile

    for day in range(15, 26):
        run(datetime(2026, 7, day, 4, tzinfo=UTC), monkeypatch)

    [event] = recorded("payment.failed")
    assert (event.after or {})["next_attempt_on"] is None
    assert len(recorded("payment.past_due")) == 1


def test_a_customer_can_give_the_consent_that_their_bank_asks_for(
    company: Company, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_one_open(company, monkeypatch)
    card(company, stripe, ASKS)
    run(datetime(2026, 7, 15, 4, tzinfo=UTC), monkeypatch)

    [event] = recorded("payment.failed")
    assert (event.after or {})["reason"] == "authentication_required"
    assert (event.after or {})["authenticate_at"] == ("https://billing.example/#/nordlys-kaffe/invoices/LV-2026-000003")
    path = {**company.path, "number": "LV-2026-000003"}
    consent = answer(update, request("POST", INVOICES + "/{number}/consent", claims=company.admin, path=path)).body
    [intent] = stripe.objects["payment_intent"]
    assert consent["payment_intent"] == intent
    [method] = list(stripe.numbers)
    stripe.handle(
        "POST",
        f"/v1/payment_intents/{intent}/confirm",
        {"authorization": f"Bearer {consent['publishable_key']}"},
        f"payment_method={method}&client_secret={consent['client_secret']}",
    )
    stripe.authenticate_payment(intent, succeed=True)

    for _ in range(2):
        notice = {"notice": "evt_1", "type": "payment_intent.succeeded", "object": intent, "customer": None}
        assert note({"Records": [record(notice)]}, Context()) == {"batchItemFailures": []}

    assert invoice_rows(company)[0][2] == "paid"
    assert len(recorded("invoice.paid")) == 3
    again = answer(update, request("POST", INVOICES + "/{number}/consent", claims=company.admin, path=path))
    assert again.status == 409


@pytest.mark.parametrize("ends", ["refused", "abandoned", "cancelled"])
def test_a_consent_that_is_not_given_is_asked_for_again_and_ends_past_due(
    ends: str, company: Company, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_one_open(company, monkeypatch)
    card(company, stripe, ASKS)
    first = datetime(2026, 7, 15, 4, tzinfo=UTC)
    run(first, monkeypatch)
    path = {**company.path, "number": "LV-2026-000003"}
    consent = answer(update, request("POST", INVOICES + "/{number}/consent", claims=company.admin, path=path)).body
    intent, [method] = consent["payment_intent"], list(stripe.numbers)
    asked = stripe.handle(
        "POST",
        f"/v1/payment_intents/{intent}/confirm",
        {"authorization": f"Bearer {consent['publishable_key']}"},
        f"payment_method={method}&client_secret={consent['client_secret']}",
    )
    assert asked.body["status"] == "requires_action"
    if ends == "refused":
        stripe.authenticate_payment(intent, succeed=False)
        deliver(stripe, "payment_intent.payment_failed")
    elif ends == "cancelled":
        stripe.handle("POST", f"/v1/payment_intents/{intent}/cancel", {"authorization": "Bearer sk_test_livello"})
        deliver(stripe, "payment_intent.canceled")

    for days in (1, 3, 5):
        run(first + timedelta(days=days), monkeypatch)
        assert invoice_rows(company)[0][2] == "open"
    run(first + timedelta(days=7), monkeypatch)

    assert invoice_rows(company)[0][2] == "past_due"
    reasons = [(event.after or {})["reason"] for event in recorded("payment.failed")]
    assert reasons == ["authentication_required"] * 5
    assert not [each for each in stripe.objects["payment_intent"].values() if each["status"] == "succeeded"]


@pytest.mark.parametrize("succeeds", [True, False])
def test_a_debit_is_in_transit_until_stripe_settles_it(
    succeeds: bool, company: Company, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_one_open(company, monkeypatch)
    path = "/accounts/{account}/payment-method"
    body = {"method": "sepa_debit"}
    setup = answer(update, request("POST", path + "/setup", claims=company.admin, path=company.path, body=body)).body
    iban = "payment_method_data[type]=sepa_debit&payment_method_data[sepa_debit][iban]=DE89370400440532013000"
    key = {"authorization": "Bearer sk_test_livello"}
    stripe.handle("POST", f"/v1/setup_intents/{setup['setup_intent']}/confirm", key, iban)
    body = {"setup_intent": setup["setup_intent"]}
    assert answer(update, request("PUT", path, claims=company.admin, path=company.path, body=body)).status == 200

    run(datetime(2026, 7, 15, 4, tzinfo=UTC), monkeypatch)
    run(datetime(2026, 7, 16, 4, tzinfo=UTC), monkeypatch)
    assert invoice_rows(company)[0][2] == "in_transit"
    [intent] = stripe.objects["payment_intent"]
    stripe.settle(intent, succeed=succeeds)
    run(datetime(2026, 7, 17, 4, tzinfo=UTC), monkeypatch)  # no notice has arrived

    assert invoice_rows(company)[0][2] == ("paid" if succeeds else "open")
    assert len(recorded("payment.failed")) == (0 if succeeds else 1)


def test_without_a_payment_method_the_customer_is_asked_for_one(
    company: Company, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(NOW, monkeypatch)

    assert {(event.after or {})["reason"] for event in recorded("payment.failed")} == {"no_payment_method"}
    card(company, stripe)
    notify(*recorded("card.updated"))
    assert [each[2] for each in invoice_rows(company)] == ["paid", "paid"]


def test_a_bank_transfer_is_past_due_after_the_due_date(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_one_open(company, monkeypatch)
    run(datetime(2026, 7, 15, 4, tzinfo=UTC), monkeypatch)
    assert one(company, "LV-2026-000003")["due_on"] == "2026-07-29"

    run(datetime(2026, 7, 29, 4, tzinfo=UTC), monkeypatch)
    assert invoice_rows(company)[0][2] == "open"
    run(datetime(2026, 7, 30, 4, tzinfo=UTC), monkeypatch)
    assert invoice_rows(company)[0][2] == "past_due"
    assert len(recorded("payment.past_due")) == 1


def test_a_transfer_is_recorded_once(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    run(NOW, monkeypatch, charged=False)
    switch_to_transfer(company)
    first = record_transfer(company, "LV-2026-000001", "2026-06-10", "4711")
    before = stored_items()

    assert first.body["payment"]["status"] == "paid"
    assert (first.body["payment"]["reference"], first.body["payment"]["method"]) == ("4711", "bank_transfer")
    assert record_transfer(company, "LV-2026-000001", "2026-06-10", "4711").status == 200
    other = record_transfer(company, "LV-2026-000001", "2026-06-10", "4712")
    assert (other.status, other.body["type"]) == (409, "urn:livello:problem:already-paid")
    assert record_transfer(company, "LV-2026-000002", "2026-06-11", "1").body["errors"][0]["pointer"] == "#/paid_on"
    assert record_transfer(company, "LV-2026-000002", "2026-06-09", "1").body["errors"][0]["pointer"] == "#/paid_on"
    assert record_transfer(company, "LV-2026-000009", "2026-06-10", "1").status == 404
    assert record_transfer(company, "LV-2026-000002", "2026-06-10", "").status == 422
    assert stored_items() == before


def test_the_credit_balance_is_taken_off_before_the_charge(
    company: Company, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe)
    boto3.resource("dynamodb", region_name=REGION).Table("billing-test").put_item(
        Item={"pk": f"ACCOUNT#{company.account}", "sk": "BALANCE", "body": '{"credit":50000}', "version": 1}
    )
    run(NOW, monkeypatch)

    first, second = (one(company, f"LV-2026-00000{count}") for count in (1, 2))
    assert (first["due"]["amount"], first["payment"]["status"]) == (0, "paid")
    assert first["credit"] == first["total"]
    assert second["credit"]["amount"] == 50_000 - first["total"]["amount"]
    assert charges(stripe) == [(second["due"]["amount"], "succeeded")]


def test_a_lost_response_of_stripe_causes_no_second_charge(
    company: Company, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_one_open(company, monkeypatch)
    card(company, stripe)
    stripe.faults += [
        {"kind": "timeout", "path": "/v1/payment_intents$", "method": "POST"},
        {"kind": "500_after", "path": "/confirm", "method": "POST"},
    ]
    monkeypatch.setenv("JOB", "renewal")
    at = datetime(2026, 7, 15, 4, tzinfo=UTC)
    run(at, monkeypatch, charged=False)
    body = record({"account": company.account, "at": at.isoformat()})
    failed = {"batchItemFailures": [{"itemIdentifier": body["messageId"]}]}

    assert collect({"Records": [body]}, Context()) == failed
    # Stripe has answered with a failure. The worker reads the payment before it believes that: it was charged.
    assert collect({"Records": [body]}, Context()) == {"batchItemFailures": []}
    assert collect({"Records": [body]}, Context()) == {"batchItemFailures": []}

    assert [status for _, status in charges(stripe)] == ["succeeded"]
    assert invoice_rows(company)[0][2] == "paid"


# ---- What Stripe refuses ------------------------------------------------------------------------------


def deliver(stripe: Stripe, kind: str) -> None:
    """Stripe sends its last event of this kind."""
    last = [event for event in stripe.objects["event"].values() if event["type"] == kind][-1]
    about = last["data"]["object"]
    notice = {"notice": last["id"], "type": kind, "object": about["id"], "customer": about.get("customer")}
    assert note({"Records": [record(notice)]}, Context()) == {"batchItemFailures": []}


@pytest.mark.parametrize("demo", [each for each in COMPANIES if each.currency != "EUR"], ids=lambda demo: demo.currency)
def test_a_company_is_charged_in_its_own_currency(
    demo: DemoCompany, company: Company, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo companies, as `make year` charges them."""
    sold = json.loads(DEMO_CATALOGUE.read_text())
    assert put_catalogue(sold, replaces=1).status == 200
    account = f"demo-{demo.account}"
    assert provisioned(with_value(demo.provisioning(NOW.date()), account, "account")).status == 201
    users = answer(
        administer_users, request("GET", "/accounts/{account}/users", claims=STAFF, path={"account": account})
    )
    them = Company(account, person(users.body["items"][0]["user"]), {})
    card(them, stripe)
    with_card = {each["id"] for each in stripe.objects["customer"].values()}

    run(NOW, monkeypatch)
    if demo.months_ago // demo.interval_months >= 3:
        assert release(them, NOW).status == 200
        run(NOW, monkeypatch)
    run(NOW + timedelta(days=40), monkeypatch)

    theirs = answer(get_invoices, request("GET", INVOICES, claims=STAFF, path=them.path)).body["items"]
    assert {each["status"] for each in theirs} == {"paid"}
    charged = [each for each in stripe.objects["payment_intent"].values() if each["customer"] in with_card]
    assert {(each["currency"], each["status"]) for each in charged} == {(demo.currency.lower(), "succeeded")}
    assert sorted(each["amount"] for each in charged) == sorted(each["total"]["amount"] for each in theirs)


def test_an_invoice_below_the_smallest_charge_waits_and_blocks_no_other(
    company: Company, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe)
    boto3.resource("dynamodb", region_name=REGION).Table("billing-test").put_item(
        Item={"pk": f"ACCOUNT#{company.account}", "sk": "BALANCE", "body": '{"credit":36308}', "version": 1}
    )
    for day in range(40):
        run(NOW + timedelta(days=day), monkeypatch)

    small, ordinary, later = (one(company, f"LV-2026-00000{count}") for count in (1, 2, 3))
    # M2: it is collected with the next charge, and each invoice has its share of that.
    assert (small["due"]["amount"], ordinary["due"]["amount"]) == (20, 36_328)
    assert [each["payment"]["status"] for each in (small, ordinary, later)] == ["paid"] * 3
    assert charges(stripe) == [(36_348, "succeeded"), (later["due"]["amount"], "succeeded")]
    assert recorded("payment.failed", "payment.past_due") == []
    paid_ones = [(event.after or {})["number"] for event in recorded("invoice.paid")]
    assert sorted(paid_ones) == ["LV-2026-000001", "LV-2026-000002", "LV-2026-000003"]


def small_one_alone(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest invoice has 0.20 left to pay; the other one is paid."""
    boto3.resource("dynamodb", region_name=REGION).Table("billing-test").put_item(
        Item={"pk": f"ACCOUNT#{company.account}", "sk": "BALANCE", "body": '{"credit":36308}', "version": 1}
    )
    run(NOW, monkeypatch, charged=False)
    assert record_transfer(company, "LV-2026-000002", "2026-06-10", "other").status == 200


def test_less_than_the_smallest_charge_waits_alone(
    company: Company, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe)
    small_one_alone(company, monkeypatch)
    for day in range(30):
        run(NOW + timedelta(days=day), monkeypatch)

    assert one(company, "LV-2026-000001")["payment"]["status"] == "open"
    assert charges(stripe) == []
    # It is still looked at: transferred, it is due as any other, from the day on which that was agreed.
    switch_to_transfer(company)
    run(NOW + timedelta(days=33), monkeypatch)
    assert one(company, "LV-2026-000001")["payment"]["status"] == "past_due"


def test_an_amount_that_is_too_large_fails_without_a_retry(
    company: Company, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe)
    stripe.faults += [{"kind": "refused", "code": "amount_too_large", "path": "payment_intents$", "method": "POST"}]
    for day in range(10):
        run(NOW + timedelta(days=day), monkeypatch)

    assert [each[2] for each in invoice_rows(company)] == ["paid", "past_due"]
    [event] = recorded("payment.failed")
    assert ((event.after or {})["number"], (event.after or {})["next_attempt_on"]) == ("LV-2026-000001", None)


def test_a_fault_of_livello_blocks_one_invoice_and_starts_no_dunning(
    company: Company, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe)
    run(NOW, monkeypatch, charged=False)
    stripe.faults += [{"kind": "refused", "code": "parameter_unknown", "path": "/confirm"}]
    body = record({"account": company.account, "at": NOW.isoformat(), "clock": NOW.isoformat()})

    assert collect({"Records": [body]}, Context())["batchItemFailures"] != []
    assert [each[2] for each in invoice_rows(company)] == ["paid", "open"]
    assert recorded("payment.failed") == []
    assert collect({"Records": [body]}, Context()) == {"batchItemFailures": []}
    assert [each[2] for each in invoice_rows(company)] == ["paid", "paid"]


def test_the_attempt_after_a_server_error_of_stripe_has_a_new_key(
    company: Company, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe repeats the error for the same key for a day."""
    card(company, stripe)
    run(NOW, monkeypatch, charged=False)
    stripe.faults += [{"kind": "500", "path": "payment_intents$", "method": "POST"}]
    body = record({"account": company.account, "at": NOW.isoformat(), "clock": NOW.isoformat()})

    assert collect({"Records": [body]}, Context())["batchItemFailures"] != []
    assert collect({"Records": [body]}, Context()) == {"batchItemFailures": []}

    assert [each[2] for each in invoice_rows(company)] == ["paid", "paid"]
    assert len(stripe.objects["payment_intent"]) == 2


def test_a_customer_that_was_deleted_at_stripe_pays_with_a_new_card(
    company: Company, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe, DECLINED_WHEN_CHARGED)
    run(NOW, monkeypatch)
    [customer] = stripe.objects["customer"]
    stripe.handle("DELETE", f"/v1/customers/{customer}", {"authorization": f"Bearer {KEYS['api_key']}"})

    run(NOW + timedelta(days=1), monkeypatch)
    assert {(event.after or {})["reason"] for event in recorded("payment.failed")} == {"declined", "no_payment_method"}
    run(datetime(2026, 7, 15, 4, tzinfo=UTC), monkeypatch)
    card(company, stripe, VISA, datetime(2026, 7, 16, 9, tzinfo=UTC))
    notify(recorded("card.updated")[-1])

    assert {each[2] for each in invoice_rows(company)} == {"paid"}
    assert len(stripe.objects["customer"]) == 2
    # The PaymentIntents of the deleted customer can never be paid.
    states = sorted(each["status"] for each in stripe.objects["payment_intent"].values())
    assert states == ["canceled", "canceled", "succeeded", "succeeded", "succeeded"]


@pytest.mark.parametrize("has_notice", [True, False])
def test_a_debit_that_is_cancelled_in_transit_has_failed(
    has_notice: bool, company: Company, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_one_open(company, monkeypatch)
    setup = answer(
        update,
        request(
            "POST",
            "/accounts/{account}/payment-method/setup",
            claims=company.admin,
            path=company.path,
            body={"method": "sepa_debit"},
        ),
    ).body
    stripe.handle(
        "POST",
        f"/v1/setup_intents/{setup['setup_intent']}/confirm",
        {"authorization": f"Bearer {KEYS['api_key']}"},
        "payment_method_data[type]=sepa_debit&payment_method_data[sepa_debit][iban]=DE89370400440532013000",
    )
    body = {"setup_intent": setup["setup_intent"]}
    path = "/accounts/{account}/payment-method"
    assert answer(update, request("PUT", path, claims=company.admin, path=company.path, body=body)).status == 200
    run(datetime(2026, 7, 15, 4, tzinfo=UTC), monkeypatch)
    [intent] = stripe.objects["payment_intent"]

    stripe.cancel_processing(intent)
    if has_notice:
        deliver(stripe, "payment_intent.canceled")
    else:
        run(datetime(2026, 7, 16, 4, tzinfo=UTC), monkeypatch)

    [event] = recorded("payment.failed")
    assert (invoice_rows(company)[0][2], (event.after or {})["reason"]) == ("open", "failed")
    if has_notice:  # it is processed at the real time, so its next attempt is not in July 2026
        return
    run(datetime(2026, 7, 17, 4, tzinfo=UTC), monkeypatch)
    assert invoice_rows(company)[0][2] == "in_transit"
    assert [each["status"] for each in stripe.objects["payment_intent"].values()] == ["canceled", "processing"]


def test_an_unpaid_invoice_is_charged_again_when_the_bank_renews_the_card(
    company: Company, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_one_open(company, monkeypatch)
    card(company, stripe)
    [method] = stripe.objects["payment_method"].values()
    method["card"] |= {"exp_month": 5, "exp_year": 2026}  # no notice has arrived
    run(datetime(2026, 7, 15, 4, tzinfo=UTC), monkeypatch)
    assert invoice_rows(company)[0][2] == "past_due"
    assert [(event.after or {})["reason"] for event in recorded("payment.failed")] == ["expired_card"]

    stripe.automatically_update(method["id"], {"exp_month": 5, "exp_year": 2031})
    deliver(stripe, "payment_method.automatically_updated")
    changed = recorded("payment_method.changed")[-1]
    notify(changed, changed)

    assert invoice_rows(company)[0][2] == "paid"
    assert [status for _, status in charges(stripe)] == ["failed", "succeeded"]


def test_a_charge_that_an_event_leads_to_has_its_own_day_however_late_the_event_is(
    company: Company, stripe_account: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`invoice.issued` waited for five days as a dead letter (M21)."""
    card(company, stripe_account)
    run(NOW, monkeypatch, charged=False)
    late = NOW + timedelta(days=5)
    monkeypatch.setattr("billing.platform.clock._now", lambda: late)

    notify(*(replace(event, is_replay=False) for event in recorded("invoice.issued")))

    listed = answer(get_invoices, request("GET", INVOICES, claims=company.admin, path=company.path)).body["items"]
    assert {invoice["paid_on"] for invoice in listed} == {str(late.date())}


def test_a_charge_of_a_replay_has_the_day_of_its_clock(
    company: Company, stripe_account: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe makes the charge today; the replayed year says when it was due."""
    card(company, stripe_account)
    later(stripe_account, 170 * 86_400)
    run(NOW, monkeypatch)

    listed = answer(get_invoices, request("GET", INVOICES, claims=company.admin, path=company.path)).body["items"]
    assert {invoice["paid_on"] for invoice in listed} == {str(NOW.date())}
