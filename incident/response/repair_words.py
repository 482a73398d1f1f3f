"""Repairs of words: those of CACAO 1.x, times, properties that are missing, lists where one id is wanted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from incident.errors import BadInput
from incident.response.compile import activities, processing_summary
from incident.response.extensions import OUR_IDENTITY
from incident.response.findings import IDENTIFIER
from incident.response.lint_standard import KNOWN_WORDS, NEVER_EMPTY
from incident.response.model import SPEC_VERSION, StepType
from incident.response.repair import SECTIONS, Work

_GOOD_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_OLDER = frozenset(
    ["1.0", "1.1", "2.0", "cacao-1.0", "cacao-1.1", "cacao-2", "CACAO-2.0", "cacao_2.0", "2", "1"]
)
_STEP_TYPES: Mapping[str, StepType] = {
    "single": StepType.action,
    "single-action": StepType.action,
    "action-step": StepType.action,
    "playbook": StepType.playbook_action,
    "playbook-step": StepType.playbook_action,
    "playbook_action": StepType.playbook_action,
    "decision": StepType.if_condition,
    "if": StepType.if_condition,
    "if_condition": StepType.if_condition,
    "while": StepType.while_condition,
    "while_condition": StepType.while_condition,
    "switch": StepType.switch_condition,
    "switch_condition": StepType.switch_condition,
    "parallel-step": StepType.parallel,
    "start-step": StepType.start,
    "end-step": StepType.end,
}
_STEP_WORDS: Mapping[str, str] = {
    "target_ids": "targets",
    "target": "targets",
    "next_step": "on_completion",
    "variables": "step_variables",
    "args": "in_args",
    "returns": "out_args",
}
_HEAD_WORDS: Mapping[str, str] = {
    "variables": "playbook_variables",
    "features": "playbook_processing_summary",
    "agents": "agent_definitions",
    "targets": "target_definitions",
    "authentication_info": "authentication_info_definitions",
    "data_markings": "data_marking_definitions",
}
ONE_ID = ("on_completion", "on_success", "on_failure", "on_true", "on_false")
_CACAO_1 = "a word of CACAO 1"


def workflow(work: Work, name: str) -> None:
    """A mapping by id; a list whose entries have ids becomes one."""
    found = work.data.get("workflow")
    if (
        isinstance(found, list)
        and found
        and all(isinstance(e, dict) and isinstance(e.get("id"), str) for e in found)
    ):
        ids = [each["id"] for each in found]
        if len(set(ids)) == len(ids):
            work.data["workflow"] = {
                each["id"]: {k: v for k, v in each.items() if k != "id"} for each in found
            }
            work.note(
                "workflow-list", "workflow", "a list of steps", "steps by id", "a workflow maps ids to steps"
            )
    found = work.data.get("workflow")
    if not isinstance(found, dict) or not found:
        raise BadInput(
            "this is no playbook: it has no workflow of steps by id",
            where=name,
            next_step="give a CACAO playbook as JSON, or a playbook in Tocsin's YAML",
        )
    for key, step in found.items():
        if not isinstance(step, dict):
            raise BadInput(f"the step “{key}” is no object", where=name)
        if isinstance(step.get("id"), str) and step["id"] == key:
            del step["id"]
            work.note(
                "step-id", f"workflow/{key}/id", key, None, "the id of a step is its key in the workflow"
            )


def head(work: Work, title: str) -> None:
    data = work.data
    if data.get("type") != "playbook":
        work.note("type", "type", data.get("type"), "playbook", "an object with a workflow is a playbook")
        data["type"] = "playbook"
    version = data.get("spec_version")
    if version != SPEC_VERSION:
        if version is not None and str(version) not in _OLDER:
            return  # refused by the linter
        work.note(
            "spec-version", "spec_version", version, SPEC_VERSION, "this is the version it is brought to"
        )
        data["spec_version"] = SPEC_VERSION
    for old, new in _HEAD_WORDS.items():
        if isinstance(data.get(old), dict) and new not in data:
            data[new] = data.pop(old)
            work.note("old-word", old, old, new, _CACAO_1)
    if not isinstance(data.get("name"), str) or not data["name"].strip():
        work.note("no-name", "name", data.get("name"), title, "a playbook has a name; this is the file's")
        data["name"] = title
    _times(work)
    author = data.get("created_by")
    if not isinstance(author, str) or not IDENTIFIER.fullmatch(author):
        work.note(
            "no-author", "created_by", author, OUR_IDENTITY, "who created it is an identity; this is Tocsin's"
        )
        data["created_by"] = OUR_IDENTITY


def _times(work: Work) -> None:
    data = work.data
    for name in ("created", "modified", "valid_from", "valid_until"):
        if name not in data or data[name] is None:
            continue
        found, why = _timestamp(data[name])
        if found is not None and found != data[name]:
            work.note("timestamp", name, data[name], found, why)
            data[name] = found
    written = work.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{work.now.microsecond // 1000:03d}Z"
    for name, other in (("created", "modified"), ("modified", "created")):
        if data.get(name) is None:
            data[name] = data.get(other) or written
            why = f"it was missing; {other} stands for it" if data.get(other) != written else "it was missing"
            work.note("no-time", name, None, data[name], why)


def _timestamp(found: Any) -> tuple[str | None, str]:
    if not isinstance(found, str) or _GOOD_TIME.fullmatch(found):
        return None, ""
    why = "a time has exactly three decimals and ends in Z"
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", found):
            moment = datetime.combine(date.fromisoformat(found), time())
        else:
            moment = datetime.fromisoformat(found)
        if moment.tzinfo is None:
            moment, why = moment.replace(tzinfo=UTC), "no zone was given; it is taken as UTC"
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None, ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z".rjust(24, "0"), why


def steps(work: Work) -> None:
    for key, step in work.steps():
        path = f"workflow/{key}"
        _type(work, path, key, step)
        for old, new in _STEP_WORDS.items():
            if old in step and new not in step:
                step[new] = step.pop(old)
                work.note("old-word", f"{path}/{old}", old, new, _CACAO_1)
        _list_words(work, path, step)
        _either(work, path, step)


def _type(work: Work, path: str, key: str, step: dict[str, Any]) -> None:
    kind = step.get("type")
    if not isinstance(kind, str):
        prefix = key.partition("--")[0]
        if prefix in set(StepType):
            step["type"] = prefix
            work.note("step-type", path, kind, prefix, "its id says so")
        return
    if kind in _STEP_TYPES:
        step["type"] = str(_STEP_TYPES[kind])
        work.note("step-type", path, kind, step["type"], _CACAO_1)


def _list_words(work: Work, path: str, step: dict[str, Any]) -> None:
    """One id where a list of one was; several ids have more than one reading and stay."""
    for word in ONE_ID:
        found = step.get(word)
        if isinstance(found, list) and len(found) <= 1:
            work.note(
                "list", f"{path}/{word}", found, found[0] if found else None, "this is one id, not a list"
            )
            if found:
                step[word] = found[0]
            else:
                del step[word]
    given = step.get("cases")
    cases: dict[str, Any] = given if isinstance(given, dict) else {}
    for case, found in list(cases.items()):
        if isinstance(found, list) and len(found) == 1:
            work.note("list", f"{path}/cases/{case}", found, found[0], "this is one id, not a list")
            cases[case] = found[0]
    for word in ("commands", "targets", "in_args", "out_args", "next_steps"):
        found = step.get(word)
        if isinstance(found, str if word != "commands" else dict):
            work.note("no-list", f"{path}/{word}", found, [found], "this is a list")
            step[word] = [found]


def _either(work: Work, path: str, step: dict[str, Any]) -> None:
    """on_completion beside on_success or on_failure (section 4.1 has one or the other)."""
    completion, success = step.get("on_completion"), step.get("on_success")
    if not isinstance(completion, str) or ("on_success" not in step and "on_failure" not in step):
        return
    if step.get("type") == "start" or success not in (None, completion):
        return  # two different ways on: refused by the linter
    del step["on_completion"]
    step["on_success"] = completion
    why = "beside on_failure, on_completion is what follows success"
    work.note("completion-and-success", f"{path}/on_completion", completion, f"on_success: {completion}", why)


def tail(work: Work) -> None:
    """Lists that are worked out, and properties that are empty."""
    data = work.data
    listed = data.get("playbook_activities")
    if isinstance(listed, list) and all(isinstance(each, str) for each in listed):
        found = activities(data)
        kept = [each for each in listed if each in found]
        if kept != listed:
            data["playbook_activities"] = kept or found
            work.note(
                "activities", "playbook_activities", listed, data["playbook_activities"],
                "each activity that is listed must be on a command",
            )  # fmt: skip
    summary = data.get("playbook_processing_summary")
    if isinstance(summary, dict):
        worked_out = processing_summary(data)
        true = {key for key, value in summary.items() if value is True}
        wrong = true != set(worked_out) or any(not isinstance(value, bool) for value in summary.values())
        if wrong:
            data["playbook_processing_summary"] = worked_out
            work.note(
                "summary",
                "playbook_processing_summary",
                summary,
                worked_out,
                "it is worked out from the steps",
            )
            if not worked_out:
                del data["playbook_processing_summary"]
    _empty(work, "", data)
    for section in ("workflow", *SECTIONS):
        for key, each in work.section(section).items():
            if isinstance(each, dict):
                _empty(work, f"{section}/{key}/", each)
                for number, command in enumerate(each.get("commands") or []):
                    if isinstance(command, dict):
                        _empty(work, f"{section}/{key}/commands/{number}/", command)


def _empty(work: Work, path: str, holder: dict[str, Any]) -> None:
    for name, value in list(holder.items()):
        if (value is None and name in KNOWN_WORDS) or (value in ([], {}) and name in NEVER_EMPTY):
            del holder[name]
            work.note(
                "empty", f"{path}{name}", value, None, "the standard has it with a value, or not at all"
            )
