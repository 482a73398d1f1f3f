"""What a plan of a sending goes by: who can be told how, how fast the relay takes messages, and by when it must be.

Before a sending it is worked out from the list as the sending would do it; during one it is what is left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlmodel import Session, col, func, or_, select

from incident.delivery.forecast import CallCentre, Rate, RateSource
from incident.delivery.sharing import sharing_of
from incident.delivery.states import EMAIL, IN_PROGRESS, MAIL_LIMIT
from incident.delivery.status import campaigns_of
from incident.durable import rates
from incident.duties.evaluating import MET, stored_duties
from incident.law.clocks import Urgency
from incident.law.findings import STANDING
from incident.law.regimes import DutyKind
from incident.record.person import PersonRow, person_from_content
from incident.settings import Plan, Settings
from incident.store.change import open_sealed
from incident.store.store import Store
from incident.store.tables import Attempt, Batch, Campaign, Delivery, Person
from notifiers.outcome import Result

_FETCHED = 1000
_MEASURED_FROM = 100  # messages: fewer say little of how fast a relay is
_LOOKED_BACK = 5  # campaigns


@dataclass(frozen=True)
class Reach:
    """How the people of a list can be told. `listed` is the sum of the six groups below it.

    `by_email`: over their own address, or over that of the guardian of a minor. `by_sms` and `by_letter` are those without
    one, by the first of these that is at hand. `by_hand`: the list says how to contact them safely, or no words are
    for organisations. `by_nothing` can be told by the public notice alone; `deceased` are not written to.

    `messages` are the e-mails: fewer where people share one, more where a minor has an address besides the guardian's.
    `segments` are those of the SMS.
    """

    listed: int
    by_email: int
    by_sms: int
    by_letter: int
    by_hand: int
    by_nothing: int
    deceased: int
    messages: int
    segments: int


Segments = Callable[[str, PersonRow], int]
"""How many segments the SMS about a person has, addressed to this name."""


def reach_of_list(
    session: Session,
    store: Store,
    incident_id: str,
    *,
    segments: Segments,
    organisations_told: bool,
    leak_ended_on: date | None,
) -> Reach:
    """Count the list as a sending would go over it. Only those of whom the columns say too little are unsealed.

    A number that came to somebody after the leak is none to tell them over. Raises `KeyDestroyed` or `KeyMissing` where
    somebody must be unsealed.
    """
    mine = col(Person.incident_id) == incident_id

    def count(*conditions: sa.ColumnElement[bool]) -> int:
        return session.exec(select(func.count()).select_from(Person).where(mine, *conditions)).one()

    listed, deceased = count(), count(col(Person.deceased).is_(True))
    written_to = [col(Person.deceased).is_(False), col(Person.safe_contact).is_(False)]
    if not organisations_told:
        written_to.append(col(Person.organisation).is_(False))
    by_hand = listed - deceased - count(*written_to)
    guarded = col(Person.minor).is_(True) & col(Person.guardian_reachable).is_(True)
    plainly = count(*written_to, col(Person.has_email).is_(True), ~guarded)
    ways: Counter[str] = Counter()
    looked_at = session.connection().execute(
        sa.select(col(Person.id), col(Person.sealed), guarded.label("guarded"))
        .where(mine, *written_to, or_(col(Person.has_email).is_(False), guarded))
        .order_by(col(Person.id))
        .execution_options(yield_per=_FETCHED)
    )
    key = None
    for person_id, sealed, by_guardian in looked_at:
        key = key or store.key(incident_id)
        person = person_from_content(open_sealed(Person, person_id, sealed, key=key))
        number_is_theirs = not person.has_recycled_number(leak_ended_on)
        ways += _ways(person, by_guardian=bool(by_guardian), numbered=number_is_theirs, segments=segments)
    shared = _shared(session, store, incident_id) if listed else 0
    by_email = plainly + ways["email"]
    reached = by_email + ways["sms"] + ways["letter"]
    return Reach(
        listed=listed,
        by_email=by_email,
        by_sms=ways["sms"],
        by_letter=ways["letter"],
        by_hand=by_hand,
        by_nothing=listed - deceased - by_hand - reached,
        deceased=deceased,
        messages=plainly + ways["messages"] - shared,
        segments=ways["segments"],
    )


def _ways(person: PersonRow, *, by_guardian: bool, numbered: bool, segments: Segments) -> Counter[str]:
    """The first way at hand in which one person is told, and what it takes."""
    own = person.contact.email
    to = person.guardian if by_guardian else person.contact
    if guardians := person.guardian.email if by_guardian else "":
        besides = bool(own) and own.casefold() != guardians.casefold()
        return Counter(email=1, messages=1 + besides)
    if own:
        return Counter(email=1, messages=1)
    if to.phone and (by_guardian or numbered):
        return Counter(sms=1, segments=segments(to.name, person))
    return Counter(letter=1) if person.address else Counter()


def _shared(session: Session, store: Store, incident_id: str) -> int:
    """How many messages fewer there are because people share one."""
    sharing = sharing_of(session, incident_id, key=store.key(incident_id))
    return sum(len(members) - 1 for groups in sharing.groups.values() for members in set(groups.values()))


@dataclass(frozen=True)
class Left:
    """What is left of a sending that has begun: people and messages that are still in progress."""

    people: int
    messages: int


def left_to_send(session: Session, incident_id: str) -> Left | None:
    """What is left of the newest sending; None as long as there is none."""
    campaign = next(iter(campaigns_of(session, incident_id)), None)
    if campaign is None:
        return None
    people = session.exec(
        select(func.coalesce(func.sum(Batch.pending), 0)).where(Batch.campaign_id == campaign.id)
    ).one()
    messages = session.exec(
        select(func.count())
        .select_from(Delivery)
        .join(Batch, col(Batch.id) == col(Delivery.batch_id))
        .where(
            Batch.campaign_id == campaign.id,
            col(Delivery.state).in_(IN_PROGRESS),
            col(Delivery.leader_id).is_(None),
        )
    ).one()
    return Left(people, messages)


def known_rates(session: Session, settings: Settings) -> list[Rate]:
    """Messages a second: the limits over all workers, of all mail and of the first relay, and what was bought.

    Where nobody said what was bought, it is what an earlier sending came to: a limit or a pause made that one slower
    than the relay is.
    """
    found = [
        Rate(bucket.per_second, RateSource.LIMIT) for bucket in rates(session) if bucket.name == MAIL_LIMIT
    ]
    if settings.mail.per_second is not None:
        found.append(Rate(settings.mail.per_second, RateSource.LIMIT))
    if settings.plan.mail_per_second is not None:
        return [*found, Rate(settings.plan.mail_per_second, RateSource.CONTRACT)]
    measured = measured_rate(session)
    return found if measured is None else [*found, Rate(measured, RateSource.MEASURED)]


def measured_rate(session: Session) -> float | None:
    """Messages that the relay took in a second while the newest sending of some size was under way; None without one.

    Each batch counts from its first intent to its last first outcome, and time in which several were under way counts
    once. A pause within a batch makes it slower than it was.
    """
    newest = select(Campaign.id).order_by(col(Campaign.opened_at).desc()).limit(_LOOKED_BACK)
    for campaign_id in session.exec(newest):
        rows = session.connection().execute(_SPANS, {"campaign": campaign_id})
        spans = [_Span(begun, ended, many) for begun, ended, many in rows if ended is not None]
        taken = sum(span.messages for span in spans)
        seconds = _covered(spans).total_seconds()
        if taken >= _MEASURED_FROM and seconds > 0:
            return taken / seconds
    return None


class _Span(NamedTuple):
    """When a batch was under way, and how many messages of it the relay took at once."""

    begun: datetime
    ended: datetime
    messages: int


_SPANS = (
    sa.select(
        func.min(col(Attempt.intent_at)),
        func.max(col(Attempt.outcome_at)),
        func.count(),
    )
    .join(Delivery, col(Delivery.id) == col(Attempt.delivery_id))
    .join(Batch, col(Batch.id) == col(Delivery.batch_id))
    .where(
        col(Batch.campaign_id) == sa.bindparam("campaign"),
        col(Attempt.n) == 1,
        col(Attempt.channel) == EMAIL,
        col(Attempt.result) == Result.accepted,
    )
    .group_by(col(Batch.id))
)


def _covered(spans: Iterable[_Span]) -> timedelta:
    """The time that is in at least one of the spans."""
    total, until = timedelta(0), None
    for span in sorted(spans):
        start = span.begun if until is None else max(span.begun, until)
        if span.ended > start:
            total += span.ended - start
            until = span.ended
    return total


@dataclass(frozen=True)
class Deadline:
    """By when people must be told. `own`: the law names no hours, and this is the workspace's own target."""

    at: datetime
    duty: str
    own: bool
    assumed: bool


