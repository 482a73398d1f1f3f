"""How long a notice takes to send at a pace, and whether the deadline and the call centre hold. Pure.

What is reckoned with is what the relay takes from us. When a message arrives is the receiving server's affair.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

_DAY = timedelta(days=1)
_LONGEST = timedelta(days=36525)  # a century: "never" for a notice, and small enough to add to a date


class RateSource(StrEnum):
    """Where a rate is from: set for all workers, bought from the relay, or measured at an earlier sending."""

    LIMIT = "limit"
    CONTRACT = "contract"
    MEASURED = "measured"


@dataclass(frozen=True)
class Rate:
    """Messages a second."""

    per_second: float
    source: RateSource


@dataclass(frozen=True)
class CallCentre:
    """Who answers those who call. `callers` is the share of the people told who are expected to call, 0 to 1."""

    seats: int
    minutes_per_call: float
    hours_a_day: float
    callers: float

    @property
    def calls_a_day(self) -> float:
        """How many calls are answered in a day."""
        return self.seats * self.hours_a_day * 60 / self.minutes_per_call

    @property
    def people_a_day(self) -> float:
        """How many people may be told in a day so that all who call are answered."""
        return self.calls_a_day / self.callers if self.callers else math.inf

    def calls_from(self, people: int, takes: timedelta) -> float:
        """How many call on the busiest day, when so many people are told in this time: they call within a day."""
        return people * self.callers / max(takes / _DAY, 1.0)

    def seats_for(self, calls_a_day: float) -> int:
        """How many seats answer so many calls in a day."""
        return math.ceil(calls_a_day * self.minutes_per_call / (self.hours_a_day * 60))


class PaceKind(StrEnum):
    """As everything is set; so slow that the call centre holds; so fast that the deadline holds."""

    AS_SET = "as_set"
    FOR_CALLS = "for_calls"
    FOR_DEADLINE = "for_deadline"


@dataclass(frozen=True)
class Pace:
    """One way to send. `spare` is what is left until the deadline, negative when it is missed; None without one.

    `calls_a_day` are those of the busiest day; None where nobody said how many call, or how many are answered.
    """

    kind: PaceKind
    per_second: float
    takes: timedelta
    ends_at: datetime
    spare: timedelta | None
    calls_a_day: float | None
    calls_hold: bool | None

    @property
    def deadline_holds(self) -> bool | None:
        return None if self.spare is None else self.spare >= timedelta(0)

    @property
    def holds(self) -> bool:
        """Whether nothing that is known speaks against it."""
        return self.deadline_holds is not False and self.calls_hold is not False


@dataclass(frozen=True)
class Mailing:
    """What is to be sent, from when, by when, at most how fast, and who answers the phone."""

    people: int
    messages: int
    starts_at: datetime
    deadline: datetime | None
    rates: Sequence[Rate]
    call_centre: CallCentre | None

    @property
    def rate(self) -> Rate | None:
        """The slowest of the rates that are known: it decides. Of equal ones the first."""
        return min(self.rates, key=lambda rate: rate.per_second, default=None)


def paces(mailing: Mailing) -> tuple[Pace, ...]:
    """The way that is set, and where it does not hold the ways that would; the slower one for the call centre first.

    Where no rate is known only the latter are told: what the deadline needs is then what must be bought.
    """
    if not mailing.messages:
        return ()
    as_set = _as_set(mailing)
    found = [as_set] if as_set else []
    if mailing.call_centre is not None and (as_set is None or as_set.calls_hold is False):
        days = max(mailing.people / mailing.call_centre.people_a_day, 1.0)
        found.append(_within(mailing, PaceKind.FOR_CALLS, _no_longer_than_ever(days * _DAY.total_seconds())))
    if _time_left(mailing) and (as_set is None or as_set.deadline_holds is False):
        found.append(_within(mailing, PaceKind.FOR_DEADLINE, _time_left(mailing)))
    return tuple(found)


def seats_needed(mailing: Mailing) -> int | None:
    """Seats with which the call centre holds when all are told by the deadline, where it does not; else None."""
    centre, left = mailing.call_centre, _time_left(mailing)
    if centre is None or not left or not mailing.messages:
        return None
    calls = centre.calls_from(mailing.people, left)
    return None if _bears(centre, calls) else centre.seats_for(calls)


def _as_set(mailing: Mailing) -> Pace | None:
    if mailing.rate is None:
        return None
    per_second = mailing.rate.per_second
    return _pace(mailing, PaceKind.AS_SET, per_second, _no_longer_than_ever(mailing.messages / per_second))


def _within(mailing: Mailing, kind: PaceKind, takes: timedelta) -> Pace:
    return _pace(mailing, kind, mailing.messages / takes.total_seconds(), takes)


def _pace(mailing: Mailing, kind: PaceKind, per_second: float, takes: timedelta) -> Pace:
    ends_at = mailing.starts_at + takes
    centre = mailing.call_centre
    calls = centre.calls_from(mailing.people, takes) if centre else None
    return Pace(
        kind=kind,
        per_second=per_second,
        takes=takes,
        ends_at=ends_at,
        spare=mailing.deadline - ends_at if mailing.deadline else None,
        calls_a_day=calls,
        calls_hold=_bears(centre, calls) if centre and calls is not None else None,
    )


def _bears(centre: CallCentre, calls_a_day: float) -> bool:
    # A sum of fractions may miss by a hair what it was worked out to meet.
    return calls_a_day <= centre.calls_a_day * (1 + 1e-6)


def _time_left(mailing: Mailing) -> timedelta:
    """From the start to the deadline; nothing without one, or when it is over."""
    if mailing.deadline is None:
        return timedelta(0)
    return max(mailing.deadline - mailing.starts_at, timedelta(0))


def _no_longer_than_ever(seconds: float) -> timedelta:
    return timedelta(seconds=seconds) if seconds < _LONGEST.total_seconds() else _LONGEST
