"""The stand-in for Stripe against the official SDK's types and Stripe's documentation (docs.stripe.com)."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import stripe
from stripe import StripeClient

from local.background import free_port
from local.settings import HOST
from local.stripe.answers import Refused
from local.stripe.api import KEYS_KEPT_SECONDS, SEARCHABLE_AFTER_SECONDS, Stripe
from local.stripe.elements import file_at
from local.stripe.process import KEYS
from local.stripe.server import StandIn, Webhook, serve
from tests.stripe import ADDRESS, InProcess, later, stripe_account

PAGE = "http://127.0.0.1:8180"

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
    stand_in = StandIn(account, webhook, tmp_path / "account.json", PAGE)
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


# ---- The customer's browser ----------------------------------------------------------------------


def browser(account: Stripe, method: str, path: str, **given: str) -> Any:
    """The answer to a request with the publishable key, as (status, body)."""
    form = urlencode(given)
    url, body = (f"{path}?{form}", "") if method == "GET" else (path, form)
    answer = account.handle(method, url, {"authorization": f"Bearer {KEYS['publishable_key']}"}, body)
    return answer.status, answer.body


def setup_of(client: StripeClient, kind: str = "card") -> stripe.SetupIntent:
    customer = client.v1.customers.create({})
    parameters: Any = {"customer": customer.id, "allowed_payment_method_types": [kind]}
    return client.v1.setup_intents.create(parameters)


def card_data(number: str, month: str = "12") -> dict[str, str]:
    place = "payment_method_data"
    card = {"number": number, "exp_month": month, "exp_year": "2034", "cvc": "123"}
    return {f"{place}[type]": "card", **{f"{place}[card][{name}]": value for name, value in card.items()}}


def debit_data(iban: str = "DE89370400440532013000", **details: str) -> dict[str, str]:
    place = "payment_method_data"
    named = {"name": "Ada Holm", "email": "ada@example.com", **details}
    return {
        f"{place}[type]": "sepa_debit",
        f"{place}[sepa_debit][iban]": iban,
        **{f"{place}[billing_details][{name}]": value for name, value in named.items() if value},
    }


def test_a_browser_reads_and_confirms_only_what_it_has_the_secret_of(client: StripeClient, account: Stripe) -> None:
    setup, other = setup_of(client), setup_of(client)
    path, secret = f"/v1/setup_intents/{setup.id}", str(setup.client_secret)

    assert browser(account, "GET", path)[1]["error"]["param"] == "client_secret"
    for method, at in (("GET", path), ("POST", f"{path}/confirm"), ("POST", f"/challenge/setup_intents/{setup.id}")):
        status, body = browser(account, method, at, client_secret=str(other.client_secret))
        assert (status, body["error"]["code"]) == (400, "resource_missing"), at
    assert browser(account, "GET", path, client_secret=secret)[1]["status"] == "requires_payment_method"
    for method, at in (("POST", "/v1/setup_intents"), ("POST", path), ("POST", f"{path}/cancel")):
        assert browser(account, method, at, client_secret=secret)[0] == 401, at

    status, body = browser(account, "POST", f"{path}/confirm", client_secret=secret, **card_data("4242424242424242"))
    assert (status, body["status"], body["customer"]) == (200, "succeeded", setup.customer)
    status, body = browser(account, "POST", f"{path}/confirm", client_secret=secret, **card_data("4242424242424242"))
    assert (status, body["error"]["code"]) == (400, "setup_intent_unexpected_state")


@pytest.mark.parametrize(
    ("kind", "data", "status", "error"),
    [
        ("card", card_data("4000000000000002"), 402, {"code": "card_declined", "decline_code": "generic_decline"}),
        ("card", card_data("4242424242424241"), 402, {"code": "incorrect_number"}),
        ("card", card_data("4242424242424242", "13"), 402, {"code": "invalid_expiry_month"}),
        ("card", card_data("4242424242424242", "May"), 400, {"code": "parameter_invalid_integer"}),
        ("card", {"payment_method_data[type]": "card"}, 400, {"param": "payment_method_data[card]"}),
        ("card", {"payment_method_data": "card"}, 400, {"param": "payment_method_data"}),
        ("card", debit_data(), 400, {"code": "setup_intent_invalid_parameter"}),
        (
            "card",
            {**card_data("4242424242424242"), "payment_method_data[card][pin]": "1"},
            400,
            {"code": "parameter_unknown"},
        ),
        ("sepa_debit", debit_data("DE88370400440532013000"), 400, {"code": "invalid_bank_account_iban"}),
        ("sepa_debit", debit_data(email=""), 400, {"param": "payment_method_data[billing_details][email]"}),
        ("sepa_debit", debit_data(name=""), 400, {"param": "payment_method_data[billing_details][name]"}),
    ],
)
def test_what_a_browser_sends_is_refused_with_stripes_codes(
    kind: str, data: dict[str, str], status: int, error: dict[str, str], client: StripeClient, account: Stripe
) -> None:
    setup = setup_of(client, kind)
    path, secret = f"/v1/setup_intents/{setup.id}", str(setup.client_secret)
    answered, body = browser(account, "POST", f"{path}/confirm", client_secret=secret, **data)
    assert answered == status
    assert {name: body["error"].get(name) for name in error} == error
    assert client.v1.setup_intents.retrieve(setup.id).status == "requires_payment_method"


def test_the_bank_asks_in_the_frame_until_its_customer_agrees(client: StripeClient, account: Stripe) -> None:
    setup = setup_of(client)
    path, secret = f"/v1/setup_intents/{setup.id}/confirm", str(setup.client_secret)
    challenge = f"/challenge/setup_intents/{setup.id}"
    for outcome, after in (("fail", "requires_payment_method"), ("complete", "succeeded")):
        _, asked = browser(account, "POST", path, client_secret=secret, **card_data("4000002500003155"))
        assert asked["status"] == "requires_action"
        assert browser(account, "POST", challenge, client_secret=secret, outcome="maybe")[0] == 400
        status, body = browser(account, "POST", challenge, client_secret=secret, outcome=outcome)
        assert (status, body["status"]) == (200, after)
        if outcome == "fail":
            assert body["last_setup_error"]["code"] == "setup_intent_authentication_failure"
    assert browser(account, "POST", challenge, client_secret=secret, outcome="complete")[0] == 400


def test_a_declined_payment_that_wants_consent_is_confirmed_again_in_the_browser(
    client: StripeClient, account: Stripe
) -> None:
    # docs.stripe.com/payments/save-and-reuse: the payment is back at requires_payment_method, and last_payment_error
    # has the card to confirm it with.
    customer, method = customer_with_consent(client, account)
    parameters: Any = {
        "amount": 500,
        "currency": "eur",
        "customer": customer,
        "payment_method": method,
        "confirm": True,
        "off_session": True,
    }
    with pytest.raises(stripe.CardError):
        client.v1.payment_intents.create(parameters)
    [payment] = account.objects["payment_intent"].values()
    path, secret = f"/v1/payment_intents/{payment['id']}", payment["client_secret"]
    _, read = browser(account, "GET", path, client_secret=secret)
    card = read["last_payment_error"]["payment_method"]["id"]
    assert (read["status"], card) == ("requires_payment_method", method)

    _, asked = browser(account, "POST", f"{path}/confirm", client_secret=secret, payment_method=card)
    assert asked["status"] == "requires_action"
    _, paid = browser(account, "POST", f"/challenge{path[3:]}", client_secret=secret, outcome="complete")
    assert paid["status"] == "succeeded"


def customer_with_consent(client: StripeClient, account: Stripe) -> tuple[str, str]:
    setup = setup_of(client)
    secret = str(setup.client_secret)
    browser(
        account, "POST", f"/v1/setup_intents/{setup.id}/confirm", client_secret=secret, **card_data("4000002760003184")
    )
    _, done = browser(account, "POST", f"/challenge/setup_intents/{setup.id}", client_secret=secret, outcome="complete")
    return done["customer"], done["payment_method"]


def test_the_server_has_the_script_and_a_frame_for_one_page_only(
    running: tuple[StripeClient, list[stripe.Event], int],
) -> None:
    _, _, port = running
    fetched = {}
    for path in ("/v3/", "/endive/stripe.js", "/frame", "/frame.js", "/frame.css"):
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=5) as response:
            fetched[path] = response.read().decode()
            headers = response.headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        policy = headers["Content-Security-Policy"].split("; ")
        assert f"frame-ancestors {PAGE}" in policy
        assert "unsafe" not in headers["Content-Security-Policy"]
    assert fetched["/v3/"] == fetched["/endive/stripe.js"]
    assert f'<meta name="page-origin" content="{PAGE}">' in fetched["/frame"]
    assert "style=" not in fetched["/frame"]
    assert "<script>" not in fetched["/frame"]
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"http://{HOST}:{port}/frame.html", timeout=5)


def test_no_page_shows_the_frame_of_a_stand_in_without_a_page() -> None:
    file = file_at("/frame", StandIn(stripe_account(0), Webhook("http://127.0.0.1:1", "x"), None).page)
    assert file is not None
    assert file.headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")
