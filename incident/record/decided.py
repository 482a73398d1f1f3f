"""All signed decisions of an incident, of whatever kind, and how a stranger verifies them with OpenSSH alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from incident.errors import KeyMissing, Unreadable
from incident.record.decisions import counts, signature_holds
from incident.record.incidents import must_exist
from incident.record.numbers import Numbered, label_of
from incident.record.resolutions import ResolutionLine, list_resolutions
from incident.record.sshsig import NAMESPACE
from incident.settings import Born
from incident.store.opening import born_as
from incident.store.store import Store
from incident.store.tables import (
    Decision,
    Hold,
    Instruction,
    Notice,
    Operator,
    PrivilegedNote,
    Resolution,
    RunEffect,
    Waiver,
)


@dataclass(frozen=True)
class DecisionLine:
    """A signed decision as it is read.

    `about` is how people call what was decided on (D1, H1, a run, a version), as far as that has a name. `holds`: the
    signature is the operator's over this very row. `counts`: it holds, and nothing else stands against it.
    `reason` is None and `resolution` too once the incident's data was destroyed; who decided what, and the signature,
    stay.
    """

    id: str
    at: datetime
    operator: str
    fingerprint: str
    kind: str
    about: str
    subject_id: str
    subject_hash: str
    verdict: str
    reason: str | None
    holds: bool
    counts: bool
    resolution: ResolutionLine | None
    statement: str
    signature: str

    @property
    def replaced_by(self) -> str | None:
        return self.resolution.replaced_by if self.resolution is not None else None


def list_decisions(session: Session, store: Store, incident_id: str) -> list[DecisionLine]:
    """The first first. Also of an incident whose data was destroyed. Raises `NotFound`."""
    must_exist(session, incident_id)
    drill = born_as(store) == Born.DRILL
    names = _names(session, incident_id)
    resolutions = _resolutions(session, store, incident_id)
    operators = {operator.id: operator for operator in session.exec(select(Operator)).all()}
    mine = (
        select(Decision)
        .where(Decision.incident_id == incident_id)
        .order_by(col(Decision.decided_at), col(Decision.id))
    )
    lines = []
    for row in session.exec(mine).all():
        operator = operators.get(row.operator_id)
        lines.append(
            DecisionLine(
                id=row.id,
                at=row.decided_at,
                operator=operator.name if operator is not None else "",
                fingerprint=operator.fingerprint if operator is not None else "",
                kind=row.subject_kind,
                about=names.get(row.subject_id, ""),
                subject_id=row.subject_id,
                subject_hash=row.subject_hash,
                verdict=row.verdict,
                reason=_reason(store, row),
                holds=operator is not None and signature_holds(row, operator),
                counts=operator is not None and counts(row, operator, drill=drill),
                resolution=resolutions.get(row.subject_id),
                statement=row.statement,
                signature=row.signature,
            )
        )
    return lines


def allowed_signers(operators: Iterable[Operator]) -> str:
    """A file for `ssh-keygen -Y verify -f`: who signs decisions with which key, the retired until they were.

    Format: ALLOWED SIGNERS of ssh-keygen(1); times in UTC, which OpenSSH reads from version 9.1 on.
    """
    lines = []
    for operator in operators:
        until = (
            f',valid-before="{openssh_time(operator.retired_at)}"' if operator.retired_at is not None else ""
        )
        lines.append(f'{operator.name} namespaces="{NAMESPACE}"{until} {operator.public_key}\n')
    return "".join(lines)


def openssh_time(moment: datetime) -> str:
    """A time as OpenSSH's tools read it, in UTC."""
    return f"{moment.astimezone(UTC):%Y%m%d%H%M%S}Z"


def _names(session: Session, incident_id: str) -> dict[str, str]:
    names = {row.id: label_of(row) for row in session.exec(_mine(Hold, incident_id)).all()}
    names |= {row.id: label_of(row) for row in session.exec(_mine(Instruction, incident_id)).all()}
    names |= {row.id: label_of(row) for row in session.exec(_mine(PrivilegedNote, incident_id)).all()}
    names |= {row.id: label_of(row) for row in session.exec(_mine(Resolution, incident_id)).all()}
    names |= {
        row.id: f"{label_of(row)} {row.duty_id}" for row in session.exec(_mine(Waiver, incident_id)).all()
    }
    versions = select(Notice.id, Notice.version).where(Notice.incident_id == incident_id)
    names.update({notice: f"version {version}" for notice, version in session.exec(versions).all()})
    steps = select(RunEffect.id, RunEffect.run_id).where(RunEffect.incident_id == incident_id)
    names.update(dict(session.exec(steps).all()))
    return names


def _mine(table: type[Numbered], incident_id: str) -> SelectOfScalar[Numbered]:
    return select(table).where(table.incident_id == incident_id)


def _resolutions(session: Session, store: Store, incident_id: str) -> dict[str, ResolutionLine]:
    try:
        return {line.id: line for line in list_resolutions(session, store, incident_id)}
    except (KeyMissing, Unreadable):
        # Destroyed, lost or damaged: what was signed is listed all the same.
        return {}


def _reason(store: Store, row: Decision) -> str | None:
    try:
        return str(store.open(row, incident_id=row.incident_id)["reason"])
    except (KeyMissing, Unreadable):
        return None
