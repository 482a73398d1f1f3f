"""The timeline: everything that happened, at its own time, and when it was recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlmodel import Session, SQLModel, col, select

from incident.proof.coordination import coordination, custody
from incident.proof.duties_done import duties_done
from incident.proof.events import Event
from incident.proof.handed_out import handed_out
from incident.record.decisions import SUBJECT_TITLES
from incident.record.dossier import Dossier, LogLine, load_dossier
from incident.record.facts import field_named, show_value
from incident.record.measures import measure_named
from incident.store.store import Store
from incident.store.tables import (
    AlertItem,
    Campaign,
    Decision,
    Evidence,
    Notice,
    NoticeEdit,
    Operator,
    PeopleImport,
    PublicNotice,
    Report,
    Run,
)

Row = TypeVar("Row", bound=SQLModel)
_UNKNOWN = {"zh-Hans": "尚不清楚", "en": "not known yet"}


def timeline(store: Store, incident_id: str, *, language: str, zone: ZoneInfo) -> list[Event]:
    """All events of an incident in the order in which they happened. Raises `NotFound` or `KeyDestroyed`."""
    dossier = load_dossier(store, incident_id)
    with store.read() as session:
        events = [
            *_record(dossier, language, zone),
            *_decisions(session, incident_id),
            *_people(session, incident_id),
            *_releases(session, incident_id),
            *_runs(session, incident_id),
            *coordination(session, store, incident_id, language=language, zone=zone),
            *custody(session, store, incident_id, language=language),
            *duties_done(session, store, incident_id, language=language),
            *handed_out(session, store, incident_id, language=language),
        ]
    return sorted(events, key=lambda event: (event.at, event.recorded_at))


def _record(dossier: Dossier, language: str, zone: ZoneInfo) -> Iterator[Event]:
    told = f", told by {dossier.told_by}" if dossier.told_by else ""
    yield Event(
        dossier.opened_at,
        dossier.opened_at,
        "opened",
        f"{dossier.id} opened: {dossier.title}{told}",
        dossier.opened_by,
    )
    if dossier.closed_at is not None:
        yield Event(dossier.closed_at, dossier.closed_at, "closed", f"{dossier.id} closed", "")
    for stated in dossier.history:
        fact = stated.fact
        title = field_named(fact.field).title[language]
        shown = (
            _UNKNOWN[language]
            if fact.value is None
            else show_value(field_named(fact.field), fact.value, language=language, zone=zone)
        )
        said = f" ({fact.said_by}, {fact.sure})" if fact.said_by else f" ({fact.sure})"
        yield Event(
            fact.known_at,
            stated.recorded_at,
            "fact",
            f"{fact.field} | {title}: {shown}{said}",
            stated.recorded_by,
        )
    for line in dossier.log:
        action = f"{line.action} | {measure_named(line.action).title[language]}: " if line.action else ""
        marks = "".join(_marks(line, _MARKS[language]))
        kind = "measure" if line.action else "log"
        by = line.by or ("playbook" if line.origin == "run" else "")
        yield Event(line.at, line.recorded_at, kind, f"{action}{line.text}{marks}", by, line.id)


_MARKS = {
    "en": {"evidence": " [evidence {id}]", "corrects": " [corrects {id}]", "old": " [corrected later]"},
    "zh-Hans": {"evidence": " [证据 {id}]", "corrects": " [更正 {id}]", "old": " [后已更正]"},
}


def _marks(line: LogLine, words: Mapping[str, str]) -> Iterator[str]:
    for one in line.evidence:
        yield words["evidence"].format(id=one[:8])
    if line.corrects is not None:
        yield words["corrects"].format(id=line.corrects[:8])
    if line.superseded:
        yield words["old"]


def _decisions(session: Session, incident_id: str) -> Iterator[Event]:
    for decision in _of(session, Decision, incident_id, Decision.decided_at, Decision.id):
        operator = session.get(Operator, decision.operator_id)
        what = SUBJECT_TITLES.get(decision.subject_kind, decision.subject_kind)
        text = f"{what} {decision.verdict}, content {decision.subject_hash[:12]}, signed"
        yield Event(
            decision.decided_at,
            decision.decided_at,
            "decision",
            text,
            operator.name if operator else "",
            decision.id,
        )


def _people(session: Session, incident_id: str) -> Iterator[Event]:
    for row in _of(session, PeopleImport, incident_id, PeopleImport.at, PeopleImport.id):
        came_of_it = f"{row.added} added, {row.changed} changed, {row.unchanged} known already"
        if not row.added + row.changed + row.unchanged:
            came_of_it = "nobody taken from it"
        text = f"list of people read: {row.rows} rows, {came_of_it}, {row.problems} with problems"
        yield Event(row.at, row.at, "people", text, row.by)
    for one in _of(session, Evidence, incident_id, Evidence.recorded_at, Evidence.id):
        text = f"evidence taken, {one.size} bytes, SHA-256 {one.sha256[:12]}"
        yield Event(one.recorded_at, one.recorded_at, "evidence", text, one.recorded_by, one.id)
    for item in _of(session, AlertItem, incident_id, AlertItem.at, AlertItem.alert_id, AlertItem.position):
        yield Event(
            item.at,
            item.at,
            "alert",
            f"alert {item.arrival}, severity {item.severity}",
            "hooks",
            item.alert_id,
        )


def _releases(session: Session, incident_id: str) -> Iterator[Event]:
    for row in _of(session, Notice, incident_id, Notice.version):
        text = f"notice version {row.version} drafted, content {row.content_hash[:12]}"
        yield Event(row.created_at, row.created_at, "notice", text, row.created_by)
        if row.released_at is not None:
            yield Event(
                row.released_at, row.released_at, "notice", f"notice version {row.version} released", ""
            )
    for edit in _of(session, NoticeEdit, incident_id, NoticeEdit.number):
        # The kind of edit is sealed with the words; what it says stands in the version that was drafted from it.
        text = f"notice edited: {edit.place} ({edit.language})"
        yield Event(edit.edited_at, edit.edited_at, "notice", text, edit.edited_by, edit.id)
    for campaign in _of(session, Campaign, incident_id, Campaign.opened_at, Campaign.id):
        text = f"sending began, {campaign.expected} people"
        yield Event(campaign.opened_at, campaign.opened_at, "sending", text, campaign.opened_by)
        if campaign.ended_at is not None:
            text = f"sending ended, {campaign.expected} people accounted for"
            yield Event(campaign.ended_at, campaign.ended_at, "sending", text, "")
    for page in _of(session, PublicNotice, incident_id, PublicNotice.published_at, PublicNotice.id):
        text = f"public notice published ({page.language}), SHA-256 {page.sha256[:12]}"
        yield Event(page.published_at, page.published_at, "public notice", text, "")
    for report in _of(session, Report, incident_id, Report.created_at, Report.id):
        text = f"report {report.regime} ({report.phase}) version {report.version}"
        yield Event(report.created_at, report.created_at, "report", f"{text} filled", report.created_by)
        if report.submitted_at is not None:
            yield Event(report.submitted_at, report.submitted_at, "report", f"{text} submitted", "")


def _runs(session: Session, incident_id: str) -> Iterator[Event]:
    for run in _of(session, Run, incident_id, Run.id):
        yield Event(
            run.started_at, run.started_at, "run", f"{run.id} started: {run.playbook}", run.started_by
        )
        if run.ended_at is not None:
            yield Event(run.ended_at, run.ended_at, "run", f"{run.id} ended: {run.state}", "")


def _of(session: Session, table: type[Row], incident_id: str, *order: object) -> Sequence[Row]:
    """An incident's rows of a table; what happened at one moment always comes in the same order."""
    columns = [col(each) for each in order]
    statement = select(table).where(table.incident_id == incident_id)  # type: ignore[attr-defined]
    return session.exec(statement.order_by(*columns)).all()
