"""From the emulated SES to the browser: the front door shows sent mail completely."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest

from local.cloud import client
from local.demo.companies import COMPANIES
from local.deployment import SENDER_ADDRESS
from local.mail_folder import MailFolder
from local.stack import Stack
from tests.local.samples import CALENDAR, PDF, PDF_NAME, PICTURE, full_message

SECONDS_MAX = 20


def new_address() -> str:
    """A new address, so only this test's mail arrives there."""
    return f"{uuid.uuid4().hex}@mailbox.example"


def listed(stack: Stack, to: str, more_than: int = 0) -> list[dict[str, Any]]:
    """The mails to an address, as soon as there are more than so many."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        items: list[dict[str, Any]] = stack.api.request("GET", f"/mail.json?to={to}").json()["items"]
        if len(items) > more_than:
            return items
        assert time.monotonic() < deadline, f"no mail to {to}"
        time.sleep(0.1)


def test_a_mail_with_pictures_and_attachments_arrives_completely(stack: Stack) -> None:
    to = new_address()
    raw = full_message(f"Ada Lövelace <{to}>")

    answer = client(stack.settings, "ses").send_raw_email(
        Source=SENDER_ADDRESS, Destinations=[to], RawMessage={"Data": raw}
    )

    [mail] = listed(stack, to)
    assert mail["whole"]
    assert mail["message_id"] == answer["MessageId"]
    assert mail["to"] == [to]
    assert mail["subject"] == "Rechnung für Müller"
    assert mail["text"].startswith("Grüße.\n")
    assert [each["name"] for each in mail["attachments"]] == [PDF_NAME, "cancel-by.ics"]
    pdf, calendar = (stack.api.request("GET", each["href"]) for each in mail["attachments"])
    assert (pdf.headers["Content-Type"], pdf.body) == ("application/pdf", PDF)
    assert "filename*=UTF-8''Rechnung%20f%C3%BCr%20M%C3%BCller" in pdf.headers["Content-Disposition"]
    assert (calendar.headers.get_content_type(), calendar.body) == ("text/calendar", CALENDAR)
    html = stack.api.request("GET", mail["html"])
    assert html.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert "<h1>Grüße</h1>" in html.body.decode()
    picture = stack.api.request("GET", html.body.decode().partition('src="')[2].partition('"')[0])
    assert (picture.headers["Content-Type"], picture.body) == ("image/png", PICTURE)
    page = stack.api.request("GET", f"/mail/{mail['mail']}")
    assert "Rechnung für Müller" in page.body.decode()
    assert f"/mail/{mail['mail']}" in stack.api.request("GET", f"/mail?to={to}").body.decode()
    assert [each["Message-ID"].strip("<>") for each in stack.mails() if each["Delivered-To"] == to] == [
        answer["MessageId"]
    ]


def test_a_log_in_code_is_listed_once(stack: Stack) -> None:
    member = COMPANIES[0].member.email
    before = len(stack.api.request("GET", f"/mail.json?to={member}").json()["items"])

    answer = stack.api.request(
        "POST",
        "/auth",
        body={"ClientId": stack.outputs["BillingPageClientId"], "Username": member},
        headers={
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "AWSCognitoIdentityProviderService.ForgotPassword",
        },
    )

    assert answer.status == 200
    newest, *others = listed(stack, member, more_than=before)
    assert newest["whole"]
    assert "654321" in newest["text"]
    assert len(others) == before
    time.sleep(4)  # by now a mail that did not arrive would be listed from the record of SES
    assert len(listed(stack, member)) == before + 1


@pytest.mark.parametrize(
    "raw", ["Subject: Grüße\r\n\r\nHällo\r\n".encode(), b"Subject: Long\r\n\r\n" + b"x" * 2000], ids=["umlaut", "long"]
)
def test_a_mail_that_the_emulator_cannot_send_is_listed_from_its_record(stack: Stack, raw: bytes) -> None:
    to = new_address()
    whole = f"From: {SENDER_ADDRESS}\r\nTo: {to}\r\n".encode() + raw

    client(stack.settings, "ses").send_raw_email(Source=SENDER_ADDRESS, Destinations=[to], RawMessage={"Data": whole})

    [mail] = listed(stack, to)
    assert not mail["whole"]
    assert "not whole" in stack.api.request("GET", f"/mail?to={to}").body.decode()
    assert "did not come in whole" in stack.api.request("GET", f"/mail/{mail['mail']}").body.decode()


def test_every_mail_of_livello_arrives_completely(stack: Stack) -> None:
    """A mail that does not arrive is one that a mail server would refuse."""
    listed(stack, COMPANIES[0].admin.email)
    items = stack.api.request("GET", f"/mail.json?to={COMPANIES[0].admin.email}").json()["items"]

    assert all(each["whole"] for each in items)
    assert len(MailFolder(stack.settings.mail_folder).ids()) >= len(items)
