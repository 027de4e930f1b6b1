"""A new card takes the place of the old one; what Stripe tells is brought in line; cards that expire are told."""

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
from local.stripe.api import Stripe
from local.stripe.process import KEYS
from local.stripe.webhooks import signature
from tests.api_gateway import STAFF, Answer, answer, person, request
from tests.aws import REGION, stored_items
from tests.company import Company, provisioned
from tests.samples import ACCOUNT, with_value
from tests.stripe import ask, attached, confirm

METHOD = "/accounts/{account}/payment-method"
VISA, MASTERCARD, AMEX = "4242424242424242", "5555555555554444", "378282246310005"


class Context(LambdaContext):
    def __init__(self) -> None:
        self._aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


@pytest.fixture(autouse=True)
def account_at_stripe(company: Company, stripe_account: Stripe, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stripe]:
    """Stripe, and the queues of what it tells and of due work."""
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
    """What the functions log from here on."""
    lines = io.StringIO()
    handlers = [each.handlers[0] for each in (resolver.logger, workers.logger, receive_payment_notice.logger)]
    before = [(handler, handler.setStream(lines)) for handler in handlers if isinstance(handler, StreamHandler)]
    yield lines
    for handler, stream in before:
        handler.setStream(stream)


# ---- What people do ---------------------------------------------------------------------------------


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
    """A card is set up and takes the place of what there was; its SetupIntent."""
    setup = set_up(company).body
    assert confirm(account, setup, number, expiry)["status"] == "succeeded"
    given = replace(company, setup["setup_intent"])
    assert given.status == 200, given
    found: str = setup["setup_intent"]
    return found


def details(company: Company) -> Any:
    page = answer(get_billing, request("GET", METHOD, claims=company.member, path=company.path))
    assert page.status == 200
    return page.body


# ---- What happens behind ----------------------------------------------------------------------------


def told(*kinds: str) -> list[Event]:
    """What the account was told, oldest first; each fits the schema of its kind."""
    happened = [event_from(item["body"]) for item in stored_items() if item["sk"].startswith("EVENT#")]
    for event in happened:
        published(event)
    return [event for event in happened if event.type in kinds]


def record(body: Any) -> dict[str, Any]:
    return {
        "messageId": "19dd0b57-b21e-4ac1-bd88-01bbb068cb78",
        "receiptHandle": "handle",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }


def detach(*events: Event) -> None:
    """The workers deal with the changes, as the bus hands them over."""
    for event in events:
        detail = published(event).model_dump(mode="json")
        given = detach_replaced({"Records": [record({"detail-type": event.type, "detail": detail})]}, Context())
        assert given == {"batchItemFailures": []}


def webhook(account: Stripe, event: str, *, secret: str = KEYS["webhook_secret"], age: int = 0) -> Answer:
    payload = json.dumps(account.objects["event"][event])
    header = signature(payload.encode(), secret, int(time.time()) - age)
    return answer(
        receive,
        request("POST", "/webhooks/stripe", claims=None, body=payload, headers={"Stripe-Signature": header}),
    )


def waiting(queue: str = "notices") -> list[str]:
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    bodies = []
    while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [each["Body"] for each in found]
        for each in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    return bodies


def deliver(account: Stripe, *kinds: str) -> None:
    """Stripe tells all that has happened, and the worker deals with it."""
    for event in [*account.objects["event"]]:
        if account.objects["event"][event]["type"] in kinds:
            assert webhook(account, event).status == 200
    for body in waiting():
        assert note({"Records": [record(body)]}, Context()) == {"batchItemFailures": []}


# ---- A card ------------------------------------------------------------------------------------------


def test_the_first_card(company: Company, account_at_stripe: Stripe) -> None:
    setup = set_up(company)

    assert setup.status == 201
    assert setup.body["publishable_key"] == KEYS["publishable_key"]
    assert details(company)["method"] is None
    confirm(account_at_stripe, setup.body)
    given = replace(company, setup.body["setup_intent"])

    visa = {"brand": "visa", "last_four": "4242", "expiry_month": 12, "expiry_year": 2034}
    assert (given.status, given.body) == (200, {"method": "card", "card": visa, "debit": None})
    assert (details(company)["method"], details(company)["card"]) == ("card", visa)
    [event] = told("card.updated")
    assert (event.before, event.after) == (None, {**visa, "detach": []})
    assert event.actor.user == company.admin["sub"]
    [customer] = account_at_stripe.objects["customer"].values()
    assert customer["invoice_settings"]["default_payment_method"] == next(iter(account_at_stripe.numbers))
    # Nothing of the company but our own name for it goes there.
    assert (customer["metadata"], customer["email"], customer["name"]) == ({"account": company.account}, None, None)


