"""Imports past usage from a CSV file, exactly once. docs/import.md explains it."""

from __future__ import annotations

import argparse
import csv
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

from billing.kernel.errors import ConcurrentChange, Violation
from billing.kernel.field_codes import FieldCode
from billing.kernel.money import Money
from billing.platform.aws_session import aws_session
from billing.platform.http.models import Amount, Body, Currency, Identifier, IsoDate, Text
from billing.platform.retry import RetryBudget
from billing.usage.event_bodies import Conversions, EventId, EventSource, Quantity
from billing.usage.import_usage import SOURCE, ImportResult, PastUsage, import_usage
from billing.usage.record_usage import IngestResult, Result
from billing.usage.records import UsageStore
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BeforeValidator, ValidationError
from tqdm import tqdm

from local.settings import LocalError
from scripts.stack import OperatorError, add_stack_options, stack_resources, use_local_stack

BUDGET_SECONDS = 120.0
"""How long a transaction is tried again while DynamoDB throttles the account's partition."""

CONFLICT = "It was counted before with other content; nothing is changed."

AGAIN = "Counted rows stay counted, once. Run it again to go on."
INTERRUPTED = 130
"""The exit status after Ctrl-C."""

_DIGITS = re.compile(r"[0-9]{1,20}")


def _whole_number(value: object) -> object:
    if not isinstance(value, str) or not _DIGITS.fullmatch(value):
        raise ValueError("must be a whole number, such as 12900")
    return int(value)


class UsageRow(Body):
    """The columns of the file, with the checks of POST /usage."""

    account: Identifier
    store: Identifier
    product: Identifier
    date: IsoDate
    quantity: Quantity
    content: Text | None = None
    conversions: Annotated[Conversions, BeforeValidator(_whole_number)] = 0
    revenue: Annotated[Amount, BeforeValidator(_whole_number)] | None = None
    currency: Currency | None = None
    source: EventSource = SOURCE
    id: EventId | None = None

    def past_usage(self, line: int) -> PastUsage | Violation:
        """The row of a line of the file, or what is wrong with it."""
        if (self.revenue is None) != (self.currency is None):
            return Violation(
                ("revenue",), "There must be both a revenue and a currency, or none.", FieldCode.NOT_TOGETHER
            )
        return PastUsage(
            account=self.account,
            store=self.store,
            product=self.product,
            day=self.date,
            quantity=self.quantity,
            content=self.content,
            conversions=self.conversions,
            revenue=None if self.revenue is None or self.currency is None else Money(self.revenue, self.currency),
            source=self.source,
            id=self.id,
            line=line,
        )


_COLUMN_OF = {"day": "date"}
"""The column of a field of PastUsage, where the names differ."""

COLUMNS = tuple(UsageRow.model_fields)
REQUIRED = tuple(name for name, field in UsageRow.model_fields.items() if field.is_required())


class Progress:
    """Shows the progress on stderr: a bar, and above it each line that is not counted, with the reason."""

    def __init__(self, bar: tqdm[NoReturn]) -> None:
        self._bar = bar
        self.unreadable = 0

    def report(self, row: PastUsage, result: Result) -> None:
        """Advances the bar by a row, and prints the line if it is refused or in conflict."""
        if isinstance(result, Violation):
            self._say(row.line, result)
        elif result is IngestResult.CONFLICT:
            self._say(row.line, Violation((), CONFLICT, FieldCode.CONFLICT))
        self._bar.update()

    def cannot_read(self, line: int, violations: Iterable[Violation]) -> None:
        """Advances the bar by a line that is no valid row, and prints what is wrong with it."""
        self.unreadable += 1
        for each in violations:
            self._say(line, each)
        self._bar.update()

    def _say(self, line: int | None, violation: Violation) -> None:
        column = "".join(f", {_COLUMN_OF.get(str(name), name)}" for name in violation.path)
        self._bar.write(f"line {line}{column}: {violation.detail}", file=sys.stderr)


def rows(lines: Iterable[bytes], cannot_read: Callable[[int, list[Violation]], None]) -> Iterator[PastUsage]:
    """The rows of a file, one per line. So an unmatched quotation mark spoils only its own line.

    Calls `cannot_read` for each line that is no valid row. Raises OperatorError if the first line does not name the
    columns.
    """
    numbered = enumerate(lines, start=1)
    names = _header(next(numbered, (1, b""))[1])
    for number, line in numbered:
        if not line.strip():
            continue
        row = _row(names, line, number)
        if isinstance(row, PastUsage):
            yield row
        else:
            cannot_read(number, row)


