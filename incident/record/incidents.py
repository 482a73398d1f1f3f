"""Incidents, their facts and their log: opening, telling, correcting. Every change is journalled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

from sqlmodel import Session, col, func, select

from incident.errors import NotFound, Refused, WorkspaceError
from incident.record.facts import Fact, field_named, value_to_json
from incident.record.measures import measure_named
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import FactRow, Incident, LogEntry


class IncidentState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    DESTROYED = "destroyed"


class Origin(StrEnum):
    """How the incident came to us."""

    PERSON = "person"
    ALERT = "alert"


_FUTURE_SLACK = timedelta(minutes=5)


def open_incident(
    store: Store,
    title: str,
    *,
    facts: Sequence[Fact],
    told_by: str,
    origin: Origin,
    actor: str,
    now: datetime,
    zone: tzinfo,
    then: Callable[[Change, str], None] | None = None,
) -> str:
    """Open an incident with a key and a chain of its own; returns its id (INC-YEAR-NUMBER).

    `then` does what belongs to the opening (duties, a playbook) in the same transaction. Raises `StoreUnavailable`
    or `WorkspaceError`; then no key and no row is left behind.
    """
    incident_id = _reserve_id(store, now=now, zone=zone)
    try:
        with store.write(incident_id, kind="incident.opened", actor=actor, now=now) as change:
            _must_be_new(change, incident_id)
            change.put(
                Incident(
                    id=incident_id,
                    opened_at=now,
                    opened_by=actor,
                    origin=origin,
                    state=IncidentState.OPEN,
                ),
                {"title": title, "told_by": told_by},
            )
            _put_facts(store, change, incident_id, facts)
            if then is not None:
                then(change, incident_id)
            change.anchor()
    except _NumberTaken:
        store.keyring.discard(incident_id)
        raise
    except BaseException:
        # An interrupt may come after the commit: then the key is needed. If nobody can tell, it stays.
        if not _was_opened(store, incident_id):
            store.keyring.discard(incident_id)
        raise
    return incident_id


class _NumberTaken(WorkspaceError):
    """There is an incident of this number, and its key is not in our keyring."""


def _must_be_new(change: Change, incident_id: str) -> None:
    # The keyring gives each number once. Another machine with a keyring of its own has given it there.
    if change.session.get(Incident, incident_id) is not None:
        raise _NumberTaken(
            f"{incident_id} was opened with another keyring at the same moment",
            where="store.keyring",
            next_step="let all machines share one keyring, then open the incident again",
        )


def _was_opened(store: Store, incident_id: str) -> bool:
    with store.read() as session:
        return session.get(Incident, incident_id) is not None


def state_facts(store: Store, change: Change, incident_id: str, facts: Sequence[Fact]) -> None:
    """Record what was said; the latest statement of a field holds, earlier ones stay in the history.

    Raises `BadInput` for a field that is none.
    """
    must_be_open(change.session, incident_id)
    _put_facts(store, change, incident_id, facts)


def log_entry(
    store: Store,
    change: Change,
    incident_id: str,
    text: str,
    *,
    at: datetime,
    by: str,
    action: str | None = None,
    evidence: Sequence[str] = (),
    corrects: str | None = None,
) -> LogEntry:
    """What a person did or saw, at its own time, within a change. With `action` it is a measure taken.

    Raises `NotFound` for an unknown measure or entry to correct, `Refused` for a time that is still to come and for
    an entry that was corrected already.
    """
    if action is not None:
        measure_named(action)
    must_have_happened(at, now=change.at, option="--at")
    must_be_open(change.session, incident_id)
    if corrects is not None:
        corrects = entry_called(change.session, incident_id, corrects).id
        later = change.session.exec(select(LogEntry.id).where(LogEntry.corrects == corrects)).first()
        if later is not None:
            raise Refused(
                f"the entry {corrects} was corrected already, by {later}",
                next_step=f"look at it (`incident timeline`), then correct that one: --corrects {later[:8]}",
            )
    return _put_log(
        store,
        change,
        incident_id,
        text,
        at=at,
        by=by,
        action=action,
        evidence=evidence,
        corrects=corrects,
        origin="log",
    )


def must_have_happened(at: datetime, *, now: datetime, option: str = "") -> None:
    """Raises `Refused` for a time that is still to come: the record takes what has happened."""
    if at > now + _FUTURE_SLACK:
        raise Refused(
            "the record takes what has happened; this time is still to come",
            where=at.isoformat(timespec="minutes"),
            next_step=f"check the date and the zone{f' of {option}' if option else ''}",
        )


def must_have_not_come(at: datetime, *, now: datetime, option: str = "") -> None:
    """Raises `Refused` for a time that is past, where one to come is asked for."""
    if at <= now:
        raise Refused(
            "this time is past",
            where=at.isoformat(timespec="minutes"),
            next_step=f"name one to come{f': {option} +24h' if option else ''}",
        )


def entry_called(session: Session, incident_id: str, name: str) -> LogEntry:
    """A log entry by the beginning of its id that lists show. Raises `NotFound`."""
    mine = select(LogEntry).where(LogEntry.incident_id == incident_id)
    found = [each for each in session.exec(mine).all() if name and each.id.startswith(name)]
    if len(found) != 1:
        what = f"{len(found)} log entries begin with {name}" if found else f"there is no log entry {name}"
        raise NotFound(what, next_step="`incident timeline` shows their ids")
    return found[0]


def record_run_measure(
    store: Store, change: Change, incident_id: str, *, action: str, text: str, by: str, at: datetime
) -> None:
    """A measure that a playbook's step carried out, inside the change that settles the step.

    Raises `NotFound` for a measure that is not in the catalogue.
    """
    measure_named(action)
    _put_log(store, change, incident_id, text, at=at, by=by, action=action, origin="run")


def record_run_note(store: Store, change: Change, incident_id: str, *, text: str, at: datetime) -> None:
    """What a run found out, in the log. It is no measure."""
    _put_log(store, change, incident_id, text, at=at, by="", action=None, origin="run")


def _put_log(
    store: Store,
    change: Change,
    incident_id: str,
    text: str,
    *,
    at: datetime,
    by: str,
    action: str | None,
    origin: str,
    evidence: Sequence[str] = (),
    corrects: str | None = None,
) -> LogEntry:
    row = LogEntry(
        id=store.new_id(),
        incident_id=incident_id,
        at=at,
        recorded_at=change.at,
        recorded_by=change.actor,
        origin=origin,
        action=action,
        corrects=corrects,
    )
    change.put(row, {"text": text, "by": by, "evidence": list(evidence)})
    return row


def close_incident(change: Change, incident_id: str, *, reason: str) -> None:
    """Close an incident; its head is anchored. Raises `Refused` while a task is open: who closes it says what became of it."""
    # What these need is heavy, and only this needs it.
    from incident.record.summons import settle_all_summons
    from incident.store.tables import Task

    row = must_be_open(change.session, incident_id)
    mine = select(Task.number).where(Task.incident_id == incident_id, Task.state == "open")
    waiting = [f"T{number}" for number in change.session.exec(mine.order_by(col(Task.number))).all()]
    if waiting:
        raise Refused(
            f"{incident_id} has open tasks: {', '.join(waiting)}",
            next_step="end each: `incident task done`, or `incident task drop` with the reason",
        )
    row.state = IncidentState.CLOSED
    row.closed_at = change.at
    settle_all_summons(change, incident_id)
    change.put(row)
    change.note(reason=reason)
    change.anchor()


def must_be_open(session: Session, incident_id: str) -> Incident:
    """The incident's row if it is open. Raises `NotFound` or `Refused`."""
    row = must_exist(session, incident_id)
    if row.state != IncidentState.OPEN:
        raise Refused(f"{incident_id} is {row.state}", next_step="open a new incident, or name another one")
    return row


