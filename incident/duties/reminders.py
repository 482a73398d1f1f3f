"""When to remind of a duty: before its end, at it, and after it. Pure: ends and what was told in, what to tell out.

Each duty is told of at most once for each moment, and of several moments that came while nothing ran only the last: it
is told as it stands now. An end that moved begins anew, as what was told of the old one says nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WRONG_CLOCK = timedelta(minutes=5)
"""What was told so much later than now was told by a clock that ran ahead, and does not count: machines differ by less."""


@dataclass(frozen=True)
class Pace:
    """Minutes before an end at which to remind; from the end on every `after` minutes, `times` times in all."""

    before: tuple[int, ...]
    after: int
    times: int


@dataclass(frozen=True)
class DutyEnd:
    """The end of a duty that stands open. `started_at`: from when its clock runs, None where that is not known.

    `is_target`: the law names no hours, and this is the end that the organisation set itself.
    """

    duty_id: str
    end_at: datetime
    started_at: datetime | None
    is_target: bool = False


@dataclass(frozen=True)
class Told:
    """That somebody was reminded. `minutes`: from the end, negative before it."""

    duty_id: str
    end_at: datetime
    minutes: int
    told_at: datetime


@dataclass(frozen=True)
class Reminder:
    """What to tell now."""

    end: DutyEnd
    minutes: int

    @property
    def has_run_out(self) -> bool:
        return self.minutes >= 0


@dataclass(frozen=True)
class Plan:
    """What to tell now, and when there is something to tell next (None: never)."""

    now: tuple[Reminder, ...]
    next_at: datetime | None


def plan_reminders(ends: Iterable[DutyEnd], told: Sequence[Told], pace: Pace, *, now: datetime) -> Plan:
    """What to tell of these duties at a moment. After it was told, the same moment has nothing more to tell."""
    reminders: list[Reminder] = []
    later: list[datetime] = []
    for end in ends:
        last = _last_told(end, told, now=now)
        passed = _passed_minutes(end, now)
        coming = [minutes for minutes in moments_of(end, pace) if last is None or minutes > last]
        if come := [minutes for minutes in coming if minutes <= passed]:
            reminders.append(Reminder(end, come[-1]))
        later += [end.end_at + timedelta(minutes=minutes) for minutes in coming if minutes > passed][:1]
    return Plan(tuple(reminders), min(later, default=None))


def moments_of(end: DutyEnd, pace: Pace) -> list[int]:
    """The moments at which a duty is told of, in minutes from its end, in order of time.

    One that lies at or before the start of its clock is left out: nobody needs a reminder of what has just begun.
    """
    return sorted({*_before(end, pace), *(pace.after * number for number in range(pace.times))})


def _before(end: DutyEnd, pace: Pace) -> Iterator[int]:
    for minutes in pace.before:
        if end.started_at is None or end.end_at - timedelta(minutes=minutes) > end.started_at:
            yield -minutes


def _last_told(end: DutyEnd, told: Sequence[Told], *, now: datetime) -> int | None:
    return max(
        (
            each.minutes
            for each in told
            if (each.duty_id, each.end_at) == (end.duty_id, end.end_at) and each.told_at <= now + WRONG_CLOCK
        ),
        default=None,
    )


def _passed_minutes(end: DutyEnd, now: datetime) -> float:
    return (now - end.end_at) / timedelta(minutes=1)
