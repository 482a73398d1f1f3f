"""Runs of playbooks over our rows: the machine's state, every effect with its intent, and what came of it.

The machine decides, this module keeps: state, new effects, the measures a step took and the journal entry are one
transaction. A call's intent is committed before it is sent. A worker that dies in between leaves a call of which
nobody knows whether it was carried out: one that is declared repeatable is made again with the same key and the same
bytes, about any other one a person is asked. So none is skipped, and none is done twice by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_args

from pydantic import TypeAdapter
from sqlmodel import Session, col, select

from incident.durable import put_job
from incident.errors import NotFound, Refused
from incident.record.facts import in_language
from incident.record.incidents import must_be_open, record_run_measure
from incident.record.summons import settle_summons
from incident.response import events as e
from incident.response.containment import follow_turn, keep_containment, take_back
from incident.response.downtime import state_downtime
from incident.response.effect_states import OUTSTANDING, EffectState
from incident.response.evidence_first import PRESERVED
from incident.response.kept_playbooks import are_beside, keep_playbooks, playbooks_of
from incident.response.lint import labels_of
from incident.response.machine import advance, start
from incident.response.model import ActionStep, Playbook, dump
from incident.response.run_rows import count_runs, effect_row, outstanding_rows, run_row
from incident.response.state import OPEN, State, VisitState, from_json, to_json
from incident.response.summoning import Asked, summon_for
from incident.response.work import plan
from incident.store.canonical import canonical
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import Run, RunEffect

RUN_JOB = "run.advance"
RUNNING = "running"
_EFFECT: TypeAdapter[e.Effect] = TypeAdapter(e.Effect)
_TIMER = e.WaitUntil.model_fields["kind"].default
_OF_PEOPLE = frozenset(each.model_fields["kind"].default for each in get_args(Asked))
"""The kinds of effects that people are called for."""
Measured = e.RunCommand | e.AskPerson | e.AskOutcome
"""What takes the step's measures when the step has succeeded by it."""
Evaluate = Callable[[Change, str], object]
"""Evaluates the duties of an incident as a change leaves the record."""


@dataclass(frozen=True)
class OpenEffect:
    """An effect that is not settled, with its row. `calls`: how often a command was called without an answer."""

    row: RunEffect
    effect: e.Effect
    calls: int = 0

    @property
    def hash(self) -> str:
        """What a decision on it binds: SHA-256 over the canonical JSON of the effect and the run it belongs to."""
        content: dict[str, Any] = {"effect": self.effect.model_dump(mode="json"), "run": self.row.run_id}
        return hashlib.sha256(canonical(content)).hexdigest()


Choose = Callable[[list[OpenEffect]], OpenEffect | None]
"""Of all that a run waits for: the call to be made at once. Its intent is kept in the same transaction."""


def start_run(
    change: Change,
    store: Store,
    incident_id: str,
    playbook: Playbook,
    *,
    name: str,
    given: Mapping[str, str],
    children: Mapping[str, Playbook] | None = None,
) -> str:
    """Start a playbook on an incident; returns the run's id. The job does the rest. `children`: those it calls, by id.

    Raises `BadInput` when it cannot be run (the linter's findings), is revoked or not valid now, or a value does not
    fit.
    """
    must_be_open(change.session, incident_id)
    run_id = new_run_id(change.session, incident_id)
    state, effects = start(playbook, given, run=run_id, children=children, now=change.at)
    content = dump(playbook)
    row = Run(
        id=run_id,
        incident_id=incident_id,
        playbook=name,
        playbook_hash=hashlib.sha256(canonical(content)).hexdigest(),
        state=RUNNING,
        started_at=change.at,
        started_by=change.actor,
        version=0,
    )
    keep_playbooks(change, row, state)
    _store(change, store, row, state, effects)
    return run_id


