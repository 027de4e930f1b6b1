"""The stand-in for Stripe against the official SDK's types and Stripe's documentation (docs.stripe.com)."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import stripe
from stripe import StripeClient

from local.background import free_port
from local.settings import HOST
from local.stripe.answers import Refused
from local.stripe.api import KEYS_KEPT_SECONDS, SEARCHABLE_AFTER_SECONDS, Stripe
from local.stripe.process import KEYS
from local.stripe.server import StandIn, Webhook, serve
from tests.stripe import ADDRESS, InProcess, later, stripe_account

DECLINES = {
    "4000000000000002": ("card_declined", "generic_decline"),
    "4000000000009995": ("card_declined", "insufficient_funds"),
    "4000000000009987": ("card_declined", "lost_card"),
    "4000000000000069": ("expired_card", None),
    "4000000000000127": ("incorrect_cvc", None),
}


@pytest.fixture
def account() -> Stripe:
    return stripe_account(time.time())


@pytest.fixture
def client(account: Stripe) -> StripeClient:
    addresses: Any = {"api": ADDRESS}
    return StripeClient(
        KEYS["api_key"], base_addresses=addresses, http_client=InProcess(account), max_network_retries=0
    )


def card(client: StripeClient, number: str = "4242424242424242") -> stripe.PaymentMethod:
    parameters: Any = {"type": "card", "card": {"number": number, "exp_month": 12, "exp_year": 2034, "cvc": "123"}}
    return client.v1.payment_methods.create(parameters)


def customer_with(client: StripeClient, number: str = "4242424242424242") -> tuple[str, str]:
    customer = client.v1.customers.create({"metadata": {"account": "nordlys"}})
    setup = client.v1.setup_intents.create({"customer": customer.id})
    method = card(client, number)
    client.v1.setup_intents.confirm(setup.id, {"payment_method": method.id})
    return customer.id, method.id


def pay(client: StripeClient, customer: str, method: str, key: str = "k", amount: int = 1250) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(
        {
            "amount": amount,
            "currency": "eur",
            "customer": customer,
            "payment_method": method,
            "off_session": True,
            "confirm": True,
            "metadata": {"invoice": "1"},
        },
        {"idempotency_key": key},
    )


def test_the_sdk_reads_all_objects_and_a_search_finds_them_a_minute_later(
    client: StripeClient, account: Stripe
) -> None:
    customer, method = customer_with(client)

    found = client.v1.customers.retrieve(customer)
    assert isinstance(found, stripe.Customer)
    [attached] = client.v1.customers.payment_methods.list(customer).data
    assert isinstance(attached, stripe.PaymentMethod)
    assert attached.card is not None
    assert (attached.id, attached.card.brand, attached.card.last4, attached.customer) == (
        method,
        "visa",
        "4242",
        customer,
    )
    paid = pay(client, customer, method)
    assert (paid.status, paid.amount_received, type(paid)) == ("succeeded", 1250, stripe.PaymentIntent)
    charged = client.v1.payment_intents.retrieve(paid.id, {"expand": ["latest_charge"]}).latest_charge
    assert isinstance(charged, stripe.Charge)
    assert (charged.paid, charged.amount_captured) == (True, 1250)
    search = client.v1.payment_intents.search
    assert search({"query": "metadata['invoice']:'1'"}).data == []
    later(account, SEARCHABLE_AFTER_SECONDS)
    assert [each.id for each in search({"query": "metadata['invoice']:'1'"}).data] == [paid.id]


@pytest.mark.parametrize("number", sorted(DECLINES))
def test_a_card_is_declined_with_stripes_codes(number: str, client: StripeClient) -> None:
    setup = client.v1.setup_intents.create({})
    with pytest.raises(stripe.CardError) as failure:
        client.v1.setup_intents.confirm(setup.id, {"payment_method": card(client, number).id})

    code, decline_code = DECLINES[number]
    assert failure.value.http_status == 402
    assert failure.value.error is not None
    assert (failure.value.code, failure.value.error.decline_code) == (code, decline_code)
    declined = client.v1.setup_intents.retrieve(setup.id)
    assert declined.status == "requires_payment_method"
    assert declined.last_setup_error is not None
    assert declined.last_setup_error.code == code


def test_a_card_is_set_up_and_declined_at_its_charge(client: StripeClient) -> None:
    customer, method = customer_with(client, "4000000000000341")
    with pytest.raises(stripe.CardError) as failure:
        pay(client, customer, method)

    assert failure.value.error is not None
    assert failure.value.error.payment_intent is not None
    assert failure.value.error.payment_intent.status == "requires_payment_method"


def test_a_card_whose_bank_always_asks_is_declined_off_session(client: StripeClient, account: Stripe) -> None:
    customer = client.v1.customers.create({})
    setup = client.v1.setup_intents.create({"customer": customer.id})
    method = card(client, "4000002760003184")
    asked = client.v1.setup_intents.confirm(setup.id, {"payment_method": method.id})
    assert asked.status == "requires_action"
    assert client.v1.payment_methods.retrieve(method.id).customer is None
    account.authenticate_setup(setup.id, succeed=True)
    assert client.v1.payment_methods.retrieve(method.id).customer == customer.id

    with pytest.raises(stripe.CardError) as failure:
        pay(client, customer.id, method.id)
    assert failure.value.code == "authentication_required"


def test_an_idempotency_key_repeats_the_first_response_and_refuses_other_parameters(client: StripeClient) -> None:
    customer, method = customer_with(client)
    first = pay(client, customer, method)

    again = pay(client, customer, method)
    assert again.id == first.id
    assert again.last_response is not None
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError) as failure:
        pay(client, customer, method, amount=1251)
    assert failure.value.http_status == 400
    assert len(client.v1.payment_intents.list({"customer": customer}).data) == 1


def test_an_idempotency_key_repeats_a_failure_and_a_decline(client: StripeClient, account: Stripe) -> None:
    customer, method = customer_with(client, "4000000000000341")
    account.faults.append({"kind": "500", "path": "payment_intents"})

    for _ in range(2):
        with pytest.raises(stripe.APIError):
            pay(client, customer, method, "a")
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            pay(client, customer, method, "b")
    assert len(client.v1.payment_intents.list({"customer": customer}).data) == 1


def test_a_detached_payment_method_cannot_be_used_again(client: StripeClient) -> None:
    customer, method = customer_with(client)
    client.v1.payment_methods.detach(method)

    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_methods.detach(method)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_methods.attach(method, {"customer": customer})
    with pytest.raises(stripe.InvalidRequestError):
        pay(client, customer, method)
    assert client.v1.customers.payment_methods.list(customer).data == []


def test_a_refund_of_more_than_was_paid_is_refused(client: StripeClient) -> None:
    customer, method = customer_with(client)
    paid = pay(client, customer, method)
    refund = client.v1.refunds.create({"payment_intent": paid.id, "amount": 1000, "reason": "requested_by_customer"})
    assert (refund.status, refund.amount) == ("succeeded", 1000)

    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": paid.id, "amount": 251})
    client.v1.refunds.create({"payment_intent": paid.id})
    with pytest.raises(stripe.InvalidRequestError) as failure:
        client.v1.refunds.create({"payment_intent": paid.id})
    assert failure.value.code == "charge_already_refunded"


def test_a_debit_is_processing_until_its_bank_settles_it(client: StripeClient, account: Stripe) -> None:
    customer = client.v1.customers.create({})
    parameters: Any = {"type": "sepa_debit", "sepa_debit": {"iban": "DE89370400440532013000"}}
    method = client.v1.payment_methods.create(parameters)
    client.v1.payment_methods.attach(method.id, {"customer": customer.id})

    assert pay(client, customer.id, method.id).status == "processing"
    [payment] = account.objects["payment_intent"]
    account.settle(payment, succeed=True)
    assert client.v1.payment_intents.retrieve(payment).status == "succeeded"


def test_a_deleted_customer_is_not_listed_and_cannot_be_used(client: StripeClient) -> None:
    customer, _ = customer_with(client)
    assert client.v1.customers.delete(customer).deleted is True

    assert getattr(client.v1.customers.retrieve(customer), "deleted", False) is True
    assert client.v1.customers.list().data == []
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.setup_intents.create({"customer": customer})


def test_an_idempotency_key_expires_after_a_day(client: StripeClient, account: Stripe) -> None:
    customer, method = customer_with(client)
    first = pay(client, customer, method)

    later(account, KEYS_KEPT_SECONDS - 60)
    assert pay(client, customer, method).id == first.id
    later(account, 60)
    assert pay(client, customer, method).id != first.id


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("429", 429, "rate_limit"), ("lock_timeout", 429, "lock_timeout"), ("409", 409, "idempotency_key_in_use")],
)
def test_a_refusal_before_the_execution_is_not_repeated(
    kind: str, status: int, code: str, client: StripeClient, account: Stripe
) -> None:
    customer, method = customer_with(client)
    account.faults.append({"kind": kind, "path": "payment_intents"})
    with pytest.raises(stripe.StripeError) as failure:
        pay(client, customer, method)

    assert failure.value.error is not None
    assert (failure.value.http_status, failure.value.error.code) == (status, code)
    assert pay(client, customer, method).status == "succeeded"


def test_a_server_error_of_stripe_is_repeated_for_a_day(client: StripeClient, account: Stripe) -> None:
    customer, method = customer_with(client)
    account.faults.append({"kind": "500_after", "path": "payment_intents"})

    for seconds in (0, KEYS_KEPT_SECONDS - 60):
        later(account, seconds)
        with pytest.raises(stripe.APIError):
            pay(client, customer, method)
    # It was paid all the same: a list shows it.
    assert [each.status for each in client.v1.payment_intents.list({"customer": customer}).data] == ["succeeded"]


def test_a_disputed_payment_can_be_refunded_only_after_the_dispute_is_won(
    client: StripeClient, account: Stripe
) -> None:
    customer, method = customer_with(client)
    paid = pay(client, customer, method)
    opened = account.dispute(paid.id, 450, "product_not_received")
    assert (opened["amount"], opened["status"]) == (450, "needs_response")

    with pytest.raises(stripe.InvalidRequestError) as failure:
        client.v1.refunds.create({"payment_intent": paid.id})
    assert failure.value.code == "charge_disputed"
    account.close_dispute(opened["id"], won=True)
    assert client.v1.disputes.retrieve(opened["id"]).status == "won"
    assert client.v1.refunds.create({"payment_intent": paid.id}).status == "succeeded"
    types = [each["type"] for each in account.objects["event"].values() if "dispute" in each["type"]]
    assert types == [f"charge.dispute.{each}" for each in ("created", "funds_withdrawn", "funds_reinstated", "closed")]


def test_a_payment_with_a_lost_dispute_cannot_be_refunded(client: StripeClient, account: Stripe) -> None:
    customer, method = customer_with(client, "4000000000000259")
    paid = pay(client, customer, method)
    [dispute] = client.v1.disputes.list({"payment_intent": paid.id}).data

    account.close_dispute(dispute.id, won=False)

    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": paid.id})
    with pytest.raises(Refused):
        account.close_dispute(dispute.id, won=True)


@pytest.mark.parametrize(("number", "first"), [("4000000000007726", "pending"), ("4000000000005126", "succeeded")])
def test_a_refund_can_fail_days_later(number: str, first: str, client: StripeClient, account: Stripe) -> None:
    customer, method = customer_with(client, number)
    paid = pay(client, customer, method)
    refund = client.v1.refunds.create({"payment_intent": paid.id})
    assert refund.status == first

    account.settle_refund(refund.id, succeed=False)

    assert client.v1.refunds.retrieve(refund.id).status == "failed"
    assert [each["type"] for each in account.objects["event"].values()][-1] == "refund.failed"
    assert client.v1.refunds.create({"payment_intent": paid.id}).amount == 1250


def test_a_pending_refund_succeeds(client: StripeClient, account: Stripe) -> None:
    customer, method = customer_with(client, "4000000000007726")
    refund = client.v1.refunds.create({"payment_intent": pay(client, customer, method).id})

    assert account.settle_refund(refund.id, succeed=True)["status"] == "succeeded"


def test_only_the_bank_cancels_a_debit_in_transit(client: StripeClient, account: Stripe) -> None:
    customer = client.v1.customers.create({})
    parameters: Any = {"type": "sepa_debit", "sepa_debit": {"iban": "DE89370400440532013000"}}
    method = client.v1.payment_methods.create(parameters)
    client.v1.payment_methods.attach(method.id, {"customer": customer.id})
    paid = pay(client, customer.id, method.id)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.cancel(paid.id)

    account.cancel_processing(paid.id)

    assert client.v1.payment_intents.retrieve(paid.id).status == "canceled"


def test_a_decline_may_have_no_code(client: StripeClient, account: Stripe) -> None:
    customer, method = customer_with(client, "4000000000000341")
    account.faults.append({"kind": "no_code", "path": "payment_intents"})

    with pytest.raises(stripe.CardError) as failure:
        pay(client, customer, method)

    assert failure.value.code is None
    [payment] = client.v1.payment_intents.list({"customer": customer}).data
    assert payment.last_payment_error is not None
    assert not hasattr(payment.last_payment_error, "code")


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("GET", "/v1/customers/cus_none", KEYS["api_key"], 404),
        ("GET", "/v1/nothing", KEYS["api_key"], 404),
        ("GET", "/v1/customers", "sk_other", 401),
        ("GET", "/v1/customers", KEYS["publishable_key"], 401),
        ("POST", "/v1/payment_intents", KEYS["api_key"], 400),
    ],
)
def test_errors_have_stripes_form(method: str, path: str, key: str, status: int, account: Stripe) -> None:
    answer = account.handle(method, path, {"authorization": f"Bearer {key}"})

    assert answer.status == status
    assert {"type", "message"} <= answer.body["error"].keys()


def wait_for_port(port: int) -> None:
    """Returns when a server listens on the port. Raises OSError if none does after 20 seconds."""
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


@pytest.fixture
def running(account: Stripe, tmp_path: Path) -> Iterator[tuple[StripeClient, list[stripe.Event], int]]:
    """The stand-in as a server, with a receiver of its webhooks that fails at the first."""
    received: list[stripe.Event] = []
    attempts: list[bool] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = 200 if attempts else 500
            attempts.append(True)
            if status == 200:
                received.append(
                    stripe.Webhook.construct_event(body, self.headers["Stripe-Signature"], KEYS["webhook_secret"])
                )
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    receiver = HTTPServer((HOST, 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    port, ended = free_port(), threading.Event()
    webhook = Webhook(f"http://{HOST}:{receiver.server_port}/", KEYS["webhook_secret"])
    stand_in = StandIn(account, webhook, tmp_path / "account.json")
    serving = threading.Thread(target=serve, args=(stand_in, port, ended.wait), daemon=True)
    serving.start()
    wait_for_port(port)
    addresses: Any = {"api": f"http://{HOST}:{port}"}
    client = StripeClient(KEYS["api_key"], base_addresses=addresses, max_network_retries=0)
    yield client, received, port
    ended.set()
    serving.join()
    receiver.shutdown()
    receiver.server_close()


def test_the_server_saves_its_account_and_delivers_its_events(
    running: tuple[StripeClient, list[stripe.Event], int], tmp_path: Path
) -> None:
    client, received, _ = running
    customer, method = customer_with(client)
    deadline = time.monotonic() + 20
    while len(received) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)

    assert [event.type for event in received] == ["payment_method.attached", "setup_intent.succeeded"]
    saved = json.loads((tmp_path / "account.json").read_text())
    assert saved["objects"]["payment_method"][method]["customer"] == customer
    restored = stripe_account(time.time())
    StandIn(restored, Webhook("http://127.0.0.1:1", "x"), tmp_path / "account.json")
    assert restored.objects == saved["objects"]
