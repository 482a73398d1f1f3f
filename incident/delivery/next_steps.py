"""What comes next for those whom the newest notice did not reach: for each of them, in sums, and by each law.

The sums hold nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, func, select

from incident.delivery.fallback import Ground, Urgency, Way, urgency_of
from incident.delivery.planner import Planned, Planner, duties_on_people, planner_for
from incident.delivery.planning import Deadline
from incident.delivery.states import DeliveryState
from incident.delivery.status import UNREACHABLE, DeliveryLine, listed_deliveries, of_newest
from incident.delivery.substitute import Substitute, substitutes, with_count
from incident.duties.evaluating import Rules, findings_for
from incident.record.dossier import dossier_in
from incident.settings import Settings
from incident.store.store import Store
from incident.store.tables import Batch, Delivery, Person

_FETCHED = 500


@dataclass(frozen=True)
class NextSteps:
    """How many people go which way next, and until when. `told_in_vain`: accepted over a means an attacker may control.

    `urgencies`: how each means stands to the deadline. `ways` is empty where they were too many to look at each.
    """

    people: int
    ways: Mapping[Way, int]
    urgencies: Mapping[Way, Urgency]
    deadline: Deadline | None
    public_since: datetime | None
    told_in_vain: int

    @property
    def looked_at(self) -> bool:
        return bool(self.ways) or not self.people

    @property
    def public_only(self) -> int:
        """Whom no means at hand can reach."""
        return self.ways.get(Way.PUBLIC_NOTICE, 0)


def next_steps(
    session: Session,
    store: Store,
    settings: Settings,
    incident_id: str,
    *,
    now: datetime,
    most: int | None = None,
) -> NextSteps | None:
    """Count what comes next for those whom the newest campaign did not reach; None without a campaign.

    `most`: where there are more than these, nobody is unsealed. Raises `KeyDestroyed` or `KeyMissing`.
    """
    planner = planner_for(session, store, settings, incident_id, now=now)
    if planner is None:
        return None
    of_these = _unreached_people(planner).subquery()
    people = session.exec(select(func.count()).select_from(of_these)).one()
    in_vain = session.exec(
        select(func.count()).select_from(of_these).where(of_these.c.state == DeliveryState.ACCEPTED)
    ).one()
    ways: Counter[Way] = Counter()
    if most is None or people <= most:
        for delivery, person in unreached_people(session, planner):
            way = planner.planned(session, delivery, person).way
            if way is not None:
                ways[way] += 1
    return NextSteps(
        people=people,
        ways=dict(ways.most_common()),
        urgencies={
            way: urgency_of(way, planner.ground) for way in ways if not _nothing_is_left(way, planner.ground)
        },
        deadline=planner.deadline,
        public_since=planner.ground.public_since,
        told_in_vain=in_vain,
    )


def _nothing_is_left(way: Way, ground: Ground) -> bool:
    return way is Way.NOTHING or (way is Way.PUBLIC_NOTICE and ground.public_since is not None)


def _unreached_people(planner: Planner) -> sa.Select[Any]:
    """The deliveries by which somebody is counted who was not told."""
    return (
        sa.select(Delivery)
        .join(Batch, col(Batch.id) == col(Delivery.batch_id))
        .where(
            col(Batch.campaign_id) == planner.campaign_id,
            col(Delivery.principal).is_(True),
            _not_told(planner.ground.controlled),
        )
    )


def unreached_people(session: Session, planner: Planner) -> Iterator[tuple[Delivery, Person | None]]:
    """The deliveries of a campaign by which somebody is counted who was not told, each with that person."""
    statement = (
        _unreached_people(planner)
        .add_columns(Person)
        .outerjoin(Person, col(Person.id) == col(Delivery.person_id))
        .order_by(col(Delivery.id))
        .execution_options(yield_per=_FETCHED)
    )
    for row in session.execute(statement):
        yield row[0], row[1]


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
        open_duties=[row.duty_id for row in duties_on_people(session, incident_id)],
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
