"""The end of people's data: an incident's key is destroyed, what it sealed is removed, the proofs stay.

The order survives a crash at any point: the decision is on record first, then the key goes, then the leftovers.
Calling it again finishes what was begun.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, update
from sqlmodel import Session, SQLModel, col, func, select

from incident.errors import Refused, StoreUnavailable
from incident.hooks.receiving import AlertState
from incident.record.decisions import Signer, Subject, Verdict, decide
from incident.record.holds import standing_holds
from incident.record.incidents import IncidentState, must_exist
from incident.record.numbers import label_of
from incident.record.operators import Role, operator_named
from incident.response.housework import House
from incident.response.runner import RUNNING
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.keyring import counsel_key
from incident.store.tables import (
    Alert,
    Attempt,
    CallList,
    Campaign,
    Containment,
    Decision,
    DutyRow,
    Evaluation,
    Evidence,
    FactRow,
    Hold,
    Incident,
    Instruction,
    JournalBody,
    LogEntry,
    Notice,
    NoticeEdit,
    PeopleImport,
    PeopleProblem,
    Person,
    PrivilegedNote,
    Receipt,
    Report,
    Resolution,
    Run,
    RunEffect,
    RunPlaybook,
    Summons,
    SummonsCall,
    Task,
    Waiver,
)

DESTRUCTION = "destruction"
DESTROYED = "incident.destroyed"
_SEALED: tuple[type[SQLModel], ...] = (
    Alert,
    Attempt,
    CallList,
    Containment,
    Decision,
    DutyRow,
    Evaluation,
    Evidence,
    FactRow,
    Hold,
    Instruction,
    LogEntry,
    Notice,
    NoticeEdit,
    PeopleImport,
    PrivilegedNote,
    Receipt,
    Report,
    Resolution,
    Run,
    RunEffect,
    RunPlaybook,
    Summons,
    SummonsCall,
    Task,
    Waiver,
)


@dataclass(frozen=True)
class Purge:
    """What goes when an incident's data is destroyed."""

    incident_id: str
    state: str
    people: int
    journal_bodies: int
    files: int


def look_at_purge(house: House, incident_id: str) -> Purge:
    """What destroying an incident's data would take, without touching it. Raises `NotFound`."""
    with house.store.read() as session:
        incident = must_exist(session, incident_id)
        people = _count(
            session, select(func.count()).select_from(Person).where(Person.incident_id == incident_id)
        )
        bodies = _count(
            session,
            select(func.count())
            .select_from(JournalBody)
            .where(JournalBody.chain == incident_id, col(JournalBody.destroyed_at).is_(None)),
        )
    files = sum(1 for folder in _folders(house, incident_id) for each in folder.rglob("*") if each.is_file())
    return Purge(incident_id, incident.state, people, bodies, files)


def destroy(house: House, incident_id: str, *, signer: Signer, reason: str) -> Purge:
    """Destroy an incident's data for good. Only a closed incident, by a signed decision of an approver.

    Raises `Refused` for one that is open or still sending. Nothing of the data can be brought back, not even from a
    copy of the database made before.
    """
    store, now = house.store, house.clock()
    _must_be_real(house, signer)
    found = look_at_purge(house, incident_id)
    if found.state == IncidentState.OPEN:
        raise Refused(f"{incident_id} is open", next_step=f"close it first: `incident close {incident_id}`")
    if found.state == IncidentState.CLOSED:
        with store.write(incident_id, kind=DESTROYED, actor=signer.name, now=now) as change:
            row = must_exist(change.session, incident_id)
            if row.state != IncidentState.CLOSED:
                raise Refused(
                    "somebody else destroys it at this moment",
                    where=incident_id,
                    next_step="call it again: what was begun is finished then",
                )
            _nothing_under_way(change.session, incident_id)
            last = next(head for head in store.heads() if head.chain == incident_id)
            decide(
                change,
                incident_id,
                Subject(DESTRUCTION, incident_id, last.hash),
                Verdict.APPROVED,
                signer=signer,
                needs=Role.APPROVER,
                reason=reason,
                decision_id=store.new_id(),
            )
            row.state = IncidentState.DESTROYED
            row.destroyed_at = now
            change.put(row)
    _tell_workspace(house, incident_id, signer)
    if store.keyring.is_taken(counsel_key(incident_id)):
        store.keyring.destroy(counsel_key(incident_id), now=now)
    store.keyring.destroy(incident_id, now=now)
    _scrub(house, incident_id)
    return found


