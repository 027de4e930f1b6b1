"""Imports the European Central Bank's reference rates from a file, CSV or XML. docs/operate.md explains it.

The files are published at www.ecb.europa.eu, euro foreign exchange reference rates: eurofxref.csv and
eurofxref-daily.xml have the newest day, eurofxref-hist.csv and eurofxref-hist-90d.xml have many.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from billing.invoicing.exchange_rates.records import ExchangeRateStore
from billing.invoicing.exchange_rates.replace import replace_rates
from billing.invoicing.exchange_rates.rules import DailyRates
from billing.kernel.currencies import MINOR_UNIT_DIGITS
from billing.kernel.errors import BillingError
from billing.kernel.events import by_system
from billing.platform.aws_session import aws_session
from botocore.exceptions import BotoCoreError, ClientError
from lxml import etree

from local.settings import LocalError
from scripts.stack import OperatorError, add_stack_options, stack_resources, use_local_stack

BASE, SOURCE = "EUR", "ECB"
DAYS = 14
"""How many days before the newest one of the file are imported, unless --since says otherwise."""

_NOT_QUOTED = frozenset({"", "N/A"})
_RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_CUBE = "{http://www.ecb.int/vocabulary/2002-08-01/eurofxref}Cube"


def published(content: bytes) -> list[DailyRates]:
    """The rates of each day in a file of the bank, the newest first.

    Currencies that the bank does not quote on a day, or that no longer exist, are left out. Raises OperatorError for a
    file of another form.
    """
    is_xml = content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<")
    days = dict(_of_xml(content) if is_xml else _of_csv(content))
    if not days:
        raise OperatorError("The file has no rates of any day.")
    return [DailyRates(day, BASE, days[day], SOURCE) for day in sorted(days, reverse=True)]


def _of_csv(content: bytes) -> Iterator[tuple[date, dict[str, Decimal]]]:
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(content.decode("utf-8-sig").splitlines())]
    except (UnicodeDecodeError, csv.Error) as failure:
        raise OperatorError(f"The file cannot be read: {failure}") from failure
    if not rows or rows[0][:1] != ["Date"]:
        raise OperatorError("The first line must name the columns: Date, USD, JPY, and so on.")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) > 1:
            pairs = zip(rows[0][1:], row[1:], strict=False)
            yield _day(row[0], f"line {number}"), _rates(pairs, f"line {number}")


def _of_xml(content: bytes) -> Iterator[tuple[date, dict[str, Decimal]]]:
    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as failure:
        raise OperatorError(f"The file cannot be read: {failure}") from failure
    for cube in root.iter(_CUBE):
        if "time" in cube.attrib:
            day = _day(cube.attrib["time"], "an element Cube")
            yield day, _rates(((each.get("currency", ""), each.get("rate", "")) for each in cube), f"{day}")


def _day(text: str, place: str) -> date:
    """A day such as 2026-06-09, or 09 June 2026 in the file of one day."""
    for form in ("%Y-%m-%d", "%d %B %Y"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    raise OperatorError(f"{place}: {text!r} is not a day.")


def _rates(pairs: Iterator[tuple[str, str]], place: str) -> dict[str, Decimal]:
    rates = {}
    for currency, rate in pairs:
        if currency not in MINOR_UNIT_DIGITS or rate in _NOT_QUOTED:
            continue
        if not _RATE.fullmatch(rate) or not Decimal(rate):
            raise OperatorError(f"{place}: {rate!r} is not a rate of {currency}.")
        rates[currency] = Decimal(rate)
    if not rates:
        raise OperatorError(f"{place}: there is no rate.")
    return rates


def import_rates(days: Sequence[DailyRates], store: ExchangeRateStore, now: datetime) -> int:
    """Gives the rates of each day that has none, and prints a line for each day. Returns how many days differ.

    A day that has all of the file's rates already is left as it is, with what staff have added. A day that has others
    is left too: staff decide. One get for each day, and one get and one transaction more for a new one. Raises
    BillingError.
    """
    differ = 0
    for each in days:
        known = store.rates(each.day)
        if known is None:
            replace_rates(each, 0, context=by_system(now, "import of exchange rates"), store=store)
            sys.stdout.write(f"{each.day}: {len(each.rates)} rates\n")
        elif known.base == each.base and each.rates.items() <= known.rates.items():
            sys.stdout.write(f"{each.day}: known\n")
        else:
            differ += 1
            others = sorted(name for name, rate in each.rates.items() if known.rates.get(name) != rate)
            sys.stderr.write(f"{each.day}: other rates are given already, of {', '.join(others)}. Nothing changed.\n")
    return differ


def main(arguments: Sequence[str]) -> int:
    """Imports one file. Returns the exit status: 1 if a day has other rates already, or the import failed."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.import_exchange_rates", description=(__doc__ or "").split("\n")[0]
    )
    add_stack_options(parser)
    parser.add_argument("--since", type=date.fromisoformat, help=f"the first day; by default the newest {DAYS} days")
    parser.add_argument("file", type=Path, help="CSV or XML of the European Central Bank")
    given = parser.parse_args(arguments)
    try:
        days = published(given.file.read_bytes())
        since = given.since or days[0].day - timedelta(days=DAYS)
        if given.local:
            use_local_stack()
        session = aws_session()
        store = ExchangeRateStore(stack_resources(given.stack, session)["Table"][1], session.create_client("dynamodb"))
        now = datetime.now(UTC)  # noqa: TID251 - rates of a future day are refused
        differ = import_rates([each for each in days if each.day >= since], store, now)
    except (BillingError, BotoCoreError, ClientError, OperatorError, LocalError, OSError) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
