"""The dossier: all that is recorded of one incident, now or as it was recorded at an earlier time.

One builder for both: today's rows, or the journal's entries up to a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlmodel import Session, SQLModel, col, select

from incident.errors import KeyDestroyed, NotFound
from incident.record.facts import Certainty, Fact, FactSheet, field_named, value_from_json
from incident.record.incidents import IncidentState, must_exist
from incident.record.measures import MeasureTaken
from incident.store.change import row_image
from incident.store.standing import a_duty_was_met, a_notice_was_edited, was_ordered
from incident.store.store import Store
from incident.store.tables import FactRow, Incident, LogEntry

if TYPE_CHECKING:
    from incident.record.edits import Edit
    from incident.record.instructions import InstructionLine


@dataclass(frozen=True)
class StatedFact:
    """A fact with the place it has in the record."""

    seq: int
    fact: Fact
    recorded_at: datetime
    recorded_by: str


@dataclass(frozen=True)
class LogLine:
    """An entry of the log. `superseded` when a later entry corrects it."""

    id: str
    at: datetime
    recorded_at: datetime
    recorded_by: str
    origin: str
    action: str | None
    text: str
    by: str
    evidence: tuple[str, ...]
    corrects: str | None
    superseded: bool


@dataclass(frozen=True)
class Dossier:
    """Everything the record holds of one incident."""

    id: str
    title: str
    told_by: str
    opened_at: datetime
    opened_by: str
    origin: str
    state: str
    closed_at: datetime | None
    history: tuple[StatedFact, ...]
    log: tuple[LogLine, ...]
    instructions: tuple[InstructionLine, ...] = ()
    met: Mapping[str, datetime] = field(default_factory=dict)
    """When duties were met, by their ids: the clocks of others run from there."""
    edits: tuple[Edit, ...] = ()
    """What people wrote for the notice in words of their own, the newest of each part and language."""

    @property
    def current(self) -> dict[str, StatedFact]:
        """The latest statement of each field."""
        return {stated.fact.field: stated for stated in self.history}

    @property
    def sheet(self) -> FactSheet:
        """The values in force, for the law and for texts."""
        return {name: stated.fact.value for name, stated in self.current.items()}

    @property
    def measures(self) -> tuple[MeasureTaken, ...]:
        """What was done, whether a playbook did it or a person logged it."""
        return tuple(
            MeasureTaken(
                action=line.action,
                at=line.at,
                by=line.by,
                text=line.text,
                origin="run" if line.origin == "run" else "log",
            )
            for line in self.log
            if line.action is not None and not line.superseded
        )


Image = dict[str, Any]


def load_dossier(store: Store, incident_id: str) -> Dossier:
    """The dossier as it stands. Raises `NotFound`, `KeyDestroyed` or `KeyMissing`."""
    with store.read() as session:
        return dossier_in(session, store, incident_id)


def dossier_in(session: Session, store: Store, incident_id: str) -> Dossier:
    """The dossier as a session sees it, with what a change under way has written. Raises as `load_dossier`."""
    incident = must_exist(session, incident_id)
    must_be_readable(store, incident)
    facts = session.exec(select(FactRow).where(FactRow.incident_id == incident_id)).all()
    log = session.exec(select(LogEntry).where(LogEntry.incident_id == incident_id)).all()
    rows: list[SQLModel] = [
        incident,
        *facts,
        *log,
        *_orders(session, incident_id),
        *_edits(session, incident_id),
    ]
    images = [(str(row.__tablename__), _image(store, row, incident_id)) for row in rows]
    return _build(incident_id, [*images, *_met(session, incident_id)])


def load_dossier_as_of(store: Store, incident_id: str, at: datetime) -> Dossier:
    """The dossier as it was recorded at `at`, from the journal.

    Raises `NotFound` when nothing was recorded by then, `KeyDestroyed` after the incident's data was destroyed.
    """
    with store.read() as session:
        must_be_readable(store, must_exist(session, incident_id))
    rows: dict[tuple[str, str], Image] = {}
    for recorded in store.recorded(incident_id, until=at):
        for image in (recorded.body or {}).get("rows", []):
            row = image["row"]
            key = (image["table"], str(row.get("id") or row.get("duty_id")))
            content = image.get("content", rows.get(key, {}).get("content", {}))
            rows[key] = {**row, "content": content}
    images = [(table, image) for (table, _), image in rows.items()]
    if not any(table == Incident.__tablename__ for table, _ in images):
        raise NotFound(
            f"nothing was recorded of {incident_id} by then",
            where=at.isoformat(timespec="seconds"),
            next_step="give a later time; `incident timeline` shows when it was opened",
        )
    return _build(incident_id, images)


def must_be_readable(store: Store, row: Incident) -> None:
    """Raises `KeyDestroyed` with the date for an incident whose data was destroyed."""
    if row.state == IncidentState.DESTROYED and row.destroyed_at is not None:
        raise KeyDestroyed(
            f"the data of {row.id} was destroyed on {row.destroyed_at:%Y-%m-%d}; the proofs stay"
        )
    store.key(row.id)


def _image(store: Store, row: SQLModel, incident_id: str) -> Image:
    return {**row_image(row), "content": store.open(row, incident_id=incident_id)}


def _build(incident_id: str, images: Iterable[tuple[str, Image]]) -> Dossier:
    by_table: dict[str, list[Image]] = {}
    for table, image in images:
        by_table.setdefault(table, []).append(image)
    [incident] = by_table["incident"]
    closed = incident["closed_at"]
    return Dossier(
        id=incident_id,
        title=incident["content"]["title"],
        told_by=incident["content"]["told_by"],
        opened_at=_time(incident["opened_at"]),
        opened_by=incident["opened_by"],
        origin=incident["origin"],
        state=incident["state"],
        closed_at=_time(closed) if closed else None,
        history=tuple(sorted(map(_stated, by_table.get("fact", [])), key=lambda stated: stated.seq)),
        log=_log(by_table.get("log_entry", [])),
        instructions=_instructions(by_table.get("instruction", [])),
        edits=_newest_edits(by_table.get("notice_edit", [])),
        met={
            image["duty_id"]: _time(image["met_at"]) for image in by_table.get("duty", []) if image["met_at"]
        },
    )


def _orders(session: Session, incident_id: str) -> list[SQLModel]:
    if not was_ordered(session, incident_id):
        return []
    from incident.store.tables import Instruction

    return list(session.exec(select(Instruction).where(Instruction.incident_id == incident_id)).all())


def _edits(session: Session, incident_id: str) -> list[SQLModel]:
    if not a_notice_was_edited(session, incident_id):
        return []
    from incident.store.tables import NoticeEdit

    return list(session.exec(select(NoticeEdit).where(NoticeEdit.incident_id == incident_id)).all())


def _met(session: Session, incident_id: str) -> list[tuple[str, Image]]:
    if not a_duty_was_met(session, incident_id):
        return []
    from incident.store.tables import DutyRow

    met = session.exec(
        select(DutyRow.duty_id, DutyRow.met_at).where(
            DutyRow.incident_id == incident_id, col(DutyRow.met_at).is_not(None)
        )
    ).all()
    return [("duty", {"duty_id": duty_id, "met_at": at.isoformat()}) for duty_id, at in met if at]


def _instructions(images: list[Image]) -> tuple[InstructionLine, ...]:
    if not images:
        return ()
    from incident.record.instructions import instruction_of

    return tuple(map(instruction_of, sorted(images, key=lambda image: int(image["number"]))))


def _newest_edits(images: list[Image]) -> tuple[Edit, ...]:
    if not images:
        return ()
    from incident.record.edits import edits_in_force

    return edits_in_force(images)


def _stated(image: Image) -> StatedFact:
    content = image["content"]
    fact = Fact(
        field=image["field"],
        value=value_from_json(field_named(image["field"]), content["value"]),
        said_by=content["said_by"],
        source=content["source"],
        sure=Certainty(content["sure"]),
        known_at=_time(image["known_at"]),
    )
    return StatedFact(image["seq"], fact, _time(image["recorded_at"]), image["recorded_by"])


def _log(images: list[Image]) -> tuple[LogLine, ...]:
    corrected = {image["corrects"] for image in images if image["corrects"]}
    lines = [
        LogLine(
            id=image["id"],
            at=_time(image["at"]),
            recorded_at=_time(image["recorded_at"]),
            recorded_by=image["recorded_by"],
            origin=image["origin"],
            action=image["action"],
            text=image["content"]["text"],
            by=image["content"]["by"],
            evidence=tuple(image["content"]["evidence"]),
            corrects=image["corrects"],
            superseded=image["id"] in corrected,
        )
        for image in images
    ]
    return tuple(sorted(lines, key=lambda line: (line.at, line.recorded_at, line.id)))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
