"""Taking back what a run contained: as a run of its own, so that a crash loses nothing and nothing is sent twice.

What is taken back is known before anything is: `plan_undo` shows it, `start_undo` begins it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from incident.errors import NotFound, Refused
from incident.record.facts import LocalText
from incident.record.numbers import label_of
from incident.response import events as e
from incident.response.commands import kind_of
from incident.response.containment import (
    STANDING,
    ContainmentState,
    begin_undoing,
    containment_of_run,
    is_undo,
)
from incident.response.model import ActionStep, Playbook
from incident.response.runner import run_named, start_run, state_of
from incident.response.undo_playbook import Piece, can_be_taken_back, undo_playbook
from incident.response.variables import declarations, declared_value
from incident.response.work import effect_for, names_of, plan, title_of
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import Containment, Run


@dataclass(frozen=True)
class UndoAct:
    """One thing that an undo does: a call (`request`, `content` and `host`, None for this machine), or what is asked
    of a person (`text`). `only_if_it_fails`: a person is asked only where the call before it failed."""

    title: LocalText
    whom: LocalText
    kind: str
    text: LocalText
    request: str = ""
    host: str | None = None
    content: str = ""
    only_if_it_fails: bool = False


@dataclass(frozen=True)
class UndoPlan:
    """What an undo would do, in order, and by label and title what it leaves because nothing takes it back."""

    incident_id: str
    run_id: str
    acts: tuple[UndoAct, ...]
    left: tuple[tuple[str, LocalText], ...]


def plan_undo(
    session: Session, store: Store, run_id: str, *, step: str | None = None, now: datetime
) -> UndoPlan:
    """What `start_undo` would do, without doing it. Raises as it does."""
    run = run_named(session, run_id)
    pieces, left = _what_stands(session, store, run, step)
    playbook, steps = undo_playbook(run_id, _pieces(store, pieces), at=now)
    return UndoPlan(run.incident_id, run_id, tuple(_acts(playbook, steps)), _left(store, left))


def start_undo(
    change: Change, store: Store, run_id: str, *, step: str | None = None, reason: str = ""
) -> tuple[str, tuple[tuple[str, LocalText], ...]]:
    """Start the run that takes back what stands of a run, or of one of its steps; returns its id and what is left.

    `step` is a short name or id of a step, or the label of one containment, as C2. Raises `NotFound`, and `Refused`
    where nothing stands, where nothing takes it back, where an undo is under way, and for the undo of an undo.
    """
    run = run_named(change.session, run_id)
    pieces, left = _what_stands(change.session, store, run, step)
    playbook, steps = undo_playbook(run_id, _pieces(store, pieces), at=change.at)
    undo_run = start_run(change, store, run.incident_id, playbook, name=f"undo {run_id}", given={})
    for row in pieces:
        begin_undoing(change, store, row, undo_run=undo_run, steps=steps[row.id])
    change.note(undone=[label_of(row) for row in pieces], **({"reason": reason} if reason else {}))
    return undo_run, _left(store, left)


def _what_stands(
    session: Session, store: Store, run: Run, step: str | None
) -> tuple[list[Containment], list[Containment]]:
    """What can be taken back now, the last done first, and what cannot."""
    if is_undo(state_of(store, run).playbook):
        raise Refused(
            f"{run.id} is an undo itself; what it took back is not put in force again by an undo",
            next_step=f"to contain it again, run the playbook again: incident run PLAYBOOK --on {run.incident_id}",
        )
    rows = [row for row in reversed(containment_of_run(session, run.id)) if _is_meant(store, row, step)]
    if step is not None and not rows:
        raise NotFound(
            f"the step {step} of {run.id} has contained nothing",
            next_step=f"`incident containment {run.incident_id}` shows what there is",
        )
    under_way = next((row for row in rows if row.state == ContainmentState.UNDOING), None)
    if under_way is not None:
        raise Refused(
            f"{label_of(under_way)} is being taken back by {under_way.undo_run}",
            next_step="`incident runs` shows what that waits for",
        )
    standing = [row for row in rows if row.state in STANDING]
    if not standing:
        raise Refused(
            f"nothing that {run.id} contained is in force",
            next_step=f"`incident containment {run.incident_id}` shows how it stands",
        )
    contents = {row.id: store.open(row, incident_id=row.incident_id) for row in standing}
    pieces = [row for row in standing if can_be_taken_back(contents[row.id])]
    left = [row for row in standing if row not in pieces]
    if not pieces:
        raise Refused(
            f"nothing takes back what {run.id} did: {', '.join(label_of(row) for row in left)}",
            next_step="what followed from it must be put right by other means; log it with `incident log`",
        )
    return pieces, left


def _is_meant(store: Store, row: Containment, step: str | None) -> bool:
    if step is None:
        return True
    label = store.open(row, incident_id=row.incident_id)["label"]
    return step in (row.step, label) or step.upper() == label_of(row)


def _pieces(store: Store, rows: Sequence[Containment]) -> list[Piece]:
    return [Piece(row.id, f"c{row.number}", store.open(row, incident_id=row.incident_id)) for row in rows]


def _left(store: Store, rows: Sequence[Containment]) -> tuple[tuple[str, LocalText], ...]:
    return tuple((label_of(row), store.open(row, incident_id=row.incident_id)["title"]) for row in rows)


def _acts(playbook: Playbook, steps: dict[str, tuple[str, ...]]) -> list[UndoAct]:
    fallbacks = {each for several in steps.values() for each in several[1:]}
    found = []
    for step_id, step in playbook.workflow.items():
        if isinstance(step, ActionStep):
            values = {name: declared_value(each) for name, each in declarations(playbook, step).items()}
            for index in range(len(plan(step))):
                effect = effect_for(playbook, step_id, step, "dry-run", index, values)
                found.append(_act(playbook, step_id, effect, is_fallback=step_id in fallbacks))
    return found


def _act(playbook: Playbook, step_id: str, effect: e.Piece, *, is_fallback: bool) -> UndoAct:
    step = playbook.workflow[step_id]
    assert isinstance(step, ActionStep)  # noqa: S101 - only actions have pieces
    title = title_of(step_id, step)
    if not isinstance(effect, e.RunCommand):
        assert isinstance(effect, e.AskPerson | e.AskApproval)  # noqa: S101 - an undo has no work of the house
        whom = names_of(playbook.endpoint(step.agent))
        return UndoAct(title, whom, effect.kind, effect.text, only_if_it_fails=is_fallback)
    known = kind_of(effect.command).prepare(effect.command, effect.agent, effect.variables, effect.declared)
    return UndoAct(
        title, names_of(effect.agent), effect.command.type, {}, known.request, known.host, known.content
    )
