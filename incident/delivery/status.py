"""The account of everyone: expected = handed over + in progress + unreachable with a reason, at any moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, func, or_, select

from incident.delivery.codes import code_mac, read_code
from incident.delivery.let_go import on_a_call_list
from incident.delivery.states import (
    BATCH_JOB,
    CHANNELS,
    DOMAIN_LIMITS,
    EMAIL,
    IN_PROGRESS,
    PHONE,
    SMS,
    Addressee,
    CampaignState,
    DeliveryState,
    Failed,
    Why,
    campaign_brake,
    failed_before,
)
from incident.durable import JobState, braked, levels
from incident.errors import BadInput, Unreadable
from incident.record.holds import Cover, hold_brake
from incident.store.change import open_row
from incident.store.store import Store
from incident.store.tables import (
    Attempt,
    Batch,
    Brake,
    CallList,
    Campaign,
    Delivery,
    Job,
    MessagePart,
    Notice,
    Person,
    PublicNotice,
    Receipt,
)
from notifiers.outcome import Result

_FETCHED = 500
CALLS = "calls."
"""How the peer of whatever places calls by machine begins, where one carrier has SMS too."""
_COUNTERS = ("pending", "accepted", "delivered", "returned", "complaints", "moved_on")


@dataclass(frozen=True)
class Account:
    """Where everybody stands. `accepted` is the rank reached: the relay, or the carrier of SMS, took charge of the message, or
    somebody was told on the phone.

    Of the accepted, `delivered` is who has it by a receipt. `returned` messages came back after they were accepted.
    `accepted_by` and `unreached` count by the means that tells people now; who went on to it after another had failed is
    in `moved_on`, wherever they stand. Of a sending by e-mail alone `accepted_by` has no other means.

    `on_call_lists` are those in progress whom the call centre is to call. `updates` are the messages to whom an earlier version had reached, or may have. Of `unreachable`, those of `REPLACED`
    are told by a later version. `minors_without_guardian` are minors for whom no message goes to a guardian: a list for
    people to work on.
    """

    campaign_id: str
    incident_id: str
    state: str
    paused: Brake | None
    opened_at: datetime
    ended_at: datetime | None
    expected: int
    accepted: int
    accepted_by: Mapping[str, int]
    in_progress: int
    unreached: Mapping[tuple[str, Why], int]
    moved_on: int
    waiting_until: datetime | None
    minors_without_guardian: int
    doubled_at_most: int
    updates: int
    delivered: int
    returned: int
    complaints: int
    public_pages: tuple[PublicNotice, ...]
    on_call_lists: int = 0

    @property
    def unreachable(self) -> Mapping[Why, int]:
        """Who was not reached, by the reason, over all means."""
        found: Counter[Why] = Counter()
        for (_, why), count in self.unreached.items():
            found[why] += count
        return dict(sorted(found.items()))

    @property
    def unreachable_total(self) -> int:
        return sum(self.unreached.values())

    @property
    def adds_up(self) -> bool:
        """The sum that must always hold."""
        return self.expected == self.accepted + self.in_progress + self.unreachable_total


def campaigns_of(session: Session, incident_id: str) -> list[Campaign]:
    """The campaigns of an incident, the newest first."""
    found = session.exec(
        select(Campaign)
        .where(Campaign.incident_id == incident_id)
        .order_by(col(Campaign.opened_at).desc(), col(Campaign.id))
    )
    return list(found.all())


def account(session: Session, campaign: Campaign) -> Account:
    """The account of one campaign, from its batches' counters; reasons from the rows."""
    mine = col(Batch.campaign_id) == campaign.id
    sums = [func.coalesce(func.sum(col(getattr(Batch, name))), 0) for name in _COUNTERS]
    counted = dict(zip(_COUNTERS, session.execute(sa.select(*sums).where(mine)).one(), strict=True))
    batches = select(Batch.id).where(mine)
    reasons = session.exec(
        select(Delivery.channel, Delivery.reason, func.count())
        .where(
            # The counters say where to look: a long list is not read whole for the few who are meant.
            col(Delivery.batch_id).in_(batches.where(Batch.unreachable > 0)),
            col(Delivery.principal).is_(True),
            Delivery.state == DeliveryState.UNREACHABLE,
        )
        .group_by(Delivery.channel, Delivery.reason)
    ).all()
    waiting = session.exec(
        select(func.min(Delivery.next_at)).where(
            col(Delivery.batch_id).in_(batches.where(Batch.pending > 0)),
            col(Delivery.state).in_(IN_PROGRESS),
        )
    ).one()
    doubled = session.exec(
        select(func.count())
        .select_from(Attempt)
        .join(Delivery, col(Delivery.id) == col(Attempt.delivery_id))
        .where(
            col(Delivery.batch_id).in_(batches),
            Attempt.result == Result.ambiguous,
            Attempt.channel != PHONE,  # nobody is called a second time
        )
    ).one()
    minors = session.exec(
        select(func.count())
        .select_from(Person)
        .where(Person.incident_id == campaign.incident_id, col(Person.minor).is_(True))
    ).one()
    guarded = _count(session, batches, Delivery.addressee == Addressee.GUARDIAN) if minors else 0
    is_alone = len(campaigns_of(session, campaign.incident_id)) == 1
    updates = 0 if is_alone else _count(session, batches, col(Delivery.update_of).is_not(None))
    pages = session.exec(select(PublicNotice).where(PublicNotice.notice_id == campaign.notice_id)).all()
    return Account(
        campaign_id=campaign.id,
        incident_id=campaign.incident_id,
        paused=session.get(Brake, campaign_brake(campaign.id)),
        state=campaign.state,
        opened_at=campaign.opened_at,
        ended_at=campaign.ended_at,
        expected=campaign.expected,
        accepted=counted["accepted"],
        accepted_by=_accepted_by(session, campaign.id, counted["accepted"]),
        in_progress=counted["pending"],
        unreached={(channel, Why(reason)): count for channel, reason, count in sorted(reasons)},
        moved_on=counted["moved_on"],
        waiting_until=waiting,
        minors_without_guardian=minors - guarded,
        doubled_at_most=doubled,
        updates=updates,
        delivered=counted["delivered"],
        returned=counted["returned"],
        complaints=counted["complaints"],
        public_pages=tuple(pages),
        on_call_lists=_on_call_lists(session, campaign.id, batches) if counted["pending"] else 0,
    )


