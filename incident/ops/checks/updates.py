"""Updates: whoever an earlier version reached gets a later one as an update of it, and nobody else does."""

from __future__ import annotations

from collections import defaultdict

import sqlalchemy as sa
from sqlmodel import col, select

from incident.delivery.following import Earlier, earlier_deliveries, leading, told_by
from incident.delivery.states import NEVER_TRIED, Why
from incident.ops.checks.base import Findings, Invariant, Survey, View
from incident.store.tables import Batch, Campaign, Delivery, Notice

UPDATES = Invariant(
    "ledger.updates",
    "a message is an update of the newest version that its addressee was told by, or may have been, and of no other",
)


def _look_at_updates(view: View, findings: Findings) -> None:
    several = (
        select(Campaign.incident_id)
        .where(view.mine(Campaign.incident_id))
        .group_by(col(Campaign.incident_id))
        .having(sa.func.count() > 1)
    )
    campaigns = select(Campaign, Notice.version).join(Notice, col(Notice.id) == col(Campaign.notice_id))
    for campaign, version in view.session.exec(campaigns.where(col(Campaign.incident_id).in_(several))).all():
        if _knows_updates(view, campaign):
            for batch_id in view.session.exec(select(Batch.id).where(Batch.campaign_id == campaign.id)).all():
                _look_at_batch(view, findings, campaign, version, batch_id)


def _knows_updates(view: View, campaign: Campaign) -> bool:
    """Whether a campaign has updates; one that an earlier release of this software opened told everybody anew."""
    batches = select(Batch.id).where(Batch.campaign_id == campaign.id)
    found = select(Delivery.id).where(
        col(Delivery.batch_id).in_(batches),
        col(Delivery.update_of).is_not(None) | col(Delivery.waits).is_(True),
    )
    return view.session.exec(found.limit(1)).first() is not None


def _look_at_batch(view: View, findings: Findings, campaign: Campaign, version: int, batch_id: str) -> None:
    statement = sa.select(
        col(Delivery.id), leading(), col(Delivery.person_id), col(Delivery.addressee), col(Delivery.update_of)
    ).where(
        col(Delivery.batch_id) == batch_id,
        col(Delivery.waits).is_(False),
        # What was never to be sent, or was replaced before it was looked at, is no update of anything.
        col(Delivery.reason).not_in(sorted({*NEVER_TRIED, Why.REPLACED})),
    )
    rows = list(view.rows(statement))
    earlier = earlier_deliveries(view.session, campaign, {person_id for _, _, person_id, _, _ in rows})
    theirs: dict[str, list[Earlier]] = defaultdict(list)
    for _, leader_id, person_id, addressee, _ in rows:
        theirs[leader_id] += [each for each in earlier[person_id, addressee] if each.version < version]
    for delivery_id, leader_id, _, _, update_of in rows:
        if update_of not in _may_be_update_of(theirs[leader_id]):
            findings.broken(
                UPDATES, f"delivery {delivery_id}", "not an update of the notice that its addressee has"
            )


def _may_be_update_of(earlier: list[Earlier]) -> set[str | None]:
    """Of what a message may be an update. What came back may have done so only after that was decided."""
    known = told_by(earlier)
    least = max((each.version for each in earlier if each.told), default=0)
    return {known, *(each.notice_id for each in earlier if each.sent and each.version >= least)}


SURVEYS = (Survey(_look_at_updates, (UPDATES,)),)
