"""Whether something stands open, asked in bare SQL.

Every command asks, and nearly always the answer is no. Building the tables, and importing what reads their rows, takes a
fifth of a short command; so a command asks here first, and builds them only where there is something to read.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlmodel import Session

_CALLS = text("SELECT 1 FROM summons WHERE ended_at IS NULL LIMIT 1")
_CALLS_IN = text("SELECT 1 FROM summons WHERE incident_id = :incident AND ended_at IS NULL LIMIT 1")
_HOLDS_IN = text("SELECT 1 FROM hold WHERE incident_id = :incident AND lifted_at IS NULL LIMIT 1")
_ORDERS_IN = text("SELECT 1 FROM instruction WHERE incident_id = :incident LIMIT 1")
_EDITED_IN = text("SELECT 1 FROM notice_edit WHERE incident_id = :incident LIMIT 1")
_MET_IN = text("SELECT 1 FROM duty WHERE incident_id = :incident AND met_at IS NOT NULL LIMIT 1")


def somebody_is_called(session: Session, incident_id: str | None = None) -> bool:
    """Whether a summons, of an incident or of any, was neither answered nor settled."""
    connection = session.connection()
    asked = _CALLS if incident_id is None else _CALLS_IN.bindparams(incident=incident_id)
    return connection.execute(asked).first() is not None


def hold_stands(session: Session, incident_id: str) -> bool:
    """Whether a hold of the incident was not lifted, also one whose time is over."""
    return session.connection().execute(_HOLDS_IN, {"incident": incident_id}).first() is not None


def was_ordered(session: Session, incident_id: str) -> bool:
    """Whether an instruction was recorded in the incident, also one that was settled."""
    return session.connection().execute(_ORDERS_IN, {"incident": incident_id}).first() is not None


def a_notice_was_edited(session: Session, incident_id: str) -> bool:
    """Whether somebody wrote words of their own for the incident's notice, also ones that were taken back."""
    return session.connection().execute(_EDITED_IN, {"incident": incident_id}).first() is not None


def a_duty_was_met(session: Session, incident_id: str) -> bool:
    """Whether a duty of the incident was met."""
    return session.connection().execute(_MET_IN, {"incident": incident_id}).first() is not None
