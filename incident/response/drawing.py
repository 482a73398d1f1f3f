"""A playbook as it is drawn in a terminal: top to bottom, ways indented, no line wider than asked for.

Pure. Wide characters count as two places, so that Chinese never breaks the lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from incident.folding import fold, text_width
from incident.response.model import Playbook
from incident.response.outline import Row, RowKind, Way, outline
from incident.response.step_facts import (
    Reader,
    bare,
    description_of,
    document_of,
    lines_of,
    name_of,
    title_in,
)

NARROWEST = 40
_LEVELS_DRAWN = 8
"""Levels whose lines are drawn; deeper rows say their depth instead, so that a row always has room."""
Below = Callable[[Row], Sequence[str]]
"""The lines beneath a step, or what is said behind a way. Those that begin with a tab are shown as they are."""


def draw(
    playbook: Playbook,
    *,
    children: Mapping[str, Playbook],
    deep: bool = False,
    language: str = "en",
    width: int = 80,
) -> list[str]:
    """The playbook as lines. `deep`: those that it calls, too, where it calls them."""
    reader = Reader(language, children)
    rows = outline(playbook, children if deep else None)
    below = _facts_below(reader)
    return [*heading(playbook, reader, width=width), "", *draw_rows(rows, reader, below, width=width)]


def _facts_below(reader: Reader) -> Below:
    return lambda row: lines_of(row.playbook, row.content, reader) if row.kind is RowKind.step else ()


def heading(playbook: Playbook, reader: Reader, *, width: int) -> list[str]:
    """Name, description, and what the playbook takes from outside."""
    names = []
    for name, variable in playbook.playbook_variables.items():
        if variable.external:
            needed = "value" not in variable.model_fields_set
            names.append(reader.say("needs", name=bare(name)) if needed else bare(name))
    types = [reader.named("type", each) for each in playbook.playbook_types]
    meta = [reader.joined(types), reader.say("steps", count=len(playbook.workflow))]
    if names:
        meta.append(reader.say("takes", names=reader.joined(names)))
    texts = [name_of(playbook, reader.language), description_of(playbook, reader.language)]
    texts.append(reader.several([each for each in meta if each]))
    return [line for text in texts if text for line in fold(text, max(width, NARROWEST))]


def draw_rows(rows: Sequence[Row], reader: Reader, below: Below, *, width: int) -> list[str]:
    """Rows as lines, each step with its number, and `below` it what there is to say."""
    numbers = numbers_of(rows)
    pad = len(str(len(numbers) or 1))
    lines: list[str] = []
    skip = False
    for place, row in enumerate(rows):
        if skip:
            skip = False
            continue
        following = rows[place + 1] if place + 1 < len(rows) else None
        if row.kind is RowKind.way:
            text = _way(row, reader)
            if following is not None and following.kind is RowKind.goes_on and following.key == row.key:
                text = f"{text} → {_goes_on(following, numbers, reader)}"
                skip = True
            text = " — ".join([text, *below(row)])
            first, rest = _way_rails(row)
        elif row.kind is RowKind.goes_on:
            text = f"→ {_goes_on(row, numbers, reader)}"
            first = rest = _rails(row) + " " * (pad - 1)
        else:
            title = title_in(row.playbook, row.step, reader)
            short = reader.labels(row.playbook)[row.step]
            text = f"{numbers[row.key]:>{pad}} {title}" + (f"  [{short}]" if short != title else "")
            first, rest = _rails(row), _rails(row) + " " * (pad + 1)
        lines += _put(text, first, rest, width)
        indent = _rails(row) + " " * (pad + 3)
        for each in below(row) if row.kind is RowKind.step else ():
            inner = indent + " " * (len(each) - len(each.lstrip(" ")))
            lines += (
                [indent + each[1:]] if each.startswith("\t") else _put(each.lstrip(" "), inner, inner, width)
            )
    return lines


def numbers_of(rows: Sequence[Row]) -> dict[tuple[str, str], int]:
    """The number of each step, from top to bottom."""
    return {row.key: n for n, row in enumerate((r for r in rows if r.kind is RowKind.step), start=1)}


def document(
    playbook: Playbook, *, children: Mapping[str, Playbook], deep: bool, language: str
) -> dict[str, Any]:
    """The drawing for programs: the steps in its order, and what leads to each row of them."""
    reader = Reader(language, children)
    steps: list[dict[str, Any]] = []
    ways: list[dict[str, Any]] = []
    rows = outline(playbook, children if deep else None)
    numbers = numbers_of(rows)
    for row in rows:
        if row.kind is RowKind.step:
            where = {"number": numbers[row.key], "depth": row.depth, "within": row.playbook.id}
            steps.append(where | document_of(row.playbook, row.step, reader))
        elif row.way is not None:
            ways.append({"way": row.way, "case": row.case, "depth": row.depth, "to": numbers.get(row.key)})
    return {
        "playbook": playbook.id,
        "name": name_of(playbook, language),
        "description": description_of(playbook, language),
        "types": playbook.playbook_types,
        "variables": {
            bare(name): {"type": each.type, "needed": "value" not in each.model_fields_set}
            for name, each in playbook.playbook_variables.items()
            if each.external
        },
        "steps": steps,
        "ways": ways,
    }


def _way(row: Row, reader: Reader) -> str:
    assert row.way is not None  # noqa: S101 - rows of this kind have one
    name = name_of(row.playbook, reader.language) if row.way is Way.called else ""
    return reader.say(row.way, case=row.case, name=name)


def _goes_on(row: Row, numbers: Mapping[tuple[str, str], int], reader: Reader) -> str:
    if row.key not in numbers:
        return reader.say("nowhere", step=row.step)
    title = title_in(row.playbook, row.step, reader)
    return reader.say("goes_on", number=numbers[row.key], title=title)


def _rails(row: Row) -> str:
    kept = row.rails[-_LEVELS_DRAWN:]
    mark = f"({row.depth}) " if row.depth > _LEVELS_DRAWN else ""
    return mark + "".join("│  " if more else "   " for more in kept)


def _way_rails(row: Row) -> tuple[str, str]:
    kept = row.rails[-_LEVELS_DRAWN:]
    mark = f"({row.depth + 1}) " if row.depth + 1 > _LEVELS_DRAWN else ""
    around = mark + "".join("│  " if more else "   " for more in kept[:-1])
    last = kept[-1]
    return around + ("├─ " if last else "└─ "), around + ("│  " if last else "   ")


def _put(text: str, first: str, rest: str, width: int) -> list[str]:
    room = max(width - max(text_width(first), text_width(rest)), 20)
    begun, *more = fold(text, room) or [""]
    return [(first + begun).rstrip(), *((rest + each).rstrip() for each in more)]
