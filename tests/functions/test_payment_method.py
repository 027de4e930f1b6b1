"""A new card replaces the old one; Stripe's notices update the payment method; expiring cards cause warnings."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from logging import StreamHandler
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.correspondence.event_kinds import published
from billing.kernel.events import Event
from billing.platform import workers
from billing.platform.events.mapping import event_from
from billing.platform.http import resolver

from functions.administer_users.app import handler as administer_users
from functions.detach_replaced_methods.app import handler as detach_replaced
from functions.get_billing.app import handler as get_billing
from functions.note_payment_notice.app import handler as note
from functions.plan_due_work.app import handler as plan
from functions.receive_payment_notice import app as receive_payment_notice
from functions.receive_payment_notice.app import handler as receive
from functions.update_payment_method.app import handler as update
from functions.warn_expiring_card.app import handler as warn
from local.stripe.api import CREDITOR, Stripe
from local.stripe.process import KEYS
from local.stripe.webhooks import signature
from tests.api_gateway import STAFF, Answer, answer, person, request
from tests.aws import REGION, stored_items
from tests.company import Company, provisioned
from tests.functions.ending import invoiced_elsewhere
from tests.samples import ACCOUNT, with_value
from tests.stripe import ask, attached, confirm

METHOD = "/accounts/{account}/payment-method"
VISA, MASTERCARD, AMEX = "4242424242424242", "5555555555554444", "378282246310005"


class Context(LambdaContext):
    def __init__(self) -> None:
        self._aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


@pytest.fixture(autouse=True)
def account_at_stripe(company: Company, stripe_account: Stripe, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stripe]:
    """A Stripe account, and the queues of its notices and of due work."""
    sqs = boto3.client("sqs", region_name=REGION)
    queues = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("notices", "cards")}
    monkeypatch.setenv("PAYMENT_NOTICES_URL", queues["notices"])
    monkeypatch.setenv("QUEUE_URL", queues["notices"])
    monkeypatch.setenv("JOB", "card-expiry")
    monkeypatch.setenv("WORK_QUEUE_URL", queues["cards"])
    wiring.forget()
    yield stripe_account
    for queue in queues.values():
        sqs.delete_queue(QueueUrl=queue)
    wiring.forget()


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What the functions log during the test."""
    lines = io.StringIO()
    handlers = [each.handlers[0] for each in (resolver.logger, workers.logger, receive_payment_notice.logger)]
    before = [(handler, handler.setStream(lines)) for handler in handlers if isinstance(handler, StreamHandler)]
    yield lines
    for handler, stream in before:
        handler.setStream(stream)


# ---- What users do ---------------------------------------------------------------------------------


def set_up(company: Company, body: Any = None, *, key: str | None = None, claims: Any = None) -> Answer:
    headers = {} if key is None else {"Idempotency-Key": key}
    event = request(
        "POST",
        METHOD + "/setup",
        claims=claims or company.admin,
        path=company.path,
        body={} if body is None else body,
        headers=headers,
    )
    if key is None:  # each request has an id of its own
        event["requestContext"]["requestId"] = str(time.monotonic_ns())
    return answer(update, event)


def replace(company: Company, setup_intent: str, **more: Any) -> Answer:
    body = {"setup_intent": setup_intent}
    return answer(
        update, request("PUT", METHOD, claims=more.get("claims", company.admin), path=company.path, body=body)
    )


def card(company: Company, account: Stripe, number: str = VISA, expiry: str = "12/2034") -> str:
    """Sets up a card as the new payment method. Returns the id of its SetupIntent."""
    setup = set_up(company).body
    assert confirm(account, setup, number, expiry)["status"] == "succeeded"
    replaced = replace(company, setup["setup_intent"])
    assert replaced.status == 200, replaced
    setup_intent: str = setup["setup_intent"]
    return setup_intent


def debit(company: Company, account: Stripe) -> None:
    """Sets up a SEPA debit as the new payment method."""
    setup = set_up(company, {"method": "sepa_debit"}).body
    iban = "payment_method_data[type]=sepa_debit&payment_method_data[sepa_debit][iban]=DE89370400440532013000"
    ask(account, "POST", f"/v1/setup_intents/{setup['setup_intent']}/confirm", iban)
    replaced = replace(company, setup["setup_intent"])
    assert replaced.status == 200, replaced


