"""Briefs and handovers as events of the timeline: who was told, when, and the hash of what they were given."""

from __future__ import annotations

from collections.abc import Iterator

from sqlmodel import Session, col, select

from incident.briefing.handing_over import HANDOVER_GIVEN
from incident.briefing.making import BRIEF_MADE
from incident.proof.events import Event
from incident.store.store import Store
from incident.store.tables import JournalEntry

_WORDS = {
    "en": {
        BRIEF_MADE: "brief made for {audience} ({language}, {format}), SHA-256 {sha256:.12}",
        HANDOVER_GIVEN: "handover given{to} ({language}, {format}), SHA-256 {sha256:.12}",
        "to": " to {to}",
    },
    "zh-Hans": {
        BRIEF_MADE: "出具简报，对象 {audience}（{language}，{format}），SHA-256 {sha256:.12}",
        HANDOVER_GIVEN: "交班{to}（{language}，{format}），SHA-256 {sha256:.12}",
        "to": "给 {to}",
    },
}


def handed_out(session: Session, store: Store, incident_id: str, *, language: str) -> Iterator[Event]:
    """Every brief and handover of an incident that the journal still tells of."""
    words = _WORDS[language]
    entries = session.exec(
        select(JournalEntry)
        .where(
            JournalEntry.chain == incident_id,
            col(JournalEntry.kind).in_([BRIEF_MADE, HANDOVER_GIVEN]),
        )
        .order_by(col(JournalEntry.seq))
    ).all()
    for entry in entries:
        told = store.body_of(incident_id, entry.seq)
        if told is None:
            continue
        to = words["to"].format(to=told["to"]) if told.get("to") else ""
        kind = "brief" if entry.kind == BRIEF_MADE else "handover"
        yield Event(entry.at, entry.at, kind, words[entry.kind].format_map({**told, "to": to}), entry.actor)
