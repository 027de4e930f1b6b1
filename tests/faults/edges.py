"""The seam at a gateway's edge: around any object that implements one of the gateways' interfaces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, TypeVar, cast

from billing.kernel.errors import UpstreamFailed

from tests.faults.points import Crash, Mode, Point, Way, seam

Port = TypeVar("Port")
Partial = Callable[..., Any]
"""A method that does a part of its work and says so: takes chance, then what the method takes."""


def edge(
    name: str,
    outside: Port,
    *,
    failure: Callable[[], Exception] = lambda: UpstreamFailed("It did not answer."),
    partial: Mapping[str, Partial] | None = None,
) -> Port:
    """The same gateway, each of whose methods may be cut. `failure` is what it raises when nothing answers."""
    return cast("Port", _Edge(name, outside, failure, partial or {}))


class _Edge:
    def __init__(
        self, name: str, outside: object, failure: Callable[[], Exception], partial: Mapping[str, Partial]
    ) -> None:
        self._name, self._outside, self._failure, self._partial = name, outside, failure, partial

    def __getattr__(self, method: str) -> Any:
        attribute = getattr(self._outside, method)
        if not callable(attribute):
            return attribute
        name = f"{self._name} {method}"

        def called(*given: Any, **named: Any) -> Any:
            def well() -> Any:
                return attribute(*given, **named)

            ways = self._ways(well)
            if method in self._partial:
                ways[Mode.PARTIAL] = lambda chance: self._partial[method](chance, *given, **named)
            return seam().passed(Point(name=name, call=object(), repeats=name, well=well, ways=ways))

        return called

    def _ways(self, well: Callable[[], Any]) -> dict[Mode, Way]:
        def crash_before(_: Random) -> Any:
            raise Crash

        def crash_after(_: Random) -> Any:
            well()
            raise Crash

        def timeout_before(_: Random) -> Any:
            raise self._failure()

        def timeout_after(_: Random) -> Any:
            well()
            raise self._failure()

        return {
            Mode.CRASH_BEFORE: crash_before,
            Mode.CRASH_AFTER: crash_after,
            Mode.TIMEOUT_BEFORE: timeout_before,
            Mode.TIMEOUT_BEFORE_LASTING: timeout_before,
            Mode.TIMEOUT_AFTER: timeout_after,
            Mode.TIMEOUT_AFTER_LASTING: timeout_after,
        }