def test_a_new_card_replaces_the_old_one_of_which_nothing_stays(company: Company, account_at_stripe: Stripe) -> None:
    card(company, account_at_stripe, VISA)
    card(company, account_at_stripe, MASTERCARD)
    assert attached(account_at_stripe) == ["4242", "4444"]

    detach(*told("card.updated"))

    assert attached(account_at_stripe) == ["4444"]
    assert details(company)["card"]["last_four"] == "4444"
    stored = [item["body"] for item in stored_items() if item["sk"].startswith("PAGE#")]
    assert not any("4242" in body for body in stored)
    detach(*told("card.updated"))  # the same again, in any order
    assert attached(account_at_stripe) == ["4444"]


def test_the_same_request_again_is_answered_the_same_and_told_once(company: Company, account_at_stripe: Stripe) -> None:
    setup_intent = card(company, account_at_stripe)
    before = stored_items()

    again = replace(company, setup_intent)

    assert (again.status, again.body["card"]["last_four"]) == (200, "4242")
    assert stored_items() == before


def test_a_request_repeated_late_does_not_bring_the_old_card_back(company: Company, account_at_stripe: Stripe) -> None:
    first = card(company, account_at_stripe, VISA)
    card(company, account_at_stripe, MASTERCARD)

    late = replace(company, first)

    assert (late.status, late.body["type"]) == (409, "urn:livello:problem:setup-superseded")
    assert details(company)["card"]["last_four"] == "4444"


def test_the_older_of_two_set_ups_never_wins(company: Company, account_at_stripe: Stripe) -> None:
    """Two tabs: the one that was opened first is finished last."""
    older, newer = set_up(company).body, set_up(company).body
    confirm(account_at_stripe, newer, MASTERCARD)
    assert replace(company, newer["setup_intent"]).status == 200
    confirm(account_at_stripe, older, VISA)

    assert replace(company, older["setup_intent"]).status == 409
    deliver(account_at_stripe, "setup_intent.succeeded")

    assert attached(account_at_stripe) == ["4444"]
    assert details(company)["card"]["last_four"] == "4444"


def test_a_setup_is_repeated_by_the_clients_own_key(company: Company) -> None:
    first, again = set_up(company, key="tab-1"), set_up(company, key="tab-1")

    assert first.body == again.body
    assert set_up(company, key="tab-2").body != first.body
    other = set_up(company, {"method": "sepa_debit"}, key="tab-1")
    assert (other.status, other.body["errors"][0]["pointer"]) == (422, "#/method")


def test_a_debit(company: Company, account_at_stripe: Stripe) -> None:
    card(company, account_at_stripe)
    setup = set_up(company, {"method": "sepa_debit"}).body
    iban = "payment_method_data[type]=sepa_debit&payment_method_data[sepa_debit][iban]=DE89370400440532013000"
    ask(account_at_stripe, "POST", f"/v1/setup_intents/{setup['setup_intent']}/confirm", iban)

    assert replace(company, setup["setup_intent"]).status == 200

    shown = details(company)
    assert (shown["method"], shown["card"]) == ("sepa_debit", None)
    assert shown["debit"] == {"country": "DE", "last_four": "3000"}
    detach(*told("card.updated", "payment_method.changed"))
    assert [each["type"] for each in account_at_stripe.objects["payment_method"].values() if each["customer"]] == [
        "sepa_debit"
    ]


def test_a_debit_is_in_euros_only(catalogue: Any, account_at_stripe: Stripe) -> None:
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


