"""Briefs, handovers and exports as events of the timeline: who was told, when, and the hash of what they were given."""

from __future__ import annotations

from collections.abc import Iterator

from sqlmodel import Session, col, select

from incident.briefing.handing_over import HANDOVER_GIVEN
from incident.briefing.making import BRIEF_MADE
from incident.proof.events import Event
from incident.proof.exporting import EXPORT_MADE
from incident.store.store import Store
from incident.store.tables import JournalEntry

_KINDS = {BRIEF_MADE: "brief", HANDOVER_GIVEN: "handover", EXPORT_MADE: "export"}
_WORDS = {
    "en": {
        BRIEF_MADE: "brief made for {audience} ({language}, {format}), SHA-256 {sha256:.12}",
        HANDOVER_GIVEN: "handover given{to} ({language}, {format}), SHA-256 {sha256:.12}",
        EXPORT_MADE: "exported as {format}{text}{marked}, SHA-256 {sha256:.12}",
        "to": " to {to}",
        "text": " with title and summary",
        "marked": ", TLP:{tlp}",
    },
    "zh-Hans": {
        BRIEF_MADE: "出具简报，对象 {audience}（{language}，{format}），SHA-256 {sha256:.12}",
        HANDOVER_GIVEN: "交班{to}（{language}，{format}），SHA-256 {sha256:.12}",
        EXPORT_MADE: "导出 {format}{text}{marked}，SHA-256 {sha256:.12}",
        "to": "给 {to}",
        "text": "（含标题和基本情况）",
        "marked": "，TLP:{tlp}",
    },
}


def handed_out(session: Session, store: Store, incident_id: str, *, language: str) -> Iterator[Event]:
    """Every brief, handover and export of an incident that the journal still tells of."""
    words = _WORDS[language]
    entries = session.exec(
        select(JournalEntry)
        .where(
            JournalEntry.chain == incident_id,
            col(JournalEntry.kind).in_(list(_KINDS)),
        )
        .order_by(col(JournalEntry.seq))
    ).all()
    for entry in entries:
        told = store.body_of(incident_id, entry.seq)
        if told is None:
            continue
        parts = {
            "to": words["to"].format(to=told["to"]) if told.get("to") else "",
            "text": words["text"] if told.get("with_text") else "",
            "marked": words["marked"].format(tlp=told["tlp"].upper()) if told.get("tlp") else "",
        }
        text = words[entry.kind].format_map({**told, **parts})
        yield Event(entry.at, entry.at, _KINDS[entry.kind], text, entry.actor)
