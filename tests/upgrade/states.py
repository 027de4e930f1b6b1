"""Adds what a year of the demonstration lacks to a stack of an earlier release, by HTTP and by planners' messages.

Uses only routes and fields that the first milestone has.
"""

from __future__ import annotations

import json
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from time import sleep
from typing import Any

from billing.correspondence.audiences import Delivery

from local.api_client import ApiClient
from local.background import wait_until
from local.cloud import client
from local.demo.companies import COMPANIES, DemoCompany
from local.demo.seeding import PASSWORD
from local.stack import Stack
from local.stripe.browser import TEST_CARD, ask, confirm_setup
from local.stripe.process import KEYS
from tests.upgrade.running_stack import answered, fire, keys_of, send, wait_until_quiet

DECLINED_CARD = "4000000000000341"
"""Can be set up, and is declined at each charge."""

IBAN = "DE89370400440532013000"
"""Stripe's test IBAN (docs.stripe.com/testing)."""

DECLINED, TRANSFER, CANCELLED, RETURNING = "declined", "by-transfer", "cancelled", "returning"
LEFT, PURGING, GONE = "left", "purging", "gone"
IN_TRANSIT, IN_CREDIT = "in-transit", "in-credit"
NORDLYS, LUCCIOLA, HARBOUR = COMPANIES
SECONDS_MAX = 90
TRY_SECONDS = 10
"""How long one try of a worker takes that retries Stripe."""

RETRIES = (1, 2, 4, 6, 8, 10)
"""Days from today on which charges are tried until an invoice is past due; `RetryDays` is 1, 3, 5 and 7."""


def days_on(now: datetime, days: int) -> datetime:
    return now + timedelta(days=days)


def evening(day: str) -> datetime:
    """An instant that is within that day in the time zones of Europe."""
    return datetime.combine(date.fromisoformat(day), time(20), UTC)


class Shop:
    """An account of this test that began three days ago and pays monthly, with its admin."""

    def __init__(self, stack: Stack, account: str, company: DemoCompany, now: datetime) -> None:
        self.stack, self.account, self.email = stack, account, email_of(account)
        body = {
            **company.provisioning(now.date()),
            "account": account,
            "name": f"The shop {account}",
            "first_admin": {"email": self.email, "name": "Ada Holm"},
            "discounts": [],
            "invoiced_until": None,
        }
        body["contract"] |= {"start": str(now.date() - timedelta(days=3)), "interval_months": 1}
        made = stack.api.request("POST", "/v1/accounts", token=stack.staff_token(), body=body)
        assert made.status == 201, made
        client(stack.settings, "cognito-idp").admin_set_user_password(
            UserPoolId=stack.outputs["UserPoolId"], Username=self.email, Password=PASSWORD, Permanent=True
        )

    @property
    def token(self) -> str:
        return token_of(self.stack, self.account)

    def ask(self, status: int, method: str, route: str, body: Any = None, token: str | None = None) -> Any:
        """A request as the admin, or with another token."""
        path = f"/v1/accounts/{self.account}/{route}"
        answer = self.stack.api.request(method, path, token=token or self.token, body=body)
        assert answer.status == status, (method, path, answer.status, answer.body)
        return answer.json() if answer.body else None

    def pay_by_card(self, number: str) -> None:
        setup = self.ask(201, "POST", "payment-method/setup", {})
        confirm_setup(self.stack.settings, setup, number)
        self.ask(200, "PUT", "payment-method", {"setup_intent": setup["setup_intent"]})

    def pay_by_debit(self) -> None:
        setup = self.ask(201, "POST", "payment-method/setup", {"method": "sepa_debit"})
        form = {
            "client_secret": setup["client_secret"],
            "payment_method_data[type]": "sepa_debit",
            "payment_method_data[sepa_debit][iban]": IBAN,
            "payment_method_data[billing_details][email]": self.email,
            "payment_method_data[billing_details][name]": "Ada Holm",
        }
        ask(
            self.stack.settings,
            f"/v1/setup_intents/{setup['setup_intent']}/confirm",
            setup["publishable_key"],
            form,
        )
        self.ask(200, "PUT", "payment-method", {"setup_intent": setup["setup_intent"]})

    def issue(self, now: datetime) -> str:
        """Issues what is due. Returns the number of the newest invoice."""
        send(self.stack, "InvoicesDueUrl", self.account, now)
        assert wait_until(lambda: bool(self.invoices()), SECONDS_MAX), f"no invoice of {self.account}"
        number: str = self.invoices()[0]["number"]
        return number

    def charge(self, now: datetime, status: str) -> None:
        send(self.stack, "PaymentsDueUrl", self.account, now)
        self.wait(lambda: self.invoices()[0]["status"] == status, status)

    def cancel(self) -> Any:
        why = {"reason": "closing_business", "text": "The shop closes.", "confirmed": True}
        until = self.ask(200, "GET", "cancellation")["preview"]["active_until"]
        return self.ask(201, "POST", "cancellation", {**why, "active_until": until})

    def end(self, at: datetime, status: str = "deactivated") -> None:
        send(self.stack, "EndsDueUrl", self.account, at)
        self.wait(lambda: self.status() == status, status)

    def invoices(self) -> list[Any]:
        items: list[Any] = answered(self.stack, f"/accounts/{self.account}/invoices", self.token)["items"]
        return items

    def status(self) -> str:
        found: str = answered(self.stack, f"/accounts/{self.account}/billing", self.token)["status"]
        return found

    def wait(self, condition: Callable[[], bool], state: str) -> None:
        assert wait_until(condition, SECONDS_MAX), f"{self.account} does not become {state}: {self.invoices()}"


