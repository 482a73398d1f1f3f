"""How many people share an address with somebody else on the list and get a message of their own all the same.

Two grown-ups who merely share an address would learn of each other from one message, so each gets their own, and
either may read the other's: somebody should know before a notice goes out.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from itertools import groupby

import sqlalchemy as sa
from sqlmodel import Session, col

from incident.record.mailbox_mac import mailbox_mac
from incident.record.person import person_from_content
from incident.store.change import open_sealed
from incident.store.store import Store
from incident.store.tables import Person

MOST_IN_A_MESSAGE = 12
"""An address that more people name is no parent's and no household's: a school's, a default of some form. What it would
read of all of them is worse than several messages, so these go one by one."""

_FETCHED = 1000


def written_to_one_by_one(session: Session, store: Store, incident_id: str) -> int:
    """Count them. Eight bytes a person are held in memory, and no address.

    Those of a household that the list names, who read one language, have one message and count as one reader.
    """
    # The first eight bytes of a keyed hash: of a million mailboxes two are taken for one in one list of 37 million.
    alone: array[int] = array("Q")
    households: dict[int, Counter[str]] = defaultdict(Counter)
    key = None
    for person_id, sealed in session.connection().execute(
        sa.select(col(Person.id), col(Person.sealed))
        .where(
            col(Person.incident_id) == incident_id,
            col(Person.has_email).is_(True),
            *(col(each).is_(False) for each in (Person.deceased, Person.safe_contact)),
        )
        .execution_options(yield_per=_FETCHED)
    ):
        key = key or store.key(incident_id)
        person = person_from_content(open_sealed(Person, person_id, sealed, key=key))
        mailbox = int.from_bytes(mailbox_mac(key, person.contact.email)[:8], "big")
        if person.household and not person.is_organisation:
            households[mailbox][person.language] += 1
        else:
            alone.append(mailbox)
    found = 0
    for mailbox, same in groupby(sorted(alone)):
        found += _who_may_read_of_another(sum(1 for _ in same), households.pop(mailbox, Counter()))
    return found + sum(_who_may_read_of_another(0, household) for household in households.values())


def _who_may_read_of_another(alone: int, household: Counter[str]) -> int:
    """How many people have one mailbox, if more than one message goes there; `household` counts them by language."""
    messages = alone + sum(people if people > MOST_IN_A_MESSAGE else 1 for people in household.values())
    return alone + household.total() if messages > 1 else 0
