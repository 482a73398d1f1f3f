"""Who shares a message: one mailbox gets one message that names all whom it is told of.

Two mailboxes may be shared: a guardian's, by the minors who name it, and one that the list says is a household's, by
those who have it. Everybody else who has an address in common is written to one by one, since two grown-ups who merely
share an address would learn of each other (docs/adr/0014). A message has one language, so only who read the same
language share it.

This is worked out from the whole list before the first batch is made, and holds in memory whoever has a guardian with
an address, or a household's mailbox: no other record is opened.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlmodel import Session, col, or_

from incident.delivery.states import Addressee
from incident.record.mailbox_mac import mailbox_mac
from incident.record.people_sharing import MOST_IN_A_MESSAGE
from incident.record.person import PersonRow, person_from_content
from incident.store.change import open_sealed
from incident.store.tables import Person

_FETCHED = 1000


@dataclass(frozen=True)
class Sharing:
    """Who is told through a guardian, and who shares a message with whom.

    `guarded`: minors whose guardian has an address, and whether they have an address of their own besides. `groups`:
    people (by id, in order) who share the message to one addressee. `company`: everyone who must be in one batch.
    """

    guarded: Mapping[str, bool]
    groups: Mapping[Addressee, Mapping[str, Sequence[str]]]
    company: Mapping[str, frozenset[str]]


def sharing_of(session: Session, incident_id: str, *, key: bytes) -> Sharing:
    """Work out who shares a message. Raises `Unreadable` for a record that does not open."""
    guarded: dict[str, bool] = {}
    boxes: dict[tuple[Addressee, bytes, str], list[str]] = defaultdict(list)
    rows = session.connection().execute(
        _MAY_SHARE.execution_options(yield_per=_FETCHED), {"incident": incident_id}
    )
    for person_id, minor, household, sealed in rows:
        person = person_from_content(open_sealed(Person, person_id, sealed, key=key))
        own, guardians = person.contact.email, person.guardian.email if minor else ""
        has_own = bool(own) and own.casefold() != guardians.casefold()
        if guardians:
            guarded[person_id] = has_own
            boxes[_box(Addressee.GUARDIAN, guardians, person, key=key)].append(person_id)
        if household and has_own:
            boxes[_box(Addressee.PERSON, own, person, key=key)].append(person_id)
    groups: dict[Addressee, dict[str, Sequence[str]]] = {each: {} for each in Addressee}
    for (addressee, _, _), people in boxes.items():
        if 1 < len(people) <= MOST_IN_A_MESSAGE:
            groups[addressee] |= dict.fromkeys(people, tuple(people))
    return Sharing(guarded, groups, _company(each for group in groups.values() for each in group.values()))


_MAY_SHARE = (
    sa.select(col(Person.id), col(Person.minor), col(Person.household), col(Person.sealed))
    .where(
        col(Person.incident_id) == bindparam("incident"),
        # Who is not written to is in nobody's message; an organisation belongs to no household.
        *(col(each).is_(False) for each in (Person.organisation, Person.deceased, Person.safe_contact)),
        or_(
            col(Person.minor).is_(True) & col(Person.guardian_reachable).is_(True),
            col(Person.household).is_(True) & col(Person.has_email).is_(True),
        ),
    )
    .order_by(col(Person.id))
)


def _box(
    addressee: Addressee, address: str, person: PersonRow, *, key: bytes
) -> tuple[Addressee, bytes, str]:
    return addressee, mailbox_mac(key, address), person.language


def _company(groups: Iterable[Sequence[str]]) -> dict[str, frozenset[str]]:
    """Everyone with all whom they are joined to, over however many groups."""
    company: dict[str, set[str]] = {}
    for group in groups:
        joined = set(group).union(*(company[each] for each in group if each in company))
        for each in joined:
            company[each] = joined
    return {each: frozenset(joined) for each, joined in company.items()}


def put_into_groups(rows: Sequence[dict[str, Any]], sharing: Sharing) -> None:
    """Let the deliveries of a batch that share a message follow one of them: the first by id, as they are sent."""
    found: dict[tuple[str, Sequence[str]], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        group = sharing.groups[Addressee(row["addressee"])].get(row["person_id"])
        if group is not None:
            found[row["addressee"], group].append(row)
    for together in found.values():
        leader = min(together, key=lambda row: row["id"])
        leader["shared"] = len(together) - 1
        for row in together:
            if row is not leader:
                row["leader_id"] = leader["id"]
