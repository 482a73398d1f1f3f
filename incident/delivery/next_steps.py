"""What comes next for those whom the newest notice did not reach: the list and the ledger put into plans.

Nothing of it is stored. Whoever is listed is unsealed one after the other; the sums hold nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, func, select

from incident.delivery.fallback import (
    NUMBERED,
    Case,
    Ground,
    PersonPlan,
    Tried,
    Urgency,
    Way,
    plan_of,
    urgency_of,
)
from incident.delivery.planning import Deadline, deadline_to_tell_people
from incident.delivery.promises import must_keep_promises
from incident.delivery.states import NEVER_TRIED, DeliveryState, Why
from incident.delivery.status import UNREACHABLE, DeliveryLine, campaigns_of, listed_deliveries, of_newest
from incident.delivery.substitute import Substitute, substitutes, with_count
from incident.duties.evaluating import MET, Rules, findings_for, stored_duties
from incident.errors import Refused, Unreadable
from incident.law.findings import STANDING
from incident.law.regimes import DutyKind
from incident.record.dossier import dossier_in
from incident.record.people_stats import leak_end
from incident.record.person import PersonRow, person_from_content
from incident.settings import Plan, Settings
from incident.store.change import open_row
from incident.store.store import Store
from incident.store.tables import Batch, Delivery, DutyRow, FactRow, Person, PublicNotice

CONTROLLED = "channels_compromised"
"""The fact that names the ways of contact an attacker may control."""
_TAKES_THE_NUMBER = "sim_credentials"
"""The kind of data with which somebody else receives what goes to a person's number (law/categories.yaml)."""
_FETCHED = 500


@dataclass(frozen=True)
class Planned:
    """A person's plan, with the contact of its next step in clear: an address or numbers, empty where it needs none."""

    plan: PersonPlan
    contact: str = ""
    to_guardian: bool = False

    @property
    def way(self) -> Way | None:
        """The means of the next step; None once the person was told."""
        return self.plan.next.way if self.plan.next else None


@dataclass(frozen=True)
class Planner:
    """Plans for the people of one campaign. Build it with `planner_for`.

    `exposed`: somebody who took the data can receive what goes to the people's numbers, where a person's own kinds of
    data are not listed.
    """

    ground: Ground
    deadline: Deadline | None
    campaign_id: str
    leak_ended_on: date | None
    exposed: bool
    key: bytes

    def planned(self, session: Session, delivery: Delivery, person: Person | None) -> Planned:
        """The plan of the person of a delivery. A record that does not open has no contacts."""
        told_by = delivery if delivery.principal else _principal(session, delivery)
        if person is None or (person.deceased or person.safe_contact):
            return Planned(plan_of(Case(tried=_tried(told_by), apart=_apart(told_by, person)), self.ground))
        try:
            row = person_from_content(open_row(person, key=self.key))
        except Unreadable:
            return Planned(plan_of(Case(tried=_tried(told_by)), self.ground))
        at_hand = _contacts(person, row)
        plan = plan_of(self._case(told_by, person, row, at_hand), self.ground)
        way = plan.next.way if plan.next else None
        contact = at_hand.get(way) if way else None
        return Planned(plan, *(contact or ()))

    def _case(
        self, delivery: Delivery, person: Person, row: PersonRow, at_hand: Mapping[Way, tuple[str, bool]]
    ) -> Case:
        numbers = frozenset(way for way in at_hand if way in NUMBERED)
        own = frozenset(way for way in numbers if not at_hand[way][1])
        exposed = _TAKES_THE_NUMBER in row.categories if row.categories else self.exposed
        return Case(
            contacts=frozenset(at_hand),
            tried=_tried(delivery),
            apart=_apart(delivery, person),
            not_theirs=own if row.has_recycled_number(self.leak_ended_on) else frozenset(),
            suppressed=frozenset({Way.EMAIL}) if delivery.reason == Why.SUPPRESSED else frozenset(),
            controlled=numbers if exposed else frozenset(),
        )


def _tried(delivery: Delivery) -> tuple[Tried, ...]:
    state, why = DeliveryState(delivery.state), Why(delivery.reason)
    if state is DeliveryState.UNREACHABLE and (why in NEVER_TRIED or why is Why.DAMAGED):
        return ()
    return (Tried(Way(delivery.channel), state, why),)


def _apart(delivery: Delivery, person: Person | None) -> Why:
    """Why no message is made for somebody, as the list has it now."""
    if person is not None and person.deceased:
        return Why.DECEASED
    if person is not None and person.safe_contact:
        return Why.SAFE_CONTACT
    return Why.ORGANISATION if delivery.reason == Why.ORGANISATION else Why.NONE


