"""Injects a fault at each call of a command, repeats the command until it succeeds, and checks invariants then.

    def test_a_change_is_recorded_once(faults: Faults) -> None:
        faults.every_cut(world=company, command=change, invariants=recorded_once)

`world` makes the world before the command. `command` does one thing, in the way its client would repeat it.
`invariants` asserts what must hold afterwards. The message of a failing cut says how to repeat that cut alone.
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
"""How often a command runs: once with the fault, then without. A command that still fails never recovers."""

STORM_RUNS_MAX = 4
"""How many runs of a command in a history may get a fault."""

FAULT_PROBABILITY = 0.15
"""How likely a call in a history gets a fault."""

INTERLEAVING_PROBABILITY = 0.15
"""How likely another command runs just before a call in a history."""

REDELIVERY_PROBABILITY = 0.15
"""How likely a successful command in a history is delivered again."""

FAILURES_SHOWN = 10

W = TypeVar("W", bound=World)
Command = Callable[[W], object]
Check = Callable[[W], object]
"""Asserts what must hold in a world. Its calls get no faults."""


CRASHES = (Mode.CRASH_BEFORE, Mode.CRASH_AFTER)


def _chosen(call: Call) -> list[Mode]:
    """A crash after each call, which is one before the next, and two other modes of each call in turn.

    So each place and each mode of a scenario is tried; `make test-deep` tries each mode at each place.
    """
    others = [mode for mode in call.modes if mode not in CRASHES]
    crashes = [mode for mode in call.modes if mode is Mode.CRASH_AFTER or (mode in CRASHES and call.number == 1)]
    return [*crashes, *(others * 2)[2 * call.number % len(others) :][:2]] if others else [*call.modes]


def _no_check(_: object) -> None:
    """Asserts nothing."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One fault to inject into a scenario. `key` selects it in LIVELLO_CUT."""

    key: str
    story: str


@dataclass(frozen=True, slots=True)
class Points:
    """How many cuts of a scenario were run, for the report."""

    scenario: str
    what: str
    points: int


class Faults:
    """Runs a scenario with all possible faults. All randomness depends only on the seed and the cut."""

    def __init__(
        self,
        seed: str,
        scenario: str = "",
        *,
        only: str | None = None,
        report: Callable[[Points], object] = lambda _: None,
        is_thorough: bool = True,
    ) -> None:
        self._is_thorough = is_thorough or only is not None
        self._seed, self._scenario, self._only, self._report = seed, scenario, only, report

    def every_cut(
        self,
        *,
        world: Callable[[], W],
        command: Command[W],
        invariants: Check[W],
        always: Check[W] = _no_check,
        runs_max: int = RUNS_MAX,
    ) -> None:
        """Runs the command with a fault at each call, and repeats it until it succeeds.

        In the deep profile each call gets each mode, otherwise those of `_chosen`.

        After its success the command is delivered again, and the invariants must still hold. `always` must hold
        even right after the fault. Raises AssertionError that lists the failing cuts.
        """
        start = world()
        calls = self._calls(start, command, invariants)
        cuts = {
            Cut(f"{call.number}:{mode}", f"{mode} at call {call.number} ({call.name})"): (call, mode)
            for call in calls
            for mode in (call.modes if self._is_thorough else _chosen(call))
        }
        duplicate = Cut(Mode.DUPLICATE, "delivered twice")

        def try_cut(cut: Cut, chance: Random) -> None:
            current = deepcopy(start)
            if cut == duplicate:
                _must_run(current, command, Run(chance))
                _check(current, invariants)
            else:
                faulty_call, mode = cuts[cut]
                run = Run(
                    chance,
                    lambda call: mode if (call.number, call.name) == (faulty_call.number, faulty_call.name) else None,
                )
                failure = _run_command(current, command, run)
                _check(current, always)
                assert run.injected, (
                    "The command did not make this call again, so it does not depend on the seed alone."
                )
                _repeat(current, command, failure, chance, runs_max)
                _check(current, invariants)
            _must_run(current, command, Run(chance))
            _check(current, invariants)

        self._each([*cuts, duplicate], try_cut, f"cuts of {len(calls)} calls")

    def every_race(
        self,
        *,
        world: Callable[[], W],
        first: Command[W],
        second: Command[W],
        invariants: Check[W],
        may_lose: tuple[type[Exception], ...] = (),
        runs_max: int = RUNS_MAX,
    ) -> None:
        """Runs all of `second` just before each call of `first`.

        A command that fails is repeated, unless its error is in `may_lose`. With `runs_max=1` neither command may fail
        because of the race. Raises AssertionError that lists the failing races.
        """
        start = world()
        calls = self._calls(start, first, _no_check)
        races = {
            Cut(f"{call.number}:race", f"the second runs at call {call.number} ({call.name}) of the first"): call
            for call in calls
        }

        def try_cut(cut: Cut, chance: Random) -> None:
            current = deepcopy(start)
            waiting: list[tuple[Command[W], BaseException | None]] = []

            def meanwhile(call: Call) -> None:
                if call.number == races[cut].number:
                    waiting.append((second, _run_command(current, second, Run(chance))))

            waiting.append((first, _run_command(current, first, Run(chance, meanwhile=meanwhile))))
            assert len(waiting) > 1, "The first did not make this call again, so it does not depend on the seed alone."
            chance.shuffle(waiting)
            for command, failure in waiting:
                if not isinstance(failure, may_lose):
                    _repeat(current, command, failure, chance, runs_max, may_lose)
            _check(current, invariants)

        self._each([*races], try_cut, f"races at {len(calls)} calls")

    def histories(
        self,
        *,
        world: Callable[[], W],
        commands: Sequence[Command[W]],
        invariants: Check[W],
        always: Check[W] = _no_check,
        count: int,
        may_lose: tuple[type[Exception], ...] = (),
    ) -> None:
        """Runs all commands in `count` random histories: interleaved, with faults, repeated and redelivered.

        Raises AssertionError that lists the failing histories.
        """
        start = world()

        def try_cut(cut: Cut, chance: Random) -> None:
            current = deepcopy(start)
            _History(current, commands, chance, may_lose, always).run()
            _check(current, invariants)

        cuts = [Cut(f"{number}:history", f"history {number}") for number in range(1, count + 1)]
        self._each(cuts, try_cut, f"histories of {len(commands)} commands")

    def _calls(self, start: W, command: Command[W], invariants: Check[W]) -> list[Call]:
        """The calls of the command without any fault."""
        run = Run(self._chance("undisturbed"))
        current = deepcopy(start)
        _must_run(current, command, run)
        _check(current, invariants)
        assert run.calls, "The command makes no call, so there is nothing to cut."
        return run.calls

    def _each(self, cuts: Iterable[Cut], try_cut: Callable[[Cut, Random], None], what: str) -> None:
        chosen = [cut for cut in cuts if self._only in {None, cut.key}]
        assert chosen, f"There is no {self._only} among these {what}."
        failures: list[tuple[Cut, AssertionError]] = []
        for cut in chosen:
            try:
                try_cut(cut, self._chance(cut.key))
            except AssertionError as failure:
                failures.append((cut, failure))
        self._report(Points(self._scenario, what, len(chosen)))
        if failures:
            described = "\n\n".join(self._describe(*failure) for failure in failures[:FAILURES_SHOWN])
            raise AssertionError(
                f"{len(failures)} of {len(chosen)} {what.partition(' ')[0]} end wrong:\n{described}"
            ) from failures[0][1]

    def _describe(self, cut: Cut, failure: AssertionError) -> str:
        return (
            f"{self._scenario}: {cut.story}, seed {self._seed}\n"
            f"  {str(failure).splitlines()[0]}\n"
            f"  again: LIVELLO_SEED={self._seed} LIVELLO_CUT={cut.key} pytest -k '{self._scenario}' tests/faults"
        )

    def _chance(self, key: str) -> Random:
        return Random(f"{self._seed} {self._scenario} {key}")


