"""Questions that were decided, and notes for counsel: numbered, unchanged, and signed by who decided or wrote.

No note is opened for this: its digest and its signature tell. That it opens is `sealed.opens`.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select

from incident.duties.reviews import review_signature_holds
from incident.errors import Unreadable
from incident.ops.checks.base import Findings, Invariant, Sign, Survey, View, scan, table_of
from incident.record.decisions import Subject, approvals, voices
from incident.record.privileged import NOTE_SUBJECT, digest_of
from incident.record.resolutions import subject_of
from incident.settings import Born
from incident.store.opening import born_as
from incident.store.tables import Operator, PrivilegedNote, RegimeReview, Resolution

_resolution, _note = table_of(Resolution), table_of(PrivilegedNote)
r = _resolution.c

NUMBERED = Invariant(
    "decided.numbered",
    "decisions on questions and notes for counsel are numbered 1, 2, ..., and each decision replaces an earlier one at most",
)
SIGNED = Invariant(
    "decided.signed",
    "each decision on a question has the valid signature of who recorded it, over its very words",
    "`incident decisions` shows whose does not hold; keep a copy of the database, then put a backup back",
)
NOTES = Invariant(
    "decided.notes",
    "each note for counsel is the one that was written, with the valid signature of who wrote it",
    "let counsel know; keep a copy of the database, then put a backup back",
)

REVIEWS = Invariant(
    "law.reviews",
    "each approval of a regime is signed by counsel, for a day to come, and one a regime stands at most",
)


def _look_at_reviews(view: View, findings: Findings) -> None:
    if view.incident_id is not None:
        return
    standing: set[str] = set()
    for row in view.session.exec(select(RegimeReview).order_by(col(RegimeReview.id))).all():
        operator = view.session.get(Operator, row.operator_id)
        where = f"approval of {row.regime}"
        if operator is None or not review_signature_holds(row, operator):
            findings.broken(REVIEWS, where, "nobody's valid signature says so")
        if row.withdrawn_at is None and row.regime in standing:
            findings.broken(REVIEWS, where, "another approval of it stands")
        if row.withdrawn_at is None:
            standing.add(row.regime)


def _look_at_numbers(view: View, findings: Findings) -> None:
    for table, name in ((_resolution, "decisions"), (_note, "notes for counsel")):
        number, owner = table.c.number, table.c.incident_id
        gap = (sa.func.min(number) != 1) | (sa.func.max(number) != sa.func.count())
        statement = sa.select(owner).where(view.mine(owner)).group_by(owner).having(gap)
        for (incident,) in view.rows(statement):
            findings.broken(NUMBERED, incident, f"its {name} are not numbered without a gap")
    older, other = _resolution.alias(), _resolution.alias()
    is_earlier = (
        (older.c.id == r.replaces) & (older.c.incident_id == r.incident_id) & (older.c.number < r.number)
    )
    same_again = (other.c.replaces == r.replaces) & (other.c.id != r.id)
    scan(
        view,
        findings,
        "resolution",
        [r.id],
        _resolution,
        [
            Sign(NUMBERED, "what it replaces is no earlier decision", ~sa.exists().where(is_earlier)),
            Sign(NUMBERED, "another one replaces the same decision", sa.exists().where(same_again)),
        ],
        view.mine(r.incident_id),
        r.replaces.is_not(None),
    )


def _look_at_resolutions(view: View, findings: Findings) -> None:
    """Of the incidents that can still be read: what was signed is bound to the sealed words."""
    for incident in view.readable():
        mine = select(Resolution).where(Resolution.incident_id == incident).order_by(col(Resolution.number))
        for row in view.session.exec(mine).all():
            try:
                content = view.house.store.open(row, incident_id=incident)
            except Unreadable:
                findings.untold(SIGNED, f"what is sealed of the resolution {row.id} does not open")
                continue
            if not _speaks(view, subject_of(row, content), row.recorded_by, row.decided_at):
                findings.broken(SIGNED, f"resolution {row.id}", "no valid signature says these words")


def _look_at_notes(view: View, findings: Findings) -> None:
    readable = frozenset(view.readable())
    mine = (
        select(PrivilegedNote)
        .where(view.mine(PrivilegedNote.incident_id))
        .order_by(col(PrivilegedNote.incident_id), col(PrivilegedNote.number))
    )
    for row in view.session.exec(mine).all():
        # What was destroyed keeps its digest and its signature.
        if row.incident_id in readable and digest_of(row.sealed) != row.digest:
            findings.broken(NOTES, f"privileged_note {row.id}", "it is not the one that was written")
        subject = Subject(NOTE_SUBJECT, row.id, row.digest)
        if not _speaks(view, subject, row.written_by, row.written_at):
            findings.broken(NOTES, f"privileged_note {row.id}", "no valid signature of who wrote it")


def _speaks(view: View, subject: Subject, name: str, at: datetime) -> bool:
    drill = born_as(view.house.store) == Born.DRILL
    return any(
        voice.operator.name == name and voice.decision.decided_at == at
        for voice in approvals(voices(view.session, subject, drill=drill))
    )


SURVEYS = (
    Survey(_look_at_reviews, (REVIEWS,)),
    Survey(_look_at_numbers, (NUMBERED,)),
    Survey(_look_at_resolutions, (SIGNED,)),
    Survey(_look_at_notes, (NOTES,)),
)