def _must_be_real(house: House, signer: Signer) -> None:
    with house.store.read() as session:
        operator = operator_named(session, signer.name)
    if operator.simulated and not house.drill:
        raise Refused(
            f"{operator.name} is a simulated operator and decides nothing outside a drill",
            next_step="let a person with a key of their own decide",
        )


def _tell_workspace(house: House, incident_id: str, signer: Signer) -> None:
    """Let the workspace's chain say it too, once: a crash may have come before."""
    told = any(
        recorded.entry.kind == DESTROYED and (recorded.body or {}).get("incident") == incident_id
        for recorded in house.store.recorded(WORKSPACE_CHAIN, skip_unreadable=True)
    )
    if told:
        return
    last = next(head for head in house.store.heads() if head.chain == incident_id)
    with house.store.write(WORKSPACE_CHAIN, kind=DESTROYED, actor=signer.name, now=house.clock()) as change:
        change.note(incident=incident_id, last_head=last.hash)


def _nothing_under_way(session: Session, incident_id: str) -> None:
    sending = session.exec(
        select(Campaign.id).where(Campaign.incident_id == incident_id, col(Campaign.ended_at).is_(None))
    ).first()
    running = session.exec(select(Run.id).where(Run.incident_id == incident_id, Run.state == RUNNING)).first()
    arriving = session.exec(
        select(Alert.id).where(Alert.incident_id == incident_id, Alert.state == AlertState.RECEIVED)
    ).first()
    holds = standing_holds(session, incident_id)
    if holds:
        raise Refused(
            f"{label_of(holds[0])} still stands; what it holds back needs the data",
            where=incident_id,
            next_step=f"lift it first (signed): `incident hold lift {incident_id} {label_of(holds[0])}`",
        )
    if arriving:
        raise Refused(
            f"the alert {arriving} is not mapped to its end; its body is still needed",
            where=incident_id,
            next_step="let a worker finish it: `incident worker`, with --retry-parked if it failed",
        )
    if sending or running:
        what = "a notice is being sent" if sending else f"the run {running} is not over"
        raise Refused(
            f"{what}; the data is still needed", where=incident_id, next_step="wait for it, or cancel the run"
        )


def _scrub(house: House, incident_id: str) -> None:
    now = house.clock()
    with house.store.transaction(in_turn=incident_id) as session:
        connection = session.connection()
        for table in _SEALED:
            connection.execute(
                update(table).where(table.incident_id == incident_id).values(sealed=b"")  # type: ignore[attr-defined]
            )
        connection.execute(update(Incident).where(col(Incident.id) == incident_id).values(sealed=b""))
        connection.execute(delete(Person).where(col(Person.incident_id) == incident_id))
        connection.execute(delete(PeopleProblem).where(col(PeopleProblem.incident_id) == incident_id))
        connection.execute(
            update(JournalBody)
            .where(col(JournalBody.chain) == incident_id)
            .values(sealed=b"", destroyed_at=now)
        )
    for folder in _folders(house, incident_id):
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreUnavailable(
                f"the key is destroyed, but files are left ({error.strerror})",
                where=str(folder),
                next_step="make the folder writable and purge again",
            ) from error


def _folders(house: House, incident_id: str) -> tuple[Path, ...]:
    """Where an incident's own files lie. What was published stays: it holds nobody's data."""
    return house.workspace.blobs / incident_id, house.workspace.reports / incident_id


def _count(session: Session, statement: object) -> int:
    return int(session.exec(statement).one())  # type: ignore[call-overload]
