"""Lists of people for the call centre: who is on one, and until when its results are due.

Calling is done by people, so a list is made by a person, and nobody is put on one by itself. Whoever is on a list is in
progress, with an attempt whose intent is the list: nobody knows what became of it until a result comes, and where none
has come when results are due, the person was not told by it (`delivery.call_results`). Nobody is put on another list by
that: a call is never repeated by itself (rule 10 of the design).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, func, select

from incident.carrier_settings import CallCentreSettings
from incident.delivery.call_choosing import MAY_HAVE_BEEN_CALLED, to_be_called
from incident.delivery.call_rules import give_up_calls
from incident.delivery.ledger import Due, Member, recount, write_intent
from incident.delivery.let_go import wake_the_waves
from incident.delivery.next_means import failed_with
from incident.delivery.planner import Planner, planner_for
from incident.delivery.promises import must_keep_promises
from incident.delivery.receipts import led_by
from incident.delivery.states import (
    CALL_LIST_JOB,
    NEVER_TRIED,
    PHONE,
    CampaignState,
    DeliveryState,
    Rank,
    Why,
    campaign_brake,
)
from incident.durable import braked, put_job
from incident.errors import BadInput, NotFound, Refused
from incident.notice.frozen import FrozenNotice
from incident.notice.release import version_by_id
from incident.record.holds import Cover, must_not_be_held
from incident.record.incidents import must_be_open
from incident.settings import Means, Settings
from incident.store.change import Change, open_row
from incident.store.store import Store
from incident.store.tables import Batch, CallList, CallTask, Campaign, Delivery, Job, Waves

LISTED = "calls.listed"
DELETED = "calls.deleted"

_TOGETHER = 500


def calls_from_lists(settings: Settings) -> bool:
    """Whether the call centre is declared, and the organisation tells people by phone."""
    return settings.calls.centre is not None and Means.PHONE in settings.fallback.means


@dataclass(frozen=True)
class Listed:
    """A list that was made. `left_out` are people to be called who are on none: they share a household's mailbox, where nobody
    is told of another on the phone, or a message with somebody whom nobody can call."""

    row: CallList
    left_out: int


def make_call_list(
    change: Change,
    store: Store,
    settings: Settings,
    incident_id: str,
    *,
    whom: str,
    again: bool = False,
    most: int | None = None,
) -> Listed:
    """Put those on a list whose next means is the phone, or with `again` those who did not answer before; `most` people.
    Whom a machine was to call, and had not called when the settings went over to the call centre, are among the former.

    While a sending goes out in waves, nobody is called whose wave has not begun.

    They are in progress from now on. `whom` is who gets the list. Raises `Refused` where the call centre is not declared,
    nothing may leave, or nobody is to be called, and `HeldBack` under a hold.
    """
    centre = _must_be_declared(settings)
    planner = _must_be_able_to_call(change, store, settings, incident_id)
    campaign = change.session.get_one(Campaign, planner.campaign_id)
    if again:
        _give_up_calls_by_machine(change.session, campaign.id, now=change.at)
    chosen, left_out = to_be_called(change.session, planner, again=again, most=most)
    number = _lists_so_far(change.session, incident_id) + 1
    row = CallList(
        id=store.new_id(),
        incident_id=incident_id,
        campaign_id=campaign.id,
        number=number,
        people=0,
        made_at=change.at,
        made_by=change.actor,
        due_at=change.at + timedelta(days=centre.days),
    )
    for start in range(0, len(chosen), _TOGETHER):
        row.people += _put_on(change, row, chosen[start : start + _TOGETHER])
    # Also where a worker has told all of them since they were chosen.
    if not row.people:
        raise Refused(
            "there is nobody to be called" + (" again" if again else ""),
            where=incident_id,
            next_step=f"`incident deliveries {incident_id} --unreached` shows what comes next for whom",
        )
    if campaign.state == CampaignState.ENDED:
        _let_go_on(change, campaign)
    change.put(row, {"whom": whom})
    change.note(call_list=number, people=row.people)
    put_job(change.session, CALL_LIST_JOB, row.id, incident_id=incident_id, after=_seconds(row, change.at))
    return Listed(row, left_out)


def _let_go_on(change: Change, campaign: Campaign) -> None:
    """Let a campaign go on that had ended: nobody waits for a wave of it any more."""
    campaign.state, campaign.ended_at = CampaignState.SENDING, None
    change.put(campaign)
    change.note(goes_on=campaign.id)
    waves = change.session.get(Waves, campaign.id)
    if waves is not None:
        last = select(func.max(Batch.seq)).where(Batch.campaign_id == campaign.id)
        waves.to_seq = change.session.exec(last).one()
        change.put(waves)
        wake_the_waves(change.session, campaign.id, campaign.incident_id)


def _must_be_declared(settings: Settings) -> CallCentreSettings:
    if settings.calls.centre is None or not calls_from_lists(settings):
        raise Refused(
            "no call centre is declared, or the phone is none of the means",
            where="incident.toml",
            next_step="fill in [calls.centre], and name phone in [fallback] means",
        )
    return settings.calls.centre


def _must_be_able_to_call(change: Change, store: Store, settings: Settings, incident_id: str) -> Planner:
    """The plans of the newest campaign, which may be gone on with by calls."""
    must_be_open(change.session, incident_id)
    must_not_be_held(change.session, store, incident_id, Cover.PEOPLE)
    must_keep_promises(settings)
    planner = planner_for(change.session, store, settings, incident_id, now=change.at)
    if planner is None:
        raise Refused(
            "no notice of this incident was sent yet, so nobody is told by phone",
            where=incident_id,
            next_step=f"`incident notice send {incident_id}`",
        )
    _must_not_be_braked(change.session, incident_id, planner.campaign_id)
    notice_id = change.session.get_one(Campaign, planner.campaign_id).notice_id
    if not has_script(version_by_id(change.session, store, notice_id).frozen):
        raise Refused(
            "the notice that was released has no script for the call centre",
            where=incident_id,
            next_step="release a version that has one (docs/notice-channels.md)",
        )
    return planner


def _must_not_be_braked(session: Session, incident_id: str, campaign_id: str) -> None:
    if braked(session, campaign_brake(campaign_id)):
        raise Refused(
            "the sending is paused, or the general brake is on: nobody is told anything now",
            where=incident_id,
            next_step=f"`incident notice resume {incident_id}`, or `incident worker --release`",
        )


def must_be_writable_again(session: Session, store: Store, settings: Settings, row: CallList) -> None:
    """Raises `Refused` where a list that was made may not leave again: it is closed, or nothing leaves now."""
    if row.closed_at is not None:
        raise Refused(
            f"list {row.number} is closed: nobody is to be called from it any more",
            where=row.incident_id,
            next_step="make another one; --again takes those who did not answer",
        )
    must_not_be_held(session, store, row.incident_id, Cover.PEOPLE)
    must_keep_promises(settings)
    _must_not_be_braked(session, row.incident_id, row.campaign_id)


def has_script(frozen: FrozenNotice) -> bool:
    """Whether a version of the notice has a script for the call centre in any language."""
    return any(each.call_centre is not None for each in frozen.channels.values())


def _give_up_calls_by_machine(session: Session, campaign_id: str, *, now: datetime) -> None:
    """Let whom a machine called long enough ago count as not reached, where no worker calls by machine any more."""
    waiting = (
        select(Delivery.batch_id)
        .join(Batch, col(Batch.id) == col(Delivery.batch_id))
        .where(
            Batch.campaign_id == campaign_id,
            Delivery.channel == PHONE,
            Delivery.state == DeliveryState.PENDING,
        )
    )
    batches = sorted(session.exec(waiting.distinct()).all())
    hold_jobs_of(session, batches)
    for batch_id in batches:
        give_up_calls(session, batch_id, now=now)


def _lists_so_far(session: Session, incident_id: str) -> int:
    statement = select(func.coalesce(func.max(CallList.number), 0)).where(CallList.incident_id == incident_id)
    return session.exec(statement).one()


def _seconds(row: CallList, now: datetime) -> float:
    return min(max((row.due_at - now).total_seconds(), 0.0), LONGEST_LOOK)


LONGEST_LOOK = 3600.0
"""Seconds between two looks at a list: jobs do not sleep for longer."""


def _put_on(change: Change, row: CallList, ids: Sequence[str]) -> int:
    """Let these go on to the phone, with the intent of a call each; how many people are told by these calls."""
    session = change.session
    batches = session.exec(select(Delivery.batch_id).where(col(Delivery.id).in_(ids)).distinct()).all()
    hold_jobs_of(session, batches)
    # A worker that still goes by the settings of before may have called somebody since.
    called = (col(Delivery.state) == DeliveryState.SENDING) | (
        (col(Delivery.state) == DeliveryState.PENDING) & MAY_HAVE_BEEN_CALLED
    )
    deliveries = list(
        session.exec(
            select(Delivery)
            .where(col(Delivery.id).in_(ids) | led_by(ids), ~called)
            .order_by(col(Delivery.id))
            .with_for_update()
            .execution_options(populate_existing=True)
        ).all()
    )
    for delivery in deliveries:
        session.expunge(delivery)
    session.connection().execute(_TO_THE_PHONE, [_moved(each) for each in deliveries])
    dues = due_of(deliveries)
    write_intent(
        session,
        dues,
        incident_id=row.incident_id,
        job_attempt=1,
        now=change.at,
        channel=PHONE,
    )
    tasks = [
        {
            "delivery_id": due.id,
            "n": due.attempts + 1,
            "incident_id": row.incident_id,
            "list_id": row.id,
        }
        for due in dues
    ]
    change.put_bulk(CallTask, tasks)
    for batch_id in sorted(batches):
        recount_all(session, batch_id)
    return sum(due.principals for due in dues)


def hold_jobs_of(session: Session, batches: Sequence[str]) -> None:
    """Hold the jobs of these batches before any row of theirs, as who sends one does."""
    held = (
        sa.select(col(Job.key)).where(col(Job.key).in_(sorted(batches))).order_by(col(Job.kind), col(Job.key))
    )
    session.connection().execute(held.with_for_update()).all()


def due_of(deliveries: Sequence[Delivery]) -> list[Due]:
    """The deliveries that have a message of their own, with whoever shares it."""
    members: dict[str, list[Member]] = {}
    for each in deliveries:
        if each.leader_id is not None:
            member = Member(each.id, each.person_id, each.principal)
            members.setdefault(each.leader_id, []).append(member)
    return [
        Due(
            id=each.id,
            person_id=each.person_id,
            person_version=each.person_version,
            addressee=each.addressee,
            principal=each.principal,
            attempts=each.attempts,
            strikes=each.strikes,
            first_intent_at=None,
            update_of=each.update_of,
            shared=each.shared,
            members=tuple(members.get(each.id, ())),
        )
        for each in deliveries
        if each.leader_id is None
    ]


def _moved(row: Delivery) -> dict[str, Any]:
    if row.channel == PHONE:
        # What came back of a call by machine before stays what it proved.
        return {"which": row.id, "failed": row.tried_before, "struck": row.strikes, "proved": row.rank}
    # One that was accepted is on the list because an attacker may control that means.
    why = Why(row.reason) if row.state == DeliveryState.UNREACHABLE else Why.CONTROLLED
    failed = failed_with(row.channel, why, row.tried_before)
    return {"which": row.id, "failed": failed, "struck": 0, "proved": Rank.NOTHING}


_TO_THE_PHONE = (
    sa.update(Delivery)
    .where(col(Delivery.id) == sa.bindparam("which"))
    .values(
        channel=PHONE,
        state=DeliveryState.PENDING,
        reason=Why.NONE,
        strikes=sa.bindparam("struck"),
        rank=sa.bindparam("proved"),
        next_at=None,
        settled_at=None,
        tried_before=sa.bindparam("failed"),
    )
)


def recount_all(session: Session, batch_id: str) -> None:
    """Set all counters of a batch that follow from its rows; call it where people go on to another means together."""
    recount(session, batch_id)
    never_tried = sa.select(sa.func.count()).where(
        col(Delivery.batch_id) == batch_id,
        col(Delivery.principal).is_(True),
        col(Delivery.reason).in_(sorted(NEVER_TRIED)),
    )
    session.connection().execute(
        sa.update(Batch).where(col(Batch.id) == batch_id).values(never_tried=never_tried.scalar_subquery())
    )


def call_list(session: Session, incident_id: str, number: int) -> CallList:
    """A list by its number. Raises `NotFound`."""
    found = session.exec(
        select(CallList).where(CallList.incident_id == incident_id, CallList.number == number)
    ).first()
    if found is None:
        raise NotFound(
            f"there is no call list {number}",
            where=incident_id,
            next_step=f"`incident call-list list {incident_id}`",
        )
    return found


@dataclass(frozen=True)
class ListStands:
    """A list, and how many of its tasks wait for a result."""

    row: CallList
    open: int


def lists_of(session: Session, incident_id: str) -> list[ListStands]:
    """The lists of an incident, the first one first."""
    rows = session.exec(
        select(CallList).where(CallList.incident_id == incident_id).order_by(col(CallList.number))
    ).all()
    return [_stands(session, row) for row in rows]


def _stands(session: Session, row: CallList) -> ListStands:
    waiting = (
        select(func.count())
        .select_from(CallTask)
        .join(
            Delivery,
            (col(Delivery.id) == col(CallTask.delivery_id)) & (col(Delivery.attempts) == col(CallTask.n)),
        )
        .where(CallTask.list_id == row.id, Delivery.state == DeliveryState.SENDING)
    )
    return ListStands(row, session.exec(waiting).one())


def whom_of(row: CallList, *, key: bytes) -> str:
    """Who got a list."""
    return str(open_row(row, key=key)["whom"])


def say_deleted(change: Change, row: CallList, *, by: str) -> None:
    """Record who says that the call centre has no copy of a list any more. Raises `Refused` while it is open."""
    if row.closed_at is None:
        raise Refused(
            f"list {row.number} is open: results of it are still to come",
            where=row.incident_id,
            next_step=f"import them, or `incident call-list close {row.incident_id} {row.number}`",
        )
    if not by.strip():
        raise BadInput("say who says so", where="--by")
    row.deleted_at, row.deleted_by = change.at, by.strip()
    change.put(row)
