"""The operator's import of usage: forms of the file, messages about bad lines, and how a cut-off import goes on."""

from __future__ import annotations

import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from billing import wiring
from billing.usage.records import UsageStore
from botocore.exceptions import EndpointConnectionError

from scripts import import_usage
from scripts.import_usage import AGAIN, main
from tests.aws import TABLE, stored_items
from tests.samples import ACCOUNT

MAY = date(2019, 5, 1)
REQUIRED = "account,store,product,date,quantity"
LINE = "nordlys-kaffe,nordlys-dk,search,2019-05-01,0.2"


@pytest.fixture(autouse=True)
def stack(company: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack named livello, with its table on moto."""
    resources = {"livello": {"Table": ("AWS::DynamoDB::Table", TABLE)}}
    monkeypatch.setattr(import_usage, "stack_resources", lambda stack, _: resources[stack])
    monkeypatch.setattr(import_usage, "aws_session", wiring.session)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.csv"


class Printed:
    """The exit status of a run, the four sums of its summary, and its lines on stderr."""

    def __init__(self, status: int, printed: Any) -> None:
        self.status = status
        self.sums = [int(line.split()[0].replace(",", "")) for line in printed.out.splitlines()[:4]]
        self.errors = printed.err.splitlines()


@pytest.fixture
def run(file: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def command(*lines: str | bytes, options: tuple[str, ...] = ()) -> Printed:
        file.write_bytes(b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines))
        return Printed(main([*options, str(file)]), capsys.readouterr())

    return command


def totals() -> dict[str, dict[date, Decimal]]:
    return wiring.usage_store().totals(ACCOUNT["account"], MAY, MAY)


def test_a_file_that_is_imported_twice_is_counted_once(run: Any) -> None:
    lines = [REQUIRED, LINE, LINE.replace("05-01", "05-02"), "", LINE]

    first, again = run(*lines), run(*lines)

    assert (first.status, first.sums) == (0, [2, 1, 0, 0])
    assert (again.status, again.sums) == (0, [0, 3, 0, 0])
    assert first.errors == again.errors == []
    assert totals() == {"search": {MAY: Decimal("0.2"), date(2019, 5, 2): Decimal("0.2")}}


def test_columns_come_in_any_order_in_the_format_of_a_spreadsheet(run: Any) -> None:
    printed = run(
        b"\xef\xbb\xbfid,source,currency,revenue,conversions,content,quantity,date,product,store,account\r",
        '1,shop,EUR,1290,2,"Größe ""L"", ☕",2.50,2019-05-01,search,nordlys-dk,nordlys-kaffe\r',
        "2,shop,,,,,2.50,2019-05-01,search,nordlys-dk,nordlys-kaffe\r",
    )

    assert (printed.status, printed.sums, printed.errors) == (0, [2, 0, 0, 0], [])
    unnamed, named = wiring.usage_store().contents(ACCOUNT["account"], "search", MAY, MAY, limit=9)
    assert (named.content, named.quantity, named.conversions) == ('Größe "L", ☕', Decimal("2.5"), 2)
    assert named.revenue == {"EUR": 1290}
    assert (unnamed.content, unnamed.quantity, unnamed.conversions, unnamed.revenue) == (None, Decimal("2.5"), 0, {})


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (LINE.replace("0.2", "1e3"), "line 2, quantity: must be a decimal number"),
        (LINE.replace("0.2", "NaN"), "line 2, quantity: must be a decimal number"),
        (LINE.replace("0.2", "-1"), "line 2, quantity: must be a decimal number"),
        (LINE.replace("0.2", " 1"), "line 2, quantity: must be a decimal number"),
        (LINE.replace("0.2", "1_000"), "line 2, quantity: must be a decimal number"),
        (LINE.replace("0.2", "٣"), "line 2, quantity: must be a decimal number"),
        (LINE.replace("0.2", "1" * 40), "line 2, quantity: must be a decimal number"),
        (LINE.replace("0.2", "1000000001"), "line 2, quantity: must be between 0 and 1,000,000,000"),
        (LINE.replace("0.2", "0.0000001"), "line 2, quantity: must have no more than 6 decimals"),
        (LINE.replace("0.2", ""), "line 2, quantity: Field required"),
        (LINE.replace("2019-05-01", "01/05/2019"), "line 2, date: must be a date such as 2026-01-31"),
        (LINE.replace("2019-05-01", "2019-02-29"), "line 2, date: "),
        (LINE.replace("2019-05-01", "9999-12-31"), "line 2, date: It must be between 1970-01-01 and today."),
        (LINE.replace("nordlys-kaffe", "nobody"), "line 2, account: There is no account nobody."),
        (LINE.replace("nordlys-kaffe", "Ada Secret"), "line 2, account: "),
        (LINE.replace("nordlys-dk", "secret-shop"), "line 2, store: The account nordlys-kaffe has no store"),
        (LINE.replace("search", "chat"), "line 2, product: The account nordlys-kaffe does not subscribe to chat."),
        (f"{LINE},secret", "line 2: There must be 5 columns, as in the first line; here are 6."),
        (LINE.removesuffix(",0.2"), "line 2: There must be 5 columns, as in the first line; here are 4."),
        (f'{LINE},"secret', "line 2: Its quotation marks do not match"),
        (LINE.encode() + b"\xff", "line 2: It is not in UTF-8."),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_counted(run: Any, line: str | bytes, error: str) -> None:
    printed = run(REQUIRED, line, LINE.replace("0.2", "7"))

    assert (printed.status, printed.sums) == (1, [1, 0, 0, 1])
    assert len(printed.errors) == 1
    assert printed.errors[0].startswith(error)
    assert totals() == {"search": {MAY: Decimal(7)}}


@pytest.mark.parametrize(
    ("columns", "cells", "error"),
    [
        ("content", "secret\x07", "line 2, content: must not contain control characters"),
        ("content", "secret" * 40, "line 2, content: String should have at most 200 characters"),
        ("conversions", "1.5", "line 2, conversions: must be a whole number"),
        ("conversions", "9999999999", "line 2, conversions: Input should be less than or equal to 1000000000"),
        ("revenue,currency", "12.90,EUR", "line 2, revenue: must be a whole number"),
        ("revenue,currency", "1290,EURO", "line 2, currency: must be a currency code of ISO 4217"),
        ("revenue,currency", "1290,", "line 2, revenue: There must be both a revenue and a currency, or none."),
        ("revenue,currency", ",EUR", "line 2, revenue: There must be both a revenue and a currency, or none."),
        ("source", "my secret", "line 2, source: "),
        ("id", "secret" * 50, "line 2, id: "),
    ],
)
def test_an_error_names_the_column_and_does_not_repeat_the_cell(run: Any, columns: str, cells: str, error: str) -> None:
    printed = run(f"{REQUIRED},{columns}", f"{LINE},{cells}")

    assert (printed.status, printed.sums) == (1, [0, 0, 0, 1])
    assert printed.errors[0].startswith(error)
    assert "secret" not in printed.errors[0]


def test_a_row_in_conflict_is_named_and_changes_nothing(run: Any) -> None:
    printed = run(REQUIRED, LINE, LINE.replace("0.2", "0.3"))

    assert (printed.status, printed.sums) == (1, [1, 0, 1, 0])
    assert printed.errors == ["line 3: It was counted before with other content; nothing is changed."]
    assert totals() == {"search": {MAY: Decimal("0.2")}}


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ("", "missing: account, store, product, date, quantity"),
        (REQUIRED.replace(",", ";"), "with commas between"),
        ("account,store,date,quantity", "missing: product."),
        (f"{REQUIRED},colour", "unknown: ['colour']"),
        (f"{REQUIRED},date", "names a column twice"),
        (b"\xff", "It is not in UTF-8."),
    ],
)
def test_a_file_with_a_bad_header_is_not_imported(run: Any, header: str, error: str) -> None:
    before = stored_items()

    printed = run(header, LINE)

    assert printed.status == 1
    assert error in printed.errors[0]
    assert stored_items() == before


def test_an_empty_or_missing_file_is_an_error(run: Any, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run().status == 1
    assert main([str(file.with_name("another.csv"))]) == 1
    assert "another.csv" in capsys.readouterr().err


def test_a_dry_run_checks_every_line_and_writes_nothing(run: Any) -> None:
    before = stored_items()

    printed = run(REQUIRED, LINE, LINE.replace("search", "chat"), LINE.replace("0.2", "x"), options=("--dry-run",))

    assert (printed.status, printed.sums) == (1, [1, 0, 0, 2])
    assert [line.split(":")[0] for line in printed.errors] == ["line 4, quantity", "line 3, product"]
    assert stored_items() == before


def cut_off_after(transactions: int, failure: BaseException, patch: pytest.MonkeyPatch) -> None:
    """Lets so many transactions pass, and raises the failure at the next."""
    count, left = UsageStore.count, iter(range(transactions))

    def counted(*arguments: Any) -> Any:
        if next(left, None) is None:
            raise failure
        return count(*arguments)

    patch.setattr(UsageStore, "count", counted)


@pytest.mark.parametrize("transactions", [0, 1])
@pytest.mark.parametrize(
    ("failure", "status"),
    [(EndpointConnectionError(endpoint_url="https://dynamodb.example"), 1), (KeyboardInterrupt(), 130)],
)
def test_an_import_that_was_cut_off_goes_on_where_it_stopped(
    run: Any, monkeypatch: pytest.MonkeyPatch, transactions: int, failure: BaseException, status: int
) -> None:
    days = [date(2019, 5, day) for day in range(1, 32)]
    lines = [
        f"nordlys-kaffe,{store},{product},{day},0.1"
        for store in ("nordlys-dk", "nordlys-se")
        for product in ("search", "email")
        for day in days
    ]
    with monkeypatch.context() as patch:
        cut_off_after(transactions, failure, patch)
        cut = run(REQUIRED, *lines)
    counted_before = sum(sum(daily.values()) for daily in totals().values()) * 10

    whole = run(REQUIRED, *lines)

    assert (cut.status, cut.errors[-1]) == (status, AGAIN)
    assert bool(counted_before) == bool(transactions)
    assert (whole.status, whole.sums) == (0, [len(lines) - counted_before, counted_before, 0, 0])
    assert totals() == {product: dict.fromkeys(days, Decimal("0.2")) for product in ("search", "email")}


def test_a_terminal_shows_the_progress(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")

    printed = run(REQUIRED, LINE, LINE.replace("0.2", "x"), "")

    assert any("100%" in line and "2/2" in line for line in printed.errors)
    assert any(line.startswith("line 3, quantity: ") for line in printed.errors)
