"""Sending a batch: intent, messages, outcomes, in small groups; nobody lost, the bound of doubles known.

The outcome of one group and the intent of the next are one transaction. A worker that dies leaves at most one group
(`GROUP` messages) of each batch it has under way with intent and no outcome; those are sent again with the same bytes.

A group is as large as the limits of messages a second allow, which are taken in the transaction of its intent. Brakes
and holds are asked there too, and again before each message leaves, as is whether this worker may still act at all.

Messages are made before their intent is written: where making one fails, nothing stands open, and nobody counts as tried.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from sqlmodel import Session

from incident.delivery.domains import Line
from incident.delivery.following import decide_updates, others_of, some_wait, updates_in
from incident.delivery.leaving_batch import (
    FOR_AN_EARLIER_VERSION,
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
    judge,
    next_due_at,
    open_deliveries,
    take_over,
    unsendable,
    write_intent,
    write_outcomes,
)
from incident.delivery.let_go import is_let_go, wake_the_waves
from incident.delivery.mailroom import MailRoom
from incident.delivery.message import CannotBeAddressed, Stationery, compose, stationery
from incident.delivery.next_means import NextMeans
from incident.delivery.picking import Behind, Picked, Picking, pick
from incident.delivery.return_path import BounceMailbox
from incident.delivery.states import BATCH_JOB, EMAIL, RELAY_LIMITS, SETTLE_JOB, CampaignState, Why
from incident.durable import Lease, due_jobs, put_job, take_for_each, take_tokens
from incident.errors import NotFound, TocsinError
from incident.notice.release import version_by_id
from incident.store.store import Store
from incident.store.tables import Batch, Campaign
from notifiers.email.message import Envelope
from notifiers.outcome import Outcome

GROUP = 40
_LONGEST_WAIT = 1.0  # between two looks at the limit: a sign of life, and a look whether to stop
_SHORTEST_WAIT = 0.05


def batches_at_once(connections: int) -> int:
    """How many batches are worth working on together: one a connection, and one more that writes meanwhile.

    A worker that dies leaves at most `GROUP` messages of each without an outcome.
    """
    return connections + 1


class LastPaper:
    """What was made ready last to write on. A version never changes, and making it ready takes as long as some hundred
    messages: batches of one sending share it."""

    def __init__(self) -> None:
        self._last: tuple[object, Stationery] | None = None

    def paper_for(
        self,
        session: Session,
        store: Store,
        notice_id: str,
        earlier: Collection[str],
        *,
        key: bytes,
        bounces: BounceMailbox | None,
    ) -> Stationery:
        """The paper of a version, also as updates of the `earlier` ones. Raises as `version_by_id` and `stationery`."""
        wanted = (notice_id, frozenset(earlier), key, bounces)
        last = self._last
        if last is not None and last[0] == wanted:
            return last[1]
        version = version_by_id(session, store, notice_id).frozen
        befores = {each: version_by_id(session, store, each).frozen for each in earlier}
        paper = stationery(version, key=key, earlier=befores, bounces=bounces)
        self._last = (wanted, paper)
        return paper


@dataclass(frozen=True)
class Post:
    """What sending needs from outside, and what all batches of a worker share: whose turn comes when at a limit.

    Without a mailbox for `bounces` they go to the sender. `rests_until` says of an incident until when nothing leaves.
    `papers` keeps what was made ready for the last batch, which is mostly what the next one needs. `next_means` lets whom
    e-mail does not reach go on to another means.
    """

    room: MailRoom
    clock: Callable[[], datetime]
    bounces: BounceMailbox | None = None
    line: Line = field(default_factory=Line)
    rests_until: Callable[[Session, str, datetime], datetime | None] = lambda session, incident_id, now: None
    next_means: NextMeans | None = None
    papers: LastPaper = field(default_factory=LastPaper)


@dataclass(frozen=True)
class _Sending:
    """The sending of one batch by one attempt of its job."""

    lease: Lease
    store: Store
    batch: Batch
    paper: Stationery
    post: Post
    picking: Picking


@dataclass(frozen=True)
class _Wait:
    """A limit is used up for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class _Fault:
    """A message could not be made, by a fault of ours. Nothing of its group was begun."""

    error: Exception


