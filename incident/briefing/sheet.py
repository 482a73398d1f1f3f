"""A sheet: what a brief or a handover says, as sections of lines, ready to be shown. Pure values.

All texts are in one language and ready to be read; `key` and `at` are for programs that read the document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class Line:
    """One statement. `key` names what it is about as commands do (a field, a duty, `H1`); `at` is its time.

    `marks` are words that must not be missed (assumed, UNREVIEWED, overdue); `note` is said more quietly.
    """

    text: str
    label: str = ""
    note: str = ""
    marks: tuple[str, ...] = ()
    key: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Section:
    """Lines under a heading, the most important first. `hidden` of them are not shown; `shown_by` is where they stand.

    `least`: so many lines stay however little room there is. `spoken`: read out or quoted as it stands.
    """

    key: str
    title: str
    lines: tuple[Line, ...]
    shown_by: str = ""
    hidden: int = 0
    least: int = 1
    spoken: bool = False


@dataclass(frozen=True)
class Head:
    """The end of the incident's journal at which a sheet was drawn up."""

    seq: int
    hash: str

    @property
    def short(self) -> str:
        return self.hash[:12]


@dataclass(frozen=True)
class Frame:
    """What stands around the sections. `meta` is the line below the title, `foot` tells versions apart."""

    incident: str
    purpose: str
    language: str
    classification: str
    title: str
    meta: str
    foot: str
    as_of: datetime
    head: Head
    drill: str = ""


@dataclass(frozen=True)
class Sheet:
    """A brief or a handover."""

    frame: Frame
    sections: tuple[Section, ...]

    def texts(self) -> Iterator[str]:
        """Everything in it that is read, in order."""
        frame = self.frame
        yield from (frame.classification, frame.drill, frame.title, frame.meta)
        for section in self.sections:
            yield section.title
            for line in section.lines:
                yield from (line.label, line.text, line.note, *line.marks)
            yield section.shown_by
        yield frame.foot

    def as_document(self) -> dict[str, Any]:
        """The sheet as JSON values."""
        frame = self.frame
        return {
            "incident": frame.incident,
            "for": frame.purpose,
            "language": frame.language,
            "classification": frame.classification,
            "title": frame.title,
            "drill": bool(frame.drill),
            "as_of": _iso(frame.as_of),
            "head": {"seq": frame.head.seq, "hash": frame.head.hash},
            "sections": [_section_document(section) for section in self.sections],
        }


def _section_document(section: Section) -> dict[str, Any]:
    return {
        "key": section.key,
        "title": section.title,
        "lines": [_line_document(line) for line in section.lines],
        "hidden": section.hidden,
    }


def _line_document(line: Line) -> Mapping[str, Any]:
    return {
        "key": line.key,
        "label": line.label,
        "text": line.text,
        "note": line.note,
        "marks": list(line.marks),
        "at": _iso(line.at),
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()