def _on_call_lists(session: Session, campaign_id: str, batches: Any) -> int:
    is_open = (col(CallList.campaign_id) == campaign_id) & col(CallList.closed_at).is_(None)
    if session.exec(select(CallList.id).where(is_open).limit(1)).first() is None:
        return 0
    called = (col(Delivery.state) == DeliveryState.SENDING) & (col(Delivery.channel) == PHONE)
    wanted = col(Delivery.principal).is_(True) & called & on_a_call_list()
    return _count(session, batches.where(Batch.pending > 0), wanted)


def means_used(session: Session, campaign_id: str) -> list[str]:
    """The means by which people of a campaign are told, or were, in the order of `CHANNELS`."""
    batches = select(Batch.id).where(Batch.campaign_id == campaign_id)
    incident_id = select(Campaign.incident_id).where(Campaign.id == campaign_id).scalar_subquery()
    found = {EMAIL}
    # What settled is on record beside the deliveries, or stands in a batch with somebody unreachable: no long list is
    # read whole. Parts are of SMS, and of calls by machine.
    parts = (
        select(MessagePart.delivery_id)
        .join(Delivery, col(Delivery.id) == col(MessagePart.delivery_id))
        .where(col(Delivery.batch_id).in_(batches), MessagePart.incident_id == incident_id)
    )
    by_machine = col(MessagePart.centre).startswith(CALLS)
    rows = select(Delivery.id).where(
        col(Delivery.batch_id).in_(batches.where(or_(Batch.pending > 0, Batch.unreachable > 0)))
    )
    looks = {
        SMS: [parts.where(~by_machine)],
        PHONE: [select(CallList.id).where(CallList.campaign_id == campaign_id), parts.where(by_machine)],
    }
    for channel, beside in looks.items():
        asked = [*beside, rows.where(Delivery.channel == channel)]
        if any(session.exec(each.limit(1)).first() is not None for each in asked):
            found.add(channel)
    return [channel for channel in CHANNELS if channel in found]


