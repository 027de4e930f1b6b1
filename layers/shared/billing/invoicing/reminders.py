"""The reminders of a past-due invoice: on which day which one is due, and what a pause changes (DESIGN 3.6.9).

A reminder follows `days` after the day on which the invoice was due. A late worker sends the one that fits its day, and
leaves out those before. A pause moves what is to come by its own length, so no reminder is missed while it lasts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

REMINDERS = 3
"""How many reminders an invoice has: a friendly one, a firm one, and the last one."""

REMINDER_DAYS = (7, 14, 28)

APART_DAYS = 3
"""How many days at least are between two reminders, where a worker was late with the first of them. Reminders that
ReminderDays puts closer together keep their distance."""

PAUSE_DAYS_MAX = 365

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reminder:
    """A reminder that was sent: its number from 1 to REMINDERS, and the account's day."""

    number: int
    on: date


@dataclass(frozen=True, slots=True)
class ReminderPause:
    """Staff have paused the reminders from the day `since` on, until before the day `until`; None: until they resume.

    `held_days` is how many days later the next reminder would have been sent, None where none was planned.
    """

    since: date
    until: date | None
    reason: str
    held_days: int | None = None

    def lasts(self, today: date) -> bool:
        """Whether nothing is sent today."""
        return self.until is None or today < self.until

    def length(self, since: date, today: date) -> timedelta:
        """How long it has lasted by `today` after the day `since`; one that has an end counts up to that day."""
        end = today if self.until is None else self.until
        return max(timedelta(), end - max(self.since, since))


@dataclass(frozen=True, slots=True)
class Reminders:
    """The reminders of one invoice. `sent` are those that were sent, oldest first.

    The days count from `since`, the day on which it was due; None before it is past due. The next one is sent on
    `next_on`. With `are_over` none follows. `waited_days` is how long earlier pauses have lasted altogether.
    """

    sent: tuple[Reminder, ...] = ()
    since: date | None = None
    next_on: date | None = None
    are_over: bool = False
    waited_days: int = 0
    pause: ReminderPause | None = None

    def current_pause(self, today: date) -> ReminderPause | None:
        """The pause, if it lasts today."""
        return self.pause if self.pause is not None and self.pause.lasts(today) else None

    @property
    def is_overlooked(self) -> bool:
        """Whether the next day must still be planned, for an invoice that is past due."""
        waits = self.pause is not None and self.pause.until is None
        return self.next_on is None and not self.are_over and not waits

    def planned(self, due: date, days: tuple[int, ...], today: date, *, was_tried: bool = False) -> Reminders:
        """The reminders of a past-due invoice that was `due` on a day, with the day of the next one.

        A day that is planned stays. One that `was_tried` until today could not be reminded of meanwhile: where the day
        of the next reminder is over, that one is sent today, and the others move by as much."""
        planned = self._planned(due, days, today)
        if not was_tried or planned.next_on is None or planned.next_on >= today:
            return planned
        waited = planned.waited_days + (today - planned.next_on).days
        return replace(planned, next_on=today, waited_days=waited)

    def _planned(self, due: date, days: tuple[int, ...], today: date) -> Reminders:
        if self.since is not None and (self.next_on is not None or self.are_over):
            return self
        since = self.since or due
        last = self._last(since)
        if last is not None and last.number >= len(days):
            return replace(self, since=since, next_on=None, are_over=True)
        if self.pause is not None and self.pause.until is None:
            return replace(self, since=since, next_on=None)
        number = 0 if last is None else last.number
        next_on = since + timedelta(days=days[number]) + self._waited(since, today)
        if last is not None:
            apart = min(APART_DAYS, days[number] - days[number - 1])
            next_on = max(next_on, last.on + timedelta(days=apart))
        if self.pause is not None and self.pause.until is not None:
            next_on = max(next_on, self.pause.until + DAY)
        return replace(self, since=since, next_on=next_on, are_over=False)

    def is_due(self, today: date) -> bool:
        """Whether a reminder is sent today. `planned` has given the day."""
        return self.next_on is not None and self.next_on <= today and self.current_pause(today) is None

    def with_next(self, days: tuple[int, ...], today: date) -> Reminders:
        """The reminders after the one that is due today was sent. Raises ValueError where none is due."""
        since = self.since
        if since is None or not self.is_due(today):
            raise ValueError("no reminder is due")
        last = self._last(since)
        first = since + self._waited(since, today)
        come = [number for number, each in enumerate(days, 1) if first + timedelta(days=each) <= today]
        following = 1 if last is None else last.number + 1
        sent = Reminder(max([following, *come]), today)
        return replace(self, sent=(*self.sent, sent), next_on=None).planned(since, days, today)

    def paused(self, until: date | None, reason: str, today: date, due: date | None = None) -> Reminders:
        """The reminders with another pause from today on, or with the rest of the one that lasts. `due` is the day on
        which the invoice is due, where it is not past due yet."""
        resumed = self.resumed(today)
        earlier = resumed.pause
        # One that is not counted yet, because nothing was planned, goes on: a change of its end or reason takes none
        # of its days away.
        goes_on = earlier is not None and earlier.until == today
        since = earlier.since if earlier is not None and goes_on else today
        if earlier is not None and not goes_on and due is not None:
            waited = self.waited_days + earlier.length(due, today).days
            resumed = replace(resumed, waited_days=waited)
        held_days = None if resumed.next_on is None else max(1, (resumed.next_on - today).days)
        next_on = None
        if until is not None and held_days is not None:
            next_on = until + timedelta(days=held_days)
        return replace(resumed, next_on=next_on, pause=ReminderPause(since, until, reason, held_days))

    def resumed(self, today: date) -> Reminders:
        """The reminders without a pause. What was to come comes as many days later as the pause has lasted."""
        pause = self.pause
        if pause is None:
            return self
        lasted = min(pause.until, today) if pause.until is not None else today
        ended = replace(pause, until=lasted)
        if self.since is None or (pause.lasts(today) and pause.held_days is None):
            # Nothing was planned yet. The pause is kept with its end, and counts when the next one is planned.
            return replace(self, next_on=None, pause=replace(ended, held_days=None))
        waited = self.waited_days + ended.length(self.since, today).days
        next_on = self.next_on
        if pause.lasts(today) and pause.held_days is not None:
            next_on = today + timedelta(days=pause.held_days)
        return replace(self, pause=None, waited_days=waited, next_on=next_on)

    def begun_again(self, since: date | None = None) -> Reminders:
        """The reminders of an invoice that has another due day: they count from that one, or from the day `since` on
        which it is charged again. A pause goes on."""
        pause = None if self.pause is None else replace(self.pause, held_days=None)
        return Reminders(sent=self.sent, since=since, pause=pause)

    def ended(self) -> Reminders:
        """The reminders of an invoice of which nothing is left. What was sent is kept."""
        return Reminders(sent=self.sent)

    def _last(self, since: date) -> Reminder | None:
        """The last reminder of those that count from `since`."""
        return next((each for each in reversed(self.sent) if each.on > since), None)

    def _waited(self, since: date, today: date) -> timedelta:
        waited = timedelta(days=self.waited_days)
        return waited if self.pause is None else waited + self.pause.length(since, today)


NOT_REMINDED = Reminders()
"""Those of an invoice that has had none."""