class _History(Generic[W]):
    """One random history of a world: all commands, interleaved."""

    def __init__(
        self,
        world: W,
        commands: Sequence[Command[W]],
        chance: Random,
        may_lose: tuple[type[Exception], ...],
        always: Check[W],
    ) -> None:
        self._world, self._chance, self._may_lose, self._always = world, chance, may_lose, always
        self._commands, self._waiting, self._runs = commands, [*range(len(commands))], [0] * len(commands)
        self._interleaving = False

    def run(self) -> None:
        """Runs until no command is waiting."""
        while self._waiting:
            self._run_one()

    def _run_one(self) -> None:
        """Runs one waiting command. A failed command waits again, a successful one may be redelivered."""
        number = self._waiting.pop(self._chance.randrange(len(self._waiting)))
        self._runs[number] += 1
        failure = _run_command(
            self._world, self._commands[number], Run(self._chance, self._choose_fault(number), self._interleave)
        )
        _check(self._world, self._always)
        if self._runs[number] > STORM_RUNS_MAX + RUNS_MAX and failure is not None:
            raise AssertionError(f"still fails at run {self._runs[number]}: {failure!r}") from failure
        again = failure is not None and not isinstance(failure, self._may_lose)
        if again or (failure is None and self._chance.random() < REDELIVERY_PROBABILITY):
            self._waiting.append(number)

    def _choose_fault(self, number: int) -> Callable[[Call], Mode | None]:
        def choose(call: Call) -> Mode | None:
            if self._runs[number] > STORM_RUNS_MAX or self._chance.random() >= FAULT_PROBABILITY:
                return None
            return self._chance.choice(call.modes)

        return choose

    def _interleave(self, _: Call) -> None:
        if not self._interleaving and self._waiting and self._chance.random() < INTERLEAVING_PROBABILITY:
            self._interleaving = True
            try:
                self._run_one()
            finally:
                self._interleaving = False


def _run_command(world: W, command: Command[W], run: Run) -> BaseException | None:
    """Runs the command. Returns the error that ended it or None. An AssertionError passes through, to fail the test."""
    try:
        with seam().onto(world, run):
            command(world)
    except AssertionError:
        raise
    except (Crash, Exception) as failure:  # noqa: BLE001 # the client sees any error, and repeats the command
        return failure
    return None


def _must_run(world: W, command: Command[W], run: Run) -> None:
    failure = _run_command(world, command, run)
    if failure is not None:
        raise AssertionError(f"fails without any fault: {failure!r}") from failure


def _repeat(
    world: W,
    command: Command[W],
    failure: BaseException | None,
    chance: Random,
    runs_max: int,
    may_lose: tuple[type[Exception], ...] = (),
) -> None:
    """Repeats a failed command until it succeeds, or fails with an error in `may_lose`."""
    for _ in range(runs_max - 1):
        if failure is None or isinstance(failure, may_lose):
            return
        failure = _run_command(world, command, Run(chance))
    if failure is not None and not isinstance(failure, may_lose):
        raise AssertionError(f"still fails at run {runs_max}: {failure!r}") from failure


def _check(world: W, invariants: Check[W]) -> None:
    with seam().onto(world):
        invariants(world)
