"""The mail sink receives messages by SMTP and stores them in the mail folder."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.background import free_port
from local.letter import Letter
from local.mail_folder import MAILS_MAX, MailFolder, mail_id, received_at
from local.settings import HOST, MAIL_PORT_VARIABLE, LocalError, settings_from_environment
from local.smtp_server import smtp_server
from tests.local.samples import PDF, full_message

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> MailFolder:
    folder = MailFolder(tmp_path / "mail")
    folder.prepare()
    return folder


@pytest.fixture
def connection(folder: MailFolder) -> Iterator[smtplib.SMTP]:
    """A connection to a running sink."""
    port = free_port()
    server = smtp_server(folder, port)
    server.start()
    try:
        with smtplib.SMTP(HOST, port, local_hostname="localhost", timeout=10) as connection:
            yield connection
    finally:
        server.stop()


def test_a_message_is_stored_unchanged_with_its_envelope(folder: MailFolder, connection: smtplib.SMTP) -> None:
    sent = full_message("ada@nordlys.example")

    connection.sendmail("billing@livello.example", ["ada@nordlys.example", "blind@nordlys.example"], sent)

    [mail] = folder.ids()
    content = folder.read(mail)
    assert content is not None
    assert content.endswith(sent)
    letter = Letter.of(content)
    assert letter.header("Return-Path") == "<billing@livello.example>"
    assert letter.header_values("Delivered-To") == ("ada@nordlys.example", "blind@nordlys.example")
    assert letter.attachments[0].content == PDF
    assert abs(received_at(mail) - datetime.now(UTC)) < timedelta(minutes=1)


def test_lines_with_dots_and_an_empty_body_arrive_unchanged(folder: MailFolder, connection: smtplib.SMTP) -> None:
    connection.sendmail("a@livello.example", ["b@livello.example"], b"Subject: Dots\r\n\r\n.\r\n..two\r\n")
    connection.sendmail("a@livello.example", ["b@livello.example"], b"Subject: Nothing\r\n\r\n")

    nothing, dots = (folder.read(mail) or b"" for mail in folder.ids())
    assert dots.endswith(b"\r\n\r\n.\r\n..two\r\n")
    assert nothing.endswith(b"Subject: Nothing\r\n\r\n")


def test_a_message_that_cannot_be_stored_is_refused(folder: MailFolder, connection: smtplib.SMTP) -> None:
    folder.folder.rmdir()

    with pytest.raises(smtplib.SMTPDataError):
        connection.sendmail("a@livello.example", ["b@livello.example"], b"Subject: Lost\r\n\r\n")


def test_ids_sort_by_time(folder: MailFolder) -> None:
    stored = [folder.store(b"", NOON + timedelta(microseconds=each)) for each in (3, 1, 2)]

    assert folder.ids() == [stored[0], stored[2], stored[1]]
    assert [received_at(each) for each in folder.ids()] == [NOON + timedelta(microseconds=each) for each in (3, 2, 1)]


def test_the_oldest_mail_is_deleted_beyond_the_limit(folder: MailFolder) -> None:
    for number in range(MAILS_MAX):
        folder.file(mail_id(NOON + timedelta(seconds=number), f"{number:016x}")).touch()
    oldest, second = folder.ids()[-1], folder.ids()[-2]

    newest = folder.store(b"", NOON + timedelta(days=1))

    assert len(folder.ids()) == MAILS_MAX
    assert folder.ids()[0] == newest
    assert folder.ids()[-1] == second
    assert folder.read(oldest) is None


def test_an_unfinished_file_is_no_mail_and_is_removed(folder: MailFolder) -> None:
    (folder.folder / f"{mail_id(NOON, '0' * 16)}.part").write_bytes(b"Subj")
    assert folder.ids() == []

    folder.prepare()

    assert list(folder.folder.iterdir()) == []


@pytest.mark.parametrize("mail", ["", "../settings", "..%2f", f"../mail/{mail_id(NOON, '0' * 16)}", "a/b", "\0"])
def test_a_path_is_refused_as_an_id(folder: MailFolder, mail: str) -> None:
    with pytest.raises(ValueError, match="no id"):
        folder.read(mail)


def test_the_mail_port_is_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MAIL_PORT_VARIABLE, "2600")
    assert settings_from_environment().mail_port == 2600

    for wrong in ("0", "65536", "mail"):
        monkeypatch.setenv(MAIL_PORT_VARIABLE, wrong)
        with pytest.raises(LocalError, match="LIVELLO_MAIL_PORT must be a port between 1 and 65535"):
            settings_from_environment()
