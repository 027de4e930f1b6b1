"""The operator's back-test: its table, its CSV file and its chart. It writes nothing to DynamoDB."""

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
    """The clock of the command: a day in October."""

    @staticmethod
    def now(_: object) -> Any:
        return NOW.replace(month=10)


@pytest.fixture(autouse=True)
def stack(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack named livello, with its table on moto, in October."""
    resources = {"livello": {"Table": ("AWS::DynamoDB::Table", TABLE)}}
    monkeypatch.setattr(backtest_autoscaling, "stack_resources", lambda stack, _: resources[stack])
    monkeypatch.setattr(backtest_autoscaling, "aws_session", wiring.session)
    monkeypatch.setattr(backtest_autoscaling, "datetime", Clock)


def test_growth_moves_a_tier_and_a_peak_moves_only_the_mean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    use(400, date(2026, 1, 15), date(2026, 9, 1))  # search: 12,175 a month in a tier up to 10,000
    use(200, date(2026, 1, 15), date(2026, 6, 20), product="email")
    use(20_000, date(2026, 6, 20), date(2026, 6, 23), product="email")  # a peak, in a tier up to 25,000
    use(200, date(2026, 6, 23), date(2026, 9, 1), product="email")
    before = stored_items()

    assert main(["--months", "8", "--csv", str(tmp_path / "all.csv"), "--plot", str(tmp_path / "moves.png")]) == 0

    assert stored_items() == before
    printed = capsys.readouterr().out
    assert "2026-05 nordlys-kaffe search: 10,000 to 25,000, moved" in printed
    assert "nordlys-kaffe email" not in printed
    assert "More in all, before discounts and tax: EUR 300.00" in printed  # 50.00 in each of six months
    with (tmp_path / "all.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16
    assert [row["month"] for row in rows if row["moves"] == "1"] == ["2026-05"]
    with Image.open(tmp_path / "moves.png") as image:
        assert image.size == (backtest_autoscaling.WIDTH, backtest_autoscaling.HEIGHT)


def test_an_account_without_usage_has_decisions_and_no_moves(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--months", "1"]) == 0

    printed = capsys.readouterr().out
    assert "1 accounts, 0 moves" in printed
    assert "EUR 0.00" in printed


@pytest.mark.parametrize("months", ["0", "37", "many"])
def test_months_outside_the_limits_are_refused(months: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--months", months])

    assert ended.value.code == 2
    assert "--months" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_named_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--csv", str(tmp_path / "missing" / "all.csv")]) == 1

    assert "missing" in capsys.readouterr().err