def details(company: Company) -> Any:
    page = answer(get_billing, request("GET", METHOD, claims=company.member, path=company.path))
    assert page.status == 200
    return page.body


# ---- Events, workers and webhooks ----------------------------------------------------------------------------


def recorded(*kinds: str) -> list[Event]:
    """The recorded events of these kinds, oldest first. Each must fit the schema of its kind."""
    events = [event_from(item["body"]) for item in stored_items() if item["sk"].startswith("EVENT#")]
    for event in events:
        published(event)
    return [event for event in events if event.type in kinds]


def record(body: Any) -> dict[str, Any]:
    return {
        "messageId": "19dd0b57-b21e-4ac1-bd88-01bbb068cb78",
        "receiptHandle": "handle",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }


def detach(*events: Event) -> None:
    """Delivers events to the worker that detaches replaced payment methods, as the bus does."""
    for event in events:
        detail = published(event).model_dump(mode="json")
        result = detach_replaced({"Records": [record({"detail-type": event.type, "detail": detail})]}, Context())
        assert result == {"batchItemFailures": []}


def webhook(account: Stripe, event: str, *, secret: str = KEYS["webhook_secret"], age: int = 0) -> Answer:
    """Sends an event of Stripe to the webhook, signed `age` seconds ago."""
    payload = json.dumps(account.objects["event"][event])
    header = signature(payload.encode(), secret, int(time.time()) - age)
    return answer(
        receive,
        request("POST", "/webhooks/stripe", claims=None, body=payload, headers={"Stripe-Signature": header}),
    )


def queued(queue: str = "notices") -> list[str]:
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    bodies = []
    while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [each["Body"] for each in found]
        for each in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    return bodies


def deliver(account: Stripe, *kinds: str) -> None:
    """Stripe sends all its events of these kinds, and the worker processes the notices."""
    for event in [*account.objects["event"]]:
        if account.objects["event"][event]["type"] in kinds:
            assert webhook(account, event).status == 200
    for body in queued():
        assert note({"Records": [record(body)]}, Context()) == {"batchItemFailures": []}


# ---- A card ------------------------------------------------------------------------------------------


def test_the_first_card_is_set_up(company: Company, account_at_stripe: Stripe) -> None:
    setup = set_up(company)

    assert setup.status == 201
    assert setup.body["publishable_key"] == KEYS["publishable_key"]
    assert details(company)["method"] is None
    confirm(account_at_stripe, setup.body)
    given = replace(company, setup.body["setup_intent"])

    visa = {"brand": "visa", "last_four": "4242", "expiry_month": 12, "expiry_year": 2034}
    assert (given.status, given.body) == (200, {"method": "card", "card": visa, "debit": None})
    assert (details(company)["method"], details(company)["card"]) == ("card", visa)
    [event] = recorded("card.updated")
    assert (event.before, event.after) == (None, {**visa, "detach": []})
    assert event.actor.user == company.admin["sub"]
    [customer] = account_at_stripe.objects["customer"].values()
    assert customer["invoice_settings"]["default_payment_method"] == next(iter(account_at_stripe.numbers))
    # Stripe gets nothing of the company but the id of its account.
    assert (customer["metadata"], customer["email"], customer["name"]) == ({"account": company.account}, None, None)


def test_a_new_card_replaces_the_old_one_and_its_details_are_deleted(
    company: Company, account_at_stripe: Stripe
) -> None:
    card(company, account_at_stripe, VISA)
    card(company, account_at_stripe, MASTERCARD)
    assert attached(account_at_stripe) == ["4242", "4444"]

    detach(*recorded("card.updated"))

    assert attached(account_at_stripe) == ["4444"]
    assert details(company)["card"]["last_four"] == "4444"
    stored = [item["body"] for item in stored_items() if item["sk"].startswith("PAGE#")]
    assert not any("4242" in body for body in stored)
    detach(*recorded("card.updated"))  # a repeated delivery
    assert attached(account_at_stripe) == ["4444"]


def test_a_repeated_request_changes_nothing(company: Company, account_at_stripe: Stripe) -> None:
    setup_intent = card(company, account_at_stripe)
    before = stored_items()

    again = replace(company, setup_intent)

    assert (again.status, again.body["card"]["last_four"]) == (200, "4242")
    assert stored_items() == before


