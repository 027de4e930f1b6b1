"""Sheets as workbooks of Office Open XML (ISO/IEC 29500), which every spreadsheet opens, whatever its language."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any

from billing.kernel.currencies import MINOR_UNIT_DIGITS
from billing.kernel.money import Money
from billing.kernel.spreadsheet import Cell, Month, Sheet, is_formula

if TYPE_CHECKING:
    from datetime import date

_DAY = 14
"""The built-in number format of a day, which each spreadsheet shows as its own language writes it (18.8.30)."""

_MONTH = "yyyy-mm"

_CREATED = datetime(1980, 1, 1)  # noqa: DTZ001 - a workbook has no time zones
"""The time of creation in every workbook: the same content gives the same bytes."""

_WIDTH_MIN, _WIDTH_MAX = 12, 50
"""In digits. The least one shows a day of any language; a spreadsheet shows #### where a number does not fit."""


def workbook(sheet: Sheet) -> bytes:
    """A workbook with one sheet, whose heading stays on the screen. A text stays a text, also where it looks like a
    formula, a number or a link.

    Excel calculates with 15 digits, so a number of more loses the last ones; no amount and no usage has as many.
    """
    # Imported here: only answers that are workbooks need it.
    from xlsxwriter import Workbook

    content = BytesIO()
    book = Workbook(content, {"in_memory": True})
    book.set_properties({"created": _CREATED})
    writer = _SheetWriter(book, sheet)
    writer.write()
    book.close()
    return content.getvalue()


def _width(cell: Cell) -> int:
    """How many digits wide a cell is shown. A third more for an amount, whose digits are grouped."""
    if isinstance(cell, Money):
        return len(str(cell.amount)) * 4 // 3 + 1
    return 0 if cell is None else len(str(cell))


class _SheetWriter:
    """Writes the cells of one sheet by their types."""

    def __init__(self, book: Any, sheet: Sheet) -> None:
        self._book = book
        self._sheet = sheet
        self._page = book.add_worksheet(sheet.title)
        self._formats: dict[str, Any] = {}

    def write(self) -> None:
        heading = self._book.add_format({"bold": True})
        for column, name in enumerate(self._sheet.heading):
            self._page.write_string(0, column, name, heading)
        widths = [*map(len, self._sheet.heading)]
        for number, row in enumerate(self._sheet.rows, 1):
            for column, cell in enumerate(row):
                self._cell(number, column, cell)
                widths[column] = max(widths[column], _width(cell))
        for column, width in enumerate(widths):
            self._page.set_column(column, column, min(max(width + 2, _WIDTH_MIN), _WIDTH_MAX))
        self._page.freeze_panes(1, 0)

    def _cell(self, row: int, column: int, cell: Cell) -> None:
        if isinstance(cell, str):
            # With the mark, a text that looks like a formula stays a text when somebody edits it.
            mark = self._format("text", {"quote_prefix": True}) if is_formula(cell) else None
            self._page.write_string(row, column, cell, mark)
        elif isinstance(cell, Money):
            digits = MINOR_UNIT_DIGITS[cell.currency]
            shown = self._format(f"money {digits}", {"num_format": f"#,##0.{'0' * digits}".rstrip(".")})
            self._page.write_number(row, column, Decimal(cell.amount).scaleb(-digits), shown)
        elif isinstance(cell, int | Decimal):
            self._page.write_number(row, column, cell)
        elif isinstance(cell, Month):
            self._day(row, column, cell.first, _MONTH)
        elif cell is not None:
            self._day(row, column, cell, _DAY)

    def _day(self, row: int, column: int, day: date, shown: str | int) -> None:
        self._page.write_datetime(row, column, day, self._format(f"day {shown}", {"num_format": shown}))

    def _format(self, name: str, properties: dict[str, Any]) -> Any:
        if name not in self._formats:
            self._formats[name] = self._book.add_format(properties)
        return self._formats[name]
