"""Sheets as workbooks, read back by another library, and as CSV for machines and for spreadsheets of a locale."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from babel.numbers import parse_decimal
from billing.invoicing.dunning import initial_payment
from billing.invoicing.invoices import IssuedInvoice
from billing.invoicing.records import WholeInvoice
from billing.invoicing.sheets import invoice_sheet
from billing.kernel.money import Money
from billing.kernel.spreadsheet import BYTE_ORDER_MARK, MACHINES, Cell, Dialect, Month, Sheet, csv_of
from billing.languages import LANGUAGES
from billing.languages.dialects import dialect_of, dialect_of_language
from billing.platform.files.workbook import workbook
from openpyxl import load_workbook

from tests.documents.samples import CORRECTION, invoice, italian, with_one_offs, with_seller_tax

DAY = date(2026, 2, 28)
HOSTILE = ("=1+1", "+39 011", "-1", "@sum(A1)", "\t=1", '=HYPERLINK("//evil")', "\uff1d1+1")
TEXTS = ("0012", "1.234", "1,5", "2026-01-02", "https://evil.example", "{=1}", "_x0041_", "Caffè; Søn, Straße", "TRUE")


def of(*cells: Cell) -> Sheet:
    """A sheet with these cells in one column."""
    return Sheet("sheet", ("value",), tuple((cell,) for cell in cells))


def read(sheet: Sheet) -> list[Any]:
    """The cells below the heading, as openpyxl reads them."""
    page = load_workbook(io.BytesIO(workbook(sheet)))[sheet.title]
    return [cell for row in page.iter_rows(min_row=2) for cell in row]


def column(sheet: Sheet, dialect: Dialect) -> list[str]:
    """The cells below the heading, as a spreadsheet of this dialect reads the CSV."""
    text = csv_of(sheet, dialect)
    assert text.startswith(BYTE_ORDER_MARK) == dialect.is_marked
    [heading, *rows] = csv.reader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK)), delimiter=dialect.separator)
    assert heading == [*sheet.heading]
    return [cell for row in rows for cell in row]


# ---- Workbooks ----


@pytest.mark.parametrize(
    ("money", "value", "shown"),
    [
        (Money(123_456, "EUR"), 1234.56, "#,##0.00"),
        (Money(-5, "DKK"), -0.05, "#,##0.00"),
        (Money(1_234, "JPY"), 1234, "#,##0"),
        (Money(1_234_567, "KWD"), 1234.567, "#,##0.000"),
        (Money(10**12 - 1, "EUR"), 9_999_999_999.99, "#,##0.00"),
        (Money(0, "EUR"), 0, "#,##0.00"),
    ],
)
def test_an_amount_is_a_number_with_the_digits_of_its_currency(money: Money, value: float, shown: str) -> None:
    [cell] = read(of(money))

    assert (cell.data_type, cell.value, cell.number_format) == ("n", value, shown)


def test_quantities_and_days_are_numbers_and_dates() -> None:
    quantity, count, nothing, day, month = read(of(Decimal("1234567890.123456"), 1_234, None, DAY, Month(DAY)))

    assert (quantity.data_type, quantity.value) == ("n", 1234567890.123456)
    assert (count.data_type, count.value) == ("n", 1234)
    assert (day.is_date, day.value) == (True, datetime(2026, 2, 28))  # noqa: DTZ001 - as a workbook has it
    assert (month.is_date, month.value, month.number_format) == (True, datetime(2026, 2, 28), "yyyy-mm")  # noqa: DTZ001
    assert nothing.value is None


def test_a_text_stays_a_text_whatever_it_looks_like() -> None:
    cells = read(of(*HOSTILE, *TEXTS))

    assert [(cell.data_type, cell.value) for cell in cells] == [("s", text) for text in (*HOSTILE, *TEXTS)]
    assert [bool(cell.quotePrefix) for cell in cells] == [True] * len(HOSTILE) + [False] * len(TEXTS)
    assert not any(cell.hyperlink for cell in cells)


def test_the_heading_stays_on_the_screen_and_columns_are_wide_enough() -> None:
    page = load_workbook(io.BytesIO(workbook(of("Libreria Lucciola S.r.l.", "x" * 200))))["sheet"]

    assert page.freeze_panes == "A2"
    assert page["A1"].font.b
    assert page.column_dimensions["A"].width == pytest.approx(50, abs=1)
    amounts = load_workbook(io.BytesIO(workbook(of(Money(-(10**12), "EUR")))))["sheet"]
    assert amounts.column_dimensions["A"].width > len("-10,000,000,000.00")


def test_the_same_content_gives_the_same_bytes_also_without_rows() -> None:
    assert workbook(of("a", DAY)) == workbook(of("a", DAY))
    assert read(of()) == []


def test_a_long_sheet_fits_into_an_answer_of_lambda() -> None:
    rows = 500
    sheet = invoice_sheet([whole(replace(italian(), number=f"LV-2026-{each:06}")) for each in range(rows)])

    # Six megabytes with base64; a table of invoices has 1,000 rows, that of numbers 20,000 of a third of the cells.
    assert len(workbook(sheet)) * 4 / 3 < 6 * 1024**2 / 12


# ---- CSV ----


@pytest.mark.parametrize(
    ("locale", "separator", "amount", "quantity"),
    [
        ("it", ";", "1234,56", "0,25"),
        ("it-IT", ";", "1234,56", "0,25"),
        ("da", ";", "1234,56", "0,25"),
        ("de", ";", "1234,56", "0,25"),
        ("de-AT", ";", "1234,56", "0,25"),
        ("de-CH", ";", "1234.56", "0.25"),
        ("en-GB", ",", "1234.56", "0.25"),
        ("ar-EG", ",", "1234.56", "0.25"),
    ],
)
def test_csv_is_as_a_spreadsheet_of_the_locale_reads_it(
    locale: str, separator: str, amount: str, quantity: str
) -> None:
    dialect = dialect_of(locale)

    assert dialect.separator == separator
    cells = column(of(Money(123_456, "EUR"), Decimal("0.25"), Money(-1_234, "JPY"), DAY, Month(DAY), None, 7), dialect)
    assert cells == [amount, quantity, "-1234", "2026-02-28", "2026-02", "", "7"]


@pytest.mark.parametrize("locale", ["it_IT", "da_DK", "de_DE", "en_GB"])
@pytest.mark.parametrize("amount", [0, 1, -1, 123_400, 1_234_567, -(10**12) + 1])
def test_an_amount_survives_the_reading_of_the_locale(locale: str, amount: int) -> None:
    [cell] = column(of(Money(amount, "EUR")), dialect_of(locale.replace("_", "-")))

    assert parse_decimal(cell, locale, strict=True) == Decimal(amount).scaleb(-2)


def test_texts_are_harmless_in_every_dialect() -> None:
    sheet = of(*HOSTILE, *TEXTS)
    expected = [*(f"'{text}" for text in HOSTILE), *TEXTS]

    assert [column(sheet, dialect_of(locale)) for locale in ("it", "da", "de")] == [expected] * 3
    assert column(sheet, MACHINES) == expected


def test_locales_differ_in_their_signs() -> None:
    names = ("fr", "nb", "en-ZA", "es-MX", "zh-Hant-TW", "bgn")

    assert {each: (dialect_of(each).separator, dialect_of(each).decimal) for each in names} == {
        **dict.fromkeys(("fr", "nb", "en-ZA"), (";", ",")),
        **dict.fromkeys(("es-MX", "zh-Hant-TW", "bgn"), (",", ".")),
    }
    assert {each: dialect_of_language(each).separator for each in LANGUAGES} == {"en": ",", "it": ";"}


@pytest.mark.parametrize("name", ["", "xx", "de-XX", "de_DE", "account", "../it", "it;", "e"])
def test_an_unknown_locale_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        dialect_of(name)


# ---- Invoices ----


def whole(issued: IssuedInvoice) -> WholeInvoice:
    return WholeInvoice.new(issued, initial_payment(issued, issued.produced_on))


def rows_of(*issued: IssuedInvoice) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(csv_of(invoice_sheet(map(whole, issued)))))]


def test_an_invoice_has_what_a_bookkeeper_posts() -> None:
    domestic, reverse, dkk = rows_of(invoice(), italian(), with_seller_tax(invoice()))

    assert [*domestic][:8] == ["number", "produced_on", "due_on", "paid_on", "status", "total", "currency", "corrects"]
    assert domestic == {
        "number": "LV-2026-000001",
        "produced_on": "2026-04-15",
        "due_on": "2026-04-29",
        "paid_on": "",
        "status": "open",
        "total": "6050.00",
        "currency": "EUR",
        "corrects": "",
        "kind": "invoice",
        "net": "4840.00",
        "tax_rate": "25",
        "tax": "1210.00",
        "tax_rule": "domestic",
        "tax_country": "DK",
        "seller_tax": "",
        "seller_currency": "",
        "company": invoice().company.name,
        "country": "DK",
        "vat_number": invoice().company.vat_number,
        "period_from": "2026-04-15",
        "period_to": "2026-07-14",
        "method": "card",
        "reference": "",
        "paid": "0.00",
        "left": "6050.00",
        "one_offs": "",
    }
    [extra] = rows_of(with_one_offs(invoice()))
    assert (extra["net"], extra["one_offs"]) == ("5950.00", "1110.00")
    assert (reverse["tax_rule"], reverse["tax_rate"], reverse["tax"]) == ("reverse_charge", "0", "0.00")
    assert (reverse["country"], reverse["vat_number"]) == ("IT", "IT00743110157")
    assert (dkk["seller_tax"], dkk["seller_currency"]) == ("9027.08", "DKK")


def test_a_credit_note_names_its_invoice() -> None:
    [note] = rows_of(replace(invoice(), number="LVC-2026-000001", corrects=CORRECTION))

    assert (note["kind"], note["corrects"]) == ("credit_note", "LV-2026-000001")


def test_the_name_of_a_company_cannot_be_a_formula() -> None:
    hostile = replace(invoice(), company=replace(invoice().company, name="=cmd|' /C calc'!A0"))

    assert rows_of(hostile)[0]["company"] == "'=cmd|' /C calc'!A0"
    assert "=cmd|' /C calc'!A0" in [cell.value for cell in read(invoice_sheet([whole(hostile)]))]
