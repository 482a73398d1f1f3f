"""Notes for counsel: a lane of their own in the record, which nothing else reads.

They are sealed by a key of their own (`incident.store.keyring.counsel_key`); the journal holds the digest of the sealed
bytes and no more. Who writes or reads one proves by a signature to be an operator with the role counsel, and the record
keeps who did so and when. No error, export, brief or bundle has a word of them: nothing but `read_notes` opens them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from incident.errors import BadInput, KeyDestroyed, KeyMissing, Refused
from incident.record.decisions import Signer, Subject, Verdict, decide
from incident.record.dossier import must_be_readable
from incident.record.incidents import must_be_open, must_exist
from incident.record.numbers import label_of, next_number
from incident.record.operators import Role, operator_named, roles_of
from incident.store.change import open_row, row_name, seal_row
from incident.store.keyring import counsel_key
from incident.store.store import Store
from incident.store.tables import PrivilegedNote

NOTE_SUBJECT = "counsel-note"
READING_SUBJECT = "counsel-reading"
NOTE_WRITTEN = "counsel.noted"
NOTES_READ = "counsel.read"
LONGEST_NOTE = 100_000


@dataclass(frozen=True)
class SealedNote:
    """A note that is sealed already, so that its digest can be signed before it is recorded."""

    id: str
    incident_id: str
    digest: str
    sealed: bytes


@dataclass(frozen=True)
class NoteLine:
    """A note as counsel reads it."""

    label: str
    written_at: datetime
    written_by: str
    text: str


@dataclass(frozen=True)
class Challenge:
    """What is signed to read: `nonce` is made for this one reading, `notes` are those that it shows."""

    incident_id: str
    nonce: str
    notes: Sequence[PrivilegedNote]

    @property
    def subject(self) -> Subject:
        digests = "".join(f"\0{note.id}\0{note.digest}" for note in self.notes)
        whole = hashlib.sha256(f"{self.incident_id}\0{self.nonce}{digests}".encode()).hexdigest()
        return Subject(READING_SUBJECT, self.nonce, whole)


def seal_note(store: Store, incident_id: str, text: str, *, by: str, now: datetime) -> SealedNote:
    """Seal a note for counsel. The first one of an incident makes its key.

    Raises `Refused` when `by` is no counsel or the incident is not open, `BadInput` for a text that says nothing,
    `KeyDestroyed` and `KeyMissing`.
    """
    with store.read() as session:
        must_be_readable(store, must_exist(session, incident_id))
        must_be_open(session, incident_id)
        _must_be_counsel(session, by)
        is_first = session.exec(_notes_of(incident_id)).first() is None
    if not text.strip() or len(text) > LONGEST_NOTE:
        raise BadInput(
            f"a note has 1 to {LONGEST_NOTE} characters; this one has {len(text.strip())}",
            next_step="write it shorter, or in several notes",
        )
    key = _key(store, incident_id, now=now, may_be_made=is_first)
    row = PrivilegedNote(
        id=store.new_id(), incident_id=incident_id, number=0, written_at=now, written_by=by, digest=""
    )
    seal_row(row, {"text": text.strip()}, key=key)
    return SealedNote(row.id, incident_id, digest_of(row.sealed), row.sealed)


def add_note(store: Store, note: SealedNote, *, signer: Signer, now: datetime) -> PrivilegedNote:
    """Record a sealed note, signed by who wrote it. Raises `Refused` as `decide` does, also for who is no counsel."""
    with store.write(note.incident_id, kind=NOTE_WRITTEN, actor=signer.name, now=now) as change:
        must_be_open(change.session, note.incident_id)
        decision = decide(
            change,
            note.incident_id,
            Subject(NOTE_SUBJECT, note.id, note.digest),
            Verdict.APPROVED,
            signer=signer,
            needs=Role.COUNSEL,
            decision_id=store.new_id(),
        )
        row = PrivilegedNote(
            id=note.id,
            incident_id=note.incident_id,
            number=next_number(change.session, PrivilegedNote, note.incident_id),
            written_at=decision.decided_at,
            written_by=signer.name,
            digest=note.digest,
            sealed=note.sealed,
        )
        # Without content: what is sealed in it goes into no journal.
        change.put(row)
        return row


def challenge(store: Store, incident_id: str, *, by: str) -> Challenge:
    """What somebody must sign to read an incident's notes.

    Raises `NotFound`, `Refused` when they are no counsel, `KeyDestroyed` and `KeyMissing`.
    """
    with store.read() as session:
        must_be_readable(store, must_exist(session, incident_id))
        _must_be_counsel(session, by)
        notes = list(session.exec(_notes_of(incident_id)).all())
    if notes:
        store.keyring.get(counsel_key(incident_id))
    return Challenge(incident_id, store.new_id(), notes)


def read_notes(store: Store, asked: Challenge, *, signer: Signer, now: datetime) -> list[NoteLine]:
    """The notes, after the record keeps, signed, who reads them.

    Raises `Refused` as `decide` does, and for a note that is not the one that was written.
    """
    with store.write(asked.incident_id, kind=NOTES_READ, actor=signer.name, now=now) as change:
        decide(
            change,
            asked.incident_id,
            asked.subject,
            Verdict.APPROVED,
            signer=signer,
            needs=Role.COUNSEL,
            decision_id=store.new_id(),
        )
        change.note(notes=[label_of(note) for note in asked.notes])
    if not asked.notes:
        return []
    key = store.keyring.get(counsel_key(asked.incident_id))
    return [_opened(note, key) for note in asked.notes]


def digest_of(sealed: bytes) -> str:
    """The digest of a note that the journal and its signature hold."""
    return hashlib.sha256(sealed).hexdigest()


def _opened(note: PrivilegedNote, key: bytes) -> NoteLine:
    if digest_of(note.sealed) != note.digest:
        raise Refused(
            f"the note {label_of(note)} is not the one that was written",
            where=f"{note.incident_id}, {row_name(note)}",
            next_step="keep a copy of the database; `incident verify` shows what was changed",
        )
    return NoteLine(label_of(note), note.written_at, note.written_by, open_row(note, key=key)["text"])


def _notes_of(incident_id: str) -> SelectOfScalar[PrivilegedNote]:
    return (
        select(PrivilegedNote)
        .where(PrivilegedNote.incident_id == incident_id)
        .order_by(col(PrivilegedNote.number))
    )


def _must_be_counsel(session: Session, name: str) -> None:
    operator = operator_named(session, name)
    if Role.COUNSEL not in roles_of(operator):
        raise Refused(
            f"{name} is no counsel",
            next_step="notes for counsel are written and read by operators with the role counsel only",
        )


def _key(store: Store, incident_id: str, *, now: datetime, may_be_made: bool) -> bytes:
    """The counsel key. Made for the first note only: where there are notes and no key, the key is lost."""
    name = counsel_key(incident_id)
    try:
        return store.keyring.get(name)
    except KeyDestroyed:
        raise
    except KeyMissing:
        if not may_be_made:
            raise
    # In turn: another process may be making it at this moment.
    with store.transaction(in_turn=incident_id):
        if not store.keyring.is_taken(name):
            return store.keyring.create(name, now=now)
    return store.keyring.get(name)
