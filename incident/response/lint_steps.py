"""What each step, variable and definition must be for this version to run it."""

from __future__ import annotations

from collections.abc import Iterator

from incident.errors import TocsinError
from incident.response import conditions
from incident.response.commands import KINDS
from incident.response.extensions import (
    EXTENSION_NAMES,
    PARAMETERS,
    Extension,
    approval_of,
    is_repeatable,
    measures_of,
    notice_of,
    report_of,
    retries_of,
    texts_in,
)
from incident.response.lint_graph import Complaint
from incident.response.model import (
    DEFAULT_CASE,
    MANUAL,
    ActionStep,
    Command,
    IfStep,
    Playbook,
    Step,
    StepType,
    SwitchStep,
    UnknownStep,
    WhileStep,
)
from incident.response.variables import (
    VARIABLE_NAME,
    checked,
    declarations,
    declared_value,
    references,
    variable_in,
)
from incident.response.work import used_by, wording
from incident.setting_values import is_secret_reference

RUNS = f"there are {', '.join(StepType)}"


def step_type(step_id: str, step: Step) -> Iterator[Complaint]:
    if isinstance(step, UnknownStep):
        yield "unknown-step-type", step_id, f"CACAO has no step type “{step.type}”; {RUNS}"
    for name in ("delay", "timeout"):
        value = getattr(step, name)
        if value is not None and value < 0:
            yield "negative-time", step_id, f"{name} is a number of milliseconds, not below 0"


def action(playbook: Playbook, step_id: str, step: ActionStep) -> Iterator[Complaint]:
    if not step.commands:
        yield "no-command", step_id, "an action has at least one command"
    if step.agent not in playbook.agent_definitions:
        yield "unknown-agent", step_id, f"the agent “{step.agent}” is not in agent_definitions"
    for target in step.targets:
        if playbook.endpoint(target) is None:
            yield "unknown-target", step_id, f"the target “{target}” is not in target_definitions"
    for number, command in enumerate(step.commands, start=1):
        for code, message in _command(playbook, step, number, command):
            yield code, f"workflow/{step_id}/commands/{number - 1}", f"command {number}: {message}"


def _command(
    playbook: Playbook, step: ActionStep, number: int, command: Command
) -> Iterator[tuple[str, str]]:
    if command.type in KINDS:
        yield from KINDS[command.type].problems(playbook, step, command)
    elif command.type != MANUAL:
        yield (
            "command-type-not-run",
            f"a “{command.type}” command cannot be run: this engine runs manual, {', '.join(KINDS)}",
        )
    else:
        try:
            text = wording(step, number - 1, dict.fromkeys(_all_names(playbook, step), ""))
        except TocsinError as error:
            yield "manual-text", error.what
        else:
            if not all(each.strip() for each in text.values()):
                yield "manual-text", "it says nothing to the person"


def _all_names(playbook: Playbook, step: ActionStep) -> list[str]:
    """Declared or not: an undeclared variable is reported once, by `variables`."""
    texts = [command.command or "" for command in step.commands]
    texts += [text for each in texts_in(step.step_extensions).translations for text in each.commands]
    return [*declarations(playbook, step), *(name for text in texts for name in references(text))]


def repetition(step_id: str, step: ActionStep) -> Iterator[Complaint]:
    """What becomes of the step's calls where nobody knows whether they were carried out."""
    calls = any(command.type in KINDS for command in step.commands)
    if retries_of(step) and not calls:
        yield "nothing-to-repeat", step_id, "only calls are retried, and this step makes none"
    if is_repeatable(step) and not calls:
        yield "nothing-to-repeat", step_id, "only calls are repeated, and this step makes none"
    if calls and not is_repeatable(step):
        yield (
            "would-ask",
            step_id,
            "if nobody knows whether its call was carried out, a person is asked; declare it repeatable where "
            "twice is as once",
        )


def condition(playbook: Playbook, step_id: str, step: IfStep | WhileStep) -> Iterator[Complaint]:
    """What keeps the condition from being decided; at run time such a condition is asked of a person."""
    for problem in conditions.check(step.condition, declarations(playbook, step)):
        yield "condition", step_id, problem


def switch(playbook: Playbook, step_id: str, step: SwitchStep) -> Iterator[Complaint]:
    """What keeps a switch from being decided; at run time a person is asked."""
    declared = declarations(playbook, step)
    name = variable_in(step.switch)
    if not step.cases:
        yield "no-case", step_id, "a switch has at least one case"
    if name is None:
        yield "switch", step_id, f"“{step.switch}” is not a variable; one is written __name__:value"
        return
    if name not in declared:
        yield "undeclared-variable", step_id, f"{name} is used but not declared"
        return
    for case in step.cases:
        try:
            if case != DEFAULT_CASE:
                checked(name, declared[name], case)
        except TocsinError as error:
            yield "switch", step_id, f"the case “{case}”: {error.what}"
    if DEFAULT_CASE not in step.cases:
        yield (
            "no-default",
            step_id,
            "a value that fits no case is asked of a person; name a default to avoid that",
        )


