"""What of a campaign was let go: batches that wait for a later wave have no job (`delivery.waving`)."""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import Session, col, exists

from incident.delivery.states import BATCH_JOB, EMAIL, IN_PROGRESS, JOB_OF, WAVE_JOB, CampaignState
from incident.durable import put_job
from incident.store.tables import Batch, CallTask, Campaign, Delivery, Waves


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


def put_batch(session: Session, batch_id: str, *, incident_id: str, wake: bool = False) -> None:
    """Ask for work on a batch, over each means that somebody in it is told by."""
    put_job(session, BATCH_JOB, batch_id, incident_id=incident_id, wake=wake)
    for channel in other_means_in(session, batch_id):
        put_job(session, JOB_OF[channel], batch_id, incident_id=incident_id, wake=wake)


def other_means_in(session: Session, batch_id: str) -> list[str]:
    """The means beside e-mail by which somebody of a batch is being told, or waits to be; without those on a list of the
    call centre's, who have no job of the batch's."""
    found = sa.select(col(Delivery.channel)).where(
        col(Delivery.batch_id) == batch_id,
        col(Delivery.state).in_(sorted(IN_PROGRESS)),
        col(Delivery.channel) != EMAIL,
        ~on_a_call_list(),
    )
    return sorted(session.connection().execute(found.distinct()).scalars())


def on_a_call_list() -> sa.ColumnElement[bool]:
    """The condition that a delivery's last attempt, or that of whom it has its message from, is a task of the call centre's."""
    leading = sa.func.coalesce(col(Delivery.leader_id), col(Delivery.id))
    return (
        sa.exists()
        .where(col(CallTask.delivery_id) == leading, col(CallTask.n) == col(Delivery.attempts))
        .correlate(Delivery)
    )


def wake_the_waves(session: Session, campaign_id: str, incident_id: str) -> None:
    """Let the campaign's job look at once, where it has one."""
    if session.get(Waves, campaign_id) is not None:
        put_job(session, WAVE_JOB, campaign_id, incident_id=incident_id)