def test_a_late_repetition_does_not_bring_the_old_card_back(company: Company, account_at_stripe: Stripe) -> None:
    first = card(company, account_at_stripe, VISA)
    card(company, account_at_stripe, MASTERCARD)

    late = replace(company, first)

    assert (late.status, late.body["type"]) == (409, "urn:livello:problem:setup-superseded")
    assert details(company)["card"]["last_four"] == "4444"


def test_the_older_of_two_set_ups_never_wins(company: Company, account_at_stripe: Stripe) -> None:
    """Two browser tabs: the first one opened is the last one finished."""
    older, newer = set_up(company).body, set_up(company).body
    confirm(account_at_stripe, newer, MASTERCARD)
    assert replace(company, newer["setup_intent"]).status == 200
    confirm(account_at_stripe, older, VISA)

    assert replace(company, older["setup_intent"]).status == 409
    deliver(account_at_stripe, "setup_intent.succeeded")

    assert attached(account_at_stripe) == ["4444"]
    assert details(company)["card"]["last_four"] == "4444"


def test_a_repeated_setup_with_the_same_idempotency_key_gives_the_same_setup_intent(company: Company) -> None:
    first, again = set_up(company, key="tab-1"), set_up(company, key="tab-1")

    assert first.body == again.body
    assert set_up(company, key="tab-2").body != first.body
    other = set_up(company, {"method": "sepa_debit"}, key="tab-1")
    assert (other.status, other.body["errors"][0]["pointer"]) == (422, "#/method")


def test_a_sepa_debit_replaces_a_card(company: Company, account_at_stripe: Stripe) -> None:
    card(company, account_at_stripe)
    setup = set_up(company, {"method": "sepa_debit"}).body
    iban = "payment_method_data[type]=sepa_debit&payment_method_data[sepa_debit][iban]=DE89370400440532013000"
    ask(account_at_stripe, "POST", f"/v1/setup_intents/{setup['setup_intent']}/confirm", iban)

    assert replace(company, setup["setup_intent"]).status == 200

    method = details(company)
    assert (method["method"], method["card"]) == ("sepa_debit", None)
    [mandate] = account_at_stripe.objects["mandate"].values()
    reference = mandate["payment_method_details"]["sepa_debit"]["reference"]
    assert method["debit"] == {"country": "DE", "last_four": "3000", "mandate": reference, "creditor": CREDITOR}
    detach(*recorded("card.updated", "payment_method.changed"))
    assert [each["type"] for each in account_at_stripe.objects["payment_method"].values() if each["customer"]] == [
        "sepa_debit"
    ]


def test_a_sepa_debit_is_possible_in_euros_only(catalogue: Any, account_at_stripe: Stripe) -> None:
    body = with_value(with_value(ACCOUNT, "i-kroner", "account"), "DKK", "contract", "currency")
    assert provisioned(body).status == 201
    users = answer(
        administer_users, request("GET", "/accounts/{account}/users", claims=STAFF, path={"account": "i-kroner"})
    )
    in_kroner = Company("i-kroner", person(users.body["items"][0]["user"]), {})

    refused_debit = set_up(in_kroner, {"method": "sepa_debit"})

    assert (refused_debit.status, refused_debit.body["errors"][0]["pointer"]) == (422, "#/method")
    assert "EUR" in refused_debit.body["errors"][0]["detail"]
    assert set_up(in_kroner).status == 201


