"""What a visit to an action step has to do, in order, and each piece as the effect that asks for it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from incident.errors import BadInput
from incident.response.commands import KINDS, kind_of
from incident.response.events import (
    AskApproval,
    AskOutcome,
    AskPerson,
    CommandUncertain,
    DoInHouse,
    LocalText,
    RunCommand,
)
from incident.response.extensions import (
    IN_HOUSE,
    Extension,
    approval_of,
    is_repeatable,
    measures_of,
    notice_of,
    report_of,
    texts_in,
)
from incident.response.model import (
    MANUAL,
    ActionStep,
    AgentTarget,
    Authentication,
    Command,
    Playbook,
    StepBase,
)
from incident.response.variables import Sink, Values, declarations, references, substitute, visible

DEFAULT_COMMAND_TIMEOUT_MS = 60_000  # for calls to machines; people are not hurried by a default
CONTENT_SHOWN = 600  # characters of a call's body in a question about it: enough to recognise it


@dataclass(frozen=True)
class Work:
    """One piece: asking for approval, in-house work, a manual command, or a call: a command at one target."""

    kind: Literal["approval", "in_house", "manual", "call"]
    command: int
    target: str | None = None


def plan(step: ActionStep) -> tuple[Work, ...]:
    """The pieces in order.

    With `approval`, the first command is the question and nothing else runs before it is agreed to. With
    `notice` or `regulator_report`, the manual commands are only the wording for engines that lack them.
    """
    work: list[Work] = []
    commands = list(range(len(step.commands)))
    if approval_of(step):
        work.append(Work("approval", commands.pop(0)))
    if notice_of(step) or report_of(step):
        return (*work, Work("in_house", 0))
    for number in commands:
        if step.commands[number].type == MANUAL:
            work.append(Work("manual", number))
        else:
            work += [Work("call", number, target) for target in (step.targets or [step.agent])]
    return tuple(work)


def effect_for(
    playbook: Playbook, step_id: str, step: ActionStep, visit: str, index: int, values: Values
) -> RunCommand | AskPerson | AskApproval | DoInHouse:
    """The effect for piece `index` of the visit. BadInput where a variable in it has no value."""
    work = plan(step)[index]
    about = {"visit": visit, "step": step_id, "index": index, "title": title_of(step_id, step)}
    if work.kind == "in_house":
        name = next(name for name in IN_HOUSE if _params(step, name) is not None)
        return DoInHouse.model_validate({**about, "extension": name, "params": _params(step, name)})
    if work.kind == "call":
        return _run_command(playbook, step, work, about, values)
    text = wording(step, work.command, values)
    if work.kind == "approval":
        approval = approval_of(step)
        assert approval is not None  # noqa: S101 - plan() makes this piece only where there is one
        return AskApproval.model_validate(
            {
                **about,
                "text": text,
                "roles": approval.approver_roles,
                "quorum": approval.quorum,
                "separation_of_duties": approval.separation_of_duties,
                "subject": approval.subject,
            }
        )
    declared = declarations(playbook, step)
    return AskPerson.model_validate(
        {
            **about,
            "text": text,
            "who": names_of(playbook.endpoint(step.agent)),
            "wanted": {name: declared[name] for name in step.out_args if name in declared},
            "measures": _measures(step),
        }
    )


def _run_command(
    playbook: Playbook, step: ActionStep, work: Work, about: Mapping[str, object], values: Values
) -> RunCommand:
    addressee = playbook.endpoint(work.target or step.agent)
    if addressee is None:
        raise BadInput(f"“{work.target or step.agent}” is not defined", where=step.name)
    command = step.commands[work.command]
    declared = declarations(playbook, step)
    authentication = playbook.authentication_info_definitions.get(addressee.authentication_info or "")
    used = {*kind_of(command).used(command, addressee), *used_to_sign_in(authentication)}
    return RunCommand.model_validate(
        {
            **about,
            "command": command,
            "agent": addressee,
            "authentication": authentication,
            "variables": {name: values.get(name) for name in sorted(used) if name in declared},
            "declared": {
                name: declared[name] for name in sorted(used | set(step.out_args)) if name in declared
            },
            "out_args": step.out_args,
            "timeout_ms": step.timeout or DEFAULT_COMMAND_TIMEOUT_MS,
            "measures": _measures(step),
            "repeatable": is_repeatable(step),
        }
    )


def outcome_question(call: RunCommand, told: CommandUncertain) -> AskOutcome:
    """The question whether a call was carried out, with what was sent to whom, so that it can be found there."""
    prepared = kind_of(call.command).prepare(call.command, call.agent, call.variables, call.declared)
    content = visible(prepared.content)
    return AskOutcome.model_validate(
        {
            "visit": call.visit,
            "step": call.step,
            "index": call.index,
            "round": call.round,
            "title": call.title,
            "request": prepared.request,
            "content": content if len(content) <= CONTENT_SHOWN else content[:CONTENT_SHOWN] + "…",
            "who": names_of(call.agent),
            "sent_at": told.sent_at,
            "why": told.why,
            "detail": told.detail,
            "wanted": {name: call.declared[name] for name in call.out_args if name in call.declared},
            "measures": call.measures,
        }
    )


def used_by(playbook: Playbook, step: ActionStep) -> list[str]:
    """All variables that the step's commands and addressees refer to."""
    found: list[str] = []
    for command in step.commands:
        if command.type == MANUAL:
            found += references(_manual_text(command))
            continue
        for reference in step.targets or [step.agent]:
            addressee = playbook.endpoint(reference)
            if command.type in KINDS and addressee is not None:
                found += KINDS[command.type].used(command, addressee)
                signing_in = addressee.authentication_info or ""
                found += used_to_sign_in(playbook.authentication_info_definitions.get(signing_in))
    return found


def used_to_sign_in(authentication: Authentication | None) -> list[str]:
    """The variables that a name to sign in as refers to."""
    if authentication is None:
        return []
    return references(f"{authentication.username or ''} {authentication.user_id or ''}")


def _measures(step: StepBase) -> list[str]:
    containment = measures_of(step)
    return containment.action_ids if containment else []


def _params(step: StepBase, name: Extension) -> dict[str, object] | None:
    found = notice_of(step) if name is Extension.notice else report_of(step)
    return found.model_dump(mode="json") if found else None


# -- words ----------------------------------------------------------------------------------------------


def _manual_text(command: Command) -> str:
    if command.command is not None or command.command_b64 is None:
        return command.command or ""
    try:
        return base64.b64decode(command.command_b64, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise BadInput("the command is not base64 of UTF-8 text", where="command_b64") from None


def wording(step: ActionStep, number: int, values: Values) -> LocalText:
    """A manual command in all its languages, with the variables filled in for reading."""
    texts = texts_in(step.step_extensions)
    found = {texts.language: _manual_text(step.commands[number])}
    for each in texts.translations:
        if number < len(each.commands) and each.commands[number]:
            found[each.language] = each.commands[number]
    return {language: substitute(text, values, Sink.text) for language, text in found.items()}


def title_of(step_id: str, step: StepBase) -> LocalText:
    """The step's name in all its languages; its id where it has no name."""
    texts = texts_in(step.step_extensions)
    names = {texts.language: step.name or step_id}
    return names | {each.language: each.name for each in texts.translations if each.name}


def names_of(agent: AgentTarget | None) -> LocalText:
    """The name of an agent or target in all its languages."""
    if agent is None:
        return {}
    texts = texts_in(agent.agent_target_extensions)
    return {texts.language: agent.name} | {
        each.language: each.name for each in texts.translations if each.name
    }
