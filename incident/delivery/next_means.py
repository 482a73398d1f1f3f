"""Whom one means did not reach goes on to the next one that a carrier of ours sends over: e-mail, SMS, or a call by machine.

The delivery stays the one by which the person is counted; its channel changes, and it keeps what failed before. This is
written in the transaction that says how the means before ended, so that nobody stands between two means. What the plan
has next (`delivery.fallback`) decides: where that is for people to do, such as a letter, the delivery stays unreachable
and the person on their list.

An SMS and a call are in the words for a grown-up person concerned. Minors, organisations, and whoever shares a message are
told by SMS and by phone by people only, since these would tell them in words that are not meant for them.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from incident.delivery.call_message import scripts_of
from incident.delivery.fallback import Way
from incident.delivery.let_go import wake_the_waves
from incident.delivery.planner import Planner, planner_for
from incident.delivery.states import (
    BATCH_JOB,
    CALL_JOB,
    NEVER_MOVED,
    NEVER_TRIED,
    NOT_WRITTEN_TO,
    PHONE,
    SMS_JOB,
    Addressee,
    CampaignState,
    DeliveryState,
    Failed,
    Rank,
    Why,
    failed_before,
    written_failed,
)
from incident.durable import put_job
from incident.errors import ConflictingWrite, StoreUnavailable, TocsinError
from incident.notice.frozen import FrozenNotice
from incident.notice.release import version_by_id
from incident.settings import Means, Settings
from incident.store.change import Change
from incident.store.prepared import PreparedLookup
from incident.store.store import Store
from incident.store.tables import Batch, Campaign, Delivery, Person

log = logging.getLogger(__name__)

_JOBS = {Way.EMAIL: BATCH_JOB, Way.SMS: SMS_JOB, Way.PHONE: CALL_JOB}
_NUMBER_OF_ANOTHER = Failed(PHONE, Why.BAD_ADDRESS)
_STATES = PreparedLookup(Delivery, key="id", columns=("id", "state"))
_STAYS = sorted({*NOT_WRITTEN_TO, Why.REPLACED, Why.DAMAGED, Why.PASSED_ON})


def sends_sms(settings: Settings) -> bool:
    """Whether a carrier of SMS is declared, and the organisation tells people by SMS."""
    return settings.sms.carrier is not None and Means.SMS in settings.fallback.means


def calls_by_machine(settings: Settings) -> bool:
    """Whether a machine is declared that calls people, and the organisation tells people by phone."""
    return settings.calls.twilio is not None and Means.PHONE in settings.fallback.means


def means_of_ours(settings: Settings) -> frozenset[Way]:
    """The means beside e-mail that a carrier of ours sends over."""
    sends = {Way.SMS: sends_sms(settings), Way.PHONE: calls_by_machine(settings)}
    return frozenset(way for way, does in sends.items() if does)


def means_of_version(settings: Settings, frozen: FrozenNotice) -> frozenset[Way]:
    """The same where a version of the notice has words for them, in any language."""
    return frozenset(way for way in means_of_ours(settings) if _HAS_WORDS[way](frozen))


def has_sms(frozen: FrozenNotice) -> bool:
    """Whether a version of the notice has words for an SMS in any language."""
    return any(each.sms is not None for each in frozen.channels.values())


def has_calls(frozen: FrozenNotice) -> bool:
    """Whether a version of the notice has words for a call by machine in any language."""
    return bool(scripts_of(frozen))


_HAS_WORDS = {Way.SMS: has_sms, Way.PHONE: has_calls}


def may_be_told_alone(person: Person) -> bool:
    """Whether the words of an SMS, and of a call by machine, are meant for a person."""
    return not (person.minor or person.organisation or person.deceased or person.safe_contact)


@dataclass(frozen=True)
class NextMeans:
    """Lets deliveries go on, as the settings and the record have it."""

    store: Store
    settings: Settings

    def go_on(self, session: Session, delivery_ids: Collection[str], *, now: datetime) -> frozenset[str]:
        """Let go on who of these deliveries is unreachable and has a next means of ours; returns their campaigns (by id)."""
        if not delivery_ids or not means_of_ours(self.settings):
            return frozenset()
        found = _STATES.all(session.connection(), list(delivery_ids))
        unreached = [delivery_id for delivery_id, state in found if state == DeliveryState.UNREACHABLE]
        if not unreached:
            return frozenset()
        return self._go_on(session, col(Delivery.id).in_(unreached), now=now)

    def go_on_in(self, session: Session, batch_id: str, *, now: datetime) -> None:
        """The same for a whole batch."""
        if means_of_ours(self.settings):
            self._go_on(session, col(Delivery.batch_id) == batch_id, now=now)

    def go_on_after(self, change: Change, delivery_ids: Collection[str]) -> None:
        """The same after something came back; a campaign that had ended goes on with it."""
        for campaign_id in sorted(self.go_on(change.session, delivery_ids, now=change.at)):
            campaign = change.session.get_one(Campaign, campaign_id, populate_existing=True)
            if campaign.state == CampaignState.ENDED:
                campaign.state, campaign.ended_at = CampaignState.SENDING, None
                change.put(campaign)
                change.note(goes_on=campaign_id)
                wake_the_waves(change.session, campaign_id, campaign.incident_id)

    def _go_on(self, session: Session, which: sa.ColumnElement[bool], *, now: datetime) -> frozenset[str]:
        """Where nobody can tell what comes next, they stay unreachable and on the list of people: what is written in the
        same transaction, such as that a message was taken, must not be lost with it."""
        try:
            return self._go_on_as_planned(session, which, now=now)
        except (StoreUnavailable, ConflictingWrite):
            raise
        except TocsinError as error:
            log.warning(
                "whom one means did not reach stays with people: what comes next is not known (%s)", error
            )
            return frozenset()

    def _go_on_as_planned(
        self, session: Session, which: sa.ColumnElement[bool], *, now: datetime
    ) -> frozenset[str]:
        rows = _unreached(session, which)
        if not rows:
            return frozenset()
        planner = planner_for(session, self.store, self.settings, rows[0].incident_id, now=now)
        newest = session.get_one(Campaign, planner.campaign_id) if planner is not None else None
        if planner is None or newest is None or newest.state == CampaignState.REPLACED:
            return frozenset()
        ours = means_of_version(self.settings, version_by_id(session, self.store, newest.notice_id).frozen)
        if not ours:
            return frozenset()
        batches = set(session.exec(select(Batch.id).where(Batch.campaign_id == newest.id)).all())
        ways = {row.id: _next_of_ours(session, planner, row, ours) for row in rows if row.batch_id in batches}
        moved = [row for row in rows if ways.get(row.id) is not None]
        if not moved:
            return frozenset()
        session.connection().execute(_MOVE, [_moved(row, ways[row.id]) for row in moved])
        for batch_id in sorted({row.batch_id for row in moved}):
            _count(session, batch_id, [row for row in moved if row.batch_id == batch_id])
        for batch_id, job in sorted({(row.batch_id, _JOBS[way]) for row in moved if (way := ways[row.id])}):
            put_job(session, job, batch_id, incident_id=newest.incident_id)
        return frozenset({newest.id})


def _unreached(session: Session, which: sa.ColumnElement[bool]) -> list[Delivery]:
    """Whoever stands as unreachable among these, told by a message of their own."""
    found = (
        select(Delivery)
        .where(
            which,
            Delivery.state == DeliveryState.UNREACHABLE,
            col(Delivery.principal).is_(True),
            Delivery.addressee == Addressee.PERSON,
            col(Delivery.leader_id).is_(None),
            Delivery.shared == 0,
            col(Delivery.reason).not_in(_STAYS),
        )
        .order_by(col(Delivery.id))
        .with_for_update()
        # The ledger changes rows without their objects.
        .execution_options(populate_existing=True)
    )
    rows = list(session.exec(found).all())
    for row in rows:
        session.expunge(row)
    return rows


def _next_of_ours(session: Session, planner: Planner, row: Delivery, ours: frozenset[Way]) -> Way | None:
    """The next means of a delivery's person, where a carrier of ours sends over it."""
    person = session.get(Person, row.person_id)
    if person is None or not may_be_told_alone(person):
        return None
    way = planner.planned(session, row, person).way
    if way is None or way == row.channel or way not in {Way.EMAIL, *ours}:
        return None
    # Where a call came to somebody else, an SMS would too.
    failed = {Failed(row.channel, Why(row.reason)), *failed_before(row.tried_before)}
    return None if way is Way.SMS and _NUMBER_OF_ANOTHER in failed else way


