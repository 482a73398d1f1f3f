"""Telling the people of a batch one by one, such as by SMS and by calls: intent before each, as many under way as fit.

The intent of each message is committed right before it is handed over, together with the outcomes that are known by then.
A worker that dies leaves at most a window of messages with intent and no outcome; what becomes of these is a rule of each
means (`sms_rules`, `call_rules`). Brakes, holds and limits are asked in the transaction of the intent, and the brakes again
before the message leaves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Generic, Protocol, TypeVar

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
    open_deliveries,
    unsendable,
    write_intent,
    write_outcomes,
)
from incident.delivery.let_go import is_let_go, wake_the_waves
from incident.delivery.message import CannotBeAddressed
from incident.delivery.next_means import NextMeans
from incident.delivery.picking import people_of
from incident.delivery.sending_room import SendingRoom
from incident.delivery.sms_parts import keep_parts
from incident.delivery.states import RELAY_LIMITS, SETTLE_JOB, CampaignState, Why
from incident.durable import Lease, levels, put_job, take_tokens
from incident.errors import NotFound
from incident.notice.frozen import FrozenNotice
from incident.notice.release import version_by_id
from incident.record.person import PersonRow
from incident.store.store import Store
from incident.store.tables import Batch, Campaign
from notifiers.errors import BadMessage
from notifiers.outcome import Outcome

M = TypeVar("M")
_LONGEST_WAIT = 1.0  # between two looks, for a sign of life and whether to stop
_SHORTEST_WAIT = 0.02

Compose = Callable[[PersonRow, Due], M]
"""Makes the message of one delivery. Raises `CannotBeAddressed` where the contact is at fault."""
Judge = Callable[[Outcome, datetime], Settled]
"""What follows from the outcome of a message at a moment. Pure."""


def never_rests(session: Session, incident_id: str, now: datetime) -> datetime | None:
    """For means and tests without times of rest."""
    return None


class OneByOne(Protocol[M]):
    """What differs from means to means. Statements work inside the transaction of the loop."""

    @property
    def channel(self) -> str:
        """The channel of the deliveries that are told by it."""

    @property
    def room(self) -> SendingRoom[M]:
        """What hands a message over."""

    def take_over(self, session: Session, batch_id: str, *, now: datetime) -> list[str]:
        """Settle what a dead attempt left open. Returns the deliveries that this concerns, by id."""

    def give_up(self, session: Session, batch_id: str, *, now: datetime) -> list[str]:
        """Settle who is due and may not be tried again. Returns their deliveries, by id."""

    def due(self, session: Session, batch_id: str, *, now: datetime) -> list[Due]:
        """The next delivery that may be tried now; empty where there is none."""

    def composer(
        self, frozen: FrozenNotice, *, key: bytes, earlier: Mapping[str, FrozenNotice]
    ) -> Compose[M]:
        """What makes the messages of a version, also as updates of `earlier` notices (by id)."""

    def begin(self, session: Session, due: Due, *, parts: int, incident_id: str, now: datetime) -> None:
        """Write down, beside the intent, what receipts are found by; the carrier counts it for so many messages."""

    def judging(self, session: Session, due: Due) -> Judge:
        """What will judge the outcome, by how often the delivery was tried before."""


@dataclass(frozen=True)
class OneByOnePost(Generic[M]):
    """What telling people one by one needs from outside. `rests_until` says of an incident until when nothing leaves."""

    means: OneByOne[M]
    clock: Callable[[], datetime]
    next_means: NextMeans
    rests_until: Callable[[Session, str, datetime], datetime | None] = never_rests


@dataclass(frozen=True)
class _UnderWay:
    """One message that is with the room."""

    due: Due
    judge: Judge


@dataclass(frozen=True)
class _Sending(Generic[M]):
    """The sending of one batch by one attempt of its job, and what of it is with the room."""

    lease: Lease
    store: Store
    batch: Batch
    key: bytes
    compose: Compose[M]
    post: OneByOnePost[M]
    under_way: dict[Future[Outcome], _UnderWay] = field(default_factory=dict)

    @property
    def means(self) -> OneByOne[M]:
        return self.post.means

    @property
    def room(self) -> SendingRoom[M]:
        return self.post.means.room


@dataclass(frozen=True)
class _Next(Generic[M]):
    """The message whose intent is written."""

    under_way: _UnderWay
    message: M


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


def send_one_by_one(lease: Lease, store: Store, batch_id: str, post: OneByOnePost[M]) -> None:
    """Tell who is due of one batch; the job ends when all of it is settled, and waits when some must wait.

    Raises `Fenced` when another worker took the batch over: then nothing more is sent.
    """
    with store.transaction() as session:
        lease.fence(session)
        batch = session.get(Batch, batch_id)
        campaign = session.get(Campaign, batch.campaign_id) if batch else None
        if batch is None or campaign is None:
            raise NotFound("this batch does not exist", where=batch_id)
        ids = post.means.take_over(session, batch_id, now=post.clock())
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
        key = store.key(batch.incident_id)
        compose = post.means.composer(version.frozen, key=key, earlier=earlier)
    sending = _Sending(lease, store, batch, key, compose, post)
    try:
        _send_all(sending)
    finally:
        _give_up_places(sending)


def _send_all(sending: _Sending[M]) -> None:
    unsent: list[Settled] = []
    room = sending.room
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


def _finish(sending: _Sending[M]) -> None:
    """Wait for what is under way and write down what became of it; nothing more is begun."""
    wait(sending.under_way)
    settled = [_settled(sending, each) for each in sending.under_way]

    def write() -> None:
        with sending.store.transaction() as session:
            sending.lease.fence(session, progress=bool(settled))
            _write(session, sending, settled, now=_now(sending))

    sending.lease.insist(write)
    _give_up_places(sending)


def _give_up_places(sending: _Sending[M]) -> None:
    """Nothing is under way any more, or who took over answers for it."""
    for _ in sending.under_way:
        sending.room.leave_place()
    sending.under_way.clear()


def _settled(sending: _Sending[M], future: Future[Outcome]) -> Settled:
    under_way = sending.under_way[future]
    return under_way.judge(future.result(), _now(sending))


def _now(sending: _Sending[M]) -> datetime:
    return sending.post.clock().astimezone(UTC)


def _write(session: Session, sending: _Sending[M], settled: Sequence[Settled], *, now: datetime) -> None:
    """Write what became of some messages, with the ids under which they were taken; who was not reached goes on."""
    if not settled:
        return
    keep_parts(session, settled)
    write_outcomes(session, sending.batch, settled, key=sending.key, now=now)
    sending.post.next_means.go_on(session, [each.due.id for each in settled], now=now)


def _next(
    sending: _Sending[M], settled: Sequence[Settled], still_under_way: int, *, has_place: bool
) -> _Next[M] | _Pause | _Fault | Settled | _Left:
    """Write what is known by now, and the intent of the next message if one may leave.

    As long as some are under way the job is not left: their outcomes are still to be written.
    """
    lease, batch = sending.lease, sending.batch
    now = _now(sending)
    with sending.store.transaction() as session:
        lease.fence(session, progress=bool(settled))
        _write(session, sending, settled, now=now)
        if _may_begin(session, sending, now=now):
            given_up = sending.means.give_up(session, batch.id, now=now)
            sending.post.next_means.go_on(session, given_up, now=now)
            due = sending.means.due(session, batch.id, now=now)
            if due and (seconds := sending.room.left_alone_for()) > 0:
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


def _may_begin(session: Session, sending: _Sending[M], *, now: datetime) -> bool:
    """Whether another message may leave now: no stop, brake, hold or time of rest."""
    batch = sending.batch
    return not (
        sending.lease.stopping
        or is_kept_back(session, batch)
        or sending.post.rests_until(session, batch.incident_id, now) is not None
    )


def _leave(session: Session, sending: _Sending[M], *, now: datetime) -> None:
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
    if open_deliveries(session, batch.id, channel=sending.means.channel):
        lease.again(session, after=seconds_until_next(session, batch, channel=sending.means.channel, now=now))
        return
    put_job(session, SETTLE_JOB, batch.campaign_id, incident_id=batch.incident_id)
    lease.done(session)


def _begin(
    session: Session, sending: _Sending[M], due: Due, *, now: datetime
) -> _Next[M] | _Pause | _Fault | Settled:
    """Make the message, take what it counts for out of the limit, and write its intent.

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
        channel=sending.means.channel,
    )
    if isinstance(made, Settled):
        return made
    sending.means.begin(session, due, parts=parts, incident_id=sending.batch.incident_id, now=now)
    return _Next(_UnderWay(due, sending.means.judging(session, due)), made[0])


def _made(session: Session, sending: _Sending[M], due: Due) -> tuple[M, int] | Settled:
    """The message and for how many the carrier counts it; what follows where it cannot be sent. A fault is raised."""
    person = people_of(session, [due], key=sending.key).get(due.person_id)
    if person is None:
        return unsendable(due, Why.DAMAGED)
    try:
        message = sending.compose(person, due)
    except CannotBeAddressed:
        return unsendable(due, Why.BAD_ADDRESS)
    try:
        return message, sending.room.parts_of(message)
    except BadMessage:
        return unsendable(due, Why.UNFIT)


def _limit(session: Session, sending: _Sending[M], parts: int) -> float:
    """Take so many messages out of the carrier's limit; seconds to wait where they are not there yet."""
    bucket = RELAY_LIMITS + sending.room.peer
    level = levels(session).get(bucket)
    if level is None:
        return 0.0
    wanted = min(parts, int(level.burst))
    if level.room < wanted:
        return max(level.wait(wanted), _SHORTEST_WAIT)
    return 0.0 if take_tokens(session, bucket, wanted).granted == wanted else _SHORTEST_WAIT