def token_of(stack: Stack, account: str) -> str:
    """The token of a shop's admin."""
    return stack.api.person_token(stack.outputs["BillingPageClientId"], email_of(account), PASSWORD)


def email_of(account: str) -> str:
    return f"ada@{account}.example"


def cancellation_receipt(stack: Stack, account: str) -> Any:
    """What the shop's admin sees of its cancellation."""
    return answered(stack, f"/accounts/{account}/cancellation", token_of(stack, account))["receipt"]


def add_states(stack: Stack, now: datetime) -> None:
    """Adds them all. Raises AssertionError if the earlier release refuses one."""
    shops = {
        account: Shop(stack, account, company, now)
        for account, company in (
            (DECLINED, NORDLYS),
            (TRANSFER, NORDLYS),
            (CANCELLED, NORDLYS),
            (LEFT, NORDLYS),
            (PURGING, NORDLYS),
            (GONE, NORDLYS),
            (IN_CREDIT, NORDLYS),
            (IN_TRANSIT, LUCCIOLA),
            (RETURNING, NORDLYS),
        )
    }
    staff = stack.staff_token()
    shops[TRANSFER].ask(200, "PUT", "payment-method/bank-transfer", {}, staff)
    shops[TRANSFER].issue(now)
    for account in (CANCELLED, GONE, LEFT, PURGING, RETURNING):
        shops[account].pay_by_card(TEST_CARD)
        shops[account].issue(now)
        shops[account].charge(now, "paid")
    shops[CANCELLED].cancel()
    for account in (GONE, LEFT, PURGING, RETURNING):
        receipt = shops[account].cancel()
        shops[account].end(evening(receipt["active_until"]))
    _delete(shops[GONE])
    shops[IN_TRANSIT].pay_by_debit()
    shops[IN_TRANSIT].issue(now)
    shops[IN_TRANSIT].charge(now, "in_transit")
    _keep_credit(shops[IN_CREDIT], staff, now)
    _credit_notes(stack, shops[TRANSFER], staff, now)
    _book_a_review(stack)
    _export(stack)
    _report_usage(stack, now)
    _pause_autoscaling(stack, staff, now)
    _bounce(stack, now)
    _fail_until_past_due(shops[DECLINED], now)
    wait_until_quiet(stack)
    _stop_within_a_deletion(shops[PURGING])
    _stop_within_a_reactivation(shops[RETURNING])