def failed_with(row_channel: str, why: Why, before: str = "") -> str:
    """What is kept of the means so far when the next one takes over; where none was tried there is nothing to keep."""
    if why is Why.NONE or (why in NEVER_TRIED and why is not Why.SUPPRESSED):
        return before
    return written_failed([*failed_before(before), Failed(row_channel, why)])


def _moved(row: Delivery, way: Way | None) -> dict[str, Any]:
    failed = failed_with(row.channel, Why(row.reason), row.tried_before)
    return {"which": row.id, "over": way, "failed": failed}


_MOVE = (
    sa.update(Delivery)
    .where(col(Delivery.id) == sa.bindparam("which"))
    .values(
        channel=sa.bindparam("over"),
        state=DeliveryState.PENDING,
        reason=Why.NONE,
        strikes=0,
        rank=Rank.NOTHING,
        next_at=None,
        settled_at=None,
        tried_before=sa.bindparam("failed"),
    )
)


def _count(session: Session, batch_id: str, moved: Sequence[Delivery]) -> None:
    never_tried = sum(row.reason in NEVER_TRIED for row in moved)
    first_time = sum(row.reason not in NEVER_TRIED and row.tried_before in NEVER_MOVED for row in moved)
    session.connection().execute(
        sa.update(Batch)
        .where(col(Batch.id) == batch_id)
        .values(
            pending=col(Batch.pending) + len(moved),
            unreachable=col(Batch.unreachable) - len(moved),
            never_tried=col(Batch.never_tried) - never_tried,
            moved_on=col(Batch.moved_on) + first_time,
            returned=col(Batch.returned) - sum(row.rank == Rank.RETURNED for row in moved),
        )
    )
