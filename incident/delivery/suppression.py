"""Suppression: an address that came back as dead is not tried again by a later version of the same notice.

It is read from the ledger, so there is no second list that could disagree with it. It blocks e-mail for that address
only: the person stands as unreachable with a reason, and has a next step (`delivery.fallback`). What could silence
somebody by mistake does not suppress: a refusal while sending, which may be about us; a return that says less than that
the address is dead; a receipt that was matched by the Message-ID, which whoever saw the message knows; and a message to
a guardian or to several people.
"""

from __future__ import annotations

from sqlmodel import Session, col, select

from incident.delivery.receipts import VerifiedBy
from incident.delivery.states import Addressee, DeliveryState, Rank, Why
from incident.store.tables import Delivery, Person, Receipt

_SURE = sorted({VerifiedBy.RETURN_PATH, VerifiedBy.ENVELOPE_ID, VerifiedBy.PERSON})


def suppressed_people(session: Session, incident_id: str) -> frozenset[str]:
    """The people (by id) of an incident whose own address a receipt showed to be dead.

    Of a person whom the list describes anew since, nothing is known: the address is tried again.
    """
    found = (
        select(Delivery.person_id)
        .join(Receipt, col(Receipt.delivery_id) == col(Delivery.id))
        .join(Person, col(Person.id) == col(Delivery.person_id))
        .where(
            Delivery.incident_id == incident_id,
            Delivery.state == DeliveryState.UNREACHABLE,
            Delivery.reason == Why.BAD_ADDRESS,
            Delivery.rank == Rank.RETURNED,
            Delivery.addressee == Addressee.PERSON,
            Delivery.shared == 0,
            col(Delivery.leader_id).is_(None),
            Delivery.person_version == Person.version,
            Receipt.rank == Rank.RETURNED,
            Receipt.why == Why.BAD_ADDRESS,
            col(Receipt.counts).is_(True),
            col(Receipt.verified_by).in_(_SURE),
        )
    )
    return frozenset(session.exec(found).all())