def _delete(shop: Shop) -> None:
    """Only its receipt and its archived invoice are left."""
    receipt = cancellation_receipt(shop.stack, shop.account)
    send(shop.stack, "EndsDueUrl", shop.account, evening(receipt["purge_on"]))
    partition = f"ACCOUNT#{shop.account}"
    assert wait_until(lambda: partition not in {pk for pk, _ in keys_of(shop.stack)}, SECONDS_MAX), "it is not deleted"


def _keep_credit(shop: Shop, staff: str, now: datetime) -> None:
    """A credit note of an invoice that was paid by bank transfer: the account has credit for the next one."""
    shop.ask(200, "PUT", "payment-method/bank-transfer", {}, staff)
    path = f"invoices/{shop.issue(now)}"
    shop.ask(200, "POST", f"{path}/payments", {"paid_on": str(now.date()), "reference": "Transfer 17"}, staff)
    shop.ask(201, "POST", f"{path}/credit-notes", {"lines": [1], "reason": "A discount that was promised"}, staff)


def debits_in_transit(stack: Stack, account: str) -> list[str]:
    """The PaymentIntents of an account that are processing."""
    query = urllib.parse.urlencode({"limit": 100})
    intents = ask(stack.settings, f"/v1/payment_intents?{query}", KEYS["api_key"])["data"]
    return [
        each["id"] for each in intents if each["status"] == "processing" and each["metadata"].get("account") == account
    ]


def settle(stack: Stack, account: str) -> None:
    """The bank pays the account's debits."""
    assert wait_until(lambda: bool(debits_in_transit(stack, account)), SECONDS_MAX), f"{account} has no debit"
    for payment in debits_in_transit(stack, account):
        _switch(stack, "POST", f"/_test/payment_intents/{payment}/settle", {"succeed": True})


def _switch(stack: Stack, method: str, path: str, body: Any = None) -> None:
    """Sets a switch of the stand-in for Stripe."""
    answer = ApiClient(stack.settings.stripe_address).request(method, path, body=body)
    assert answer.status == 200, answer


def _credit_notes(stack: Stack, shop: Shop, staff: str, now: datetime) -> None:
    """One that is refunded, one whose refund is to come, and one of an open invoice."""
    whole = {"lines": None, "reason": "Invoiced by mistake"}
    for account, pays in ((NORDLYS.account, True), (HARBOUR.account, False)):
        newest = next(
            each
            for each in answered(stack, f"/accounts/{account}/invoices", staff)["items"]
            if each["status"] == "paid" and each["total"]["amount"] > 0
        )
        path = f"/v1/accounts/{account}/invoices/{newest['number']}/credit-notes"
        given = stack.api.request("POST", path, token=staff, body=whole)
        assert given.status == 201, given
        if pays:
            send(stack, "PaymentsDueUrl", account, now)
    [opened] = shop.invoices()
    part = {"lines": [1], "reason": "A discount that was promised"}
    path = f"/v1/accounts/{shop.account}/invoices/{opened['number']}/credit-notes"
    given = stack.api.request("POST", path, token=staff, body=part)
    assert given.status == 201, given


def _book_a_review(stack: Stack) -> None:
    account, admin = f"/v1/accounts/{NORDLYS.account}", stack.admin_token(NORDLYS)
    slots = answered(stack, f"/accounts/{NORDLYS.account}/reviews/slots", admin)
    booked = stack.api.request("POST", f"{account}/reviews", token=admin, body={"begins": slots["items"][-1]["begins"]})
    assert booked.status == 201, booked


def _export(stack: Stack) -> None:
    path, admin = f"/accounts/{LUCCIOLA.account}/export", stack.admin_token(LUCCIOLA)
    assert stack.api.request("POST", f"/v1{path}", token=admin).status == 202
    assert wait_until(lambda: answered(stack, path, admin)["status"] == "ready", SECONDS_MAX)