def must_exist(session: Session, incident_id: str) -> Incident:
    """The incident's row. Raises `NotFound`."""
    row = session.get(Incident, incident_id)
    if row is None:
        raise NotFound(f"there is no incident {incident_id}", next_step="`incident list` shows them all")
    return row


def list_incidents(store: Store) -> list[Incident]:
    """All incidents, the newest first."""
    with store.read() as session:
        statement = select(Incident).order_by(col(Incident.opened_at).desc(), col(Incident.id).desc())
        return list(session.exec(statement).all())


def _put_facts(store: Store, change: Change, incident_id: str, facts: Sequence[Fact]) -> None:
    seq = change.session.exec(select(func.count()).where(FactRow.incident_id == incident_id)).one()
    for number, fact in enumerate(facts, start=seq + 1):
        # A field that nobody knows would make the whole record unreadable.
        field_named(fact.field)
        row = FactRow(
            id=store.new_id(),
            incident_id=incident_id,
            seq=number,
            field=fact.field,
            known_at=fact.known_at,
            recorded_at=change.at,
            recorded_by=change.actor,
        )
        content = {
            "value": value_to_json(fact.value),
            "said_by": fact.said_by,
            "source": fact.source,
            "sure": fact.sure,
        }
        change.put(row, content)


def _reserve_id(store: Store, *, now: datetime, zone: tzinfo) -> str:
    year = now.astimezone(zone).year
    prefix = f"INC-{year}-"
    with store.read() as session:
        last = session.exec(
            select(Incident.id)
            .where(col(Incident.id).startswith(prefix))
            .order_by(func.length(Incident.id).desc(), col(Incident.id).desc())
        ).first()
    number = int(last.rsplit("-", 1)[1]) if last else 0
    # A key that another process makes at this moment, or that a crash left behind, takes the number.
    for candidate in range(number + 1, number + 1000):
        incident_id = f"{prefix}{candidate:04d}"
        if store.keyring.is_taken(incident_id):
            continue
        try:
            store.keyring.create(incident_id, now=now)
        except WorkspaceError:
            if store.keyring.is_taken(incident_id):
                continue
            raise
        return incident_id
    raise WorkspaceError("the keyring is full of keys without incidents", where=str(store.keyring.folder))