@dataclass(frozen=True)
class _Group:
    """A group whose intent is written: messages, and who is settled since there can be none. `paid` is the relay that
    tokens were taken for."""

    messages: list[tuple[Due, Envelope]]
    settled: list[Settled]
    paid: str | None = None


def send_batch(lease: Lease, store: Store, batch_id: str, post: Post) -> None:
    """Send what is due of one batch; the job ends when all of it is settled, and waits when some must wait.

    Raises `Fenced` when another worker took the batch over: then nothing more is sent.
    """
    with store.transaction() as session:
        lease.fence(session)
        batch = session.get(Batch, batch_id)
        campaign = session.get(Campaign, batch.campaign_id) if batch else None
        if batch is None or campaign is None:
            raise NotFound("this batch does not exist", where=batch_id)
        take_over(session, batch_id, now=post.clock())
        if campaign.state == CampaignState.SENDING and post.next_means is not None:
            post.next_means.go_on_in(session, batch_id, now=post.clock())
        if campaign.state == CampaignState.REPLACED:
            leave_to_the_later_version(session, lease, batch, now=post.clock())
            return
        if not is_let_go(session, batch):
            # Its wave puts the job again.
            lease.done(session)
            return
        if others_of(session, campaign.id, campaign.incident_id):
            decide_updates(session, campaign, batch_id)
        earlier = updates_in(session, batch_id)
        key = store.key(batch.incident_id)
        paper = post.papers.paper_for(
            session, store, campaign.notice_id, earlier, key=key, bounces=post.bounces
        )
    sending = _Sending(lease, store, batch, paper, post, Picking(batch_id, key, GROUP))
    settled: list[Settled] = []
    while True:
        group = lease.insist(partial(_next_group, sending, settled))
        if group is None:
            return
        settled = []
        if isinstance(group, _Fault):
            raise group.error
        if isinstance(group, _Wait):
            time.sleep(group.seconds)
        else:
            settled = _send_group(sending, group)


def _next_group(sending: _Sending, settled: list[Settled]) -> _Group | _Wait | _Fault | None:
    """Write the last group's outcomes and the next group's intent; None when there is nothing to send now."""
    lease, batch = sending.lease, sending.batch
    now = sending.post.clock().astimezone(UTC)
    with sending.store.transaction() as session:
        lease.fence(session, progress=bool(settled))
        write_outcomes(session, batch, settled, key=sending.picking.key, now=now)
        if sending.post.next_means is not None:
            sending.post.next_means.go_on(session, [each.due.id for each in settled], now=now)
        if lease.stopping:
            lease.again(session)
            return None
        if is_kept_back(session, batch):
            leave_kept_back(session, lease, batch, now=now)
            return None
        if (until := sending.post.rests_until(session, batch.incident_id, now)) is not None:
            leave_to_rest(session, lease, until, now=now)
            return None
        relay = sending.post.room.limited_relay()
        limit = RELAY_LIMITS + relay if relay else None
        picked = pick(session, sending.picking, relay_limit=limit, now=now)
        if picked.due:
            return _begin(session, sending, picked, paid=relay, now=now)
        if picked.behind is not None:
            return _wait_or_let_go(session, sending, picked.behind, now=now)
        wake_the_waves(session, batch.campaign_id, batch.incident_id)
        if open_deliveries(session, batch.id):
            lease.again(session, after=seconds_until_next(session, batch, channel=EMAIL, now=now))
            return None
        put_job(session, SETTLE_JOB, batch.campaign_id, incident_id=batch.incident_id)
        lease.done(session)
    return None


