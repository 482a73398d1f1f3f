"""What people wrote for the notice in words of their own: kept, with who and when; the newest of a part counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from incident.record.incidents import must_be_open
from incident.record.numbers import next_number
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import NoticeEdit


class EditKind(StrEnum):
    """What an edit does to a part of the notice: other words, none, or again what is drafted from the record."""

    WORDS = "words"
    LEAVE_OUT = "leave_out"
    DRAFTED = "drafted"


@dataclass(frozen=True)
class Edit:
    """The newest edit of one part in one language. `text` is empty unless `kind` is `WORDS`."""

    number: int
    place: str
    language: str
    kind: EditKind
    text: str
    by: str
    at: datetime


def put_edit(
    change: Change, store: Store, incident_id: str, *, place: str, language: str, kind: EditKind, text: str
) -> NoticeEdit:
    """Keep an edit within a change; earlier ones of the part stay on record. Raises as `must_be_open`.

    Whether the part can be written is the caller's to know.
    """
    must_be_open(change.session, incident_id)
    row = NoticeEdit(
        id=store.new_id(),
        incident_id=incident_id,
        number=next_number(change.session, NoticeEdit, incident_id),
        place=place,
        language=language,
        edited_at=change.at,
        edited_by=change.actor,
    )
    change.put(row, {"kind": str(kind), "text": text})
    return row


def edits_in_force(images: Iterable[Mapping[str, Any]]) -> tuple[Edit, ...]:
    """The newest edit of each part and language that still changes something, from rows with their content."""
    newest: dict[tuple[str, str], Edit] = {}
    for image in sorted(images, key=lambda each: int(each["number"])):
        edit = Edit(
            number=int(image["number"]),
            place=image["place"],
            language=image["language"],
            kind=EditKind(image["content"]["kind"]),
            text=image["content"]["text"],
            by=image["edited_by"],
            at=datetime.fromisoformat(image["edited_at"]),
        )
        newest[edit.place, edit.language] = edit
    return tuple(edit for edit in newest.values() if edit.kind is not EditKind.DRAFTED)
