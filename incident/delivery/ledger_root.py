"""Hashes over the ledger and over the list of people: what the journal names of tables that it does not keep by row."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlmodel import Session, col

from incident.delivery.states import Why
from incident.store.tables import Attempt, Delivery, Person, Receipt


def ledger_root(session: Session, batch_id: str) -> str:
    """A hash over every delivery, attempt and receipt of a batch in order.

    The journal names it when a campaign ends, and anew when receipts come after that.
    """
    connection = session.connection()
    deliveries = connection.execute(_ROOT_DELIVERIES, {"batch": batch_id})
    attempts = connection.execute(_ROOT_ATTEMPTS, {"batch": batch_id})
    digest = hashlib.sha256()
    for each in deliveries:
        told = f"{each.id} {each.person_id} {each.person_version} {each.addressee} {each.principal}"
        more = f" {each.waits} {each.update_of}" if each.waits or each.update_of else ""
        if each.reason == Why.REPLACED and each.settled_at:
            # No attempt says when: it was left to a later version.
            more += f" {each.settled_at.isoformat()}"
        if each.leader_id or each.shared:
            more += f" with {each.leader_id} {each.shared}"
        if each.rank:
            more += f" rank {each.rank}"
        digest.update(f"{told} {each.channel} {each.state} {each.reason} {each.attempts}{more}\n".encode())
    for one in attempts:
        at = one.outcome_at.isoformat() if one.outcome_at else "-"
        digest.update(f"{one.delivery_id} {one.n} {one.result} {one.stage} {one.code} {at}\n".encode())
    for receipt in connection.execute(_ROOT_RECEIPTS, {"batch": batch_id}):
        digest.update(f"receipt {' '.join(map(str, receipt))}\n".encode())
    return digest.hexdigest()


_ROOT_DELIVERIES = (
    sa.select(*(column for column in sa.inspect(Delivery).columns if column.name != "code_mac"))
    .where(col(Delivery.batch_id) == bindparam("batch"))
    .order_by(col(Delivery.id))
)
_ROOT_ATTEMPTS = (
    sa.select(*(column for column in sa.inspect(Attempt).columns if column.name != "sealed"))
    .join(Delivery, col(Delivery.id) == col(Attempt.delivery_id))
    .where(col(Delivery.batch_id) == bindparam("batch"))
    .order_by(col(Attempt.delivery_id), col(Attempt.n))
)
_ROOT_RECEIPTS = (
    sa.select(*(column for column in sa.inspect(Receipt).columns if column.name != "sealed"))
    .join(Delivery, col(Delivery.id) == col(Receipt.delivery_id))
    .where(col(Delivery.batch_id) == bindparam("batch"))
    .order_by(col(Receipt.id))
)


def people_root(session: Session, incident_id: str) -> str:
    """A hash over every person of an incident, in the order of their ids: what the journal names when sending begins.

    From then on the list takes no more people, so it must stay what it was.
    """
    rows = session.connection().execute(
        sa.select(col(Person.id), col(Person.version), col(Person.sealed))
        .where(col(Person.incident_id) == incident_id)
        .order_by(col(Person.id))
        .execution_options(yield_per=1000)
    )
    digest = hashlib.sha256()
    for person_id, version, sealed in rows:
        digest.update(f"{person_id} {version} {hashlib.sha256(sealed).hexdigest()}\n".encode())
    return digest.hexdigest()
