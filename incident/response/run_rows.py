"""Runs and their effects as rows: read in every turn of every run, and so by queries that were made ready once.

No session knows these rows; `Change.update` writes them.
"""

from __future__ import annotations

from sqlalchemy import bindparam
from sqlalchemy.orm import Session
from sqlmodel import col, func, or_, select

from incident.response.effect_states import OUTSTANDING
from incident.store.prepared import Prepared, PreparedRows
from incident.store.tables import Run, RunEffect, RunPlaybook

_RUN = PreparedRows(Run, col(Run.id) == bindparam("run"))
_EFFECT = PreparedRows(RunEffect, col(RunEffect.id) == bindparam("effect"))
_WAITS = or_(*(col(RunEffect.state) == each.value for each in sorted(OUTSTANDING)))
_OUTSTANDING = PreparedRows(
    RunEffect, (col(RunEffect.run_id) == bindparam("run")) & _WAITS, order_by=col(RunEffect.id)
)
_PLAYBOOK = PreparedRows(RunPlaybook, col(RunPlaybook.id) == bindparam("run"))
_HOW_MANY = Prepared(select(func.count()).where(col(Run.incident_id) == bindparam("incident")))


def run_row(session: Session, run_id: str) -> Run | None:
    """A run by its id."""
    return _RUN.first(session.connection(), {"run": run_id})


def playbook_row(session: Session, run_id: str) -> RunPlaybook | None:
    """What a run goes by."""
    return _PLAYBOOK.first(session.connection(), {"run": run_id})


def effect_row(session: Session, effect_id: str) -> RunEffect | None:
    """An effect by its id."""
    return _EFFECT.first(session.connection(), {"effect": effect_id})


def outstanding_rows(session: Session, run_id: str) -> list[RunEffect]:
    """What a run still waits for, in the order in which it was asked."""
    return _OUTSTANDING.all(session.connection(), {"run": run_id})


def count_runs(session: Session, incident_id: str) -> int:
    """How many runs an incident has had."""
    (many,) = _HOW_MANY.run(session.connection(), {"incident": incident_id}).fetchone()
    return int(many)