def tell(
    change: Change,
    store: Store,
    run: Run,
    event: e.Event,
    *,
    settled: OpenEffect | None,
    result: str = "",
    at: datetime | None = None,
    evaluate: Evaluate | None = None,
    poke: bool = True,
    waiting: list[OpenEffect] | None = None,
    choose: Choose | None = None,
) -> None:
    """Tell the machine what happened and keep what follows, in one change.

    `settled` is the effect that this event answers; `result` says in words what came of it, for the log, and `at`
    when it was done, if that was before it was told: notice and report give a measure's own day. `evaluate` evaluates
    the duties where facts followed from it. Without `poke` the run's job is not asked to go on: it does anyway.
    `waiting` is what the run waited for before, if it was read in this change already. `choose` is asked only while
    the run goes on.
    """
    document = store.open(run, incident_id=run.incident_id)
    before = _state_in(store, run, document, session=change.session)
    after, effects = advance(before, event)
    if settled is not None:
        content = store.open(settled.row, incident_id=run.incident_id)
        settled.row.state = EffectState.SETTLED
        settled.row.settled_at = change.at
        change.update(settled.row, {**content, "event": event.model_dump(mode="json"), "result": result})
        if settled.row.kind in _OF_PEOPLE:
            settle_summons(change, run.incident_id, settled.row.id)
        _record_measures(change, store, run, settled, event, after, result, at=at or change.at)
    if not are_beside(document):
        keep_playbooks(change, run, after)
    _store(change, store, run, after, effects, poke=poke, waiting=waiting, choose=choose)
    undone = follow_turn(change, store, run, event, before, after, at=at or change.at)
    if state_downtime(change, store, undone) and evaluate is not None:
        evaluate(change, run.incident_id)


def keep_late(
    change: Change,
    store: Store,
    run: Run,
    withdrawn: OpenEffect,
    event: e.Event,
    *,
    result: str,
    evaluate: Evaluate | None = None,
) -> None:
    """Keep what came of a command that was withdrawn while it was under way: what was done was done."""
    content = store.open(withdrawn.row, incident_id=run.incident_id)
    change.update(withdrawn.row, {**content, "event": event.model_dump(mode="json"), "result": result})
    effect = withdrawn.effect
    if not isinstance(event, e.CommandSucceeded) or not isinstance(effect, e.RunCommand):
        return
    state = state_of(store, run)
    keep_containment(change, store, run, effect, state, at=change.at)
    if not _is_last_of_its_step(effect, state):
        return
    _put_measures(change, store, run, effect, result, by="", at=change.at)
    undone = take_back(change, store, run, effect.step, at=change.at)
    if state_downtime(change, store, undone) and evaluate is not None:
        evaluate(change, run.incident_id)


def _is_last_of_its_step(effect: e.RunCommand, state: State) -> bool:
    """Whether a step's work is done with this; the only piece of one whose visit is forgotten, as far as is known."""
    visit = state.visits.get(effect.visit)
    step = state.step_of(visit) if visit is not None else None
    return not isinstance(step, ActionStep) or effect.index + 1 == len(plan(step))


def run_named(session: Session, run_id: str) -> Run:
    """A run by its id. Raises `NotFound`."""
    row = run_row(session, run_id)
    if row is None:
        raise NotFound(f"there is no run {run_id}", next_step="`incident runs` lists them")
    return row


def runs_of(session: Session, incident_id: str | None = None) -> list[Run]:
    """Runs, the newest first; of one incident or of all."""
    statement = select(Run).order_by(col(Run.started_at).desc(), col(Run.id).desc())
    if incident_id is not None:
        statement = statement.where(Run.incident_id == incident_id)
    return list(session.exec(statement).all())


def open_effects(session: Session, store: Store, run: Run) -> list[OpenEffect]:
    """What a run still waits for, in the order in which it was asked."""
    return [_opened(store, row) for row in outstanding_rows(session, run.id)]


def questions(session: Session, store: Store, run: Run) -> list[OpenEffect]:
    """What a run waits for from people."""
    return [each for each in open_effects(session, store, run) if isinstance(each.effect, Asked)]


def question_at(session: Session, store: Store, run: Run, step: str) -> OpenEffect:
    """The open question of a step, by its short name or id, or by its visit where several have that name.

    Raises `NotFound`, naming what waits, and `Refused` where it is not clear which is meant.
    """
    asked = questions(session, store, run)
    labels = labels_in(state_of(store, run))
    found = [
        each
        for each in asked
        if step in (each.row.step, each.row.id, each.row.visit, labels.get(each.row.step))
    ]
    if len(found) > 1:
        raise Refused(
            f"{len(found)} questions of {run.id} are called {step}",
            next_step=f"name one by its visit: {', '.join(each.row.visit for each in found)}",
        )
    if found:
        return found[0]
    waiting = ", ".join(labels.get(each.row.step, each.row.step) for each in asked)
    raise NotFound(
        f"the step {step} of {run.id} waits for nobody",
        next_step=f"these wait: {waiting}" if waiting else "no step of this run waits for a person",
    )


def short_name(store: Store, run: Run, step_id: str) -> str:
    """The name people gave a step, or its id."""
    return labels_in(state_of(store, run)).get(step_id, step_id)


def labels_in(state: State) -> dict[str, str]:
    """The names that people gave the steps of a run's playbook and of those it calls."""
    found: dict[str, str] = {}
    for playbook in (*state.children.values(), state.playbook):
        found |= labels_of(playbook)
    return found


