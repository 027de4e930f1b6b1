"""The import of the European Central Bank's rates: the forms of its files, and days that are known already."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from billing import wiring
from billing.invoicing.exchange_rates.replace import replace_rates
from billing.invoicing.exchange_rates.rules import DailyRates

from scripts import import_exchange_rates
from scripts.import_exchange_rates import main, published
from scripts.stack import OperatorError
from tests.aws import TABLE, stored_items
from tests.store.samples import CONTEXT

MONDAY, FRIDAY = date(2026, 6, 8), date(2026, 6, 5)

DAILY_CSV = b"Date, USD, JPY, DKK, ISK, \n08 June 2026, 1.0850, 170.25, 7.4604, 142.50, \n"
HISTORY_CSV = b"""Date,USD,JPY,DKK,CYP,ISK,
2026-06-08,1.0850,170.25,7.4604,N/A,142.5,
2026-06-05,1.0862,170.1,7.4601,0.5853,N/A,
"""
HISTORY_XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"
 xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
<gesmes:subject>Reference rates</gesmes:subject>
<gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>
<Cube>
<Cube time="2026-06-08"><Cube currency="USD" rate="1.0850"/><Cube currency="DKK" rate="7.4604"/></Cube>
<Cube time="2026-06-05"><Cube currency="USD" rate="1.0862"/><Cube currency="DKK" rate="7.4601"/></Cube>
</Cube></gesmes:Envelope>"""


@pytest.fixture(autouse=True)
def stack(store: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack named livello, with its table on moto."""
    resources = {"livello": {"Table": ("AWS::DynamoDB::Table", TABLE)}}
    monkeypatch.setattr(import_exchange_rates, "stack_resources", lambda stack, _: resources[stack])
    monkeypatch.setattr(import_exchange_rates, "aws_session", wiring.session)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def command(content: bytes, *options: str) -> tuple[int, list[str], list[str]]:
        file = tmp_path / "rates"
        file.write_bytes(content)
        status = main([*options, str(file)])
        printed = capsys.readouterr()
        return status, printed.out.splitlines(), printed.err.splitlines()

    return command


def known(day: date) -> dict[str, str]:
    rates = wiring.exchange_rate_store().rates(day)
    return {} if rates is None else {name: str(rate) for name, rate in rates.rates.items()}


@pytest.mark.parametrize(
    ("content", "days"),
    [
        (DAILY_CSV, {MONDAY: {"USD": "1.0850", "JPY": "170.25", "DKK": "7.4604", "ISK": "142.50"}}),
        (
            HISTORY_CSV,
            {
                MONDAY: {"USD": "1.0850", "JPY": "170.25", "DKK": "7.4604", "ISK": "142.5"},
                FRIDAY: {"USD": "1.0862", "JPY": "170.1", "DKK": "7.4601"},
            },
        ),
        (HISTORY_XML, {MONDAY: {"USD": "1.0850", "DKK": "7.4604"}, FRIDAY: {"USD": "1.0862", "DKK": "7.4601"}}),
    ],
    ids=["eurofxref.csv", "eurofxref-hist.csv", "eurofxref-hist-90d.xml"],
)
def test_each_form_of_the_banks_files_is_read(content: bytes, days: dict[date, dict[str, str]], run: Any) -> None:
    """Without what the bank does not quote that day (N/A), and currencies that no longer exist (CYP)."""
    status, _, errors = run(content)

    assert (status, errors) == (0, [])
    assert {day: known(day) for day in days} == days
    [rates] = [each for each in published(content) if each.day == MONDAY]
    assert (rates.base, rates.source) == ("EUR", "ECB")


def test_a_second_import_changes_nothing(run: Any) -> None:
    run(HISTORY_CSV)
    before = stored_items()

    assert run(HISTORY_CSV) == (0, ["2026-06-08: known", "2026-06-05: known"], [])
    assert stored_items() == before


def test_what_staff_have_added_stays(run: Any) -> None:
    added = {"DKK": Decimal("7.4604"), "USD": Decimal("1.085"), "AED": Decimal("3.98")}
    rates = DailyRates(MONDAY, "EUR", added, "ECB, Central Bank of the UAE")
    replace_rates(rates, 0, context=CONTEXT, store=wiring.exchange_rate_store())

    assert run(HISTORY_XML) == (0, ["2026-06-08: known", "2026-06-05: 2 rates"], [])
    assert known(MONDAY)["AED"] == "3.98"


def test_a_day_with_other_rates_is_left_to_staff_and_stops_no_other(run: Any) -> None:
    rates = DailyRates(MONDAY, "EUR", {"DKK": Decimal("7.5"), "USD": Decimal("1.0850")}, "by hand")
    replace_rates(rates, 0, context=CONTEXT, store=wiring.exchange_rate_store())

    status, printed, errors = run(HISTORY_XML)

    assert (status, printed) == (1, ["2026-06-05: 2 rates"])
    assert errors == ["2026-06-08: other rates are given already, of DKK. Nothing changed."]
    assert known(MONDAY)["DKK"] == "7.5"


def test_by_default_only_the_newest_days_are_imported(run: Any) -> None:
    older = HISTORY_CSV + b"2026-05-22,1.08,170,7.46,N/A,N/A,\n"

    run(older)
    assert (known(FRIDAY) != {}, known(date(2026, 5, 22))) == (True, {})
    run(older, "--since", "2026-05-01")
    assert known(date(2026, 5, 22))["DKK"] == "7.46"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Day,USD\n2026-06-08,1\n",
        b"Date,USD\n",
        b"Date,USD\nyesterday,1\n",
        b"Date,USD\n2026-06-08,-1\n",
        b"Date,USD\n2026-06-08,0\n",
        b"Date,USD\n2026-06-08,1e3\n",
        b"Date,XXX\n2026-06-08,1\n",
        b"\xff\xfe",
        b"<Envelope",
        b"<Envelope/>",
        HISTORY_XML.replace(b"7.4604", b"NaN"),
        HISTORY_XML.replace(b"2026-06-08", b"08.06.2026"),
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    ],
)
def test_a_file_of_another_form_is_refused_before_anything_is_written(content: bytes, run: Any) -> None:
    before = stored_items()

    status, _, errors = run(content)

    assert (status, len(errors) > 0) == (1, True)
    assert stored_items() == before
    with pytest.raises(OperatorError):
        published(content)