def variables(playbook: Playbook) -> Iterator[Complaint]:
    for step_id, declared in [(None, playbook.playbook_variables)] + [
        (step_id, step.step_variables) for step_id, step in playbook.workflow.items()
    ]:
        for name, variable in declared.items():
            if not VARIABLE_NAME.match(name):
                yield "variable-name", step_id, f"“{name}” is no variable name; one is written __name__"
            value = declared_value(variable)
            try:
                checked(name, variable, value or "")
            except TocsinError as error:
                yield "variable-value", step_id, f"{name}: {error.what}"
            if step_id and variable.external:
                yield "external-in-step", step_id, f"{name}: only the playbook's variables can be external"
    for step_id, step in playbook.workflow.items():
        if isinstance(step, ActionStep):
            yield from _used_variables(playbook, step_id, step)


def _used_variables(playbook: Playbook, step_id: str, step: ActionStep) -> Iterator[Complaint]:
    declared = declarations(playbook, step)
    translated = [text for each in texts_in(step.step_extensions).translations for text in each.commands]
    try:
        by_commands = used_by(playbook, step)
    except TocsinError:  # a command that is none is reported by its kind
        by_commands = []
    used = [
        *by_commands,
        *(name for text in translated for name in references(text)),
        *step.in_args,
    ]
    for name in dict.fromkeys(used):
        if name not in declared:
            yield "undeclared-variable", step_id, f"{name} is used but not declared"
    for name in step.out_args:
        if name not in declared:
            yield "undeclared-variable", step_id, f"{name} is in out_args but not declared"
        elif declared[name].constant:
            yield "constant-written", step_id, f"{name} is a constant; out_args may not name it"


def extensions(step_id: str, step: Step, known_measures: frozenset[str] | None) -> Iterator[Complaint]:
    for reference, params in step.step_extensions.items():
        name = EXTENSION_NAMES.get(reference)
        if name is None:
            continue
        try:
            PARAMETERS[name].model_validate(params)
        except ValueError as error:
            detail = "; ".join(str(error).splitlines()[1:3]).replace("  ", "")
            yield "extension", step_id, f"the extension {name.value} is not as declared: {detail}"
            return
    carried = {EXTENSION_NAMES[each] for each in step.step_extensions if each in EXTENSION_NAMES}
    if Extension.loop in carried and not isinstance(step, WhileStep):
        yield "extension", step_id, "only a while-condition carries the extension loop"
    if not isinstance(step, ActionStep):
        if carried - {Extension.loop, Extension.texts}:
            yield "extension", step_id, "only an action carries these extensions"
        return
    if approval_of(step) and (not step.commands or step.commands[0].type != MANUAL):
        yield "approval-question", step_id, "the first command of an approval is manual: it is the question"
    if notice_of(step) and report_of(step):
        yield "two-tasks", step_id, "one step does notice or regulator_report, not both"
    if (notice_of(step) or report_of(step)) and any(command.type != MANUAL for command in step.commands):
        yield "in-house-command", step_id, "a step with notice or regulator_report has manual commands only"
    measures = measures_of(step)
    if measures and known_measures is not None:
        for measure in [*measures.action_ids, *measures.undo_ids]:
            if measure not in known_measures:
                yield "unknown-measure", step_id, f"“{measure}” is not in the catalogue of measures"


def texts(playbook: Playbook) -> Iterator[Complaint]:
    """The texts of the playbook and of its agents and targets must be as declared, too."""
    holders = [(None, playbook.playbook_extensions)]
    holders += [
        (None, each.agent_target_extensions)
        for each in [*playbook.agent_definitions.values(), *playbook.target_definitions.values()]
    ]
    for step_id, holder in holders:
        try:
            texts_in(holder)
        except TocsinError as error:
            yield "extension", step_id, f"{error.where}: {error.what}"


def secrets(playbook: Playbook) -> Iterator[Complaint]:
    """A playbook names its secrets by names of the workspace, and holds neither one nor the place of one."""
    for reference, each in playbook.authentication_info_definitions.items():
        label = each.name or reference
        path = f"authentication_info_definitions/{reference}"
        by_agent = (
            each.type == "user-auth" and not each.password
        )  # signing in by the ssh-agent takes no secret
        if each.kms != bool(each.kms_key_identifier):
            yield "secret-reference", path, f"{label}: kms: true and kms_key_identifier stand together"
        elif not each.kms and not by_agent:
            yield (
                "inline-secret",
                path,
                f"{label}: a secret is named by kms_key_identifier, never written here",
            )
        if each.kms_key_identifier and is_secret_reference(each.kms_key_identifier):
            yield (
                "secret-place",
                path,
                f"{label}: a playbook says which secret, never where it lies; write a name, and under [playbooks] "
                f'secrets in incident.toml: NAME = "{each.kms_key_identifier}"',
            )
        if each.password or each.token:
            yield "inline-secret", path, f"{label}: take the secret out of the playbook and change it"
