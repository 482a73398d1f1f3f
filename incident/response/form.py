"""Reading and writing playbooks: the YAML form people write, or CACAO 2.0 JSON."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from incident.errors import BadInput
from incident.response.compile import compile_with_places
from incident.response.decompile import decompile
from incident.response.findings import Finding, NotRunnable, Severity
from incident.response.lint import labels_of, lint, place_of
from incident.response.model import ActionStep, Open, Playbook, dump
from incident.response.yamltext import read_yaml, write_yaml


class Written(StrEnum):
    """How a playbook was written."""

    form = "form"
    cacao = "cacao"


@dataclass(frozen=True)
class Loaded:
    """A playbook that was read. `places` maps object ids (and "" for the whole) to file and line."""

    playbook: Playbook
    written: Written
    places: Mapping[str, str]


@lru_cache(maxsize=64)
def load(text: str, *, name: str) -> Loaded:
    """The playbook in a YAML form or a CACAO JSON text. BadInput with file and line where it is neither.

    Reading does not decide whether it can be run: see `check`, or `lint.require_runnable`. The same text is read once:
    a worker starts the same few playbooks again and again, and nothing of what was read is ever changed.
    """
    if text.lstrip().startswith("{"):
        try:
            data = json.loads(text)
        except ValueError as error:
            where = f"{name}:{getattr(error, 'lineno', 1)}"
            raise BadInput(f"this is not JSON: {getattr(error, 'msg', error)}", where=where) from None
        if isinstance(data, dict) and data.get("type") == "playbook":
            places = {"": name} | _json_places(text, data, name)
            return Loaded(_model(data, name, places), Written.cacao, places)
    read = read_yaml(text, name=name)
    if isinstance(read.data, dict) and read.data.get("type") == "playbook" and "spec_version" in read.data:
        places = {"": name} | {
            str(path[1]): f"{name}:{line}"
            for path, line in read.lines.items()
            if path[0] == "workflow" and len(path) == 2
        }
        return Loaded(_model(read.data, name, places), Written.cacao, places)
    data, places = compile_with_places(read.data, name=name, lines=read.lines)
    return Loaded(_model(data, name, places), Written.form, places)


def check(
    text: str, *, name: str, now: datetime | None = None, known_measures: frozenset[str] | None = None
) -> list[Finding]:
    """Everything that is wrong with the text of a playbook; empty where nothing is."""
    try:
        loaded = load(text, name=name)
    except NotRunnable as error:
        return list(error.findings)
    except BadInput as error:
        return [Finding(Severity.error, "unreadable", error.what, error.where)]
    imported = loaded.written is Written.cacao
    found = lint(
        loaded.playbook, now=now, known_measures=known_measures, imported=imported, places=loaded.places
    )
    return [*found, *_unknown_words(loaded, Severity.warning if imported else Severity.error)]


def to_cacao(playbook: Playbook) -> str:
    """The playbook as CACAO JSON text."""
    return json.dumps(dump(playbook), ensure_ascii=False, indent=2) + "\n"


def to_form(playbook: Playbook) -> str:
    """The playbook in the YAML form. Comments of an earlier form are not kept."""
    return write_yaml(decompile(dump(playbook)))


def _model(data: Mapping[str, Any], name: str, places: Mapping[str, str]) -> Playbook:
    try:
        return Playbook.model_validate(data)
    except ValidationError as error:
        findings = []
        for each in error.errors():
            path = [str(part) for part in each["loc"]]
            place = next((places[part] for part in path if part in places), name)
            findings.append(Finding(Severity.error, "shape", f"{'.'.join(path)}: {each['msg']}", place))
        raise NotRunnable(findings, name=name) from None


def _json_places(text: str, data: Mapping[str, Any], name: str) -> dict[str, str]:
    workflow = data.get("workflow")
    places = {}
    for key in workflow if isinstance(workflow, dict) else ():
        at = text.find(f'"{key}": {{')
        if at >= 0:
            places[key] = f"{name}:{text.count(chr(10), 0, at) + 1}"
    return places


# -- words that CACAO does not have -------------------------------------------------------------------

_MORE_WORDS = frozenset(
    [
        "external_references",
        "owner",
        "derived_from",
        "related_to",
        "priority",
        "severity",
        "impact",
        "industry_sectors",
        "labels",
        "markings",
        "data_marking_definitions",
        "signatures",
        "playbook_processing_summary",
        "version",
        "contact",
        "location",
        "logical",
        "sector",
        "category",
        "authentication_info_extensions",
        "username",
        "description",
        "playbook_version",
        "playbook_complexity",
    ]
)


def _unknown_words(loaded: Loaded, severity: Severity) -> Iterator[Finding]:
    playbook = loaded.playbook
    labels = labels_of(playbook)
    yield from _strangers(playbook, severity, loaded.places.get(""))
    for step_id, step in playbook.workflow.items():
        place = place_of(step_id, labels, loaded.places)
        yield from _strangers(step, severity, place)
        for command in step.commands if isinstance(step, ActionStep) else ():
            yield from _strangers(command, severity, place)
    for object_id, agent in (playbook.agent_definitions | playbook.target_definitions).items():
        yield from _strangers(agent, severity, loaded.places.get(object_id))


def _strangers(found: Open, severity: Severity, place: str | None) -> Iterator[Finding]:
    known = set(type(found).model_fields) | _MORE_WORDS
    for word in found.model_extra or {}:
        if word in known:
            continue
        near = difflib.get_close_matches(word, known, n=1)
        hint = f"; did you mean “{near[0]}”?" if near else ""
        yield Finding(severity, "unknown-word", f"“{word}” is not a word of CACAO here{hint}", place)
