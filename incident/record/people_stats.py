"""Counts over the people of an incident, by what matters for telling them; they name nobody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any

from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, or_, select

from incident.record.fields import field_named
from incident.record.people_sharing import written_to_one_by_one
from incident.record.person import PersonRow, person_from_content
from incident.record.values import value_from_json
from incident.store.change import open_row, open_sealed
from incident.store.store import Store
from incident.store.tables import FactRow, PeopleProblem, Person

_FETCHED = 1000
_LEAK_ENDED = "ended_at"


@dataclass(frozen=True)
class PeopleStats:
    """How many people, by what matters for telling them. `organisations` are among the `total`.

    `share_an_address` are written to one by one at an address that somebody else on the list has too.

    `recycled_numbers` is None as long as nobody knows when the leak stopped and there are numbers of which it decides.
    """

    total: int
    by_language: Mapping[str, int]
    without_email: int
    minors: int
    minors_without_guardian: int
    problems: int
    under_14: int = 0
    organisations: int = 0
    deceased: int = 0
    recycled_numbers: int | None = 0
    with_safe_contact: int = 0
    share_an_address: int = 0


def people_stats(
    session: Session, store: Store, incident_id: str, *, today: date, zone: tzinfo
) -> PeopleStats:
    """Count the people of an incident. Ages are those of `today`; the day on which the leak stopped is the zone's.

    Raises `KeyDestroyed` or `KeyMissing` where somebody must be unsealed to be counted: minors, dated numbers, addresses.
    """
    mine = Person.incident_id == incident_id

    def count(*conditions: Any) -> int:
        return session.exec(select(func.count()).select_from(Person).where(mine, *conditions)).one()

    languages = session.exec(
        select(Person.language, func.count()).where(mine).group_by(col(Person.language))
    ).all()
    problems = session.exec(
        select(func.count()).select_from(PeopleProblem).where(PeopleProblem.incident_id == incident_id)
    ).one()
    leak_ended_on = leak_end(session, store, incident_id, zone=zone)
    under_14 = dated = recycled = 0
    for person in _closer_look(session, store, incident_id):
        under_14 += person.under_14(today)
        dated += person.held_since is not None
        recycled += person.has_recycled_number(leak_ended_on)
    return PeopleStats(
        total=count(),
        by_language=dict(sorted(languages)),
        without_email=count(col(Person.has_email).is_(False)),
        minors=count(col(Person.minor).is_(True)),
        minors_without_guardian=count(col(Person.minor).is_(True), col(Person.guardian_reachable).is_(False)),
        problems=problems,
        under_14=under_14,
        organisations=count(col(Person.organisation).is_(True)),
        deceased=count(col(Person.deceased).is_(True)),
        recycled_numbers=None if dated and leak_ended_on is None else recycled,
        with_safe_contact=count(col(Person.safe_contact).is_(True)),
        share_an_address=written_to_one_by_one(session, store, incident_id),
    )


def number_listed(session: Session, incident_id: str) -> int:
    """How many people the list of an incident holds."""
    return session.exec(select(func.count()).where(Person.incident_id == incident_id)).one()


def leak_end(session: Session, store: Store, incident_id: str, *, zone: tzinfo) -> date | None:
    """The day on which the leak stopped, as the record has it now; None as long as nobody knows."""
    row = session.exec(
        select(FactRow)
        .where(FactRow.incident_id == incident_id, FactRow.field == _LEAK_ENDED)
        .order_by(col(FactRow.seq).desc())
    ).first()
    if row is None:
        return None
    ended = value_from_json(field_named(_LEAK_ENDED), open_row(row, key=store.key(incident_id))["value"])
    return ended.astimezone(zone).date() if isinstance(ended, datetime) else None


def _closer_look(session: Session, store: Store, incident_id: str) -> Iterator[PersonRow]:
    """The people of whom the columns do not say enough, unsealed one after the other."""
    statement = select_columns(col(Person.id), col(Person.sealed)).where(
        col(Person.incident_id) == incident_id,
        or_(col(Person.minor).is_(True), col(Person.number_dated).is_(True)),
    )
    key = None
    for person_id, sealed in session.connection().execute(statement.execution_options(yield_per=_FETCHED)):
        key = key or store.key(incident_id)
        yield person_from_content(open_sealed(Person, person_id, sealed, key=key))
