"""How many people share an address with somebody else on the list and get a message of their own all the same.

Two grown-ups who merely share an address would learn of each other from one message, so each gets their own, and
either may read the other's: somebody should know before a notice goes out.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from itertools import groupby

import sqlalchemy as sa
from sqlmodel import Session, col

from incident.record.content_mac import mailbox_mac
from incident.record.person import person_from_content
from incident.store.change import open_sealed
from incident.store.store import Store
from incident.store.tables import Person

_FETCHED = 1000


def written_to_one_by_one(session: Session, store: Store, incident_id: str) -> int:
    """Count them. Eight bytes a person are held in memory, and no address.

    Those of a household that the list names, who read one language, have one message and count as one reader.
    """
    # The first eight bytes of a keyed hash: of a million mailboxes two are taken for one in one list of 37 million.
    readers: array[int] = array("Q")
    households: dict[int, set[str]] = defaultdict(set)
    members: dict[int, int] = defaultdict(int)
    key = None
    for person_id, sealed in session.connection().execute(
        sa.select(col(Person.id), col(Person.sealed))
        .where(
            col(Person.incident_id) == incident_id,
            col(Person.has_email).is_(True),
            *(col(each).is_(False) for each in (Person.organisation, Person.deceased, Person.safe_contact)),
        )
        .execution_options(yield_per=_FETCHED)
    ):
        key = key or store.key(incident_id)
        person = person_from_content(open_sealed(Person, person_id, sealed, key=key))
        mailbox = int.from_bytes(mailbox_mac(key, person.contact.email)[:8], "big")
        if not person.household:
            readers.append(mailbox)
            continue
        if person.language not in households[mailbox]:
            households[mailbox].add(person.language)
            readers.append(mailbox)
        members[mailbox] += 1
    return sum(
        messages - len(households.get(mailbox, ())) + members.get(mailbox, 0)
        for mailbox, same in groupby(sorted(readers))
        if (messages := sum(1 for _ in same)) > 1
    )
