"""Sending the SMS of a batch: intent one by one, as many under way as the centre's window holds.

The intent of each SMS is committed right before it is handed over, together with the outcomes that are known by then. A
worker that dies leaves at most a window of messages with intent and no outcome; each of those is sent at most once more
(`delivery.sms_rules`). Brakes, holds and limits are asked in the transaction of the intent, and the brakes again before
the message leaves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from sqlmodel import Session

from incident.delivery.following import decide_updates, others_of, updates_in
from incident.delivery.leaving_batch import (
    brakes_of,
    is_kept_back,
    leave_kept_back,
    leave_to_rest,
    leave_to_the_later_version,
    seconds_until_next,
)
from incident.delivery.ledger import (
    Due,
    Settled,
    due_deliveries,
    open_deliveries,
    unsendable,
    write_intent,
    write_outcomes,
)
from incident.delivery.let_go import is_let_go, wake_the_waves
from incident.delivery.message import CannotBeAddressed
from incident.delivery.next_means import NextMeans
from incident.delivery.picking import people_of
from incident.delivery.sms_asking import first_question
from incident.delivery.sms_message import SmsPaper, compose_sms, sms_paper
from incident.delivery.sms_parts import begin_parts, keep_parts, own_id
from incident.delivery.sms_room import SmsRoom
from incident.delivery.sms_rules import Tries, judge_sms, take_over_sms, tries_by_sms
from incident.delivery.states import RELAY_LIMITS, SETTLE_JOB, SMS, CampaignState, Why
from incident.durable import Lease, levels, put_job, take_tokens
from incident.errors import NotFound
from incident.notice.release import version_by_id
from incident.store.store import Store
from incident.store.tables import Batch, Campaign
from notifiers.errors import BadMessage
from notifiers.outcome import Outcome
from notifiers.sms.message import SmsMessage

_LONGEST_WAIT = 1.0  # between two looks, for a sign of life and whether to stop
_SHORTEST_WAIT = 0.02


@dataclass(frozen=True)
class SmsPost:
    """What sending SMS needs from outside. `rests_until` says of an incident until when nothing leaves."""

    room: SmsRoom
    clock: Callable[[], datetime]
    next_means: NextMeans
    rests_until: Callable[[Session, str, datetime], datetime | None] = lambda session, incident_id, now: None


@dataclass(frozen=True)
class _UnderWay:
    """One SMS that is with the room."""

    due: Due
    tries: Tries


@dataclass(frozen=True)
class _Sending:
    """The sending of one batch by one attempt of its job, and what of it is with the room."""

    lease: Lease
    store: Store
    batch: Batch
    paper: SmsPaper
    post: SmsPost
    under_way: dict[Future[Outcome], _UnderWay] = field(default_factory=dict)


@dataclass(frozen=True)
class _Next:
    """The message whose intent is written."""

    under_way: _UnderWay
    message: SmsMessage


@dataclass(frozen=True)
class _Pause:
    """Nothing may be begun for so many seconds, or until something that is under way ends."""

    seconds: float = _LONGEST_WAIT


@dataclass(frozen=True)
class _Fault:
    """A message could not be made, by a fault of ours. Its intent was not written."""

    error: Exception


class _Left:
    """The job was left in the transaction, and nothing is under way."""


_LEFT = _Left()


def send_sms_batch(lease: Lease, store: Store, batch_id: str, post: SmsPost) -> None:
    """Send what is due of one batch by SMS; the job ends when all of it is settled, and waits when some must wait.

    Raises `Fenced` when another worker took the batch over: then nothing more is sent.
    """
    with store.transaction() as session:
        lease.fence(session)
        batch = session.get(Batch, batch_id)
        campaign = session.get(Campaign, batch.campaign_id) if batch else None
        if batch is None or campaign is None:
            raise NotFound("this batch does not exist", where=batch_id)
        ids = take_over_sms(session, batch_id, now=post.clock())
        if campaign.state == CampaignState.REPLACED:
            leave_to_the_later_version(session, lease, batch, now=post.clock())
            return
        post.next_means.go_on(session, ids, now=post.clock())
        if not is_let_go(session, batch):
            lease.done(session)  # its wave puts the job again
            return
        if others_of(session, campaign.id, campaign.incident_id):
            decide_updates(session, campaign, batch_id)
        version = version_by_id(session, store, campaign.notice_id)
        earlier = {each: version_by_id(session, store, each).frozen for each in updates_in(session, batch_id)}
        paper = sms_paper(version.frozen, key=store.key(batch.incident_id), earlier=earlier)
    sending = _Sending(lease, store, batch, paper, post)
    try:
        _send_all(sending)
    finally:
        _give_up_places(sending)


def _send_all(sending: _Sending) -> None:
    unsent: list[Settled] = []
    room = sending.post.room
    while True:
        done = [each for each in sending.under_way if each.done()]
        settled = [*unsent, *(_settled(sending, each) for each in done)]
        still = len(sending.under_way) - len(done)
        has_place = room.take_place()
        try:
            found = sending.lease.insist(partial(_next, sending, settled, still, has_place=has_place))
        except BaseException:
            if has_place:
                room.leave_place()
            raise
        if has_place and not isinstance(found, _Next):
            room.leave_place()
        for each in done:
            del sending.under_way[each]
            room.leave_place()
        unsent = []
        if isinstance(found, _Left):
            return
        if isinstance(found, _Fault):
            _finish(sending)
            raise found.error
        if isinstance(found, Settled):
            unsent = [found]
        elif isinstance(found, _Next):
            may_go = partial(sending.lease.may_act, *brakes_of(sending.batch))
            future = room.hand_over(found.message, may_go=may_go)
            sending.under_way[future] = found.under_way
        elif sending.under_way:
            wait(sending.under_way, timeout=found.seconds, return_when=FIRST_COMPLETED)
        else:
            time.sleep(found.seconds)


def _finish(sending: _Sending) -> None:
    """Wait for what is under way and write down what became of it; nothing more is begun."""
    wait(sending.under_way)
    settled = [_settled(sending, each) for each in sending.under_way]

    def write() -> None:
        with sending.store.transaction() as session:
            sending.lease.fence(session, progress=bool(settled))
            _write(session, sending, settled, now=_now(sending))

    sending.lease.insist(write)
    _give_up_places(sending)


def _give_up_places(sending: _Sending) -> None:
    """Nothing is under way any more, or who took over answers for it."""
    for _ in sending.under_way:
        sending.post.room.leave_place()
    sending.under_way.clear()


def _settled(sending: _Sending, future: Future[Outcome]) -> Settled:
    under_way = sending.under_way[future]
    return judge_sms(under_way.due, future.result(), under_way.tries, now=_now(sending))


def _now(sending: _Sending) -> datetime:
    return sending.post.clock().astimezone(UTC)


def _write(session: Session, sending: _Sending, settled: Sequence[Settled], *, now: datetime) -> None:
    """Write what became of some messages, with the parts that the centre took; who was not reached goes on."""
    if not settled:
        return
    keep_parts(session, settled)
    write_outcomes(session, sending.batch, settled, key=sending.paper.key, now=now)
    sending.post.next_means.go_on(session, [each.due.id for each in settled], now=now)


def _next(
    sending: _Sending, settled: Sequence[Settled], still_under_way: int, *, has_place: bool
) -> _Next | _Pause | _Fault | Settled | _Left:
    """Write what is known by now, and the intent of the next SMS if one may leave.

    As long as some are under way the job is not left: their outcomes are still to be written.
    """
    lease, batch = sending.lease, sending.batch
    now = _now(sending)
    with sending.store.transaction() as session:
        lease.fence(session, progress=bool(settled))
        _write(session, sending, settled, now=now)
        if _may_begin(session, sending, now=now):
            due = due_deliveries(session, batch.id, now=now, limit=1, channel=SMS)
            if due and (seconds := sending.post.room.left_alone_for()) > 0:
                if still_under_way:
                    return _Pause(min(seconds, _LONGEST_WAIT))
                lease.again(session, after=seconds, untried=True)
                return _LEFT
            if due and not has_place:
                return _Pause(_LONGEST_WAIT if still_under_way else _SHORTEST_WAIT)
            if due:
                return _begin(session, sending, due[0], now=now)
        if still_under_way:
            return _Pause()
        _leave(session, sending, now=now)
    return _LEFT


def _may_begin(session: Session, sending: _Sending, *, now: datetime) -> bool:
    """Whether another SMS may leave now: no stop, brake, hold or time of rest."""
    batch = sending.batch
    return not (
        sending.lease.stopping
        or is_kept_back(session, batch)
        or sending.post.rests_until(session, batch.incident_id, now) is not None
    )


def _leave(session: Session, sending: _Sending, *, now: datetime) -> None:
    """Say what becomes of the job: nothing may leave now, or nobody is due."""
    lease, batch = sending.lease, sending.batch
    if lease.stopping:
        lease.again(session)
        return
    if is_kept_back(session, batch):
        leave_kept_back(session, lease, batch, now=now)
        return
    if (until := sending.post.rests_until(session, batch.incident_id, now)) is not None:
        leave_to_rest(session, lease, until, now=now)
        return
    wake_the_waves(session, batch.campaign_id, batch.incident_id)
    if open_deliveries(session, batch.id, channel=SMS):
        lease.again(session, after=seconds_until_next(session, batch, channel=SMS, now=now))
        return
    put_job(session, SETTLE_JOB, batch.campaign_id, incident_id=batch.incident_id)
    lease.done(session)


def _begin(
    session: Session, sending: _Sending, due: Due, *, now: datetime
) -> _Next | _Pause | _Fault | Settled:
    """Make the message, take its parts out of the limit, and write its intent.

    A fault is given back, not raised: outcomes that are written in the same transaction must not be lost with it.
    """
    try:
        made = _made(session, sending, due)
    except Exception as error:
        return _Fault(error)
    parts = made[1] if isinstance(made, tuple) else 0
    if parts and (seconds := _limit(session, sending, parts)) > 0:
        return _Pause(min(seconds, _LONGEST_WAIT))
    write_intent(
        session,
        [due],
        incident_id=sending.batch.incident_id,
        job_attempt=sending.lease.claim.attempt,
        now=now,
        channel=SMS,
    )
    if isinstance(made, Settled):
        return made
    room = sending.post.room
    begin_parts(
        session,
        due,
        parts=parts,
        centre=room.peer,
        incident_id=sending.batch.incident_id,
        ask_at=first_question(now) if room.asks_for_receipts else None,
    )
    tries = tries_by_sms(session, [due.id]).get(due.id, Tries()) if due.attempts else Tries()
    return _Next(_UnderWay(due, tries), made[0])


def _made(session: Session, sending: _Sending, due: Due) -> tuple[SmsMessage, int] | Settled:
    """The message and for how many the carrier counts it; what follows where it cannot be sent. A fault is raised."""
    person = people_of(session, [due], key=sending.paper.key).get(due.person_id)
    if person is None:
        return unsendable(due, Why.DAMAGED)
    try:
        composed = compose_sms(sending.paper, person, delivery_id=due.id, update_of=due.update_of)
    except CannotBeAddressed:
        return unsendable(due, Why.BAD_ADDRESS)
    message = replace(composed, own_id=own_id(due.id, due.attempts + 1))
    try:
        return message, sending.post.room.parts_of(message)
    except BadMessage:
        return unsendable(due, Why.UNFIT)


def _limit(session: Session, sending: _Sending, parts: int) -> float:
    """Take so many parts out of the centre's limit; seconds to wait where they are not there yet."""
    bucket = RELAY_LIMITS + sending.post.room.peer
    level = levels(session).get(bucket)
    if level is None:
        return 0.0
    wanted = min(parts, int(level.burst))
    if level.room < wanted:
        return max(level.wait(wanted), _SHORTEST_WAIT)
    return 0.0 if take_tokens(session, bucket, wanted).granted == wanted else _SHORTEST_WAIT
