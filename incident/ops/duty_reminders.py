"""Looking at an incident's duties: who is to be reminded now, and when to look again."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from incident.durable import Lease
from incident.duties.reminding import has_open_duties, plan_of, seconds_until_next_look, tell
from incident.response.attempt import ENGINE
from incident.response.housework import House
from incident.settings import Settings


def look_at_duties(lease: Lease, house: House, incident_id: str) -> None:
    """Tell in one transaction what is to be told now, and leave the job for the next moment. It ends with the duties."""
    store, settings = house.store, house.settings
    with store.transaction() as session:
        lease.fence(session)
        now = house.clock()
        if not plan_of(session, settings, incident_id, now=now).now:
            _leave(lease, session, settings, incident_id, now=now)
            return
    with store.write(incident_id, kind="duties.reminded", actor=ENGINE, now=house.clock()) as change:
        lease.fence(change.session, progress=True)
        # As they are now: one may have been met meanwhile.
        tell(change, store, settings, incident_id)
        _leave(lease, change.session, settings, incident_id, now=change.at)


def _leave(lease: Lease, session: Session, settings: Settings, incident_id: str, *, now: datetime) -> None:
    if not has_open_duties(session, incident_id):
        lease.done(session)
        return
    lease.again(session, after=seconds_until_next_look(session, settings, incident_id, now=now))
