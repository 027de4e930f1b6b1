"""The PDF of an invoice is complete, gives the same bytes each time, and accepts any text."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from billing.invoicing.credit_notes import CreditOutcome
from billing.invoicing.documents.einvoice import Syntax, einvoice
from billing.invoicing.documents.pdf import EMBEDDED_AS, invoice_pdf
from billing.invoicing.documents.writing import BOLD, FONT, MISSING, drawable
from billing.invoicing.invoices import IssuedInvoice, Replaced
from billing.invoicing.tax import Tax, TaxRule
from billing.payments.methods import Method
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from tests.documents.samples import BUYER, SELLER, STARTS, invoice, italian, with_one_offs, with_seller_tax
from tests.documents.test_einvoice import credit_note
from tests.properties import examples

EUROPE = "".join(
    map(chr, [*range(0xA0, 0x180), *range(0x386, 0x3CF), *range(0x400, 0x460), 0x218, 0x219, 0x21A, 0x20AC])
)


def read(pdf: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(pdf))


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in read(pdf).pages)


def squeezed(pdf: bytes) -> str:
    return " ".join(text_of(pdf).split())


def rendered(issued: IssuedInvoice) -> bytes:
    return invoice_pdf(issued, einvoice(issued, Syntax.CII) if issued.can_be_electronic else None)


def test_the_pdf_shows_the_whole_invoice() -> None:
    text = squeezed(rendered(invoice(method=Method.BANK_TRANSFER, credit=10_000)))

    for words in (
        "Invoice LV-2026-000001",
        "Livello Demo ApS",
        "VAT number DK10000009",
        "Nordlys Kaffe ApS",
        "2100 København Ø",
        "15 April 2026 \N{EN DASH} 14 July 2026",
        "2 months at €740.00 per month, less 12 % (Launch)",
        "tier raised, because usage has grown (decision 2026-06#search)",
        "Discount on the whole: Partner",
        "€4,840.00",
        "VAT 25% (Denmark)",
        "€6,050.00",
        "Please transfer €5,950.00 by 29 April 2026, with the reference LV-2026-000001.",
        "DK5000400440116243",
        "Page 1 of 1",
    ):
        assert words in text, words


def test_an_italian_invoice_has_the_sentence_that_the_law_requires() -> None:
    text = squeezed(rendered(italian()))

    for words in (
        "Fattura LV-2026-000001",
        "Libreria Lucciola S.r.l.",
        "Partita IVA IT00743110157",
        "Inversione contabile: l'IVA è dovuta dal destinatario (articolo 196 della direttiva 2006/112/CE).",
        "4840,00",
        "Addebitata sulla vostra carta",
    ):
        assert words in text.replace(".", "") or words in text, words


@pytest.mark.parametrize(
    ("tax", "language", "expected"),
    [
        (Tax(TaxRule.OWN_RATE, "CH", Decimal("8.125"), "MWST"), "en", ["MWST 8.125% (Switzerland)"]),
        (Tax(TaxRule.OWN_RATE, "CH", Decimal("8.1"), "IVA"), "it", ["IVA 8,1% (Svizzera)"]),
        (
            Tax(TaxRule.ZERO_RATED, "CH", Decimal(0), "MWST", {"en": "Zero-rated export"}),
            "it",
            ["MWST", "Zero-rated export"],
        ),
        (Tax(TaxRule.EXEMPT, "DK", Decimal(0), None, {"en": "Exempt", "it": "Esente"}), "it", ["IVA", "Esente"]),
    ],
)
def test_a_tax_of_staff_has_its_name_and_words(tax: Tax, language: str, expected: list[str]) -> None:
    written = squeezed(rendered(invoice(tax=tax, language=language)))

    assert all(each in written for each in expected)


def test_a_tax_of_staff_in_the_sellers_currency_has_its_name() -> None:
    own = invoice(tax=Tax(TaxRule.OWN_RATE, "CH", Decimal("8.1"), "MWST"))
    written = squeezed(rendered(with_seller_tax(own, "CHF")))

    assert "MWST in CHF" in written
    assert "MWST: " in written


def test_a_one_off_charge_has_its_pieces_and_a_goodwill_its_reason() -> None:
    text = squeezed(rendered(with_one_offs(invoice())))

    assert "Training €1,200.00 3 \N{MULTIPLICATION SIGN} €400.00" in text
    assert "An outage in May -€90.00" in text
    assert "€7,437.50" in text  # 4,840.00 + 1,200.00 - 90.00, with 25 % tax


def test_a_credit_note_names_the_invoice_that_it_corrects() -> None:
    text = squeezed(rendered(credit_note(invoice())))

    assert "Credit note CN-2026-000001" in text
    assert "Corrects invoice LV-2026-000001 of 15 April 2026" in text
    assert "Invoiced on the wrong tier" in text
    # 2,495.00 less its half of what is taken off the whole, with 25 % tax.
    assert "-€3,025.00" in text


def test_an_invoice_names_the_one_that_it_is_in_the_place_of() -> None:
    number = "LV-2026-000001"
    new = replace(invoice(), number="LV-2026-000002", replaces=Replaced(number, STARTS, "CN-2026-000001", "Address"))
    note = credit_note(invoice())
    assert note.corrects is not None
    note = replace(note, corrects=replace(note.corrects, replaced_by="LV-2026-000002"))

    text = squeezed(rendered(new))
    of_note = squeezed(invoice_pdf(note, None, CreditOutcome(0, 0, 302_500)))

    assert f"In place of invoice {number} of 15 April 2026, which credit note CN-2026-000001 takes back" in text
    assert "€3,025.00 that you have paid counts for invoice LV-2026-000002, which is in its place." in of_note
    assert "taken off" not in of_note


@pytest.mark.parametrize(
    ("outcome", "sentences"),
    [
        (CreditOutcome(302_500, 0, 0), ["€3,025.00 of the invoice need not be paid any more."]),
        (CreditOutcome(0, 302_500, 0), ["€3,025.00 goes back to what you have paid with"]),
        (CreditOutcome(100, 302_400, 0), ["€1.00 of the invoice need not be paid", "€3,024.00 goes back"]),
        (CreditOutcome(0, 0, 302_500), ["€3,025.00 is taken off your open and your next invoices."]),
    ],
)
def test_a_credit_note_says_which_way_its_money_has_gone(outcome: CreditOutcome, sentences: list[str]) -> None:
    """M31."""
    text = squeezed(invoice_pdf(credit_note(invoice()), None, outcome))

    assert all(each in text for each in sentences), text
    for other in ("need not be paid", "goes back", "taken off"):
        assert (other in text) == any(other in each for each in sentences)


def test_two_processes_render_the_same_bytes() -> None:
    code = (
        "import sys, hashlib; sys.path.insert(0, '.')\n"
        "from tests.documents.samples import invoice, italian\n"
        "from tests.documents.test_pdf import rendered\n"
        "print([hashlib.sha256(rendered(each)).hexdigest() for each in (invoice(), italian())])"
    )

    def run() -> str:
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert run() == run()
    assert rendered(invoice()) == rendered(invoice())


def test_the_einvoice_is_embedded() -> None:
    issued = invoice()
    reader = read(rendered(issued))
    catalogue: Any = reader.trailer["/Root"]

    assert reader.attachments == {EMBEDDED_AS: [einvoice(issued, Syntax.CII)]}
    [associated] = catalogue["/AF"]
    assert associated.get_object()["/AFRelationship"] == "/Alternative"
    [intent] = catalogue["/OutputIntents"]
    assert intent.get_object()["/S"] == "/GTS_PDFA1"
    metadata = catalogue["/Metadata"].get_object().get_data().decode()
    for element in ("<pdfaid:part>3", "<pdfaid:conformance>B", "<fx:ConformanceLevel>EN 16931", EMBEDDED_AS):
        assert element in metadata
    assert "/ID" in reader.trailer


def test_every_font_is_embedded() -> None:
    for page in read(rendered(invoice())).pages:
        fonts: Any = page["/Resources"]["/Font"]  # type: ignore[index]
        for font in fonts.values():
            [descendant] = font.get_object()["/DescendantFonts"]
            assert "/FontFile2" in descendant.get_object()["/FontDescriptor"].get_object()


@pytest.mark.parametrize("file", [FONT, BOLD])
def test_the_fonts_have_every_letter_of_europe(file: Any) -> None:
    with TTFont(file) as font:
        letters = font.getBestCmap()

    assert [letter for letter in EUROPE if ord(letter) not in letters and letter.isprintable()] == []


def test_a_long_invoice_has_the_heading_of_its_table_on_every_page() -> None:
    reader = read(rendered(invoice(400)))

    assert len(reader.pages) > 40
    for page in reader.pages[:-1]:
        words = page.extract_text()
        assert "Amount" in words
        assert f"of {len(reader.pages)}" in words
    text = "\n".join(page.extract_text() for page in reader.pages)
    assert all(f"Search {number}\n" in text or f"Search {number} " in text for number in range(400))


def test_identifiers_in_full_width_digits_are_printed_in_ascii() -> None:
    typed = replace(BUYER, postcode="\uff12\uff11\uff10\uff10", vat_number="DK\uff11\uff1234567\uff14")

    text = squeezed(rendered(invoice(company=typed)))

    assert "2100" in text
    assert "DK12345674" in text.replace(" ", "")
    assert MISSING not in text


@pytest.mark.parametrize(
    "issued",
    [
        invoice(company=replace(BUYER, name="\x00\x07\u202eevil\u202c <script>", postcode=None, address_line_2=None)),
        invoice(company=replace(BUYER, name="W" * 200, city="Ł" * 200, address_line_1="a b " * 50)),
        invoice(company=replace(BUYER, name="珈琲店 ☕ 🦊")),
        invoice(currency="JPY"),
        invoice(currency="KWD"),
        invoice(currency="KWD", language="it"),
        invoice(language="xx"),
        invoice(net=0, whole=False),
        invoice(method=None),
        invoice(seller=replace(SELLER, vat_number=None, postcode=None)),
        invoice(lines=0, whole=False),
    ],
)
def test_any_content_makes_a_document(issued: IssuedInvoice, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        text = squeezed(rendered(issued))

    assert "LV-2026-000001" in text
    assert not [letter for letter in "\x00\x07\u202e\u202c" if letter in text]
    assert caplog.records == [], "the font lacks a letter"


def test_a_letter_that_the_font_lacks_is_replaced() -> None:
    assert drawable("Kaffe 珈琲") == f"Kaffe {MISSING}{MISSING}"


@examples(25, deep=500)
@given(st.text(max_size=200), st.text(max_size=60))
def test_any_name_makes_a_document(name: str, city: str) -> None:
    assert read(rendered(invoice(1, company=replace(BUYER, name=name or "x", city=city or "x")))).pages


def test_amounts_have_the_decimals_of_their_currency() -> None:
    assert "JPY" in squeezed(rendered(invoice(currency="JPY"))) or "¥" in squeezed(rendered(invoice(currency="JPY")))
    assert "KWD 249.500" in squeezed(rendered(invoice(currency="KWD"))).replace("\N{NO-BREAK SPACE}", " ")
