"""The mail functions on moto: from the queue of events to SES and S3, and from SES reports to the table."""

from __future__ import annotations

import email
import email.policy
import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from billing import wiring
from billing.correspondence.audiences import Delivery
from billing.correspondence.ses_mailer import SesMailer
from billing.kernel.errors import AnswerLost, UpstreamFailed
from billing.platform import workers
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from botocore.parsers import ResponseParserError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from functions.administer_subscriptions.app import handler as administer_subscriptions
from functions.administer_users.app import handler as administer_users
from functions.note_mail_feedback.app import handler as note_mail_feedback
from functions.notify import app as notify_app
from functions.notify.app import handler as notify
from functions.update_billing_information.app import handler as update_billing_information
from tests.api_gateway import NOW, STAFF, answer, request
from tests.aws import REGION, stored_items
from tests.company import Company, put_catalogue
from tests.samples import CATALOGUE, with_value
from tests.template import ROOT

SENDER = "billing@livello.example"
CONTACT = "/accounts/{account}/billing-information/contact"
INVOICES = "invoices@nordlys.example"


class Context(LambdaContext):
    """The context of an invocation."""

    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


class Post:
    """SES, S3 and the two queues, on moto."""

    def __init__(self) -> None:
        self.sqs: Any = boto3.client("sqs", region_name=REGION)
        self.s3: Any = boto3.client("s3", region_name=REGION)
        self.queue = self.sqs.create_queue(QueueName="notices")["QueueUrl"]
        self.dead = self.sqs.create_queue(QueueName="notices-dead")["QueueUrl"]
        self.s3.create_bucket(Bucket="livello-documents", CreateBucketConfiguration={"LocationConstraint": REGION})
        self.s3.put_bucket_versioning(Bucket="livello-documents", VersioningConfiguration={"Status": "Enabled"})

    def mails(self) -> list[tuple[str, EmailMessage]]:
        """The mails that SES accepted, each with its recipient's address."""
        sent = ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages
        return [
            (mail.destinations[0], email.message_from_string(mail.raw_data, EmailMessage, policy=email.policy.default))
            for mail in sent
        ]

    def files(self) -> dict[str, bytes]:
        objects = self.s3.list_objects_v2(Bucket="livello-documents").get("Contents", [])
        return {
            each["Key"]: self.s3.get_object(Bucket="livello-documents", Key=each["Key"])["Body"].read()
            for each in objects
        }

    def dead_letters(self) -> list[dict[str, Any]]:
        received: list[dict[str, Any]] = self.sqs.receive_message(
            QueueUrl=self.dead, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages", [])
        return received

    def delivered(self, *bodies: str) -> dict[str, Any]:
        """Sends the messages to the queue, and returns the event of SQS that delivers them for the first time."""
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.queue, MessageBody=body)
        messages = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)["Messages"]
        return {
            "Records": [
                {
                    "messageId": each["MessageId"],
                    "receiptHandle": each["ReceiptHandle"],
                    "body": each["Body"],
                    "attributes": {"ApproximateReceiveCount": "1"},
                    "messageAttributes": {},
                    "eventSource": "aws:sqs",
                }
                for each in messages
            ]
        }

    def close(self) -> None:
        ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages.clear()
        wiring.documents().delete_all("")
        self.s3.delete_bucket(Bucket="livello-documents")
        for queue in (self.queue, self.dead):
            self.sqs.delete_queue(QueueUrl=queue)


def stored_versions() -> int:
    """How many versions of files the bucket of documents has, of all accounts."""
    s3 = boto3.client("s3", region_name=REGION)
    return len(s3.list_object_versions(Bucket="livello-documents", Prefix="accounts/").get("Versions", []))


