"""What the machine asks for (effects) and what it is told (events). Both are values that go to JSON and back.

Each carries the visit it belongs to and `index`, the place of the work within the visit, so that the runner
can commit an intent before it acts and a second delivery of the same event is recognised. The pair
(visit, index) is unique for work of a run; (visit, purpose) for its timers. What may come again carries a
`round` as well: of a call it grows with each time that it is made again, of a timer and of a question about a
condition with each time that it begins anew. `measures` are those
that the step takes if it succeeds; the runner records them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from incident.response.extensions import Extension
from incident.response.model import AgentTarget, Authentication, Command, Variable

LocalText = dict[str, str]


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Outcome(StrEnum):
    """How a run ended. `handled`: a step failed without a way of its own, and the exception route ran to its end."""

    succeeded = "succeeded"
    handled = "handled"
    failed = "failed"
    cancelled = "cancelled"


class TimerPurpose(StrEnum):
    delay = "delay"
    timeout = "timeout"


class Uncertain(StrEnum):
    """Why nobody knows whether a call was carried out."""

    worker_stopped = "worker_stopped"
    no_answer = "no_answer"


class CallOutcome(StrEnum):
    """What a person found out about such a call. `failed`: however it went, it is not to be called again."""

    done = "done"
    not_done = "not_done"
    failed = "failed"


# -- effects ------------------------------------------------------------------------------------------


class _Work(_Value):
    visit: str
    step: str
    index: int = 0
    title: LocalText


class RunCommand(_Work):
    """Run a command. `agent` is whom it is sent to: the target, or the agent where there is none.

    A `repeatable` one may be called again by itself when its outcome is not known. The same (visit, index) in a
    later round is the same call, byte for byte, to be made in `in_ms` milliseconds. `tries` counts the failures that
    it is made again after; such a retry keeps no time limit waiting.
    """

    kind: Literal["run_command"] = "run_command"
    round: int = 0
    in_ms: int = 0
    tries: int = 0
    repeatable: bool = False
    command: Command
    agent: AgentTarget
    authentication: Authentication | None = None
    variables: dict[str, str | None]
    declared: dict[str, Variable]
    out_args: list[str] = Field(default_factory=list)
    timeout_ms: int
    measures: list[str] = Field(default_factory=list)


class AskPerson(_Work):
    """Ask a person to do something and say how it went. `who` is the agent's name, `wanted` the values asked for."""

    kind: Literal["ask_person"] = "ask_person"
    text: LocalText
    who: LocalText
    wanted: dict[str, Variable] = Field(default_factory=dict)
    measures: list[str] = Field(default_factory=list)


class AskApproval(_Work):
    """Ask `quorum` different people of the roles to agree. Only `Approved` is a yes."""

    kind: Literal["ask_approval"] = "ask_approval"
    text: LocalText
    roles: list[str]
    quorum: int
    separation_of_duties: bool
    subject: str


class AskOutcome(_Work):
    """Ask a person whether a call was carried out. No time limit answers it; it stays until a person does.

    `request` is what was sent where, in one line, `content` the beginning of its body, `who` the name of whom it
    was sent to, `wanted` the values that its answer would have brought.
    """

    kind: Literal["ask_outcome"] = "ask_outcome"
    round: int = 0
    request: str
    content: str = ""
    who: LocalText
    sent_at: AwareDatetime
    why: Uncertain
    detail: str = ""
    wanted: dict[str, Variable] = Field(default_factory=dict)
    measures: list[str] = Field(default_factory=list)


class AskCondition(_Work):
    """Ask a person whether a condition holds that cannot be decided by itself, and say why it cannot.

    `index` counts the rounds of a while-condition, whose every round may ask.
    """

    kind: Literal["ask_condition"] = "ask_condition"
    condition: str
    reason: str
    variables: dict[str, str | None]


class AskCase(_Work):
    """Ask a person which case of a switch holds, where its value decides none, and say why it does not."""

    kind: Literal["ask_case"] = "ask_case"
    switch: str
    value: str | None
    reason: str
    cases: list[str]


class DoInHouse(_Work):
    """Do the work of one of our own extensions. It passes no gate: sending waits until the release exists."""

    kind: Literal["do_in_house"] = "do_in_house"
    extension: Extension
    params: dict[str, Any]


