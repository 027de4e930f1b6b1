"""Comparable measurements: every variant in every round, in random order, as a ratio to a reference variant.

Milliseconds depend on the machine and on its other load; ratios hardly do. So each variant's time is divided by the
reference's time of the same round, and the result is the median of these ratios.
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
"""Runs a variant once, and returns its processor time in milliseconds."""


@dataclass(frozen=True, slots=True)
class Result:
    """A variant's median and least processor time, and its median ratio to the reference."""

    name: str
    milliseconds: float
    least_milliseconds: float
    ratio: float
    limit: float | None


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant to measure. `limit` is the goal for its ratio to the reference."""

    name: str
    measure: Measure
    limit: float | None = None


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Discards standard output: a function writes its log lines, and only the tables are shown.

    A logger keeps the stream that it finds when its module is loaded, so the stream is never closed.
    """
    with contextlib.redirect_stdout(_null_stream()):
        yield


@cache
def _null_stream() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def compare(variants: Sequence[Variant], rounds: int) -> list[Result]:
    """Measures all variants; the first one is the reference."""
    for variant in variants:
        variant.measure()  # fills caches, also the disk's; not counted
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
    """Processor time of one call, averaged over `count` calls."""

    def measure() -> float:
        started = time.process_time()
        for _ in range(count):
            call()
        return (time.process_time() - started) * 1000 / count

    return measure


def table(title: str, results: Sequence[Result], digits: int) -> str:
    """The results as text, with the limit of each and whether it is kept."""
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