@pytest.mark.parametrize(("offered", "refused_methods"), [("card", {"sepa_debit"}), ("none", {"card", "sepa_debit"})])
def test_only_what_the_deployment_charges_can_be_set_up(
    offered: str,
    refused_methods: set[str],
    company: Company,
    account_at_stripe: Stripe,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHARGED_METHODS", offered)
    wiring.charged_methods.cache_clear()

    given = {method: set_up(company, {"method": method}) for method in ("card", "sepa_debit")}

    assert {method for method, each in given.items() if each.status == 422} == refused_methods
    assert {given[method].body["errors"][0]["pointer"] for method in refused_methods} == {"#/method"}


def test_a_customer_deleted_at_stripe_is_created_again(company: Company, account_at_stripe: Stripe) -> None:
    card(company, account_at_stripe)
    [customer] = account_at_stripe.objects["customer"]
    ask(account_at_stripe, "DELETE", f"/v1/customers/{customer}")

    first, again = set_up(company, key="tab-1"), set_up(company, key="tab-1")
    assert (first.status, again.body) == (201, first.body)
    confirm(account_at_stripe, first.body, MASTERCARD)
    assert replace(company, first.body["setup_intent"]).status == 200

    assert attached(account_at_stripe) == ["4444"]
    detach(*recorded("card.updated"))
    assert attached(account_at_stripe) == ["4444"]
    assert [bool(each.get("deleted")) for each in account_at_stripe.objects["customer"].values()] == [True, False]


def test_a_customer_that_stripe_does_not_know_is_not_created_again(company: Company, account_at_stripe: Stripe) -> None:
    """The API key is from another Stripe account or mode: our own record is right."""
    card(company, account_at_stripe)
    account_at_stripe.objects["customer"].clear()
    before = stored_items()

    assert set_up(company).status == 502

    assert (account_at_stripe.objects["customer"], stored_items()) == ({}, before)


def test_staff_switch_an_account_to_bank_transfers(company: Company, account_at_stripe: Stripe) -> None:
    setup_intent = card(company, account_at_stripe)
    event = request("PUT", METHOD + "/bank-transfer", claims=STAFF, path=company.path, now=datetime.now(UTC))

    assert answer(update, event).body == {"method": "bank_transfer", "card": None, "debit": None}
    assert answer(update, event).status == 200

    [changed] = recorded("payment_method.changed")
    assert changed.actor.kind == "staff"
    detach(changed)
    assert attached(account_at_stripe) == []
    # An older SetupIntent does not bring the card back.
    assert replace(company, setup_intent).status == 409


# ---- Bad input ----------------------------------------------------------------------------------------


def refused(given: Answer) -> str:
    assert (given.status, given.body["errors"][0]["pointer"]) == (422, "#/setup_intent"), given
    detail: str = given.body["errors"][0]["detail"]
    return detail


def test_another_customers_setup_intent_gives_the_same_error_as_none(
    company: Company, account_at_stripe: Stripe
) -> None:
    card(company, account_at_stripe)
    other = ask(account_at_stripe, "POST", "/v1/customers", "metadata[account]=other")
    theirs = ask(account_at_stripe, "POST", "/v1/setup_intents", f"customer={other['id']}")
    confirm(account_at_stripe, {"setup_intent": theirs["id"], "client_secret": theirs["client_secret"]}, AMEX)
    without_customer = ask(account_at_stripe, "POST", "/v1/setup_intents")
    before = stored_items()

    for setup_intent in (theirs["id"], without_customer["id"], "seti_none"):
        assert refused(replace(company, setup_intent)) == "There is no such SetupIntent of this account."

    assert stored_items() == before


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("4000002500003155", "asks its customer"),
        ("4000000000000002", "was refused"),
        ("4000000000009995", "was refused"),
        ("4000000000000069", "was refused"),
    ],
)
def test_a_setup_intent_that_has_not_succeeded_is_refused(
    number: str, words: str, company: Company, account_at_stripe: Stripe
) -> None:
    setup = set_up(company).body
    assert "not confirmed" in refused(replace(company, setup["setup_intent"]))

    confirm(account_at_stripe, setup, number)

    assert words in refused(replace(company, setup["setup_intent"]))
    assert details(company)["method"] is None


def test_a_card_is_accepted_after_the_customer_has_given_consent(company: Company, account_at_stripe: Stripe) -> None:
    setup = set_up(company).body
    confirm(account_at_stripe, setup, "4000002500003155")
    account_at_stripe.authenticate_setup(setup["setup_intent"], succeed=True)

    assert replace(company, setup["setup_intent"]).status == 200


def test_an_expired_card_is_refused(company: Company, account_at_stripe: Stripe) -> None:
    setup = set_up(company).body
    confirm(account_at_stripe, setup, VISA, "12/2034")
    [method] = account_at_stripe.objects["payment_method"].values()
    method["card"] |= {"exp_month": 5, "exp_year": 2026}  # it has expired since its setup

    assert refused(replace(company, setup["setup_intent"])) == "This card has expired."


