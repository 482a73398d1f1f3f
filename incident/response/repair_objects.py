"""Repairs of objects: their ids and who refers to them, agents that are missing, secrets, commands."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from incident.response.compile import EXTENSION_LINKS
from incident.response.extensions import EXTENSION_NAMES
from incident.response.findings import IDENTIFIER
from incident.response.model import MANUAL
from incident.response.repair import SECTIONS, Work
from incident.response.repair_words import ONE_ID

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_COMMANDS: Mapping[str, str] = {
    "attack-cmd": "caldera-cmd",
    "jupyter-nb": "jupyter",
    "openc2": "openc2-http",
    "openc2-json": "openc2-http",
    "http": "http-api",
    "http-api-cmd": "http-api",
}


# -- kinds of value -------------------------------------------------------------------------------------


def shapes(work: Work) -> None:
    """Numbers and truth values written as texts, and the other way round; one value where a list is wanted."""
    for word in ("priority", "severity", "impact"):
        _number(work, "", work.data, word)
    for key, step in work.steps():
        for word in ("delay", "timeout"):
            _number(work, f"workflow/{key}/", step, word)
        if step.get("delay") == 0 and not isinstance(step["delay"], bool):
            del step["delay"]
            work.note("no-delay", f"workflow/{key}/delay", 0, None, "a delay is at least one millisecond")
    for section in ("agent_definitions", "target_definitions"):
        for key, each in work.section(section).items():
            if isinstance(each, dict):
                _agent_shapes(work, f"{section}/{key}", each)


def _number(work: Work, path: str, holder: dict[str, Any], word: str) -> None:
    found = holder.get(word)
    if (isinstance(found, str) and _WHOLE.fullmatch(found)) or (
        isinstance(found, float) and found.is_integer()
    ):
        holder[word] = int(found)
    else:
        return
    work.note("number", f"{path}{word}", found, holder[word], "this is a whole number")


def _agent_shapes(work: Work, path: str, agent: dict[str, Any]) -> None:
    port = agent.get("port")
    if isinstance(port, int) and not isinstance(port, bool):
        agent["port"] = str(port)
        work.note("port", f"{path}/port", port, agent["port"], "a port is a text")
    address = _mapping(agent, "address")
    for kind, found in list(address.items()):
        if isinstance(found, str):
            address[kind] = [found]
            work.note("no-list", f"{path}/address/{kind}", found, [found], "this is a list")
    category = agent.get("category")
    if isinstance(category, str):
        agent["category"] = [category]
        work.note("no-list", f"{path}/category", category, [category], "this is a list")
    if agent.get("type") and not isinstance(agent.get("name"), str):
        agent["name"] = path.rpartition("/")[2].partition("--")[0]
        work.note("no-name", f"{path}/name", None, agent["name"], "agents and targets have names")


# -- ids ------------------------------------------------------------------------------------------------


def identities(work: Work) -> None:
    """type--UUID for every object (steps: version 4), no UUID twice; all references follow."""
    seen: set[str] = {str(work.data.get("id") or "").partition("--")[2].lower()}
    moved: dict[str, str] = {}
    for section in ("workflow", *SECTIONS):
        found = work.section(section)
        renamed: dict[str, Any] = {}
        for key, each in found.items():
            kind = each.get("type") if isinstance(each, dict) else None
            new = key
            if isinstance(kind, str) and re.fullmatch(r"[a-z][a-z0-9-]*[a-z0-9]", kind):
                new = _good_id(work, section, key, kind, seen)
            seen.add(new.partition("--")[2].lower())
            renamed[new] = each
            if new != key:
                moved[key] = new
                work.names[new] = key
                why = "an id is type--UUID (steps: of version 4), and no UUID stands twice"
                work.note("identifier", f"{section}/{key}", key, new, why)
        if found:
            work.data[section] = renamed
    if moved:
        _rewrite(work, moved)


def _good_id(work: Work, section: str, key: str, kind: str, seen: set[str]) -> str:
    uuid = key.partition("--")[2]
    usable = bool(IDENTIFIER.fullmatch(f"{kind}--{uuid}")) and uuid.lower() not in seen
    if usable and (section != "workflow" or uuid[14] == "4"):
        return f"{kind}--{uuid}"
    return work.minted(section, key, kind)


def _rewrite(work: Work, moved: Mapping[str, str]) -> None:
    data = work.data
    for word in ("workflow_start", "workflow_exception"):
        data[word] = moved.get(data[word], data[word]) if isinstance(data.get(word), str) else data.get(word)
        if data[word] is None:
            del data[word]
    for _, step in work.steps():
        for word in (*ONE_ID, "agent"):
            if isinstance(step.get(word), str):
                step[word] = moved.get(step[word], step[word])
        for word in ("next_steps", "targets", "cases", *ONE_ID):
            step |= {word: _moved(step[word], moved)} if word in step else {}
        for key, params in _mapping(step, "step_extensions").items():
            links = EXTENSION_LINKS.get(EXTENSION_NAMES.get(key, ""), {})
            for word in links if isinstance(params, dict) else ():
                params |= {word: _moved(params[word], moved)} if word in params else {}
    for section in ("agent_definitions", "target_definitions"):
        for each in work.section(section).values():
            if isinstance(each, dict) and isinstance(each.get("authentication_info"), str):
                each["authentication_info"] = moved.get(
                    each["authentication_info"], each["authentication_info"]
                )


def _mapping(holder: Mapping[str, Any], word: str) -> dict[str, Any]:
    found = holder.get(word)
    return found if isinstance(found, dict) else {}


def _moved(found: Any, moved: Mapping[str, str]) -> Any:
    if isinstance(found, list):
        return [_moved(each, moved) for each in found]
    if isinstance(found, dict):
        return {key: _moved(each, moved) for key, each in found.items()}
    return moved.get(found, found) if isinstance(found, str) else found


# -- agents ---------------------------------------------------------------------------------------------


def agents(work: Work) -> None:
    """An action that names no agent: people for what people do, the engine itself for the rest."""
    for key, step in work.steps():
        if step.get("type") != "action" or step.get("agent"):
            continue
        commands = step.get("commands")
        kinds = (
            {c.get("type") for c in commands if isinstance(c, dict)} if isinstance(commands, list) else set()
        )
        if kinds == {MANUAL}:
            wanted: dict[str, Any] = {"type": "group", "name": "People"}
            why = "an action has an agent; what is manual is done by people"
        else:
            wanted = {"type": "security-category", "name": "Playbook engine", "category": ["orchestrator"]}
            why = "an action has an agent; none was named, so it is the engine that runs the playbook"
        step["agent"] = _agent(work, wanted)
        work.note("no-agent", f"workflow/{key}/agent", None, wanted["name"], why)


def _agent(work: Work, wanted: dict[str, Any]) -> str:
    definitions = work.data.setdefault("agent_definitions", {})
    if not isinstance(definitions, dict):
        return ""
    for key, each in definitions.items():
        if each == wanted:
            return str(key)
    key = work.minted("agent_definitions", wanted["name"], wanted["type"])
    definitions[key] = wanted
    return key


# -- secrets --------------------------------------------------------------------------------------------


def secrets(work: Work) -> None:
    """A secret is named and not written. What stood there is in no report."""
    for key, each in work.section("authentication_info_definitions").items():
        if not isinstance(each, dict):
            continue
        path = f"authentication_info_definitions/{key}"
        written = [word for word in ("password", "token") if each.get(word)]
        if not written:
            if each.get("kms") is True and each.get("token") == "":
                del each["token"]  # the official schema asks for it; the text of the standard forbids it
                work.note(
                    "empty-token", f"{path}/token", "", None, "a secret that is named has no token beside"
                )
            continue
        for word in written:
            del each[word]
        if each.get("kms") is True and each.get("kms_key_identifier"):
            name = str(each["kms_key_identifier"])
        else:
            name = _secret_name(work, each, key)
            each["kms"], each["kms_key_identifier"] = True, name
        why = "a playbook names its secrets and holds none; put it where [playbooks] secrets says, and change it"
        work.note(
            "secret", path, f"a {' and a '.join(written)} in the file", f"kms_key_identifier: {name}", why
        )


def _secret_name(work: Work, each: Mapping[str, Any], key: str) -> str:
    words = each.get("name") or each.get("user_id") or each.get("username") or each.get("type") or "secret"
    plain = re.sub(r"[^a-z0-9]+", "-", f"{words}".lower()).strip("-") or "secret"
    taken = {e.get("kms_key_identifier") for e in work.section("authentication_info_definitions").values() if isinstance(e, dict)}  # fmt: skip
    return plain if plain not in taken else f"{plain}-{key.partition('--')[2][:8] or key}"


# -- commands -------------------------------------------------------------------------------------------


def commands(work: Work) -> None:
    for key, step in work.steps():
        found = step.get("commands")
        for number, command in enumerate(found) if isinstance(found, list) else ():
            if isinstance(command, dict):
                _command(work, f"workflow/{key}/commands/{number}", command)


def _command(work: Work, path: str, command: dict[str, Any]) -> None:
    kind = command.get("type")
    new = _COMMANDS.get(kind) if isinstance(kind, str) else None
    if new is not None and (new != "openc2-http" or "content_b64" in command):
        command["type"] = new
        work.note("command-type", f"{path}/type", kind, new, "this is its name in CACAO 2.0")
    if command.get("type") not in {"http-api", "openc2-http"}:
        return
    headers = _mapping(command, "headers")
    for name, value in list(headers.items()):
        if isinstance(value, str):
            headers[name] = [value]
            work.note("no-list", f"{path}/headers/{name}", value, [value], "this is a list")
    if "body" in command and not {"content", "content_b64"} & set(command):
        body = command.pop("body")
        command["content"] = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        work.note("body", f"{path}/body", "body", "content", "this is its name in CACAO")
    line = command.get("command")
    better = _start_line(line) if isinstance(line, str) else None
    if better is not None and better != line:
        command["command"] = better
        work.note("start-line", f"{path}/command", line, better, "a request is written METHOD /path HTTP/1.1")


def _start_line(line: str) -> str | None:
    """The request as it is meant; None where it has several readings."""
    match = re.fullmatch(r"\s*([A-Za-z]+)\s+(\S+)(?:\s+HTTP/?([0-9](?:\.[0-9])?))?\s*", line)
    if match is None:
        return None
    target = match[2]
    if re.fullmatch(r"[A-Za-z0-9._~%-]+(/\S*)?", target) and "__" not in target:
        target = "/" + target
    return f"{match[1].upper()} {target} HTTP/{match[3] or '1.1'}"
