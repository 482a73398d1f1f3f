"""Bringing another tool's playbook to CACAO 2.0, each change on record.

`repair` works on plain values, before the model. It changes what is commonly broken and has one reading; what has
several stays as it is, for the linter to refuse. Nothing is repaired silently.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from incident.errors import BadInput


@dataclass(frozen=True)
class Repair:
    """One change. `path` is where it was in the file that came; `was` and `now` are short texts."""

    code: str
    path: str
    was: str
    now: str
    why: str
    place: str | None = None


@dataclass
class Work:
    """A playbook under repair; `data` is ours to change."""

    data: dict[str, Any]
    now: datetime
    repairs: list[Repair] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """For each new id, the id that it had in the file."""
    taken: set[str] = field(default_factory=set)

    def note(self, code: str, path: str, was: Any, now: Any, why: str) -> None:
        self.repairs.append(Repair(code, self.original(path), _short(was), _short(now), why))

    def original(self, path: str) -> str:
        return "/".join(self.names.get(part, part) for part in path.split("/"))

    def steps(self) -> Iterator[tuple[str, dict[str, Any]]]:
        yield from list(self.data["workflow"].items())

    def section(self, name: str) -> dict[str, Any]:
        found = self.data.get(name)
        return found if isinstance(found, dict) else {}

    def minted(self, section: str, name: str, kind: str) -> str:
        """An id of the shape of a UUIDv4, always the same for the same playbook and name (section 10.10)."""
        from incident.response.compile import derived_id

        seed = str(self.data.get("id") or self.data.get("name") or "playbook")
        if not self.taken:
            self.taken |= {each for held in ("workflow", *SECTIONS) for each in self.section(held)}
        number, found = 1, derived_id(seed, section, name, kind)
        while found in self.taken:
            number += 1
            found = derived_id(seed, section, f"{name}-{number}", kind)
        self.taken.add(found)
        return found


SECTIONS = ("agent_definitions", "target_definitions", "authentication_info_definitions")


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else _json(value)
    return text if len(text) <= 120 else text[:119] + "…"


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class Repaired:
    """The playbook's data, and what was changed on the way; without changes it is what came."""

    data: dict[str, Any]
    repairs: tuple[Repair, ...]


def repair(given: Any, *, name: str, sha256: str, now: datetime, title: str) -> Repaired:
    """The playbook as CACAO 2.0, as far as it has one reading.

    A playbook that had to be changed is another playbook: it gets an id of its own, names the first in
    `derived_from`, and holds the digest of the file that came in `external_references` (section 2.3). `title` names
    a playbook that has no name. BadInput for what is no playbook at all.
    """
    from incident.response import repair_flow, repair_objects, repair_shapes, repair_variables, repair_words

    if not isinstance(given, dict):
        raise BadInput("a playbook is a JSON object or a mapping", where=name)
    work = Work(copy.deepcopy(given), now)
    repair_words.workflow(work, name)
    if not repair_shapes.can_be_read(work.data):
        return Repaired(given, ())  # the model names every place
    repair_words.head(work, title)
    repair_words.steps(work)
    repair_objects.shapes(work)
    repair_objects.identities(work)
    repair_objects.agents(work)
    repair_objects.secrets(work)
    repair_objects.commands(work)
    repair_variables.variables(work)
    repair_flow.flow(work)
    repair_words.tail(work)
    if work.repairs:
        _another(work, given, sha256)
    return Repaired(work.data, tuple(work.repairs))


def _another(work: Work, given: Mapping[str, Any], sha256: str) -> None:
    from incident.response.compile import derived_id
    from incident.response.extensions import OUR_IDENTITY
    from incident.response.findings import IDENTIFIER

    data = work.data
    old = str(given.get("id") or "")
    data["id"] = derived_id(sha256, "playbook", "imported", "playbook")
    reference = {
        "name": "imported from",
        "description": f"“{data.get('name')}”, repaired on import"
        + (f"; its author: {given['created_by']}" if isinstance(given.get("created_by"), str) else ""),
        "external_id": f"sha256:{sha256}",
    }
    if old and (not IDENTIFIER.fullmatch(old) or not old.startswith("playbook--")):
        reference["source"] = f"its id: {old}"
    elif old:
        derived = data.get("derived_from")
        data["derived_from"] = [*(derived if isinstance(derived, list) else []), old]
    references = data.get("external_references")
    data["external_references"] = [*(references if isinstance(references, list) else []), reference]
    data["created_by"] = OUR_IDENTITY
    work.note(
        "another-playbook",
        "id",
        old or None,
        data["id"],
        "only its author may make a new version; the repaired playbook is derived from it",
    )
    if data.pop("signatures", None):
        work.note(
            "signatures",
            "signatures",
            given.get("signatures"),
            None,
            "they sign the playbook as it came, not this",
        )


def digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
