"""Who is in which batch: everybody once, whoever shares a message together, and first those of the canary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import sqlalchemy as sa
from sqlmodel import Session, col, select

from incident.delivery.sharing import Sharing
from incident.store.tables import Person

BATCH_SIZE = 500


@dataclass(frozen=True)
class BySms:
    """Whether somebody is told by SMS first; `also_with_email`: whether that may be who has an e-mail address."""

    is_first: Callable[[Person], bool]
    also_with_email: bool


def people_in_batches(
    session: Session,
    incident_id: str,
    sharing: Sharing,
    *,
    canary: int = 0,
    unwritten: frozenset[str] = frozenset(),
    by_sms: BySms | None = None,
) -> Iterator[list[Person]]:
    """The people in the order of their ids, but whoever shares a message comes with the first of those who do.

    With a canary the first batch holds about so many who can be written to, picked by `_canary`. `unwritten` are people
    (by id) to whom nothing is sent by e-mail whatever their record says. `by_sms`: None where no SMS is sent.
    """
    picked = _canary(session, incident_id, canary, unwritten, by_sms) if canary else set()
    first = picked | _company(picked, sharing)
    if first:
        yield _people(session, first)
    placed = set(first)
    for chunk in _people_in_chunks(session, incident_id, without=first):
        here = [person for person in chunk if person.id not in placed]
        together = _company((person.id for person in here), sharing)
        placed |= together
        if elsewhere := together - {person.id for person in here}:
            here += _people(session, elsewhere)
        if here:
            yield here


def _company(people: Iterable[str], sharing: Sharing) -> set[str]:
    return {other for each in people for other in sharing.company.get(each, ())}


def _people_in_chunks(
    session: Session, incident_id: str, *, without: set[str], only: Sequence[sa.ColumnElement[bool]] = ()
) -> Iterator[list[Person]]:
    # Left out here, so that the batches after a canary are whole ones.
    others = [*([col(Person.id).not_in(without)] if without else []), *only]
    last = ""
    while True:
        chunk = session.exec(
            select(Person)
            .where(Person.incident_id == incident_id, Person.id > last, *others)
            .order_by(col(Person.id))
            .limit(BATCH_SIZE)
        ).all()
        if not chunk:
            return
        yield list(chunk)
        last = chunk[-1].id
        for person in chunk:
            session.expunge(person)


def _people(session: Session, ids: set[str]) -> list[Person]:
    found = session.exec(select(Person).where(col(Person.id).in_(ids)).order_by(col(Person.id))).all()
    for person in found:
        session.expunge(person)
    return list(found)


def _canary(
    session: Session, incident_id: str, count: int, unwritten: frozenset[str], by_sms: BySms | None
) -> set[str]:
    """Who goes first, by id; where some are told by SMS, half of them are, so that both texts are read by some."""
    told_by_sms = _first_by_sms(session, incident_id, count, by_sms) if by_sms is not None else []
    by_email = _first_by_email(
        session, incident_id, count - min(len(told_by_sms), max(count // 2, 1)), unwritten
    )
    return by_email | {*told_by_sms[: count - len(by_email)]}


def _first_by_sms(session: Session, incident_id: str, count: int, by_sms: BySms) -> list[str]:
    """The first who are told by SMS, by id: of each language one after the other."""
    only = [] if by_sms.also_with_email else [col(Person.has_email).is_(False)]
    languages = (
        sa.select(col(Person.language)).where(col(Person.incident_id) == incident_id, *only).distinct()
    )
    turns: list[tuple[int, str]] = []
    for language in sorted(session.connection().execute(languages).scalars()):
        of_it = _told_by_sms(session, incident_id, by_sms, [*only, col(Person.language) == language])
        turns += enumerate(islice(of_it, count))
    return [person_id for _, person_id in sorted(turns)]


def _told_by_sms(
    session: Session, incident_id: str, by_sms: BySms, only: Sequence[sa.ColumnElement[bool]]
) -> Iterator[str]:
    for chunk in _people_in_chunks(session, incident_id, without=set(), only=only):
        yield from (person.id for person in chunk if by_sms.is_first(person))


def _first_by_email(session: Session, incident_id: str, count: int, unwritten: frozenset[str]) -> set[str]:
    """Who goes first by e-mail, by id: of each language, and of grown-ups and minors told through a guardian, as many as of the
    others, so that each text is read by some; of each the first of the list.

    Nobody is among them who cannot be written to.
    """
    through_guardian = col(Person.minor).is_(True) & col(Person.guardian_reachable).is_(True)
    can_be_told = (
        col(Person.incident_id) == incident_id,
        *(col(each).is_(False) for each in (Person.organisation, Person.deceased, Person.safe_contact)),
        col(Person.has_email).is_(True) | through_guardian,
    )

    def first(limit: int, *conditions: sa.ColumnElement[bool]) -> set[str]:
        ids = sa.select(col(Person.id)).where(*can_be_told, *conditions).order_by(col(Person.id))
        found = session.connection().execute(ids.limit(limit + len(unwritten)))
        return set([person_id for (person_id,) in found if person_id not in unwritten][:limit])

    kinds = sa.select(col(Person.language), through_guardian).where(*can_be_told).distinct()
    readers = sorted(tuple(each) for each in session.connection().execute(kinds))
    picked: set[str] = set()
    for language, guarded in readers[:count]:
        of_this_kind = (col(Person.language) == language, through_guardian == bool(guarded))
        picked |= first(max(count // len(readers), 1), *of_this_kind)
    if len(picked) < count:
        picked |= set(sorted(first(count) - picked)[: count - len(picked)])
    return picked
