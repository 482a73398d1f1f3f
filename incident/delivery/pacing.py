"""How many people may be told in an hour, so that those who call are answered."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session

from incident.delivery.forecast import CallCentre
from incident.delivery.planning import call_centre_of, deadline_to_tell_people
from incident.settings import Settings


def people_an_hour(centre: CallCentre) -> float:
    """How many people may be told in an hour in which calls are answered; infinite where nobody is expected to call."""
    return centre.people_a_day / centre.hours_a_day


def pace_now(
    session: Session, incident_id: str, settings: Settings, *, waiting: int, now: datetime
) -> float | None:
    """People an hour that the call centre bears; None where nothing is asked of it, or nobody said what it can.

    None too where a deadline of the law to tell people would be missed at this pace by those who wait.
    """
    centre = call_centre_of(settings.plan) if settings.waves.follow_call_centre else None
    if centre is None or not centre.callers:
        return None
    pace = people_an_hour(centre)
    deadline = deadline_to_tell_people(session, incident_id, settings, by_law=True)
    if deadline is not None and deadline.at - now < time_to_answer(waiting, pace):
        return None
    return pace


def time_to_answer(people: int, pace: float) -> timedelta:
    """How long the call centre takes with those who call, when so many people are told; at most ten years."""
    return timedelta(hours=min(people / pace, 87_600.0))