def test_a_customer_that_was_deleted_at_stripe_is_made_anew(company: Company, account_at_stripe: Stripe) -> None:
    card(company, account_at_stripe)
    [customer] = account_at_stripe.objects["customer"]
    ask(account_at_stripe, "DELETE", f"/v1/customers/{customer}")

    first, again = set_up(company, key="tab-1"), set_up(company, key="tab-1")
    assert (first.status, again.body) == (201, first.body)
    confirm(account_at_stripe, first.body, MASTERCARD)
    assert replace(company, first.body["setup_intent"]).status == 200

    assert attached(account_at_stripe) == ["4444"]
    detach(*told("card.updated"))
    assert attached(account_at_stripe) == ["4444"]
    assert [bool(each.get("deleted")) for each in account_at_stripe.objects["customer"].values()] == [True, False]


def test_a_customer_that_stripe_does_not_know_is_not_made_anew(company: Company, account_at_stripe: Stripe) -> None:
    """The key is that of another account, or of the other mode: what stands here is right."""
    card(company, account_at_stripe)
    account_at_stripe.objects["customer"].clear()
    before = stored_items()

    assert set_up(company).status == 502

    assert (account_at_stripe.objects["customer"], stored_items()) == ({}, before)


def test_staff_agree_on_bank_transfers(company: Company, account_at_stripe: Stripe) -> None:
    setup_intent = card(company, account_at_stripe)
    event = request("PUT", METHOD + "/bank-transfer", claims=STAFF, path=company.path, now=datetime.now(UTC))

    assert answer(update, event).body == {"method": "bank_transfer", "card": None, "debit": None}
    assert answer(update, event).status == 200

    [changed] = told("payment_method.changed")
    assert changed.actor.kind == "staff"
    detach(changed)
    assert attached(account_at_stripe) == []
    # The card does not come back by itself.
    assert replace(company, setup_intent).status == 409


# ---- Bad input ----------------------------------------------------------------------------------------


def refused(given: Answer) -> str:
    assert (given.status, given.body["errors"][0]["pointer"]) == (422, "#/setup_intent"), given
    detail: str = given.body["errors"][0]["detail"]
    return detail


def test_another_customers_setup_is_not_told_apart_from_none(company: Company, account_at_stripe: Stripe) -> None:
    card(company, account_at_stripe)
    other = ask(account_at_stripe, "POST", "/v1/customers", "metadata[account]=other")
    theirs = ask(account_at_stripe, "POST", "/v1/setup_intents", f"customer={other['id']}")
    confirm(account_at_stripe, {"setup_intent": theirs["id"], "client_secret": theirs["client_secret"]}, AMEX)
    nobodys = ask(account_at_stripe, "POST", "/v1/setup_intents")
    before = stored_items()

    for setup_intent in (theirs["id"], nobodys["id"], "seti_none"):
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
def test_a_setup_that_has_not_succeeded(number: str, words: str, company: Company, account_at_stripe: Stripe) -> None:
    setup = set_up(company).body
    assert "not confirmed" in refused(replace(company, setup["setup_intent"]))

    confirm(account_at_stripe, setup, number)

    assert words in refused(replace(company, setup["setup_intent"]))
    assert details(company)["method"] is None


def test_the_banks_question_is_answered_and_then_it_is_taken(company: Company, account_at_stripe: Stripe) -> None:
    setup = set_up(company).body
    confirm(account_at_stripe, setup, "4000002500003155")
    account_at_stripe.authenticate_setup(setup["setup_intent"], succeed=True)

    assert replace(company, setup["setup_intent"]).status == 200


def test_a_card_that_has_expired(company: Company, account_at_stripe: Stripe) -> None:
    setup = set_up(company).body
    confirm(account_at_stripe, setup, VISA, "12/2034")
    [method] = account_at_stripe.objects["payment_method"].values()
    method["card"] |= {"exp_month": 5, "exp_year": 2026}  # while it lay about

    assert refused(replace(company, setup["setup_intent"])) == "This card has expired."


def test_a_method_that_was_given_up_cannot_be_used(company: Company, account_at_stripe: Stripe) -> None:
    setup = set_up(company).body
    confirm(account_at_stripe, setup)
    [method] = account_at_stripe.objects["payment_method"]
    ask(account_at_stripe, "POST", f"/v1/payment_methods/{method}/detach")

    assert "cannot be used" in refused(replace(company, setup["setup_intent"]))


