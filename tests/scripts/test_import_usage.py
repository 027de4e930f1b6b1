"""The operator's command: what a file may look like, what is said of a bad line, and what is cut off goes on."""

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
    """A stack that is called livello, whose table is on moto."""
    found = {"livello": {"Table": ("AWS::DynamoDB::Table", TABLE)}}
    monkeypatch.setattr(import_usage, "stack_resources", lambda stack, _: found[stack])
    monkeypatch.setattr(import_usage, "aws_session", wiring.session)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.csv"


class Printed:
    """What the command answers: its exit status, its summary, and the lines that it complains of."""

    def __init__(self, status: int, printed: Any) -> None:
        self.status = status
        self.sums = [int(line.split()[0].replace(",", "")) for line in printed.out.splitlines()[:4]]
        self.said = printed.err.splitlines()


@pytest.fixture
def run(file: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def command(*lines: str | bytes, options: tuple[str, ...] = ()) -> Printed:
        file.write_bytes(b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines))
        return Printed(main([*options, str(file)]), capsys.readouterr())

    return command


def totals() -> dict[str, dict[date, Decimal]]:
    return wiring.usage_store().totals(ACCOUNT["account"], MAY, MAY)


def test_a_file_is_counted_once(run: Any) -> None:
    lines = [REQUIRED, LINE, LINE.replace("05-01", "05-02"), "", LINE]

    first, again = run(*lines), run(*lines)

    assert (first.status, first.sums) == (0, [2, 1, 0, 0])
    assert (again.status, again.sums) == (0, [0, 3, 0, 0])
    assert first.said == again.said == []
    assert totals() == {"search": {MAY: Decimal("0.2"), date(2019, 5, 2): Decimal("0.2")}}


def test_all_columns_in_any_order_as_a_spreadsheet_writes_them(run: Any) -> None:
    printed = run(
        b"\xef\xbb\xbfid,source,currency,revenue,conversions,content,quantity,date,product,store,account\r",
        '1,shop,EUR,1290,2,"Größe ""L"", ☕",2.50,2019-05-01,search,nordlys-dk,nordlys-kaffe\r',
        "2,shop,,,,,2.50,2019-05-01,search,nordlys-dk,nordlys-kaffe\r",
    )

    assert (printed.status, printed.sums, printed.said) == (0, [2, 0, 0, 0], [])
    unnamed, named = wiring.usage_store().contents(ACCOUNT["account"], "search", MAY, MAY, limit=9)
    assert (named.content, named.quantity, named.conversions) == ('Größe "L", ☕', Decimal("2.5"), 2)
    assert named.revenue == {"EUR": 1290}
    assert (unnamed.content, unnamed.quantity, unnamed.conversions, unnamed.revenue) == (None, Decimal("2.5"), 0, {})


@pytest.mark.parametrize(
    ("line", "said"),
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
def test_a_bad_line_is_named_and_stops_no_other(run: Any, line: str | bytes, said: str) -> None:
    printed = run(REQUIRED, line, LINE.replace("0.2", "7"))

    assert (printed.status, printed.sums) == (1, [1, 0, 0, 1])
    assert len(printed.said) == 1
    assert printed.said[0].startswith(said)
    assert totals() == {"search": {MAY: Decimal(7)}}


@pytest.mark.parametrize(
    ("columns", "cells", "said"),
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
def test_what_is_wrong_is_said_without_repeating_it(run: Any, columns: str, cells: str, said: str) -> None:
    printed = run(f"{REQUIRED},{columns}", f"{LINE},{cells}")

    assert (printed.status, printed.sums) == (1, [0, 0, 0, 1])
    assert printed.said[0].startswith(said)
    assert "secret" not in printed.said[0]


def test_a_conflict_is_named_and_changes_nothing(run: Any) -> None:
    printed = run(REQUIRED, LINE, LINE.replace("0.2", "0.3"))

    assert (printed.status, printed.sums) == (1, [1, 0, 1, 0])
    assert printed.said == ["line 3: It was counted before, and says something else now; nothing is changed."]
    assert totals() == {"search": {MAY: Decimal("0.2")}}


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", "missing: account, store, product, date, quantity"),
        (REQUIRED.replace(",", ";"), "with commas between"),
        ("account,store,date,quantity", "missing: product."),
        (f"{REQUIRED},colour", "unknown: ['colour']"),
        (f"{REQUIRED},date", "names a column twice"),
        (b"\xff", "It is not in UTF-8."),
    ],
)
def test_a_file_without_the_columns_is_not_begun(run: Any, header: str, said: str) -> None:
    before = stored_items()

    printed = run(header, LINE)

    assert printed.status == 1
    assert said in printed.said[0]
    assert stored_items() == before


def test_an_empty_file_and_none_at_all(run: Any, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run().status == 1
    assert main([str(file.with_name("another.csv"))]) == 1
    assert "another.csv" in capsys.readouterr().err


def test_a_dry_run_checks_everything_and_writes_nothing(run: Any) -> None:
    before = stored_items()

    printed = run(REQUIRED, LINE, LINE.replace("search", "chat"), LINE.replace("0.2", "x"), options=("--dry-run",))

    assert (printed.status, printed.sums) == (1, [1, 0, 0, 2])
    assert [line.split(":")[0] for line in printed.said] == ["line 4, quantity", "line 3, product"]
    assert stored_items() == before


def cut_off_after(transactions: int, failure: BaseException, patch: pytest.MonkeyPatch) -> None:
    """Lets so many transactions through, and no more."""
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
def test_what_was_cut_off_goes_on_where_it_was(
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
    counted_then = sum(sum(daily.values()) for daily in totals().values()) * 10

    whole = run(REQUIRED, *lines)

    assert (cut.status, cut.said[-1]) == (status, AGAIN)
    assert bool(counted_then) == bool(transactions)
    assert (whole.status, whole.sums) == (0, [len(lines) - counted_then, counted_then, 0, 0])
    assert totals() == {product: dict.fromkeys(days, Decimal("0.2")) for product in ("search", "email")}


def test_somebody_who_looks_at_it_sees_how_far_it_is(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")

    printed = run(REQUIRED, LINE, LINE.replace("0.2", "x"), "")

    assert any("100%" in line and "2/2" in line for line in printed.said)
    assert any(line.startswith("line 3, quantity: ") for line in printed.said)
