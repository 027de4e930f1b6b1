"""The mailbox pages of the front door, through HTTP, without an emulated AWS behind it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from local.api_client import Answer, ApiClient
from local.background import free_port
from local.front_door import FrontDoor
from local.mail_folder import MAILS_MAX, MailFolder
from local.mailbox import PAGE_SIZE, RELAY_SECONDS_MAX, Mailbox
from local.settings import HOST, Settings
from tests.local.samples import PDF, PDF_NAME, PICTURE, full_message

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SCRIPT = "<script>alert(1)</script>"


class Door:
    """A front door and its mail folder."""

    def __init__(self, settings: Settings) -> None:
        self.address = ApiClient(settings.address)
        self.port = settings.front_door_port
        self.folder = MailFolder(settings.mail_folder)
        self.folder.prepare()

    def get(self, path: str) -> Answer:
        return self.address.request("GET", path)

    def page(self, path: str) -> str:
        answer = self.get(path)
        assert answer.status == 200, answer
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        return answer.body.decode()

    def json(self, path: str) -> Any:
        answer = self.get(path)
        assert answer.status == 200
        return answer.json()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    settings = Settings(tmp_path, tmp_path, cloud_port=free_port(), front_door_port=free_port(), mail_port=free_port())
    with FrontDoor(settings) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        yield Door(settings)
        server.shutdown()
        serving.join()


def test_a_mail_is_shown_with_text_html_pictures_and_attachments(door: Door) -> None:
    mail = door.folder.store(full_message("Ada <ada@nordlys.example>"), NOON)

    listed, page = door.page("/mail"), door.page(f"/mail/{mail}")
    [item] = door.json("/mail.json")["items"]
    html, raw = door.get(f"/mail/{mail}/html"), door.get(f"/mail/{mail}/raw")

    assert f"/mail/{mail}" in listed
    assert "2026-03-02 12:00:00 UTC" in listed
    assert "Ada &lt;ada@nordlys.example&gt;" in listed
    assert f"<iframe sandbox='' src='/mail/{mail}/html'" in page
    assert "Grüße.\nIhre Rechnung: <a href='https://livello.example/billing?a=1&amp;b=2'" in page
    assert "Rechnung für Müller &amp; Söhne.pdf" in page
    assert html.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = html.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:")
    assert (raw.headers["Content-Type"], raw.body) == ("text/plain; charset=utf-8", door.folder.read(mail))
    assert item["subject"] == "Rechnung für Müller"
    assert item["text"].startswith("Grüße.")
    pdf, calendar = (door.get(each["href"]) for each in item["attachments"])
    assert pdf.body == PDF
    assert pdf.headers["Content-Type"] == "application/pdf"
    assert pdf.headers["Content-Disposition"] == (
        'attachment; filename="Rechnung fur Muller _ Sohne.pdf"; '
        "filename*=UTF-8''Rechnung%20f%C3%BCr%20M%C3%BCller%20%26%20S%C3%B6hne.pdf"
    )
    assert PDF_NAME in door.page(f"/mail/{mail}").replace("&amp;", "&")
    assert calendar.headers["Content-Type"].startswith("text/calendar")
    address = html.body.decode().partition('src="')[2].partition('"')[0]
    picture = door.get(address)
    assert (picture.headers["Content-Type"], picture.body) == ("image/png", PICTURE)


def test_hostile_text_is_escaped(door: Door) -> None:
    mail = EmailMessage()
    mail["From"] = f'"{SCRIPT}" <a@livello.example>'
    mail["To"] = f'"{SCRIPT}" <b@livello.example>'
    mail["Subject"] = f"'\"></title>{SCRIPT}"
    mail[f"X-{SCRIPT.replace(' ', '')}"] = SCRIPT
    mail.set_content(f"https://livello.example/'onclick='{SCRIPT}")
    mail.add_attachment(b"", maintype="text", subtype="html", filename=f"{SCRIPT}'.html")
    stored = door.folder.store(mail.as_bytes(), NOON)

    for path in ("/mail", f"/mail/{stored}", "/mail?to=%22%3E%3Cscript%3E", f"/mail?to={'x' * 5000}"):
        assert "<script" not in door.page(path).lower(), path
        assert "'onclick" not in door.page(path), path


def test_html_is_always_served_sandboxed(door: Door) -> None:
    mail = EmailMessage()
    mail["To"] = "a@livello.example"
    mail.set_content(SCRIPT, subtype="html")
    for kind in ("html", "xml", "javascript"):
        mail.add_attachment(SCRIPT, subtype=kind, filename=f"a.{kind}")
    mail.add_attachment(SCRIPT.encode(), maintype="image", subtype="svg+xml", filename="a.svg")
    stored = door.folder.store(mail.as_bytes(), NOON)

    assert SCRIPT not in door.page(f"/mail/{stored}")
    for path in (f"/mail/{stored}/html", f"/mail/{stored}/raw", *(f"/mail/{stored}/part/{n}" for n in range(5))):
        answer = door.get(path)
        assert answer.status == 200
        assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        if "/part/" in path:
            assert answer.headers["Content-Type"] == "application/octet-stream"
            assert answer.headers["Content-Disposition"].startswith("attachment; filename=")


@pytest.mark.parametrize(
    "path",
    [
        "/mail/no-such-mail",
        "/mail/20261123T120000000000Z-0000000000000000",
        "/mail/../mail.json/..",
        "/mail/..%2f..%2fministack.json",
        "/mail/../../ministack",
        "/mail/%2e%2e/ministack/raw",
        "/mail//raw",
        "/mail/{mail}/part/99",
        "/mail/{mail}/part/-1",
        "/mail/{mail}/part/../raw",
        "/mail/{mail}/html",
        "/mail/{mail}.eml",
        "/mail/{mail}/raw/",
        "//[/mail",
        "/mailbox",
    ],
)
def test_a_missing_page_is_a_problem_document(door: Door, path: str) -> None:
    stored = door.folder.store(b"Subject: Only text\r\n\r\nHello", NOON)
    (door.folder.folder.parent / "ministack.eml").write_text("secret")

    answer = door.get(path.format(mail=stored))

    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["title"] == "Not Found"


def test_the_mailbox_is_read_only_and_refuses_other_host_names(door: Door) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert door.address.request(method, "/mail").status == 404
    assert door.address.request("HEAD", "/mail").status == 200
    connection = http.client.HTTPConnection(HOST, door.port, timeout=10)
    connection.request("GET", "/mail.json", headers={"Host": "evil.example"})
    assert connection.getresponse().status == 421
    connection.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\x00 nothing\r\n",
        b"Subject: =?utf-8?B?//8=?= \xff\r\nTo: <<>>,\xff\r\n\r\n\xff",
        b"Content-Type: multipart/mixed; boundary=x\r\nTo: \xed\xa0\x80\r\n\r\n--x\r\n\r\n\xff<b>",
        b"Content-Type: text/html; charset=utf-7\r\n\r\n+2AA-",
    ],
)
def test_a_malformed_mail_breaks_no_page(door: Door, raw: bytes) -> None:
    stored = door.folder.store(raw, NOON)

    assert stored in door.page("/mail")
    assert "All headers" in door.page(f"/mail/{stored}")
    assert [each["mail"] for each in door.json("/mail.json")["items"]] == [stored]
    assert door.get(f"/mail/{stored}/raw").body == raw
    assert door.get(f"/mail/{stored}/part/0").status == 200
    assert door.get(f"/mail/{stored}/html").status in {200, 404}


def test_the_list_is_paged_and_filtered_by_address(door: Door) -> None:
    for number in range(PAGE_SIZE + 5):
        message = (
            f"Delivered-To: {'odd' if number % 2 else 'even'}@nordlys.example\r\nSubject: S{number}\r\n\r\n".encode()
        )
        door.folder.store(message, NOON + timedelta(seconds=number))
    door.folder.store(b"Delivered-To: odd@nordlys.example\r\nDelivered-To: blind@nordlys.example\r\n\r\n", NOON)

    first = door.json("/mail.json")
    second = door.json(first["next"])
    subjects = [each["subject"] for each in [*first["items"], *second["items"]]]
    odd = door.json("/mail.json?to=ODD@nordlys.example")["items"]

    assert len(first["items"]) == PAGE_SIZE
    assert second["next"] is None
    assert [each for each in subjects if each] == [f"S{number}" for number in reversed(range(PAGE_SIZE + 5))]
    assert len(odd) == (PAGE_SIZE + 5) // 2 + 1
    assert [each["to"] for each in door.json("/mail.json?to=blind%40")["items"]] == [
        ["odd@nordlys.example", "blind@nordlys.example"]
    ]
    assert "Older" in door.page("/mail")
    assert "Older" not in door.page("/mail?to=odd@")
    assert "None to such an address." in door.page("/mail?to=nobody")


def ses_message(message_id: str, sent_at: datetime, **changes: Any) -> dict[str, Any]:
    """A message in the emulated SES's record."""
    return {
        "MessageId": message_id,
        "Source": "no-reply@verificationemail.com",
        "To": ["ada@nordlys.example"],
        "CC": [],
        "BCC": [],
        "Subject": "Your verification code",
        "BodyText": "Your code is 654321",
        "BodyHtml": None,
        "Timestamp": sent_at.timestamp(),
        **changes,
    }


