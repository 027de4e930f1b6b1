"""Test clocks: two years of an account in one call, and what a clock keeps apart from customers (DESIGN 4.8)."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from billing import wiring
from billing.accounts.rules import existing
from billing.accounts.vat_number_due import VatNumberDue
from billing.correspondence.audiences import Recipient, allowed
from billing.correspondence.notify import Post
from billing.invoicing.vat_numbers.rules import after_no_answer
from billing.kernel.errors import ConcurrentChange
from billing.kernel.events import Event, EventType, by_system
from billing.kernel.schedules import Job
from billing.payments.gateway import Merchant, RequestRefused
from billing.payments.stripe_gateway import StripePayments
from billing.platform.dynamodb import keys
from billing.platform.events.mapping import event_fields
from billing.platform.queues.interfaces import DueWork
from billing.platform.retry import RetryBudget
from billing.platform.test_clocks.commands import Advancer, run_clock
from billing.scaling.reviews.success_managers import Slot
from billing.usage.event_bodies import sent_events
from billing.usage.record_usage import IngestResult
from billing.usage.record_usage import record_usage as record_reports
from billing.usage.rules import UsageEvent

from functions.administer_cancellation.app import handler as administer_cancellation
from functions.administer_reviews.app import handler as administer_reviews
from functions.administer_subscriptions.app import handler as administer_subscriptions
from functions.administer_users.app import handler as administer_users
from functions.advance_test_clock.app import handler as advance_test_clock
from functions.get_billing.app import handler as get_billing
from functions.get_deletions.app import handler as get_deletions
from functions.get_invoices.app import handler as get_invoices
from functions.list_accounts.app import handler as list_accounts
from functions.record_queued_usage.app import handler as record_queued_usage
from functions.record_usage.app import handler as record_usage
from functions.release_invoicing.app import handler as release_invoicing
from functions.update_payment_method.app import handler as update_payment_method
from functions.watch_usage.app import handler as watch_usage
from local.stripe.api import Stripe
from tests.api_gateway import MACHINE, NOW, STAFF, Handler, answer, person, request
from tests.aws import items_behind_moto, stored_items
from tests.cards import DECLINED_WHEN_CHARGED, VISA, card
from tests.company import Company, provisioned, put_catalogue
from tests.functions.clocks import (
    CLOCK,
    CLOCKS,
    ON_CLOCK,
    InProcessWorkers,
    Run,
    advance,
    advanced,
    ask,
    live,
    make,
    record,
    recorded,
    run_worker,
    status,
)
from tests.functions.clocks import workers as workers  # noqa: PLC0414 - pytest looks for it here
from tests.functions.ending import call_cancellation, cancel
from tests.functions.test_catalogue_version import Mailbox, attempt
from tests.samples import ACCOUNT, CATALOGUE, with_value
from tests.store.samples import REVIEW, sample_event
from tests.stripe import ADDRESS, InProcess, later
from tests.usage import cloud_event

LIVED = "lived-kaffe"
DAYS = 730


@pytest.fixture(autouse=True)
def _world(catalogue: Any, buckets: Any, stripe_account: Stripe, workers: InProcessWorkers) -> None:
    """A catalogue, and no account."""


def company_of(account: str) -> Company:
    listed = answer(
        administer_users,
        request("GET", "/accounts/{account}/users", claims=STAFF, path={"account": account}),
    )
    admin = person(listed.body["items"][0]["user"])
    return Company(account, admin, admin)


def started(account: str) -> dict[str, Any]:
    """The sample account with this id, whose contract starts today."""
    body = with_value(ACCOUNT, account, "account")
    body = with_value(body, "2026-06-10", "contract", "start")
    return with_value(body, None, "invoiced_until")


def use_more_and_more(account: str) -> None:
    """Usage that outgrows the tier in the second year, all of it reported before."""
    usage = []
    for number in range(0, DAYS, 7):
        day = date(2026, 6, 10) + timedelta(days=number)
        quantity = Decimal(1400 if number < 300 else 3500)
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        usage.append(UsageEvent(account, "t", f"{number}", "search", "nordlys-dk", None, noon, day, quantity))
    for first in range(0, len(usage), 40):
        assert wiring.usage_store().count(usage[first : first + 40], lambda _: None) == {}
    for partition, items in items_behind_moto().items():
        if partition.value == f"MARKERS#{account}":
            items.clear()


def agree_on_more(account: str) -> None:
    """Staff add a setup, goodwill, and a discount for two quarters, and move to dearer prices."""

    def put(handler: Handler, route: str, body: Any, *, headers: Any = None, **more: str) -> None:
        event = request(
            "PUT", route, claims=STAFF, path={"account": account, **more}, body=body, headers=headers, now=NOW
        )
        given = answer(handler, event)
        assert given.status == 200, given

    setup = {"description": "Setup", "amount": 50_000, "currency": "EUR", "reason": "Agreed"}
    put(release_invoicing, "/accounts/{account}/one-offs/{one_off}", setup, one_off="setup")
    goodwill = {**setup, "kind": "goodwill", "description": "Sorry", "amount": 75_000}
    put(release_invoicing, "/accounts/{account}/one-offs/{one_off}", goodwill, one_off="goodwill")
    spring = {"product": "email", "percent": "10", "amount": None, "from": "2026-09-10", "until": "2027-03-10"}
    kept = [{"percent": None, "amount": None, **each} for each in ACCOUNT["discounts"]]
    discounts = {"discounts": [*kept, {**spring, "reason": "Spring"}]}
    put(administer_subscriptions, "/accounts/{account}/discounts", discounts, headers={"If-Match": '"1"'})
    dearer = {"version": 2, "reason": "Prices of 2027"}
    put(administer_subscriptions, "/accounts/{account}/catalogue-version", dearer, headers={"If-Match": '"2"'})
    if account == LIVED:  # on a clock, a mail counts as sent on the day of its event
        [announced] = [each for each in recorded(LIVED) if each.type is EventType.CATALOGUE_VERSION_ANNOUNCED]
        attempt(announced, Mailbox())


def story(events: list[Event], account: str) -> list[dict[str, Any]]:
    """Events without what names the account, its objects at Stripe and the run."""
    told = []
    for event in events:
        fields = event_fields(event)
        text = json.dumps({name: fields[name] for name in ("type", "time", "actor", "before", "after")}, default=str)
        text = text.replace(account, "ACCOUNT").replace("TEST-q1-", "")
        text = re.sub(r'("(?:decision|term)": )"[0-9A-Z]{26}"', r'\1"DECISION"', text)
        told.append(json.loads(re.sub(r'"(pi|re|cus|pm|seti|ch)_[A-Za-z0-9]+"', '"OBJECT"', text)))
    return told


@pytest.mark.parametrize(
    ("number", "days"), [(VISA, DAYS), (DECLINED_WHEN_CHARGED, 40)], ids=["two years", "without money"]
)
def test_time_in_one_call_is_the_time_that_the_schedules_live(
    number: str, days: int, stripe_account: Stripe, workers: InProcessWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "SHARDS", 1)  # moto walks through all items with each query of the index
    until = NOW + timedelta(days=days)
    assert make().status == 201
    for account in (ON_CLOCK, LIVED):
        assert provisioned(started(account)).status == 201
        use_more_and_more(account)
        card(company_of(account), stripe_account, number)
    put_catalogue(with_value(CATALOGUE, 5900, "products", 0, "tiers", 0, "prices", "EUR"), replaces=1)
    for account in (ON_CLOCK, LIVED):
        agree_on_more(account)
    stripe_began = stripe_account.clock()

    assert advanced(until)["status"] == "ready"
    on_clock = recorded(ON_CLOCK)
    by_clock = story(on_clock, ON_CLOCK)

    later(stripe_account, stripe_began - stripe_account.clock())
    last = NOW

    def meanwhile(at: datetime) -> None:
        nonlocal last
        later(stripe_account, (at - last).total_seconds())
        last = at

    live(NOW, until, monkeypatch, meanwhile)
    lived = story(recorded(LIVED), LIVED)

    assert by_clock == lived
    kinds = Counter(event.type.value for event in on_clock)
    if number == VISA:
        # Eight quarters and the difference of the larger tier; a notice before each renewal.
        assert kinds["invoice.issued"] == kinds["invoice.paid"] == 9
        assert kinds["subscription.autoscaled"] == 1
        assert kinds["renewal.notice_deadline_near"] == 8
        assert kinds["one_off.changed"] == 2
        nets = [(each.after or {})["net"]["amount"] for each in on_clock if each.type is EventType.INVOICE_ISSUED]
        # Dearer search and a tenth off e-mail from September on; 500.00 of setup less 750.00 of goodwill; then the
        # discount on search ends in January, and that on e-mail in March.
        second = 15_488 + 15_930 - 1500 + 50_000 - 75_000
        assert nets[:4] == [29_062, second, 16_225 + 15_930 - 1500, 17_700 + 17_700 - 1500]
    else:
        assert (kinds["invoice.issued"], kinds["payment.failed"], kinds["payment.past_due"]) == (1, 5, 1)
    assert [each for _, _, each in workers.ran] == sorted(each for _, _, each in workers.ran)


def test_a_currency_changes_on_a_clock_as_by_the_schedules(
    stripe_account: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "SHARDS", 1)
    until = NOW + timedelta(days=100)
    assert make().status == 201
    for account in (ON_CLOCK, LIVED):
        assert provisioned(with_value(started(account), [], "discounts")).status == 201
        company = company_of(account)
        card(company, stripe_account)
        asked = {"interval_months": 1, "currency": "DKK", "reason": "They have moved"}
        route, path, tag = "/accounts/{account}/contract/term", company.path, {"If-Match": '"0"'}
        proposed = answer(
            administer_subscriptions, request("PUT", route, claims=STAFF, path=path, body=asked, headers=tag, now=NOW)
        )
        assert proposed.body["change"]["since"] == "2026-09-10", proposed
        body = {"term": proposed.body["change"]["term"]}
        event = request("POST", route + "/consent", claims=company.admin, path=path, body=body, now=NOW)
        assert answer(administer_subscriptions, event).status == 200
    stripe_began, last = stripe_account.clock(), NOW

    assert advanced(until)["status"] == "ready"
    later(stripe_account, stripe_began - stripe_account.clock())

    def meanwhile(at: datetime) -> None:
        nonlocal last
        later(stripe_account, (at - last).total_seconds())
        last = at

    live(NOW, until, monkeypatch, meanwhile)

    on_clock = recorded(ON_CLOCK)
    assert story(on_clock, ON_CLOCK) == story(recorded(LIVED), LIVED)
    totals = [(each.after or {})["total"]["currency"] for each in on_clock if each.type is EventType.INVOICE_PAID]
    assert totals == ["EUR", "DKK"]
    terms = [each for each in stored_items() if each["sk"] == "PAGE#TERM"]
    assert len(terms) == 2
    assert not any("gsi1pk" in each for each in terms)  # the renewal notice has followed


def test_prices_change_on_a_clock_without_a_mail(stripe_account: Stripe) -> None:
    """Mail about accounts on a clock may never go out: it counts as sent on the day of its event."""
    assert make().status == 201
    assert provisioned(started(ON_CLOCK)).status == 201
    card(company_of(ON_CLOCK), stripe_account, VISA)
    put_catalogue(with_value(CATALOGUE, 5900, "products", 0, "tiers", 0, "prices", "EUR"), replaces=1)
    body, headers = {"version": 2, "reason": "Prices of 2027"}, {"If-Match": '"1"'}
    route, path = "/accounts/{account}/catalogue-version", {"account": ON_CLOCK}
    given = answer(
        administer_subscriptions, request("PUT", route, claims=STAFF, path=path, body=body, headers=headers, now=NOW)
    )

    assert given.body["version"]["pending_version"]["announced_on"] == "2026-06-10"
    assert given.body["version"]["pending_version"]["effective_on"] == "2026-09-10"
    assert advanced(NOW + timedelta(days=95))["status"] == "ready"
    first, second = [
        (each.after or {})["net"]["amount"] for each in recorded(ON_CLOCK) if each.type is EventType.INVOICE_ISSUED
    ]
    assert second - first == 15_488 - 12_862


# ---- Requests ----------------------------------------------------------------------------------------------


def test_a_clock_is_made_once() -> None:
    assert make().status == make().status == 201
    assert make(NOW + timedelta(hours=1)).body["type"].endswith("test-clock-exists")
    assert status() == {
        "test_clock": "q1",
        "status": "ready",
        "now": "2026-06-10T12:00:00Z",
        "to": "2026-06-10T12:00:00Z",
        "accounts": [],
        "failure": None,
    }
    assert [event.type for event in recorded(None) if event.type.startswith("test_clock")] == ["test_clock.created"]


@pytest.mark.parametrize(
    ("to", "pointer"),
    [
        (NOW - timedelta(minutes=1), "#/to"),
        (NOW + timedelta(days=3652), "#/to"),
        (NOW.replace(tzinfo=None), "#/to"),
        (datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5))), "#/to"),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))), "#/to"),
    ],
    ids=["backwards", "ten years", "without an offset", "after the last year in UTC", "before the first one"],
)
def test_a_clock_goes_forward_by_two_years_at_most(to: datetime, pointer: str) -> None:
    make()

    refused = advance(to)

    assert refused.status == 422
    assert [each["pointer"] for each in refused.body["errors"]] == [pointer]
    assert status()["status"] == "ready"


def test_a_clock_begins_within_two_years_of_the_real_time() -> None:
    assert make(NOW + timedelta(days=800)).status == 422
    assert make(datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5)))).status == 422
    assert ask("POST", CLOCKS, {"test_clock": "q1", "now": NOW.timestamp()}).status == 422  # a number is no time
    assert make(NOW - timedelta(days=731)).status == 201


def test_a_clock_that_advances_is_sent_nowhere_else_and_its_accounts_are_only_read(stripe_account: Stripe) -> None:
    make()
    assert provisioned(started(ON_CLOCK)).status == 201
    company = company_of(ON_CLOCK)
    later_on = NOW + timedelta(days=40)
    assert advance(later_on).status == 202

    assert advance(later_on).status == 202  # the same request again
    assert advance(later_on + timedelta(days=1)).body["type"].endswith("test-clock-advancing")
    route = "/accounts/{account}/payment-method/setup"
    change = request("POST", route, claims=company.admin, path=company.path, body={})
    assert answer(update_payment_method, change).body["type"].endswith("test-clock-advancing")
    assert (
        answer(
            update_payment_method, request("POST", route, claims=person("nobody"), path=company.path, body={})
        ).status
        == 404
    )
    assert provisioned(started("q1.another")).body["type"].endswith("test-clock-advancing")
    read = request("GET", "/accounts/{account}/billing", claims=company.admin, path=company.path)
    assert answer(get_billing, read).status == 200
    assert len([event for event in recorded(None) if event.type == "test_clock.advancing"]) == 1

    run_worker()

    assert status()["status"] == "ready"
    card(company, stripe_account)
    updated = [event for event in recorded(ON_CLOCK) if event.type == "card.updated"]
    assert [event.time for event in updated] == [later_on]  # although the real time is still NOW


def test_an_account_is_provisioned_on_a_clock_that_there_is() -> None:
    missing = provisioned(started(ON_CLOCK))
    assert missing.status == 422
    assert [each["pointer"] for each in missing.body["errors"]] == ["#/account"]
    make()

    made = provisioned(started(ON_CLOCK))
    assert made.status == 201
    assert provisioned(started(ON_CLOCK)).body == made.body
    assert status()["accounts"] == [ON_CLOCK]
    for wrong in ("q1.", ".acme", "q1.a.b", "Q1.acme", "q-1.acme"):
        assert provisioned(started(wrong)).status == 422


def test_an_account_begins_at_the_time_of_its_clock() -> None:
    """Its contract would begin too far ahead by the real time."""
    make(NOW + timedelta(days=700))
    body = with_value(started(ON_CLOCK), str((NOW + timedelta(days=1000)).date()), "contract", "start")

    assert provisioned(body).status == 201
    [made, *_] = recorded(ON_CLOCK)
    assert made.time == NOW + timedelta(days=700)


def test_a_clock_has_ten_accounts_at_most() -> None:
    make()
    for number in range(10):
        assert provisioned(started(f"q1.shop-{number}")).status == 201

    assert provisioned(started("q1.shop-10")).body["type"].endswith("test-clock-full")


@pytest.mark.parametrize("reason", ["live key", "not allowed"])
def test_no_clock_where_money_is_real(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make()
    if reason == "live key":
        wiring.payment_store().change_merchant(Merchant("acct_1", livemode=True))
    else:
        monkeypatch.setenv("TEST_CLOCKS", "off")

    assert make(clock="q2").body["type"].endswith("test-clocks-forbidden")
    assert provisioned(started(ON_CLOCK)).body["type"].endswith("test-clocks-forbidden")


def test_an_account_on_a_clock_is_no_customer_in_live_mode(stripe_account: Stripe) -> None:
    """The operator may set a live key after the accounts were made."""
    secrets = {"api_key": "sk_live_1", "publishable_key": "pk_live_1"}
    gateway = StripePayments(secrets.__getitem__, ADDRESS, lambda _: None, InProcess(stripe_account))

    with pytest.raises(RequestRefused):
        gateway.new_customer(ON_CLOCK, "key")


# ---- The worker --------------------------------------------------------------------------------------------


def test_two_workers_do_not_advance_one_clock_at_once(workers: InProcessWorkers) -> None:
    make()
    provisioned(started(ON_CLOCK))
    advance(NOW + timedelta(days=1))
    refused = []

    def meanwhile(_job: Job, _work: DueWork) -> None:
        store, real = wiring.clock_store(), datetime.now(UTC)
        second = Advancer(store, workers, "another run", lambda: real, lambda _: None, lambda: True)
        with pytest.raises(ConcurrentChange):
            run_clock("q1", correlation="another run", advancer=second)
        refused.append(real)

    workers.before = meanwhile

    run_worker()

    assert refused
    assert status()["status"] == "ready"
    assert [each.type.value for each in recorded(ON_CLOCK)].count("invoice.issued") == 1


def test_a_long_way_goes_on_in_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run without a step has its message delayed. The next one need not wait for the claim of the one before."""
    make()
    provisioned(started(ON_CLOCK))
    monkeypatch.setenv("RUN_SECONDS", "0")
    advance(NOW + timedelta(days=2))

    run_worker()

    assert status()["status"] == "advancing"
    monkeypatch.setenv("RUN_SECONDS", "60")
    following = {"Records": [record({"test_clock": "q1"})]}
    assert advance_test_clock(following, Run()) == advance_test_clock(following, Run()) == {"batchItemFailures": []}
    assert status()["status"] == "ready"