def _begin(
    session: Session, sending: _Sending, picked: Picked, *, paid: str | None, now: datetime
) -> _Group | _Wait | _Fault:
    """Make the messages, take what the limits grant by now, and write their intent.

    A fault is given back, not raised: the last group's outcomes, in the same transaction, must not be lost with it.
    """
    try:
        messages, unsent = _made(picked, sending.paper, now=now)
    except Exception as error:
        return _Fault(error)
    if picked.buckets and messages:
        granted = take_for_each(session, [picked.buckets[due.id] for due, _ in messages])
        messages = [each for each, may_go in zip(messages, granted, strict=True) if may_go]
        if not messages and not unsent:
            return _Wait(_SHORTEST_WAIT)  # another worker was quicker
    write_intent(
        session,
        [*(due for due, _ in messages), *(each.due for each in unsent)],
        incident_id=sending.batch.incident_id,
        job_attempt=sending.lease.claim.attempt,
        now=now,
    )
    return _Group(messages, unsent, paid)


def _wait_or_let_go(session: Session, sending: _Sending, behind: Behind, *, now: datetime) -> _Wait | None:
    """Wait here for a limit, or let another batch have this place meanwhile: it may go where there is no limit."""
    lease, batch = sending.lease, sending.batch
    wait = _Wait(min(max(behind.seconds(GROUP), _SHORTEST_WAIT), _LONGEST_WAIT))
    if behind.for_all:
        return wait
    some_follow = some_wait(session, batch.id)
    if not some_follow and not due_jobs(session, BATCH_JOB, limit=1):
        return wait
    turn = sending.post.line.turn(behind.bucket, per_second=behind.level.per_second, wanted=behind.turn)
    others_due = next_due_at(session, batch.id, later_than=now)
    until = [turn, *([(others_due - now).total_seconds()] if others_due else [])]
    until += [FOR_AN_EARLIER_VERSION] if some_follow else []
    lease.again(session, after=min(until), untried=True)
    return None


def _made(
    picked: Picked, paper: Stationery, *, now: datetime
) -> tuple[list[tuple[Due, Envelope]], list[Settled]]:
    """The messages of a group, whose first intent is written `now`, and who is settled since there can be none."""
    messages: list[tuple[Due, Envelope]] = []
    settled: list[Settled] = []
    for due in picked.due:
        people = [picked.people.get(person_id) for person_id in due.people]
        named = [person for person in people if person is not None]
        if len(named) < len(people):
            # Of several in one message nobody is told: who is left out would count as told.
            settled.append(unsendable(due, Why.DAMAGED))
            continue
        try:
            envelope = compose(
                paper,
                named[0],
                others=named[1:],
                delivery_id=due.id,
                addressee=due.addressee,
                first_intent_at=due.first_intent_at or now,
                update_of=due.update_of,
            )
        except CannotBeAddressed:
            settled.append(unsendable(due, Why.BAD_ADDRESS))
            continue
        messages.append((due, envelope))
    return messages, settled


def _send_group(sending: _Sending, group: _Group) -> list[Settled]:
    outcomes: list[Outcome] = sending.post.room.send(
        [envelope for _, envelope in group.messages],
        may_go=partial(sending.lease.may_act, *brakes_of(sending.batch)),
        may_take=partial(_may_take, sending.store, group),
    )
    now = sending.post.clock()
    judged = [
        judge(due, outcome, now=now) for (due, _), outcome in zip(group.messages, outcomes, strict=True)
    ]
    return [*group.settled, *judged]


def _may_take(store: Store, group: _Group, relay: str, wanted: int) -> int:
    """How many more of a group a limited relay may be given: all, where they were paid for, or what its limit grants."""
    if relay == group.paid:
        return wanted
    try:
        with store.transaction() as session:
            return take_tokens(session, RELAY_LIMITS + relay, wanted).granted
    except TocsinError:
        return 0  # raised from here, it would take along what became of the rest of the group
