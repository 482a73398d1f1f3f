"""The state of a run: plain values that go to JSON and back.

A *visit* is one entering of one step. A *strand* is one thread of control: the run's own, and one for each
branch that a branching visit opened. A strand has at most one open visit at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from incident.response.events import Outcome
from incident.response.extensions import measures_of
from incident.response.model import Playbook, dump


class VisitState(StrEnum):
    delayed = "delayed"
    working = "working"
    deciding = "deciding"
    branching = "branching"
    succeeded = "succeeded"
    failed = "failed"
    cancelled = "cancelled"


OPEN = frozenset({VisitState.delayed, VisitState.working, VisitState.deciding, VisitState.branching})
WAITING = OPEN - {VisitState.branching}


class StrandState(StrEnum):
    running = "running"
    ended = "ended"
    handled = "handled"
    failed = "failed"
    cancelled = "cancelled"


class Awaits(StrEnum):
    """What an open visit waits for."""

    timer = "timer"
    command = "command"
    outcome = "outcome"
    person = "person"
    approval = "approval"
    in_house = "in_house"
    condition = "condition"
    branches = "branches"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Visit(_Frozen):
    """`index` is the piece of work under way; `local` the values of the step's own variables.

    `round` counts the answers about calls whose outcome nobody knew. `sent_with` holds the values that the call under
    way was made with, so that the same one can be made again though variables moved on. `overdue`: the time of a
    branching step is over, and it fails as soon as no such answer is waited for within it.
    """

    id: str
    step: str
    strand: str
    state: VisitState
    index: int = 0
    round: int = 0
    awaits: Awaits | None = None
    local: dict[str, str | None] = Field(default_factory=dict)
    sent_with: dict[str, str | None] = Field(default_factory=dict)
    overdue: bool = False
    by: list[str] = Field(default_factory=list)
    reason: str | None = None


class Strand(_Frozen):
    """`parent` is the visit that opened it, None for the run's own. `exception`: it has fallen into the
    exception route of the playbook."""

    id: str
    parent: str | None
    state: StrandState = StrandState.running
    exception: bool = False


class State(_Frozen):
    """A run. The playbook is frozen in it: a later version of the file changes nothing that has started."""

    version: Literal[1] = 1
    run: str
    playbook: Playbook
    visits: dict[str, Visit] = Field(default_factory=dict)
    strands: dict[str, Strand] = Field(default_factory=dict)
    variables: dict[str, str | None]
    entered: int = 0
    outcome: Outcome | None = None

    @property
    def finished(self) -> bool:
        return self.outcome is not None

    def waiting(self) -> list[Visit]:
        """The visits that wait for something from outside, in the order they were entered."""
        return [visit for visit in self.visits.values() if visit.state in WAITING]

    def out_of_time(self, visit: Visit) -> bool:
        """Whether the time of a step around it is over, so that nothing more is begun there."""
        return any(each.overdue for each in around(visit, self.visits, self.strands))

    def values_for(self, visit: Visit) -> dict[str, str | None]:
        """What the step of that visit sees: its own variables stand before the playbook's."""
        return self.variables | visit.local


def around(visit: Visit, visits: Mapping[str, Visit], strands: Mapping[str, Strand]) -> Iterator[Visit]:
    """The branching visits that a visit lies within, from the inside out."""
    parent = strands[visit.strand].parent
    while parent is not None:
        yield visits[parent]
        parent = strands[visits[parent].strand].parent


def measures_taken(before: State | None, after: State) -> list[tuple[Visit, list[str]]]:
    """The visits that succeeded between two states and the measures they took, for the incident's record.

    A measure is taken when its step has succeeded, never when it was only asked for.
    """
    old = before.visits if before else {}
    taken = []
    for visit in after.visits.values():
        if visit.state is not VisitState.succeeded or (
            visit.id in old and old[visit.id].state is VisitState.succeeded
        ):
            continue
        containment = measures_of(after.playbook.workflow[visit.step])
        if containment:
            taken.append((visit, list(containment.action_ids)))
    return taken


def to_json(state: State, *, with_playbook: bool = True) -> dict[str, Any]:
    """The state as JSON values. Without the playbook it is small; keep the playbook beside it then."""
    data = state.model_dump(mode="json", exclude={"playbook"})
    return data | {"playbook": dump(state.playbook)} if with_playbook else data


def from_json(data: Mapping[str, Any], *, playbook: Playbook | None = None) -> State:
    """The state that `to_json` wrote; `playbook` where it was kept beside."""
    return State.model_validate(data if playbook is None else {**data, "playbook": playbook})
