"""The machine: `start` and `advance`, pure functions from a state and an event to a state and effects.

Rules it keeps:
- A step's failure (a command's, a person's "failure", a rejection, a timeout) goes to `on_failure`, else to
  the playbook's `workflow_exception`, else up to the branching step, else the run has failed. `on_completion`
  is never followed after a failure.
- A parallel step waits until all its branches have ended, however they ended; it fails if one did. A failure
  that the exception route has dealt with is not brought there again on its way up.
- A while-condition is looked at anew after each round, and fails once it holds still after the most rounds.
- A switch whose value is unknown, or fits no case where there is no default, asks a person.
- A playbook-action step gives the playbook it calls its `in_args` and takes back its `out_args`; neither sees another
  variable of the other. However the other one fails, the step has failed, and its own playbook decides what then.
- A call that failed is made again as often as `retries` says, within the step's time limit.
- Only `Approved`, with enough different people, is a yes.
- Where nobody knows whether a call was carried out, a person is asked. Until they answer, no time limit of the
  step, or of the steps around it, decides in their place: the step's own begins anew with the answer, and one
  around it stops all other work within and takes its failure route once the answer is there.
- An event for a visit that is closed, or for other work than the visit waits for, changes nothing.
- A piece of work is asked for once a visit; a call once more for each retry, and after each answer "it was not carried
  out".
- A run that has entered MOST_STEPS_ENTERED steps has failed: loops within loops end too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from incident.response import events as e
from incident.response.lint import require_runnable
from incident.response.model import Playbook
from incident.response.state import OPEN, WAITING, Awaits, State
from incident.response.told import Told
from incident.response.variables import first_values

_ANSWERS: Mapping[type[e.Event], Awaits] = {
    e.CommandSucceeded: Awaits.command,
    e.CommandFailed: Awaits.command,
    e.CommandUncertain: Awaits.command,
    e.OutcomeAnswered: Awaits.outcome,
    e.PersonAnswered: Awaits.person,
    e.Approved: Awaits.approval,
    e.Rejected: Awaits.approval,
    e.ConditionAnswered: Awaits.condition,
    e.CaseAnswered: Awaits.case,
    e.InHouseDone: Awaits.in_house,
    e.InHouseFailed: Awaits.in_house,
}


def start(
    playbook: Playbook,
    given: Mapping[str, str],
    *,
    run: str,
    children: Mapping[str, Playbook] | None = None,
    now: datetime | None = None,
) -> tuple[State, list[e.Effect]]:
    """Begin a run. `given` are values of external variables, `children` the playbooks that are called, at any depth, by
    id; visits are named `<run>-1`, `<run>-2`... Without `now` it is not asked whether a playbook is valid at this time.

    Raises BadInput where a playbook cannot be run or a value is missing or does not fit.
    """
    called = children or {}
    for each in (playbook, *called.values()):
        require_runnable(each, children=called, now=now)
    state = State(run=run, playbook=playbook, children=dict(called), variables=first_values(playbook, given))
    turn = Told(state)
    turn.open_root()
    return turn.result()


def advance(state: State, event: e.Event) -> tuple[State, list[e.Effect]]:
    """Take one event. Raises BadInput, and changes nothing, where an answer of a person does not fit."""
    if state.finished:
        return state, []
    turn = Told(state)
    if isinstance(event, e.Cancelled):
        turn.cancel_run(event)
        return turn.result()
    visit = state.visits.get(event.visit)
    if visit is None or visit.state not in OPEN:
        return state, []
    if isinstance(event, e.TimerFired):
        turn.timer(visit, event)
        return turn.result()
    if visit.state not in WAITING or event.index != visit.index or visit.awaits is not _ANSWERS[type(event)]:
        return state, []
    if isinstance(event, e.OfCall) and event.round != visit.round:
        return state, []
    turn.answer(visit, event)
    return turn.result()
