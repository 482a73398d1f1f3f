"""What is sealed: it opens with its key, and what was destroyed is gone.

Every sealed column of every live incident is opened, in pieces, and forgotten at once; nothing of it is shown. The
list of people is opened by `people`, which also reads it. A blob beside the database is only looked for: reading
gigabytes of evidence is what `incident evidence verify` is for.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import SQLModel, select

from incident.errors import KeyMissing, Unreadable
from incident.ops.checks.base import DAMAGED, Findings, Invariant, Survey, View, table_of
from incident.ops.retention import DESTRUCTION
from incident.record.decisions import Verdict, signature_holds
from incident.record.incidents import IncidentState
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.keyring import WORKSPACE_KEY, counsel_key
from incident.store.sealing import unseal
from incident.store.tables import (
    WORKSPACE_TABLES,
    Alert,
    Attempt,
    Decision,
    Evidence,
    Incident,
    JournalBody,
    Operator,
    PeopleProblem,
    Person,
    PrivilegedNote,
    load_all,
)

_alert, _attempt, _bodies, _evidence, _incident, _person, _privileged, _problem = map(
    table_of, (Alert, Attempt, JournalBody, Evidence, Incident, Person, PrivilegedNote, PeopleProblem)
)

KEYS = Invariant(
    "sealed.keys",
    "each live incident has its key, and no destroyed one has",
    "put the keyring back from where it is kept, or set store.keyring to its place",
)
OPENS = Invariant(
    "sealed.opens", "everything that is sealed opens with the key of its incident, in its own row"
)
GONE = Invariant(
    "sealed.gone",
    "of an incident that was destroyed nothing sealed is left, and somebody signed for it",
    "finish it: `incident --as NAME purge ID`",
)
BELONGS = Invariant("sealed.belongs", "every row belongs to an incident that is on record")
BLOBS = Invariant(
    "sealed.blobs",
    "each piece of evidence lies where it was put",
    "put the folder blobs/ back from a copy; `incident evidence verify` reads each file",
)


def _look_at_keys(view: View, findings: Findings) -> None:
    keyring = view.house.store.keyring
    if not keyring.has(WORKSPACE_KEY):
        findings.untold(KEYS, f"the keyring is not at {keyring.folder}")
        return
    columns = _incident.c
    for incident, state in view.rows(sa.select(columns.id, columns.state).where(view.mine(columns.id))):
        destroyed = _is_destroyed(view, incident)
        if state == IncidentState.DESTROYED:
            if not destroyed or keyring.has(counsel_key(incident)):
                what = "it is destroyed on record, and its key is not"
                findings.broken(KEYS, incident, what, next_step=GONE.next_step)
        elif destroyed:
            findings.broken(KEYS, incident, "its key was destroyed, and it is not destroyed on record")
        elif _is_destroyed(view, counsel_key(incident)):
            findings.broken(KEYS, incident, "the key of its notes for counsel was destroyed, and it was not")
        elif not keyring.has(incident):
            findings.broken(KEYS, incident, "its key is not in the keyring")


def _is_destroyed(view: View, key: str) -> bool:
    try:
        return view.house.store.keyring.destroyed_at(key) is not None
    except KeyMissing:
        # The note that says when cannot be read; that there is one is enough.
        return True


# -- what opens --------------------------------------------------------------------------------------


def _look_at_seals(view: View, findings: Findings) -> None:
    keyring = view.house.store.keyring
    for incident in view.live():
        if not keyring.has(incident):
            findings.untold(OPENS, f"no key for {incident}")
            continue
        for table in _sealed_tables():
            if table is _privileged:
                _look_at_privileged(view, findings, incident)
            elif table is not _person and table not in _of_the_workspace():
                _must_open(view, findings, table, keyring.get(incident), *_of_incident(table, incident))
    if view.incident_id is not None:
        return
    if not keyring.has(WORKSPACE_KEY):
        findings.untold(OPENS, "no key for the workspace")
        return
    key = keyring.get(WORKSPACE_KEY)
    _must_open(view, findings, _bodies, key, _bodies.c.chain == WORKSPACE_CHAIN)
    _must_open(view, findings, _alert, key, ~_is_mapped())
    for table in _of_the_workspace():
        if "sealed" in table.c:
            _must_open(view, findings, table, key)


def _look_at_privileged(view: View, findings: Findings, incident: str) -> None:
    keyring, name = view.house.store.keyring, counsel_key(incident)
    mine = _privileged.c.incident_id == incident
    if keyring.has(name):
        _must_open(view, findings, _privileged, keyring.get(name), mine)
    elif any(view.rows(sa.select(_privileged.c.id).where(mine))):
        findings.untold(OPENS, f"no key for {name}")


def _of_the_workspace() -> list[sa.Table]:
    return [table_of(table) for table in WORKSPACE_TABLES]


def _sealed_tables() -> list[sa.Table]:
    load_all()
    return [table for _, table in sorted(SQLModel.metadata.tables.items()) if "sealed" in table.c]


def _of_incident(table: sa.Table, incident: str) -> list[sa.ColumnElement[bool]]:
    mine = [_owner(table) == incident]
    if table is _attempt:
        # Sealed there are the other side's words; before an answer there are none.
        mine.append(table.c.stage.is_not(None) | (sa.func.length(table.c.sealed) > 0))
    if table is _alert:
        mine.append(_is_mapped())
    return mine


def _owner(table: sa.Table) -> sa.Column[str]:
    if table is _bodies:
        return table.c.chain
    return table.c.id if table is _incident else table.c.incident_id


def _is_mapped() -> sa.ColumnElement[bool]:
    """Until it is mapped, or when it belongs to nothing, an alert is sealed by the workspace's key."""
    return _alert.c.mapped_at.is_not(None) & _alert.c.incident_id.is_not(None)


