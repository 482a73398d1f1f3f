"""How far a campaign is let go: its waves in the record, and the job that looks at what came of them.

One job a campaign decides. Each decision, its journal entry and the jobs that it puts are one transaction under the
job's fence, so that a wave is let go once, whatever is killed. Batches beyond have no job; who waits in them is in
progress, and the campaign's job is theirs. A campaign without a row of `Waves` goes out at once and is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, func, select

from incident.delivery.following import leading
from incident.delivery.let_go import put_batch
from incident.delivery.pacing import pace_now, time_to_answer
from incident.delivery.resting import rests_until
from incident.delivery.states import (
    BATCH_JOB,
    CALL_JOB,
    CALL_LIST_JOB,
    IN_PROGRESS,
    PHONE,
    WAVE_JOB,
    CampaignState,
    DeliveryState,
    Failed,
    Why,
    campaign_brake,
)
from incident.delivery.status import campaigns_of
from incident.delivery.waves import (
    Counts,
    Look,
    Stop,
    StopReason,
    Turn,
    Waiting,
    Watch,
    decide,
    next_wave,
    plan_waves,
)
from incident.durable import Lease, braked, put_job, set_brake
from incident.errors import NotFound, Refused
from incident.record.holds import Cover, is_held
from incident.record.operators import Role
from incident.record.summons import Reason, settle_summons, summon
from incident.settings import Settings, WaveSettings
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import Attempt, Batch, Campaign, Delivery, Job, Waves
from notifiers.outcome import Result

LOOK_SECONDS = 2.0
"""Between two looks while a wave is under way: so long a sending goes on that should stop."""

_LAGGING_SECONDS = 30.0  # nothing leaves now; bounces still come
# Whoever lets a paused sending go on, or lifts a hold, puts the job; this is only for one that nobody lets go on.
_UNDER_A_BRAKE = 3600.0
_PAUSES = {
    Turn.KEPT_BACK: _UNDER_A_BRAKE,
    Turn.LAGGING: _LAGGING_SECONDS,
    Turn.RESTING: _LAGGING_SECONDS,
}


# -- changes --------------------------------------------------------------------------------------------


def begin_waves(
    change: Change, campaign: Campaign, settings: WaveSettings, *, batches: int, canary: int
) -> None:
    """Let the first wave of a new campaign go: the first batch where there is a canary, else all.

    Where nothing waits and nothing could stop it, nobody looks at it.
    """
    if not canary and not settings.can_stop:
        return
    row = Waves(
        id=campaign.id,
        incident_id=campaign.incident_id,
        number=1,
        from_seq=1,
        to_seq=1 if canary else batches,
    )
    change.put(row)
    change.note(wave={"number": 1, "batches": [row.from_seq, row.to_seq], "canary": canary})
    put_job(change.session, WAVE_JOB, campaign.id, incident_id=campaign.incident_id)


def let_all_go(change: Change, campaign_id: str) -> int:
    """Let go whatever waits for a later wave, unwatched until now; returns how many people that are."""
    row = change.session.get(Waves, campaign_id)
    waiting = _waiting(change.session, row) if row is not None else []
    if row is None or not any(each.people for each in waiting):
        return 0
    _let_go(change, row, waiting[0].seq, waiting[-1].seq, people=sum(each.people for each in waiting))
    put_job(change.session, WAVE_JOB, campaign_id, incident_id=row.incident_id)
    return sum(each.people for each in waiting)


def forget_the_stop(change: Change, campaign_id: str) -> None:
    """Somebody lets the sending go on: what is known now stops it no more, only what comes from here on."""
    row = change.session.get(Waves, campaign_id)
    if row is None or row.stopped_by is None:
        return
    counts = look_at(change.session, row).counts
    row.known_settled, row.known_failed = counts.settled, counts.failed
    row.known_complaints, row.known_reports = counts.complaints, counts.reports
    row.stopped_at, row.stopped_by, row.stopped_count, row.stopped_of = None, None, 0, 0
    change.put(row)
    settle_summons(change, row.incident_id, campaign_id)


def count_reports(change: Change, incident_id: str, count: int) -> int:
    """Count reports of suspicious messages against the newest sending, which stops at `stop_reports`; returns all of them.

    Raises `Refused` where nothing is watched, so that nobody believes it counted.
    """
    newest = next(iter(campaigns_of(change.session, incident_id)), None)
    row = change.session.get(Waves, newest.id) if newest is not None else None
    if row is None:
        raise Refused(
            "no sending of this incident counts reports of suspicious messages",
            where=incident_id,
            next_step=f"keep it in the log: `incident log {incident_id} TEXT --at T --by WHO`",
        )
    row.reports += count
    change.put(row)
    put_job(change.session, WAVE_JOB, row.id, incident_id=incident_id)
    return row.reports


def _let_go(change: Change, row: Waves, first: int, last: int, *, people: int) -> None:
    row.number, row.from_seq, row.to_seq, row.next_at = row.number + 1, first, last, None
    change.put(row)
    change.note(wave={"number": row.number, "batches": [first, last], "people": people})
    mine = select(Batch.id).where(Batch.campaign_id == row.id, Batch.seq >= first, Batch.seq <= last)
    for batch_id in change.session.exec(mine.order_by(col(Batch.seq))).all():
        put_batch(change.session, batch_id, incident_id=row.incident_id)


# -- the job --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lookout:
    """What the job needs from outside: the settings, the clock, and in whose name it acts."""

    settings: Settings
    clock: Callable[[], datetime]
    actor: str


class _Changed(Exception):
    """Between the look and the change something else was decided."""


_KINDS = {Stop: "campaign.stopped", Watch: "wave.settled", Turn: "wave.opened"}


def look_at_waves(lease: Lease, store: Store, campaign_id: str, lookout: Lookout) -> None:
    """Look at a campaign once, and do what follows; the job ends with the last of those who are in progress.

    A campaign that is paused or held back, by whomever, is left as it is.
    """
    with store.transaction() as session:
        lease.fence(session)
        campaign = session.get(Campaign, campaign_id)
        if campaign is None:
            raise NotFound("there is no such campaign", where=campaign_id)
        decision = _decide(session, campaign, lookout)
        if isinstance(decision, Turn) and decision is not Turn.GO_ON:
            _wait(lease, session, campaign, decision, now=lookout.clock())
            return
    kind = _KINDS[type(decision)]
    try:
        with store.write(campaign.incident_id, kind=kind, actor=lookout.actor, now=lookout.clock()) as change:
            lease.fence(change.session, progress=True)
            campaign = change.session.get_one(Campaign, campaign_id)
            again = _decide(change.session, campaign, lookout)
            if again is None or _KINDS[type(again)] != kind:
                raise _Changed
            _carry_out(change, store, campaign, again, lookout)
            lease.again(change.session, after=_UNDER_A_BRAKE if isinstance(again, Stop) else LOOK_SECONDS)
    except _Changed:
        with store.transaction() as session:
            lease.fence(session)
            lease.again(session)


def _decide(session: Session, campaign: Campaign, lookout: Lookout) -> Stop | Watch | Turn:
    """What follows for a campaign; one that is over, or held by somebody, is left alone."""
    row = session.get(Waves, campaign.id)
    if row is None or campaign.state in (CampaignState.ENDED, CampaignState.REPLACED):
        return Turn.ENDED
    if is_kept_back(session, campaign):
        return Turn.KEPT_BACK
    now, look = lookout.clock(), look_at(session, row)
    pace = _pace(session, row, look, lookout.settings, now=now)
    calls_take = time_to_answer(_people_in(session, row), pace) if pace is not None else timedelta(0)
    decision = decide(look, _known(row), lookout.settings.waves, now=now, calls_take=calls_take)
    if not isinstance(decision, Turn) or decision is Turn.ENDED:
        return decision
    resting = rests_until(session, campaign.incident_id, lookout.settings, now=now) is not None
    return Turn.RESTING if resting else decision


def is_kept_back(session: Session, campaign: Campaign) -> bool:
    """Whether a brake or a hold keeps a campaign where it is."""
    return (
        campaign.state == CampaignState.PAUSED
        or braked(session)
        or is_held(session, campaign.incident_id, Cover.PEOPLE)
    )


def _wait(lease: Lease, session: Session, campaign: Campaign, turn: Turn, *, now: datetime) -> None:
    if turn is Turn.ENDED:
        lease.done(session)
        return
    seconds = _PAUSES.get(turn, LOOK_SECONDS)
    row = session.get_one(Waves, campaign.id)
    if turn is Turn.WATCHING and row.next_at is not None:
        seconds = min(seconds, max((row.next_at - now).total_seconds(), 0.0))
    lease.again(session, after=seconds)


def _carry_out(
    change: Change, store: Store, campaign: Campaign, decision: Stop | Watch | Turn, lookout: Lookout
) -> None:
    row = change.session.get_one(Waves, campaign.id)
    if isinstance(decision, Stop):
        _stop(change, store, campaign, row, decision)
        return
    look = look_at(change.session, row)
    if isinstance(decision, Watch):
        row.next_at = decision.until
        change.put(row)
        change.note(wave=row.number, **vars(look.counts), in_progress=look.in_progress)
        return
    most = _pace(change.session, row, look, lookout.settings, now=lookout.clock())
    wave = next_wave(
        _waiting(change.session, row), look.let_go, growth=lookout.settings.waves.growth, most=most
    )
    _let_go(change, row, wave.first, wave.last, people=wave.people)


def _stop(change: Change, store: Store, campaign: Campaign, row: Waves, stop: Stop) -> None:
    campaign.state = CampaignState.PAUSED
    change.put(campaign)
    set_brake(change.session, campaign_brake(campaign.id), at=change.at, by=change.actor)
    row.stopped_at, row.stopped_by = change.at, stop.reason
    row.stopped_count, row.stopped_of = stop.count, stop.of
    change.put(row)
    change.note(reason=stop.reason, count=stop.count, of=stop.of, wave=row.number)
    words = {"count": stop.count, "of": stop.of}
    summon(
        change,
        store,
        campaign.incident_id,
        reason=Reason.SENDING_STOPPED,
        subject_id=campaign.id,
        role=Role.COMMUNICATOR,
        or_roles=(Role.RESPONDER,),
        text={language: text.format(**words) for language, text in STOP_TEXTS[stop.reason].items()},
    )


STOP_TEXTS = {
    StopReason.FAILED: {
        "zh-Hans": "已自动暂停发送：已发送的 {of} 人中有 {count} 人未能送达（拒收、拦截或退回）",
        "en": "stopped by itself: of {of} people written to, {count} refused, blocked or returned",
    },
    StopReason.COMPLAINTS: {
        "zh-Hans": "已自动暂停发送：消息已被接收的 {of} 人中有 {count} 人投诉（垃圾邮件或诈骗）",
        "en": "stopped by itself: {count} complaints (spam or fraud) of {of} people whose message was accepted",
    },
    StopReason.REPORTS: {
        "zh-Hans": "已自动暂停发送：收到 {count} 起可疑消息报告",
        "en": "stopped by itself: {count} reports of suspicious messages",
    },
}
"""Why a sending stopped, for people."""


# -- looking --------------------------------------------------------------------------------------------


def look_at(session: Session, row: Waves) -> Look:
    """What came of a campaign so far, from its batches' counters."""
    mine = Batch.campaign_id == row.id
    pending = func.coalesce(func.sum(Batch.pending), 0)
    in_progress = session.exec(select(pending).where(mine, Batch.seq <= row.to_seq)).one()
    waiting = session.exec(select(pending).where(mine, Batch.seq > row.to_seq)).one()
    settled, people = _settled(session, row)
    turned_away = _turned_away(session, row) if in_progress else 0
    counts = replace(settled, settled=settled.settled + turned_away, failed=settled.failed + turned_away)
    return Look(
        counts=counts,
        let_go=people + in_progress,
        in_progress=in_progress,
        untried=in_progress > 0 and _some_untried(session, row),
        waiting=waiting,
        next_at=row.next_at,
    )


