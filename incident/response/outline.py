"""A playbook as rows from top to bottom: each step once, its branches and failure routes indented beneath it.

Pure, and iterative: depth and length are no limit, and a circle ends where it meets itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from incident.response.model import (
    IfStep,
    ParallelStep,
    Playbook,
    PlaybookActionStep,
    Step,
    SwitchStep,
    WhileStep,
)

MOST_ROWS = 20_000
"""Rows after which playbooks that are called are no longer opened: calls within calls multiply."""
_RAILS_KEPT = 16


class Way(StrEnum):
    """Why a row of steps is entered."""

    holds = "holds"
    does_not_hold = "does_not_hold"
    round = "round"
    case = "case"
    other_case = "other_case"
    branch = "branch"
    failure = "failure"
    called = "called"
    exception = "exception"
    unreached = "unreached"


class RowKind(StrEnum):
    """`way` opens a row of steps; `goes_on` says at which step, shown elsewhere, a way goes on."""

    step = "step"
    way = "way"
    goes_on = "goes_on"


@dataclass(frozen=True)
class Row:
    """`within` names the calls that lead into the playbook of the row, "" for the one that is drawn.

    `step` is the step itself, or where the way leads. `rails` says of the innermost levels, from the outside in, whether
    more ways follow there; for a way, the last one is its own.
    """

    kind: RowKind
    playbook: Playbook
    within: str
    step: str
    depth: int = 0
    rails: tuple[bool, ...] = ()
    way: Way | None = None
    case: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.within, self.step

    @property
    def content(self) -> Step:
        return self.playbook.workflow[self.step]


@dataclass(frozen=True)
class _Level:
    playbook: Playbook
    within: str
    first: str
    depth: int
    rails: tuple[bool, ...]


_Ahead = list["Row | _Level"]


def outline(playbook: Playbook, children: Mapping[str, Playbook] | None = None) -> list[Row]:
    """The rows. With `children`, by id, the playbooks that are called stand where they are called."""
    rows: list[Row] = []
    ahead: _Ahead = []
    claimed: set[tuple[str, str]] = set()

    def whole(book: Playbook, within: str, depth: int, rails: tuple[bool, ...]) -> _Ahead:
        reached = _reached(book)
        rest = [step_id for step_id in book.workflow if step_id not in reached]
        extra: list[tuple[Way, str]] = []
        if book.workflow_exception in book.workflow:
            extra.append((Way.exception, str(book.workflow_exception)))
        found: _Ahead = [_Level(book, within, book.workflow_start, depth, rails)]
        for way, first in extra + [(Way.unreached, each) for each in rest]:
            found.append(Row(RowKind.way, book, within, first, depth, (*rails, False), way))
            found.append(_Level(book, within, first, depth + 1, (*rails, False)))
        return found

    ahead += reversed(whole(playbook, "", 0, ()))
    while ahead:
        item = ahead.pop()
        if isinstance(item, Row):
            if item.way is Way.unreached and item.key in claimed:
                ahead.pop()  # drawn already with another step that no way leads to
                continue
            rows.append(item)
            continue
        following: _Ahead = []
        for step_id in _chain(item, claimed):
            where = (item.playbook, item.within, step_id, item.depth, item.rails)
            if (item.within, step_id) in claimed or step_id not in item.playbook.workflow:
                following.append(Row(RowKind.goes_on, *where))
                break
            claimed.add((item.within, step_id))
            following.append(Row(RowKind.step, *where))
            step = item.playbook.workflow[step_id]
            ways = list(_ways(step))
            child = _child(step, children) if len(rows) < MOST_ROWS else None
            for number, (way, first, case) in enumerate(ways):
                more = number + 1 < len(ways) or child is not None
                rails = (*item.rails, more)[-_RAILS_KEPT:]
                following.append(
                    Row(RowKind.way, item.playbook, item.within, first, item.depth, rails, way, case)
                )
                following.append(_Level(item.playbook, item.within, first, item.depth + 1, rails))
            if child is not None:
                inside = f"{item.within}/{step_id}"
                rails = (*item.rails, False)[-_RAILS_KEPT:]
                following.append(
                    Row(RowKind.way, child, inside, child.workflow_start, item.depth, rails, Way.called)
                )
                following += whole(child, inside, item.depth + 1, rails)
        ahead += reversed(following)
    return rows


def _reached(playbook: Playbook) -> set[str]:
    ahead = [each for each in (playbook.workflow_start, playbook.workflow_exception) if each]
    seen: set[str] = set()
    while ahead:
        step_id = ahead.pop()
        if step_id in seen or step_id not in playbook.workflow:
            continue
        seen.add(step_id)
        step = playbook.workflow[step_id]
        ahead += [each for each in (step.on_completion, step.on_success) if each]
        ahead += [first for _, first, _ in _ways(step)]
    return seen


def _chain(level: _Level, claimed: set[tuple[str, str]]) -> Iterator[str]:
    """The steps of a level along success; the last one may be shown elsewhere."""
    step_id: str | None = level.first
    while step_id is not None:
        known = (level.within, step_id) in claimed
        yield step_id
        if known or step_id not in level.playbook.workflow:
            return
        step = level.playbook.workflow[step_id]
        step_id = step.on_success or step.on_completion


def _ways(step: Step) -> Iterator[tuple[Way, str, str]]:
    match step:
        case IfStep():
            yield Way.holds, step.on_true, ""
            if step.on_false:
                yield Way.does_not_hold, step.on_false, ""
        case WhileStep():
            yield Way.round, step.on_true, ""
        case ParallelStep():
            for first in step.next_steps:
                yield Way.branch, first, ""
        case SwitchStep():
            for case, first in step.cases.items():
                yield (Way.other_case if case == "default" else Way.case), first, case
        case _:
            pass
    if step.on_failure:
        yield Way.failure, step.on_failure, ""


def _child(step: Step, children: Mapping[str, Playbook] | None) -> Playbook | None:
    return (children or {}).get(step.playbook_id) if isinstance(step, PlaybookActionStep) else None