def _must_open(
    view: View, findings: Findings, table: sa.Table, key: bytes, *mine: sa.ColumnElement[bool]
) -> None:
    for *parts, sealed in view.rows(sa.select(*table.primary_key.columns, table.c.sealed).where(*mine)):
        row = "/".join(str(part) for part in parts)
        try:
            unseal(key, sealed, bound_to=f"{table.name}/{row}")
        except Unreadable:
            findings.broken(OPENS, f"{table.name} {row}", "what is sealed in it does not open")


# -- what is gone ------------------------------------------------------------------------------------


def _look_at_the_destroyed(view: View, findings: Findings) -> None:
    columns = _incident.c
    statement = sa.select(
        columns.id, columns.state, columns.closed_at.is_not(None), columns.destroyed_at.is_not(None)
    )
    for incident, state, is_closed, has_day in list(view.rows(statement.where(view.mine(columns.id)))):
        if state not in set(IncidentState):
            findings.broken(GONE, incident, "its state is unknown", next_step=DAMAGED)
        if is_closed == (state == IncidentState.OPEN) or has_day != (state == IncidentState.DESTROYED):
            findings.broken(GONE, incident, "its state and its days do not fit", next_step=DAMAGED)
        if state == IncidentState.DESTROYED:
            _must_be_gone(view, findings, incident)


def _must_be_gone(view: View, findings: Findings, incident: str) -> None:
    step = GONE.next_step.replace("ID", incident)
    for table in _sealed_tables():
        if table in _of_the_workspace():
            continue
        left = sa.select(sa.func.count()).select_from(table).where(_owner(table) == incident)
        if table not in (_person, _problem):
            left = left.where(sa.func.length(table.c.sealed) > 0)
        many = view.session.connection().execute(left).scalar_one()
        if many:
            findings.broken(GONE, f"{table.name} of {incident}", f"{many} rows are left", next_step=step)
    if not any(_signed(view, each) for each in _destructions(view, incident)):
        findings.broken(GONE, incident, "no valid signature says that it may be destroyed")


def _destructions(view: View, incident: str) -> list[Decision]:
    statement = select(Decision).where(
        Decision.incident_id == incident,
        Decision.subject_kind == DESTRUCTION,
        Decision.verdict == Verdict.APPROVED,
    )
    return list(view.session.exec(statement).all())


def _signed(view: View, decision: Decision) -> bool:
    operator = view.session.get(Operator, decision.operator_id)
    return operator is not None and signature_holds(decision, operator)


# -- what belongs ------------------------------------------------------------------------------------


def _look_at_owners(view: View, findings: Findings) -> None:
    load_all()
    known = sa.select(_incident.c.id)
    for name, table in sorted(SQLModel.metadata.tables.items()):
        if "incident_id" not in table.c:
            continue
        owner = table.c.incident_id
        statement = (
            sa.select(owner, sa.func.count()).where(view.mine(owner), owner.not_in(known)).group_by(owner)
        )
        for incident, many in view.rows(statement):
            findings.broken(BELONGS, f"{name} of {incident}", f"{many} rows, and there is no such incident")


def _look_at_blobs(view: View, findings: Findings) -> None:
    columns = _evidence.c
    statement = sa.select(columns.id, columns.incident_id, columns.blob, columns.size)
    for evidence, incident, blob, size in view.rows(statement.where(columns.incident_id.in_(view.live()))):
        file = view.house.workspace.blobs / incident / blob
        if not file.is_file():
            if view.alone:
                findings.broken(BLOBS, f"evidence {evidence}", "its file is not there")
            else:
                findings.untold(BLOBS, f"the file of evidence {evidence} is not on this machine")
        elif file.stat().st_size < size:
            findings.broken(BLOBS, f"evidence {evidence}", "its file is shorter than what was taken")


SURVEYS = (
    Survey(_look_at_keys, (KEYS,)),
    Survey(_look_at_seals, (OPENS,)),
    Survey(_look_at_the_destroyed, (GONE,)),
    Survey(_look_at_owners, (BELONGS,)),
    Survey(_look_at_blobs, (BLOBS,)),
)
