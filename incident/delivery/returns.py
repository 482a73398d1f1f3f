"""After a sending has ended nothing of it can be stopped; whoever answers for it is called once when much came back."""

from __future__ import annotations

from sqlmodel import Session, col, func, select

from incident.delivery.states import CampaignState
from incident.delivery.status import campaigns_of
from incident.delivery.waves import Counts, StopReason, reason_to_stop
from incident.record.operators import Role
from incident.record.summons import Reason, all_summons, summon
from incident.settings import WaveSettings
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import Batch, Campaign

TEXTS = {
    StopReason.FAILED: {
        "zh-Hans": "发送结束之后，已发送的 {of} 人中有 {count} 人的消息被退回或者未能送达",
        "en": "after the sending ended: of {of} people written to, the messages of {count} came back",
    },
    StopReason.COMPLAINTS: {
        "zh-Hans": "发送结束之后，消息已被接收的 {of} 人中有 {count} 人投诉（垃圾邮件或诈骗）",
        "en": "after the sending ended: {count} complaints (spam or fraud) of {of} people whose message was accepted",
    },
}
"""What is asked, for the record. Reports of suspicious messages are counted by people, who know of them."""


def call_about_returns(change: Change, store: Store, incident_id: str, settings: WaveSettings) -> None:
    """Call for somebody where so much came back of the newest sending, which has ended, that one under way would stop.

    Once for each sending. While it is under way, its waves look at it.
    """
    campaign = next(iter(campaigns_of(change.session, incident_id)), None)
    if campaign is None or campaign.state != CampaignState.ENDED:
        return
    found = reason_to_stop(_counts(change.session, campaign), settings)
    if found is None or _was_called(change.session, campaign):
        return
    words = {"count": found.count, "of": found.of}
    summon(
        change,
        store,
        incident_id,
        reason=Reason.MUCH_RETURNED,
        subject_id=campaign.id,
        role=Role.COMMUNICATOR,
        or_roles=(Role.RESPONDER,),
        text={language: text.format(**words) for language, text in TEXTS[found.reason].items()},
    )


def _counts(session: Session, campaign: Campaign) -> Counts:
    """Of those who were written to, whose message came back, and who complained. What was refused was known at the end."""
    tried = Batch.accepted + Batch.unreachable - Batch.never_tried
    sums = [func.coalesce(func.sum(each), 0) for each in (tried, Batch.returned, Batch.complaints)]
    settled, returned, complaints = session.execute(
        select(*sums).where(col(Batch.campaign_id) == campaign.id)
    ).one()
    return Counts(settled=settled, failed=returned, complaints=complaints)


def _was_called(session: Session, campaign: Campaign) -> bool:
    return any(
        (each.reason, each.subject_id) == (Reason.MUCH_RETURNED, campaign.id)
        for each in all_summons(session, campaign.incident_id)
    )