def _header(line: bytes) -> list[str]:
    try:
        names = _cells(line.removeprefix(b"\xef\xbb\xbf"))
    except ValueError as failure:
        raise OperatorError(f"The first line cannot be read: {failure}") from failure
    if missing := [name for name in REQUIRED if name not in names]:
        raise OperatorError(
            f"The first line must name the columns, with commas between; missing: {', '.join(missing)}."
        )
    if unknown := [name for name in names if name not in COLUMNS]:
        raise OperatorError(f"There are only the columns {', '.join(COLUMNS)}; unknown: {unknown}.")
    if len(set(names)) < len(names):
        raise OperatorError("The first line names a column twice.")
    return names


def _row(names: Sequence[str], line: bytes, number: int) -> PastUsage | list[Violation]:
    try:
        cells = _cells(line)
    except ValueError as failure:
        return [Violation((), str(failure), FieldCode.MALFORMED)]
    if len(cells) != len(names):
        detail = f"There must be {len(names)} columns, as in the first line; here are {len(cells)}."
        return [Violation((), detail, FieldCode.MALFORMED)]
    filled = {name: cell for name, cell in zip(names, cells, strict=True) if cell}
    try:
        row = UsageRow.model_validate(filled).past_usage(number)
    except ValidationError as failure:
        return [
            Violation(each["loc"][:1], each["msg"].removeprefix("Value error, "), FieldCode.INVALID)
            for each in failure.errors(include_url=False, include_context=False, include_input=False)
        ]
    return [row] if isinstance(row, Violation) else row


def _cells(line: bytes) -> list[str]:
    """The cells of a line. Raises ValueError, whose message repeats nothing of the line: it may be personal data."""
    try:
        return next(csv.reader([line.decode()], strict=True), [])
    except UnicodeDecodeError:
        raise ValueError("It is not in UTF-8.") from None
    except csv.Error:
        raise ValueError("Its quotation marks do not match, or a line breaks inside them.") from None


def import_file(path: Path, store: UsageStore, now: datetime, *, dry_run: bool) -> ImportResult:
    """Imports a file line by line, in constant memory. Raises OperatorError, OSError, ConcurrentChange.

    Each transaction writes up to 100 actions. With `dry_run` everything is checked and nothing is written.
    """
    with path.open("rb") as file:
        lines = sum(1 for line in file if line.strip())
        file.seek(0)
        # disable=None shows the bar only in a terminal: in a log it is noise.
        with tqdm(total=max(0, lines - 1), unit=" rows", disable=None, dynamic_ncols=True) as bar:
            progress = Progress(bar)
            imported = import_usage(
                rows(file, progress.cannot_read),
                now=now,
                budget=lambda: RetryBudget(BUDGET_SECONDS),
                store=store,
                on_result=progress.report,
                dry_run=dry_run,
            )
    return replace(imported, refused=imported.refused + progress.unreadable)


def main(arguments: Sequence[str]) -> int:
    """Imports one file. Returns the exit status: 1 if a row is refused or in conflict, or the import failed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.import_usage", description=(__doc__ or "").split("\n")[0])
    add_stack_options(parser)
    parser.add_argument("--dry-run", action="store_true", help="check everything, write nothing")
    parser.add_argument("file", type=Path, help="CSV in UTF-8, its columns named by the first line")
    given = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        if given.local:
            use_local_stack()
        session = aws_session()
        store = UsageStore(stack_resources(given.stack, session)["Table"][1], session.create_client("dynamodb"))
        now = datetime.now(UTC)  # noqa: TID251 - usage of a future day is refused
        imported = import_file(given.file, store, now, dry_run=given.dry_run)
    except (BotoCoreError, ClientError, OperatorError, LocalError, OSError) as failure:
        sys.stderr.write(f"{failure}\n{AGAIN}\n")
        return 1
    except ConcurrentChange:
        sys.stderr.write(f"The table is throttled.\n{AGAIN}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"\n{AGAIN}\n")
        return INTERRUPTED
    _say(imported, time.monotonic() - started, dry_run=given.dry_run)
    return 1 if imported.conflict or imported.refused else 0


def _say(imported: ImportResult, seconds: float, *, dry_run: bool) -> None:
    counted = "would be counted, unless they are counted already" if dry_run else "counted"
    sys.stdout.write(
        f"{imported.counted:,} {counted}\n{imported.duplicate:,} counted before\n"
        f"{imported.conflict:,} in conflict\n{imported.refused:,} refused\n{seconds:.1f} seconds\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
