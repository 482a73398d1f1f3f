"""From CACAO 2.0 JSON back to the YAML form, without loss.

A playbook that we compiled comes back as it was written. Another's keeps its ids, each beside a short name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from incident.errors import BadInput, TocsinError
from incident.response import wordings
from incident.response.compile import (
    EXTENSION_LINKS,
    SECTIONS,
    SINGLE_REFERENCES,
    activities,
    compile_form,
    derived_id,
    our_definitions,
    processing_summary,
)
from incident.response.extensions import EXTENSION_NAMES, Texts, texts_in
from incident.response.model import SPEC_VERSION

# The order people read in; other words follow as they came, and where the step leads stands last.
_FIRST = [
    *("id", "type", "name", "language", "description", "created_by", "created", "modified"),
    *("playbook_types", "playbook_variables", "condition", "switch", "agent", "targets", "commands"),
]
_LAST = [
    *(
        "step_extensions",
        "on_true",
        "on_false",
        "cases",
        "next_steps",
        "on_completion",
        "on_success",
        "on_failure",
    ),
    *SECTIONS[1:],
    "workflow_start",
    "workflow_exception",
    "workflow",
]
_LINKS = {"agent": "agent_definitions", "targets": "target_definitions"}


def decompile(data: Mapping[str, Any]) -> dict[str, Any]:
    """The form of a playbook. Compiling it gives `data` again, which is checked here.

    BadInput where that is not possible, for example because a reference leads nowhere.
    """
    reason = "what was written does not compile to the same playbook"
    for tidy in (True, False):
        try:
            form = _Decompiler(data, tidy=tidy).form()
            if compile_form(json.loads(json.dumps(form))) == data:
                return form
        except TocsinError as error:
            reason = error.what
    raise BadInput(
        f"this playbook cannot be written in the YAML form without loss: {reason}", where=data.get("id")
    )


class _Decompiler:
    """`tidy` uses short names and language mappings as we compile them; else all stays explicit."""

    def __init__(self, data: Mapping[str, Any], *, tidy: bool) -> None:
        self.data = data
        self.tidy = tidy
        self.texts = texts_in(data.get("playbook_extensions") or {}) if tidy else Texts()
        self.language = self.texts.language
        given = {each.object_id: each.short_name for each in self.texts.short_names}
        self.names = {section: self.short_names(section, given) for section in SECTIONS}

    def short_names(self, section: str, given: Mapping[str, str]) -> dict[str, str]:
        found: dict[str, str] = {}
        taken: set[str] = set()
        for object_id, each in (self.data.get(section) or {}).items():
            short = given.get(object_id) or _slug(each.get("name") or each.get("type") or "step")
            number, unique = 1, short
            while unique in taken:
                number += 1
                unique = f"{short}-{number}"
            taken.add(unique)
            found[object_id] = unique
        return found

    def form(self) -> dict[str, Any]:
        plain = {key: value for key, value in self.data.items() if key not in {"type", *SECTIONS}}
        if plain.get("spec_version") == SPEC_VERSION:
            del plain["spec_version"]
        plain = self.worded(plain, "playbook_extensions")
        if self.language != wordings.DEFAULT_LANGUAGE:
            plain["language"] = self.language
        starts = [key for key, each in self.data["workflow"].items() if each.get("type") == "start"]
        if starts[:1] == [plain.get("workflow_start")]:
            del plain["workflow_start"]
        for word in ("workflow_start", "workflow_exception"):
            if word in plain:
                plain[word] = self.name(plain[word], "workflow")
        self.leave_out(plain)
        for section in SECTIONS[1:] + SECTIONS[:1]:
            if section in self.data:
                plain[section] = {
                    self.names[section][key]: self.object(section, key, each)
                    for key, each in self.data[section].items()
                }
        return _ordered(plain)

    def leave_out(self, plain: dict[str, Any]) -> None:
        """What compiling works out is left out; null says that it was not there."""
        worked_out: dict[str, Any] = {
            "playbook_activities": activities(self.data),
            "extension_definitions": our_definitions(self.data),
            "playbook_processing_summary": processing_summary(self.data),
        }
        for word, value in worked_out.items():
            if word not in plain:
                plain |= {word: None} if value else {}
            elif word == "extension_definitions":
                plain[word] = {key: each for key, each in plain[word].items() if value.get(key) != each}
                if not plain[word]:
                    del plain[word]
            elif plain[word] == value:
                del plain[word]

    def object(self, section: str, object_id: str, found: Mapping[str, Any]) -> dict[str, Any]:
        short = self.names[section][object_id]
        plain = dict(found)
        derived = derived_id(self.data["id"], section, short, str(plain.get("type")))
        if not self.tidy or derived != object_id:
            plain = {"type": plain.pop("type", None), "id": object_id, **plain}
        if section == "workflow":
            for word in SINGLE_REFERENCES:
                if word in plain:
                    plain[word] = self.name(plain[word], "workflow")
            for word, target in (("next_steps", "workflow"), ("cases", "workflow"), *_LINKS.items()):
                if word in plain:
                    plain[word] = self.several(plain[word], target)
            return _ordered(self.worded(plain, "step_extensions"))
        if "authentication_info" in plain:
            plain["authentication_info"] = self.name(
                plain["authentication_info"], "authentication_info_definitions"
            )
        return _ordered(self.worded(plain, "agent_target_extensions"))

    def worded(self, plain: dict[str, Any], holder: str) -> dict[str, Any]:
        """With language mappings and short names of our extensions."""
        if not isinstance(plain.get(holder), dict):
            return plain
        extensions = dict(plain[holder])
        if self.tidy and wordings.TEXTS in extensions:
            plain = wordings.join(plain, texts_in(extensions))
            del extensions[wordings.TEXTS]
        named = {}
        for key, params in extensions.items():
            short = str(EXTENSION_NAMES.get(key, key))
            named[short] = self.unlinked(short, params)
        if named or not self.tidy:
            return {**plain, holder: named}
        del plain[holder]
        return plain

    def unlinked(self, extension: str, params: Any) -> Any:
        links = EXTENSION_LINKS.get(extension, {})
        if not isinstance(params, dict) or not links:
            return params
        return {
            word: self.several(value, links[word]) if word in links else value
            for word, value in params.items()
        }

    def name(self, reference: Any, section: str) -> Any:
        found = self.names[section].get(reference) if isinstance(reference, str) else None
        if found is None and section == "target_definitions":
            return self.name(reference, "agent_definitions")
        return reference if found is None else found

    def several(self, found: Any, section: str) -> Any:
        if isinstance(found, list):
            return [self.name(each, section) for each in found]
        if isinstance(found, dict):
            return {key: self.name(each, section) for key, each in found.items()}
        return self.name(found, section)


def _ordered(plain: Mapping[str, Any]) -> dict[str, Any]:
    first = [word for word in _FIRST if word in plain]
    last = [word for word in _LAST if word in plain]
    middle = [word for word in plain if word not in _FIRST and word not in _LAST]
    return {word: plain[word] for word in [*first, *middle, *last]}


def _slug(text: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-")
    return slug if slug[:1].isalpha() else f"step-{slug}".strip("-")