@pytest.fixture
def post(company: Company, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    post = Post()
    ses = boto3.client("ses", region_name=REGION)
    ses.verify_domain_identity(Domain="livello.example")
    if "livello-test" not in {each["Name"] for each in ses.list_configuration_sets()["ConfigurationSets"]}:
        ses.create_configuration_set(ConfigurationSet={"Name": "livello-test"})
    environment = {
        "BILLING_PAGE": "https://billing.livello.example",
        "CONFIGURATION_SET": "livello-test",
        "DEAD_LETTERS_URL": post.dead,
        "DOCUMENTS_BUCKET": "livello-documents",
        "QUEUE_URL": post.queue,
        "REPLY_TO_ADDRESS": "support@livello.example",
        "SENDER_ADDRESS": SENDER,
        "STAFF_ADDRESS": "",
        "VENDOR_NAME": "Livello",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    wiring.forget()
    yield post
    post.close()
    wiring.forget()


def notice(company: Company, contact: str = "Bo Lind") -> str:
    """An admin changes the contact. Returns the message that EventBridge delivers about it."""
    change = request(
        "PUT",
        CONTACT,
        claims=company.admin,
        path=company.path,
        body={"name": contact, "phone": None},
        headers={"If-Match": '"1"'},
        now=NOW + timedelta(seconds=1),
    )
    assert answer(update_billing_information, change).status == 200
    events = [str(item["body"]) for item in stored_items() if str(item["sk"]).startswith("EVENT#")]
    [changed] = [event for event in events if '"billing_information.changed"' in event]
    return json.dumps({"source": "livello", "detail": json.loads(changed)})


def test_a_change_is_mailed_to_the_admin_and_the_billing_address(company: Company, post: Post) -> None:
    response = notify(post.delivered(notice(company)), Context())

    assert response == {"batchItemFailures": []}
    assert sorted(to for to, _ in post.mails()) == ["ada@nordlys.example", INVOICES]
    [mail] = [mail for to, mail in post.mails() if to == "ada@nordlys.example"]
    assert mail["From"] == f"Livello <{SENDER}>"
    assert mail["To"] == "Ada Holm <ada@nordlys.example>"
    assert mail["Reply-To"] == "support@livello.example"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]


def test_an_admin_who_leaves_is_named_to_the_others_with_their_role(company: Company, post: Post) -> None:
    """Their own request, as the API, the stream and SES see it: nobody of the account bears their name any more."""
    users, bo = "/accounts/{account}/users", {"email": "bo@nordlys.example", "name": "Bo Lind", "role": "admin"}
    raised = request("PUT", users, claims=company.admin, path=company.path, body=bo, now=NOW + timedelta(seconds=1))
    assert answer(administer_users, raised).status == 200
    path = {**company.path, "user": company.admin["sub"]}
    left = request("DELETE", users + "/{user}", claims=company.admin, path=path, now=NOW + timedelta(seconds=2))
    assert answer(administer_users, left).status == 204
    events = [json.loads(str(each["body"])) for each in stored_items() if str(each["sk"]).startswith("EVENT#")]
    messages = [
        json.dumps({"source": "livello", "detail": each})
        for each in events
        if each["type"] in {"user.changed", "user.removed"}
    ]

    notify(post.delivered(*messages), Context())

    texts = [
        (to, mail["Subject"], " ".join(str(next(mail.iter_parts()).get_content()).split())) for to, mail in post.mails()
    ]
    assert [(to, subject) for to, subject, _ in texts] == [
        ("bo@nordlys.example", "You are now an admin of the billing of Nordlys Kaffe"),
        ("ada@nordlys.example", "You no longer have access to the billing of Nordlys Kaffe"),
        ("bo@nordlys.example", "Nordlys Kaffe: an admin no longer has access"),
    ]
    assert "Ada Holm has given up their access" in texts[2][2]
    assert "Role before: admin" in texts[2][2]
    assert "Changed by: Ada Holm (ada@nordlys.example)" in texts[2][2]


def test_a_change_of_prices_is_not_mailed_too_late_for_its_day(company: Company, post: Post) -> None:
    """The event is months old by now: the day moves, and the mail about the new one goes out."""
    put_catalogue(with_value(CATALOGUE, 5900, "products", 0, "tiers", 0, "prices", "EUR"), replaces=1)
    route, body = "/accounts/{account}/catalogue-version", {"version": 2, "reason": "Prices of 2027"}
    given: dict[str, Any] = {"claims": STAFF, "path": company.path, "body": body, "headers": {"If-Match": '"1"'}}
    assert answer(administer_subscriptions, request("PUT", route, now=NOW, **given)).status == 200

    def delivered(kind: str) -> str:
        [event] = [str(each["body"]) for each in stored_items() if f'"{kind}"' in str(each.get("body"))]
        return json.dumps({"source": "livello", "detail": json.loads(event)})

    notify(post.delivered(delivered("catalogue_version.announced")), Context())
    assert post.mails() == []
    notify(post.delivered(delivered("catalogue_version.postponed")), Context())
    [subject, _] = [mail["Subject"] for _, mail in post.mails()]
    assert subject.startswith("Nordlys Kaffe: other prices from ")


def test_the_audit_copy_is_the_message_that_ses_accepted(company: Company, post: Post) -> None:
    notify(post.delivered(notice(company)), Context())

    accepted = sorted(mail.raw_data.encode() for mail in ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages)
    assert sorted(post.files().values()) == accepted
    assert all(copy.isascii() for copy in accepted)


def test_a_redelivered_event_is_not_mailed_again(company: Company, post: Post) -> None:
    body = notice(company)

    notify(post.delivered(body, body, body), Context())
    notify(post.delivered(body), Context())

    assert len(post.mails()) == 2


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        "[]",
        "{}",
        '{"detail": null}',
        '{"detail": {"event": "x"}}',
        '{"detail": {"type": "unheard.of"}}',
    ],
)
def test_an_invalid_message_becomes_a_dead_letter_and_does_not_stop_the_others(
    body: str, company: Company, post: Post
) -> None:
    response = notify(post.delivered(body, notice(company)), Context())

    assert response == {"batchItemFailures": []}
    assert len(post.mails()) == 2
    [letter] = post.dead_letters()
    assert letter["Body"] == body
    assert letter["MessageAttributes"]["reason"]["StringValue"].startswith("It is no event, or ")