@pytest.mark.parametrize("setup_intent", ["", "pm_1", "seti_1/../x", "seti_" + "a" * 200, 7, None])
def test_what_is_no_setup_intent(setup_intent: Any, company: Company) -> None:
    assert replace(company, setup_intent).status == 422


@pytest.mark.parametrize("fault", ["500", "500_after", "429", "timeout"])
def test_stripe_in_trouble_is_told_and_a_repetition_succeeds(
    fault: str, company: Company, account_at_stripe: Stripe
) -> None:
    setup = set_up(company).body
    confirm(account_at_stripe, setup)
    for path in ("setup_intents/seti", "/attach", "/customers/cus"):
        account_at_stripe.faults.append({"kind": fault, "path": path})
        given = replace(company, setup["setup_intent"])
        assert given.status == 502, given
        assert details(company)["method"] is None
        # Each request has an id of its own: an answer of Stripe's own failure is not repeated to it.
        account_at_stripe.keys.clear()

    assert replace(company, setup["setup_intent"]).status == 200
    assert attached(account_at_stripe) == ["4242"]


# ---- What Stripe tells --------------------------------------------------------------------------------


def test_an_update_whose_browser_vanished_is_finished(company: Company, account_at_stripe: Stripe) -> None:
    confirm(account_at_stripe, set_up(company).body)

    deliver(account_at_stripe, "setup_intent.succeeded")
    deliver(account_at_stripe, "setup_intent.succeeded")

    assert details(company)["card"]["last_four"] == "4242"
    [event] = told("card.updated")
    assert (event.actor.kind, event.actor.user) == ("customer", company.admin["sub"])


def test_a_new_expiry_that_the_bank_tells(company: Company, account_at_stripe: Stripe) -> None:
    card(company, account_at_stripe)
    [method] = account_at_stripe.objects["payment_method"]
    account_at_stripe.automatically_update(method, {"exp_year": 2038, "last4": "1881"})

    for _ in range(2):
        deliver(account_at_stripe, "payment_method.automatically_updated")

    assert (details(company)["card"]["expiry_year"], details(company)["card"]["last_four"]) == (2038, "1881")
    [event] = told("payment_method.changed")
    assert (event.after or {})["detach"] == []


def test_a_card_that_was_taken_away_at_stripe(company: Company, account_at_stripe: Stripe) -> None:
    card(company, account_at_stripe)
    [method] = account_at_stripe.objects["payment_method"]
    ask(account_at_stripe, "POST", f"/v1/payment_methods/{method}/detach")

    deliver(account_at_stripe, "payment_method.detached")

    assert details(company)["method"] is None
    [event] = told("payment_method.changed")
    assert (event.after or {})["method"] is None


def test_the_old_card_is_given_up_and_stripe_tells_so(company: Company, account_at_stripe: Stripe) -> None:
    card(company, account_at_stripe, VISA)
    card(company, account_at_stripe, MASTERCARD)
    detach(*told("card.updated"))
    before = stored_items()

    deliver(account_at_stripe, "payment_method.detached", "payment_method.attached", "setup_intent.succeeded")

    assert stored_items() == before


def test_a_dispute_is_told_to_staff_once(company: Company, account_at_stripe: Stripe) -> None:
    card(company, account_at_stripe)
    [customer] = account_at_stripe.objects["customer"]
    [method] = account_at_stripe.objects["payment_method"]
    made = ask(
        account_at_stripe,
        "POST",
        "/v1/payment_intents",
        f"amount=301500&currency=dkk&customer={customer}&payment_method={method}&confirm=true&off_session=true"
        f"&metadata[account]={company.account}&metadata[invoice]=LV-2026-000042",
    )
    assert made["status"] == "succeeded"
    account_at_stripe.dispute(made["id"])

    for _ in range(2):
        deliver(account_at_stripe, "charge.dispute.created")

    [event] = told("payment.disputed")
    amount = {"amount": 301_500, "currency": "DKK"}
    assert event.after == {"invoice": "LV-2026-000042", "amount": amount, "reason": "fraudulent"}


