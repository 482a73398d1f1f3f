"""How the job of a batch is left, over whatever means it sends: kept back, left to a later version, or until somebody is due."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from incident.delivery.following import retire, some_wait
from incident.delivery.ledger import next_due_at
from incident.delivery.states import SETTLE_JOB, CampaignState, campaign_brake
from incident.durable import Lease, braked, put_job
from incident.record.holds import Cover, hold_brake, is_held
from incident.store.tables import Batch, Campaign

# Whoever lifts a brake makes every open job due at once; this is only for one that nobody lifts.
UNDER_A_BRAKE = 3600.0
# Until what an earlier version has under way is settled: its worker does that within seconds, or another takes over.
FOR_AN_EARLIER_VERSION = 2.0


def brakes_of(batch: Batch) -> tuple[str, str]:
    """The brakes besides the general one that stop a batch: of its notice, and of a hold over words to people."""
    return campaign_brake(batch.campaign_id), hold_brake(batch.incident_id, Cover.PEOPLE)


def is_kept_back(session: Session, batch: Batch) -> bool:
    """Whether a brake or a hold keeps a batch. The hold itself is asked besides its brake: it is what the journal keeps."""
    return braked(session, *brakes_of(batch)) or is_held(session, batch.incident_id, Cover.PEOPLE)


def leave_kept_back(session: Session, lease: Lease, batch: Batch, *, now: datetime) -> None:
    """Leave the job until somebody lets it go on; for good where a later version goes out."""
    campaign = session.get(Campaign, batch.campaign_id)
    if campaign is not None and campaign.state == CampaignState.REPLACED:
        leave_to_the_later_version(session, lease, batch, now=now)
    else:
        lease.again(session, after=UNDER_A_BRAKE)


def leave_to_rest(session: Session, lease: Lease, until: datetime, *, now: datetime) -> None:
    """Leave the job until a time of rest is over."""
    lease.again(session, after=min((until - now).total_seconds(), UNDER_A_BRAKE))


def leave_to_the_later_version(session: Session, lease: Lease, batch: Batch, *, now: datetime) -> None:
    """End the job: who was not told is told by the later version. Nothing that the job sent may be under way."""
    retire(session, batch.id, now=now)
    put_job(session, SETTLE_JOB, batch.campaign_id, incident_id=batch.incident_id)
    lease.done(session)


def seconds_until_next(session: Session, batch: Batch, *, channel: str, now: datetime) -> float:
    """Until somebody of a batch may be due over a channel."""
    waits_until = next_due_at(session, batch.id, channel=channel)
    pause = max((waits_until - now).total_seconds(), 0.0) if waits_until else 0.0
    if not some_wait(session, batch.id):
        return pause
    return min(pause, FOR_AN_EARLIER_VERSION) if waits_until else FOR_AN_EARLIER_VERSION