def _accepted_by(session: Session, campaign_id: str, accepted: int) -> dict[str, int]:
    used = means_used(session, campaign_id)
    batches = select(Batch.id).where(Batch.campaign_id == campaign_id, Batch.accepted > 0)
    others = {
        channel: _count(
            session,
            batches,
            col(Delivery.principal).is_(True)
            & (col(Delivery.state) == DeliveryState.ACCEPTED)
            & (col(Delivery.channel) == channel),
        )
        for channel in used
        if channel != EMAIL
    }
    return {EMAIL: accepted - sum(others.values()), **others}


def _count(session: Session, batches: Any, condition: Any) -> int:
    statement = select(func.count()).where(col(Delivery.batch_id).in_(batches), condition)
    return session.exec(statement).one()


def progress(session: Session, campaign_id: str) -> tuple[int, int]:
    """How many people are settled, and how many are expected: for a progress bar."""
    settled = session.exec(
        select(func.coalesce(func.sum(Batch.accepted + Batch.unreachable), 0)).where(
            Batch.campaign_id == campaign_id
        )
    ).one()
    campaign = session.get(Campaign, campaign_id)
    return settled, campaign.expected if campaign else 0


def some_wait_for_a_limit(session: Session, incident_id: str, *, now: datetime) -> bool:
    """Whether people of an incident could be told now but for a limit of their domain, while their batch sleeps."""
    if not any(name.startswith(DOMAIN_LIMITS) for name in levels(session)):
        return False
    campaigns = [
        each.id
        for each in campaigns_of(session, incident_id)
        if each.state == CampaignState.SENDING
        and not braked(session, campaign_brake(each.id), hold_brake(incident_id, Cover.PEOPLE))
    ]
    due = (
        select(Delivery.id)
        .join(Batch, col(Batch.id) == col(Delivery.batch_id))
        .join(Job, (col(Job.key) == col(Batch.id)) & (col(Job.kind) == BATCH_JOB))
        .where(
            col(Batch.campaign_id).in_(campaigns),
            Job.state == JobState.OPEN,
            Delivery.state == DeliveryState.PENDING,
            col(Delivery.waits).is_(False),
            or_(col(Delivery.next_at).is_(None), col(Delivery.next_at) <= now),
        )
        .limit(1)
    )
    return bool(campaigns) and session.exec(due).first() is not None


@dataclass(frozen=True)
class DeliveryLine:
    """One delivery for a list: the person's own reference is shown only to those who ask for it.

    Code (of the reply), status (the enhanced code, RFC 3463) and words are the last that came: of an attempt, or of a
    receipt after it, which has no reply.

    `version` is the notice's; `update` says whether it goes to somebody whom an earlier version had reached. `failed` are
    the means before the present one, the first means first.
    """

    version: int
    update: bool
    reference: str
    addressee: str
    channel: str
    state: str
    reason: str
    attempts: int
    last_code: int | None
    last_status: str
    last_words: str
    failed: tuple[Failed, ...] = ()


def deliveries(store: Store, incident_id: str, *, unreached: bool) -> Iterator[DeliveryLine]:
    """Every delivery of an incident's campaigns, with the other side's last words. Shows personal data.

    `unreached`: only those whom the newest campaign could not reach; it goes to everyone on the list.
    """
    key = store.key(incident_id)
    with store.read() as session:
        wanted = of_newest(session, incident_id, UNREACHABLE) if unreached else sa.true()
        for listed in listed_deliveries(session, incident_id, wanted, key=key):
            yield listed.line


@dataclass(frozen=True)
class ListedDelivery:
    """A delivery with its person and its line of a list."""

    delivery: Delivery
    person: Person | None
    line: DeliveryLine