def test_a_detached_payment_method_is_refused(company: Company, account_at_stripe: Stripe) -> None:
    setup = set_up(company).body
    confirm(account_at_stripe, setup)
    [method] = account_at_stripe.objects["payment_method"]
    ask(account_at_stripe, "POST", f"/v1/payment_methods/{method}/detach")

    assert "cannot be used" in refused(replace(company, setup["setup_intent"]))


@pytest.mark.parametrize("setup_intent", ["", "pm_1", "seti_1/../x", "seti_" + "a" * 200, 7, None])
def test_a_malformed_setup_intent_is_refused(setup_intent: Any, company: Company) -> None:
    assert replace(company, setup_intent).status == 422


@pytest.mark.parametrize("fault", ["500", "500_after", "429", "timeout"])
def test_a_failure_of_stripe_gives_502_and_a_repetition_succeeds(
    fault: str, company: Company, account_at_stripe: Stripe
) -> None:
    setup = set_up(company).body
    confirm(account_at_stripe, setup)
    for path in ("setup_intents/seti", "/customers/cus"):
        account_at_stripe.faults.append({"kind": fault, "path": path})
        given = replace(company, setup["setup_intent"])
        assert given.status == 502, given
        assert details(company)["method"] is None
        # In production each request has keys of its own, so Stripe does not repeat the failure.
        account_at_stripe.keys.clear()

    assert replace(company, setup["setup_intent"]).status == 200
    assert attached(account_at_stripe) == ["4242"]
    # The SetupIntent has attached it. Stripe may refuse to attach it a second time.
    assert not [each for each in account_at_stripe.requests if each["path"].endswith("/attach")]


# ---- Notices from Stripe --------------------------------------------------------------------------------


def test_a_notice_finishes_a_change_whose_browser_was_closed(company: Company, account_at_stripe: Stripe) -> None:
    confirm(account_at_stripe, set_up(company).body)

    deliver(account_at_stripe, "setup_intent.succeeded")
    deliver(account_at_stripe, "setup_intent.succeeded")

    assert details(company)["card"]["last_four"] == "4242"
    [event] = recorded("card.updated")
    assert (event.actor.kind, event.actor.user) == ("customer", company.admin["sub"])


def test_a_notice_updates_a_card_that_its_bank_renews(company: Company, account_at_stripe: Stripe) -> None:
    card(company, account_at_stripe)
    [method] = account_at_stripe.objects["payment_method"]
    account_at_stripe.automatically_update(method, {"exp_year": 2038, "last4": "1881"})

    for _ in range(2):
        deliver(account_at_stripe, "payment_method.automatically_updated")

    assert (details(company)["card"]["expiry_year"], details(company)["card"]["last_four"]) == (2038, "1881")
    [event] = recorded("payment_method.changed")
    assert (event.after or {})["detach"] == []


def test_a_notice_removes_a_card_that_was_detached_at_stripe(company: Company, account_at_stripe: Stripe) -> None:
    card(company, account_at_stripe)
    [method] = account_at_stripe.objects["payment_method"]
    ask(account_at_stripe, "POST", f"/v1/payment_methods/{method}/detach")

    deliver(account_at_stripe, "payment_method.detached")

    assert details(company)["method"] is None
    [event] = recorded("payment_method.changed")
    assert (event.after or {})["method"] is None


def test_a_notice_removes_the_card_of_a_customer_that_was_deleted_at_stripe(
    company: Company, account_at_stripe: Stripe
) -> None:
    card(company, account_at_stripe)
    [customer] = account_at_stripe.objects["customer"]
    ask(account_at_stripe, "DELETE", f"/v1/customers/{customer}")

    for _ in range(2):
        deliver(account_at_stripe, "payment_method.detached", "customer.deleted")

    assert details(company)["method"] is None
    [event] = recorded("payment_method.changed")
    assert (event.after or {})["method"] is None
    card(company, account_at_stripe, MASTERCARD)
    assert details(company)["card"]["last_four"] == "4444"


def test_a_notice_about_the_deleted_customer_of_another_account_changes_nothing(
    company: Company, account_at_stripe: Stripe
) -> None:
    card(company, account_at_stripe)
    for account in (company.account, "no-such-account", ""):
        other = ask(account_at_stripe, "POST", "/v1/customers", f"metadata[account]={account}" if account else "")
        ask(account_at_stripe, "DELETE", f"/v1/customers/{other['id']}")
    before = stored_items()

    deliver(account_at_stripe, "customer.deleted")

    assert stored_items() == before


