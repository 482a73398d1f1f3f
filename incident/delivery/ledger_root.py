"""Hashes over the ledger and over the list of people: what the journal names of tables that it does not keep by row."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlmodel import Session, col

from incident.delivery.states import EMAIL, Why
from incident.store.tables import Attempt, Delivery, Person, Receipt


def ledger_root(session: Session, batch_id: str) -> str:
    """A hash over every delivery, attempt and receipt of a batch in order.

    The journal names it when a campaign ends, and anew when receipts come after that.
    """
    connection = session.connection()
    wanted = {"batch": batch_id}
    lines = [_of_delivery(*row) for row in connection.execute(_ROOT_DELIVERIES, wanted).all()]
    lines += [
        f"{delivery_id} {n} {result} {stage} {code} {_written(outcome_at) if outcome_at else '-'}"
        f"{'' if channel == EMAIL else f' over {channel}'}\n"
        for delivery_id, n, result, stage, code, channel, outcome_at in connection.execute(
            _ROOT_ATTEMPTS, wanted
        ).all()
    ]
    lines += [
        f"receipt {' '.join(map(str, receipt))}\n" for receipt in connection.execute(_ROOT_RECEIPTS, wanted)
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _of_delivery(
    delivery_id: str,
    person_id: str,
    person_version: int,
    addressee: str,
    principal: bool,
    channel: str,
    state: str,
    reason: str,
    attempts: int,
    waits: bool,
    update_of: str | None,
    settled_at: datetime | None,
    leader_id: str | None,
    shared: int,
    rank: int,
    tried_before: str,
) -> str:
    """The line of a delivery; what most do not have stands at its end, so that older roots hold."""
    more = f" {waits} {update_of}" if waits or update_of else ""
    if reason == Why.REPLACED and settled_at:
        # No attempt says when: it was left to a later version.
        more += f" {_written(settled_at)}"
    if leader_id or shared:
        more += f" with {leader_id} {shared}"
    if rank:
        more += f" rank {rank}"
    if tried_before:
        more += f" after {tried_before}"
    told = f"{delivery_id} {person_id} {person_version} {addressee} {principal}"
    return f"{told} {channel} {state} {reason} {attempts}{more}\n"


def _written(at: datetime) -> str:
    return f"{at.isoformat()}+00:00"


def _as_stored(column: Any) -> sa.ColumnElement[datetime]:
    """A time as the database has it, in UTC without saying so: making each aware would take longer than its hash."""
    return sa.type_coerce(column, sa.DateTime())


_ROOT_DELIVERIES: sa.Executable = (
    sa.select(
        *map(
            col,
            (
                Delivery.id,
                Delivery.person_id,
                Delivery.person_version,
                Delivery.addressee,
                Delivery.principal,
                Delivery.channel,
                Delivery.state,
                Delivery.reason,
                Delivery.attempts,
                Delivery.waits,
                Delivery.update_of,
            ),
        ),
        _as_stored(Delivery.settled_at),
        *map(col, (Delivery.leader_id, Delivery.shared, Delivery.rank, Delivery.tried_before)),
    )
    .where(col(Delivery.batch_id) == bindparam("batch"))
    .order_by(col(Delivery.id))
)
_ROOT_ATTEMPTS: sa.Executable = (
    sa.select(
        *map(
            col,
            (Attempt.delivery_id, Attempt.n, Attempt.result, Attempt.stage, Attempt.code, Attempt.channel),
        ),
        _as_stored(Attempt.outcome_at),
    )
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
