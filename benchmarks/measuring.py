"""Measuring so that numbers can be compared: every variant in every round, in random order, against one of them.

Milliseconds depend on the machine and on what else it does; ratios hardly do. So each variant's time is divided by
the reference's of the same round, and what counts is the median of these ratios.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import TextIO

Measure = Callable[[], float]
"""Does it once, and gives the milliseconds of processor time that it took."""


@dataclass(frozen=True, slots=True)
class Result:
    """A variant's processor time, and its ratio to the reference's."""

    name: str
    milliseconds: float
    least_milliseconds: float
    ratio: float
    limit: float | None


@dataclass(frozen=True, slots=True)
class Variant:
    """Something to measure. `limit` is the ratio to the reference that it is meant to keep to."""

    name: str
    measure: Measure
    limit: float | None = None


@contextlib.contextmanager
def unseen() -> Iterator[None]:
    """Standard output goes nowhere: a function makes its log lines, and only the tables are shown.

    A logger keeps the stream that it finds when its module is loaded, so the stream stays open afterwards.
    """
    with contextlib.redirect_stdout(_nowhere()):
        yield


@cache
def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def compare(variants: Sequence[Variant], rounds: int) -> list[Result]:
    """Measures all variants; the first one is the reference."""
    for variant in variants:
        variant.measure()  # fills caches, of the disk as well, and does not count
    times: dict[str, list[float]] = {variant.name: [] for variant in variants}
    for _ in range(rounds):
        for variant in random.sample(variants, len(variants)):
            times[variant.name].append(variant.measure())
    reference = times[variants[0].name]
    return [
        Result(
            variant.name,
            median(times[variant.name]),
            min(times[variant.name]),
            median(own / others for own, others in zip(times[variant.name], reference, strict=True)),
            variant.limit,
        )
        for variant in variants
    ]


def of_a_process(command: list[str], environment: Mapping[str, str], output: Path) -> Measure:
    """Processor time, user and system, of a whole process from its start to its end."""

    def measure() -> float:
        actions = [
            (os.POSIX_SPAWN_OPEN, number, str(output), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            for number in (1, 2)
        ]
        process = os.posix_spawn(command[0], command, environment, file_actions=actions)
        _, status, usage = os.wait4(process, 0)
        if status:
            raise RuntimeError(f"{command} failed:\n{output.read_text()}")
        return (usage.ru_utime + usage.ru_stime) * 1000

    return measure


def of_calls(call: Callable[[], object], count: int) -> Measure:
    """Processor time of one call, averaged over some."""

    def measure() -> float:
        began = time.process_time()
        for _ in range(count):
            call()
        return (time.process_time() - began) * 1000 / count

    return measure


def table(title: str, results: Sequence[Result], digits: int) -> str:
    """The results for people; says of each limit whether it is kept."""
    width = max(len(result.name) for result in results)
    lines = [title, f"  {'':{width}}  {'ms':>9}  {'least':>9}  {'ratio':>5}"]
    for result in results:
        line = (
            f"  {result.name:{width}}  {result.milliseconds:9.{digits}f}  {result.least_milliseconds:9.{digits}f}"
            f"  {result.ratio:5.2f}"
        )
        if result.limit is not None:
            line += f"  {'within' if result.ratio <= result.limit else 'ABOVE'} {result.limit}"
        lines.append(line)
    return "\n".join(lines)
