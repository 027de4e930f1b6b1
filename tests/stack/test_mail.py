"""From a change to the mailbox: table, stream, bus, queue, worker, SES; and the feedback of SES."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from billing.correspondence.audiences import Delivery

from local.background import wait_until
from local.cloud import client
from local.demo.companies import COMPANIES, DemoCompany
from local.stack import Stack

COMPANY, OTHER = COMPANIES[0], COMPANIES[1]
SENDER_DOMAIN = "livello.example"
SECONDS_MAX = 60


def change_contact(stack: Stack, company: DemoCompany) -> str:
    """Changes the contact's name. Returns the id of the change's event."""
    contact = f"/v1/accounts/{company.account}/billing-information/contact"
    token = stack.admin_token(company)
    before = stack.api.request("GET", contact, token=token)
    body = {**before.json(), "name": f"Contact {uuid.uuid4().hex[:8]}"}
    changed = stack.api.request("PUT", contact, token=token, body=body, headers={"If-Match": before.headers["ETag"]})
    assert changed.status == 200, changed
    events = stack.api.request("GET", f"/v1/accounts/{company.account}/events?limit=1", token=token)
    event: str = events.json()["items"][0]["event"]
    return event


def sent(stack: Stack, event: str) -> Counter[str]:
    """The number of mails about an event, by recipient of the envelope."""
    return Counter(mail["Delivered-To"] for mail in stack.mails() if mail["X-Livello-Event"] == event)


def eventually(condition: Callable[[], bool]) -> bool:
    return wait_until(condition, SECONDS_MAX)


def everybody(company: DemoCompany) -> set[str]:
    """The recipients of mail about a change of billing information: the admins, and the address for invoices."""
    return {company.admin.email, f"billing@{company.admin.email.partition('@')[2]}"}


def deliver(stack: Stack, event: str, account: str, times: int) -> None:
    """Sends an event to the queue of notices again, because SQS and EventBridge deliver at least once."""
    table = client(stack.settings, "dynamodb")
    key = {"pk": {"S": f"ACCOUNT#{account}"}, "sk": {"S": f"EVENT#{event}"}}
    body = table.get_item(TableName=stack.outputs["TableName"], Key=key)["Item"]["body"]["S"]
    message = json.dumps({"detail": json.loads(body)})
    for _ in range(times):
        client(stack.settings, "sqs").send_message(QueueUrl=stack.outputs["NoticesUrl"], MessageBody=message)


def is_idle(stack: Stack) -> bool:
    """Whether the queue of notices is empty."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = client(stack.settings, "sqs").get_queue_attributes(
        QueueUrl=stack.outputs["NoticesUrl"], AttributeNames=names
    )["Attributes"]
    return all(counts[name] == "0" for name in names)


def test_a_change_is_mailed_once_within_seconds(stack: Stack) -> None:
    event = change_contact(stack, COMPANY)

    assert eventually(lambda: set(sent(stack, event)) == everybody(COMPANY))
    assert set(sent(stack, event).values()) == {1}


def test_an_event_that_is_delivered_five_times_is_mailed_once(stack: Stack) -> None:
    event = change_contact(stack, COMPANY)

    deliver(stack, event, COMPANY.account, 5)

    assert eventually(lambda: set(sent(stack, event)) == everybody(COMPANY))
    assert eventually(lambda: is_idle(stack))
    assert set(sent(stack, event).values()) == {1}


@pytest.fixture
def broken_ses(stack: Stack) -> Iterator[Callable[[], None]]:
    """An SES without a verified sender. Returns a function that mends it. The emulator has a store for each API."""
    ses, sesv2 = client(stack.settings, "ses"), client(stack.settings, "sesv2")
    ses.delete_identity(Identity=SENDER_DOMAIN)
    sesv2.delete_email_identity(EmailIdentity=SENDER_DOMAIN)

    def mend() -> None:
        ses.verify_domain_identity(Domain=SENDER_DOMAIN)

    yield mend
    mend()
    sesv2.create_email_identity(EmailIdentity=SENDER_DOMAIN)


def test_mail_is_late_and_not_lost_while_ses_fails(stack: Stack, broken_ses: Callable[[], None]) -> None:
    events = [change_contact(stack, OTHER) for _ in range(3)]
    time.sleep(10)
    assert not any(sent(stack, event) for event in events)

    broken_ses()

    for event in events:
        assert eventually(lambda event=event: set(sent(stack, event)) == everybody(OTHER))  # type: ignore[misc]
        assert set(sent(stack, event).values()) == {1}