def poke_runs(session: Session, incident_id: str) -> None:
    """Let the open runs of an incident look again: something they may wait for has happened."""
    for run in runs_of(session, incident_id):
        if run.state == RUNNING:
            put_job(session, RUN_JOB, run.id, incident_id=incident_id)


def state_of(store: Store, run: Run, *, anew: bool = False) -> State:
    """The machine's state of a run; `anew` reads all of it as it stands now, for whoever looks for damage."""
    return _state_in(store, run, store.open(run, incident_id=run.incident_id), anew=anew)


def _state_in(
    store: Store, run: Run, document: Mapping[str, Any], *, anew: bool = False, session: Session | None = None
) -> State:
    kept = playbooks_of(store, run, document, anew=anew, session=session)
    return from_json(document["state"], playbook=kept.playbook, children=kept.children)


def is_out_of_time(store: Store, run: Run, asked: OpenEffect) -> bool:
    """Whether the time of a step around an effect's own is over: see `State.out_of_time`."""
    state = state_of(store, run)
    return state.out_of_time(state.visits[asked.row.visit])


def cancel_run(change: Change, store: Store, run: Run, *, by: str, reason: str) -> list[OpenEffect]:
    """End a run now. Nothing that it did is undone. Raises `Refused` for one that is over.

    Returns the calls of which nobody knows whether they are carried out: those under way, and those asked about.
    """
    if run.state != RUNNING:
        raise Refused(f"the run {run.id} is over ({run.state})")
    unknown = [
        each
        for each in open_effects(change.session, store, run)
        if isinstance(each.effect, e.AskOutcome)
        or (isinstance(each.effect, e.RunCommand) and (each.calls or each.row.state == EffectState.INTENDED))
    ]
    tell(change, store, run, e.Cancelled(by=by, reason=reason or None), settled=None)
    return unknown


class SettledMeanwhile(Refused):
    """An effect is not what it was when it was read: it was answered or withdrawn since."""


def mark_intended(change: Change, store: Store, asked: OpenEffect) -> None:
    """Keep that a command is about to be called. Raises `SettledMeanwhile`."""
    row = _still(change, asked)
    _set_intended(row, at=change.at)
    _keep_calls(change, store, row, asked.calls + 1)


def _set_intended(row: RunEffect, *, at: datetime) -> None:
    row.state = EffectState.INTENDED
    row.intent_at = at
    row.due_at = None


def call_later(change: Change, store: Store, asked: OpenEffect, *, calls: int, at: datetime | None) -> None:
    """Keep that a command with intent is to be called at `at` (None: as soon as may be), after `calls` without an
    answer. Raises `SettledMeanwhile`."""
    row = _still(change, asked, EffectState.INTENDED)
    row.state = EffectState.OPEN
    row.due_at = at
    _keep_calls(change, store, row, calls)


def _still(change: Change, asked: OpenEffect, state: EffectState | None = None) -> RunEffect:
    row = effect_row(change.session, asked.row.id)
    if row is None or row.state != (state or asked.row.state):
        raise SettledMeanwhile("this effect was settled meanwhile", where=asked.row.id)
    return row


def _keep_calls(change: Change, store: Store, row: RunEffect, calls: int) -> None:
    change.update(row, {**store.open(row, incident_id=row.incident_id), "calls": calls})


def _store(
    change: Change,
    store: Store,
    run: Run,
    state: State,
    effects: Sequence[e.Effect],
    *,
    poke: bool = True,
    waiting: list[OpenEffect] | None = None,
    choose: Choose | None = None,
) -> None:
    is_new = run.version == 0
    if waiting is None:
        waiting = [] if is_new else open_effects(change.session, store, run)
    asked: list[OpenEffect] = []
    for number, effect in enumerate(effects):
        if isinstance(effect, e.Withdraw):
            _withdraw((each for each in (*waiting, *asked) if each.row.visit == effect.visit), at=change.at)
        elif isinstance(effect, e.Finish):
            run.state = effect.outcome
            run.ended_at = change.at
        else:
            asked.append(_asked(store, run, effect, number, at=change.at))
    found = (*waiting, *asked)
    _withdraw(_timers_of_the_closed(found, state), at=change.at)
    if run.state != RUNNING:
        _withdraw(found, at=change.at)
    chosen = choose(_outstanding(found)) if choose is not None and run.state == RUNNING else None
    for each in waiting:
        if each.row.state == EffectState.WITHDRAWN:
            _keep_withdrawn(change, each.row)
        elif each is chosen:
            mark_intended(change, store, each)
    for each in asked:
        if each is chosen:
            _add_intended(change, each)
        else:
            _add(change, store, each, state)
    run.version += 1
    document = {"state": to_json(state, with_playbook=False)}
    (change.add if is_new else change.update)(run, document)
    if run.state != RUNNING:
        _close(change)
    elif poke:
        put_job(change.session, RUN_JOB, run.id, incident_id=run.incident_id)


