"""Pausing a campaign and letting it go on: the brake of one notice.

The campaign's state is journalled; the brake's row is what every worker looks at, before each group and several times a
second. Both change in one transaction.
"""

from __future__ import annotations

from sqlmodel import Session, select

from incident.delivery.following import open_batches
from incident.delivery.let_go import put_batch, wake_the_waves
from incident.delivery.states import PUBLISH_JOB, CampaignState, campaign_brake
from incident.delivery.status import campaigns_of
from incident.delivery.waving import forget_the_stop
from incident.durable import lift_brake, put_job, set_brake
from incident.errors import Refused
from incident.store.change import Change
from incident.store.tables import Campaign, PublicNotice


def pause_campaign(change: Change, incident_id: str) -> str:
    """Pause the newest campaign of an incident; returns its id. What a relay has taken is not called back.

    Raises `Refused` when nothing is being sent, or it is paused already.
    """
    campaign = _newest(change, incident_id)
    if campaign.state == CampaignState.PAUSED:
        raise Refused("the notice is paused already", where=incident_id)
    if campaign.state != CampaignState.SENDING:
        raise Refused(
            "the notice is not being sent any more: everyone is settled",
            where=incident_id,
            next_step=f"`incident notice status {incident_id}` shows where everybody stands",
        )
    campaign.state = CampaignState.PAUSED
    change.put(campaign)
    set_brake(change.session, campaign_brake(campaign.id), at=change.at, by=change.actor)
    return campaign.id


def resume_campaign(change: Change, incident_id: str) -> str:
    """Let a paused campaign go on, also one that stopped by itself; returns its id. Raises `Refused` when it is not paused.

    What made it stop is known to who lets it go on: only what comes from here on can stop it again.
    """
    campaign = _newest(change, incident_id)
    if campaign.state != CampaignState.PAUSED:
        raise Refused("the notice is not paused", where=incident_id)
    campaign.state = CampaignState.SENDING
    change.put(campaign)
    lift_brake(change.session, campaign_brake(campaign.id))
    forget_the_stop(change, campaign.id)
    for batch_id in open_batches(change.session, campaign.id):
        put_batch(change.session, batch_id, incident_id=incident_id)
    wake_the_waves(change.session, campaign.id, incident_id)
    return campaign.id


def put_sending_again(session: Session, incident_id: str) -> None:
    """Put the jobs again that a hold kept waiting: what is still to be sent of an incident, and to be published.

    What is paused, or held back for another reason, finds out for itself that it must go on waiting.
    """
    for campaign in campaigns_of(session, incident_id):
        for batch_id in open_batches(session, campaign.id):
            put_batch(session, batch_id, incident_id=incident_id)
        if campaign.state != CampaignState.ENDED:
            wake_the_waves(session, campaign.id, incident_id)
        published = select(PublicNotice.id).where(PublicNotice.notice_id == campaign.notice_id)
        if session.exec(published).first() is None:
            put_job(session, PUBLISH_JOB, campaign.notice_id, incident_id=incident_id)


def _newest(change: Change, incident_id: str) -> Campaign:
    campaigns = campaigns_of(change.session, incident_id)
    if not campaigns:
        raise Refused(
            "no notice of this incident is being sent",
            where=incident_id,
            next_step=f"incident notice send {incident_id}",
        )
    return campaigns[0]
