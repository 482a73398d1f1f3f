"""What the steps of runs contain: a row from a step's end until it is taken back.

A row is written in the change that settles its step, with all that taking it back needs: the commands, whom they are
sent to, and the values as they stood when the step had ended. A step that failed halfway has one too, since part of
what it was for may be in force. Nothing here sends anything, and nothing lifts containment by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session, col, select

from incident.durable import put_job
from incident.errors import Refused
from incident.record.facts import in_language
from incident.record.incidents import must_be_open, must_have_not_come, record_run_note
from incident.record.measures import Phase, measure_catalogue
from incident.record.numbers import label_of, next_number, row_called
from incident.record.summons import settle_summons
from incident.response import events as e
from incident.response.extensions import ContainmentAction, measures_of, verification_of
from incident.response.lint import labels_of
from incident.response.model import ActionStep, AgentTarget, Playbook
from incident.response.state import OPEN, Awaits, State, Visit, VisitState
from incident.response.variables import declarations
from incident.response.work import Work, names_of, plan, title_of
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import Containment, Run

CONTAINMENT_JOB = "containment"
UNDO_LABEL = "tocsin-undo"
"""The label of a playbook that takes containment back."""


class ContainmentState(StrEnum):
    """`NOT_EFFECTIVE`: it was done, and its verification failed. `IN_DOUBT`: its step did not succeed, and part of it, or
    all, may be in force."""

    IN_FORCE = "in_force"
    IN_DOUBT = "in_doubt"
    VERIFIED = "verified"
    NOT_EFFECTIVE = "not_effective"
    UNDOING = "undoing"
    UNDONE = "undone"


UNENDED = frozenset(ContainmentState) - {ContainmentState.UNDONE}
STANDING = UNENDED - {ContainmentState.UNDOING}
"""Done, or perhaps done, and nobody is taking it back."""


def is_undo(playbook: Playbook) -> bool:
    """Whether a run's playbook takes containment back."""
    return UNDO_LABEL in playbook.labels


# -- keeping -------------------------------------------------------------------------------------------


def keep_containment(
    change: Change, store: Store, run: Run, effect: e.Piece | e.AskOutcome, after: State, *, at: datetime
) -> None:
    """Keep that the step of `effect` contained something, if its measures say so; `at` is when it was done.

    The work up to `effect` was done. Where more would have followed, the step did not succeed.
    """
    visit = after.visits.get(effect.visit)
    if visit is None:  # of an earlier round of a loop, and withdrawn long ago: only its measure is kept
        return
    step = after.step_of(visit)
    if isinstance(step, ActionStep):
        done = plan(step)[: effect.index + 1]
        _keep(change, store, run, after, visit, step, done, whole=done == plan(step), at=at)


def _keep(
    change: Change,
    store: Store,
    run: Run,
    after: State,
    visit: Visit,
    step: ActionStep,
    done: Sequence[Work],
    *,
    whole: bool,
    at: datetime,
) -> None:
    """Keep what these pieces of a step's work contained; unless they are the `whole` of it, for certain, in doubt."""
    action = measures_of(step)
    if action is None or not contains(action.action_ids):
        return
    content = _content(after, visit, step, action, done)
    row = _of_visit(change.session, run, visit) or Containment(
        id=store.new_id(),
        incident_id=run.incident_id,
        number=next_number(change.session, Containment, run.incident_id),
        run_id=run.id,
        visit=visit.id,
        step=visit.step,
        state=ContainmentState.IN_DOUBT,
        done_at=at,
        expires_at=at + timedelta(milliseconds=action.expires_after) if action.expires_after else None,
    )
    row.state = ContainmentState.IN_FORCE if whole else ContainmentState.IN_DOUBT
    change.put(row, content)
    if row.expires_at is not None:
        _ask_at_its_end(change, row)
    if not whole:
        on = "; ".join(in_language(each, "en") for each in content["whom"])
        text = f"in doubt: {in_language(content['title'], 'en')} ({label_of(row)}); its step did not succeed"
        record_run_note(
            store,
            change,
            run.incident_id,
            text=f"{text}, and may have worked on {on}" if on else text,
            at=change.at,
        )


def _of_visit(session: Session, run: Run, visit: Visit) -> Containment | None:
    """What a visit left in doubt, of which more is heard now."""
    found = select(Containment).where(
        Containment.run_id == run.id,
        Containment.visit == visit.id,
        Containment.state == ContainmentState.IN_DOUBT,
    )
    return session.exec(found).first()


def contains(actions: Iterable[str]) -> bool:
    """Whether one of these measures contains something."""
    return any(each.partition(".")[0] == Phase.CONTAIN for each in actions)


