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
from incident.response.extensions import texts_in
from incident.response.findings import Finding, NotRunnable, Severity
from incident.response.jsontext import read_json
from incident.response.lint import labels_of, lint, place_of
from incident.response.lint_containment import Catalogue
from incident.response.model import ActionStep, Open, Playbook, dump
from incident.response.yamltext import Path, read_yaml, write_yaml


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
    is_json = text.lstrip("\ufeff \t\r\n").startswith("{")
    read = read_json(text.lstrip("\ufeff"), name=name) if is_json else read_yaml(text, name=name)
    if is_cacao(read.data):
        places = {"": name} | cacao_places(read.lines, name)
        return Loaded(model_of(read.data, name, places), Written.cacao, places)
    data, places = compile_with_places(read.data, name=name, lines=read.lines)
    return Loaded(model_of(data, name, places), Written.form, places)


def is_cacao(data: Any) -> bool:
    """Whether this is CACAO's own form and not ours, which names neither type nor version."""
    return isinstance(data, dict) and data.get("type") == "playbook" and "spec_version" in data


def _nearest(path: list[str], places: Mapping[str, str]) -> str | None:
    """The place of the innermost object on the way; pydantic names the step's type between, which no file has."""
    plain = [part for number, part in enumerate(path) if not (number == 2 and path[0] == "workflow")]
    ends = range(len(plain), 0, -1)
    found = (places.get("/".join(plain[:end])) for end in ends)
    return next((place for place in found if place), None)


def cacao_places(lines: Mapping[Path, int], name: str) -> dict[str, str]:
    places = {"/".join(map(str, path)): f"{name}:{line}" for path, line in lines.items()}
    steps = {
        str(path[1]): f"{name}:{line}"
        for path, line in lines.items()
        if path[0] == "workflow" and len(path) == 2
    }
    return places | steps


def check(
    text: str,
    *,
    name: str,
    now: datetime | None = None,
    known_measures: frozenset[str] | None = None,
    catalogue: Catalogue | None = None,
) -> list[Finding]:
    """Everything that is wrong with the text of a playbook; empty where nothing is."""
    try:
        loaded = load(text, name=name)
    except NotRunnable as error:
        return list(error.findings)
    except BadInput as error:
        return [Finding(Severity.error, "unreadable", error.what, error.where)]
    imported = loaded.written is Written.cacao or _is_anothers(loaded.playbook)
    found = lint(
        loaded.playbook,
        now=now,
        known_measures=known_measures,
        imported=imported,
        places=loaded.places,
        catalogue=catalogue,
    )
    severity = Severity.warning if imported else Severity.error
    return [*found, *unknown_words(loaded.playbook, severity, loaded.places)]


def _is_anothers(playbook: Playbook) -> bool:
    """Whether it came from another tool: no step has its id from a short name of ours."""
    try:
        short = {each.object_id for each in texts_in(playbook.playbook_extensions).short_names}
    except BadInput:  # reported with the playbook's extensions
        return True
    return not short & set(playbook.workflow)


def to_cacao(playbook: Playbook) -> str:
    """The playbook as CACAO JSON text."""
    return json.dumps(dump(playbook), ensure_ascii=False, indent=2) + "\n"


def to_form(playbook: Playbook) -> str:
    """The playbook in the YAML form. Comments of an earlier form are not kept."""
    return write_yaml(decompile(dump(playbook)))


def model_of(data: Mapping[str, Any], name: str, places: Mapping[str, str]) -> Playbook:
    try:
        return Playbook.model_validate(data)
    except ValidationError as error:
        findings = []
        for each in error.errors():
            path = [str(part) for part in each["loc"]]
            place = _nearest(path, places) or name
            findings.append(Finding(Severity.error, "shape", f"{'.'.join(path)}: {each['msg']}", place))
        raise NotRunnable(findings, name=name) from None


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


def unknown_words(playbook: Playbook, severity: Severity, places: Mapping[str, str]) -> Iterator[Finding]:
    """Words that the standard does not have; most are misspelt."""
    labels = labels_of(playbook)
    yield from _strangers(playbook, severity, places.get(""))
    for step_id, step in playbook.workflow.items():
        place = place_of(step_id, labels, places)
        yield from _strangers(step, severity, place)
        for command in step.commands if isinstance(step, ActionStep) else ():
            yield from _strangers(command, severity, place)
    for object_id, agent in (playbook.agent_definitions | playbook.target_definitions).items():
        yield from _strangers(agent, severity, place_of(f"agent_definitions/{object_id}", labels, places))


def _strangers(found: Open, severity: Severity, place: str | None) -> Iterator[Finding]:
    known = set(type(found).model_fields) | _MORE_WORDS
    for word in found.model_extra or {}:
        if word in known:
            continue
        near = difflib.get_close_matches(word, known, n=1)
        hint = f"; did you mean “{near[0]}”?" if near else ""
        yield Finding(severity, "unknown-word", f"“{word}” is not a word of CACAO here{hint}", place)
