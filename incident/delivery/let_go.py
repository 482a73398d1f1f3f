"""What of a campaign was let go: batches that wait for a later wave have no job (`delivery.waving`)."""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import Session, col, exists

from incident.delivery.states import WAVE_JOB, CampaignState
from incident.durable import put_job
from incident.store.tables import Batch, Campaign, Waves


def may_be_worked_on() -> sa.ColumnElement[bool]:
    """The condition that a batch may have a job: it was let go, or its campaign is replaced and it only retires."""
    return ~exists().where(
        col(Waves.id) == col(Batch.campaign_id),
        col(Waves.to_seq) < col(Batch.seq),
        col(Campaign.id) == col(Batch.campaign_id),
        col(Campaign.state) != CampaignState.REPLACED,
    ).correlate(Batch)


def is_let_go(session: Session, batch: Batch) -> bool:
    """Whether what is in a batch may be sent now."""
    row = session.get(Waves, batch.campaign_id)
    return row is None or batch.seq <= row.to_seq


def wake_the_waves(session: Session, campaign_id: str, incident_id: str) -> None:
    """Let the campaign's job look at once, where it has one."""
    if session.get(Waves, campaign_id) is not None:
        put_job(session, WAVE_JOB, campaign_id, incident_id=incident_id)
