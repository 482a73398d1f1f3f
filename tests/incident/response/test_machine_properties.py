"""Random playbooks under random events, given late, twice, and out of order."""

import json
import random
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.response import events as e
from incident.response.compile import compile_form
from incident.response.decompile import decompile
from incident.response.extensions import loop_of, retries_of
from incident.response.lint import lint
from incident.response.machine import advance, start
from incident.response.model import Playbook, PlaybookActionStep, WhileStep, dump
from incident.response.state import OPEN, WAITING, Awaits, State, StrandState, VisitState, from_json, to_json
from tests.support.random_playbooks import (
    MOST_ROUNDS,
    depth_of,
    make,
    make_family,
    possible,
    size_of,
    takes_numbers_back,
)

LONGEST = 150  # events of a run whose every promise is checked after every event


def random_runs(examples: int) -> Callable[[Callable[[int], None]], Callable[[], None]]:
    """A property of seeds: a seed makes the playbooks, and the one after it chooses what happens."""

    def decorate(check: Callable[[int], None]) -> Callable[[], None]:
        relaxed = settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        made: Callable[[], None] = relaxed(given(st.integers(0, 10**9))(check))
        return made

    return decorate


def identity(effect: e.Effect) -> tuple[Any, ...]:
    return (
        effect.kind,
        getattr(effect, "visit", None),
        getattr(effect, "index", None),
        getattr(effect, "purpose", None),
        getattr(effect, "round", None),
    )


def same_call(call: e.RunCommand) -> e.RunCommand:
    return call.model_copy(update={"round": 0, "in_ms": 0, "tries": 0})


def check_calls(playbooks: list[Playbook], seen: list[e.Effect], taken: list[e.Event]) -> None:
    """A call is made once, once more after each answer that it was not carried out, and as often as it is retried;
    always the same call."""
    steps = {step_id: step for playbook in playbooks for step_id, step in playbook.workflow.items()}
    calls: dict[tuple[str, int], list[e.RunCommand]] = {}
    for effect in seen:
        if isinstance(effect, e.RunCommand):
            calls.setdefault((effect.visit, effect.index), []).append(effect)
    for (visit, index), made in calls.items():
        said_no = sum(
            isinstance(event, e.OutcomeAnswered)
            and (event.visit, event.index, event.outcome) == (visit, index, e.CallOutcome.not_done)
            for event in taken
        )
        failed = sum(
            isinstance(event, e.CommandFailed) and (event.visit, event.index) == (visit, index)
            for event in taken
        )
        retries = retries_of(steps[made[0].step])
        most = min(failed, retries.most) if retries else 0
        assert len(made) <= 1 + said_no + most, "a call was made again though nobody asked for it"
        assert all(same_call(each) == same_call(made[0]) for each in made), "it was not the same call again"


def check_nothing_answers_for_people(state: State) -> None:
    """No time limit, of the step or of a step around it, ends a question about a call."""
    for visit in state.waiting():
        if visit.awaits is not Awaits.outcome:
            continue
        for step in (each for each in state.visits.values() if each.state in OPEN):
            for number in range(step.clock + 1):
                limit = e.TimerFired(visit=step.id, purpose=e.TimerPurpose.timeout, round=number)
                after, _ = advance(state, limit)
                assert after.visits[visit.id] == visit
                assert not after.finished


def check_isolation(state: State) -> None:
    """A playbook that is called sees what `in_args` give it, and gives what `out_args` name; nothing else crosses."""
    assert state.variables["__own__"] == "0: nobody else's"
    if not takes_numbers_back(state.playbook):
        assert int(state.variables["__n__"] or 0) < 1000
    for visit_id, called in state.called.items():
        visit = state.visits[visit_id]
        step = state.step_of(visit)
        assert isinstance(step, PlaybookActionStep)
        child = state.children[called.playbook]
        depth = depth_of(child)
        assert set(called.variables) == set(child.playbook_variables)
        assert called.variables["__own__"] == f"{depth}: nobody else's"
        theirs = state.values_for(visit)["__u__"]
        given = theirs if "__u__" in step.in_args else None
        assert called.variables["__u__"] == (f"own of {depth}" if given is None else given)
        if "__n__" not in step.in_args and not takes_numbers_back(child):
            assert int(called.variables["__n__"] or 0) // 1000 == depth


