"""Who of a batch is next: who is due, as far as the limits allow at this moment.

A look at the limits that holds no row: tokens are taken afterwards, together with the intent. Where a domain is limited,
people are unsealed here to learn where their messages go, and those whose domain has no room are passed over, so that
the others of their batch need not wait behind them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session

from incident.delivery.domains import Aside, limit_for
from incident.delivery.ledger import Due, due_deliveries
from incident.delivery.states import DOMAIN_LIMITS, MAIL_LIMIT, Addressee
from incident.durable import Level, levels
from incident.errors import Unreadable
from incident.record.person import PersonRow, person_from_content
from incident.store.change import open_sealed
from incident.store.prepared import PreparedLookup
from incident.store.tables import Person


@dataclass(frozen=True)
class Behind:
    """A used-up limit that people wait for. `for_all`: it holds for every batch alike, whoever its people are."""

    bucket: str
    level: Level
    waiting: int = 1
    for_all: bool = False

    def seconds(self, group: int) -> float:
        """Until so many of those who wait may leave together, or as many as the bucket can hold."""
        return self.level.wait(min(self.waiting, group))

    @property
    def turn(self) -> float:
        """How many should leave in one turn of a batch. Half of what the bucket holds: a turn may begin a little late."""
        return max(min(self.waiting, self.level.burst / 2), 1.0)


@dataclass(frozen=True)
class Picked:
    """Who may be sent to now, the people by id, and the buckets that each message takes a token of (none: no limit).

    Where nobody may, `behind` is what those who are due wait for; None where nobody is due.
    """

    due: Sequence[Due] = ()
    people: Mapping[str, PersonRow] = field(default_factory=dict)
    buckets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    behind: Behind | None = None


@dataclass(frozen=True)
class Picking:
    """How to pick from one batch: at most a `group`. `aside` keeps who was passed over."""

    batch_id: str
    key: bytes
    group: int
    aside: Aside = field(default_factory=Aside)


def pick(session: Session, how: Picking, *, relay_limit: str | None, now: datetime) -> Picked:
    """The next of a batch, over the relay of that limit. Somebody whose record is damaged is due without a person."""
    found = levels(session)
    shared = tuple(name for name in (MAIL_LIMIT, relay_limit) if name in found)
    most = min([how.group, *(found[name].room for name in shared)])
    if most <= 0:
        if not due_deliveries(session, how.batch_id, now=now, limit=1):
            return Picked()
        slowest = max(shared, key=lambda name: found[name].wait())
        return Picked(behind=Behind(slowest, found[slowest], for_all=True))
    domains = {name: level for name, level in found.items() if name.startswith(DOMAIN_LIMITS)}
    if domains:
        return _pick_by_domain(session, how, domains, shared, most=most, now=now)
    how.aside.call({})
    due = due_deliveries(session, how.batch_id, now=now, limit=most)
    people = people_of(session, due, key=how.key)
    return Picked(due, people, {each.id: shared for each in due} if shared else {})


def _pick_by_domain(
    session: Session,
    how: Picking,
    domains: Mapping[str, Level],
    shared: tuple[str, ...],
    *,
    most: int,
    now: datetime,
) -> Picked:
    room = {name: level.room for name, level in domains.items()}
    left_out = how.aside.call(room)
    people: dict[str, PersonRow] = {}
    picked: list[Due] = []
    buckets: dict[str, tuple[str, ...]] = {}
    while len(picked) < most:
        due = due_deliveries(session, how.batch_id, now=now, limit=how.group, leave_out=left_out)
        if not due:
            break
        people |= people_of(session, due, key=how.key)
        for each in due:
            if len(picked) == most:
                break
            left_out.append(each.id)
            bucket = _limit_of(each, people)
            if bucket in room and room[bucket] < 1:
                how.aside.put(each.id, bucket)
                continue
            if bucket in room:
                room[bucket] -= 1
            buckets[each.id] = (*shared, bucket) if bucket in room else shared
            picked.append(each)
    return Picked(picked, people, buckets, behind=None if picked else _first_behind(how, domains))


def _limit_of(due: Due, people: Mapping[str, PersonRow]) -> str:
    """The bucket of whom a message goes to; no bucket's name where nobody can tell, and sending will say why."""
    person = people.get(due.person_id)
    if person is None:
        return ""
    to = person.guardian if due.addressee == Addressee.GUARDIAN else person.contact
    return limit_for(to.email) or ""


def _first_behind(how: Picking, domains: Mapping[str, Level]) -> Behind | None:
    waiting = [Behind(bucket, domains[bucket], waiting=many) for bucket, many in how.aside.counts().items()]
    return min(waiting, key=lambda each: each.seconds(how.group), default=None)


_SEALED_PEOPLE = PreparedLookup(Person, key="id", columns=("id", "sealed"))


def people_of(session: Session, due: Sequence[Due], *, key: bytes) -> dict[str, PersonRow]:
    """The people whom some messages tell of, by id; whoever's record is damaged is left out."""
    wanted = list({person_id for each in due for person_id in each.people})
    if not wanted:
        return {}
    people = {}
    for person_id, content in _SEALED_PEOPLE.all(session.connection(), wanted):
        # One damaged record must not keep the others from being told.
        with suppress(Unreadable):
            people[person_id] = person_from_content(open_sealed(Person, person_id, content, key=key))
    return people