def _turned_away(session: Session, row: Waves) -> int:
    """Those whom a server's policy turned away, so that it is tried again: it may be about us and meet everybody.

    Only batches that were begun are looked through, of which few have somebody in progress.
    """
    begun = (
        select(Batch.id)
        .join(Job, (col(Job.key) == col(Batch.id)) & (col(Job.kind) == BATCH_JOB))
        .where(Batch.campaign_id == row.id, Batch.seq <= row.to_seq, Batch.pending > 0, Job.attempt > 0)
    )
    last = (col(Attempt.delivery_id) == leading()) & (col(Attempt.n) == col(Delivery.attempts))
    found = (
        select(func.count())
        .select_from(Delivery)
        .join(Attempt, last)
        .where(
            col(Delivery.batch_id).in_(begun),
            col(Delivery.principal).is_(True),
            Delivery.state == DeliveryState.PENDING,
            Delivery.strikes > 0,
            Attempt.result == Result.permanent,
        )
    )
    return session.exec(found).one()


def _pace(session: Session, row: Waves, look: Look, settings: Settings, *, now: datetime) -> float | None:
    """People an hour that the call centre bears; None where that decides nothing."""
    return (
        pace_now(session, row.incident_id, settings, waiting=look.waiting, now=now) if look.waiting else None
    )


