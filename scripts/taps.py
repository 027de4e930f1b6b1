"""What reacts to the table by itself: the readers of its stream and of queues, and schedules. A restore closes them.

Reading them on again continues where they stopped: a stream keeps its records for a day, a queue its messages for two
weeks (docs.aws.amazon.com/amazondynamodb, Streams; docs.aws.amazon.com/AWSSimpleQueueService, quotas).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.session import Session

from scripts.stack import OperatorError, Resources

MAPPING, SCHEDULE = "AWS::Lambda::EventSourceMapping", "AWS::Scheduler::Schedule"

SWITCHED_SECONDS = 300
"""How long a reader may take to stop, with the batch that it is working on."""

POLL_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Taps:
    """The readers (event source mappings) and the schedules of a stack, by physical id."""

    mappings: Sequence[str]
    schedules: Sequence[str]
    functions: Any
    scheduler: Any
    wait: Callable[[float], object]

    def open_now(self) -> dict[str, list[str]]:
        """The ones that are switched on, in a form to keep."""
        mappings = [each for each in self.mappings if self._state(each) not in {"Disabled", "Disabling"}]
        schedules = [each for each in self.schedules if self._schedule(each)["State"] == "ENABLED"]
        return {"mappings": mappings, "schedules": schedules}

    def close(self, taps: Mapping[str, Sequence[str]]) -> None:
        """Switches these off, and waits until the readers have stopped. Raises OperatorError if one does not."""
        for schedule in taps["schedules"]:
            self._switch(schedule, "DISABLED")
        for mapping in taps["mappings"]:
            if self._state(mapping) not in {"Disabled", "Disabling"}:
                self.functions.update_event_source_mapping(UUID=mapping, Enabled=False)
        waited = 0.0
        while running := [each for each in taps["mappings"] if self._state(each) != "Disabled"]:
            if waited > SWITCHED_SECONDS:
                raise OperatorError(f"These readers do not stop: {', '.join(running)}. Repeat the command.")
            self.wait(POLL_SECONDS)
            waited += POLL_SECONDS

    def open(self, taps: Mapping[str, Sequence[str]]) -> None:
        """Switches these on again."""
        for mapping in taps["mappings"]:
            self.functions.update_event_source_mapping(UUID=mapping, Enabled=True)
        for schedule in taps["schedules"]:
            self._switch(schedule, "ENABLED")

    def _state(self, mapping: str) -> str:
        state: str = self.functions.get_event_source_mapping(UUID=mapping)["State"]
        return state

    def _schedule(self, schedule: str) -> dict[str, Any]:
        found: dict[str, Any] = self.scheduler.get_schedule(Name=schedule)
        return found

    def _switch(self, schedule: str, state: str) -> None:
        """An update replaces the whole schedule, so it names everything that the schedule has."""
        kept = self._schedule(schedule)
        if kept["State"] != state:
            names = {"FlexibleTimeWindow", "GroupName", "Name", "ScheduleExpression", "ScheduleExpressionTimezone",
                     "StartDate", "EndDate", "Description", "KmsKeyArn", "Target", "ActionAfterCompletion"}  # fmt: skip
            same = {name: value for name, value in kept.items() if name in names}
            self.scheduler.update_schedule(**same, State=state)


def taps_of(resources: Resources, session: Session, wait: Callable[[float], object]) -> Taps:
    """The readers and schedules of a stack."""
    return Taps(
        mappings=sorted(physical for kind, physical in resources.values() if kind == MAPPING),
        schedules=sorted(physical for kind, physical in resources.values() if kind == SCHEDULE),
        functions=session.create_client("lambda"),
        scheduler=session.create_client("scheduler"),
        wait=wait,
    )