def test_an_event_that_does_not_fit_its_schema_is_a_dead_letter(company: Company, post: Post) -> None:
    event = json.loads(notice(company))
    event["detail"]["after"] = {"area": "company"}

    notify(post.delivered(json.dumps(event)), Context())

    assert post.mails() == []
    [letter] = post.dead_letters()
    assert letter["MessageAttributes"]["reason"]["StringValue"] == (
        "It is no event, or does not fit its schema: ValidationError."
    )


def test_a_mail_refused_by_ses_is_retried_with_a_growing_delay(
    company: Company, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDER_ADDRESS", "billing@unverified.example")
    wiring.forget()
    waits: list[int] = []
    monkeypatch.setattr(wiring.queue(), "change_visibility", lambda _, seconds: waits.append(seconds))
    batch = post.delivered(notice(company))
    [record] = batch["Records"]

    for received in (1, 2, 3, 9, 10, 40):
        record["attributes"]["ApproximateReceiveCount"] = str(received)
        assert notify(batch, Context()) == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}

    assert waits == [2, 4, 8, 512, workers.WAIT_SECONDS_MAX, workers.WAIT_SECONDS_MAX]
    assert post.mails() == []


@pytest.mark.parametrize(("minutes", "late"), [(59, False), (61, True)])
def test_a_message_that_fails_after_an_hour_says_so_in_its_log_line(
    minutes: int, late: bool, company: Company, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alarm MailIsLate counts these lines, by the pattern of the metric filter in template.yaml."""
    monkeypatch.setenv("SENDER_ADDRESS", "billing@unverified.example")
    wiring.forget()
    batch = post.delivered(notice(company))
    [record] = batch["Records"]
    sent = datetime.now(UTC) - timedelta(minutes=minutes)
    record["attributes"]["SentTimestamp"] = str(int(sent.timestamp() * 1000))
    lines: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(workers.logger, "warning", lambda message, **fields: lines.append((message, fields)))

    notify(batch, Context())

    assert [(message, fields["late"]) for message, fields in lines] == [("not sent", late)]


def test_a_failed_message_becomes_visible_again_after_its_delay(
    company: Company, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDER_ADDRESS", "billing@unverified.example")
    wiring.forget()
    monkeypatch.setattr(workers, "FIRST_WAIT_SECONDS", 0)

    notify(post.delivered(notice(company)), Context())

    assert len(post.sqs.receive_message(QueueUrl=post.queue)["Messages"]) == 1


def ses_error(status: int) -> ClientError:
    error = {"Error": {"Code": "Throttling"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(error, "SendRawEmail")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (ses_error(400), UpstreamFailed),
        (ses_error(503), AnswerLost),
        (ResponseParserError(), AnswerLost),
        (EndpointConnectionError(endpoint_url="https://ses.example"), UpstreamFailed),
        (ReadTimeoutError(endpoint_url="https://ses.example"), AnswerLost),
        (ConnectTimeoutError(endpoint_url="https://ses.example"), UpstreamFailed),
    ],
)
def test_a_failure_of_ses_says_whether_the_mail_may_have_been_sent(
    failure: Exception, error: type[Exception], post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailer = SesMailer(SENDER, "livello-test", wiring.session())

    def fail(**_: object) -> None:
        raise failure

    monkeypatch.setattr(mailer._ses, "send_raw_email", fail)

    with pytest.raises(error) as raised:
        mailer.send(b"", "ada@nordlys.example", Delivery("nordlys-kaffe", "0" * 26, "0" * 32))
    assert type(raised.value) is error


@pytest.mark.parametrize(("status", "code", "copies"), [(503, "ServiceUnavailable", 2), (400, "Throttling", 0)])
def test_ten_attempts_while_ses_is_down_leave_at_most_one_copy_of_each_mail(
    status: int, code: str, copies: int, company: Company, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is sent in the end is what is stored (case L18)."""
    instants = iter(NOW + timedelta(minutes=3 * number) for number in range(100))
    monkeypatch.setattr(notify_app, "datetime", type("Clock", (), {"now": staticmethod(lambda _: next(instants))}))
    event = post.delivered(notice(company))
    send = wiring.mailer()._ses.send_raw_email  # type: ignore[attr-defined]

    def down(**_: object) -> None:
        answer = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(answer, "SendRawEmail")  # type: ignore[arg-type]

    wiring.mailer()._ses.send_raw_email = down  # type: ignore[attr-defined]
    for _ in range(10):
        assert notify(event, Context())["batchItemFailures"]
    assert stored_versions() == copies

    wiring.mailer()._ses.send_raw_email = send  # type: ignore[attr-defined]
    assert notify(event, Context()) == {"batchItemFailures": []}

    assert len(post.mails()) == 2
    assert stored_versions() == 2
    assert {email.message_from_bytes(each).as_string() for each in post.files().values()} == {
        email.message_from_string(each.raw_data).as_string()
        for each in ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages
    }


def test_an_internationalised_domain_is_sent_in_ascii(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    mailer = SesMailer(SENDER, "livello-test", wiring.session())
    sent: dict[str, Any] = {}
    monkeypatch.setattr(
        mailer._ses, "send_raw_email", lambda **parameters: (sent.update(parameters), {"MessageId": "1"})[1]
    )

    mailer.send(b"", "rechnung@bücher.example", Delivery("nordlys-kaffe", "0" * 26, "0" * 32))

    assert sent["Destinations"] == ["rechnung@xn--bcher-kva.example"]


def test_an_event_twice_in_one_batch_is_mailed_once_after_a_lost_answer(
    company: Company, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailer = wiring.mailer()
    send = mailer.send

    def send_and_lose_the_answer(message: bytes, to: str, delivery: Delivery) -> str:
        send(message, to, delivery)
        raise AnswerLost("It did not answer.")

    monkeypatch.setattr(mailer, "send", send_and_lose_the_answer)
    body = notice(company)

    notify(post.delivered(body, body), Context())

    assert len(post.mails()) == 2


def test_the_sample_event_is_mailed(company: Company, post: Post) -> None:
    sample = json.loads((ROOT / "events" / "notify.json").read_text(encoding="utf-8"))

    assert notify(sample, Context()) == {"batchItemFailures": []}

    assert sorted(to for to, _ in post.mails()) == ["ada@nordlys.example", INVOICES]


def test_log_lines_contain_no_names_or_addresses(company: Company, post: Post) -> None:
    batch = post.delivered(notice(company, "Canary Lind"), '{"detail": {"event": "Canary"}}')
    lines = io.StringIO()
    handler = workers.logger.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(lines)
    try:
        notify(batch, Context())
    finally:
        handler.setStream(before)

    assert [json.loads(line)["message"] for line in lines.getvalue().splitlines()] == ["notified", "unwritable"]
    assert "Canary" not in lines.getvalue()
    assert "@" not in lines.getvalue()


@pytest.mark.parametrize("saved_again", ["user", "billing"])
def test_an_address_that_is_saved_again_gets_mail_again(saved_again: str, company: Company, post: Post) -> None:
    ada, body = "ada@nordlys.example", notice(company)
    event = json.loads(body)["detail"]["event"]
    bounces = [
        ses_report("Bounce", Delivery("nordlys-kaffe", event, Delivery.digest(event, each)), **BOUNCE)
        for each in (ada, INVOICES)
    ]
    note_mail_feedback(post.delivered(*bounces), Context())
    route, body_given, handler = {
        "user": ("/accounts/{account}/users", {"email": ada, "name": "Ada Holm", "role": "admin"}, administer_users),
        "billing": (
            "/accounts/{account}/billing-information/billing",
            {"email": INVOICES, "language": "en"},
            update_billing_information,
        ),
    }[saved_again]

    change = request(
        "PUT", route, claims=company.admin, path=company.path, body=body_given, headers={"If-Match": '"1"'}
    )
    assert answer(handler, change).status == 200

    notify(post.delivered(body), Context())
    assert [to for to, _ in post.mails()] == [{"user": ada, "billing": INVOICES}[saved_again]]


# ---- Reports of SES ----


def ses_report(kind: str, delivery: Delivery | None, **details: Any) -> str:
    """A report as SES publishes it to its SNS topic. Without a delivery the mail has none of our tags."""
    tags = {"ses:configuration-set": ["livello-test"]}
    if delivery is not None:
        tags |= {"livello-event": [delivery.event], "livello-recipient": [delivery.recipient]}
        if delivery.account is not None:
            tags["livello-account"] = [delivery.account]
    return json.dumps(
        {
            "eventType": kind,
            "mail": {
                "messageId": "010701b0-message",
                "timestamp": "2026-11-23T10:00:00.000Z",
                "source": SENDER,
                "destination": [INVOICES],
                "tags": tags,
            },
            kind.lower(): details,
        }
    )


BOUNCE = {
    "bounceType": "Permanent",
    "bounceSubType": "General",
    "bouncedRecipients": [{"emailAddress": "Invoices@nordlys.example", "action": "failed", "status": "5.1.1"}],
    "timestamp": "2026-11-23T10:00:05.000Z",
}
COMPLAINT = {
    "complainedRecipients": [{"emailAddress": f"Invoices <{INVOICES}>"}],
    "timestamp": "2026-11-23T10:00:05.000Z",
}
EVENT = "01M83DRBER6HR1QAESBEGZCQ20"
OURS = Delivery("nordlys-kaffe", EVENT, Delivery.digest(EVENT, INVOICES))


@pytest.mark.parametrize(
    ("feedback", "reason"),
    [(ses_report("Bounce", OURS, **BOUNCE), "bounced"), (ses_report("Complaint", OURS, **COMPLAINT), "complained")],
)
def test_an_undeliverable_address_is_recorded_once(feedback: str, reason: str, company: Company, post: Post) -> None:
    response = note_mail_feedback(post.delivered(feedback, feedback), Context())

    assert response == {"batchItemFailures": []}
    bodies = [json.loads(str(item["body"])) for item in stored_items()]
    [event] = [body for body in bodies if body.get("type") == "address.undeliverable"]
    assert event["after"] == {"email": INVOICES, "reason": reason}
    notify(post.delivered(notice(company)), Context())
    assert [to for to, _ in post.mails()] == ["ada@nordlys.example"]


@pytest.mark.parametrize(
    "feedback",
    [
        ses_report("Bounce", OURS, **{**BOUNCE, "bounceType": "Transient"}),
        ses_report("Bounce", None, **BOUNCE),
        ses_report("Bounce", Delivery("nordlys-kaffe", EVENT, "0" * 32), **BOUNCE),
        "Successfully validated SNS topic for Amazon SES event publishing.",
        ses_report("Bounce", Delivery("no-such-account", OURS.event, OURS.recipient), **BOUNCE),
        ses_report("Bounce", Delivery(None, OURS.event, OURS.recipient), **BOUNCE),
        ses_report("Delivery", OURS),
        ses_report("Send", OURS),
    ],
)
def test_a_report_that_needs_no_action_changes_nothing(feedback: str, company: Company, post: Post) -> None:
    before = stored_items()

    assert note_mail_feedback(post.delivered(feedback), Context()) == {"batchItemFailures": []}

    assert stored_items() == before


@pytest.mark.parametrize("feedback", ["no JSON", "{}", "[]", '{"mail": {"tags": 7}, "eventType": "Bounce"}'])
def test_an_unreadable_report_is_retried_and_does_not_stop_the_others(
    feedback: str, company: Company, post: Post
) -> None:
    batch = post.delivered(feedback, ses_report("Bounce", OURS, **BOUNCE))
    [bad] = [record["messageId"] for record in batch["Records"] if record["body"] == feedback]

    lines = io.StringIO()
    handler = workers.logger.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(lines)
    try:
        assert note_mail_feedback(batch, Context()) == {"batchItemFailures": [{"itemIdentifier": bad}]}
    finally:
        handler.setStream(before)

    logged = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [line["message"] for line in logged] == ["feedback not noted", "feedback"]
    assert logged[0]["message_id"] == bad
    assert logged[0]["reason"] in {"JSONDecodeError", "KeyError", "TypeError", "AttributeError"}

    assert any("address.undeliverable" in str(item["body"]) for item in stored_items())


def test_an_unreadable_report_is_retried_with_a_growing_delay(
    company: Company, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[int] = []
    monkeypatch.setattr(wiring.queue(), "change_visibility", lambda _, seconds: waits.append(seconds))
    batch = post.delivered("no JSON")
    [record] = batch["Records"]

    for received in (1, 2, 3, 20):
        record["attributes"]["ApproximateReceiveCount"] = str(received)
        note_mail_feedback(batch, Context())

    assert waits == [2, 4, 8, workers.WAIT_SECONDS_MAX]


def test_the_sample_report_is_recorded(company: Company, post: Post) -> None:
    sample = json.loads((ROOT / "events" / "note_mail_feedback.json").read_text(encoding="utf-8"))

    assert note_mail_feedback(sample, Context()) == {"batchItemFailures": []}

    assert any("address.undeliverable" in str(item["body"]) for item in stored_items())
