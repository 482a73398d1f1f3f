"""Variables, agents, authentication and commands as CACAO 2.0 declares them, whatever this engine runs."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from incident.response.lint_graph import Complaint
from incident.response.model import ActionStep, AgentTarget, Command, Playbook, dump
from incident.response.vocabularies import COMMANDS_IN_BASE64, COMMANDS_IN_TEXT, MACHINES

_MENTION = re.compile(r"__[A-Za-z][A-Za-z0-9_-]*?__")
# What the official schema takes for addresses, in effect: it asks a url for a dot and two to six small letters.
_SCHEMA_URL = re.compile(r"[():/?.\w@%+~#=]{2}\.[a-z]{2,6}\b", re.ASCII)
_IPV4 = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\Z", re.ASCII)
_MAC = re.compile(r"[a-fA-F0-9]{2}(?::[a-fA-F0-9]{2}){5}")
_ADDRESS_KINDS = frozenset(["dname", "ipv4", "ipv6", "l2mac", "vlan", "url"])


def variables(playbook: Playbook) -> Iterator[Complaint]:
    """Names in lower case, none hidden by a step's own, none unused."""
    mentioned = _mentions(playbook)
    for path, declared in [("playbook_variables", playbook.playbook_variables)] + [
        (f"workflow/{step_id}/step_variables", step.step_variables)
        for step_id, step in playbook.workflow.items()
    ]:
        for name in declared:
            if name != name.lower():
                yield "variable-case", f"{path}/{name}", f"{name} is not in lower case"
            if path != "playbook_variables" and name in playbook.playbook_variables:
                yield "overloaded-variable", f"{path}/{name}", f"{name} hides the playbook's variable"
            if name not in mentioned:
                yield "unused-variable", f"{path}/{name}", f"{name} is declared and not used"


def _mentions(playbook: Playbook) -> set[str]:
    data = dump(playbook)
    data.pop("playbook_variables", None)
    for step in data["workflow"].values():
        step.pop("step_variables", None)
    return {name for text in _texts(data) for name in _MENTION.findall(text)}


def _texts(found: Any) -> Iterator[str]:
    ahead = [found]
    while ahead:
        each = ahead.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, Mapping):
            ahead += each.values()
            ahead += [_plain(value) for key, value in each.items() if str(key).endswith("_b64")]
        elif isinstance(each, list):
            ahead += each


def _plain(found: Any) -> str:
    try:
        return base64.b64decode(str(found)).decode("utf-8", errors="replace")
    except (binascii.Error, ValueError):
        return ""


def commands(playbook: Playbook) -> Iterator[Complaint]:
    for step_id, step in playbook.workflow.items():
        for number, command in enumerate(step.commands if isinstance(step, ActionStep) else ()):
            for code, message in _command(command):
                yield code, f"workflow/{step_id}/commands/{number}", f"command {number + 1}: {message}"


def _command(command: Command) -> Iterator[tuple[str, str]]:
    if command.type in COMMANDS_IN_BASE64 and not command.command_b64:
        yield "command-missing", f"a {command.type} command stands in command_b64"
    elif command.type in COMMANDS_IN_TEXT and command.command is None and not command.command_b64:
        yield "command-missing", "it has neither command nor command_b64"
    elif command.type == "http-api" and command.command is None:
        yield "command-missing", "an http-api command has a command: METHOD /path HTTP/1.1"
    elif command.type == "openc2-http" and (command.command is None or command.content_b64 is None):
        yield "command-missing", "an openc2-http command has command and content_b64"
    if command.command is not None and command.command_b64 is not None:
        yield "two-commands", "command stands alone, or command_b64 does"
    for word in ("command_b64", "content_b64"):
        try:
            base64.b64decode(getattr(command, word) or "", validate=True)
        except (binascii.Error, ValueError):
            yield "base64", f"{word} is not base64"


def agents(playbook: Playbook) -> Iterator[Complaint]:
    for section in ("agent_definitions", "target_definitions"):
        for key, each in getattr(playbook, section).items():
            for code, message in _agent(playbook, each):
                yield code, f"{section}/{key}", f"{each.name or key}: {message}"


def _agent(playbook: Playbook, agent: AgentTarget) -> Iterator[tuple[str, str]]:
    more = agent.model_extra or {}
    if not agent.name.strip():
        yield "agent-name", "it has no name"
    if agent.type in MACHINES and not agent.address:
        yield "agent-properties", f"{agent.type} has an address"
    if agent.type == "security-category" and not agent.category:
        yield "agent-properties", "security-category has a category"
    if agent.type == "sector" and "sector" not in more:
        yield "agent-properties", "sector has the property sector"
    signing_in = agent.authentication_info
    if signing_in is not None and signing_in not in playbook.authentication_info_definitions:
        yield "unknown-authentication", f"“{signing_in}” is not in authentication_info_definitions"
    for kind, several in (agent.address or {}).items():
        for value in several:
            if not address_fits(kind, value):
                yield "agent-address", f"“{value}” is no {kind} for the standard's schema"


def address_fits(kind: str, value: Any) -> bool:
    """Whether the official schema takes the value. It has no place for variables but `dname`."""
    match kind:
        case "vlan":
            return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 4095
        case "url":
            return isinstance(value, str) and bool(_SCHEMA_URL.search(value))
        case "ipv4":
            return isinstance(value, str) and bool(_IPV4.search(value)) and _small(value)
        case "ipv6":
            return isinstance(value, str) and _is_ipv6(value)
        case "l2mac":
            return isinstance(value, str) and bool(_MAC.fullmatch(value))
        case _:
            return kind in _ADDRESS_KINDS and isinstance(value, str)


def _small(value: str) -> bool:
    found = _IPV4.search(value)
    return found is not None and all(int(each) < 256 for each in found[0].split("."))


def _is_ipv6(value: str) -> bool:
    import ipaddress

    try:
        ipaddress.IPv6Address(value.partition("%")[0])
    except ValueError:
        return False
    return True


def authentications(playbook: Playbook) -> Iterator[Complaint]:
    for key, each in playbook.authentication_info_definitions.items():
        if each.type == "oauth2" and each.oauth_header is None:
            yield (
                "authentication",
                f"authentication_info_definitions/{key}",
                f"{each.name or key}: oauth2 has an oauth_header",
            )


def everything(playbook: Playbook) -> Iterable[Complaint]:
    yield from variables(playbook)
    yield from commands(playbook)
    yield from agents(playbook)
    yield from authentications(playbook)
