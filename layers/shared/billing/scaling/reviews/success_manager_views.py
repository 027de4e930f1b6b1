"""Customer success managers in the API: for staff in full, for the people of an account by name and e-mail."""

from __future__ import annotations

import re
from datetime import date, time
from itertools import pairwise
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from billing.kernel.field_codes import FieldCode, Unfit
from billing.platform.http.models import Body, Email, Identifier, IsoDate, PersonName, Text, TimeZone, View
from billing.scaling.reviews.success_managers import (
    CELL,
    REVIEW_MINUTES_DEFAULT,
    REVIEW_MINUTES_MAX,
    REVIEW_MINUTES_MIN,
    WEEKDAYS,
    Absence,
    Hours,
    SuccessManager,
)

HOURS_MAX = 8
ABSENCES_MAX = 100

_CELL_MINUTES = int(CELL.total_seconds()) // 60
_CLOCK = re.compile(r"([01]\d|2[0-3]):(00|15|30|45)", re.ASCII)


def _clock_time(value: object) -> object:
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        raise Unfit("must be a time of day in whole quarters of an hour, such as 09:30", FieldCode.NOT_A_TIME_OF_DAY)
    return value


SuccessManagerId = Annotated[Identifier, Path(description="An id of your choice.")]
"""The success manager that a path names."""

ClockTime = Annotated[time, BeforeValidator(_clock_time), WithJsonSchema({"type": "string", "pattern": _CLOCK.pattern})]


class HoursBody(Body):
    """Working hours of a day, as the clocks of the time zone show them."""

    since: ClockTime = Field(alias="from")
    until: ClockTime

    @model_validator(mode="after")
    def _a_while(self) -> HoursBody:
        if self.until <= self.since:
            raise Unfit("until must be after from", FieldCode.TOO_EARLY)
        return self


DayBody = Annotated[tuple[HoursBody, ...], Field(max_length=HOURS_MAX)]


class WorkingHoursBody(Body):
    """When somebody works. A day that is left out is free."""

    monday: DayBody = ()
    tuesday: DayBody = ()
    wednesday: DayBody = ()
    thursday: DayBody = ()
    friday: DayBody = ()
    saturday: DayBody = ()
    sunday: DayBody = ()

    @field_validator(*WEEKDAYS)
    @classmethod
    def _one_after_the_other(cls, hours: tuple[HoursBody, ...]) -> tuple[HoursBody, ...]:
        if any(later.since < earlier.until for earlier, later in pairwise(hours)):
            raise Unfit("must be in order and not overlap", FieldCode.OVERLAPPING)
        return hours


class AbsenceBody(Body):
    """Days without reviews."""

    since: IsoDate = Field(alias="from")
    until: IsoDate = Field(description="The first day back.")

    @model_validator(mode="after")
    def _a_while(self) -> AbsenceBody:
        if self.until <= self.since:
            raise Unfit("until must be after from", FieldCode.TOO_EARLY)
        return self


class SuccessManagerBody(Body):
    """Who looks after accounts, and when reviews with them can be booked."""

    name: PersonName
    email: Email
    time_zone: TimeZone
    working_hours: WorkingHoursBody
    review_minutes: Annotated[
        int, Field(strict=True, ge=REVIEW_MINUTES_MIN, le=REVIEW_MINUTES_MAX, multiple_of=_CELL_MINUTES)
    ] = REVIEW_MINUTES_DEFAULT
    place: Text | None = Field(default=None, description="Where reviews are held: an address, a number or a link.")
    absences: Annotated[tuple[AbsenceBody, ...], Field(max_length=ABSENCES_MAX)] = ()

    def value(self, success_manager: str) -> SuccessManager:
        return SuccessManager(
            id=success_manager,
            name=self.name,
            email=self.email,
            time_zone=self.time_zone,
            working_hours={
                weekday: tuple(Hours(each.since, each.until) for each in getattr(self.working_hours, weekday))
                for weekday in WEEKDAYS
            },
            review_minutes=self.review_minutes,
            place=self.place,
            absences=tuple(Absence(each.since, each.until) for each in self.absences),
        )


class AssignmentBody(Body):
    """Who is to look after the account."""

    success_manager: Identifier


class HoursView(View):
    since: str = Field(alias="from")
    until: str

    @classmethod
    def of(cls, hours: Hours) -> HoursView:
        return cls.model_validate({"from": f"{hours.since:%H:%M}", "until": f"{hours.until:%H:%M}"})


class WorkingHoursView(View):
    monday: list[HoursView]
    tuesday: list[HoursView]
    wednesday: list[HoursView]
    thursday: list[HoursView]
    friday: list[HoursView]
    saturday: list[HoursView]
    sunday: list[HoursView]


class AbsenceView(View):
    since: date = Field(alias="from")
    until: date

    @classmethod
    def of(cls, absence: Absence) -> AbsenceView:
        return cls.model_validate({"from": absence.since, "until": absence.until})


class SuccessManagerView(View):
    """A customer success manager, as staff see them."""

    success_manager: str
    name: str
    email: str
    time_zone: str
    working_hours: WorkingHoursView
    review_minutes: int
    place: str | None
    absences: list[AbsenceView]

    @classmethod
    def of(cls, manager: SuccessManager) -> SuccessManagerView:
        return cls(
            success_manager=manager.id,
            name=manager.name,
            email=manager.email,
            time_zone=manager.time_zone,
            working_hours=WorkingHoursView.model_validate(
                {weekday: [HoursView.of(each) for each in hours] for weekday, hours in manager.working_hours.items()}
            ),
            review_minutes=manager.review_minutes,
            place=manager.place,
            absences=[AbsenceView.of(each) for each in manager.absences],
        )


class SuccessManagersView(View):
    """`next_cursor` leads to what follows, null at the end."""

    items: list[SuccessManagerView]
    next_cursor: str | None


class ContactPersonView(View):
    """Whom to talk to at the vendor."""

    name: str
    email: str

    @classmethod
    def of(cls, manager: SuccessManager) -> ContactPersonView:
        return cls(name=manager.name, email=manager.email)