def deadline_to_tell_people(
    session: Session, incident_id: str, settings: Settings, *, by_law: bool = False, met_too: bool = False
) -> Deadline | None:
    """The earliest end of a standing duty to tell people, or target of our own where its law names no hours.

    With `by_law` targets of our own do not count. `met_too`: also of one that counts as met, since those whom the notice
    did not reach are still to be told.
    """
    counting = {*STANDING, MET} if met_too else STANDING
    targets = {
        Urgency.immediately: settings.targets.immediately_hours,
        Urgency.promptly: settings.targets.promptly_hours,
    }
    found = []
    for row in stored_duties(session, incident_id):
        if row.kind != DutyKind.notify_people or row.state not in counting:
            continue
        if row.due_at is not None:
            found.append(Deadline(row.due_at, row.duty_id, own=False, assumed=row.assumed))
        elif not by_law and row.anchor_at is not None and row.urgency in targets:
            target = row.anchor_at + timedelta(hours=targets[Urgency(row.urgency)])
            found.append(Deadline(target, row.duty_id, own=True, assumed=row.assumed))
    return min(found, key=lambda each: (each.at, each.duty), default=None)


def call_centre_of(plan: Plan) -> CallCentre | None:
    """The call centre as the settings have it; None where they do not say how many answer, or how many will call."""
    if plan.seats is None or plan.callers_percent is None:
        return None
    return CallCentre(plan.seats, plan.minutes_per_call, plan.hours_a_day, plan.callers_percent / 100)
