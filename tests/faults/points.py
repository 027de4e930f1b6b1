"""The points where a fault can be injected: each outgoing call is a point, with every fault that it can get.

A process has one seam, seam(). All outgoing calls pass through it: those to AWS (tests/faults/network.py) and those to
a gateway (tests/faults/edges.py). The seam directs them to the current world, and asks the current run for a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any

from tests.faults.values import Unsupported

if TYPE_CHECKING:
    from tests.faults.world import World
    from tests.stores import Stores


class Crash(BaseException):
    """A crash of the process. A BaseException, so that no `except Exception` of the code under test catches it."""


class Mode(StrEnum):
    """A fault at a call. A lasting fault also hits each retry of the call."""

    CRASH_BEFORE = "crash-before"
    CRASH_AFTER = "crash-after"
    TIMEOUT_BEFORE = "timeout-before"
    TIMEOUT_BEFORE_LASTING = "timeout-before-lasting"
    TIMEOUT_AFTER = "timeout-after"
    TIMEOUT_AFTER_LASTING = "timeout-after-lasting"
    THROTTLE = "throttle"
    THROTTLE_LASTING = "throttle-lasting"
    CONFLICT = "conflict"
    PARTIAL = "partial"
    DUPLICATE = "duplicate"

    @property
    def lasting(self) -> bool:
        return self.endswith("-lasting")


Way = Callable[[Random], Any]
"""One outcome of a call: does its effect, then returns the answer or raises. Uses the Random for details."""


@dataclass(frozen=True, slots=True)
class Point:
    """One attempt of a call at the seam. `call` is the same for all attempts. `ways` are the faults it can get."""

    name: str
    call: object
    repeats: object
    """Identifies retries for a lasting fault: the SDK's attempts of one call, or all calls of a gateway's method."""

    succeed: Callable[[], Any]
    ways: Mapping[Mode, Way]


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a run: its number from 1, its name, and the faults it can get."""

    number: int
    name: str
    modes: tuple[Mode, ...]


def _never(_: Call) -> None:
    """Injects nothing."""


class Run:
    """One run of a process. `choose` returns the fault of a call, or None. `meanwhile` runs just before a call."""

    def __init__(
        self,
        chance: Random,
        choose: Callable[[Call], Mode | None] = _never,
        meanwhile: Callable[[Call], object] = _never,
    ) -> None:
        self.calls: list[Call] = []
        self.injected: list[tuple[Call, Mode]] = []
        self._chance, self._choose, self._meanwhile = chance, choose, meanwhile
        self._call: object = None
        self._lasting: dict[object, Mode] = {}

    def pass_through(self, point: Point) -> Any:
        """The answer to the caller. Raises what the injected fault raises."""
        mode = self._lasting.get(point.repeats)
        if self._call != point.call:
            self._call = point.call
            call = Call(len(self.calls) + 1, point.name, tuple(point.ways))
            self.calls.append(call)
            self._meanwhile(call)
            self._call = point.call  # the calls made meanwhile belong to another run
            mode = mode or self._choose(call)
            if mode is not None:
                self.injected.append((call, mode))
                if mode.lasting:
                    self._lasting[point.repeats] = mode
        return point.succeed() if mode is None else point.ways[mode](self._chance)


class Seam:
    """The boundary between the process and its world. All calls pass through it, one run at a time."""

    def __init__(self) -> None:
        self.store: Stores | None = None
        self.client: Any = None
        self._world: World | None = None
        self._run: Run | None = None

    @property
    def world(self) -> World:
        """The world that calls reach. Raises Unsupported outside of onto()."""
        if self._world is None:
            raise Unsupported("A call reaches no world: make it within Seam.onto() or World.calm().")
        return self._world

    @contextmanager
    def onto(self, world: World, run: Run | None = None) -> Iterator[None]:
        """Directs calls to this world. Without a run they get no faults."""
        before = self._world, self._run
        self._world, self._run = world, run
        try:
            yield
        finally:
            self._world, self._run = before

    def pass_through(self, point: Point) -> Any:
        """The answer to a call, from the current run or, without a run, from the world."""
        return point.succeed() if self._run is None else self._run.pass_through(point)


@cache
def seam() -> Seam:
    """The seam of the process. There is only one, because botocore calls its handlers without naming a world."""
    return Seam()