def _close(change: Change) -> None:
    """The journal is anchored where a run ended."""
    change.anchor()


def _outstanding(found: Iterable[OpenEffect]) -> list[OpenEffect]:
    return [each for each in found if each.row.state in OUTSTANDING]


def _asked(store: Store, run: Run, effect: e.Effect, number: int, *, at: datetime) -> OpenEffect:
    """A new effect, the `number`th of this turn, with its row, which is not written yet.

    Ids, 32 hexadecimal digits, sort as the machine asked: branches begin in the order in which they stand.
    """
    assert not isinstance(effect, e.Finish | e.Withdraw)  # noqa: S101 - handled by the caller
    due_at = None
    if isinstance(effect, e.WaitUntil) or (isinstance(effect, e.RunCommand) and effect.in_ms):
        due_at = at + timedelta(milliseconds=effect.in_ms)
    row = RunEffect(
        id=f"{run.version:08x}{number:06x}{store.new_id()}"[:32],
        run_id=run.id,
        incident_id=run.incident_id,
        visit=effect.visit,
        step=effect.step,
        kind=effect.kind,
        state=EffectState.OPEN,
        asked_at=at,
        due_at=due_at,
    )
    return OpenEffect(row, effect)


def _add(change: Change, store: Store, asked: OpenEffect, state: State) -> None:
    change.add(asked.row, {"effect": asked.effect.model_dump(mode="json")})
    if isinstance(asked.effect, Asked) and asked.row.state in OUTSTANDING:
        summon_for(change, store, asked.row, asked.effect, state)


def _add_intended(change: Change, asked: OpenEffect) -> None:
    _set_intended(asked.row, at=change.at)
    change.add(asked.row, {"effect": asked.effect.model_dump(mode="json"), "calls": asked.calls + 1})


def _timers_of_the_closed(found: Iterable[OpenEffect], state: State) -> list[OpenEffect]:
    """A loop would leave one at each round, and the worker would open each of them at every look."""
    timers = [(each, state.visits.get(each.row.visit)) for each in found if each.row.kind == _TIMER]
    return [each for each, visit in timers if visit is None or visit.state not in OPEN]


def _withdraw(found: Iterable[OpenEffect], *, at: datetime) -> None:
    """Withdraw those that still wait; the rows are not written here."""
    for each in found:
        if each.row.state in OUTSTANDING:
            each.row.state = EffectState.WITHDRAWN
            each.row.settled_at = at


def _keep_withdrawn(change: Change, row: RunEffect) -> None:
    change.update(row)
    if row.kind in _OF_PEOPLE:
        settle_summons(change, row.incident_id, row.id)


def _record_measures(
    change: Change,
    store: Store,
    run: Run,
    settled: OpenEffect,
    event: e.Event,
    after: State,
    result: str,
    *,
    at: datetime,
) -> None:
    effect = settled.effect
    if not isinstance(effect, Measured):
        return
    if after.visits[effect.visit].state is not VisitState.succeeded:
        return
    by = event.by if isinstance(event, e.PersonAnswered) else ""
    _put_measures(change, store, run, effect, result, by=by, at=at)
    keep_containment(change, store, run, effect, after, at=at)


def _put_measures(
    change: Change, store: Store, run: Run, effect: e.Effect, result: str, *, by: str, at: datetime
) -> None:
    if not isinstance(effect, Measured):
        return
    whom = in_language(effect.who, "en") if isinstance(effect, e.AskOutcome) else None
    whom = effect.agent.name if isinstance(effect, e.RunCommand) else whom
    text = (f"{whom}: {result}" if whom and result else result) or in_language(effect.title, "en")
    for action in effect.measures:
        record_run_measure(store, change, run.incident_id, action=action, text=text, by=by, at=at)
    if PRESERVED in effect.measures:
        poke_runs(change.session, run.incident_id)


def _opened(store: Store, row: RunEffect) -> OpenEffect:
    content = store.open(row, incident_id=row.incident_id)
    return OpenEffect(row, _EFFECT.validate_python(content["effect"]), content.get("calls", 0))


def new_run_id(session: Session, incident_id: str) -> str:
    """The id that the next run of an incident gets."""
    return f"{incident_id.replace('INC', 'RUN')}-{count_runs(session, incident_id) + 1}"
