"""A dry run in words: beneath each step of the drawing what would happen there, and at the end what would be refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from incident.folding import fold
from incident.record.fields import in_language
from incident.response.commands import bash, ssh
from incident.response.drawing import draw_rows, numbers_of
from incident.response.foreseeing import Decided
from incident.response.model import ActionStep, SwitchStep, branches
from incident.response.outline import Row, RowKind, Way
from incident.response.planning import (
    PlannedCall,
    PlannedStep,
    PlannedText,
    RunPlan,
    document_of_call,
    retrying,
)
from incident.response.step_facts import (
    Reader,
    bare,
    command_text,
    document_of,
    lines_of,
    name_of,
    shortened,
    title_in,
)
from incident.response.variables import visible

_HANGING = 4
_DECIDED = (Way.holds, Way.does_not_hold, Way.round, Way.case, Way.other_case)


def plan_lines(plan: RunPlan, incident_id: str, reader: Reader, *, width: int) -> list[str]:
    """The dry run for a terminal. Only what is sent is never folded: it stands as it would be sent."""
    name = name_of(plan.playbook, reader.language)
    lines = fold(reader.say("dry_run", name=name, incident=incident_id, run=plan.run), width)
    for variable, value in plan.values.items():
        if plan.playbook.playbook_variables[variable].external:
            lines += fold("  " + _value(variable, value, reader), width)
    owners = _owners(plan)
    lines += [
        "",
        *draw_rows(plan.rows, reader, lambda row: list(_below(plan, row, owners, reader)), width=width),
    ]
    lines.append("")
    for line in _summary(plan, reader):
        first, *rest = fold(line, width - _HANGING)
        lines += [first, *(" " * _HANGING + each for each in rest)]
    return lines


def _owners(plan: RunPlan) -> dict[tuple[str, str], Decided]:
    """What was decided about each way, by where it leads."""
    found = {}
    for step in plan.steps.values():
        if step.decided is not None:
            found |= {(step.row.within, first): step.decided for first in branches(step.row.content)}
    return found


def _below(
    plan: RunPlan, row: Row, owners: Mapping[tuple[str, str], Decided], reader: Reader
) -> Iterator[str]:
    if row.kind is RowKind.way:
        decided = owners.get(row.key)
        if row.way in _DECIDED and decided is not None and decided.entered is not None:
            yield reader.say("taken" if row.step in decided.entered else "not_taken")
        return
    if row.kind is not RowKind.step:
        return
    step = plan.steps[row.key]
    shown = {"  " + text for text in _commands_of(row)}
    yield from (line for line in lines_of(row.playbook, row.content, reader) if line not in shown)
    if step.decided is not None and step.decided.entered is None:
        key = "asks_a_person" if step.decided.asks else "cannot_tell"
        yield reader.say(key, reason=step.decided.reason or reader.say("cannot_tell_yet"))
    for name, value in step.given.items():
        yield "  " + _value(name, value, reader)
    if step.held_back:
        yield reader.say("held")
    for each in step.work:
        yield from _work(each, row.content, reader, refuses=step.entered)
    if step.undo:
        yield reader.say("takes_back")
        for each in step.undo:
            for line in _work(each, row.content, reader, refuses=step.entered):
                yield line if line.startswith("\t") else f"  {line}"
    if step.entered:
        yield from (reader.say("refused", what=each) for each in step.refusals)


def _commands_of(row: Row) -> Iterator[str]:
    step = row.content
    for command in step.commands if isinstance(step, ActionStep) else ():
        yield shortened(command_text(command))


def _value(name: str, value: str | None, reader: Reader) -> str:
    if value is None:
        return reader.say("value_unknown", name=bare(name))
    return reader.say("value", name=bare(name), value=visible(value))


def _work(each: PlannedCall | PlannedText, step: object, reader: Reader, *, refuses: bool) -> Iterator[str]:
    if isinstance(each, PlannedText):
        key = "approval_text" if each.kind == "approval" else "asks"
        yield reader.say(key, text=in_language(each.text, reader.language))
        if each.kind == "manual" and isinstance(step, ActionStep) and step.out_args:
            yield "  " + reader.say("wanted", names=reader.joined([bare(name) for name in step.out_args]))
        return
    if each.address is None:
        yield f"{reader.say('request', request=each.request)} ({reader.say('not_checked')})"
    else:
        yield reader.say("request", request=each.request)
    for name, value in each.headers:
        yield reader.say("header", name=name, value=value)
    yield from _access(each, reader)
    if each.key:
        yield "  " + reader.say("key_bash" if each.command_type == bash.TYPE else "key", key=each.key)
    yield "  " + reader.say("timeout", time=reader.span(each.timeout_ms))
    if each.content:
        yield "  " + reader.say("script" if each.command_type in (bash.TYPE, ssh.TYPE) else "content")
        for line in visible(each.content).split("\n"):
            yield f"\t    {line}"
    if each.unfilled:
        yield "  " + reader.say("not_filled", what=each.unfilled)
    if refuses:
        yield from ("  " + reader.say("refused", what=what) for what in each.refusals)


def _access(call: PlannedCall, reader: Reader) -> Iterator[str]:
    if call.command_type == ssh.TYPE:
        key = "signs_in" if call.secret else "signs_in_agent"
        yield "  " + reader.say(key, user=call.user or "?", secret=call.secret)
    elif call.secret:
        yield reader.say("authorization", secret=call.secret)


def _summary(plan: RunPlan, reader: Reader) -> Iterator[str]:
    if any("⟨" in call.request + call.content for call in _calls(plan)):
        yield reader.say("summary_unknown")
    refused = plan.refused
    if not refused:
        yield reader.say("summary_ok")
        return
    yield reader.say("summary_refused")
    for step, what in refused:
        if step is None:
            yield f"  {what}"
            continue
        title = title_in(step.row.playbook, step.row.step, reader)
        yield "  " + reader.say("summary_line", step=title, what=what)


def _calls(plan: RunPlan) -> Iterator[PlannedCall]:
    for step in plan.steps.values():
        yield from (each for each in step.work if isinstance(each, PlannedCall))


def plan_document(plan: RunPlan, incident_id: str, reader: Reader) -> dict[str, Any]:
    """The dry run for programs."""
    numbers = numbers_of(plan.rows)
    steps = []
    for key, step in plan.steps.items():
        where = {"number": numbers[key], "depth": step.row.depth, "within": step.row.playbook.id}
        steps.append(where | document_of(step.row.playbook, step.row.step, reader) | _planned(step, reader))
    labels = {key: reader.labels(step.row.playbook)[step.row.step] for key, step in plan.steps.items()}
    return {
        "incident": incident_id,
        "run": plan.run,
        "playbook": plan.playbook.id,
        "name": name_of(plan.playbook, reader.language),
        "values": {bare(name): value for name, value in plan.values.items()},
        "steps": steps,
        "refused": [
            {"step": labels[step.row.key] if step else None, "what": what} for step, what in plan.refused
        ],
    }


def _planned(step: PlannedStep, reader: Reader) -> dict[str, Any]:
    found: dict[str, Any] = {"entered": step.entered, "held_back": step.held_back}
    if step.decided is not None:
        entered, labels = step.decided.entered, reader.labels(step.row.playbook)
        found["decided"] = None if entered is None else sorted(labels[each] for each in entered)
        found["asks_a_person"] = step.decided.asks
    if step.given:
        found["given"] = {bare(name): value for name, value in step.given.items()}
    content = step.row.content
    if isinstance(content, ActionStep):
        found |= retrying(content)
        found["calls"] = [document_of_call(each) for each in step.work if isinstance(each, PlannedCall)]
        found["asked"] = [
            {"kind": each.kind, "text": in_language(each.text, reader.language)}
            for each in step.work
            if isinstance(each, PlannedText)
        ]
        found["undo"] = [
            document_of_call(each)
            if isinstance(each, PlannedCall)
            else {"type": "manual", "text": in_language(each.text, reader.language)}
            for each in step.undo
        ]
    if isinstance(content, SwitchStep):
        found["cases"] = content.cases
    return found