def _people_in(session: Session, row: Waves) -> int:
    """How many people in the wave under way can be written to."""
    people = Batch.pending + Batch.accepted + Batch.unreachable - Batch.never_tried
    here = Batch.campaign_id == row.id, Batch.seq >= row.from_seq, Batch.seq <= row.to_seq
    return session.exec(select(func.coalesce(func.sum(people), 0)).where(*here)).one()


def _some_untried(session: Session, row: Waves) -> bool:
    """Whether somebody of those let go was not tried yet, or is with the relay now."""
    batches = select(Batch.id).where(Batch.campaign_id == row.id, Batch.seq <= row.to_seq, Batch.pending > 0)
    untried = sa.or_(
        col(Delivery.state) == DeliveryState.SENDING,
        col(Delivery.state).in_(IN_PROGRESS) & (col(Delivery.attempts) == 0),
    )
    found = select(Delivery.id).where(col(Delivery.batch_id).in_(batches), untried).limit(1)
    return session.exec(found).first() is not None


def _settled(session: Session, row: Waves) -> tuple[Counts, int]:
    """What is known of those who were let go, and how many people are settled."""
    statement = select(
        *(
            func.coalesce(func.sum(each), 0)
            for each in (
                Batch.accepted,
                Batch.unreachable,
                Batch.never_tried,
                Batch.moved_on,
                Batch.complaints,
            )
        )
    ).where(Batch.campaign_id == row.id, Batch.seq <= row.to_seq)
    accepted, unreachable, never_tried, moved_on, complaints = session.execute(statement).one()
    # Whoever went on to another means was failed by the first one, whatever comes of the second.
    failed = unreachable - never_tried + moved_on
    people = accepted + unreachable - never_tried
    unanswered = _unanswered(session, row)
    return Counts(people + moved_on - unanswered, failed - unanswered, complaints, row.reports), people