@pytest.mark.parametrize("to", [NOW + timedelta(minutes=5), NOW + timedelta(days=2)], ids=["at its end", "before"])
def test_a_job_that_fails_again_and_again_stops_the_clock_and_staff_are_told(
    to: datetime, workers: InProcessWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    provisioned(started(ON_CLOCK))
    advance(to)
    real = [NOW]

    def waits(seconds: float) -> None:
        real[0] += timedelta(seconds=seconds)

    monkeypatch.setattr(workers, "run", lambda _job, _work: False)
    advancer = Advancer(wiring.clock_store(), workers, "run", lambda: real[0], waits, lambda: True)
    failed = run_clock("q1", correlation="run", advancer=advancer)

    assert failed is not None
    assert failed.status == "failed"
    assert status()["failure"] == f"The job renewal fails for {ON_CLOCK}."
    assert [event.type for event in recorded(None)][-1] == "test_clock.failed"
    monkeypatch.undo()
    monkeypatch.setattr(wiring, "workers", InProcessWorkers)
    assert advanced(to)["status"] == "ready"  # it may be advanced again


def test_what_waits_for_staff_does_not_stop_the_clock() -> None:
    """More than three invoices are due at once: invoicing stops for staff, and time goes on."""
    make()
    body = with_value(started(ON_CLOCK), "2025-04-10", "contract", "start")
    assert provisioned(with_value(body, "2025-04-10", "invoiced_until")).status == 201

    assert advanced(NOW + timedelta(days=5))["status"] == "ready"

    kinds = [event.type for event in recorded(ON_CLOCK)]
    assert "invoicing.held" in kinds
    assert "invoice.issued" not in kinds
    route = "/invoicing/held"
    assert answer(release_invoicing, request("GET", route, claims=STAFF)).body["items"] == []
    [held] = answer(release_invoicing, request("GET", route, claims=STAFF, query={"test_clock": "q1"})).body["items"]
    assert held["account"] == ON_CLOCK


# ---- What a clock keeps apart -----------------------------------------------------------------------------


def test_an_account_on_a_clock_is_in_no_list_and_no_schedule_of_customers(
    stripe_account: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    provisioned(started(ON_CLOCK))
    card(company_of(ON_CLOCK), stripe_account, DECLINED_WHEN_CHARGED)

    advanced(NOW + timedelta(days=30))

    due = {item["gsi1pk"] for item in stored_items() if str(item.get("gsi1pk", "")).startswith("DUE#")}
    assert due == {"DUE#clock#q1"}
    past_due = "/invoices/past-due"
    assert answer(get_invoices, request("GET", past_due, claims=STAFF)).body["items"] == []
    [late] = answer(get_invoices, request("GET", past_due, claims=STAFF, query={"test_clock": "q1"})).body["items"]
    assert late["number"] == "TEST-q1-LV-2026-000001"
    register = {"series": "LV", "year": "2026"}
    route = "/invoice-register"
    assert answer(get_invoices, request("GET", route, claims=STAFF, query=register)).body["items"] == []
    of_clock = {"series": "TEST-q1-LV", "year": "2026"}
    assert len(answer(get_invoices, request("GET", route, claims=STAFF, query=of_clock)).body["items"]) == 1
    assert all(event_fields(event)["test_clock"] == "q1" for event in recorded(ON_CLOCK))


def test_an_account_on_a_clock_is_in_the_lists_of_staff_if_they_ask_for_its_clock(stripe_account: Stripe) -> None:
    make()
    provisioned(started(ON_CLOCK))
    company = company_of(ON_CLOCK)
    card(company, stripe_account, DECLINED_WHEN_CHARGED)
    advanced(NOW + timedelta(days=40))
    shown = call_cancellation(company, "GET").body
    assert cancel(company, shown["preview"]["active_until"]).status == 201
    month = {"month": f"{NOW:%Y-%m}"}
    lists: list[tuple[Any, str, dict[str, str]]] = [
        (list_accounts, "/accounts", {}),
        (list_accounts, "/accounts", {"status": "cancelling"}),
        (list_accounts, "/accounts", {"search": ON_CLOCK}),
        (list_accounts, "/accounts", {"search": "Nord"}),
        (list_accounts, "/accounts", {"search": "invoices@nordlys.example"}),
        (list_accounts, "/accounts", {"search": "DK13585628"}),
        (list_accounts, "/accounts", {"past_due": "true"}),
        (get_invoices, "/invoices", month),
        (administer_cancellation, "/cancellations", {}),
    ]

    for handler, route, query in lists:

        def found(more: dict[str, str], handler: Any = handler, route: str = route) -> list[str]:
            given = answer(handler, request("GET", route, claims=STAFF, query=more or None))
            assert given.status == 200, given
            return [each["account"] for each in given.body["items"]]

        assert found({**query, "test_clock": "q1"}) == [ON_CLOCK], (route, query)
        assert found({**query, "test_clock": "q2"}) == []
        assert found(query) == []

    # An item is in the lists of its clock, in those of its users, and due on its clock: in no other.
    indexed = [
        item[index]
        for item in stored_items()
        if item["pk"].endswith(ON_CLOCK)
        for index in ("gsi1pk", "gsi2pk")
        if item.get(index) is not None
    ]
    assert indexed
    assert all(each.endswith("#clock#q1") or each.startswith("USER#") for each in indexed)


def test_no_text_of_a_search_leads_to_the_list_of_a_clock() -> None:
    make()
    provisioned(with_value(started(ON_CLOCK), "a@q1.example", "billing", "email"))

    def found(handler: Handler, route: str, **query: str) -> Any:
        return answer(handler, request("GET", route, claims=STAFF, query=query)).body["items"]

    assert found(list_accounts, "/accounts", search="a@q1.example#clock#q1") == []
    assert found(list_accounts, "/accounts", search="a@q1.example", test_clock="q1") != []
    event = sample_event(account=ON_CLOCK)
    wiring.review_store().book_review(wiring.account_store().account(ON_CLOCK), replace(REVIEW, version=0), event)
    manager = REVIEW.manager.success_manager
    assert found(administer_reviews, "/reviews", manager=f"{manager}#clock#q1") == []
    assert len(found(administer_reviews, "/reviews", manager=manager, test_clock="q1")) == 1


def test_mail_about_a_test_goes_to_the_domain_of_tests_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty means nobody, and only the local stack mails everybody."""
    make()
    provisioned(started(ON_CLOCK))
    [event, *_] = recorded(ON_CLOCK)
    people = [
        Recipient("ada@nordlys.example", None),
        Recipient("t@mail.test", None),
        Recipient("x@evilmail.test", None),
    ]

    assert allowed(event, people, "") == ()
    assert allowed(event, people, "Mail.test") == (people[1],)
    assert allowed(event, people, "*") == tuple(people)
    assert allowed(replace(event, account="nordlys"), people, "") == tuple(people)


def test_a_late_mail_about_a_test_names_nobody_who_is_erased() -> None:
    """The event of a clock that is ahead seems to be of another day, however long its mail has waited."""
    make(NOW + timedelta(days=9))
    provisioned(started(ON_CLOCK))
    [created] = [each for each in recorded(ON_CLOCK) if each.type is EventType.ACCOUNT_PROVISIONED]
    first = (created.after or {})["first_admin"]
    published_before = replace(created, after={**(created.after or {}), "first_admin": {**first, "name": "Bo"}})
    written: list[Event] = []

    def write(event: Event, *_: Any) -> bytes:
        written.append(event)
        return b""

    stores = (wiring.account_store(), wiring.delivery_store())
    post = Post("t", NOW + timedelta(hours=1), None, *stores, Mailbox(), wiring.documents(), write, "*")
    post.send(published_before)

    assert written
    assert all((each.after or {})["first_admin"] == first for each in written)


def test_usage_is_judged_by_the_time_of_its_account() -> None:
    make(NOW - timedelta(days=400))
    body = with_value(started(ON_CLOCK), "2025-05-01", "contract", "start")
    assert provisioned(body).status == 201
    provisioned(started(LIVED))
    then = (NOW - timedelta(days=401)).isoformat()

    def report(account: str, id_: str) -> Any:
        event = {**cloud_event(), "id": id_, "subject": f"{account}/nordlys-dk", "time": then}
        return answer(record_usage, request("POST", "/usage", claims=MACHINE, body=event)).status

    assert report(ON_CLOCK, "1") == 202
    assert report(ON_CLOCK, "1") == 200
    assert report(LIVED, "2") == 422
    markers = [item for item in stored_items() if item["pk"] == f"MARKERS#{ON_CLOCK}"]
    assert len(markers) == 1
    assert "expires_at" not in markers[0]  # DynamoDB would delete it at once


def test_usage_that_waited_and_usage_that_grew_have_the_time_of_their_account() -> None:
    """The message and the stream say when they were written. A month ago on the clock, nothing was counted yet."""
    make(NOW - timedelta(days=400))
    provisioned(with_value(started(ON_CLOCK), "2025-05-01", "contract", "start"))
    used = {
        "account": ON_CLOCK,
        "source": "t",
        "id": "1",
        "product": "search",
        "store": "nordlys-dk",
        "content": None,
        "time": "2025-05-05T11:00:00+00:00",
        "day": "2025-05-05",
        "quantity": "9500",
        "conversions": 0,
        "revenue": None,
    }
    assert record_queued_usage({"Records": [record({"usage": [used]})]}, Run()) == {"batchItemFailures": []}
    [total] = [item for item in stored_items() if item["sk"] == "TOTAL#2025-05#search"]
    image = {name: {"N" if name.startswith("d") else "S": str(value)} for name, value in total.items()}

    watch_usage({"Records": [{"dynamodb": {"NewImage": image, "ApproximateCreationDateTime": NOW.timestamp()}}]}, Run())

    [told] = [event for event in recorded(ON_CLOCK) if event.type == "usage.threshold_reached"]
    assert told.time == NOW - timedelta(days=400)
    assert (told.after or {})["month"] == "2025-05"


def test_usage_without_a_time_happens_at_the_time_of_its_account_also_by_queue() -> None:
    later = NOW + timedelta(days=400)
    make(later)
    assert provisioned(with_value(started(ON_CLOCK), "2027-07-01", "contract", "start")).status == 201
    event = {**cloud_event(), "id": "1", "subject": f"{ON_CLOCK}/nordlys-dk"}
    del event["time"]

    results = record_reports(
        sent_events(json.dumps(event)).reports,
        context=by_system(NOW, "test"),
        reported_within=timedelta(days=35),
        budget=RetryBudget(1.0),
        store=wiring.usage_store(),
        backlog=wiring.usage_backlog(),
        reported_at=NOW,
    )

    assert results == [IngestResult.ACCEPTED]
    assert [item["sk"] for item in stored_items() if item["sk"].startswith("TOTAL#")] == ["TOTAL#2027-07#search"]


def test_refused_usage_is_told_at_the_time_of_its_account(stripe_account: Stripe) -> None:
    make()
    provisioned(started(ON_CLOCK))
    company = company_of(ON_CLOCK)
    card(company, stripe_account)
    advanced(NOW + timedelta(days=1))
    ends = call_cancellation(company, "GET").body["preview"]["active_until"]
    assert cancel(company, ends).status == 201
    then = datetime.fromisoformat(f"{ends}T12:00:00Z")
    advanced(then)
    event = {**cloud_event(), "id": "1", "subject": f"{ON_CLOCK}/nordlys-dk", "time": then.isoformat()}

    assert answer(record_usage, request("POST", "/usage", claims=MACHINE, body=event)).status == 422

    [told] = [event for event in recorded(ON_CLOCK) if event.type is EventType.USAGE_REFUSED]
    assert told.time == then


def test_an_outage_on_a_clock_is_none_of_the_customers() -> None:
    now = NOW + timedelta(days=9)
    on_clock, _ = after_no_answer(None, "DE", "MS_UNAVAILABLE", now)
    make(now)
    for account in (ON_CLOCK, LIVED):
        provisioned(started(account))
    store = wiring.vat_number_store()
    state = existing(store.state(ON_CLOCK))
    store.postpone(state, VatNumberDue(now), on_clock, None)

    assert store.outage("DE", ON_CLOCK) == replace(on_clock, version=1)
    assert store.outage("DE", LIVED) is None


@pytest.mark.parametrize("erase", [{}, {"erase": "true"}], ids=["removed", "erased"])
def test_a_log_in_is_deleted_by_the_real_time(erase: dict[str, str]) -> None:
    """It is in the user pool with everybody's, and may belong to an account of a customer too."""
    make(NOW + timedelta(days=9))
    provisioned(started(ON_CLOCK))
    admin = company_of(ON_CLOCK).admin
    bo = {"email": "bo@nordlys.example", "name": "Bo", "role": "member"}
    path = {"account": ON_CLOCK}
    invited = request("PUT", "/accounts/{account}/users", claims=admin, path=path, body=bo)
    user = answer(administer_users, invited).body["user"]
    at = {**path, "user": user}
    route = "/accounts/{account}/users/{user}"

    gone = request("DELETE", route, claims=admin, path=at, query=erase or None)
    assert answer(administer_users, gone).status == (202 if erase else 204)

    [leaving] = [item for item in stored_items() if item["sk"] == "LEAVING"]
    due = datetime.fromisoformat(leaving["gsi1sk"])
    assert due == (NOW + (timedelta(minutes=3) if erase else timedelta(days=14)))


def test_a_worker_has_the_time_of_an_account_also_where_nothing_is_due() -> None:
    make()
    provisioned(started(ON_CLOCK))

    assert InProcessWorkers().run(Job.CARD_EXPIRY, DueWork(ON_CLOCK, NOW))


def test_a_success_manager_has_the_time_of_customers_beside_that_of_a_clock() -> None:
    assert keys.booked_time("sofie", "nordlys") == "MANAGER#sofie"
    assert keys.booked_time("sofie", ON_CLOCK) == "MANAGER#sofie#clock#q1"


# ---- The end -----------------------------------------------------------------------------------------------


def test_an_account_ends_on_its_clock_and_leaves_no_claims(stripe_account: Stripe) -> None:
    make()
    provisioned(started(ON_CLOCK))
    company = company_of(ON_CLOCK)
    card(company, stripe_account)
    advanced(NOW + timedelta(days=1))
    shown = call_cancellation(company, "GET").body
    assert cancel(company, shown["preview"]["active_until"]).status == 201

    advanced(NOW + timedelta(days=200))

    kinds = [event.type for event in recorded(ON_CLOCK)]
    assert kinds[-1] == "account.deleted"
    left = [item for item in stored_items() if ON_CLOCK in item["pk"]]
    assert left == []
    route = "/deletions"
    assert answer(get_deletions, request("GET", route, claims=STAFF)).body["items"] == []
    [receipt] = answer(get_deletions, request("GET", route, claims=STAFF, query={"test_clock": "q1"})).body["items"]
    assert receipt["counts"]["invoice"] == 1


def test_the_last_event_of_a_test_expires_by_the_real_time(stripe_account: Stripe) -> None:
    """It names the people of the account that is purged."""
    make(NOW + timedelta(days=700))
    provisioned(with_value(started(ON_CLOCK), "2028-05-10", "contract", "start"))
    assert ask("DELETE", CLOCK).status == 202
    run_worker()

    [last] = [item for item in stored_items() if item["pk"].startswith("DELETED#")]
    assert last["expires_at"] <= (datetime.now(UTC) + timedelta(days=15)).timestamp()


def test_a_success_manager_stays_booked_on_a_clock_that_is_behind() -> None:
    """DynamoDB deletes by the real time what has expired: the slot could be booked again."""
    now = NOW - timedelta(days=5)
    make(now)
    store = wiring.review_store()
    for account in (ON_CLOCK, LIVED):
        provisioned(with_value(started(account), "2026-06-01", "contract", "start"))
        review = replace(REVIEW, slot=Slot(now + timedelta(days=1), now + timedelta(days=1, minutes=30)), version=0)
        event = sample_event(account=account)
        store.book_review(wiring.account_store().account(account), review, event)

    expire = {item["pk"]: int(item["expires_at"]) for item in stored_items() if item["sk"].startswith("BOOKED#")}

    manager = f"MANAGER#{REVIEW.manager.success_manager}"
    assert expire[manager] < NOW.timestamp()
    assert expire[f"{manager}#clock#q1"] > (NOW + timedelta(days=731)).timestamp()


def test_a_deleted_clock_purges_its_accounts_and_its_id_is_not_used_again(stripe_account: Stripe) -> None:
    make()
    for name in (ON_CLOCK, "q1.second"):
        provisioned(started(name))
    card(company_of(ON_CLOCK), stripe_account, DECLINED_WHEN_CHARGED)
    advanced(NOW + timedelta(days=30))
    advance(NOW + timedelta(days=60))  # it advances when it is deleted

    assert ask("DELETE", CLOCK).status == ask("DELETE", CLOCK).status == 202
    assert (
        ask("POST", CLOCK + "/advance", {"to": (NOW + timedelta(days=90)).isoformat()}).body["type"].endswith("deleted")
    )
    run_worker()

    assert status()["status"] == "deleted"
    assert [item["pk"] for item in stored_items() if ".nordlys" in item["pk"] or ".second" in item["pk"]] == []
    assert not [item for item in stored_items() if item["pk"].startswith("RESIDUE#")]
    assert make().body["type"].endswith("test-clock-exists")
    assert provisioned(started(ON_CLOCK)).body["type"].endswith("test-clock-deleted")
