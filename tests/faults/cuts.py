"""Cuts a command off at each of its calls, in each way, repeats it until it succeeds, and looks at what stands then.

    def test_a_change_is_told_once(faults: Faults) -> None:
        faults.every_cut(world=company, command=change, invariants=told_once)

`world` makes what there is before; `command` does one thing as whoever asks for it would do it again; `invariants`
asserts what must be true of the world afterwards. A cut that fails says how to repeat it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from typing import Generic, TypeVar

from tests.faults.points import Call, Crash, Mode, Run, seam
from tests.faults.world import World

RUNS_MAX = 3
"""How often whoever asks tries: once into the cut, then calmly. Who then still fails will never succeed."""

STORM_RUNS_MAX = 4
"""How many runs of a command in a history may be struck."""

STRIKES = 0.15
MEETS = 0.15
REPEATS = 0.15
"""How likely a call of a history is struck, or met by another command, and what has succeeded is delivered again."""

FAILURES_SHOWN = 10

W = TypeVar("W", bound=World)
Command = Callable[[W], object]
Look = Callable[[W], object]
"""Asserts what must be true of a world. Calls that it makes are calm."""


def _anything(_: object) -> None:
    """Asserts nothing."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where and how a scenario is disturbed. `key` repeats it alone."""

    key: str
    story: str


@dataclass(frozen=True, slots=True)
class Points:
    """How many points of a scenario were tried."""

    scenario: str
    what: str
    points: int


class Faults:
    """Tries all that can befall a scenario. Whatever is left to chance follows from the seed and the cut alone."""

    def __init__(
        self,
        seed: str,
        scenario: str = "",
        *,
        only: str | None = None,
        report: Callable[[Points], object] = lambda _: None,
    ) -> None:
        self._seed, self._scenario, self._only, self._report = seed, scenario, only, report

    def every_cut(
        self,
        *,
        world: Callable[[], W],
        command: Command[W],
        invariants: Look[W],
        always: Look[W] = _anything,
        runs_max: int = RUNS_MAX,
    ) -> None:
        """Cuts each call in each mode. Once it has succeeded the command is delivered again, and must change nothing
        that the invariants guard. `always` must hold even where a cut leaves the world.
        """
        start = world()
        calls = self._calls(start, command, invariants)
        cuts = {
            Cut(f"{call.number}:{mode}", f"{mode} at call {call.number} ({call.name})"): (call, mode)
            for call in calls
            for mode in call.modes
        }
        duplicate = Cut(Mode.DUPLICATE, "delivered twice")

        def tried(cut: Cut, chance: Random) -> None:
            there = deepcopy(start)
            if cut == duplicate:
                _must_run(there, command, Run(chance))
                _look(there, invariants)
            else:
                struck, mode = cuts[cut]
                run = Run(
                    chance, lambda call: mode if (call.number, call.name) == (struck.number, struck.name) else None
                )
                failure = _ran(there, command, run)
                _look(there, always)
                assert run.struck, "The command did not come to this call again: something else than the seed decides."
                _repeated(there, command, failure, chance, runs_max)
                _look(there, invariants)
            _must_run(there, command, Run(chance))
            _look(there, invariants)

        self._each([*cuts, duplicate], tried, f"cuts of {len(calls)} calls")

    def every_race(
        self,
        *,
        world: Callable[[], W],
        first: Command[W],
        second: Command[W],
        invariants: Look[W],
        may_lose: tuple[type[Exception], ...] = (),
        runs_max: int = RUNS_MAX,
    ) -> None:
        """Runs `second` whole just before each call of `first`. Who fails tries again, unless it may lose so; with
        one run at most nobody may be told of the race.
        """
        start = world()
        calls = self._calls(start, first, _anything)
        races = {
            Cut(f"{call.number}:race", f"the second runs at call {call.number} ({call.name}) of the first"): call
            for call in calls
        }

        def tried(cut: Cut, chance: Random) -> None:
            there = deepcopy(start)
            waiting: list[tuple[Command[W], BaseException | None]] = []

            def meanwhile(call: Call) -> None:
                if call.number == races[cut].number:
                    waiting.append((second, _ran(there, second, Run(chance))))

            waiting.append((first, _ran(there, first, Run(chance, meanwhile=meanwhile))))
            assert len(waiting) > 1, "The first did not come to this call again: something else than the seed decides."
            chance.shuffle(waiting)
            for command, failure in waiting:
                if not isinstance(failure, may_lose):
                    _repeated(there, command, failure, chance, runs_max, may_lose)
            _look(there, invariants)

        self._each([*races], tried, f"races at {len(calls)} calls")

    def histories(
        self,
        *,
        world: Callable[[], W],
        commands: Sequence[Command[W]],
        invariants: Look[W],
        always: Look[W] = _anything,
        count: int,
        may_lose: tuple[type[Exception], ...] = (),
    ) -> None:
        """Runs all commands in any order, meeting each other, struck again and again, repeated and delivered twice."""
        start = world()

        def tried(cut: Cut, chance: Random) -> None:
            there = deepcopy(start)
            _History(there, commands, chance, may_lose, always).live()
            _look(there, invariants)

        cuts = [Cut(f"{number}:history", f"history {number}") for number in range(1, count + 1)]
        self._each(cuts, tried, f"histories of {len(commands)} commands")

    def _calls(self, start: W, command: Command[W], invariants: Look[W]) -> list[Call]:
        """What the command calls when nothing befalls it."""
        run = Run(self._chance("undisturbed"))
        there = deepcopy(start)
        _must_run(there, command, run)
        _look(there, invariants)
        assert run.calls, "The command calls nothing: there is nothing to cut."
        return run.calls

    def _each(self, cuts: Iterable[Cut], tried: Callable[[Cut, Random], None], what: str) -> None:
        chosen = [cut for cut in cuts if self._only in {None, cut.key}]
        assert chosen, f"There is no {self._only} among these {what}."
        failures: list[tuple[Cut, AssertionError]] = []
        for cut in chosen:
            try:
                tried(cut, self._chance(cut.key))
            except AssertionError as failure:
                failures.append((cut, failure))
        self._report(Points(self._scenario, what, len(chosen)))
        if failures:
            told = "\n\n".join(self._told(*failure) for failure in failures[:FAILURES_SHOWN])
            raise AssertionError(
                f"{len(failures)} of {len(chosen)} {what.partition(' ')[0]} end wrong:\n{told}"
            ) from failures[0][1]

    def _told(self, cut: Cut, failure: AssertionError) -> str:
        return (
            f"{self._scenario}: {cut.story}, seed {self._seed}\n"
            f"  {str(failure).splitlines()[0]}\n"
            f"  again: LIVELLO_SEED={self._seed} LIVELLO_CUT={cut.key} pytest -k '{self._scenario}' tests/faults"
        )

    def _chance(self, key: str) -> Random:
        return Random(f"{self._seed} {self._scenario} {key}")


