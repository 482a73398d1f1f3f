"""What a person makes of a bounce that no rule could match or read."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, select

from incident.delivery.codes import code_mac, read_code
from incident.delivery.maildir import Message
from incident.delivery.receipts import GoOn, NewReceipt, Taken, VerifiedBy, put_receipts
from incident.delivery.states import EMAIL, Rank, Why
from incident.delivery.status import campaigns_of
from incident.errors import BadInput, NotFound, Refused
from incident.record.person_view import person_called
from incident.store.store import Store
from incident.store.tables import Batch, Delivery

SETTLED = "receipts.by_hand"


class Verdict(StrEnum):
    """What a person reads in it."""

    RETURNED = "returned"
    DEAD_ADDRESS = "dead_address"
    BLOCKED = "blocked"
    DELIVERED = "delivered"


_REASONS = {
    Verdict.RETURNED: Why.RETURNED,
    Verdict.DEAD_ADDRESS: Why.BAD_ADDRESS,
    Verdict.BLOCKED: Why.BLOCKED,
}


def delivery_by_code(session: Session, store: Store, incident_id: str, code: str) -> str:
    """The delivery whose message has this verification code. Raises `BadInput` and `NotFound`."""
    plain = read_code(code)
    if plain is None:
        raise BadInput("this is no verification code", where=code, next_step="it has 11 letters and digits")
    found = session.exec(
        select(Delivery).where(
            Delivery.incident_id == incident_id,
            Delivery.code_mac == code_mac(store.key(incident_id), plain),
        )
    ).first()
    if found is None:
        raise NotFound("no notice of this incident carries that code", where=incident_id)
    return found.leader_id or found.id


def delivery_by_reference(session: Session, store: Store, incident_id: str, reference: str) -> str:
    """The newest campaign's delivery to a person of the list. Raises `NotFound`, and `Refused` when it has several."""
    campaigns = campaigns_of(session, incident_id)
    if not campaigns:
        raise NotFound("no notice of this incident was sent", where=incident_id)
    person = person_called(session, store, incident_id, reference)
    batches = select(Batch.id).where(Batch.campaign_id == campaigns[0].id)
    rows = session.exec(
        select(Delivery).where(Delivery.person_id == person.id, col(Delivery.batch_id).in_(batches))
    ).all()
    messages = {row.leader_id or row.id for row in rows}
    if len(messages) > 1:
        raise Refused(
            "two messages went out for this person: to them and to their guardian",
            where=f"{incident_id}, {reference}",
            next_step="name the one that came back by the code in it: --code",
        )
    return messages.pop()


def settle_by_hand(
    store: Store,
    incident_id: str,
    delivery_id: str,
    message: Message,
    verdict: Verdict,
    *,
    actor: str,
    now: datetime,
    go_on: GoOn,
) -> Taken:
    """Keep a person's verdict as a receipt: it counts as one that was matched by a mark does."""
    returned = verdict is not Verdict.DELIVERED
    receipt = NewReceipt(
        delivery_id=delivery_id,
        channel=EMAIL,
        event=f"by hand {message.sha256}",
        kind="failed" if returned else "delivered",
        rank=Rank.RETURNED if returned else Rank.DELIVERED,
        why=_REASONS.get(verdict, Why.NONE),
        status=None,
        verified_by=VerifiedBy.PERSON,
        raw_sha256=message.sha256,
        words={"by": actor},
    )
    with store.write(incident_id, kind=SETTLED, actor=actor, now=now) as change:
        change.note(verdict=verdict)
        return put_receipts(change, incident_id, [receipt], go_on=go_on)
