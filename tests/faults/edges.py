"""The seam around a gateway: wraps any object that implements a gateway interface, so that its calls can get faults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, TypeVar, cast

from billing.kernel.errors import UpstreamFailed

from tests.faults.points import Crash, Mode, Point, Way, seam

Port = TypeVar("Port")
Partial = Callable[..., Any]
"""A version of a method that does only a part of its work. Takes a Random, then the method's own arguments."""


def edge(
    name: str,
    outside: Port,
    *,
    failure: Callable[[], Exception] = lambda: UpstreamFailed("It did not answer."),
    partial: Mapping[str, Partial] | None = None,
) -> Port:
    """The gateway with a point at each method call. `failure` makes the error of a call without an answer."""
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

        def call(*arguments: Any, **keywords: Any) -> Any:
            def succeed() -> Any:
                return attribute(*arguments, **keywords)

            ways = self._ways(succeed)
            if method in self._partial:
                ways[Mode.PARTIAL] = lambda chance: self._partial[method](chance, *arguments, **keywords)
            return seam().pass_through(Point(name=name, call=object(), repeats=name, succeed=succeed, ways=ways))

        return call

    def _ways(self, succeed: Callable[[], Any]) -> dict[Mode, Way]:
        def crash_before(_: Random) -> Any:
            raise Crash

        def crash_after(_: Random) -> Any:
            succeed()
            raise Crash

        def timeout_before(_: Random) -> Any:
            raise self._failure()

        def timeout_after(_: Random) -> Any:
            succeed()
            raise self._failure()

        return {
            Mode.CRASH_BEFORE: crash_before,
            Mode.CRASH_AFTER: crash_after,
            Mode.TIMEOUT_BEFORE: timeout_before,
            Mode.TIMEOUT_BEFORE_LASTING: timeout_before,
            Mode.TIMEOUT_AFTER: timeout_after,
            Mode.TIMEOUT_AFTER_LASTING: timeout_after,
        }