UNREACHABLE = col(Delivery.state) == DeliveryState.UNREACHABLE


def of_newest(
    session: Session, incident_id: str, condition: sa.ColumnElement[bool]
) -> sa.ColumnElement[bool]:
    """The condition, for deliveries of the newest campaign alone."""
    newest = [campaign.id for campaign in campaigns_of(session, incident_id)][:1]
    return condition & col(Campaign.id).in_(newest)


def listed_deliveries(
    session: Session, incident_id: str, wanted: sa.ColumnElement[bool], *, key: bytes
) -> Iterator[ListedDelivery]:
    """The deliveries that meet a condition, in their order. Of a record that does not open the reference is empty."""
    statement = (
        select(Delivery, Notice.version)
        .join(Batch, col(Batch.id) == col(Delivery.batch_id))
        .join(Campaign, col(Campaign.id) == col(Batch.campaign_id))
        .join(Notice, col(Notice.id) == col(Campaign.notice_id))
        .where(Delivery.incident_id == incident_id, wanted)
        .order_by(col(Delivery.id))
    )
    for row, version in session.exec(statement.execution_options(yield_per=_FETCHED)):
        person = session.get(Person, row.person_id)
        code, status, words = _last_said(session, row, key=key)
        line = DeliveryLine(
            version=version,
            update=row.update_of is not None,
            reference=_reference(person, key=key),
            addressee=row.addressee,
            channel=row.channel,
            state=row.state,
            reason=row.reason,
            attempts=row.attempts,
            last_code=code,
            last_status=status,
            last_words=words,
            failed=failed_before(row.tried_before),
        )
        yield ListedDelivery(row, person, line)


def _reference(person: Person | None, *, key: bytes) -> str:
    try:
        return str(open_row(person, key=key)["reference"]) if person else ""
    except Unreadable:
        return ""


def _last_said(session: Session, row: Delivery, *, key: bytes) -> tuple[int | None, str, str]:
    """The other side's last code, status and words about a delivery: of a receipt, where one counts."""
    leading = row.leader_id or row.id
    if row.rank:
        receipt = session.exec(
            select(Receipt)
            .where(Receipt.delivery_id == leading, Receipt.rank == row.rank)
            .order_by(col(Receipt.taken_at).desc(), col(Receipt.id))
        ).first()
        if receipt is not None:
            return None, receipt.status or "", open_row(receipt, key=key).get("text", "")
    last = session.get(Attempt, (leading, row.attempts)) if row.attempts else None
    if last is None:
        return None, "", ""
    return last.code, last.enhanced or "", open_row(last, key=key)["text"] if last.sealed else ""


@dataclass(frozen=True)
class CodeAnswer:
    """What a call centre may say of a code: that a notice went out, when and how; nothing of the person.

    `channel` is the means that tells them now; the code is the same over all means. `sent` says when each was first tried.
    """

    incident_id: str
    channel: str
    state: str
    sent_at: datetime | None
    sent: Mapping[str, datetime]


def check_code(store: Store, incident_id: str, text: str) -> CodeAnswer | None:
    """The answer to a verification code; None when no notice of this incident carries it. Raises `BadInput`."""
    code = read_code(text)
    if code is None:
        raise BadInput(
            "this is no verification code",
            next_step="a code has 11 letters and digits in three groups; ask the caller to read it again",
        )
    with store.read() as session:
        row = session.exec(
            select(Delivery).where(
                Delivery.incident_id == incident_id,
                Delivery.code_mac == code_mac(store.key(incident_id), code),
            )
        ).first()
        if row is None:
            return None
        tried = session.exec(
            select(Attempt.channel, func.min(Attempt.intent_at))
            .where(Attempt.delivery_id == (row.leader_id or row.id))
            .group_by(Attempt.channel)
        ).all()
    sent = dict(sorted(tried, key=itemgetter(1)))
    return CodeAnswer(incident_id, row.channel, row.state, min(sent.values(), default=None), sent)