class _History(Generic[W]):
    """One life of a world with all its commands."""

    def __init__(
        self,
        world: W,
        commands: Sequence[Command[W]],
        chance: Random,
        may_lose: tuple[type[Exception], ...],
        always: Look[W],
    ) -> None:
        self._world, self._chance, self._may_lose, self._always = world, chance, may_lose, always
        self._commands, self._waiting, self._runs = commands, [*range(len(commands))], [0] * len(commands)
        self._meeting = False

    def live(self) -> None:
        """Until nobody waits any more."""
        while self._waiting:
            self._run_one()

    def _run_one(self) -> None:
        """One run of one that waits; who fails waits again, and who succeeds may be delivered twice."""
        number = self._waiting.pop(self._chance.randrange(len(self._waiting)))
        self._runs[number] += 1
        failure = _ran(self._world, self._commands[number], Run(self._chance, self._strike(number), self._meet))
        _look(self._world, self._always)
        if self._runs[number] > STORM_RUNS_MAX + RUNS_MAX and failure is not None:
            raise AssertionError(f"still fails at run {self._runs[number]}: {failure!r}") from failure
        again = failure is not None and not isinstance(failure, self._may_lose)
        if again or (failure is None and self._chance.random() < REPEATS):
            self._waiting.append(number)

    def _strike(self, number: int) -> Callable[[Call], Mode | None]:
        def strike(call: Call) -> Mode | None:
            if self._runs[number] > STORM_RUNS_MAX or self._chance.random() >= STRIKES:
                return None
            return self._chance.choice(call.modes)

        return strike

    def _meet(self, _: Call) -> None:
        if not self._meeting and self._waiting and self._chance.random() < MEETS:
            self._meeting = True
            try:
                self._run_one()
            finally:
                self._meeting = False


def _ran(world: W, command: Command[W], run: Run) -> BaseException | None:
    """What ended the run; None if it came to its end. A failed assertion is nobody's fault but the command's."""
    try:
        with seam().onto(world, run):
            command(world)
    except AssertionError:
        raise
    except (Crash, Exception) as failure:  # noqa: BLE001 # whatever it is: whoever asked sees it, and asks again
        return failure
    return None


def _must_run(world: W, command: Command[W], run: Run) -> None:
    failure = _ran(world, command, run)
    if failure is not None:
        raise AssertionError(f"fails though nothing befalls it: {failure!r}") from failure


def _repeated(
    world: W,
    command: Command[W],
    failure: BaseException | None,
    chance: Random,
    runs_max: int,
    may_lose: tuple[type[Exception], ...] = (),
) -> None:
    """Tries again until it succeeds, or loses as it may."""
    for _ in range(runs_max - 1):
        if failure is None or isinstance(failure, may_lose):
            return
        failure = _ran(world, command, Run(chance))
    if failure is not None and not isinstance(failure, may_lose):
        raise AssertionError(f"still fails at run {runs_max}: {failure!r}") from failure


def _look(world: W, invariants: Look[W]) -> None:
    with seam().onto(world):
        invariants(world)
