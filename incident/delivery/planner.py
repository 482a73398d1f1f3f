"""The planner: the list and the ledger of one campaign put into plans of people (`delivery.fallback`).

Nothing of it is stored. Whoever is planned for is unsealed, one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlmodel import Session, col, func, select

from incident.delivery.fallback import NUMBERED, Case, Ground, PersonPlan, Tried, Way, plan_of
from incident.delivery.planning import Deadline, deadline_to_tell_people
from incident.delivery.promises import promised_away
from incident.delivery.states import NEVER_TRIED, PHONE, DeliveryState, Failed, Why, failed_before
from incident.delivery.status import campaigns_of
from incident.duties.evaluating import MET, stored_duties
from incident.errors import Unreadable
from incident.law.findings import STANDING
from incident.law.regimes import DutyKind
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


@dataclass(frozen=True)
class Planned:
    """A person's plan, with the contact of its next step in clear: an address or numbers, empty where it needs none.

    `to_guardian`: the contact is the guardian's. `minor`: the person is one, so a guardian is asked for at any contact.
    """

    plan: PersonPlan
    contact: str = ""
    to_guardian: bool = False
    minor: bool = False

    @property
    def way(self) -> Way | None:
        """The means of the next step; None once the person was told."""
        return self.plan.next.way if self.plan.next else None


@dataclass(frozen=True)
class Planner:
    """Plans for the people of one campaign. Build it with `planner_for`.

    `exposed`: somebody who took the data can receive what goes to the people's numbers, where a person's own kinds of
    data are not listed. `follows`: another version was sent before, and may have found whose number is another's.
    """

    ground: Ground
    deadline: Deadline | None
    campaign_id: str
    leak_ended_on: date | None
    exposed: bool
    key: bytes
    follows: bool = False

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
        case = self._case(session, person, row, at_hand)
        case = replace(
            case,
            tried=_tried(told_by),
            apart=_apart(told_by, person),
            suppressed=_BY_EMAIL if _is_suppressed(told_by) else frozenset(),
        )
        plan = plan_of(case, self.ground)
        way = plan.next.way if plan.next else None
        contact = at_hand.get(way) if way else None
        return Planned(plan, *(contact or ("", False)), minor=person.minor)

    def first_way(self, session: Session, person: Person, row: PersonRow, *, suppressed: bool) -> Way | None:
        """The means by which a person is told first; `suppressed`: their e-mail address is known to be dead."""
        case = self._case(session, person, row, _contacts(person, row))
        found = plan_of(replace(case, suppressed=_BY_EMAIL if suppressed else frozenset()), self.ground)
        return found.next.way if found.next else None

    def may_tell(self, session: Session, person: Person, way: Way) -> bool:
        """Whether somebody may be told over a means as the list and the record have them now, whatever was tried."""
        try:
            row = person_from_content(open_row(person, key=self.key))
        except Unreadable:
            return False
        case = self._case(session, person, row, _contacts(person, row))
        return way in plan_of(case, self.ground).within_reach

    def _case(
        self, session: Session, person: Person, row: PersonRow, at_hand: Mapping[Way, tuple[str, bool]]
    ) -> Case:
        """A person as the list has them, before anything of this campaign was tried."""
        numbers = frozenset(way for way in at_hand if way in NUMBERED)
        own = frozenset(way for way in numbers if not at_hand[way][1])
        if numbers and self.follows and _has_a_wrong_number(session, person, self.campaign_id):
            return Case(contacts=frozenset(at_hand), not_theirs=numbers)
        exposed = _TAKES_THE_NUMBER in row.categories if row.categories else self.exposed
        return Case(
            contacts=frozenset(at_hand),
            not_theirs=own if row.has_recycled_number(self.leak_ended_on) else frozenset(),
            controlled=numbers if exposed else frozenset(),
        )


_BY_EMAIL = frozenset({Way.EMAIL})


def _tried(delivery: Delivery) -> tuple[Tried, ...]:
    before = tuple(
        Tried(Way(each.channel), DeliveryState.UNREACHABLE, each.why)
        for each in failed_before(delivery.tried_before)
        if each.why not in NEVER_TRIED
    )
    state, why = DeliveryState(delivery.state), Why(delivery.reason)
    if state is DeliveryState.UNREACHABLE and (why in NEVER_TRIED or why is Why.DAMAGED):
        return before
    return (*before, Tried(Way(delivery.channel), state, why))


def _is_suppressed(delivery: Delivery) -> bool:
    """Whether an earlier version found the person's own address dead."""
    before = {each.why for each in failed_before(delivery.tried_before)}
    return Why.SUPPRESSED in {delivery.reason, *before}


