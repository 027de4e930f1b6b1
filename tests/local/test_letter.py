"""Messages are parsed, also broken and hostile ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.letter import NAME_LENGTH_MAX, Letter, safe_file_name
from tests.local.samples import CALENDAR, PDF, PDF_NAME, PICTURE, full_message


def test_a_message_is_split_into_text_html_pictures_and_attachments() -> None:
    letter = Letter.of(full_message("Ada Lövelace <ada@nordlys.example>"))

    assert letter.header("Subject") == "Rechnung für Müller"
    assert letter.header("to") == "Ada Lövelace <ada@nordlys.example>"
    assert letter.text is not None
    assert letter.text.text.startswith("Grüße.")
    assert letter.html is not None
    assert "<h1>Grüße</h1>" in letter.html.text
    assert [each.content for each in letter.pictures] == [PICTURE]
    assert [(each.name, each.content_type) for each in letter.attachments] == [
        (PDF_NAME, "application/pdf"),
        ("cancel-by.ics", "text/calendar"),
    ]
    assert [each.content for each in letter.attachments] == [PDF, CALENDAR]


def test_references_to_known_pictures_are_replaced() -> None:
    letter = Letter.of(full_message("ada@nordlys.example").replace(b"cid:logo@", b"cid:logo%40"))
    [picture] = letter.pictures

    assert f'src="/there/{picture.number}"' in letter.html_with_pictures("/there/")
    unknown = Letter.of(b'Content-Type: text/html\r\n\r\n<img src="cid:nowhere">')
    assert unknown.html_with_pictures("/there/") == '<img src="cid:nowhere">'


def test_an_attached_text_is_not_the_body() -> None:
    letter = Letter.of(b"Content-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nfile")

    assert letter.text is None
    assert [each.name for each in letter.attachments] == ["a.txt"]


def test_an_attached_message_is_a_file() -> None:
    letter = Letter.of(b"Content-Type: message/rfc822\r\n\r\nSubject: Inner\r\n\r\nHello")

    assert [each.content for each in letter.attachments] == [b"Subject: Inner\n\nHello"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff\xfe",
        b"no header at all",
        b"Subject: \xff\xfe\r\n\r\n\xff",
        b"Subject: =?utf-8?B?////?=\r\n\r\n",
        b"Subject: =?no-such-charset?Q?a?=\r\n\r\n",
        b"To: <<<>>>,,;:@\r\nFrom: =?utf-8?Q?\r\nMessage-ID: <\r\nDate: yesterday\r\n\r\n",
        b"Content-Type: text/plain; charset=no-such-charset\r\n\r\n\xe4",
        b'Content-Type: text/plain; charset="utf-8\0"\r\n\r\n\xe4',
        b"Content-Type: text/html; charset=hex\r\n\r\nzz",
        b"Content-Type: ;;;=\r\nContent-Disposition: ;;;\r\n\r\n",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n--x\r\n\r\n--y",
        b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVsbG8=",
        b"Content-Disposition: attachment; filename*=no-such''%ff; filename*0*=a\r\n\r\n",
    ],
)
def test_a_malformed_message_can_be_shown(raw: bytes) -> None:
    everything(Letter.of(raw))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["Subject", "To", "From", "Message-ID", "Content-Type", "Content-Disposition", "Content-ID"]
            ),
            st.text(alphabet="=?utf-8BQ\"'<>@;:,()[]/*% aä\\.\t", max_size=40),
        ),
        max_size=5,
    ),
    st.binary(max_size=40),
)
def test_any_message_can_be_shown(headers: list[tuple[str, str]], body: bytes) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    everything(Letter.of(f"{lines}\r\n".encode() + body))


def everything(letter: Letter) -> None:
    """Reads everything that the pages show."""
    for name, value in letter.headers():
        assert "\n" not in value, name
        value.encode()
    for part in letter.parts:
        assert part.name
        assert isinstance(part.text.encode("utf-8", "replace"), bytes)
    letter.html_with_pictures("/there/")
    assert letter.header("Subject") == letter.header("SUBJECT")


@pytest.mark.parametrize(
    ("given_name", "safe"),
    [
        (PDF_NAME, PDF_NAME),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\evil.exe", "evil.exe"),
        ("..", ""),
        ('a"b\r\nSet-Cookie: x.pdf', "a_b Set-Cookie_ x.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\0b.pdf", "a b.pdf"),
        ("x" * 300 + ".pdf", "x" * (NAME_LENGTH_MAX - 4) + ".pdf"),
    ],
)
def test_a_file_name_is_made_safe(given_name: str, safe: str) -> None:
    assert safe_file_name(given_name) == safe