def inverses(actions: Sequence[str], declared: Sequence[str] = ()) -> list[str]:
    """The measures that take these back: those that the step declares, else those of the catalogue."""
    if declared:
        return list(dict.fromkeys(declared))
    known = measure_catalogue()
    undone_by = [known[each].undo for each in actions if each in known]
    return list(dict.fromkeys(each for each in undone_by if each is not None))


def _content(
    after: State, visit: Visit, step: ActionStep, action: ContainmentAction, done: Sequence[Work]
) -> dict[str, Any]:
    playbook = after.playbook_of(visit)
    targets = list(dict.fromkeys(each.target for each in done if each.target is not None))
    ends = {each: playbook.endpoint(each) for each in dict.fromkeys([step.agent, *targets])}
    found = {key: end for key, end in ends.items() if end is not None}
    owner = playbook.agent_definitions.get(action.owner or "")
    own = {name: value for name, value in visit.sent_with.items() if name not in step.out_args}
    return {
        "actions": list(action.action_ids),
        "undo": inverses(action.action_ids, action.undo_ids),
        "title": dict(title_of(visit.step, step)),
        "label": labels_of(playbook).get(visit.step, visit.step),
        "whom": [dict(names_of(found[each])) for each in targets if each in found],
        "owner": dict(names_of(owner)),
        "owner_agent": _plain(owner),
        "blast_radius": action.blast_radius,
        "interrupts": action.interrupts,
        "values": after.values_for(visit) | own,
        "declared": {name: _plain(each) for name, each in declarations(playbook, step).items()},
        "kinds": list(dict.fromkeys(each.type for each in step.commands)),
        "timeout": step.timeout,
        "agent": step.agent,
        "targets": targets if step.targets else [],
        "ends": {key: _plain(each) for key, each in found.items()},
        "authentication": _authentication(playbook, found),
        "undo_commands": list(action.undo_commands),
    }


def _authentication(playbook: Playbook, ends: Mapping[str, AgentTarget]) -> dict[str, Any]:
    """How to sign in at these, with the names of secrets: lint refuses a playbook that holds one."""
    known = playbook.authentication_info_definitions
    wanted = {each.authentication_info for each in ends.values()} & known.keys()
    return {str(each): _plain(known[str(each)]) for each in sorted(map(str, wanted))}


def _plain(found: BaseModel | None) -> dict[str, Any] | None:
    return None if found is None else found.model_dump(mode="json", by_alias=True, exclude_unset=True)


# -- following a run -----------------------------------------------------------------------------------


def follow_turn(
    change: Change, store: Store, run: Run, event: e.Event, before: State, after: State, *, at: datetime
) -> list[Containment]:
    """Keep what a turn of a run says of containment: verified or not, in doubt, taken back or not. Returns what was
    taken back."""
    undone: list[Containment] = []
    for visit in _closed_in(before, after):
        step = after.step_of(visit)
        checks = verification_of(step) if isinstance(step, ActionStep) else None
        if checks is not None and visit.state is not VisitState.cancelled:
            _verify(change, store, run, after, visit, checks.verifies)
        if isinstance(step, ActionStep) and visit.state is not VisitState.succeeded:
            done = _perhaps_done(step, visit, before.visits.get(visit.id), event)
            if done:
                _keep(change, store, run, after, visit, step, done, whole=False, at=at)
        if visit.state is VisitState.succeeded and is_undo(after.playbook):
            undone += take_back(change, store, run, visit.step, at=at)
    if after.finished and is_undo(after.playbook):
        _let_stand(change, store, run)
    return undone


_AT_WORK = frozenset({"call", "manual"})


def _perhaps_done(step: ActionStep, visit: Visit, before: Visit | None, event: e.Event) -> list[Work]:
    """The pieces of a step that did not succeed which were done, and the last one if nobody knows that it was not."""
    pieces = plan(step)
    known = pieces[: visit.index]
    last = pieces[visit.index : visit.index + 1] if _may_be_done(visit, before, event) else ()
    return [each for each in (*known, *last) if each.kind in _AT_WORK]


def _may_be_done(visit: Visit, before: Visit | None, event: e.Event) -> bool:
    """Whether the work that a visit ended with may have been done."""
    if isinstance(event, e.Cancelled | e.TimerFired) or event.visit != visit.id:
        return before is not None and before.awaits is Awaits.outcome
    match event:
        case e.CommandSucceeded():  # what it brought back was of no use, and it was done all the same
            return True
        case e.CommandFailed():
            return event.ambiguous
        case e.OutcomeAnswered():
            return event.outcome is not e.CallOutcome.not_done
        case _:
            return False


def _closed_in(before: State, after: State) -> Iterator[Visit]:
    for visit in after.visits.values():
        old = before.visits.get(visit.id)
        if visit.state not in OPEN and (old is None or old.state in OPEN):
            yield visit


