"""A filled report as values: its items and lines, what each is worth, and the document that is stored. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any

from incident.law.grading import GradeResult
from incident.record.facts import Fact, value_to_json
from incident.report.forms import Form, Need

FORMAT = "tocsin-report/1"


class State(StrEnum):
    """What a line's text is worth: known for certain, an estimate or unproven, known to be unknown, given only in
    another language, never said by anybody."""

    KNOWN = "known"
    ESTIMATE = "estimate"
    UNKNOWN = "unknown"
    OTHER_LANGUAGE = "other_language"
    ABSENT = "absent"


class Status(StrEnum):
    """What an item is worth in its phase: complete, to follow in a later phase, or lacking what is required."""

    COMPLETE = "complete"
    TO_FOLLOW = "to_follow"
    LACKING = "lacking"


@dataclass(frozen=True)
class FilledLine:
    """One line as it will be read. `text` is empty where nothing is recorded; `asks` would fill it.

    `label` is in the report's language, `titles` in all of them, for findings.
    """

    label: str
    titles: Mapping[str, str]
    text: tuple[str, ...]
    state: State
    need: Need
    group: str | None
    asks: tuple[str, ...]
    sources: tuple[Fact, ...]
    note: str = ""


@dataclass(frozen=True)
class Question:
    """What is still to be asked for an item, in both languages."""

    item: str
    field: str
    question: Mapping[str, str]


@dataclass(frozen=True)
class FilledItem:
    """One item with its lines. `required` holds for this phase."""

    id: str
    title: str
    article: str
    required: bool
    status: Status
    lines: tuple[FilledLine, ...]
    to_follow: str


@dataclass(frozen=True)
class FilledReport:
    """A report in one language, not yet checked or released. `generated_at` is timezone-aware."""

    form: Form
    phase: str
    language: str
    reference: str
    organisation: str
    recipients: tuple[str, ...]
    items: tuple[FilledItem, ...]
    questions: tuple[Question, ...]
    grade: GradeResult | None
    late: bool
    generated_at: datetime
    zone: tzinfo

    def as_document(self, *, released: bool = False) -> dict[str, Any]:
        """The report as plain JSON data, ending in `sha256`: the hash over the canonical JSON (RFC 8785) of all of it
        but the time it was generated, whether it is released, and the hash itself."""
        content: dict[str, Any] = {
            "format": FORMAT,
            "form": self.form.id,
            "regime": self.form.regime,
            "phase": self.phase,
            "language": self.language,
            "reference": self.reference,
            "organisation": self.organisation,
            "recipients": list(self.recipients),
            "late": self.late,
            "grade": _grade_document(self.grade),
            "items": [_item_document(item) for item in self.items],
            "questions": [
                {"item": each.item, "field": each.field, "question": dict(each.question)}
                for each in self.questions
            ],
        }
        import rfc8785

        digest = hashlib.sha256(rfc8785.dumps(content)).hexdigest()
        return content | {"generated_at": _utc(self.generated_at), "released": released, "sha256": digest}


_LACKING = frozenset({State.ABSENT, State.OTHER_LANGUAGE})


def lacking_lines(lines: Sequence[FilledLine]) -> list[FilledLine]:
    """The lines for whose sake an item is not complete: required, not said, and no other line of their group said."""
    filled = _filled_groups(lines)
    return [
        line
        for line in lines
        if line.need is Need.REQUIRED
        and line.state in _LACKING
        and (not line.group or line.group not in filled)
    ]


def _filled_groups(lines: Iterable[FilledLine]) -> set[str]:
    return {line.group for line in lines if line.group and line.state not in _LACKING}


def without_spare(lines: Iterable[FilledLine]) -> tuple[FilledLine, ...]:
    """The lines without those that nobody filled although another of their group is."""
    listed = tuple(lines)
    filled = _filled_groups(listed)
    return tuple(line for line in listed if line.state is not State.ABSENT or line.group not in filled)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _grade_document(grade: GradeResult | None) -> dict[str, Any] | None:
    if grade is None:
        return None
    return {
        "scale": grade.scale.id,
        "lowest": grade.lowest,
        "highest": grade.highest,
        "settled": grade.is_settled,
    }


def _item_document(item: FilledItem) -> dict[str, Any]:
    return {
        "id": item.id,
        "title": item.title,
        "article": item.article,
        "required": item.required,
        "status": item.status.value,
        "lines": [
            {
                "label": line.label,
                "text": list(line.text),
                "state": line.state.value,
                "note": line.note,
                "sources": [
                    {
                        "field": fact.field,
                        "value": value_to_json(fact.value),
                        "said_by": fact.said_by,
                        "source": fact.source,
                        "sure": fact.sure.value,
                        "known_at": _utc(fact.known_at),
                    }
                    for fact in line.sources
                ],
            }
            for line in item.lines
        ],
    }
