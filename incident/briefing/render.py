"""A sheet as text, as a page of HTML for print (A4), or as JSON. Pure but for templates."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from incident.briefing.page import folded
from incident.briefing.sheet import Line, Section, Sheet
from incident.briefing.words import Words
from incident.notice.templates import render_template

TEXT_WIDTH = 96
_INDENT = "  "


class Format(StrEnum):
    TEXT = "text"
    HTML = "html"


def render(sheet: Sheet, form: Format, words: Words, *, templates: Sequence[Path]) -> str:
    """The sheet from `brief/brief.txt.j2` or `brief/brief.html.j2`.

    Raises `NotFound` when the template is missing, `BadInput` when it is wrong.
    """
    name = "brief/brief.txt.j2" if form is Format.TEXT else "brief/brief.html.j2"
    sections = [_view(section, words) for section in sheet.sections]
    return render_template(name, {"frame": sheet.frame, "sections": sections}, templates=templates)


def _view(section: Section, words: Words) -> dict[str, Any]:
    more = words.more(section.hidden, section.shown_by) if section.hidden else ""
    rows = [row for line in section.lines for row in _rows(line, words)]
    return {
        "title": section.title,
        "spoken": section.spoken,
        "lines": section.lines,
        "more": more,
        "rows": [*rows, f"{_INDENT}{more}"] if more else rows,
    }


def _rows(line: Line, words: Words) -> list[str]:
    """A line of the sheet as rows of text: label, text, marks and note, those after the first indented further."""
    colon = "：" if words.is_chinese else ": "
    # A question ends in a mark of its own.
    label = f"{line.label}{'' if line.label.endswith(('？', '?')) else colon}" if line.label else ""
    gap = " " if label.endswith("?") else ""
    note = (f"（{line.note}）" if words.is_chinese else f" ({line.note})") if line.note else ""
    marks = "".join(f" [{mark}]" for mark in line.marks)
    first, *rest = folded(f"{label}{gap}{line.text}{marks}{note}", TEXT_WIDTH - 2 * len(_INDENT))
    return [_INDENT + first, *(2 * _INDENT + row for row in rest)]