def _verify(
    change: Change, store: Store, run: Run, after: State, visit: Visit, verified: Sequence[str]
) -> None:
    works = visit.state is VisitState.succeeded
    title = dict(title_of(visit.step, after.step_of(visit)))
    for row in _latest(change.session, run, verified):
        if row.state not in STANDING:
            continue
        row.state = ContainmentState.VERIFIED if works else ContainmentState.NOT_EFFECTIVE
        row.verified_at = change.at if works else None
        content = store.open(row, incident_id=run.incident_id)
        change.put(row, {**content, "checked_by": title, "checked_at": change.at.isoformat()})
        said = "verified" if works else "not effective"
        text = (
            f"{said}: {in_language(content['title'], 'en')} ({label_of(row)}), by {in_language(title, 'en')}"
        )
        record_run_note(store, change, run.incident_id, text=text, at=change.at)


def _latest(session: Session, run: Run, steps: Sequence[str]) -> list[Containment]:
    latest = {row.step: row for row in containment_of_run(session, run.id)}
    return [latest[each] for each in dict.fromkeys(steps) if each in latest]


def take_back(change: Change, store: Store, run: Run, step: str, *, at: datetime) -> list[Containment]:
    """Keep that a step of an undo run has taken back what it was for. Returns the rows; none where it was for none."""
    found = []
    for row in _undone_by(change.session, run):
        content = store.open(row, incident_id=run.incident_id)
        if row.state == ContainmentState.UNDONE or step not in content.get("undo_steps", ()):
            continue
        row.state = ContainmentState.UNDONE
        row.ended_at = max(at, row.done_at)
        change.put(row, content)
        settle_summons(change, run.incident_id, row.id)
        found.append(row)
    return found


def begin_undoing(
    change: Change, store: Store, row: Containment, *, undo_run: str, steps: Sequence[str]
) -> None:
    """Keep that a run takes this back by these steps."""
    content = store.open(row, incident_id=row.incident_id)
    was = row.state
    row.state, row.undo_run = ContainmentState.UNDOING, undo_run
    change.put(row, {**content, "was": was, "undo_steps": list(steps)})


def _let_stand(change: Change, store: Store, run: Run) -> None:
    """An undo run is over: what it has not taken back stands as before."""
    for row in _undone_by(change.session, run):
        if row.state == ContainmentState.UNDOING:
            content = store.open(row, incident_id=run.incident_id)
            row.state = ContainmentState(content["was"])
            change.put(row, content)
            if row.expires_at is not None and row.asked_at is None:
                _ask_at_its_end(change, row)


def _undone_by(session: Session, run: Run) -> Sequence[Containment]:
    found = select(Containment).where(Containment.undo_run == run.id)
    return session.exec(found.order_by(col(Containment.number))).all()


# -- reading and keeping on ----------------------------------------------------------------------------


def containment_of_run(session: Session, run_id: str) -> list[Containment]:
    """What a run contained, the first first, also what was taken back."""
    found = select(Containment).where(Containment.run_id == run_id)
    return list(session.exec(found.order_by(col(Containment.number))).all())


def containment_of(session: Session, incident_id: str | None = None) -> list[Containment]:
    """What was contained in an incident, or in all, the first first."""
    found = select(Containment).order_by(col(Containment.incident_id), col(Containment.number))
    if incident_id is not None:
        found = found.where(Containment.incident_id == incident_id)
    return list(session.exec(found).all())


def keep_in_force(
    change: Change, store: Store, incident_id: str, label: str, *, until: datetime, reason: str
) -> Containment:
    """Let containment stand until a later time; then somebody is asked again.

    Raises `NotFound`, `BadInput`, and `Refused` for one that is being taken back or was, and for a time that is past.
    """
    must_be_open(change.session, incident_id)
    row = row_called(change.session, Containment, incident_id, label)
    if row.state not in STANDING:
        raise Refused(
            f"{label_of(row)} is not in force any more ({row.state})",
            next_step=f"`incident containment {incident_id}` shows how it stands",
        )
    must_have_not_come(until, now=change.at, option="--until")
    row.expires_at, row.asked_at = until, None
    content = store.open(row, incident_id=incident_id)
    change.put(row, {**content, "kept_because": reason})
    settle_summons(change, incident_id, row.id)
    _ask_at_its_end(change, row)
    return row


def _ask_at_its_end(change: Change, row: Containment) -> None:
    assert row.expires_at is not None  # noqa: S101 - asked for by the callers
    after = max((row.expires_at - change.at).total_seconds(), 0.0)
    put_job(change.session, CONTAINMENT_JOB, row.id, incident_id=row.incident_id, after=after)