def check_invariants(state: State, seen: list[e.Effect]) -> None:
    names = [identity(effect) for effect in seen]
    assert len(names) == len(set(names)), "an effect was asked for twice"
    asked = {each.visit for each in seen if not isinstance(each, e.Finish)}
    for visit in state.visits.values():
        if visit.state in WAITING:
            assert visit.awaits is not None, "a visit waits for nothing that has a name"
            assert visit.id in asked, "a visit waits for what nobody was asked"
        step = state.step_of(visit)
        if isinstance(step, WhileStep):
            loop = loop_of(step)
            assert loop is not None and visit.index <= loop.most_rounds, "a loop took too many rounds"
    for strand in state.strands.values():
        here = [visit for visit in state.visits.values() if visit.strand == strand.id and visit.state in OPEN]
        assert len(here) == (1 if strand.state is StrandState.running else 0)
        assert strand.parent is None or strand.parent in state.visits, "what opened it is forgotten before it"
    for visit in state.visits.values():
        below = [strand.state for strand in state.strands.values() if strand.parent == visit.id]
        if visit.state is VisitState.branching:
            assert StrandState.running in below, "a branching step waits though its branches have ended"
        else:
            assert StrandState.running not in below, "a branching step went on before its branches ended"
        if visit.state in OPEN and state.out_of_time(visit):
            late = visit.awaits is Awaits.outcome or visit.state is VisitState.branching
            assert late, "something was begun or goes on though the time of a step around it is over"
    assert state.finished == any(isinstance(each, e.Finish) for each in seen)
    assert state.finished or state.waiting(), "the run neither ended nor waits for anything"
    check_isolation(state)


@random_runs(60)
def test_random_runs_keep_every_promise(seed: int) -> None:
    rng = random.Random(seed + 1)
    run_through(*make_family(seed), rng, lambda state: rng.choice(possible(state, rng)))


@random_runs(60)
def test_runs_full_of_uncertain_calls_and_time_limits_keep_every_promise(seed: int) -> None:
    rng = random.Random(seed + 1)

    def mostly_uncertain(state: State) -> e.Event:
        found = possible(state, rng)
        unclear = [each for each in found if isinstance(each, e.CommandUncertain)]
        limits = [each for each in found if isinstance(each, e.TimerFired)]
        if unclear and rng.random() < 0.8:
            return rng.choice(unclear)
        return rng.choice(limits if limits and rng.random() < 0.5 else found)

    run_through(*make_family(seed, hurried=True), rng, mostly_uncertain)


def run_through(
    playbook: Playbook,
    children: dict[str, Playbook],
    rng: random.Random,
    choose: Callable[[State], e.Event],
) -> None:
    """The first LONGEST events of a run, with every promise checked after every event."""
    for each in (playbook, *children.values()):
        found = lint(each, imported=True, children=children)
        assert [finding for finding in found if finding.severity == "error"] == []
    stored = {key: dump(each) for key, each in children.items()}
    state, effects = start(playbook, {}, run="R", children=children)
    seen = list(effects)
    told: list[e.Event] = []
    check_invariants(state, seen)
    for _ in range(LONGEST):
        if state.finished:
            break
        copy = from_json(json.loads(json.dumps(to_json(state))))
        assert copy == state
        event = choose(state)
        assert e.EVENT.validate_json(e.EVENT.dump_json(event)) == event
        before = to_json(state)
        after, effects = advance(state, event)
        assert to_json(state) == before, "the given state was changed"
        assert advance(copy, event) == (after, effects), "a state read from JSON goes on differently"
        assert advance(after, event) == (after, []), "the same event counted twice"
        state, told = after, [*told, event]
        seen += effects
        for old in rng.sample(told, min(3, len(told))):
            assert advance(state, old) == (state, []), "an old event counted again"
        check_invariants(state, seen)
        check_nothing_answers_for_people(state)
    check_calls([playbook, *children.values()], seen, told)
    assert {key: dump(each) for key, each in state.children.items()} == stored, (
        "a called playbook was changed"
    )


@random_runs(60)
def test_every_run_ends_and_its_state_stays_small(seed: int) -> None:
    rng = random.Random(seed + 1)
    playbook, children = make_family(seed)
    state, _ = start(playbook, {"__u__": "x"}, run="R", children=children)
    most = (MOST_ROUNDS - 1) ** 3 * size_of(playbook, children)
    answered = 0
    while not state.finished:
        state, _ = advance(state, rng.choice(possible(state, rng)))
        answered += 1
        assert answered < 20_000, "the run does not end"
        assert len(state.visits) <= most, "a loop keeps what has ended"
        assert len(state.strands) <= len(state.visits)
        assert set(state.called) <= set(state.visits)


@random_runs(40)
def test_no_yes_ever_comes_of_too_few_people_or_of_cancelling(seed: int) -> None:
    rng = random.Random(seed)
    playbook, children = make_family(seed)
    state, _ = start(playbook, {}, run="R", children=children)
    for _ in range(rng.randint(0, 30)):
        if state.finished:
            return
        for visit in state.waiting():
            if visit.awaits is not Awaits.approval:
                continue
            try:
                after, effects = advance(state, e.Approved(visit=visit.id, index=visit.index, by=[]))
            except BadInput:
                continue
            raise AssertionError((after, effects))
        state, _ = advance(state, rng.choice(possible(state, rng)))
    state, effects = advance(state, e.Cancelled(by="a"))
    assert state.waiting() == []
    assert not effects or isinstance(effects[-1], e.Finish)


@random_runs(12)
def test_random_playbooks_survive_the_way_to_the_form_and_back(seed: int) -> None:
    playbook, children = make_family(seed)
    for each in (playbook, *children.values(), make(seed, hurried=True)):
        data = dump(each)
        assert compile_form(decompile(data)) == data