def test_what_is_not_signed_by_stripe_has_no_effect(company: Company, account_at_stripe: Stripe) -> None:
    confirm(account_at_stripe, set_up(company).body)
    event = [*account_at_stripe.objects["event"]][-1]

    assert webhook(account_at_stripe, event, secret="whsec_other").status == 400
    assert webhook(account_at_stripe, event, age=301).status == 400
    for header in ("", "t=1", "v1=00", "t=x,v1=y", "t=1,v1=" + "0" * 64):
        forged = request("POST", "/webhooks/stripe", claims=None, body="not json", headers={"Stripe-Signature": header})
        given = answer(receive, forged)
        assert (given.status, given.headers["Content-Type"]) == (400, "application/problem+json")
    assert waiting() == []


@pytest.mark.parametrize("body", ["not json", "[]", "{}", '{"type": "setup_intent.succeeded"}', "null"])
def test_what_is_signed_and_no_event(body: str) -> None:
    header = signature(body.encode(), KEYS["webhook_secret"], int(time.time()))
    event = request("POST", "/webhooks/stripe", claims=None, body=body, headers={"Stripe-Signature": header})

    assert answer(receive, event).status == 400


def test_types_that_nobody_deals_with_are_acknowledged(company: Company, account_at_stripe: Stripe) -> None:
    ask(account_at_stripe, "POST", "/v1/customers")
    [customer] = account_at_stripe.objects["customer"]
    ask(account_at_stripe, "DELETE", f"/v1/customers/{customer}")
    [event] = account_at_stripe.objects["event"]

    assert webhook(account_at_stripe, event).status == 200
    assert waiting() == []


def test_what_is_told_of_accounts_that_are_not_ours_is_let_be(company: Company, account_at_stripe: Stripe) -> None:
    other = ask(account_at_stripe, "POST", "/v1/customers", "metadata[account]=no-such-account")
    theirs = ask(
        account_at_stripe, "POST", "/v1/setup_intents", f"customer={other['id']}&metadata[account]=no-such-account"
    )
    confirm(account_at_stripe, {"setup_intent": theirs["id"], "client_secret": theirs["client_secret"]})
    [method] = account_at_stripe.objects["payment_method"]
    ask(account_at_stripe, "POST", f"/v1/payment_methods/{method}/detach")
    before = stored_items()

    deliver(account_at_stripe, "setup_intent.succeeded", "payment_method.detached")

    assert stored_items() == before


# ---- Cards that expire --------------------------------------------------------------------------------


def warned(at: datetime) -> None:
    plan({"time": at.isoformat()}, Context())
    for body in waiting("cards"):
        assert warn({"Records": [record(body), record(body)]}, Context()) == {"batchItemFailures": []}


def test_a_card_that_expires_is_told_thirty_and_seven_days_before(company: Company, account_at_stripe: Stripe) -> None:
    card(company, account_at_stripe, VISA, "08/2026")

    for month, day in ((7, 31), (8, 1), (8, 2), (8, 23), (8, 24), (8, 25), (9, 1)):
        warned(datetime(2026, month, day, 12, 15, tzinfo=UTC))

    events = told("card.expiring")
    assert [(event.time.date().isoformat(), (event.after or {})["days_left"]) for event in events] == [
        ("2026-08-01", 30),
        ("2026-08-24", 7),
    ]
    assert (events[0].after or {})["last_day"] == "2026-08-31"
    assert (events[0].after or {})["next_charge"]["on"] == "2026-10-15"


def test_a_card_that_was_replaced_is_not_warned_of(company: Company, account_at_stripe: Stripe) -> None:
    card(company, account_at_stripe, VISA, "08/2026")
    card(company, account_at_stripe, MASTERCARD, "12/2030")

    warned(datetime(2026, 8, 30, 12, tzinfo=UTC))

    assert told("card.expiring") == []


def test_of_the_warnings_that_were_missed_the_last_is_given(company: Company, account_at_stripe: Stripe) -> None:
    card(company, account_at_stripe, VISA, "08/2026")

    warned(datetime(2026, 8, 24, 12, tzinfo=UTC))
    warned(datetime(2026, 8, 30, 12, tzinfo=UTC))

    assert [(event.after or {})["days_left"] for event in told("card.expiring")] == [7]


# ---- What never leaves --------------------------------------------------------------------------------


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