def test_a_notice_removes_a_debit_whose_mandate_was_revoked(company: Company, account_at_stripe: Stripe) -> None:
    debit(company, account_at_stripe)
    [mandate] = account_at_stripe.objects["mandate"]
    account_at_stripe.revoke_mandate(mandate)

    for _ in range(2):
        deliver(account_at_stripe, "mandate.updated")

    assert details(company)["method"] is None
    [*_, event] = recorded("payment_method.changed")
    [method] = account_at_stripe.objects["payment_method"]
    assert event.after == {"method": None, "detach": [method]}
    detach(event)
    assert not account_at_stripe.objects["payment_method"][method]["customer"]


def test_the_mandate_of_a_replaced_debit_changes_nothing(company: Company, account_at_stripe: Stripe) -> None:
    debit(company, account_at_stripe)
    card(company, account_at_stripe)
    [mandate] = account_at_stripe.objects["mandate"]
    account_at_stripe.revoke_mandate(mandate)
    before = stored_items()

    deliver(account_at_stripe, "mandate.updated")

    assert stored_items() == before


def test_a_notice_about_a_debit_keeps_its_mandate(company: Company, account_at_stripe: Stripe) -> None:
    debit(company, account_at_stripe)
    before = details(company)["debit"]
    [method] = account_at_stripe.objects["payment_method"].values()
    method["sepa_debit"]["last4"] = "3001"
    account_at_stripe._emit("payment_method.updated", method)

    deliver(account_at_stripe, "payment_method.updated")

    assert details(company)["debit"] == {**before, "last_four": "3001"}


def test_the_notice_of_a_replaced_card_changes_nothing(company: Company, account_at_stripe: Stripe) -> None:
    card(company, account_at_stripe, VISA)
    card(company, account_at_stripe, MASTERCARD)
    detach(*recorded("card.updated"))
    before = stored_items()

    deliver(account_at_stripe, "payment_method.detached", "payment_method.attached", "setup_intent.succeeded")

    assert stored_items() == before


def test_a_dispute_is_reported_to_staff_once(company: Company, account_at_stripe: Stripe) -> None:
    card(company, account_at_stripe)
    [customer] = account_at_stripe.objects["customer"]
    [method] = account_at_stripe.objects["payment_method"]
    payment = ask(
        account_at_stripe,
        "POST",
        "/v1/payment_intents",
        f"amount=301500&currency=dkk&customer={customer}&payment_method={method}&confirm=true&off_session=true"
        f"&metadata[account]={company.account}&metadata[invoice]=LV-2026-000042",
    )
    assert payment["status"] == "succeeded"
    account_at_stripe.dispute(payment["id"])

    for _ in range(2):
        deliver(account_at_stripe, "charge.dispute.created")

    [event] = recorded("payment.disputed")
    amount = {"amount": 301_500, "currency": "DKK"}
    assert event.after == {"invoice": "LV-2026-000042", "amount": amount, "reason": "fraudulent"}


def test_a_notice_without_a_valid_signature_has_no_effect(company: Company, account_at_stripe: Stripe) -> None:
    confirm(account_at_stripe, set_up(company).body)
    event = [*account_at_stripe.objects["event"]][-1]

    assert webhook(account_at_stripe, event, secret="whsec_other").status == 400
    assert webhook(account_at_stripe, event, age=301).status == 400
    for header in ("", "t=1", "v1=00", "t=x,v1=y", "t=1,v1=" + "0" * 64):
        forged = request("POST", "/webhooks/stripe", claims=None, body="not json", headers={"Stripe-Signature": header})
        given = answer(receive, forged)
        assert (given.status, given.headers["Content-Type"]) == (400, "application/problem+json")
    assert queued() == []


@pytest.mark.parametrize("body", ["not json", "[]", "{}", '{"type": "setup_intent.succeeded"}', "null"])
def test_a_signed_body_that_is_no_event_is_refused(body: str) -> None:
    header = signature(body.encode(), KEYS["webhook_secret"], int(time.time()))
    event = request("POST", "/webhooks/stripe", claims=None, body=body, headers={"Stripe-Signature": header})

    assert answer(receive, event).status == 400


