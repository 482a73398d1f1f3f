"""Repairs of variables: other tools' ways to write them, and those that nobody declared."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from incident.response import conditions
from incident.response.repair import Work
from incident.response.variables import REFERENCE, VARIABLE_NAME

_NAME = r"[A-Za-z][A-Za-z0-9_.-]*?"
_BRACES = re.compile(r"\{\{\s*(" + _NAME + r")\s*\}\}")
_DOLLARS = re.compile(r"\$\$(" + _NAME + r")\$\$(?::value)?")
_DOLLAR = re.compile(r"\$\{?([A-Za-z][A-Za-z0-9_]*)\}?")
_BARE = re.compile(r"(?<![A-Za-z0-9_])(__[A-Za-z][A-Za-z0-9_-]*?__)(?!:value)(?![A-Za-z0-9_])")
_WRAPPED = re.compile(r"(?:\$\$|__|\{\{\s*|\$\{?)?(" + _NAME + r")(?:\$\$|__|\s*\}\}|\})?(?::value)?")
_SCRIPTS = frozenset(["bash", "ssh", "powershell", "manual", "caldera-cmd"])
_WHY = "CACAO 2.0 writes a variable __name__, and its value __name__:value"


def variables(work: Work) -> None:
    declared = _declarations(work)
    _uses(work, declared)
    _undeclared(work)


def plain(name: str) -> str:
    """The name as CACAO 2.0 writes it; "" where that is not possible."""
    match = _WRAPPED.fullmatch(name.strip())
    found = f"__{re.sub('[^A-Za-z0-9_-]', '_', match[1]).strip('_')}__" if match else ""
    return found if VARIABLE_NAME.match(found) else ""


def _declarations(work: Work) -> set[str]:
    """Names of declarations, their values as texts, and `external` where only the playbook can have it."""
    found: set[str] = set()
    holders = [("playbook_variables", work.data)] + [
        (f"workflow/{key}/step_variables", step) for key, step in work.steps()
    ]
    for path, holder in holders:
        word = path.rpartition("/")[2]
        declared = holder.get(word)
        if not isinstance(declared, dict):
            continue
        holder[word] = _renamed(work, path, declared)
        for name, each in holder[word].items():
            found.add(name)
            if isinstance(each, dict):
                _values(work, f"{path}/{name}", each, in_step=word == "step_variables")
    return found


def _renamed(work: Work, path: str, declared: dict[str, Any]) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for name, each in declared.items():
        new = name if VARIABLE_NAME.match(name) else plain(name)
        if not new or new in renamed or (new != name and new in declared):
            renamed[name] = each  # refused by the linter
            continue
        renamed[new] = each
        if new != name:
            work.note("variable", f"{path}/{name}", name, new, _WHY)
    return renamed


def _values(work: Work, path: str, variable: dict[str, Any], *, in_step: bool) -> None:
    value = variable.get("value")
    if isinstance(value, bool):
        new = str(value).lower()
    elif isinstance(value, int | float):
        new = json.dumps(value)
    elif isinstance(value, list):
        new = json.dumps(value, ensure_ascii=False)
    else:
        new = None
    if new is not None:
        variable["value"] = new
        work.note("variable-value", f"{path}/value", value, new, "the value of a variable is a text")
    if not isinstance(variable.get("type"), str):
        variable["type"] = "string"
        work.note("variable-type", f"{path}/type", None, "string", "a variable has a type")
    if in_step and variable.get("external") is True:
        del variable["external"]
        work.note(
            "external", f"{path}/external", True, None, "only the playbook's variables come from outside"
        )


# -- uses ---------------------------------------------------------------------------------------------


def _uses(work: Work, declared: set[str]) -> None:
    def rewrite(text: str, *, shell: bool = False) -> str:
        text = _BRACES.sub(lambda m: _value_of(m, declared), text)
        text = _DOLLARS.sub(lambda m: _value_of(m, declared), text)
        text = _DOLLAR.sub(lambda m: f"__{m[1]}__:value" if f"__{m[1]}__" in declared else m[0], text)
        return _BARE.sub(lambda m: f"{m[1]}:value" if m[1] in declared or not shell else m[0], text)

    for path, holder, word, found in _texts(work):
        # In a script __name__ may be the language's own word; only a name that is declared is a variable.
        new = rewrite(found, shell=isinstance(holder, dict) and holder.get("type") in _SCRIPTS)
        if new != found:
            holder[word] = new
            work.note("variable", path, found, new, _WHY)
    for key, step in work.steps():
        for word in ("in_args", "out_args"):
            names = step.get(word)
            if isinstance(names, list):
                step[word] = [_name_of(each) for each in names]
                if step[word] != names:
                    work.note("variable", f"workflow/{key}/{word}", names, step[word], _WHY)
        _switch(work, key, step)
        _condition(work, key, step, rewrite)


def _value_of(match: re.Match[str], declared: set[str]) -> str:
    found = plain(match[1])
    return f"{found}:value" if found else match[0]


def _name_of(found: Any) -> Any:
    if not isinstance(found, str):
        return found
    name = found.removesuffix(":value")
    return name if VARIABLE_NAME.match(name) else plain(found) or found


def _switch(work: Work, key: str, step: dict[str, Any]) -> None:
    found = step.get("switch")
    if step.get("type") != "switch-condition" or not isinstance(found, str) or REFERENCE.fullmatch(found):
        return
    name = _name_of(found)
    if VARIABLE_NAME.match(name):
        step["switch"] = f"{name}:value"
        work.note("variable", f"workflow/{key}/switch", found, step["switch"], _WHY)


def _condition(work: Work, key: str, step: dict[str, Any], rewrite: Callable[[str], str]) -> None:
    """A condition is rewritten only where it is one of STIX then; else it stays, and a person will be asked."""
    found = step.get("condition")
    if not isinstance(found, str):
        return
    new = rewrite(found)
    if new != found and not isinstance(conditions.parse(new), conditions.Unreadable):
        step["condition"] = new
        work.note("variable", f"workflow/{key}/condition", found, new, _WHY)


def _texts(work: Work) -> Iterator[tuple[str, Any, Any, str]]:
    """The texts that a value goes to: commands, addresses, ports. Names and descriptions are prose and stay."""
    for key, step in work.steps():
        yield from _step_texts(key, step)
    yield from _agent_texts(work)


def _step_texts(key: str, step: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any, str]]:
    found = step.get("commands")
    for number, command in enumerate(found) if isinstance(found, list) else ():
        if isinstance(command, dict):
            yield from _command_texts(f"workflow/{key}/commands/{number}", command)


def _agent_texts(work: Work) -> Iterator[tuple[str, Any, Any, str]]:
    for section in ("agent_definitions", "target_definitions"):
        for key, each in work.section(section).items():
            if not isinstance(each, dict):
                continue
            address = each.get("address")
            for kind, several in address.items() if isinstance(address, dict) else ():
                for number, value in enumerate(several) if isinstance(several, list) else ():
                    if isinstance(value, str):
                        yield f"{section}/{key}/address/{kind}/{number}", several, number, value
            if isinstance(each.get("port"), str):
                yield f"{section}/{key}/port", each, "port", each["port"]


def _command_texts(path: str, command: dict[str, Any]) -> Iterator[tuple[str, Any, Any, str]]:
    for word in ("command", "content"):
        if isinstance(command.get(word), str):
            yield f"{path}/{word}", command, word, command[word]
    headers = command.get("headers")
    for name, several in headers.items() if isinstance(headers, dict) else ():
        for number, value in enumerate(several) if isinstance(several, list) else ():
            if isinstance(value, str):
                yield f"{path}/headers/{name}/{number}", several, number, value


# -- what nobody declared -----------------------------------------------------------------------------


def _undeclared(work: Work) -> None:
    """A text that is unknown at first; from outside where no step of the playbook gives it."""
    known = work.data.get("playbook_variables")
    if known is not None and not isinstance(known, dict):
        return
    everywhere = dict(known or {})
    at_agents: dict[str, list[tuple[str, str]]] = {}
    for place, _, _, text in _agent_texts(work):
        at_agents.setdefault(place.split("/")[1], []).extend(
            (place, name) for name in REFERENCE.findall(text)
        )
    used: dict[str, str] = {}
    written: set[str] = set()
    for key, step in work.steps():
        own = step.get("step_variables")
        seen = set(everywhere) | set(own if isinstance(own, dict) else ())
        for path, name in _names(key, step, at_agents):
            if name not in seen:
                used.setdefault(name, path)
        out = step.get("out_args")
        written |= {each for each in out if isinstance(each, str)} if isinstance(out, list) else set()
    for name, path in used.items():
        variable: dict[str, Any] = {"type": "string", "value": None}
        if name not in written:
            variable["external"] = True
        everywhere[name] = variable
        why = "it is used and was declared nowhere: a text, unknown at first"
        work.note("undeclared-variable", path, None, f"{name} in playbook_variables", why)
    if used:
        work.data["playbook_variables"] = everywhere


def _names(
    key: str, step: Mapping[str, Any], at_agents: Mapping[str, list[tuple[str, str]]]
) -> Iterator[tuple[str, str]]:
    """The variables that a step uses, each with its place."""
    path = f"workflow/{key}"
    for place, _, _, text in _step_texts(key, step):
        yield from ((place, name) for name in REFERENCE.findall(text))
    targets = step.get("targets")
    for each in [step.get("agent"), *(targets if isinstance(targets, list) else [])]:
        yield from at_agents.get(each, ()) if isinstance(each, str) else ()
    for word in ("in_args", "out_args"):
        found = step.get(word)
        for each in found if isinstance(found, list) else ():
            if isinstance(each, str) and VARIABLE_NAME.match(each):
                yield f"{path}/{word}", each
    for word in ("switch", "condition"):
        expression = step.get(word)
        if isinstance(expression, str):
            yield from ((f"{path}/{word}", name) for name in REFERENCE.findall(expression))