Piece = RunCommand | AskPerson | AskApproval | DoInHouse
"""What an action's work consists of."""


class WaitUntil(_Value):
    """Send `TimerFired(visit, purpose, round)` after `in_ms` milliseconds. `round` is the visit's `clock`."""

    kind: Literal["wait_until"] = "wait_until"
    visit: str
    step: str
    purpose: TimerPurpose
    in_ms: int
    round: int = 0


class Withdraw(_Value):
    """The visit closed while its work was outstanding: take back its questions, timers and calls."""

    kind: Literal["withdraw"] = "withdraw"
    visit: str
    step: str
    reason: str


class Finish(_Value):
    """The run is over."""

    kind: Literal["finish"] = "finish"
    outcome: Outcome
    reason: str | None = None


Effect = Annotated[
    RunCommand
    | AskPerson
    | AskApproval
    | AskOutcome
    | AskCondition
    | AskCase
    | DoInHouse
    | WaitUntil
    | Withdraw
    | Finish,
    Field(discriminator="kind"),
]

# -- events -------------------------------------------------------------------------------------------


class _Told(_Value):
    visit: str
    index: int = 0


class OfCall(_Told):
    """Told of a call, which may be made more than once."""

    round: int = 0


class CommandSucceeded(OfCall):
    """`values` outside the step's `out_args` are dropped; one that does not fit its type fails the step."""

    kind: Literal["command_succeeded"] = "command_succeeded"
    values: dict[str, str] = Field(default_factory=dict)


class CommandFailed(OfCall):
    """The service answered that it failed, or it was certainly not called. `ambiguous`: it may have been done all
    the same."""

    kind: Literal["command_failed"] = "command_failed"
    reason: str
    ambiguous: bool = False


class CommandUncertain(OfCall):
    """The call was sent at `sent_at`, or was about to be, and nobody heard what came of it."""

    kind: Literal["command_uncertain"] = "command_uncertain"
    sent_at: AwareDatetime
    why: Uncertain
    detail: str = ""


class OutcomeAnswered(OfCall):
    """Values are taken with `done` only, and must be among the step's `out_args` (else BadInput)."""

    kind: Literal["outcome_answered"] = "outcome_answered"
    outcome: CallOutcome
    by: str
    values: dict[str, str] = Field(default_factory=dict)
    note: str | None = None


class PersonAnswered(_Told):
    """`success` False takes the failure route. Values must be among the step's `out_args` (else BadInput)."""

    kind: Literal["person_answered"] = "person_answered"
    success: bool
    by: str
    values: dict[str, str] = Field(default_factory=dict)
    note: str | None = None


class Approved(_Told):
    """The signatures are the runner's to check; the machine counts that `by` holds enough different people."""

    kind: Literal["approved"] = "approved"
    by: list[str]


class Rejected(_Told):
    kind: Literal["rejected"] = "rejected"
    by: str
    reason: str | None = None


class ConditionAnswered(_Told):
    kind: Literal["condition_answered"] = "condition_answered"
    holds: bool
    by: str


class CaseAnswered(_Told):
    """`case` is one of those asked about (else BadInput); None: none of them holds, and the step has failed."""

    kind: Literal["case_answered"] = "case_answered"
    case: str | None
    by: str


class InHouseDone(_Told):
    kind: Literal["in_house_done"] = "in_house_done"


class InHouseFailed(_Told):
    kind: Literal["in_house_failed"] = "in_house_failed"
    reason: str


class TimerFired(_Value):
    kind: Literal["timer_fired"] = "timer_fired"
    visit: str
    purpose: TimerPurpose
    round: int = 0


class Cancelled(_Value):
    """End the run now. Nothing that was done is undone by it."""

    kind: Literal["cancelled"] = "cancelled"
    by: str
    reason: str | None = None


Event = Annotated[
    CommandSucceeded
    | CommandFailed
    | CommandUncertain
    | OutcomeAnswered
    | PersonAnswered
    | Approved
    | Rejected
    | ConditionAnswered
    | CaseAnswered
    | InHouseDone
    | InHouseFailed
    | TimerFired
    | Cancelled,
    Field(discriminator="kind"),
]

EFFECT: TypeAdapter[Effect] = TypeAdapter(Effect)
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
