"""The CACAO 2.0 object model (CS01, sections 3 to 10).

Objects keep every property they were given, known or not: `dump(Playbook.model_validate(data)) == data`.
Nothing is converted on the way in (strict), so that a value leaves as it came. The model checks shapes
only; whether a playbook can be run is `lint`'s question.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

SPEC_VERSION = "cacao-2.0"


class StepType(StrEnum):
    """CACAO's closed list of step types (section 4.1)."""

    start = "start"
    end = "end"
    action = "action"
    playbook_action = "playbook-action"
    parallel = "parallel"
    if_condition = "if-condition"
    while_condition = "while-condition"
    switch_condition = "switch-condition"


MANUAL = "manual"
"""The type of a command that a person carries out."""
DEFAULT_CASE = "default"
"""The key among a switch's cases that holds for every other value."""


class Open(BaseModel):
    """A CACAO object: frozen, strict, and keeping properties it does not know."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, populate_by_name=True)


class Variable(Open):
    """A variable's declaration (section 10.18). None is unknown, "" is known to be empty."""

    type: str
    description: str | None = None
    value: str | dict[str, Any] | None = None
    constant: bool = False
    external: bool = False


class Command(Open):
    """One command of an action step (section 5); the list of types is open."""

    type: str
    description: str | None = None
    playbook_activity: str | None = None
    command: str | None = None
    command_b64: str | None = None
    headers: dict[str, list[str]] = Field(default_factory=dict)
    content: str | None = None
    content_b64: str | None = None
    version: str | None = None
    external_references: list[dict[str, Any]] = Field(default_factory=list)


class AgentTarget(Open):
    """Somebody or something that acts or is acted on (section 7)."""

    type: str
    name: str
    description: str | None = None
    address: dict[str, list[Any]] | None = None
    port: str | None = None
    authentication_info: str | None = None
    category: list[str] = Field(default_factory=list)
    contact: dict[str, Any] | None = None
    location: dict[str, Any] | str | None = None
    agent_target_extensions: dict[str, dict[str, Any]] = Field(default_factory=dict)


class Authentication(Open):
    """How to sign in (section 6). A secret is named by `kms_key_identifier`, never written here."""

    type: str
    name: str | None = None
    user_id: str | None = None
    username: str | None = None
    password: str | None = None
    oauth_header: str | None = None
    token: str | None = None
    kms: bool = False
    kms_key_identifier: str | None = None


class ExtensionDefinition(Open):
    """The declaration of an extension (section 8)."""

    type: Literal["extension-definition"]
    name: str
    created_by: str
    schema_: str = Field(alias="schema")
    version: str


class StepBase(Open):
    """What all steps share (section 4). `delay` and `timeout` are milliseconds."""

    name: str | None = None
    description: str | None = None
    external_references: list[dict[str, Any]] = Field(default_factory=list)
    owner: str | None = None
    delay: int | None = None
    timeout: int | None = None
    step_variables: dict[str, Variable] = Field(default_factory=dict)
    on_completion: str | None = None
    on_success: str | None = None
    on_failure: str | None = None
    step_extensions: dict[str, dict[str, Any]] = Field(default_factory=dict)


class StartStep(StepBase):
    type: Literal["start"]


class EndStep(StepBase):
    type: Literal["end"]


class ActionStep(StepBase):
    """Commands, in order, carried out by the agent on each target; without targets the agent is addressed."""

    type: Literal["action"]
    commands: list[Command]
    agent: str
    targets: list[str] = Field(default_factory=list)
    in_args: list[str] = Field(default_factory=list)
    out_args: list[str] = Field(default_factory=list)


class IfStep(StepBase):
    type: Literal["if-condition"]
    condition: str
    on_true: str
    on_false: str | None = None


class ParallelStep(StepBase):
    type: Literal["parallel"]
    next_steps: list[str]


class PlaybookActionStep(StepBase):
    """Runs another playbook. Only `in_args` go in and only `out_args` come out, by name."""

    type: Literal["playbook-action"]
    playbook_id: str
    playbook_version: str | None = None
    in_args: list[str] = Field(default_factory=list)
    out_args: list[str] = Field(default_factory=list)


class WhileStep(StepBase):
    """The branch is entered as long as the condition holds; the `loop` extension says how often at most."""

    type: Literal["while-condition"]
    condition: str
    on_true: str


