"""A sample message with text, HTML, a picture and attachments, as Livello sends them."""

from __future__ import annotations

import base64
from email.message import EmailMessage
from email.policy import SMTP

PDF = b"%PDF-1.4\n" + bytes(range(256)) * 40
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPj/HwADAgH/p9ZkgAAAAABJRU5ErkJggg=="
)
CALENDAR = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"
PDF_NAME = "Rechnung für Müller & Söhne.pdf"


def full_message(to: str, subject: str = "Rechnung für Müller") -> bytes:
    """The message in 7-bit ASCII, because the emulated SES cannot send anything else."""
    mail = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    mail["From"] = "Livello <billing@livello.example>"
    mail["To"] = to
    mail["Subject"] = subject
    mail.set_content("Grüße.\nIhre Rechnung: https://livello.example/billing?a=1&b=2.\n")
    mail.add_alternative('<h1>Grüße</h1><img src="cid:logo@livello" alt="Livello">', subtype="html")
    html = mail.get_payload(1)
    assert isinstance(html, EmailMessage)
    html.add_related(PICTURE, "image", "png", cid="<logo@livello>", disposition="inline", filename="logo.png")
    mail.add_attachment(PDF, maintype="application", subtype="pdf", filename=PDF_NAME)
    mail.add_attachment(CALENDAR, maintype="text", subtype="calendar", filename="cancel-by.ics")
    return mail.as_bytes()
