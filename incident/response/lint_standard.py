"""What CACAO 2.0 asks of a playbook beyond its graph: identifiers, times, lists, vocabularies, markings, extensions.

The official schemas leave most of it out (they never look into steps and commands by type). A playbook without a
finding here fits them too; that is tested.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from incident.response.compile import processing_summary
from incident.response.extensions import EXTENSION_IDS, EXTENSION_NAMES
from incident.response.findings import IDENTIFIER
from incident.response.lint_graph import Complaint
from incident.response.model import (
    SPEC_VERSION,
    ActionStep,
    AgentTarget,
    Authentication,
    Command,
    IfStep,
    ParallelStep,
    Playbook,
    PlaybookActionStep,
    SwitchStep,
    dump,
)
from incident.response.vocabularies import (
    ACTIVITIES,
    ACTIVITIES_OF_TYPES,
    AGENTS,
    AUTHENTICATIONS,
    COMMANDS,
    IEP_WORDS,
    MARKINGS,
    PLAYBOOK_TYPES,
    TLP,
    VARIABLES,
)

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_VERSION = re.compile(r"\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?")
_PROPERTY = re.compile(r"[a-z0-9_]{3,250}")
_TIMES = ("created", "modified", "valid_from", "valid_until")
_DEFINITIONS = (
    *("agent_definitions", "target_definitions", "authentication_info_definitions"),
    *("extension_definitions", "data_marking_definitions"),
)
NEVER_EMPTY = frozenset(
    [
        "playbook_activities",
        "derived_from",
        "related_to",
        "industry_sectors",
        "labels",
        "external_references",
        "markings",
        "playbook_extensions",
        "agent_definitions",
        "target_definitions",
        "signatures",
        "targets",
        "authentication_info_definitions",
        "in_args",
        "out_args",
        "step_extensions",
        "category",
        "logical",
        "agent_target_extensions",
        "authentication_info_extensions",
        "marking_extensions",
    ]
)
KNOWN_WORDS = frozenset(
    word
    for kind in (
        Playbook,
        ActionStep,
        PlaybookActionStep,
        IfStep,
        SwitchStep,
        ParallelStep,
        AgentTarget,
        Authentication,
        Command,
    )
    for word in kind.model_fields
) - {"value"}  # a variable's value may be null


def metadata(playbook: Playbook) -> Iterator[Complaint]:
    if playbook.spec_version != SPEC_VERSION:
        yield (
            "spec-version",
            "spec_version",
            f"spec_version is “{playbook.spec_version}”; this is an engine for {SPEC_VERSION}",
        )
    data = dump(playbook)
    yield from identifiers(playbook)
    yield from times(playbook)
    for name in ("priority", "severity", "impact"):
        value = getattr(playbook, name)
        if value is not None and not 0 <= value <= 100:
            yield "number-range", name, f"{name} is {value}; it goes from 0 to 100"
    yield from _emptiness(data)
    yield from _activities(playbook)
    yield from _summary(data)
    yield from _references(data)
    yield from _markings(playbook)
    yield from _extensions(playbook, data)
    yield from _words(playbook)
    for number, _ in enumerate(playbook.signatures):
        yield "signature", f"signatures/{number}", "it is signed; the signature is kept and not checked here"


def identifiers(playbook: Playbook) -> Iterator[Complaint]:
    """Section 10.10: type--UUID, a UUIDv4 for steps, and no UUID twice across types."""
    wanted = [("id", playbook.id, "playbook"), ("created_by", playbook.created_by, "identity")]
    wanted += [(f"derived_from/{n}", each, "playbook") for n, each in enumerate(playbook.derived_from)]
    wanted += [(f"related_to/{n}", each, "") for n, each in enumerate(playbook.related_to)]
    own = [(f"workflow/{key}", key, str(step.type)) for key, step in playbook.workflow.items()]
    own += [(f"{each}/{key}", key, _kind(each, found)) for each in _DEFINITIONS for key, found in getattr(playbook, each).items()]  # fmt: skip
    for path, found, kind in wanted + own:
        if not IDENTIFIER.fullmatch(found) or not found.startswith(f"{kind}--" if kind else ""):
            yield "identifier", path, f"“{found}” is not an identifier ({kind or 'type'}--UUID)"
        elif path.startswith("workflow/") and found[-22] != "4":
            yield "uuid-version", path, f"“{found}” holds no UUID of version 4"
    for step_id, step in playbook.workflow.items():
        references = [step.owner] if step.owner is not None else []
        references += [step.playbook_id] if isinstance(step, PlaybookActionStep) else []
        for found in references:
            if not IDENTIFIER.fullmatch(found):
                yield "identifier", step_id, f"“{found}” is not an identifier (type--UUID)"
    seen: dict[str, str] = {}
    for path, found, _ in [("id", playbook.id, ""), *own]:
        uuid = found.partition("--")[2].lower()
        if uuid and seen.setdefault(uuid, found) != found:
            yield "uuid-reused", path, f"“{found}” has the UUID of “{seen[uuid]}”"


def _kind(section: str, found: Any) -> str:
    return str(found.get("type") if isinstance(found, Mapping) else found.type)


def times(playbook: Playbook) -> Iterator[Complaint]:
    """Three decimals and Z; and in order where both can be read."""
    read: dict[str, datetime] = {}
    named = [(name, getattr(playbook, name)) for name in _TIMES]
    for key, marking in playbook.data_marking_definitions.items():
        named += [
            (f"data_marking_definitions/{key}/{name}", marking[name]) for name in _TIMES if name in marking
        ]
    for path, text in named:
        if text is None:
            continue
        try:
            if not isinstance(text, str) or not _TIMESTAMP.fullmatch(text):
                raise ValueError
            read[path] = datetime.fromisoformat(text)
        except ValueError:
            yield "timestamp", path, f"{path.rpartition('/')[2]} has exactly three decimals and ends in Z"
    for earlier, later in (("created", "modified"), ("valid_from", "valid_until")):
        if earlier not in read or later not in read:
            continue
        if later == "modified" and read[later] < read[earlier]:
            yield "timestamp", later, "modified lies before created"
        if later == "valid_until" and read[later] <= read[earlier]:
            yield "validity-order", later, "valid_until does not lie after valid_from"
    for step_id, step in playbook.workflow.items():
        version = step.playbook_version if isinstance(step, PlaybookActionStep) else None
        if version is not None and not _TIMESTAMP.fullmatch(version):
            yield "timestamp", step_id, "playbook_version is the other's modified: three decimals and Z"


def _emptiness(data: Mapping[str, Any]) -> Iterator[Complaint]:
    """Lists and mappings that the standard has with one entry or more, and null where no value can be."""
    holders = [("", data)]
    for section in ("workflow", *_DEFINITIONS):
        holders += [(f"{section}/{key}/", each) for key, each in (data.get(section) or {}).items()]
    for path, holder in holders:
        for name, value in holder.items():
            if name in NEVER_EMPTY and value in ([], {}):
                yield "empty", f"{path}{name}", f"{name} is there and empty"
            elif value is None and name in KNOWN_WORDS:
                yield "empty", f"{path}{name}", f"{name} is null"
    for key, step in (data.get("workflow") or {}).items():
        for number, command in enumerate(step.get("commands") or []):
            for name, value in command.items():
                if value is None and name in KNOWN_WORDS:
                    yield "empty", f"workflow/{key}/commands/{number}/{name}", f"{name} is null"


def _activities(playbook: Playbook) -> Iterator[Complaint]:
    present = {
        command.playbook_activity
        for step in playbook.workflow.values()
        if isinstance(step, ActionStep)
        for command in step.commands
    }
    needed = [each for kind in playbook.playbook_types for each in ACTIVITIES_OF_TYPES.get(kind, ())]
    for activity in dict.fromkeys([*playbook.playbook_activities, *needed]):
        if activity not in present:
            yield "activity", "playbook_activities", f"the activity “{activity}” is on no command"
    if PLAYBOOK_TYPES & set(playbook.playbook_types) and not playbook.playbook_activities:
        yield "no-activities", "playbook_types", "playbook_types asks for playbook_activities"


def _summary(data: Mapping[str, Any]) -> Iterator[Complaint]:
    given = data.get("playbook_processing_summary")
    if given is None:
        return
    worked_out = processing_summary(data)
    for name in sorted(set(given) | set(worked_out)):
        said, found = given.get(name, False), worked_out.get(name, False)
        if said != found:
            message = (
                f"playbook_processing_summary says {name}: {str(said).lower()}; it is {str(found).lower()}"
            )
            yield "summary", f"playbook_processing_summary/{name}", message


def _references(data: Mapping[str, Any]) -> Iterator[Complaint]:
    holders = [("", data)]
    for section in ("workflow", "extension_definitions"):
        holders += [(f"{section}/{key}/", each) for key, each in (data.get(section) or {}).items()]
    for key, step in (data.get("workflow") or {}).items():
        holders += [
            (f"workflow/{key}/commands/{number}/", each)
            for number, each in enumerate(step.get("commands") or [])
        ]
    for path, holder in holders:
        for number, each in enumerate(holder.get("external_references") or []):
            if not isinstance(each, Mapping) or not isinstance(each.get("name"), str):
                yield (
                    "reference-name",
                    f"{path}external_references/{number}",
                    "an external reference has a name",
                )


def _markings(playbook: Playbook) -> Iterator[Complaint]:
    for number, reference in enumerate(playbook.markings):
        if reference not in playbook.data_marking_definitions:
            yield (
                "unresolved-marking",
                f"markings/{number}",
                f"“{reference}” is not in data_marking_definitions",
            )
    for key, marking in playbook.data_marking_definitions.items():
        path = f"data_marking_definitions/{key}"
        kind = marking.get("type")
        if kind not in MARKINGS:
            yield "marking", path, f"“{kind}” is no type of marking"
            continue
        needed = ["id", "created_by", "created"]
        needed += {"marking-tlp": ["tlpv2_level"], "marking-statement": ["statement"]}.get(
            str(kind), list(IEP_WORDS)
        )
        missing = [word for word in needed if word not in marking]
        if missing:
            yield "marking", path, f"a {kind} has {', '.join(missing)}"
        if marking.get("id", key) != key:
            yield "marking", path, f"its id is “{marking['id']}”"
        level = marking.get("tlpv2_level")
        if kind == "marking-tlp" and level is not None and level not in TLP.values():
            yield "marking", path, f"“{level}” is no level of TLP 2.0"
        elif key in TLP and level is not None and level != TLP[key]:
            yield "marking", path, f"this is the id of {TLP[key]}, not of {level}"


def _extensions(playbook: Playbook, data: Mapping[str, Any]) -> Iterator[Complaint]:
    for key, each in playbook.extension_definitions.items():
        path = f"extension_definitions/{key}"
        if not IDENTIFIER.fullmatch(each.created_by):
            yield "extension-definition", path, "created_by names an identity"
        if not _VERSION.fullmatch(each.version):
            yield "extension-definition", path, f"“{each.version}” is no version as 1.0.0"
        if not each.schema_.strip():
            yield "extension-definition", path, "it has no schema"
    for path, used in _uses(data):
        for key, properties in used.items():
            label = EXTENSION_NAMES.get(key, key)
            if key not in playbook.extension_definitions:
                yield "undeclared-extension", path, f"the extension “{label}” is not in extension_definitions"
            for name in properties if key not in EXTENSION_IDS.values() else ():
                if not _PROPERTY.fullmatch(name):
                    yield "extension-property", path, f"“{name}” is no name of a property of an extension"


def _uses(data: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "playbook_extensions", data.get("playbook_extensions") or {}
    for section, holder in (
        ("workflow", "step_extensions"),
        ("agent_definitions", "agent_target_extensions"),
        ("target_definitions", "agent_target_extensions"),
        ("authentication_info_definitions", "authentication_info_extensions"),
        ("data_marking_definitions", "marking_extensions"),
    ):
        for key, each in (data.get(section) or {}).items():
            found = each.get(holder)
            yield f"{section}/{key}", found if isinstance(found, Mapping) else {}


def _words(playbook: Playbook) -> Iterator[Complaint]:
    """Words outside the open vocabularies."""
    words = [(f"playbook_types/{n}", each, PLAYBOOK_TYPES) for n, each in enumerate(playbook.playbook_types)]
    words += [
        (f"playbook_activities/{n}", each, ACTIVITIES) for n, each in enumerate(playbook.playbook_activities)
    ]
    for section in ("agent_definitions", "target_definitions"):
        words += [(f"{section}/{key}", each.type, AGENTS) for key, each in getattr(playbook, section).items()]
    words += [
        (f"authentication_info_definitions/{key}", each.type, AUTHENTICATIONS)
        for key, each in playbook.authentication_info_definitions.items()
    ]
    words += [
        (f"playbook_variables/{key}", v.type, VARIABLES) for key, v in playbook.playbook_variables.items()
    ]
    listed = set(playbook.playbook_activities)
    for step_id, step in playbook.workflow.items():
        path = f"workflow/{step_id}"
        words += [(f"{path}/step_variables/{k}", v.type, VARIABLES) for k, v in step.step_variables.items()]
        for number, command in enumerate(step.commands if isinstance(step, ActionStep) else ()):
            words.append((f"{path}/commands/{number}", command.type, COMMANDS))
            activity = command.playbook_activity
            if activity is not None and activity not in listed:
                words.append((f"{path}/commands/{number}", activity, ACTIVITIES))
    for place, word, vocabulary in words:
        if word not in vocabulary:
            yield "vocabulary", place, f"“{word}” is not in the standard's vocabulary"
