"""Prints what autoscaling would have decided for all accounts in past months, and what it would have cost them.

Beside it are the decisions of a simple rule, the mean of three months. Nothing is written to the table. With
--months 1 it is a dry run of the next decisions.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from billing.kernel.currencies import MINOR_UNIT_DIGITS
from billing.kernel.errors import BillingError
from billing.platform.aws_session import aws_session
from billing.scaling.backtest import (
    MonthSummary,
    PastDecision,
    backtest,
    mean_of_three_months,
    our_rule,
    summaries,
)
from billing.scaling.records import AutoscalingStore
from botocore.exceptions import BotoCoreError, ClientError
from PIL import Image, ImageDraw, ImageFont

from local.settings import LocalError
from scripts.stack import OperatorError, add_stack_options, stack_resources, use_local_stack

MONTHS_MAX = 36

COLUMNS = (
    "account", "product", "month", "reason", "up_to_before", "up_to_after", "moves", "more_per_month", "currency",
)  # fmt: skip

WIDTH, HEIGHT = 1000, 400
_LEFT, _BOTTOM, _TOP = 40, 350, 60
_OURS, _MEAN, _TEXT = "#17566b", "#9fb3c8", "#3e4c59"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the report, and writes the files that are asked for. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.backtest_autoscaling", description=__doc__)
    add_stack_options(parser)
    parser.add_argument("--months", type=int, default=12, help=f"how many months, up to {MONTHS_MAX} (12)")
    parser.add_argument("--csv", type=Path, help="write every decision to this file")
    parser.add_argument("--plot", type=Path, help="write a PNG of the moves by month")
    options = parser.parse_args(arguments)
    if not 1 <= options.months <= MONTHS_MAX:
        parser.error(f"--months must be 1 to {MONTHS_MAX}")
    try:
        if options.local:
            use_local_stack()
        session = aws_session()
        _, table = stack_resources(options.stack, session)["Table"]
        store = AutoscalingStore(table, session.create_client("dynamodb"))
        now = datetime.now(UTC)  # noqa: TID251 - the operator's clock
        ours, mean = decisions(store, options.months, now)
        if options.csv is not None:
            with options.csv.open("w", newline="", encoding="utf-8") as file:
                write_csv(ours, file)
        if options.plot is not None:
            plot(summaries(ours), summaries(mean)).save(options.plot, "PNG")
    except (OperatorError, LocalError, BillingError, BotoCoreError, ClientError, OSError) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    sys.stdout.write(report(ours, mean))
    return 0


def decisions(store: AutoscalingStore, months: int, now: datetime) -> tuple[list[PastDecision], list[PastDecision]]:
    """The decisions of all accounts, by our rule and by the mean of three months. Scans the table for the accounts."""
    ours: list[PastDecision] = []
    mean: list[PastDecision] = []
    for account in sorted(store.accounts()):
        ours += backtest(account, months=months, today=now.date(), store=store, rule=our_rule)
        mean += backtest(account, months=months, today=now.date(), store=store, rule=mean_of_three_months)
    return ours, mean


def report(ours: Sequence[PastDecision], mean: Sequence[PastDecision]) -> str:
    """A table with a line for each month, then every move, then the sum of the additional charges."""
    by_mean = {each.month: each for each in summaries(mean)}
    lines = [f"{'month':8} {'decisions':>9} {'moves':>6} {'by mean':>8}  {'more':24} {'by mean':24} reasons"]
    for each in summaries(ours):
        other = by_mean[each.month]
        reasons = ", ".join(f"{count} {name}" for name, count in each.reasons.items())
        lines.append(
            f"{each.month:%Y-%m}  {each.decisions:9,} {each.moves:6,} {other.moves:8,}  "
            f"{_amounts(each.more):24} {_amounts(other.more):24} {reasons}"
        )
    moved = [each for each in ours if each.moves]
    lines += ["", f"{len({each.account for each in ours})} accounts, {len(moved)} moves:"]
    lines += [
        f"  {each.month:%Y-%m} {each.account} {each.product}: {_tier(each.before.up_to)} to {_tier(each.after.up_to)}, "
        f"{each.reason}"
        for each in sorted(moved, key=lambda each: (each.month, each.account, each.product))
    ]
    lines.append(
        f"More in all, before discounts and tax: {_amounts(_total(ours))}; by the mean {_amounts(_total(mean))}"
    )
    return "\n".join(lines) + "\n"


def write_csv(decided: Iterable[PastDecision], file: TextIO) -> None:
    """Writes one line per decision, under COLUMNS; amounts in minor units."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in decided:
        writer.writerow(
            (
                each.account,
                each.product,
                f"{each.month:%Y-%m}",
                each.reason,
                each.before.up_to,
                each.after.up_to,
                int(each.moves),
                each.more.amount,
                each.more.currency,
            )
        )


def plot(ours: Sequence[MonthSummary], mean: Sequence[MonthSummary]) -> Image.Image:
    """A bar chart of the moves by month: our rule beside the mean of three months."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "#ffffff")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=14)
    draw.text((_LEFT, 16), "Moves by month: this rule (dark), the mean of three months (light)", fill=_TEXT, font=font)
    highest = max([1, *(each.moves for each in (*ours, *mean))])
    pitch = (WIDTH - 2 * _LEFT) / max(1, len(ours))
    for position, (one, other) in enumerate(zip(ours, mean, strict=True)):
        for offset, moves, colour in ((0.1, one.moves, _OURS), (0.5, other.moves, _MEAN)):
            left = _LEFT + (position + offset) * pitch
            top = _BOTTOM - round((_BOTTOM - _TOP) * moves / highest)
            draw.rectangle([left, min(top, _BOTTOM - 1), left + pitch * 0.36, _BOTTOM], fill=colour)
            draw.text((left + pitch * 0.18, top - 4), str(moves), fill=_TEXT, font=font, anchor="ms")
        draw.text((_LEFT + (position + 0.5) * pitch, _BOTTOM + 10), f"{one.month:%y-%m}", _TEXT, font, anchor="ma")
    return image


def _total(decided: Iterable[PastDecision]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for each in decided:
        sums[each.more.currency] = sums.get(each.more.currency, 0) + each.more.amount
    return sums


def _amounts(by_currency: Mapping[str, int]) -> str:
    """The amounts as text, such as "EUR 300.00"."""
    in_units = (
        (currency, Decimal(amount).scaleb(-MINOR_UNIT_DIGITS[currency]))
        for currency, amount in sorted(by_currency.items())
    )
    return ", ".join(f"{currency} {amount:,f}" for currency, amount in in_units)


def _tier(up_to: int | None) -> str:
    return "open-ended" if up_to is None else f"{up_to:,}"


if __name__ == "__main__":
    sys.exit(main())
