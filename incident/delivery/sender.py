"""Sending a batch: intent, messages, outcomes, in small groups; nobody lost, the bound of doubles known.

The outcome of one group and the intent of the next are one transaction. A worker that dies leaves at most one group
(`GROUP` messages) of each batch it has under way with intent and no outcome; those are sent again with the same bytes.

A group is as large as the limit of messages a second allows, which is taken in the transaction of its intent. Brakes
and holds are asked there too, and again before each message leaves, as is whether this worker may still act at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from sqlmodel import Session

from incident.delivery.following import decide_updates, others_of, retire, some_wait, updates_in
from incident.delivery.ledger import (
    Due,
    Settled,
    due_deliveries,
    judge,
    next_due_at,
    open_deliveries,
    take_over,
    unsendable,
    write_intent,
    write_outcomes,
)
from incident.delivery.mailroom import MailRoom
from incident.delivery.message import CannotBeAddressed, Stationery, compose, stationery
from incident.delivery.return_path import BounceMailbox
from incident.delivery.states import MAIL_LIMIT, SETTLE_JOB, CampaignState, Why, campaign_brake
from incident.delivery.waving import is_let_go, wake_the_waves
from incident.durable import Lease, braked, put_job, take_tokens
from incident.errors import NotFound, Unreadable
from incident.notice.release import version_by_id
from incident.record.holds import Cover, hold_brake, is_held
from incident.record.person import PersonRow, person_from_content
from incident.store.change import open_sealed
from incident.store.prepared import PreparedLookup
from incident.store.store import Store
from incident.store.tables import Batch, Campaign, Person
from notifiers.email.message import Envelope
from notifiers.outcome import Outcome

GROUP = 20
_LONGEST_WAIT = 1.0  # between two looks at the limit: a sign of life, and a look whether to stop
_SHORTEST_WAIT = 0.05
# Whoever lifts a brake makes every open job due at once; this is only for one that nobody lifts.
_UNDER_A_BRAKE = 3600.0
# Until what an earlier version has under way is settled: its worker does that within seconds, or another takes over.
_FOR_AN_EARLIER_VERSION = 2.0


def batches_at_once(connections: int) -> int:
    """How many batches are worth working on together: one a connection, and one more that writes meanwhile.

    A worker that dies leaves at most `GROUP` messages of each without an outcome.
    """
    return connections + 1


@dataclass(frozen=True)
class Post:
    """What sending needs from outside: the relay, the clock, and where bounces go; None: to the sender."""

    room: MailRoom
    clock: Callable[[], datetime]
    bounces: BounceMailbox | None = None


@dataclass(frozen=True)
class _Wait:
    """The limit of messages a second is used up for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class _Group:
    """A group whose intent is written, with the people it goes to; one whose record is damaged is not among them."""

    due: list[Due]
    people: Mapping[str, PersonRow]
    intent_at: datetime


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
        if campaign.state == CampaignState.REPLACED:
            _leave_to_the_later_version(session, lease, batch, now=post.clock())
            return
        if not is_let_go(session, batch):
            # Its wave puts the job again.
            lease.done(session)
            return
        if others_of(session, campaign.id, campaign.incident_id):
            decide_updates(session, campaign, batch_id)
        earlier = {
            notice_id: version_by_id(session, store, notice_id).frozen
            for notice_id in updates_in(session, batch_id)
        }
        version = version_by_id(session, store, campaign.notice_id)
    key = store.key(batch.incident_id)
    paper = stationery(version.frozen, key=key, earlier=earlier, bounces=post.bounces)
    settled: list[Settled] = []
    may_go = partial(lease.may_act, *_brakes_of(batch))
    while True:
        group = lease.insist(partial(_next_group, lease, store, batch, settled, post, key=key))
        if group is None:
            return
        settled = []
        if isinstance(group, _Wait):
            time.sleep(group.seconds)
        else:
            settled = _send_group(group, paper, post, may_go)


