"""Rendered mails: their words in each language and in both forms, their attachments, and hostile input."""

# ruff: noqa: RUF001 - apostrophes and dashes as printers set them

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from billing.correspondence.audiences import Attachment, Letter, LetterContext, Recipient, Vendor
from billing.correspondence.event_kinds import SCHEMA_OF, AnyEvent
from billing.correspondence.letters import MAILED, SUBJECT_LETTERS_MAX, NoSuchMail, letter
from billing.correspondence.plain_text import COLUMNS
from billing.correspondence.usage_picture import HEIGHT, WIDTH, usage_picture
from billing.languages import LANGUAGES
from billing.languages.formats import formats
from icalendar import Calendar
from PIL import Image
from pydantic import ValidationError

from scripts.mail_preview import COLLEAGUE, PDF, RECIPIENT, VENDOR, main, recipient, sample, samples, written
from tests.mail.reading import Page

GMAIL_CLIPS_BYTES = 100_000

EUROS, NO_EUROS = {"amount": 301500, "currency": "EUR"}, {"amount": 0, "currency": "EUR"}
KRONER = {"amount": 301500, "currency": "DKK"}
DEBIT = {"country": "DE", "last_four": "3000", "mandate": "MYQPQX3GYSJQ7RYT", "creditor": "DE98ZZZ09999999999"}

EVERY = [
    pytest.param(event, language, id=f"{language}-{name}")
    for language in sorted(LANGUAGES)
    for name, event in samples()
]
every_mail = pytest.mark.parametrize(("event", "language"), EVERY)

EXEMPT_WITHOUT_END = {
    "code": "VATEX-EU-151-1A",
    "words": {"en": "Exempt from VAT"},
    "certificate": {"reference": "R-1", "authority": "Ministry", "issued_on": date(2026, 7, 20)},
    "valid_from": date(2026, 10, 15),
    "valid_until": None,
}

BY_THEMSELVES = {"user": "b3c4f8a2-7051-70d5-9a4e-2f6c1d0e8b91"}
"""The user of the sample events who has made the change."""

LETTER_CONTEXT = LetterContext("Nordlys Kaffe", "en", "Europe/Copenhagen", "Astrid Holm")

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "Astrid\r\nBcc: all@nordlys.example",
    "\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe\N{PARAGRAPH SEPARATOR}\x00\x1b[2J",
    "{{ 7 * 7 }}{% for each in [] %}{{ vendor }}{# no #}",
    "a" * 200,
    "\ud800 half of a letter",
)
"""Hostile names that a user could choose."""


SCREENS_OF_THE_PAGE = re.compile(
    r"https://billing\.livello\.example/(?:#/nordlys-kaffe/(?:billing(?:/(?:company|billing|contact|payment|term))?"
    r"|invoices(?:/[A-Z0-9-]+)?|overview|usage|reduction|decisions|reviews|users|cancellation|reactivation|export|log))?"
)
OVERVIEW = "https://billing.livello.example/#/nordlys-kaffe/overview"


def one_line(words: str) -> str:
    return re.sub(r"[ \n|>]+", " ", words)


def both(mail: Letter) -> tuple[str, str]:
    """The words of the plain text and of the HTML, each on one line."""
    return one_line(mail.text), Page(mail.html).words


# ---- Every mail ------------------------------------------------------------------------------------


@every_mail
def test_a_mail_is_complete_and_harmless(event: AnyEvent, language: str) -> None:
    mail = written(event, language)
    page = Page(mail.html)

    assert mail.subject == mail.subject.strip() != ""
    assert mail.subject.isprintable() or "\N{NO-BREAK SPACE}" in mail.subject
    assert "\n" not in mail.subject
    for words in (mail.subject, mail.text, page.words):
        for leftover in ("{{", "{%", "None", "Undefined", "&lt;", "&amp;", "{#"):
            assert leftover not in words
    assert page.language == language
    bank = {getattr(event.after, "authenticate_at", None)}
    ours = {link for link in page.links if not link.startswith("mailto:")} - bank
    assert {link for link in ours if not SCREENS_OF_THE_PAGE.fullmatch(link)} == set()
    assert f"mailto:{VENDOR.reply_to}" in page.links
    # A deleted account has no billing page.
    assert (page.links[-1] in {VENDOR.billing_page, OVERVIEW}) == (event.type != "account.deleted")
    assert len(mail.html.encode()) < GMAIL_CLIPS_BYTES


@every_mail
def test_text_and_html_say_the_same(event: AnyEvent, language: str) -> None:
    mail = written(event, language)

    def words_in(text: str) -> list[str]:
        without_links = re.sub(r"https://(?:billing|payments)\S+", "", text)
        return re.findall(r"[\w@,/-]*\w", without_links)

    # The HTML shows the subject as its heading; the plain text does not repeat it.
    text, page = words_in(mail.text), words_in(Page(mail.html).words)
    assert {*words_in(mail.subject), *text} == {*page, *words_in(mail.subject)}