def _contacts(person: Person, row: PersonRow) -> dict[Way, tuple[str, bool]]:
    """The contact of each means, and whether it is the guardian's: whoever answers for a minor is told first."""
    guardian = row.guardian if person.minor else None
    found: dict[Way, tuple[str, bool]] = {}
    if guardian and guardian.email:
        found[Way.EMAIL] = guardian.email, True
    elif row.contact.email:
        found[Way.EMAIL] = row.contact.email, False
    if guardian and guardian.phone:
        found |= dict.fromkeys(NUMBERED, (guardian.phone, True))
    elif row.phones:
        found |= dict.fromkeys(NUMBERED, (", ".join(row.phones), False))
    if row.push_tokens:
        found[Way.PUSH] = "", False
    if row.address:
        found[Way.LETTER] = ", ".join(row.address), bool(guardian and guardian.name)
    return found


def _principal(session: Session, delivery: Delivery) -> Delivery:
    """The delivery by which the person of another one is counted, in the same campaign: the guardian's."""
    found = session.exec(
        select(Delivery).where(
            Delivery.batch_id == delivery.batch_id,
            Delivery.person_id == delivery.person_id,
            col(Delivery.principal).is_(True),
        )
    ).first()
    return found or delivery


# -- what holds for everybody ------------------------------------------------------------------------------


def planner_for(
    session: Session, store: Store, settings: Settings, incident_id: str, *, now: datetime
) -> Planner | None:
    """The plans of the newest campaign; None as long as there is none. Raises `KeyDestroyed` or `KeyMissing`."""
    campaign = next(iter(campaigns_of(session, incident_id)), None)
    if campaign is None:
        return None
    deadline = deadline_to_tell_people(session, incident_id, settings, met_too=True)
    kinds = _stated(session, store, incident_id, "data_categories")
    ground = Ground(
        now=now,
        order=tuple(Way(means) for means in settings.fallback.means),
        deadline=deadline.at if deadline else None,
        takes=times_needed(settings.plan, _count_unreached(session, campaign.id)),
        lawful=_lawful(session, store, incident_id),
        promised_away=_promised_away(settings),
        controlled=frozenset(Way(name) for name in _stated(session, store, incident_id, CONTROLLED)),
        public_since=public_since(session, incident_id),
    )
    return Planner(
        ground=ground,
        deadline=deadline,
        campaign_id=campaign.id,
        leak_ended_on=leak_end(session, store, incident_id, zone=settings.zone),
        exposed=_TAKES_THE_NUMBER in kinds,
        key=store.key(incident_id),
    )


def times_needed(plan: Plan, people: int) -> dict[Way, timedelta]:
    """How long each means takes for so many people, where the settings say how much is done in a time.

    It is reckoned as if all of them went this way, and an SMS as one segment.
    """
    found: dict[Way, timedelta] = {}
    if plan.letters_per_day:
        found[Way.LETTER] = timedelta(days=people / plan.letters_per_day)
    if plan.seats:
        found[Way.PHONE] = timedelta(
            days=people / (plan.seats * plan.hours_a_day * 60 / plan.minutes_per_call)
        )
    if plan.sms_per_second:
        found[Way.SMS] = timedelta(seconds=people / plan.sms_per_second)
    return found


def public_since(session: Session, incident_id: str) -> datetime | None:
    """Since when there has been a public notice of an incident."""
    published = select(func.min(PublicNotice.published_at)).where(PublicNotice.incident_id == incident_id)
    return session.exec(published).one()


def _count_unreached(session: Session, campaign_id: str) -> int:
    total = select(func.coalesce(func.sum(Batch.unreachable), 0)).where(Batch.campaign_id == campaign_id)
    return session.exec(total).one()


def _lawful(session: Session, store: Store, incident_id: str) -> frozenset[Way] | None:
    """The means that some law on telling people names; None where one of these laws leaves the means open."""
    named: set[Way] = set()
    for row in _on_people(session, incident_id):
        channels = store.open(row, incident_id=incident_id)["channels"]
        if not channels:
            return None
        named |= {Way(channel) for channel in channels if channel in set(Way)}
    return frozenset(named) or None


def _on_people(session: Session, incident_id: str) -> list[DutyRow]:
    """The duties to tell people that are owed, or were met: those who were not reached are still to be told."""
    return [
        row
        for row in stored_duties(session, incident_id)
        if row.kind == DutyKind.notify_people and row.state in {*STANDING, MET}
    ]


def _promised_away(settings: Settings) -> frozenset[Way]:
    """Only e-mail leaves over a processor that is declared here."""
    try:
        must_keep_promises(settings)
    except Refused:
        return frozenset({Way.EMAIL})
    return frozenset()


