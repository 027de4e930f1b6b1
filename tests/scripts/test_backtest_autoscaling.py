"""The operator's back-test: what it says of the past, in a table, a file and a picture; and that it writes nothing."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from billing import wiring
from PIL import Image

from scripts import backtest_autoscaling
from scripts.backtest_autoscaling import main
from tests.api_gateway import NOW
from tests.aws import TABLE, stored_items
from tests.company import Company
from tests.functions.test_autoscaling import use


class Clock:
    """What the command asks for the time."""

    @staticmethod
    def now(_: object) -> Any:
        return NOW.replace(month=10)


@pytest.fixture(autouse=True)
def stack(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack that is called livello, whose table is on moto, in October."""
    found = {"livello": {"Table": ("AWS::DynamoDB::Table", TABLE)}}
    monkeypatch.setattr(backtest_autoscaling, "stack_resources", lambda stack, _: found[stack])
    monkeypatch.setattr(backtest_autoscaling, "aws_session", wiring.session)
    monkeypatch.setattr(backtest_autoscaling, "datetime", Clock)


def test_growth_is_found_and_a_peak_is_what_the_mean_would_have_charged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use(400, date(2026, 1, 15), date(2026, 9, 1))  # search: 12,175 a month in a tier up to 10,000
    use(200, date(2026, 1, 15), date(2026, 6, 20), product="email")
    use(20_000, date(2026, 6, 20), date(2026, 6, 23), product="email")  # a peak, in a tier up to 25,000
    use(200, date(2026, 6, 23), date(2026, 9, 1), product="email")
    before = stored_items()

    assert main(["--months", "8", "--csv", str(tmp_path / "all.csv"), "--plot", str(tmp_path / "moves.png")]) == 0

    assert stored_items() == before
    said = capsys.readouterr().out
    assert "2026-05 nordlys-kaffe search: 10,000 to 25,000, moved" in said
    assert "nordlys-kaffe email" not in said
    assert "More in all, before discounts and tax: EUR 300.00" in said  # 50.00 in each of six months
    with (tmp_path / "all.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16
    assert [row["month"] for row in rows if row["moves"] == "1"] == ["2026-05"]
    with Image.open(tmp_path / "moves.png") as image:
        assert image.size == (backtest_autoscaling.WIDTH, backtest_autoscaling.HEIGHT)


def test_of_no_usage_there_is_something_to_say_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--months", "1"]) == 0

    said = capsys.readouterr().out
    assert "1 accounts, 0 moves" in said
    assert "EUR 0.00" in said


@pytest.mark.parametrize("months", ["0", "37", "many"])
def test_a_number_of_months_that_makes_no_sense_is_refused(months: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--months", months])

    assert ended.value.code == 2
    assert "--months" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--csv", str(tmp_path / "missing" / "all.csv")]) == 1

    assert "missing" in capsys.readouterr().err
