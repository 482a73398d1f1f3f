"""What the record says is still to be done, and jobs for it where there are none.

Jobs only point at rows. Should they be lost, with a queue that was thrown away or by somebody's hand, everything that
is open can be told from the rows themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col, exists, select

from incident.delivery.let_go import may_be_worked_on, on_a_call_list
from incident.delivery.states import (
    CALL_LIST_JOB,
    IN_PROGRESS,
    JOB_OF,
    PUBLISH_JOB,
    SETTLE_JOB,
    WAVE_JOB,
    CampaignState,
)
from incident.durable import JobState, put_job
from incident.duties.reminding import DUTIES_JOB
from incident.hooks.receiving import ALERT_JOB, AlertState
from incident.law.findings import STANDING
from incident.notice.publishing import followed_by
from incident.record.holds import HOLD_JOB
from incident.record.incidents import IncidentState
from incident.record.summons import SUMMONS_JOB
from incident.response.containment import CONTAINMENT_JOB, UNENDED
from incident.response.runner import RUN_JOB, RUNNING
from incident.store.tables import (
    Alert,
    Batch,
    CallList,
    Campaign,
    Containment,
    Delivery,
    DutyRow,
    Hold,
    Incident,
    Job,
    PublicNotice,
    Run,
    Summons,
    Waves,
)


@dataclass(frozen=True)
class Owed:
    """Work that a row asks for, with the job that it takes."""

    kind: str
    key: str
    incident_id: str | None


def work_without_a_job(session: Session) -> Iterator[Owed]:
    """Everything open in the record for which no job is open or parked."""
    for alert in session.exec(
        select(Alert.id).where(Alert.state == AlertState.RECEIVED, ~_has_job(ALERT_JOB, col(Alert.id)))
    ):
        yield Owed(ALERT_JOB, alert, None)
    for run_id, incident_id in session.exec(
        select(Run.id, Run.incident_id).where(Run.state == RUNNING, ~_has_job(RUN_JOB, col(Run.id)))
    ):
        yield Owed(RUN_JOB, run_id, incident_id)
    published = exists().where(col(PublicNotice.notice_id) == col(Campaign.notice_id))
    for notice_id, incident_id in session.exec(
        select(Campaign.notice_id, Campaign.incident_id).where(
            ~published, ~_has_job(PUBLISH_JOB, col(Campaign.notice_id))
        )
    ).all():
        if followed_by(session, notice_id) is None:
            yield Owed(PUBLISH_JOB, notice_id, incident_id)
    for channel, job in JOB_OF.items():
        to_send = exists().where(
            col(Delivery.batch_id) == col(Batch.id),
            col(Delivery.channel) == channel,
            col(Delivery.state).in_(sorted(IN_PROGRESS)),
            ~on_a_call_list(),
        )
        for batch_id, incident_id in session.exec(
            select(Batch.id, Batch.incident_id).where(
                to_send, may_be_worked_on(), ~_has_job(job, col(Batch.id))
            )
        ):
            yield Owed(job, batch_id, incident_id)
    for list_id, incident_id in session.exec(
        select(CallList.id, CallList.incident_id).where(
            col(CallList.closed_at).is_(None), ~_has_job(CALL_LIST_JOB, col(CallList.id))
        )
    ):
        yield Owed(CALL_LIST_JOB, list_id, incident_id)
    unsettled = exists().where(col(Batch.campaign_id) == col(Waves.id), col(Batch.pending) > 0)
    for campaign_id, incident_id in session.exec(
        select(Waves.id, Waves.incident_id)
        .join(Campaign, col(Campaign.id) == col(Waves.id))
        .where(
            col(Campaign.state).in_([CampaignState.SENDING, CampaignState.PAUSED]),
            unsettled,
            ~_has_job(WAVE_JOB, col(Waves.id)),
        )
    ):
        yield Owed(WAVE_JOB, campaign_id, incident_id)
    to_settle = (
        exists()
        .where(col(Batch.campaign_id) == col(Campaign.id))
        .where(col(Delivery.batch_id) == col(Batch.id), col(Delivery.state).in_(sorted(IN_PROGRESS)))
    )
    for campaign_id, incident_id in session.exec(
        select(Campaign.id, Campaign.incident_id).where(
            Campaign.state != CampaignState.ENDED, ~to_settle, ~_has_job(SETTLE_JOB, col(Campaign.id))
        )
    ):
        yield Owed(SETTLE_JOB, campaign_id, incident_id)
    # The job finds out for itself when its hold is to be asked about.
    for hold_id, incident_id in session.exec(
        select(Hold.id, Hold.incident_id).where(
            col(Hold.lifted_at).is_(None), col(Hold.asked_at).is_(None), ~_has_job(HOLD_JOB, col(Hold.id))
        )
    ):
        yield Owed(HOLD_JOB, hold_id, incident_id)
    for row_id, incident_id in session.exec(
        select(Containment.id, Containment.incident_id)
        .join(Incident, col(Incident.id) == col(Containment.incident_id))
        .where(
            col(Incident.state) == IncidentState.OPEN,
            col(Containment.expires_at).is_not(None),
            col(Containment.asked_at).is_(None),
            col(Containment.state).in_(sorted(UNENDED)),
            ~_has_job(CONTAINMENT_JOB, col(Containment.id)),
        )
    ):
        yield Owed(CONTAINMENT_JOB, row_id, incident_id)
    standing = exists().where(
        col(DutyRow.incident_id) == col(Incident.id), col(DutyRow.state).in_(sorted(STANDING))
    )
    for incident_id in session.exec(
        select(Incident.id).where(
            Incident.state == IncidentState.OPEN, standing, ~_has_job(DUTIES_JOB, col(Incident.id))
        )
    ):
        yield Owed(DUTIES_JOB, incident_id, incident_id)
    # One that stands as unanswered calls nobody any more.
    for summons_id, incident_id in session.exec(
        select(Summons.id, Summons.incident_id).where(
            col(Summons.ended_at).is_(None),
            col(Summons.next_at).is_not(None),
            ~_has_job(SUMMONS_JOB, col(Summons.id)),
        )
    ):
        yield Owed(SUMMONS_JOB, summons_id, incident_id)


def _has_job(kind: str, key: Mapped[str]) -> ColumnElement[bool]:
    alive = (JobState.OPEN, JobState.PARKED)
    return exists().where(col(Job.kind) == kind, col(Job.key) == key, col(Job.state).in_(alive))


def put_missing_jobs(session: Session) -> list[Owed]:
    """Ask for everything that is open and has no job; returns what that was."""
    missing = list(work_without_a_job(session))
    for each in missing:
        put_job(session, each.kind, each.key, incident_id=each.incident_id, wake=False)
    return missing