def test_a_notice_of_another_type_is_acknowledged_and_ignored(company: Company, account_at_stripe: Stripe) -> None:
    setup = set_up(company).body
    confirm(account_at_stripe, setup)
    [event] = [each["id"] for each in account_at_stripe.objects["event"].values() if "attached" in each["type"]]

    assert webhook(account_at_stripe, event).status == 200
    assert queued() == []


def test_a_notice_of_an_unknown_account_is_ignored(company: Company, account_at_stripe: Stripe) -> None:
    other = ask(account_at_stripe, "POST", "/v1/customers", "metadata[account]=no-such-account")
    theirs = ask(
        account_at_stripe, "POST", "/v1/setup_intents", f"customer={other['id']}&metadata[account]=no-such-account"
    )
    confirm(account_at_stripe, {"setup_intent": theirs["id"], "client_secret": theirs["client_secret"]})
    [method] = account_at_stripe.objects["payment_method"]
    ask(account_at_stripe, "POST", f"/v1/payment_methods/{method}/detach")
    before = stored_items()

    deliver(account_at_stripe, "setup_intent.succeeded", "payment_method.detached")

    assert [each for each in stored_items() if each["sk"] != "MERCHANT"] == before


# ---- Cards that expire --------------------------------------------------------------------------------


def run_warnings(at: datetime) -> None:
    """Runs the schedule and the worker of card warnings at an instant; each message is delivered twice."""
    plan({"time": at.isoformat(), "clock": at.isoformat()}, Context())
    for body in queued("cards"):
        assert warn({"Records": [record(body), record(body)]}, Context()) == {"batchItemFailures": []}


def test_an_expiring_card_causes_a_warning_thirty_and_seven_days_before(
    company: Company, account_at_stripe: Stripe
) -> None:
    card(company, account_at_stripe, VISA, "08/2026")
    invoiced_elsewhere(company, month=9)

    for month, day in ((7, 31), (8, 1), (8, 2), (8, 23), (8, 24), (8, 25), (9, 1)):
        run_warnings(datetime(2026, month, day, 12, 15, tzinfo=UTC))

    events = recorded("card.expiring")
    assert [(event.time.date().isoformat(), (event.after or {})["days_left"]) for event in events] == [
        ("2026-08-01", 30),
        ("2026-08-24", 7),
    ]
    assert (events[0].after or {})["last_day"] == "2026-08-31"
    charge = (events[0].after or {})["next_charge"]
    assert charge["on"] == "2026-10-15"
    assert (charge["amount"]["amount"], charge["tax"]["amount"], charge["total"]["amount"]) == (29_062, 7_266, 36_328)
    assert (charge["credit"]["amount"], charge["due"]["amount"]) == (0, 36_328)


def test_a_replaced_card_causes_no_warning(company: Company, account_at_stripe: Stripe) -> None:
    card(company, account_at_stripe, VISA, "08/2026")
    card(company, account_at_stripe, MASTERCARD, "12/2030")

    run_warnings(datetime(2026, 8, 30, 12, tzinfo=UTC))

    assert recorded("card.expiring") == []


def test_only_the_last_of_several_missed_warnings_is_sent(company: Company, account_at_stripe: Stripe) -> None:
    card(company, account_at_stripe, VISA, "08/2026")

    run_warnings(datetime(2026, 8, 24, 12, tzinfo=UTC))
    run_warnings(datetime(2026, 8, 30, 12, tzinfo=UTC))

    assert [(event.after or {})["days_left"] for event in recorded("card.expiring")] == [7]


# ---- Logs --------------------------------------------------------------------------------


def test_no_log_holds_a_secret_or_a_card(company: Company, account_at_stripe: Stripe, logged: io.StringIO) -> None:
    secret = set_up(company).body["client_secret"]
    card(company, account_at_stripe)
    account_at_stripe.faults.append({"kind": "500"})
    replace(company, "seti_1")
    deliver(account_at_stripe, "setup_intent.succeeded")

    lines = logged.getvalue()
    assert "notice" in lines
    for confidential in (secret, *KEYS.values(), VISA, "4242", company.admin["email"]):
        assert confidential not in lines