def _unanswered(session: Session, row: Waves) -> int:
    """How many of those who were let go did not answer the telephone: that is usual, and says nothing of the notice."""
    calls = select(Job.key).where(
        col(Job.kind).in_([CALL_JOB, CALL_LIST_JOB]), Job.incident_id == row.incident_id
    )
    # No long list is read whole where nobody is called.
    if session.exec(calls.limit(1)).first() is None:
        return 0
    batches = select(Batch.id).where(Batch.campaign_id == row.id, Batch.seq <= row.to_seq)
    gave_up = (
        (col(Delivery.channel) == PHONE)
        & (col(Delivery.state) == DeliveryState.UNREACHABLE)
        & (col(Delivery.reason) == Why.NO_ANSWER)
    )
    # Counted by the first means that failed, as `moved_on` is.
    went_on = col(Delivery.tried_before).startswith(str(Failed(PHONE, Why.NO_ANSWER)))
    statement = select(func.count()).where(
        col(Delivery.batch_id).in_(batches), col(Delivery.principal).is_(True), gave_up | went_on
    )
    return session.exec(statement).one()


def _known(row: Waves) -> Counts:
    return Counts(row.known_settled, row.known_failed, row.known_complaints, row.known_reports)


def _waiting(session: Session, row: Waves) -> list[Waiting]:
    found = select(Batch.seq, Batch.pending).where(Batch.campaign_id == row.id, Batch.seq > row.to_seq)
    return [Waiting(seq, people) for seq, people in session.exec(found.order_by(col(Batch.seq))).all()]


def is_watched(session: Session, campaign_id: str, settings: Settings, *, now: datetime) -> bool:
    """Whether a wave is gone over and the next one begins soon by itself."""
    row, campaign = session.get(Waves, campaign_id), session.get(Campaign, campaign_id)
    if row is None or campaign is None or campaign.state != CampaignState.SENDING or row.next_at is None:
        return False
    if is_kept_back(session, campaign):
        return False
    return rests_until(session, campaign.incident_id, settings, now=now) is None


@dataclass(frozen=True)
class WavesNow:
    """Where the waves of a campaign stand: number `number` of `of` is under way, with `people` in it; `waiting` people
    wait for a later one, which begins at `next_at` once this one is gone over. `stop`: why it stopped, and when."""

    number: int
    of: int
    people: int
    waiting: int
    next_at: datetime | None
    stop: Stop | None
    stopped_at: datetime | None
    reports: int


def waves_now(session: Session, campaign_id: str, settings: Settings, *, now: datetime) -> WavesNow | None:
    """Where the waves of a campaign stand; None where it has none."""
    row = session.get(Waves, campaign_id)
    if row is None:
        return None
    look = look_at(session, row)
    most = _pace(session, row, look, settings, now=now)
    to_come = plan_waves(_waiting(session, row), look.let_go, growth=settings.waves.growth, most=most)
    stop = Stop(StopReason(row.stopped_by), row.stopped_count, row.stopped_of) if row.stopped_by else None
    return WavesNow(
        number=row.number,
        of=row.number + len(to_come),
        people=_people_in(session, row),
        waiting=look.waiting,
        next_at=row.next_at,
        stop=stop,
        stopped_at=row.stopped_at,
        reports=row.reports,
    )
