"""The state of a run: plain values that go to JSON and back.

A *visit* is one entering of one step. A *strand* is one thread of control: the run's own, and one for each
branch that a branching visit opened. A strand has at most one open visit at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from incident.response.events import Outcome
from incident.response.model import Playbook, Step, dump


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
    case = "case"
    branches = "branches"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Visit(_Frozen):
    """`index` is the piece of work under way; `local` the values of the step's own variables.

    `round` counts how often a call was made again, `clock` how often the step's time limit began anew, `tries` how
    often the piece of work under way was retried after a failure. For a while-condition `index` counts its rounds.
    `sent_with` holds the values that the call under way was made with, so that the same one can be made again though
    variables moved on. `overdue`: the time of a branching step is over, and it fails as soon as nobody is asked within
    it whether a call was carried out.
    """

    id: str
    step: str
    strand: str
    state: VisitState
    index: int = 0
    round: int = 0
    clock: int = 0
    tries: int = 0
    awaits: Awaits | None = None
    local: dict[str, str | None] = Field(default_factory=dict)
    sent_with: dict[str, str | None] = Field(default_factory=dict)
    overdue: bool = False
    by: list[str] = Field(default_factory=list)
    reason: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_earlier_versions_wrote(cls, data: Any) -> Any:
        if isinstance(data, dict) and "clock" not in data and "round" in data:
            return {**data, "clock": data["round"]}
        return data


class Strand(_Frozen):
    """`parent` is the visit that opened it, None for the run's own. `called` is the visit whose playbook-action
    step called the playbook that the strand goes through, "" for the run's own. `exception`: it has fallen into the
    exception route of its playbook."""

    id: str
    parent: str | None
    called: str = ""
    state: StrandState = StrandState.running
    exception: bool = False


class Called(_Frozen):
    """A playbook that a playbook-action step called: its id among the children, and its own variables."""

    playbook: str
    variables: dict[str, str | None]


class State(_Frozen):
    """A run. The playbook and those it calls (`children`, by id) are frozen in it: a later version of a file changes
    nothing that has started.

    `variables` are those of the run's own playbook, `called` holds the playbooks under way that were called, by the
    visit that called each.
    """

    version: Literal[1] = 1
    run: str
    playbook: Playbook
    children: dict[str, Playbook] = Field(default_factory=dict)
    called: dict[str, Called] = Field(default_factory=dict)
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

    def playbook_of(self, visit: Visit) -> Playbook:
        """The playbook that the step of that visit belongs to."""
        called = self.strands[visit.strand].called
        return self.children[self.called[called].playbook] if called else self.playbook

    def step_of(self, visit: Visit) -> Step:
        return self.playbook_of(visit).workflow[visit.step]

    def values_for(self, visit: Visit) -> dict[str, str | None]:
        """What the step of that visit sees: its own variables stand before its playbook's."""
        called = self.strands[visit.strand].called
        return (self.called[called].variables if called else self.variables) | visit.local


def around(visit: Visit, visits: Mapping[str, Visit], strands: Mapping[str, Strand]) -> Iterator[Visit]:
    """The branching visits that a visit lies within, from the inside out."""
    parent = strands[visit.strand].parent
    while parent is not None:
        yield visits[parent]
        parent = strands[visits[parent].strand].parent


def to_json(state: State, *, with_playbook: bool = True) -> dict[str, Any]:
    """The state as JSON values. Without the playbooks it is small; keep them beside it then."""
    data = state.model_dump(mode="json", exclude={"playbook", "children"})
    if not with_playbook:
        return data
    return data | {
        "playbook": dump(state.playbook),
        "children": {key: dump(each) for key, each in state.children.items()},
    }


def from_json(
    data: Mapping[str, Any],
    *,
    playbook: Playbook | None = None,
    children: Mapping[str, Playbook] | None = None,
) -> State:
    """The state that `to_json` wrote; `playbook` and `children` where they were kept beside."""
    if playbook is None:
        return State.model_validate(data)
    return State.model_validate({**data, "playbook": playbook, "children": dict(children or {})})
