"""Builds the MIME message of a letter (RFC 5322), in ASCII only: no relay has to re-encode it."""

from __future__ import annotations

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from billing.correspondence.audiences import Attachment, Letter, Recipient, Vendor
from billing.correspondence.ses_mailer import in_ascii

_POLICY = SMTP.clone(cte_type="7bit")


def message(letter: Letter, recipient: Recipient, sender: str, vendor: Vendor, event: str, now: datetime) -> bytes:
    """The MIME message about an event to a recipient, as bytes. Raises ValueError for an invalid address."""
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = _address(sender, vendor.name)
    mail["To"] = _address(recipient.email, recipient.name)
    mail["Reply-To"] = _address(vendor.reply_to, None)
    mail["Subject"] = _one_line(letter.subject)
    mail["Date"] = format_datetime(now)
    # Suppresses out-of-office replies (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Livello-Event"] = event
    mail.set_content(letter.text)
    mail.add_alternative(letter.html, subtype="html")
    html = mail.get_payload(1)
    if not isinstance(html, EmailMessage):
        raise TypeError("the HTML is the second alternative")
    for each in letter.attachments:
        if each.inline is not None:
            maintype, subtype = each.content_type.split("/")
            html.add_related(
                each.content,
                maintype=maintype,
                subtype=subtype,
                cid=f"<{each.inline}>",
                filename=each.name,
                disposition="inline",
            )
    for each in letter.attachments:
        if each.inline is None:
            _attach(mail, each)
    return mail.as_bytes()


def _attach(mail: EmailMessage, attachment: Attachment) -> None:
    kind, *parameters = (part.strip() for part in attachment.content_type.split(";"))
    maintype, subtype = kind.split("/")
    mail.add_attachment(attachment.content, maintype=maintype, subtype=subtype, filename=attachment.name)
    attached = [*mail.iter_attachments()][-1]
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        attached.set_param(name, value.strip('"'))


def _address(email: str, name: str | None) -> Address:
    return Address(display_name=_one_line(name or ""), addr_spec=in_ascii(email))


def _one_line(text: str) -> str:
    # Mail programs would decode an encoded word (RFC 2047), and it could contain a header or an address.
    return " ".join(text.replace("=?", "= ?").split())
