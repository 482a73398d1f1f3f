"""A playbook as a Mermaid flowchart, for documents and tickets. No text of a playbook can leave its box.

Pure. Boxes are numbered as in the drawing; names stand in quotes with every sign that Mermaid reads written as an
entity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from incident.response.drawing import numbers_of
from incident.response.model import (
    ActionStep,
    EndStep,
    IfStep,
    ParallelStep,
    Playbook,
    PlaybookActionStep,
    StartStep,
    Step,
    SwitchStep,
    WhileStep,
)
from incident.response.outline import Row, RowKind, Way, outline
from incident.response.step_facts import Reader, name_of, readable, title_in
from incident.response.work import plan

_SHAPES: Mapping[type, tuple[str, str]] = {
    StartStep: ("([", "])"),
    EndStep: ("([", "])"),
    IfStep: ("{", "}"),
    WhileStep: ("{", "}"),
    SwitchStep: ("{", "}"),
    ParallelStep: ("[[", "]]"),
    PlaybookActionStep: ("[[", "]]"),
}
_BOX = ("[", "]")
_PERSON = ("[/", "/]")


def mermaid(
    playbook: Playbook, *, children: Mapping[str, Playbook], deep: bool = False, language: str = "en"
) -> str:
    """The flowchart, top to bottom."""
    reader = Reader(language, children)
    rows = outline(playbook, children if deep else None)
    numbers = numbers_of(rows)
    lines = [f"%% {_plain(name_of(playbook, language))}", "flowchart TD"]
    lines += [f"    {_box(row, numbers, reader)}" for row in rows if row.kind is RowKind.step]
    for line in _edges(rows, numbers, reader):
        lines.append(f"    {line}")
    return "\n".join(lines) + "\n"


def _box(row: Row, numbers: Mapping[tuple[str, str], int], reader: Reader) -> str:
    step = row.content
    title = title_in(row.playbook, row.step, reader)
    if isinstance(step, IfStep | WhileStep):
        title += f"\n{readable(step.condition)}"
    opening, closing = _PERSON if _waits_for_people(step) else _SHAPES.get(type(step), _BOX)
    return f'n{numbers[row.key]}{opening}"{_quoted(title)}"{closing}'


def _waits_for_people(step: Step) -> bool:
    return isinstance(step, ActionStep) and any(each.kind in {"manual", "approval"} for each in plan(step))


def _edges(rows: list[Row], numbers: Mapping[tuple[str, str], int], reader: Reader) -> Iterator[str]:
    known = {row.key: row for row in rows if row.kind is RowKind.step}
    owner: dict[int, Row] = {}
    for row in rows:
        if row.kind is RowKind.step:
            owner[row.depth] = row
            following = row.content.on_success or row.content.on_completion
            if following and (row.within, following) in known:
                yield f"n{numbers[row.key]} --> n{numbers[(row.within, following)]}"
        if row.kind is RowKind.way and row.key in known:
            above = owner.get(row.depth)
            label = _way(row, reader)
            if row.way is Way.exception or row.way is Way.unreached or above is None:
                mark = f"x{numbers[row.key]}"
                yield f'{mark}>"{label}"] -.-> n{numbers[row.key]}'
            else:
                arrow = "-.->" if row.way is Way.failure else "-->"
                yield f'n{numbers[above.key]} {arrow}|"{label}"| n{numbers[row.key]}'


def _way(row: Row, reader: Reader) -> str:
    assert row.way is not None  # noqa: S101 - rows of this kind have one
    name = name_of(row.playbook, reader.language) if row.way is Way.called else ""
    return _quoted(reader.say(row.way, case=row.case, name=name))


def _plain(text: str) -> str:
    return " ".join(text.split())


def _quoted(text: str) -> str:
    """A text for quotes: letters, digits, spaces and signs of other scripts stay, all else becomes a numbered entity."""
    return "".join(
        "<br/>"
        if sign == "\n"
        else sign
        if sign.isalnum() or sign == " " or ord(sign) > 127
        else f"#{ord(sign)};"
        for sign in text
    )
