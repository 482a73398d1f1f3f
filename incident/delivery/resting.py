"""Whether a sending rests now: quiet hours, unless a deadline of the law to tell people would be missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sqlmodel import Session

from incident.delivery.planning import Deadline, deadline_to_tell_people, known_rates, left_to_send
from incident.delivery.quiet import QuietHours
from incident.settings import Settings

_LEAST_LEFT = timedelta(hours=1)


@dataclass(frozen=True)
class Rest:
    """It is quiet until `until`. `deadline`: waiting for that would miss it, so that it is sent all the same."""

    until: datetime
    deadline: Deadline | None

    @property
    def holds(self) -> bool:
        return self.deadline is None


def rest_now(session: Session, incident_id: str, settings: Settings, *, now: datetime) -> Rest | None:
    """What quiet hours mean for a sending at this moment; None outside of them.

    A deadline comes first when after the quiet hours less time is left until it than the rest takes at the rate that is
    known, or less than an hour. Targets of one's own are none.
    """
    hours = QuietHours.read(settings.waves.quiet_hours, settings.zone)
    until = hours.end_after(now) if hours is not None else None
    if until is None:
        return None
    deadline = deadline_to_tell_people(session, incident_id, settings, by_law=True)
    if deadline is None or deadline.at - until >= _takes(session, incident_id, settings):
        return Rest(until, None)
    return Rest(until, deadline)


def rests_until(session: Session, incident_id: str, settings: Settings, *, now: datetime) -> datetime | None:
    """Until when nothing leaves; None where something may."""
    rest = rest_now(session, incident_id, settings, now=now)
    return rest.until if rest is not None and rest.holds else None


def calls_rest_until(
    session: Session, incident_id: str, settings: Settings, *, now: datetime
) -> datetime | None:
    """Until when nobody is called by machine; None where somebody may be.

    Outside of `[calls.twilio] hours` nobody is, whatever the deadline, and in quiet hours as for other means.
    """
    quiet = rests_until(session, incident_id, settings, now=now)
    hours = outside_of(settings)
    outside = hours.end_after(now) if hours is not None else None
    return max((each for each in (quiet, outside) if each is not None), default=None)


def outside_of(settings: Settings) -> QuietHours | None:
    """The time of every day outside of `[calls.twilio] hours`; None where no machine calls."""
    declared = settings.calls.twilio
    if declared is None:
        return None
    begins, _, ends = declared.hours.partition("-")
    return QuietHours(time.fromisoformat(ends), time.fromisoformat(begins), settings.zone)


def _takes(session: Session, incident_id: str, settings: Settings) -> timedelta:
    left = left_to_send(session, incident_id)
    slowest = min((rate.per_second for rate in known_rates(session, settings)), default=None)
    if left is None or slowest is None:
        return _LEAST_LEFT
    return max(timedelta(seconds=left.messages / slowest), _LEAST_LEFT)