def test_a_mail_that_did_not_arrive_is_shown_from_the_record_of_ses_once(tmp_path: Path) -> None:
    folder = MailFolder(tmp_path / "mail")
    folder.prepare()
    stored = folder.store(b"Message-ID: <one@email.amazonses.com>\r\nSubject: One\r\n\r\n", NOON)
    now = datetime.now(UTC)
    hostile = {"Subject": "a\r\nTo: b\ud800", "Source": "\0", "BCC": ["c\n@d"], "BodyHtml": "<p>\ud800"}
    record = [
        ses_message("one@email.amazonses.com", NOON - timedelta(seconds=1)),
        ses_message("two@email.amazonses.com", NOON + timedelta(seconds=1), **hostile),
        ses_message("three@email.amazonses.com", now - timedelta(seconds=RELAY_SECONDS_MAX / 2)),
    ]
    mailbox = Mailbox(folder, lambda: record)

    lost, whole = mailbox.page("", "").mails

    assert (whole.id, whole.is_whole, lost.is_whole) == (stored, True, False)
    mail = mailbox.find(lost.id)
    assert mail is not None
    letter = mail.letter()
    assert letter.text is not None
    assert letter.text.text.strip() == "Your code is 654321"
    assert letter.header("To") == "ada@nordlys.example"


def test_a_deleted_old_mail_does_not_come_back_from_the_record_of_ses(tmp_path: Path) -> None:
    folder = MailFolder(tmp_path / "mail")
    folder.prepare()
    for number in range(MAILS_MAX + 1):
        message = f"Message-ID: <{number}@email.amazonses.com>\r\n\r\n".encode()
        folder.file(f"20260302T12{number // 60:02}{number % 60:02}000000Z-{number:016x}").write_bytes(message)
    dropped = folder.ids()[-1]
    folder.file(dropped).unlink()
    mailbox = Mailbox(folder, lambda: [ses_message("0@email.amazonses.com", NOON - timedelta(seconds=1))])

    before, count = "", 0
    while True:
        page = mailbox.page("", before)
        count += len(page.mails)
        assert all(each.is_whole for each in page.mails)
        if page.next is None:
            break
        before = page.next

    assert count == MAILS_MAX


def test_the_mailbox_is_served_as_json(door: Door) -> None:
    answer = door.get("/mail.json")

    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(answer.body) == {"items": [], "next": None}
