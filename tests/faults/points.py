"""Where a process can be cut off: each call to the outside is a point, with every way that it may go.

A process has one seam (seam()): all its calls pass it, those to AWS (tests/faults/network.py) as those to a gateway
(tests/faults/edges.py). It knows which world they reach, and asks the run that is on what becomes of each.
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
    """The process ends here. No `except Exception` of the code under test may live on after it."""


class Mode(StrEnum):
    """What goes wrong at a call. The lasting ones go wrong again at each attempt to repeat it."""

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
"""How a call goes: does what it does, then returns the answer or raises. Details are left to chance."""


@dataclass(frozen=True, slots=True)
class Point:
    """A call, or one more attempt of it, as it passes the seam. `call` is the same for all attempts of a call."""

    name: str
    call: object
    repeats: object
    """By this a lasting fault knows a repetition: the SDK's attempts of a call, or any call of a gateway's method."""

    well: Callable[[], Any]
    ways: Mapping[Mode, Way]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that a run has made: the how many-th, what it was, and what could have gone wrong."""

    number: int
    name: str
    modes: tuple[Mode, ...]


def _never(_: Call) -> None:
    """What a calm run chooses, and what happens meanwhile."""


class Run:
    """One life of a process. `choose` says what goes wrong at a call; `meanwhile` happens just before it."""

    def __init__(
        self,
        chance: Random,
        choose: Callable[[Call], Mode | None] = _never,
        meanwhile: Callable[[Call], object] = _never,
    ) -> None:
        self.calls: list[Call] = []
        self.struck: list[tuple[Call, Mode]] = []
        self._chance, self._choose, self._meanwhile = chance, choose, meanwhile
        self._call: object = None
        self._lasting: dict[object, Mode] = {}

    def passed(self, point: Point) -> Any:
        """What the caller gets, or what befalls it."""
        mode = self._lasting.get(point.repeats)
        if self._call != point.call:
            self._call = point.call
            call = Call(len(self.calls) + 1, point.name, tuple(point.ways))
            self.calls.append(call)
            self._meanwhile(call)
            self._call = point.call  # what happened meanwhile was another run's
            mode = mode or self._choose(call)
            if mode is not None:
                self.struck.append((call, mode))
                if mode.lasting:
                    self._lasting[point.repeats] = mode
        return point.well() if mode is None else point.ways[mode](self._chance)


class Seam:
    """What stands between the process and the world: all calls pass here, one run at a time."""

    def __init__(self) -> None:
        self.store: Stores | None = None
        self.client: Any = None
        self._world: World | None = None
        self._run: Run | None = None

    @property
    def world(self) -> World:
        """The world that calls reach."""
        if self._world is None:
            raise Unsupported("A call reaches no world: make it within Seam.onto() or World.calm().")
        return self._world

    @contextmanager
    def onto(self, world: World, run: Run | None = None) -> Iterator[None]:
        """Calls reach this world; without a run nothing befalls them."""
        before = self._world, self._run
        self._world, self._run = world, run
        try:
            yield
        finally:
            self._world, self._run = before

    def passed(self, point: Point) -> Any:
        """What becomes of a call."""
        return point.well() if self._run is None else self._run.passed(point)


@cache
def seam() -> Seam:
    """The process's seam: botocore calls its handlers without saying for which world, so there can only be one."""
    return Seam()