class SwitchStep(StepBase):
    """`switch` is a variable; `cases` maps its values to first steps, DEFAULT_CASE every other value."""

    type: Literal["switch-condition"]
    switch: str
    cases: dict[str, str]


class UnknownStep(StepBase):
    """A step of a type that CACAO does not have. It is kept so that `lint` can name it, and never run."""

    type: str


_KNOWN_TYPES = frozenset(StepType)


def _step_tag(data: Any) -> str:
    found = data.get("type") if isinstance(data, Mapping) else getattr(data, "type", None)
    return found if isinstance(found, str) and found in _KNOWN_TYPES else "unknown"


Step = Annotated[
    Annotated[StartStep, Tag("start")]
    | Annotated[EndStep, Tag("end")]
    | Annotated[ActionStep, Tag("action")]
    | Annotated[IfStep, Tag("if-condition")]
    | Annotated[ParallelStep, Tag("parallel")]
    | Annotated[PlaybookActionStep, Tag("playbook-action")]
    | Annotated[WhileStep, Tag("while-condition")]
    | Annotated[SwitchStep, Tag("switch-condition")]
    | Annotated[UnknownStep, Tag("unknown")],
    Discriminator(_step_tag),
]


class Playbook(Open):
    """A playbook (section 3.1). A version is the pair (`id`, `modified`)."""

    type: Literal["playbook"]
    spec_version: str
    id: str
    name: str
    description: str | None = None
    playbook_types: list[str] = Field(default_factory=list)
    playbook_activities: list[str] = Field(default_factory=list)
    playbook_processing_summary: dict[str, bool] = Field(default_factory=dict)
    created_by: str
    created: str
    modified: str
    revoked: bool = False
    valid_from: str | None = None
    valid_until: str | None = None
    derived_from: list[str] = Field(default_factory=list)
    related_to: list[str] = Field(default_factory=list)
    priority: int | None = None
    severity: int | None = None
    impact: int | None = None
    industry_sectors: list[str] = Field(default_factory=list)
    labels: list[str] = Field(default_factory=list)
    external_references: list[dict[str, Any]] = Field(default_factory=list)
    markings: list[str] = Field(default_factory=list)
    playbook_variables: dict[str, Variable] = Field(default_factory=dict)
    workflow_start: str
    workflow_exception: str | None = None
    workflow: dict[str, Step]
    playbook_extensions: dict[str, dict[str, Any]] = Field(default_factory=dict)
    authentication_info_definitions: dict[str, Authentication] = Field(default_factory=dict)
    agent_definitions: dict[str, AgentTarget] = Field(default_factory=dict)
    target_definitions: dict[str, AgentTarget] = Field(default_factory=dict)
    extension_definitions: dict[str, ExtensionDefinition] = Field(default_factory=dict)
    data_marking_definitions: dict[str, dict[str, Any]] = Field(default_factory=dict)
    signatures: list[dict[str, Any]] = Field(default_factory=list)

    def endpoint(self, reference: str) -> AgentTarget | None:
        """The agent or target of that id."""
        return self.agent_definitions.get(reference) or self.target_definitions.get(reference)


def dump(playbook: Playbook) -> dict[str, Any]:
    """The playbook as it was given, value for value."""
    return playbook.model_dump(by_alias=True, exclude_unset=True)


def continuations(step: StepBase) -> list[str]:
    """The steps that may follow on the same level."""
    return [each for each in (step.on_completion, step.on_success, step.on_failure) if each]


def branches(step: StepBase) -> list[str]:
    """The first steps of the branches that this step opens, in order."""
    match step:
        case IfStep():
            return [each for each in (step.on_true, step.on_false) if each]
        case ParallelStep():
            return list(step.next_steps)
        case WhileStep():
            return [step.on_true]
        case SwitchStep():
            return list(step.cases.values())
        case _:
            return []


def playbooks_called(playbook: Playbook) -> list[str]:
    """The ids of the playbooks that it calls itself, each once."""
    found = [step.playbook_id for step in playbook.workflow.values() if isinstance(step, PlaybookActionStep)]
    return list(dict.fromkeys(found))


def commands_in(playbook: Playbook) -> list[Command]:
    """All commands of its steps, in their order."""
    steps = [step for step in playbook.workflow.values() if isinstance(step, ActionStep)]
    return [command for step in steps for command in step.commands]
