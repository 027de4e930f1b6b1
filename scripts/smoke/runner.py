"""Runs the steps, and tells each in one line."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from scripts.smoke.redaction import redacted
from scripts.smoke.refusals import NotHere, explained
from scripts.smoke.removal import delete_staff, remains
from scripts.smoke.world import Step, World

OK, PARTLY, ELSEWHERE, FAILED = "ok", "partly", "not here", "FAILED"


@dataclass(slots=True)
class Result:
    """What a step has found. `request` is the id of its last request, which AWS's support and the logs know."""

    number: int
    name: str
    at: str = ""
    status: str = OK
    seconds: float = 0
    request: str = ""
    found: list[str] = field(default_factory=list)
    not_here: list[str] = field(default_factory=list)
    said: str = ""
    remedy: str = ""

    def line(self) -> str:
        """One line, without secrets and personal data."""
        parts = [*self.found, *(f"not here: {each}" for each in self.not_here)]
        if self.said:
            parts += [f"{self.said} -> {self.remedy}"]
        request = f"  [{self.request}]" if self.request else ""
        text = f"{self.number} {self.name:8}{self.status:9}{self.seconds:7.1f} s  {'; '.join(parts)}{request}"
        return redacted(" ".join(text.splitlines()))


def run(steps: Sequence[Step], world: World, tell: Callable[[str], None]) -> list[Result]:
    """Runs the steps up to the first that fails, and tells what is left. Raises nothing but an interruption."""
    results: list[Result] = []
    try:
        for step in steps:
            results.append(_run_step(step, world))
            tell(results[-1].line())
            if results[-1].status == FAILED:
                break
    finally:
        if world.is_local:
            with suppress(Exception):  # a failed run has told its own failure already
                delete_staff(world)
        for each in remains(world):
            tell(redacted(f"left: {each}"))
    return results


def _run_step(step: Step, world: World) -> Result:
    result = Result(step.number, step.name, world.now().isoformat(timespec="seconds"))
    started = time.monotonic()
    world.requests.clear()
    for check in step.checks:
        try:
            result.found.append(check(world))
        except NotHere as why:
            if str(why) not in result.not_here:
                result.not_here.append(str(why))
        except Exception as failure:  # noqa: BLE001 - whatever a library raises is a failed step, told in its line
            refused = explained(failure)
            result.status, result.said, result.remedy = FAILED, refused.said, refused.remedy
            break
    if result.status != FAILED and result.not_here:
        result.status = PARTLY if result.found else ELSEWHERE
    result.seconds = time.monotonic() - started
    result.request = world.requests[-1] if world.requests else ""
    return result


def document(results: Sequence[Result], world: World, commit: str) -> dict[str, Any]:
    """The run for an issue, as JSON. Every text is redacted."""
    cleaned: dict[str, Any] = _clean(
        {
            "commit": commit,
            "place": world.place,
            "region": world.plan.region,
            "stage": world.plan.stage,
            "steps": [asdict(each) for each in results],
            "left": remains(world),
        }
    )
    return cleaned


def _clean(node: Any) -> Any:
    if isinstance(node, str):
        return redacted(node)
    if isinstance(node, list):
        return [_clean(each) for each in node]
    if isinstance(node, dict):
        return {key: _clean(each) for key, each in node.items()}
    return node