def test_an_unreadable_notice_becomes_a_dead_letter_and_others_are_mailed(stack: Stack) -> None:
    sqs = client(stack.settings, "sqs")
    sqs.send_message(QueueUrl=stack.outputs["NoticesUrl"], MessageBody='{"detail": {"event": "poison"}}')
    event = change_contact(stack, COMPANY)

    assert eventually(lambda: set(sent(stack, event)) == everybody(COMPANY))
    [letter] = sqs.receive_message(
        QueueUrl=stack.outputs["NoticesDeadLettersUrl"], WaitTimeSeconds=5, MessageAttributeNames=["All"]
    )["Messages"]
    assert letter["Body"] == '{"detail": {"event": "poison"}}'
    assert letter["MessageAttributes"]["reason"]["StringValue"].startswith("It is no event")
    sqs.delete_message(QueueUrl=stack.outputs["NoticesDeadLettersUrl"], ReceiptHandle=letter["ReceiptHandle"])


def ask_cognito(stack: Stack, action: str, **parameters: str) -> int:
    """Sends an unsigned action to Cognito, as a browser does. Returns the status."""
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"AWSCognitoIdentityProviderService.{action}",
    }
    body = {"ClientId": stack.outputs["BillingPageClientId"], **parameters}
    return stack.api.request("POST", "/auth", body=body, headers=headers).status


def test_a_new_colleague_is_invited_without_a_password_and_chooses_one(stack: Stack) -> None:
    account = f"/v1/accounts/{COMPANY.account}"
    email, password = f"new-{uuid.uuid4().hex[:8]}@colleagues.example", "A-good-password-1"
    body = {"email": email, "name": "New Colleague", "role": "member"}
    added = stack.api.request("PUT", f"{account}/users", token=stack.admin_token(COMPANY), body=body)
    assert added.status == 200

    assert eventually(lambda: any(mail["To"] == f"New Colleague <{email}>" for mail in stack.mails()))
    [invitation] = [mail for mail in stack.mails() if mail["Delivered-To"] == email]
    text = invitation.get_body(("plain",))
    assert text is not None
    assert stack.settings.address in text.get_content()
    assert "Forgot password" in " ".join(text.get_content().split())

    assert ask_cognito(stack, "ForgotPassword", Username=email) == 200
    assert eventually(lambda: len([mail for mail in stack.mails() if mail["Delivered-To"] == email]) == 2)
    [reset] = [mail for mail in stack.mails() if mail["Delivered-To"] == email and mail["X-Livello-Event"] is None]
    words = reset.get_body()
    assert words is not None
    [code] = re.findall(r"\b\d{6}\b", words.get_content())
    assert ask_cognito(stack, "ConfirmForgotPassword", Username=email, ConfirmationCode=code, Password=password) == 200
    token = stack.api.person_token(stack.outputs["BillingPageClientId"], email, password)
    assert stack.api.request("GET", f"{account}/billing", token=token).status == 200


def test_an_address_that_bounces_gets_no_more_mail_and_staff_are_mailed(stack: Stack) -> None:
    event = change_contact(stack, COMPANY)
    billing = f"billing@{COMPANY.admin.email.partition('@')[2]}"
    assert eventually(lambda: set(sent(stack, event)) == everybody(COMPANY))
    [copy] = [mail for mail in stack.mails() if mail["X-Livello-Event"] == event and mail["Delivered-To"] == billing]
    # The notice of SES, with the current time: its event must be the newest of the account. The emulator never sends
    # such notices itself.
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    bounce = {
        "eventType": "Bounce",
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{"emailAddress": billing}],
            "timestamp": now,
        },
        "mail": {
            "messageId": copy["Message-ID"].strip("<>"),
            "timestamp": now,
            "tags": {
                "livello-account": [COMPANY.account],
                "livello-event": [event],
                "livello-recipient": [Delivery.digest(event, billing)],
            },
        },
    }
    topic = client(stack.settings, "sns")

    for _ in range(2):
        topic.publish(TopicArn=stack.outputs["MailFeedbackTopicArn"], Message=json.dumps(bounce))

    def undeliverable_events() -> list[str]:
        items = stack.api.request(
            "GET", f"/v1/accounts/{COMPANY.account}/events", token=stack.admin_token(COMPANY)
        ).json()["items"]
        return [each["event"] for each in items if each["type"] == "address.undeliverable"]

    assert eventually(lambda: len(undeliverable_events()) == 1)
    assert eventually(
        lambda: set(sent(stack, undeliverable_events()[0])) == {COMPANY.admin.email, "staff@livello.example"}
    )
    after = change_contact(stack, COMPANY)
    assert eventually(lambda: set(sent(stack, after)) == {COMPANY.admin.email})
    assert eventually(lambda: is_idle(stack))
    assert set(sent(stack, after)) == {COMPANY.admin.email}
    assert len(undeliverable_events()) == 1
