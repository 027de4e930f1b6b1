"""The MIME message of a letter."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from billing.correspondence.audiences import Attachment, Letter, Recipient, Vendor
from billing.correspondence.message import message

VENDOR = Vendor("Søster & Bror", "https://billing.vendor.example", "support@vendor.example")
ADA = Recipient("ada@nordlys.example", "Ada Holm")
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
LETTER = Letter(
    "Fattura n. A-2026-000001: è pronta",
    "Città, perché, ☕\n" + "x" * 1200 + "\n",
    "<p>Città, perché, ☕</p>",
    (
        Attachment("Fattura è.pdf", "application/pdf", bytes(range(256))),
        Attachment("review.ics", 'text/calendar; charset="utf-8"; method=REQUEST', "BEGIN:VCALENDAR\r\n☕".encode()),
        Attachment("weeks.png", "image/png", b"\x89PNG", inline="weeks"),
    ),
)


def sent(letter: Letter = LETTER, recipient: Recipient = ADA) -> tuple[bytes, EmailMessage]:
    raw = message(letter, recipient, "billing@vendor.example", VENDOR, "01M83DRBER6HR1QAESBEGZCQ20", NOW)
    return raw, email.message_from_bytes(raw, EmailMessage, policy=email.policy.default)


def test_a_message_is_ascii_and_needs_no_reencoding() -> None:
    raw, _ = sent()

    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998, "RFC 5322, 2.1.1"


def test_headers_name_sender_recipient_and_event() -> None:
    _, mail = sent()

    assert mail["From"] == "Søster & Bror <billing@vendor.example>"
    assert mail["To"] == "Ada Holm <ada@nordlys.example>"
    assert mail["Reply-To"] == "support@vendor.example"
    assert mail["Subject"] == LETTER.subject
    assert mail["Date"].datetime == NOW
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Livello-Event"] == "01M83DRBER6HR1QAESBEGZCQ20"


def test_a_message_has_a_text_and_an_html_part() -> None:
    _, mail = sent()

    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().splitlines() == LETTER.text.splitlines()
    assert html.get_content().strip() == LETTER.html


def test_attachments_keep_their_content_and_names() -> None:
    _, mail = sent()

    pdf, calendar = mail.iter_attachments()
    assert (pdf.get_filename(), pdf.get_content_type(), pdf.get_content()) == (
        "Fattura è.pdf",
        "application/pdf",
        bytes(range(256)),
    )
    assert (calendar.get_filename(), calendar.get_content_type()) == ("review.ics", "text/calendar")
    assert (calendar.get_param("method"), calendar.get_param("charset")) == ("REQUEST", "utf-8")
    assert calendar.get_payload(decode=True) == LETTER.attachments[1].content


def test_an_inline_picture_is_related_to_the_html() -> None:
    _, mail = sent()

    [picture] = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert picture["Content-ID"] == "<weeks>"
    assert picture.get_content_disposition() == "inline"
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
        "text/calendar",
    ]


ENCODED = [
    "=?utf-8?b?PGV2aWxAeC5leGFtcGxlPiw=?=",
    "=?utf-8?q?a=0d=0aBcc:x@y.example?=",
    "=?utf-8?q?a=0d=0a=0d=0aA body?= Holm",
    "=?utf-8?q?a=e9?= =?x?b?",
]
"""Encoded words (RFC 2047) that would decode into a header or an address."""


def test_a_subject_with_an_encoded_word_is_not_decoded() -> None:
    for subject in ENCODED:
        _, mail = sent(Letter(subject, "Hello", "<p>Hello</p>"))

        assert mail["Bcc"] is None
        assert "".join(mail["Subject"].split()) == "".join(subject.split())


@pytest.mark.parametrize(
    "name", ["Ada\r\nBcc: all@x.example", "Ada\nHolm", 'Ada "the" Holm, Esq.', "☕" * 200, None, *ENCODED]
)
def test_a_name_cannot_become_a_header(name: str | None) -> None:
    raw, mail = sent(recipient=Recipient("ada@nordlys.example", name))

    assert mail["Bcc"] is None
    [address] = mail["To"].addresses
    assert address.addr_spec == "ada@nordlys.example"
    # The standard library's reader puts a space between the parts of a name that was folded.
    assert "".join(address.display_name.split()) == "".join((name or "").split())
    assert raw.isascii()


def test_an_internationalised_domain_is_written_in_ascii() -> None:
    _, mail = sent(recipient=Recipient("ada@kaffé.example", "Ada"))

    assert mail["To"] == "Ada <ada@xn--kaff-epa.example>"


def test_a_letter_without_attachments_has_only_text_and_html() -> None:
    _, mail = sent(Letter("Hello", "Hello", "<p>Hello</p>"))

    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