@every_mail
def test_prose_is_wrapped(event: AnyEvent, language: str) -> None:
    for line in written(event, language).text.splitlines():
        assert len(line) <= COLUMNS or " " not in line.strip(" >|-"), line
        assert line == line.rstrip()


@every_mail
def test_a_mail_names_its_recipient_account_sender_and_reason(event: AnyEvent, language: str) -> None:
    for words in both(written(event, language)):
        assert str(recipient(event).name) in words
        assert "Nordlys Kaffe" in words
        assert VENDOR.reply_to in words
        assert {"en": "You get this mail because", "it": "Ricevete questa e-mail perché"}[language] in words


@every_mail
def test_rendering_is_deterministic(event: AnyEvent, language: str) -> None:
    assert written(event, language) == written(event, language)


def test_rendering_is_the_same_in_another_process() -> None:
    code = (
        "from scripts.mail_preview import *\n"
        "import hashlib\n"
        "mails = [written(event, language) for language in sorted(LANGUAGES) for _, event in samples()]\n"
        "print(hashlib.sha256(repr(mails).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_the_preview_writes_every_mail(tmp_path: Any) -> None:
    main(tmp_path)
    for language in LANGUAGES:
        assert {path.stem for path in (tmp_path / language).glob("*.html")} == {name for name, _ in samples()}
        assert (tmp_path / language / "review.booked.invite.ics").exists()
        assert (tmp_path / language / "invoice.issued.2026-0117.pdf").read_bytes() == PDF


# ---- Links ---------------------------------------------------------------------------------


def screens(event: AnyEvent, to: Recipient, language: str = "en") -> list[str]:
    """What follows the page's address in the links of a mail, and in both of its forms."""
    context = LetterContext("Nordlys Kaffe", language, "Europe/Copenhagen", "Astrid Holm")
    mail = letter(event, context, to, VENDOR, PDF)
    in_text = re.findall(r"^https://billing\.livello\.example/(\S*)$", mail.text, re.MULTILINE)
    assert in_text == [
        link.removeprefix(VENDOR.billing_page) for link in Page(mail.html).links if link.startswith(VENDOR.billing_page)
    ]
    return in_text


STAFF = replace(RECIPIENT, is_staff=True)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize(
    ("name", "changes", "screen"),
    [
        ("account.deactivated", {}, "reactivation"),
        ("account.deletion_near", {}, "export"),
        ("account.provisioned", {}, "overview"),
        ("account.reactivation_failed", {}, "reactivation"),
        ("admin_appointment.announced", {}, "users"),
        ("billing_information.changed", {}, "billing"),
        ("cancellation.requested", {}, "cancellation"),
        ("card.expiring", {}, "billing/payment"),
        ("credit_note.issued", {"number": "CN-2026-000001"}, "invoices/CN-2026-000001"),
        ("download.ready", {"kind": "export"}, "export"),
        ("download.ready", {"kind": "invoices", "year": 2026}, "invoices"),
        ("invoice.issued", {}, "invoices/2026-0117"),
        ("invoice.issued", {"method": None, "charge_on": None}, "billing/payment"),
        ("invoice.paid", {}, "invoices/2026-0117"),
        ("invoice.reminded", {}, "invoices/2026-0117"),
        ("invoice.reminded", {"invoice_at": None}, "invoices/2026-0117"),
        (
            "invoice.reminded",
            {"invoice_at": "https://billing.livello.example/invoices/2026-0117"},
            "invoices/2026-0117",
        ),
        ("payment.failed", {"reason": "declined"}, "invoices/2026-0117"),
        ("payment.failed", {"reason": "expired_card"}, "billing/payment"),
        ("renewal.notice_deadline_near", {}, "cancellation"),
        ("review.booked", {}, "reviews"),
        ("subscription.autoscaled", {}, "usage"),
        ("transfer.recorded", {}, "invoices"),
        ("usage.below_tier", {}, "reviews"),
        ("usage.threshold_reached", {}, "usage"),
        ("user.added", {}, "users"),
        ("vat_number.not_confirmed", {}, "billing/company"),
    ],
)
def test_a_mail_leads_to_its_screen(name: str, changes: dict[str, Any], screen: str, language: str) -> None:
    links = screens(sample(name, **changes), RECIPIENT, language)
    assert links == [f"#/nordlys-kaffe/{screen}", "#/nordlys-kaffe/overview"]


@pytest.mark.parametrize(
    ("name", "screen"), [("cancellation.requested", "overview"), ("vat_number.not_confirmed", "billing")]
)
def test_a_mail_leads_staff_to_a_screen_that_they_may_see(name: str, screen: str) -> None:
    assert screens(sample(name), STAFF)[0] == f"#/nordlys-kaffe/{screen}"


def test_an_account_on_a_test_clock_has_its_own_screens() -> None:
    """A dot in a text is broken, so that it is no link. In an address it is not."""
    event = sample("invoice.issued", number="TEST-q1-LV-2026-000001").model_copy(update={"account": "q1.nordlys"})
    assert screens(event, RECIPIENT) == ["#/q1.nordlys/invoices/TEST-q1-LV-2026-000001", "#/q1.nordlys/overview"]


@pytest.mark.parametrize(
    ("event", "to"),
    [
        (sample("user.removed"), replace(RECIPIENT, is_concerned=True)),
        (sample("open_claim.changed"), STAFF),
        (sample("account.money_open", stage="deleted", language="en"), STAFF),
        (sample("bank_statement.imported"), STAFF),
    ],
    ids=["removed", "claim", "deleted", "of-no-account"],
)
def test_without_an_account_to_see_the_link_leads_to_the_page_itself(event: AnyEvent, to: Recipient) -> None:
    assert screens(event, to) == [""]


def test_an_invitation_to_a_calendar_leads_to_the_reviews() -> None:
    [invitation] = [each for each in written(sample("review.booked"), "en").attachments if each.name == "invite.ics"]
    [event] = Calendar.from_ical(invitation.content).walk("VEVENT")
    assert str(event["description"]).endswith("https://billing.livello.example/#/nordlys-kaffe/reviews")


# ---- Words ---------------------------------------------------------------------------------

SAYS: list[tuple[str, dict[str, Any], str, list[str]]] = [
    (
        "invoice.issued",
        {},
        "en",
        ["2026-0117", "DKK\xa03,015.00", "DKK\xa0603.00", "DKK\xa01,095.00", "15 April 2026 through 14 July 2026"],
    ),
    (
        "invoice.issued",
        {},
        "it",
        ["2026-0117", "3.015,00\xa0DKK", "603,00\xa0DKK", "dal 15 aprile 2026 al 14 luglio 2026", "tramite carta"],
    ),
    (
        "invoice.issued",
        {"total": EUROS, "due": EUROS, "method": "bank_transfer", "charge_on": None},
        "en",
        ["Please transfer €3,015.00 by 29 April 2026 with the reference 2026-0117"],
    ),
    (
        "invoice.issued",
        {"total": EUROS, "due": EUROS, "method": "sepa_debit", "charge_on": date(2026, 4, 20), "debit": DEBIT},
        "en",
        [
            "notice of a SEPA direct debit: €3,015.00 on 20 April 2026 from the bank account that ends in 3000",
            "Mandate MYQPQX3GYSJQ7RYT",
            "Creditor identifier DE98ZZZ09999999999",
        ],
    ),
    (
        "invoice.issued",
        {"total": EUROS, "due": EUROS, "method": "sepa_debit", "charge_on": date(2026, 4, 20), "debit": DEBIT},
        "it",
        ["preavviso di un addebito diretto SEPA: 3.015,00\xa0€ il 20 aprile 2026", "Mandato MYQPQX3GYSJQ7RYT"],
    ),
    ("payment_method.changed", {}, "en", ["Mandate MYQPQX3GYSJQ7RYT", "Creditor identifier DE98ZZZ09999999999"]),
    ("payment_method.changed", {}, "it", ["Identificativo del creditore DE98ZZZ09999999999"]),
    ("payment.unexpected", {}, "en", ["DKK\xa03,015.00 of it is credit now", "Kept on invoice LV-2026-000042"]),
    ("payment.unexpected", {"number": None}, "en", ["there is no invoice in its currency. Refund it at Stripe"]),
    ("payment.unexpected", {"number": None}, "it", ["non c’è nessuna fattura"]),
    ("payment.refunded_outside", {}, "en", ["Please issue one for invoice LV-2026-000042"]),
    ("payment.refunded_outside", {"state": "failed"}, "en", ["has failed: the money is back"]),
    ("payment.refunded_outside", {"credit": KRONER}, "en", ["taken off the credit", "Taken off the credit DKK"]),
    ("payment.refunded_outside", {"credit": KRONER}, "it", ["Detratto dal credito 3.015,00\xa0DKK"]),
    ("invoice.paid", {"total": {"amount": 1234567, "currency": "JPY"}}, "en", ["JP¥1,234,567"]),
    ("invoice.paid", {"total": {"amount": 1234567, "currency": "JPY"}}, "it", ["1.234.567\xa0JPY"]),
    ("invoice.paid", {"total": {"amount": 1234567, "currency": "KWD"}}, "en", ["KWD\xa01,234.567"]),
    ("invoice.paid", {"total": {"amount": 1234567, "currency": "KWD"}}, "it", ["1.234,567\xa0KWD"]),
    ("invoice.paid", {"total": {"amount": 5, "currency": "EUR"}}, "it", ["0,05\xa0€"]),
    (
        "cancellation.requested",
        {},
        "en",
        [
            "20 December 2026, 14:05 (Central European Standard Time)",
            "stays active through 14 April 2027 ; from 15 April 2027 on it is no longer served",
            "15 February 2027",
            "15 January 2027 DKK\xa03,534.00",
            "29 April 2027",
            "until 28 April 2027, an admin can reactivate",
            "Astrid Holm, astrid@nordlys.example",
            "Too expensive",
            "We close two of our four shops in spring",
        ],
    ),
    (
        "cancellation.requested",
        {"active_until": "2027-04-12", "purge_on": "2027-05-09"},
        "it",
        ["20 dicembre 2026, 14:05", "fino all’11 aprile 2027 compreso", "fino all’8 maggio 2027", "Troppo caro"],
    ),
    (
        "subscription.autoscaled",
        {},
        "en",
        [
            "June 2026 16,384.6 11,240.2",
            "18 June 2026 4,812.4 1,146",
            "19 June 2026, marked as a peak by us",
            "All three are above the 10,000 searches",
            "In 12 of the last 13 weeks",
            "2 June 2026 9,820.4",
            "9 June 2026 10,410 above",
            "up to 10,000 searches, DKK\xa0365.00 per month",
            "up to 25,000 searches, DKK\xa0739.00 per month",
            "DKK\xa0374.00 , is invoiced on 15 September 2026",
            "on 15 October 2026, comes to DKK\xa03,534.00 instead of DKK\xa02,412.00",
            "Sofie Lindgren",
            "sofie.staff@livello.example",
        ],
    ),
    (
        "subscription.autoscaled",
        {},
        "it",
        ["giugno 2026 16.384,6 11.240,2", "fino a 25.000", "739,00\xa0DKK al mese", "dal 15 settembre 2026"],
    ),
    (
        "subscription.autoscaled",
        {"reason": "moved_by_returning_peaks"},
        "en",
        ["its peaks come back so regularly that they count as usage", "Not all three are above"],
    ),
    ("usage.threshold_reached", {"percent": 75}, "en", ["7,512.4 searches", "There is nothing that you need to do"]),
    ("usage.threshold_reached", {"percent": 90}, "en", ["90% of the monthly volume", "May 2026"]),
    ("usage.threshold_reached", {"percent": 100}, "en", ["the whole monthly volume", "A single high month does not"]),
    ("usage.threshold_reached", {"percent": 90}, "it", ["90%", "maggio 2026", "7.512,4"]),
    (
        "usage.corrected",
        {},
        "en",
        [
            "75% is not reached",
            "23 May 2026",
            "-1,023.4 searches",
            "Bytes were reported for kilobytes",
            "6,489 searches",
        ],
    ),
    ("usage.corrected", {}, "it", ["75%", "23 maggio 2026", "-1.023,4", "6.489", "non è raggiunto"]),
    ("usage.below_tier", {}, "en", ["7,932.67", "You would save DKK\xa0224.00 per month", "Nothing changes by itself"]),
    ("usage.below_tier", {}, "it", ["7.932,67", "224,00\xa0DKK al mese", "Nulla cambia da solo"]),
    ("payment.failed", {"reason": "declined"}, "en", ["declined", "we try again on 18 April 2026", "never cancels"]),
    ("payment.failed", {"reason": "insufficient_funds"}, "en", ["not enough money", "Amount due", "18 April 2026"]),
    ("payment.failed", {"reason": "expired_card", "next_attempt_on": None}, "en", ["We do not try again by ourselves"]),
    ("payment.failed", {"reason": "failed"}, "it", ["non disdice mai", "Importo dovuto", "18 aprile 2026"]),
    (
        "card.expiring",
        {},
        "en",
        ["Visa ending in 4242", "31 August 2026", "DKK\xa02,412.00 before tax on 15 October 2026"],
    ),
    ("card.expiring", {"days_left": 7}, "it", ["fino al 31 agosto 2026", "prima di quel giorno"]),
    ("card.updated", {}, "en", ["Mastercard ending in 4444, valid through 03/2030", "Visa ending in 4242"]),
    ("billing_information.changed", {}, "en", ["Address Havnegade 1 Vestergade 12", "(none) 2. sal", "by Astrid Holm"]),
    (
        "billing_information.changed",
        {"area": "billing", "details": {"email": "billing@nordlys.example", "language": "it"}},
        "it",
        ["indirizzo e lingua", "Lingua", "italiano"],
    ),
    ("billing_information.changed", {}, "it", ["CAP 1058 8000", "da Astrid Holm"]),
    ("invoice.issued", {"total": NO_EUROS, "due": NO_EUROS}, "en", ["Nothing is to be paid for it"]),
    (
        "invoice.issued",
        {"total": {"amount": -500, "currency": "EUR"}, "due": NO_EUROS},
        "it",
        ["Non c’è nulla da pagare"],
    ),
    ("account.deleted", {}, "en", ["29 April 2027, 00:10", "Counters of contents 1,904", "kept for 5 years"]),
    (
        "account.deleted",
        {},
        "en",
        [
            "but what is still open between us",
            "payment is disputed 1",
            "that we owe you 1",
            "31 December 2030",
            "art. 17",
        ],
    ),
    ("account.deleted", {}, "it", ["tranne quanto è ancora aperto tra noi", "31 dicembre 2030", "art. 17"]),
    ("account.deactivated", {}, "en", ["You still have to pay €363.28", "We still have to give back €50.00"]),
    ("account.deletion_near", {}, "it", ["Restano da pagare 363,28\xa0€", "Dobbiamo ancora restituire 50,00\xa0€"]),
    (
        "account.money_open",
        {},
        "en",
        ["is deleted on 29 April 2027", "The customer owes €726.56", "LV-2027-000131", "One invoice of €363.28"],
    ),
    ("account.money_open", {"stage": "deleted"}, "it", ["è cancellato", "partite aperte", "Dobbiamo 50,00\xa0€"]),
    ("credit.refund_failed", {}, "en", ["we owe the customer this money", "LV-2027-000131", "€50.00"]),
    ("open_claim.changed", {}, "en", ["the bank has taken its payment back for good (€363.28)", "write it off"]),
    ("open_claim.changed", {"change": "paid", "settled": True}, "it", ["è pagata", "la partita è cancellata"]),
    ("account.deactivated", {}, "en", ["as of 15 April 2027", "28 April 2027", "29 April 2027"]),
    ("account.reactivated", {}, "it", ["ogni mese, in EUR", "128,00\xa0€ imposte escluse il 20 aprile 2027"]),
    ("account.reactivation_failed", {}, "en", ["€160.00 did not go through", "declined", "29 April 2027"]),
    ("account.reactivation_failed", {"reason": "expired_card"}, "it", ["la carta è scaduta", "29 aprile 2027"]),
    ("credit_note.issued", {}, "en", ["goes back to what you have paid with", "Reason Invoiced on the wrong tier"]),
    ("credit_note.issued", {}, "it", ["tornano sul metodo", "Motivo Invoiced on the wrong tier"]),
    ("download.ready", {}, "en", ["All data of Nordlys Kaffe", "Files in it 42", "28 April 2027"]),
    ("download.ready", {"kind": "invoices", "year": 2026}, "it", ["note di credito del 2026", "28 aprile 2027"]),
    ("renewal.notice_deadline_near", {}, "en", ["15 January 2027", "for 3 months", "14 December 2026"]),
    ("review.booked", {}, "en", ["Tuesday, 20 October 2026, 10:00–10:30 (Central European Summer Time)", "Video call"]),
    ("review.booked", {}, "it", ["martedì 20 ottobre 2026, 10:00–10:30 (Ora legale dell’Europa centrale)"]),
    ("review.declined", {}, "en", ["no lower tier applies", "Let us look again in February", "no longer needed"]),
    ("review.declined", {}, "it", ["non si applica una fascia più bassa", "20 ottobre 2026, 10:00", "non serve più"]),
    (
        "subscription.tier_lowered",
        {},
        "en",
        [
            "from the next renewal on, 15 January 2027, it pays less",
            "up to 25,000 e-mails, DKK\xa0439.00 per month",
            "up to 10,000 e-mails, DKK\xa0215.00 per month",
            "DKK\xa0224.00 per month",
            "Average 7,932.67",
            "Through 14 January 2027 everything stays as it is",
            "Sofie Lindgren",
        ],
    ),
    (
        "subscription.tier_lowered",
        {"effective_on": "2027-01-08"},
        "it",
        ["dall’8 gennaio 2027", "224,00\xa0DKK al mese", "7.932,67", "Fino al 7 gennaio 2027 tutto resta com’è"],
    ),
    ("user.added", {}, "en", ["Astrid Holm has given you access", "As a member you", "Forgot password"]),
    ("user.added", {"role": "admin"}, "it", ["Astrid Holm vi ha dato accesso", "Come amministratore"]),
    (
        "user.added",
        {**COLLEAGUE, "role": "admin"},
        "en",
        [
            "Astrid Holm has given Erik Sand access to the billing of Nordlys Kaffe, as an admin",
            "Role before none",
            "Role now admin",
            "20 January 2026, 13:15",
            "because you are an admin of Nordlys Kaffe",
            "If it was nobody of your company",
        ],
    ),
    ("user.added", COLLEAGUE, "it", ["Astrid Holm ha dato a Erik Sand accesso", "come membro"]),
    ("user.invited_again", {}, "en", ["has given you access", "Forgot password", "because you were given access"]),
    ("user.invited_again", {}, "it", ["vi ha dato accesso", "Password dimenticata"]),
    (
        "user.changed",
        {},
        "en",
        [
            "Your role",
            "Role before member",
            "Role now admin",
            "Changed by Astrid Holm",
            "As an admin",
            "you have access",
        ],
    ),
    (
        "tax_exemptions.changed",
        {},
        "it",
        [
            "L’esenzione di Nordlys Kaffe",
            "Esente dal 15 ottobre 2026",
            "Esente da IVA",
            "DK-2026-0417",
            "2.412,00\xa0DKK",
        ],
    ),
    (
        "tax_exemptions.changed",
        {"exemptions": [EXEMPT_WITHOUT_END], "next_charge": None},
        "it",
        ["Di nuovo con imposta dal nessun giorno stabilito", "Motivo Exempt from VAT", "Certificato R-1"],
    ),
    ("tax_exemptions.changed", {"exemptions": [], "next_charge": None}, "en", ["There is no exemption any more"]),
    (
        "tax_exemption.ending",
        {},
        "en",
        ["What begins on 3 September 2026 or later", "Issued by Udenrigsministeriet"],
    ),
    ("tax_rate.missing", {}, "it", ["Manca l’aliquota", "Svizzera"]),
    (
        "user.changed",
        COLLEAGUE,
        "en",
        ["Astrid Holm has changed the role of Erik Sand", "Role before member", "Role now admin", "you are an admin"],
    ),
    ("user.changed", {}, "it", ["Ruolo precedente membro", "Ruolo attuale amministratore", "Modificato da Astrid"]),
    ("user.changed", COLLEAGUE, "it", ["Astrid Holm ha modificato il ruolo di Erik Sand"]),
    (
        "user.removed",
        {},
        "en",
        [
            "Your access to the billing of Nordlys Kaffe",
            "Role before admin",
            "Role now none",
            "by Astrid",
            "you had access",
        ],
    ),
    ("user.removed", {}, "it", ["Il vostro accesso", "Ruolo attuale nessuno", "perché avevate accesso"]),
    ("user.removed", COLLEAGUE, "en", ["Astrid Holm has ended the access of Erik Sand", "Role before admin"]),
    ("user.removed", COLLEAGUE, "it", ["Astrid Holm ha revocato l’accesso di Erik Sand"]),
    ("user.removed", {**COLLEAGUE, **BY_THEMSELVES}, "en", ["Erik Sand has given up their access", "by Erik Sand"]),
    ("user.removed", {**COLLEAGUE, **BY_THEMSELVES}, "it", ["Erik Sand ha rinunciato al proprio accesso"]),
    ("user.removed", BY_THEMSELVES, "en", ["You have given up your access"]),
    ("user.removed", BY_THEMSELVES, "it", ["Avete rinunciato al vostro accesso"]),
    ("account.provisioned", {}, "en", ["every 3 months, in DKK", "15 January 2026", "up to 10,000 searches"]),
    ("address.undeliverable", {}, "en", ["invoices@nordlys.example came back", "9 June 2026, 18:20"]),
]


@pytest.mark.parametrize(("kind", "after", "language", "sentences"), SAYS)
def test_what_a_mail_says(kind: str, after: dict[str, Any], language: str, sentences: list[str]) -> None:
    for words in both(written(sample(kind, **after), language)):
        # In the HTML a strong word has spaces around it, because of its tags. Underlines of headings are no words.
        plain = re.sub(r" (?=[,;:.])|-{3,} ?|:(?= )", "", words)
        for sentence in sentences:
            assert re.sub(r" (?=[,;:.])|:(?= )", "", sentence) in plain, sentence


def test_only_changed_fields_are_shown() -> None:
    words = written(sample("billing_information.changed"), "en").text
    assert "DK13585628" not in words
    assert "Country" not in words


def test_a_country_is_shown_by_its_name() -> None:
    details = {"country": "SE", "vat_number": None}
    words = written(sample("billing_information.changed", details=details), "it").text
    assert "Danimarca" in words
    assert "Svezia" in words
    assert re.search(r"Partita IVA +DK13585628 +\(nessuno\)", words)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_the_weeks_are_drawn_against_the_limit(language: str) -> None:
    mail = written(sample("subscription.autoscaled"), language)
    [picture] = mail.attachments

    assert (picture.content_type, picture.inline) == ("image/png", "usage")
    assert picture.content == written(sample("subscription.autoscaled"), language).attachments[0].content
    assert len(picture.content) < 25_000
    image = Image.open(BytesIO(picture.content)).convert("RGB")
    assert image.size == (WIDTH, HEIGHT)
    # Through the middle of each bar, just above the bottom: the first week is below the limit, the others above.
    pitch = (1184 - 16) / 13
    colours = [image.getpixel((round(16 + pitch * (number + 0.5)), 410)) for number in range(13)]
    assert len(set(colours[1:])) == 1
    assert colours[0] != colours[1]


def test_labels_use_only_characters_of_the_font() -> None:
    for language in LANGUAGES:
        labels = [formats(language).short_day(date(2026, month, 28)) for month in range(1, 13)]
        assert "".join([*labels, formats(language).quantity(1_250_000)]).isascii(), labels


def test_zero_usage_can_be_drawn() -> None:
    assert usage_picture([("1 Jan", Decimal(0))], Decimal(0), "0").startswith(b"\x89PNG")


def test_at_most_ten_left_out_days_are_listed() -> None:
    days = [{"day": f"2026-06-{day:02}", "usage": "99", "counted": "9", "reason": "peak"} for day in range(1, 16)]
    words = written(sample("subscription.autoscaled", left_out=days), "en").text
    assert "\n10 June 2026" in words
    assert "11 June 2026" not in words
    assert "5 more such days" in words


def test_a_recipient_without_a_name_gets_a_plain_greeting() -> None:
    mail = letter(sample("invoice.paid"), LETTER_CONTEXT, Recipient("invoices@nordlys.example", None), VENDOR)
    assert mail.text.startswith("Hello,\n")


def test_an_event_without_an_actor_names_none() -> None:
    mail = letter(sample("card.updated"), replace(LETTER_CONTEXT, actor_name=None), RECIPIENT, VENDOR)
    assert "A new card for Nordlys Kaffe was stored on 4 August 2026, 09:20" in mail.text


def test_the_deletion_mail_mentions_archived_invoices_only_if_there_are_some() -> None:
    assert "law" not in written(sample("account.deleted", invoices_kept_years=0, kept=None), "en").text


def test_the_document_is_attached_only_to_its_invoice() -> None:
    [attachment] = written(sample("invoice.issued", number="2026/0117"), "en").attachments
    assert (attachment.name, attachment.content_type) == ("2026-0117.pdf", "application/pdf")
    assert attachment.content == PDF
    assert letter(sample("invoice.paid"), LETTER_CONTEXT, RECIPIENT, VENDOR, PDF).attachments == ()
    assert letter(sample("invoice.issued"), LETTER_CONTEXT, RECIPIENT, VENDOR).attachments == ()


@pytest.mark.parametrize("kind", ["catalogue.replaced"])
def test_an_event_type_without_a_template_has_no_mail(kind: str) -> None:
    assert kind not in MAILED
    with pytest.raises(NoSuchMail, match=kind):
        letter(sample(kind), LETTER_CONTEXT, RECIPIENT, VENDOR)


def test_an_unknown_language_has_no_mail() -> None:
    with pytest.raises(NoSuchMail, match="'tlh'"):
        letter(sample("invoice.paid"), replace(LETTER_CONTEXT, language="tlh"), RECIPIENT, VENDOR)


# ---- The calendar ----------------------------------------------------------------------------------


def calendar(kind: str, recipient: Recipient = RECIPIENT) -> tuple[Any, Any, str]:
    """The calendar file of a sample, its one event, and its content type."""
    [attachment] = letter(sample(kind), LETTER_CONTEXT, recipient, VENDOR).attachments
    assert attachment.name == "invite.ics"
    assert max(map(len, attachment.content.split(b"\r\n"))) <= 75
    parsed = Calendar.from_ical(attachment.content)
    [event] = parsed.walk("VEVENT")
    return parsed, event, attachment.content_type


def test_a_review_can_be_accepted_into_a_calendar() -> None:
    parsed, event, content_type = calendar("review.booked")
    assert parsed["METHOD"] == "REQUEST"
    assert content_type == 'text/calendar; charset="utf-8"; method=REQUEST'
    assert event.decoded("DTSTART") == datetime(2026, 10, 20, 8, tzinfo=UTC)
    assert event.decoded("DTEND") - event.decoded("DTSTART") == timedelta(minutes=30)
    assert event.decoded("DTSTAMP") == sample("review.booked").time
    assert event["SUMMARY"] == "Review of Nordlys Kaffe"
    assert event["LOCATION"] == "Video call, https://meet.livello.example/nordlys"
    assert event["ORGANIZER"] == "mailto:sofie.staff@livello.example"
    assert event["ATTENDEE"] == "mailto:astrid@nordlys.example"
    assert event["ATTENDEE"].params["RSVP"] == "TRUE"


def test_a_cancelled_review_is_removed_from_the_calendar() -> None:
    booked, (parsed, event, content_type) = calendar("review.booked")[1], calendar("review.cancelled")
    assert parsed["METHOD"] == "CANCEL"
    assert "method=CANCEL" in content_type
    assert event["STATUS"] == "CANCELLED"
    assert event["UID"] == booked["UID"]
    assert event["SEQUENCE"] > booked["SEQUENCE"]


@pytest.mark.parametrize("kind", ["review.declined", "subscription.tier_lowered"])
def test_an_appointment_cancelled_by_a_decision_is_removed_from_the_calendar(kind: str) -> None:
    def files(*, cancelled: bool) -> tuple[Attachment, ...]:
        event = sample(kind, appointment_cancelled=cancelled)
        return letter(event, LETTER_CONTEXT, RECIPIENT, VENDOR).attachments

    [attachment] = files(cancelled=True)
    parsed = Calendar.from_ical(attachment.content)
    [event] = parsed.walk("VEVENT")
    assert (parsed["METHOD"], event["UID"]) == ("CANCEL", calendar("review.booked")[1]["UID"])
    assert files(cancelled=False) == ()


def test_the_manager_is_not_invited_to_their_own_review() -> None:
    manager = Recipient("Sofie.Staff@livello.example", "Sofie Lindgren")
    for kind, status in (("review.booked", "CONFIRMED"), ("review.cancelled", "CANCELLED")):
        parsed, event, _ = calendar(kind, manager)
        assert parsed["METHOD"] == "PUBLISH"
        assert event["STATUS"] == status
        assert "ATTENDEE" not in event


# ---- Hostile input ---------------------------------------------------------------


PARTS = ("before", "after")
ENUMERATED = ("peak", "known_peak", "declined", "bounced", "moved")
"""Values of enumerations in the schemas, which cannot be hostile."""


def poisoned(value: Any, poison: str, spared: frozenset[str] = frozenset()) -> Any:
    """The facts with the poison in every free-text field that is not spared."""
    free = {
        "name",
        "unit",
        "reason",
        "text",
        "place",
        "description",
        "number",
        "account_name",
        "address_line_1",
        "digest",
    } - spared
    if isinstance(value, dict):
        return {
            key: poison
            if key in free and isinstance(each, str) and each not in ENUMERATED
            else poisoned(each, poison, spared)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [poisoned(each, poison, spared) for each in value]
    return value


by_audience = pytest.mark.parametrize(
    ("kind", "is_concerned"),
    [
        *((kind, False) for kind in sorted(MAILED)),
        *((kind, True) for kind in ("user.added", "user.changed", "user.invited_again", "user.removed")),
    ],
)
"""Each kind of mail, and those about users in the words for the user, too."""


@by_audience
def test_no_name_or_text_becomes_a_link(kind: str, is_concerned: bool) -> None:
    """Mail programs make a link of a domain. Only where staff hold a review may be one: `place`."""
    poison = "evil.example/login https://evil.example www.Evil.Example evil\uff0eexample"
    event = sample(kind)
    facts = event.model_dump()
    changed = {part: poisoned(facts[part], poison, frozenset({"place"})) for part in PARTS}
    mail = letter(
        SCHEMA_OF[kind].model_validate({**facts, **changed}),
        LetterContext(poison, "en", "Europe/Copenhagen", poison, poison),
        Recipient("astrid@nordlys.example", poison, is_concerned),
        Vendor("Livello", "https://billing.livello.example/", "billing@livello.example"),
        PDF,
    )

    calendars = [each.content.decode() for each in mail.attachments if each.name == "invite.ics"]
    for words in (mail.subject, mail.text, mail.html, *calendars):
        assert not re.search(r"evil[.\uff0e]example|://evil|www\.evil", words, re.IGNORECASE)
    assert kind == "account.deleted" or "evil.\u200bexample" in mail.text.lower()


@pytest.mark.parametrize(
    "poison", ["https://you@evil.example/login", "mailto:you@evil.example", "evil.example/login@shop.example"]
)
def test_a_link_that_looks_like_an_address_is_no_link(poison: str) -> None:
    """A URL may name a user before its host (RFC 3986, 3.2.1)."""
    mail = letter(
        sample("user.added"),
        LetterContext(poison, "en", "Europe/Copenhagen", poison),
        Recipient("astrid@nordlys.example", poison),
        Vendor("Livello", "https://billing.livello.example/", "billing@livello.example"),
        None,
    )

    for words in (mail.subject, mail.text, mail.html):
        assert "evil.example" not in words
        assert "https://you" not in words
    assert "evil.\u200bexample" in mail.text


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("poison", HOSTILE, ids=range(len(HOSTILE)))
@by_audience
def test_hostile_names_and_texts_come_out_harmless(kind: str, is_concerned: bool, poison: str, language: str) -> None:
    event = sample(kind)
    facts = event.model_dump()
    event = SCHEMA_OF[kind].model_validate({**facts, **{part: poisoned(facts[part], poison) for part in PARTS}})
    mail = letter(
        event,
        LetterContext(poison, language, "Europe/Copenhagen", poison, poison),
        Recipient("astrid@nordlys.example", poison, is_concerned),
        Vendor("Livello", "https://billing.livello.example/", "billing@livello.example"),
        PDF,
    )

    page = Page(mail.html)  # refuses scripts, external pictures and attributes that run code
    assert "<script" not in mail.html
    assert page.pictures == [each.inline for each in mail.attachments if each.inline]
    assert mail.html.count("<img") == len(page.pictures)
    assert len(mail.html.encode()) < GMAIL_CLIPS_BYTES
    assert len(mail.subject) <= SUBJECT_LETTERS_MAX
    for words in (mail.subject, mail.text, mail.html):
        words.encode()
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", words)
    assert "\n" not in mail.subject
    if "{{" in poison:
        assert "{{ 7 * 7 }}" in one_line(mail.text)
        assert "{{ 7 * 7 }}" in page.words
    for attachment in mail.attachments:
        assert re.fullmatch(r"[\w.-]+", attachment.name)
        assert not re.search(rb"^Bcc:", attachment.content, re.MULTILINE)
        if attachment.name == "invite.ics":
            assert len(Calendar.from_ical(attachment.content).walk("VEVENT")) == 1


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", 'https://x/"><b>', "https://x/\nBcc: y"]
)
def test_an_invalid_link_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        sample("payment.failed", reason="authentication_required", authenticate_at=address)


def test_the_button_leads_to_the_banks_authentication_page() -> None:
    address = "https://payments.livello.example/confirm?one=1&other=2"
    mail = written(sample("payment.failed", reason="authentication_required", authenticate_at=address), "en")
    assert address in Page(mail.html).links
    assert f"Confirm the payment:\n{address}\n" in mail.text