def _next_group(
    lease: Lease, store: Store, batch: Batch, settled: list[Settled], post: Post, *, key: bytes
) -> _Group | _Wait | None:
    """Write the last group's outcomes and the next group's intent; None when there is nothing to send now."""
    now = post.clock().astimezone(UTC)
    with store.transaction() as session:
        lease.fence(session, progress=bool(settled))
        write_outcomes(session, batch, settled, key=key, now=now)
        # The hold itself is asked besides its brake: it is what the journal keeps.
        if not lease.stopping and (
            braked(session, *_brakes_of(batch)) or is_held(session, batch.incident_id, Cover.PEOPLE)
        ):
            campaign = session.get(Campaign, batch.campaign_id)
            if campaign is not None and campaign.state == CampaignState.REPLACED:
                _leave_to_the_later_version(session, lease, batch, now=now)
            else:
                lease.again(session, after=_UNDER_A_BRAKE)
            return None
        due = [] if lease.stopping else due_deliveries(session, batch.id, now=now, limit=GROUP)
        if due:
            grant = take_tokens(session, MAIL_LIMIT, len(due))
            due = due[: grant.granted]
            if not due:
                return _Wait(min(max(grant.wait, _SHORTEST_WAIT), _LONGEST_WAIT))
            write_intent(
                session, due, incident_id=batch.incident_id, job_attempt=lease.claim.attempt, now=now
            )
            wanted = list({person_id for each in due for person_id in each.people})
            sealed = dict(_SEALED_PEOPLE.all(session.connection(), wanted))
        elif lease.stopping:
            lease.again(session)
            return None
        elif open_deliveries(session, batch.id):
            wake_the_waves(session, batch.campaign_id, batch.incident_id)
            lease.again(session, after=_until_next(session, batch, now=now))
            return None
        else:
            put_job(session, SETTLE_JOB, batch.campaign_id, incident_id=batch.incident_id)
            wake_the_waves(session, batch.campaign_id, batch.incident_id)
            lease.done(session)
            return None
    return _Group(due, _readable(sealed, key=key), now)


def _until_next(session: Session, batch: Batch, *, now: datetime) -> float:
    """Seconds until somebody of a batch may be due."""
    waits_until = next_due_at(session, batch.id)
    pause = max((waits_until - now).total_seconds(), 0.0) if waits_until else 0.0
    if not some_wait(session, batch.id):
        return pause
    return min(pause, _FOR_AN_EARLIER_VERSION) if waits_until else _FOR_AN_EARLIER_VERSION


def _leave_to_the_later_version(session: Session, lease: Lease, batch: Batch, *, now: datetime) -> None:
    """Nothing of this batch is with the relay: who was not told is told by the later version."""
    retire(session, batch.id, now=now)
    put_job(session, SETTLE_JOB, batch.campaign_id, incident_id=batch.incident_id)
    lease.done(session)


def _brakes_of(batch: Batch) -> tuple[str, str]:
    """The brakes besides the general one that stop a batch: of its notice, and of a hold over words to people."""
    return campaign_brake(batch.campaign_id), hold_brake(batch.incident_id, Cover.PEOPLE)


_SEALED_PEOPLE = PreparedLookup(Person, key="id", columns=("id", "sealed"))


def _readable(sealed: Mapping[str, bytes], *, key: bytes) -> dict[str, PersonRow]:
    people = {}
    for person_id, content in sealed.items():
        # One damaged record must not keep the others from being told.
        with suppress(Unreadable):
            people[person_id] = person_from_content(open_sealed(Person, person_id, content, key=key))
    return people


def _send_group(group: _Group, paper: Stationery, post: Post, may_go: Callable[[], bool]) -> list[Settled]:
    settled: list[Settled] = []
    sendable: list[tuple[Due, Envelope]] = []
    for due in group.due:
        people = [group.people.get(person_id) for person_id in due.people]
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
                first_intent_at=due.first_intent_at or group.intent_at,
                update_of=due.update_of,
            )
        except CannotBeAddressed:
            settled.append(unsendable(due, Why.BAD_ADDRESS))
            continue
        sendable.append((due, envelope))
    outcomes: list[Outcome] = post.room.send([envelope for _, envelope in sendable], may_go=may_go)
    now = post.clock()
    settled += [judge(due, outcome, now=now) for (due, _), outcome in zip(sendable, outcomes, strict=True)]
    return settled
