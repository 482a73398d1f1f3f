"""How long containment interrupted something, as a fact for the grading.

While it is in force the time runs: it is shown, and nothing is stated. Once it is taken back the time is stated as a
fact, unless a person has said as much or more. Times that overlap are counted once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from incident.record.dossier import StatedFact, dossier_in
from incident.record.facts import Certainty, Fact, FieldType, Interval, Value, field_catalogue
from incident.record.incidents import IncidentState, must_exist, state_facts
from incident.record.numbers import label_of
from incident.response.containment import UNENDED, containment_of
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import Containment

SOURCE = "containment"
"""The first word of the source of a fact that was measured here."""
ENGINE = "engine"


@dataclass(frozen=True)
class Downtime:
    """The time that containment interrupted something, in whole seconds until now. `labels` of what still does."""

    field: str
    seconds: int
    labels: tuple[str, ...]

    @property
    def runs(self) -> bool:
        return bool(self.labels)

    @property
    def interval(self) -> Interval:
        """At least so long while it runs, exactly so long when it is over."""
        return Interval(self.seconds) if self.runs else Interval.exactly(self.seconds)


def duration_fields() -> frozenset[str]:
    """The facts that are durations."""
    return frozenset(name for name, each in field_catalogue().items() if each.type is FieldType.duration)


def downtime_of(session: Session, store: Store, incident_id: str, *, now: datetime) -> list[Downtime]:
    """By field, what containment interrupts or interrupted in an incident."""
    durations = duration_fields()  # a playbook from elsewhere may name anything
    by_field: dict[str, list[Containment]] = {}
    for row in containment_of(session, incident_id):
        field = store.open(row, incident_id=incident_id)["interrupts"]
        if field in durations:
            by_field.setdefault(field, []).append(row)
    return [_downtime(field, rows, now=now) for field, rows in by_field.items()]


def _downtime(field: str, rows: Sequence[Containment], *, now: datetime) -> Downtime:
    spans = [(row.done_at, row.ended_at or now) for row in rows]
    labels = tuple(label_of(row) for row in rows if row.state in UNENDED)
    return Downtime(field, int(covered_seconds(spans)), labels)


def covered_seconds(spans: Iterable[tuple[datetime, datetime]]) -> float:
    """The time that lies in at least one of the spans."""
    total, reached = 0.0, None
    for begin, end in sorted(spans):
        begin = begin if reached is None else max(begin, reached)
        if end > begin:
            total += (end - begin).total_seconds()
            reached = end
        elif reached is None:
            reached = end
    return total


def state_downtime(change: Change, store: Store, undone: Sequence[Containment]) -> bool:
    """State how long what was just taken back had interrupted something; whether a fact was stated.

    What a person said is kept where it says as much: see `joined`. Nothing is stated in an incident that is closed.
    """
    fields: dict[str, str] = {}
    for row in undone:
        content = store.open(row, incident_id=row.incident_id)
        if content["interrupts"]:
            fields[content["interrupts"]] = f"{SOURCE} {row.run_id} {content['label']}"
    if not fields or must_exist(change.session, undone[0].incident_id).state != IncidentState.OPEN:
        return False
    incident_id = undone[0].incident_id
    current = dossier_in(change.session, store, incident_id).current
    facts = []
    for measured in downtime_of(change.session, store, incident_id, now=change.at):
        if measured.field not in fields:
            continue
        value = joined(measured.interval, _said_by_people(current, measured.field))
        if value is not None:
            source = fields[measured.field]
            facts.append(Fact(measured.field, value, ENGINE, source, Certainty.confirmed, change.at))
    state_facts(store, change, incident_id, facts)
    return bool(facts)


def _said_by_people(current: Mapping[str, StatedFact], field: str) -> Value | None:
    stated = current.get(field)
    if stated is None or (stated.fact.said_by == ENGINE and stated.fact.source.startswith(f"{SOURCE} ")):
        return None
    return stated.fact.value


def joined(measured: Interval, said: Value | None) -> Interval | None:
    """What is to be stated of a measured time where a person has said something of the whole; None where nothing is.

    A person may know of more than our containment, so that what we measured is the least that it was.
    """
    if not isinstance(said, Interval):
        return measured
    if said.min >= measured.min:
        return None
    if said.max is None or said.max >= measured.min:
        likely = said.likely if said.likely is not None and said.likely >= measured.min else None
        return Interval(measured.min, likely, said.max)
    return Interval(measured.min)