def _stated(session: Session, store: Store, incident_id: str, name: str) -> tuple[str, ...]:
    """The words that the record has for a field now."""
    row = session.exec(
        select(FactRow)
        .where(FactRow.incident_id == incident_id, FactRow.field == name)
        .order_by(col(FactRow.seq).desc())
    ).first()
    value = open_row(row, key=store.key(incident_id))["value"] if row else None
    return tuple(value) if isinstance(value, list) else ()


# -- everybody who was not reached -------------------------------------------------------------------------


@dataclass(frozen=True)
class NextSteps:
    """How many people go which way next, and until when. `told_in_vain`: accepted over a means an attacker may control.

    `urgencies`: how each means stands to the deadline.
    """

    ways: Mapping[Way, int]
    urgencies: Mapping[Way, Urgency]
    deadline: Deadline | None
    public_since: datetime | None
    told_in_vain: int

    @property
    def people(self) -> int:
        return sum(self.ways.values())

    @property
    def public_only(self) -> int:
        """Whom no means at hand can reach."""
        return self.ways.get(Way.PUBLIC_NOTICE, 0)


def next_steps(
    session: Session, store: Store, settings: Settings, incident_id: str, *, now: datetime
) -> NextSteps | None:
    """Count what comes next for those whom the newest campaign did not reach; None without a campaign."""
    planner = planner_for(session, store, settings, incident_id, now=now)
    if planner is None:
        return None
    ways: Counter[Way] = Counter()
    in_vain = 0
    for delivery, person in _unreached_people(session, planner):
        in_vain += delivery.state == DeliveryState.ACCEPTED
        way = planner.planned(session, delivery, person).way
        if way is not None:
            ways[way] += 1
    return NextSteps(
        ways=dict(ways.most_common()),
        urgencies={way: urgency_of(way, planner.ground) for way in ways if way is not Way.NOTHING},
        deadline=planner.deadline,
        public_since=planner.ground.public_since,
        told_in_vain=in_vain,
    )


def _unreached_people(session: Session, planner: Planner) -> Iterator[tuple[Delivery, Person | None]]:
    statement = (
        select(Delivery, Person)
        .join(Batch, col(Batch.id) == col(Delivery.batch_id))
        .outerjoin(Person, col(Person.id) == col(Delivery.person_id))
        .where(
            Batch.campaign_id == planner.campaign_id,
            col(Delivery.principal).is_(True),
            _not_told(planner.ground.controlled),
        )
        .order_by(col(Delivery.id))
    )
    yield from session.exec(statement.execution_options(yield_per=_FETCHED))


def public_notice_instead(
    session: Session,
    store: Store,
    settings: Settings,
    rules: Rules,
    incident_id: str,
    steps: NextSteps,
    *,
    now: datetime,
) -> tuple[Substitute, ...]:
    """What each law in scope says of a public notice instead, as the record stands and with the ledger's count."""
    dossier = dossier_in(session, store, incident_id)
    stated, counted = (
        findings_for(sheet, settings, rules, now=now, orders=dossier.instructions, met=dossier.met)
        for sheet in (dossier.sheet, with_count(dossier.sheet, steps.public_only))
    )
    since = steps.public_since
    return substitutes(
        stated,
        counted,
        open_duties=[row.duty_id for row in _on_people(session, incident_id)],
        public_since=since.astimezone(settings.zone).date() if since else None,
    )


@dataclass(frozen=True)
class UnreachedLine:
    """A delivery by which nobody was told, and the plan of its person."""

    line: DeliveryLine
    planned: Planned
    deadline: datetime | None
    public_since: datetime | None


def unreached_lines(
    store: Store, settings: Settings, incident_id: str, *, now: datetime
) -> Iterator[UnreachedLine]:
    """Every delivery of the newest campaign by which nobody was told, with what comes next. Shows personal data.

    What was accepted over a means that an attacker may control is among them.
    """
    with store.read() as session:
        planner = planner_for(session, store, settings, incident_id, now=now)
        if planner is None:
            return
        wanted = of_newest(session, incident_id, _not_told(planner.ground.controlled))
        for each in listed_deliveries(session, incident_id, wanted, key=planner.key):
            planned = planner.planned(session, each.delivery, each.person)
            yield UnreachedLine(each.line, planned, planner.ground.deadline, planner.ground.public_since)


def _not_told(controlled: frozenset[Way]) -> sa.ColumnElement[bool]:
    in_vain = (col(Delivery.state) == DeliveryState.ACCEPTED) & col(Delivery.channel).in_(sorted(controlled))
    return UNREACHABLE | in_vain if controlled else UNREACHABLE