def _report_usage(stack: Stack, now: datetime) -> None:
    event = {
        "specversion": "1.0",
        "id": uuid.uuid4().hex,
        "source": "//shop.example/search",
        "type": "usage.search",
        "subject": f"{NORDLYS.account}/nordlys-dk",
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "data": {"quantity": 3, "content": "Search box", "conversions": 0, "revenue": None},
    }
    headers = {"Content-Type": "application/cloudevents+json"}
    answer = stack.api.request("POST", "/v1/usage", token=stack.machine_token(), body=event, headers=headers)
    assert answer.status == 202, answer


def _fail_until_past_due(shop: Shop, now: datetime) -> None:
    shop.pay_by_card(DECLINED_CARD)
    shop.issue(now)
    fire(shop.stack, "PlanPayments", now)
    wait_until_quiet(shop.stack)
    for days in RETRIES:
        send(shop.stack, "PaymentsDueUrl", shop.account, days_on(now, days))
        wait_until_quiet(shop.stack)
    shop.wait(lambda: shop.invoices()[0]["status"] == "past_due", "past due")


def _pause_autoscaling(stack: Stack, staff: str, now: datetime) -> None:
    path = f"/v1/accounts/{HARBOUR.account}/autoscaling/settings"
    until = (now + timedelta(days=90)).date().isoformat()
    body = {"pause": {"until": until, "reason": "A trial of chat"}, "known_peaks": []}
    answer = stack.api.request("PUT", path, token=staff, body=body, headers={"If-None-Match": "*"})
    assert answer.status == 200, answer


def _bounce(stack: Stack, now: datetime) -> None:
    """SES reports that a company's address does not exist, about a mail that was sent to it."""
    email = LUCCIOLA.admin.email
    sent = max(
        (each for each in stack.mails() if each["Delivered-To"] == email), key=lambda each: str(each["X-Livello-Event"])
    )
    event, at = str(sent["X-Livello-Event"]), now.isoformat(timespec="milliseconds")
    tags = {"account": LUCCIOLA.account, "event": event, "recipient": Delivery.digest(event, email)}
    bounce = {
        "eventType": "Bounce",
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{"emailAddress": email}],
            "timestamp": at,
        },
        "mail": {
            "messageId": str(sent["Message-ID"]).strip("<>"),
            "timestamp": at,
            "tags": {f"livello-{name}": [value] for name, value in tags.items()},
        },
    }
    topic = stack.outputs["MailFeedbackTopicArn"]
    client(stack.settings, "sns").publish(TopicArn=topic, Message=json.dumps(bounce))
    noted = (f"ACCOUNT#{LUCCIOLA.account}", f"UNDELIVERABLE#{email}")
    assert wait_until(lambda: noted in keys_of(stack), SECONDS_MAX), "the bounce is not noted"


def _stop_within_a_deletion(shop: Shop) -> None:
    """The deletion is begun and goes no further."""
    receipt = cancellation_receipt(shop.stack, shop.account)
    with _stripe_fails(shop.stack, "^/v1/customers", "EndsDueUrl"):
        send(shop.stack, "EndsDueUrl", shop.account, evening(receipt["purge_on"]))
        begun = (f"ACCOUNT#{shop.account}", "PURGE")
        assert wait_until(lambda: begun in keys_of(shop.stack), SECONDS_MAX), "no deletion is begun"


def _stop_within_a_reactivation(shop: Shop) -> None:
    """The reactivation is requested, and its charge goes no further."""
    with _stripe_fails(shop.stack, "^/v1/payment_intents", "PaymentsDueUrl"):
        offer = shop.ask(200, "GET", "reactivation")["offer"]
        shop.ask(202, "POST", "reactivation", {"due": offer["invoice"]["due"], "confirmed": True})
    assert shop.ask(200, "GET", "reactivation")["status"] == "pending"


@contextmanager
def _stripe_fails(stack: Stack, path: str, queue: str) -> Iterator[None]:
    """Stripe fails. In the end the message of the queue is removed, because it would come back within minutes; the
    account stays due."""
    _switch(stack, "POST", "/_test/faults", {"kind": "500", "path": path, "count": 1_000})
    yield
    sleep(TRY_SECONDS)
    client(stack.settings, "sqs").purge_queue(QueueUrl=stack.outputs[queue])
    _switch(stack, "DELETE", "/_test/faults")
