"""An invoice as PDF/A-3 for people, with the e-invoice for machines embedded in it (Factur-X, ZUGFeRD).

All content comes from the stored invoice, even the date of the file: the same invoice gives the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from html import escape
from typing import Any

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from billing.accounts.information import CompanyDetails, as_printed, compact_identifier, normal_postcode
from billing.invoicing.credit_notes import CreditOutcome
from billing.invoicing.documents.writing import BOLD, FONT, drawable, printable
from billing.invoicing.invoices import IssuedInvoice, Seller
from billing.invoicing.wording import describe_line, describe_seller_tax
from billing.kernel.money import Money
from billing.languages import FOLDER, LANGUAGES
from billing.languages.formats import Formats, formats
from billing.payments.methods import Method
from billing.subscriptions.pricing import InvoiceLine, Step
from billing.subscriptions.rules import Discount

PROFILE = "PDF/A-3B"
EMBEDDED_AS = "factur-x.xml"
"""The file name that Factur-X and ZUGFeRD require."""

PRODUCER = "Livello"
FAMILY = "DejaVu"
DAY = timedelta(days=1)

MARGIN, BOTTOM = 20, 24
AMOUNT_WIDTH = 38
LARGE, NORMAL, SMALL = 17.0, 9.5, 8.0
LINE, SMALL_LINE = 5.0, 4.2
DARK, GREY, RULE = (24, 28, 36), (104, 112, 124), (205, 210, 218)
"""Lengths are in millimetres, font sizes in points, colours in RGB."""

AUTOSCALED = re.compile(r"\d{4}-\d{2}")
"""The beginning of the id of an autoscaling decision; the id of a review is a ULID."""


def invoice_pdf(invoice: IssuedInvoice, electronic: bytes | None, outcome: CreditOutcome | None = None) -> bytes:
    """The PDF, with the e-invoice `electronic` embedded if it is given. English where the language is not supported.

    That of a credit note says its `outcome`, a sentence for each way that the money has gone.
    """
    language = invoice.language if invoice.language in LANGUAGES else "en"
    page = _Page(invoice, _words(language), formats(language), electronic, outcome)
    return page.render()


@cache
def _words(language: str) -> dict[str, Any]:
    words: dict[str, Any] = json.loads((FOLDER / language / "document.json").read_text(encoding="utf-8"))
    return words


class _Sheet(FPDF):
    """A4 pages with a footer. While `continued` is set, each new page begins with the table's heading."""

    def __init__(self, foot: str, page: str) -> None:
        super().__init__(format="A4", enforce_compliance=PROFILE)
        self.foot, self.page_words = foot, page
        self.continued: tuple[str, str] | None = None
        self.add_font(FAMILY, "", FONT)
        self.add_font(FAMILY, "B", BOLD)
        self.c_margin = 0
        self.set_margins(MARGIN, MARGIN, MARGIN)
        self.set_auto_page_break(auto=True, margin=BOTTOM)
        self.pages_word = "{nb}"
        self.alias_nb_pages(self.pages_word)

    def header(self) -> None:
        if self.continued is not None:
            self.heading(*self.continued)

    def footer(self) -> None:
        self.set_y(-BOTTOM + 8)
        self.set_font(FAMILY, "", SMALL)
        self.set_text_color(*GREY)
        number = self.page_words.format(page=self.page_no(), pages=self.pages_word)
        self.cell(self.epw - AMOUNT_WIDTH, SMALL_LINE, self.foot)
        self.cell(AMOUNT_WIDTH, SMALL_LINE, number, align="R")

    def heading(self, left: str, right: str) -> None:
        """Draws the heading of the table."""
        self.set_font(FAMILY, "B", SMALL)
        self.set_text_color(*GREY)
        self.cell(self.epw - AMOUNT_WIDTH, LINE, left)
        self.cell(AMOUNT_WIDTH, LINE, right, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.rule()

    def rule(self) -> None:
        """Draws a horizontal line."""
        self.set_draw_color(*RULE)
        self.set_line_width(0.2)
        self.line(self.l_margin, self.get_y(), self.w - self.r_margin, self.get_y())
        self.ln(1.5)


class _Page:
    """Draws one invoice on a sheet."""

    def __init__(
        self,
        invoice: IssuedInvoice,
        words: dict[str, Any],
        write: Formats,
        electronic: bytes | None,
        outcome: CreditOutcome | None,
    ) -> None:
        self.invoice, self.words, self.write, self.electronic = invoice, words, write, electronic
        self.outcome = outcome
        self.is_credit = invoice.corrects is not None
        self.title = f"{words['credit_note' if self.is_credit else 'invoice']} {invoice.number}"
        seller = invoice.seller
        foot = f"{seller.name} · {self.title}"
        self.sheet = _Sheet(drawable(printable(foot)), words["page"])
        # The date of the file is the day of issue, so that a second rendering gives the same bytes.
        self.issued_at = datetime.combine(invoice.produced_on, time(), UTC)

    def render(self) -> bytes:
        """The bytes of the whole document."""
        sheet = self.sheet
        sheet.set_creation_date(self.issued_at)
        sheet.set_title(self.title)
        sheet.set_author(printable(self.invoice.seller.name))
        sheet.set_producer(PRODUCER)
        sheet.set_lang(self.invoice.language)
        sheet.add_page()
        self._head()
        self._table()
        self._totals()
        self._sentences()
        if self.electronic is not None:
            sheet.embed_file(
                bytes=self.electronic,
                basename=EMBEDDED_AS,
                mime_type="text/xml",
                associated_file_relationship="Alternative",
                modification_date=self.issued_at,
                creation_date=self.issued_at,
                desc="EN 16931",
                compress=True,
            )
        sheet.set_xmp_metadata(self._metadata())
        return bytes(sheet.output())

    def _head(self) -> None:
        sheet, words, invoice = self.sheet, self.words, self.invoice
        sheet.set_text_color(*DARK)
        sheet.set_font(FAMILY, "B", LARGE)
        sheet.multi_cell(sheet.epw, 8, self._line(self.title), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        sheet.ln(4)
        top, half = sheet.get_y(), sheet.epw / 2
        ends = [
            self._party(words["from"], invoice.seller, MARGIN, top, half - 6),
            self._party(words["to"], invoice.company, MARGIN + half, top, half),
        ]
        sheet.set_xy(MARGIN, max(ends) + 4)
        facts = [
            (words["number"], invoice.number),
            (words["produced_on"], self.write.day(invoice.produced_on)),
            (words["period"], self._days(invoice.draft.since, invoice.draft.until)),
        ]
        if invoice.corrects is not None:
            corrects = words["corrects"].format(
                number=invoice.corrects.number, day=self.write.day(invoice.corrects.produced_on)
            )
            facts += [("", corrects), (words["reason"], invoice.corrects.reason)]
        elif invoice.draft.due.amount:
            facts.append((words["due_on"], self.write.day(invoice.due_on)))
        if invoice.replaces is not None:
            replaces = words["replaces"].format(
                number=invoice.replaces.number,
                day=self.write.day(invoice.replaces.produced_on),
                credit_note=invoice.replaces.credit_note,
            )
            facts += [("", replaces), (words["reason"], invoice.replaces.reason)]
        for name, value in facts:
            self._fact(name, value)
        sheet.ln(5)

    def _party(self, heading: str, party: Seller | CompanyDetails, left: float, top: float, width: float) -> float:
        """Draws an address. Returns the vertical position below it, in millimetres."""
        sheet = self.sheet
        sheet.set_xy(left, top)
        sheet.set_text_color(*GREY)
        sheet.set_font(FAMILY, "", SMALL)
        sheet.cell(width, SMALL_LINE, heading, new_x=XPos.LEFT, new_y=YPos.NEXT)
        sheet.set_text_color(*DARK)
        place = " ".join(filter(None, (as_printed(normal_postcode, party.postcode), party.city)))
        lines = [party.name, party.address_line_1, party.address_line_2, place, self.write.country(party.country)]
        if party.vat_number:
            lines.append(f"{self.words['vat_number']} {as_printed(compact_identifier, party.vat_number)}")
        for position, text in enumerate(filter(None, lines)):
            sheet.set_font(FAMILY, "" if position else "B", NORMAL)
            sheet.set_x(left)
            sheet.multi_cell(width, SMALL_LINE, self._line(text), align="L", new_x=XPos.LEFT, new_y=YPos.NEXT)
        return float(sheet.get_y())

    def _fact(self, name: str, value: str) -> None:
        sheet = self.sheet
        sheet.set_font(FAMILY, "", NORMAL)
        sheet.set_text_color(*GREY)
        sheet.cell(32, LINE, name)
        sheet.set_text_color(*DARK)
        sheet.multi_cell(sheet.epw - 32, LINE, self._line(value), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _table(self) -> None:
        sheet, words = self.sheet, self.words
        sheet.heading(words["for"], words["amount"])
        sheet.continued = (words["for"], words["amount"])
        for line in self.invoice.draft.lines:
            derived = [*self._derivation(line)]
            # A line and its derivation stay on one page, up to 20 lines of text.
            if sheet.will_page_break(LINE + SMALL_LINE * min(len(derived), 20)):
                sheet.add_page()
            self._row(line.name or describe_line(line, self.invoice.language), line.net, bold=True)
            for text in derived:
                self._small(text)
            sheet.ln(1.2)
        sheet.continued = None
        sheet.rule()

    def _row(self, text: str, money: Money, *, bold: bool = False) -> None:
        sheet = self.sheet
        sheet.set_text_color(*DARK)
        sheet.set_font(FAMILY, "B" if bold else "", NORMAL)
        top, page = sheet.get_y(), sheet.page_no()
        width = sheet.epw - AMOUNT_WIDTH
        sheet.multi_cell(width - 4, LINE, self._line(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        bottom = sheet.get_y()
        if sheet.page_no() == page:
            sheet.set_xy(MARGIN + width, top)
        else:
            sheet.set_xy(MARGIN + width, bottom - LINE)
        sheet.set_font(FAMILY, "B" if bold else "", NORMAL)
        sheet.cell(AMOUNT_WIDTH, LINE, self.write.money(money), align="R")
        sheet.set_xy(MARGIN, bottom)

    def _small(self, text: str) -> None:
        sheet = self.sheet
        sheet.set_text_color(*GREY)
        sheet.set_font(FAMILY, "", SMALL)
        sheet.set_x(MARGIN + 3)
        width = sheet.epw - AMOUNT_WIDTH - 3
        sheet.multi_cell(width, SMALL_LINE, self._line(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _derivation(self, line: InvoiceLine) -> Iterator[str]:
        """The lines of text that explain an amount, one for each step, or the pieces of a one-off charge."""
        if line.price is not None and line.quantity > 1:
            yield f"{self.write.quantity(line.quantity)} \N{MULTIPLICATION SIGN} {self.write.money(line.price)}"
        if line.product is not None:
            for step in line.steps:
                yield from self._step(step, line.unit)
            if line.instead_of:
                yield self.words["until_then"]
                for step in line.instead_of:
                    yield from self._step(step, line.unit)
        else:
            for step in line.steps:
                discounts = ", ".join(map(self._discount, step.discounts))
                yield f"{self._days(step.since, step.until)}: {discounts}"

    def _step(self, step: Step, unit: str) -> Iterator[str]:
        words = self.words
        tier = (
            words["open"].format(unit=unit)
            if step.up_to is None
            else words["up_to"].format(volume=self.write.quantity(step.up_to), unit=unit)
        )
        months = words["month"] if step.months == 1 else words["months"].format(months=step.months)
        price = words["per_month"].format(price=self.write.money(step.price))
        text = words["steps"].format(
            since=self._day(step.since), until=self._day(step.until - DAY), tier=tier, months=months, price=price
        )
        for discount in step.discounts:
            text += f", {words['less'].format(discount=self._discount(discount))}"
        yield text
        if step.decision:
            kind = "autoscaling" if AUTOSCALED.match(step.decision) else "review"
            yield words["decision"][kind].format(decision=step.decision)

    def _discount(self, discount: Discount) -> str:
        if discount.percent is not None:
            size = f"{self.write.quantity(Decimal(discount.percent))}\N{NO-BREAK SPACE}%"
        else:
            currency = self.invoice.draft.total.currency
            size = self.words["per_month"].format(price=self.write.money(Money(discount.amount or 0, currency)))
        return f"{size} ({printable(discount.reason)})" if discount.reason else size

    def _totals(self) -> None:
        words, draft = self.words, self.invoice.draft
        tax = draft.tax
        rate, country = self.write.quantity(tax.rate), self.write.country(tax.country)
        if tax.rate and tax.name is not None:
            vat = words["own_tax"].format(name=tax.name, rate=rate, country=country)
        else:
            vat = words["vat"].format(rate=rate, country=country) if tax.rate else tax.name or words["no_vat"]
        rows = [(words["net"], draft.net, False), (vat, draft.tax_amount, False), (words["total"], draft.total, True)]
        if draft.seller_tax is not None:
            in_sellers = draft.seller_tax.amount
            rows.insert(
                2,
                (
                    words["vat_in"].format(name=tax.name or words["no_vat"], currency=in_sellers.currency),
                    in_sellers,
                    False,
                ),
            )
        if draft.credit.amount:
            rows.append((words["credit"], Money(-draft.credit.amount, draft.credit.currency), False))
        if self.is_credit:
            rows.append((words["to_receive"], Money(-draft.total.amount, draft.total.currency), True))
        else:
            rows.append((words["due"], draft.due, True))
        if self.sheet.will_page_break(LINE * len(rows)):
            self.sheet.add_page()
        for name, money, bold in rows:
            self._row(name, money, bold=bold)
        self.sheet.ln(4)

    def _sentences(self) -> None:
        sheet, invoice, words = self.sheet, self.invoice, self.words
        rate = describe_seller_tax(invoice.draft, invoice.language)
        sentences = [invoice.draft.tax.sentence(invoice.language), rate, self._payment()]
        if invoice.method is Method.BANK_TRANSFER and invoice.seller.iban and not self.is_credit:
            sentences.append(f"{words['iban']}: {invoice.seller.iban}")
        if self.electronic is not None:
            sentences.append(words["electronic"])
        sheet.set_text_color(*DARK)
        sheet.set_font(FAMILY, "", NORMAL)
        for sentence in filter(None, sentences):
            sheet.multi_cell(sheet.epw, LINE, self._line(sentence), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
            sheet.ln(1)

    def _payment(self) -> str:
        invoice, words = self.invoice, self.words["pays"]
        if self.is_credit and self.outcome is not None:
            return self._outcome(self.outcome)
        if self.is_credit:
            sentence = words["credit"]
        elif not invoice.draft.due.amount:
            sentence = words["nothing"]
        else:
            sentence = words["none" if invoice.method is None else invoice.method.value]
        return str(sentence).format(
            due=self.write.money(invoice.draft.due), due_on=self.write.day(invoice.due_on), number=invoice.number
        )

    def _outcome(self, outcome: CreditOutcome) -> str:
        words, currency = self.words["pays"], self.invoice.draft.total.currency
        number = None if self.invoice.corrects is None else self.invoice.corrects.replaced_by
        kept = "counted" if number is not None else "carried_back" if outcome.is_former else "carried"
        parts = (("waived", outcome.waived), ("refunded", outcome.refunded), (kept, outcome.carried))
        sentences = [
            str(words[name]).format(amount=self.write.money(Money(amount, currency)), number=number)
            for name, amount in parts
            if amount
        ]
        return " ".join(sentences) or str(words["nothing"])

    def _line(self, text: str) -> str:
        return drawable(printable(text))

    def _day(self, day: date) -> str:
        return self.write.day(day)

    def _days(self, since: date, until: date) -> str:
        return f"{self._day(since)} \N{EN DASH} {self._day(until - DAY)}"

    def _metadata(self) -> str:
        """The XMP metadata that PDF/A and Factur-X require."""
        instant = self.issued_at.isoformat(timespec="seconds")
        electronic = _ELECTRONIC if self.electronic is not None else ""
        return _METADATA.format(
            title=escape(self.title),
            author=escape(printable(self.invoice.seller.name)),
            producer=PRODUCER,
            instant=instant,
            electronic=electronic,
        )


_METADATA = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:pdf="http://ns.adobe.com/pdf/1.3/" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">
<pdfaid:part>3</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>{author}</rdf:li></rdf:Seq></dc:creator>
<pdf:Producer>{producer}</pdf:Producer>
<xmp:CreateDate>{instant}</xmp:CreateDate><xmp:ModifyDate>{instant}</xmp:ModifyDate>
</rdf:Description>{electronic}
</rdf:RDF>
</x:xmpmeta>"""

_ELECTRONIC = """
<rdf:Description rdf:about="" xmlns:fx="urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#">
<fx:DocumentType>INVOICE</fx:DocumentType><fx:DocumentFileName>factur-x.xml</fx:DocumentFileName>
<fx:Version>1.0</fx:Version><fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>
</rdf:Description>
<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"
 xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">
<pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>
<pdfaSchema:namespaceURI>urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#</pdfaSchema:namespaceURI>
<pdfaSchema:prefix>fx</pdfaSchema:prefix>
<pdfaSchema:property><rdf:Seq>
<rdf:li rdf:parseType="Resource"><pdfaProperty:name>DocumentFileName</pdfaProperty:name>
<pdfaProperty:valueType>Text</pdfaProperty:valueType><pdfaProperty:category>external</pdfaProperty:category>
<pdfaProperty:description>name of the embedded XML invoice file</pdfaProperty:description></rdf:li>
<rdf:li rdf:parseType="Resource"><pdfaProperty:name>DocumentType</pdfaProperty:name>
<pdfaProperty:valueType>Text</pdfaProperty:valueType><pdfaProperty:category>external</pdfaProperty:category>
<pdfaProperty:description>INVOICE</pdfaProperty:description></rdf:li>
<rdf:li rdf:parseType="Resource"><pdfaProperty:name>Version</pdfaProperty:name>
<pdfaProperty:valueType>Text</pdfaProperty:valueType><pdfaProperty:category>external</pdfaProperty:category>
<pdfaProperty:description>The actual version of the Factur-X XML schema</pdfaProperty:description></rdf:li>
<rdf:li rdf:parseType="Resource"><pdfaProperty:name>ConformanceLevel</pdfaProperty:name>
<pdfaProperty:valueType>Text</pdfaProperty:valueType><pdfaProperty:category>external</pdfaProperty:category>
<pdfaProperty:description>The conformance level of the embedded Factur-X data</pdfaProperty:description></rdf:li>
</rdf:Seq></pdfaSchema:property>
</rdf:li></rdf:Bag></pdfaExtension:schemas>
</rdf:Description>"""