def _apart(delivery: Delivery, person: Person | None) -> Why:
    """Why no message is made for somebody, as the list has it now."""
    if person is not None and person.deceased:
        return Why.DECEASED
    if person is not None and person.safe_contact:
        return Why.SAFE_CONTACT
    return Why(delivery.reason) if delivery.reason in (Why.ORGANISATION, Why.PASSED_ON) else Why.NONE


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


def _has_a_wrong_number(session: Session, person: Person, campaign_id: str) -> bool:
    """Whether a call for another version found that the number is none, or another's: who said so is not called again.

    Of a person whom the list describes anew since, nothing is known.
    """
    found = (
        select(Delivery.id)
        .join(Batch, col(Batch.id) == col(Delivery.batch_id))
        .where(
            Delivery.person_id == person.id,
            Delivery.person_version == person.version,
            Batch.campaign_id != campaign_id,
            ((col(Delivery.channel) == PHONE) & (col(Delivery.reason) == Why.BAD_ADDRESS))
            | col(Delivery.tried_before).contains(str(Failed(PHONE, Why.BAD_ADDRESS))),
        )
    )
    return session.exec(found.limit(1)).first() is not None


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
    unreached = _count_unreached(session, campaign.id)
    return planner_of(session, store, settings, incident_id, campaign.id, unreached=unreached, now=now)


def planner_of(
    session: Session,
    store: Store,
    settings: Settings,
    incident_id: str,
    campaign_id: str,
    *,
    unreached: int,
    now: datetime,
) -> Planner:
    """The plans of a campaign, also of one that is about to open, with so many people who must be told another way."""
    deadline = deadline_to_tell_people(session, incident_id, settings, met_too=True)
    kinds = _stated(session, store, incident_id, "data_categories")
    ground = Ground(
        now=now,
        order=tuple(Way(means) for means in settings.fallback.means),
        deadline=deadline.at if deadline else None,
        takes=times_needed(settings.plan, unreached),
        lawful=_lawful(session, store, incident_id),
        promised_away=frozenset(Way(means) for means in promised_away(settings)),
        controlled=frozenset(Way(name) for name in _stated(session, store, incident_id, CONTROLLED)),
        public_since=public_since(session, incident_id),
    )
    return Planner(
        ground=ground,
        deadline=deadline,
        campaign_id=campaign_id,
        leak_ended_on=leak_end(session, store, incident_id, zone=settings.zone),
        exposed=_TAKES_THE_NUMBER in kinds,
        key=store.key(incident_id),
        follows=any(each.id != campaign_id for each in campaigns_of(session, incident_id)),
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
    for row in duties_on_people(session, incident_id):
        channels = store.open(row, incident_id=incident_id)["channels"]
        if not channels:
            return None
        named |= {Way(channel) for channel in channels if channel in set(Way)}
    return frozenset(named) or None


def duties_on_people(session: Session, incident_id: str) -> list[DutyRow]:
    """The duties to tell people that are owed, or were met: those who were not reached are still to be told."""
    return [
        row
        for row in stored_duties(session, incident_id)
        if row.kind == DutyKind.notify_people and row.state in {*STANDING, MET}
    ]


def _stated(session: Session, store: Store, incident_id: str, name: str) -> tuple[str, ...]:
    """The words that the record has for a field now."""
    row = session.exec(
        select(FactRow)
        .where(FactRow.incident_id == incident_id, FactRow.field == name)
        .order_by(col(FactRow.seq).desc())
    ).first()
    value = open_row(row, key=store.key(incident_id))["value"] if row else None
    return tuple(value) if isinstance(value, list) else ()
