"""Whether a playbook has the kinds of values that the repairs go by: names are texts, steps and commands objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from incident.response.repair_words import ONE_ID

_HEAD = ("id", "workflow_start", "workflow_exception")
_LISTS = ("next_steps", "targets", "target", "target_ids", "in_args", "out_args", "args", "returns", *ONE_ID)


def can_be_read(data: Mapping[str, Any]) -> bool:
    """False where a name, an id or a type is no text, or an object is something else."""
    return (
        all(_text(data.get(word)) for word in _HEAD)
        and all(_step(each) for each in data["workflow"].values())
        and all(_objects(data.get(section), check) for section, check in _SECTIONS.items())
    )


def _text(found: Any) -> bool:
    return found is None or isinstance(found, str)


def _texts(found: Any) -> bool:
    return _text(found) or (isinstance(found, list) and all(isinstance(each, str) for each in found))


def _step(step: Mapping[str, Any]) -> bool:
    cases = step.get("cases")
    commands = step.get("commands")
    several = commands if isinstance(commands, list) else [commands] if commands is not None else []
    return (
        _text(step.get("type"))
        and _text(step.get("agent"))
        and all(_texts(step.get(word)) for word in _LISTS)
        and (cases is None or (isinstance(cases, dict) and all(_texts(each) for each in cases.values())))
        and all(_command(each) for each in several)
        and _objects(step.get("step_variables"), lambda _: True)
    )


def _command(found: Any) -> bool:
    return isinstance(found, dict) and _text(found.get("type")) and _text(found.get("playbook_activity"))


def _objects(found: Any, check: Callable[[Mapping[str, Any]], bool]) -> bool:
    return found is None or (
        isinstance(found, dict) and all(isinstance(each, dict) and check(each) for each in found.values())
    )


def _agent(found: Mapping[str, Any]) -> bool:
    address = found.get("address")
    return (
        _text(found.get("type"))
        and _text(found.get("authentication_info"))
        and (address is None or isinstance(address, dict))
    )


def _authentication(found: Mapping[str, Any]) -> bool:
    return _text(found.get("type")) and _text(found.get("kms_key_identifier"))


_SECTIONS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "agent_definitions": _agent,
    "target_definitions": _agent,
    "authentication_info_definitions": _authentication,
    "playbook_variables": lambda _: True,
}
