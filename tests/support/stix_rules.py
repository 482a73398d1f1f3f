"""The rules of STIX 2.1 that a bundle of ours must keep, written down from the standard and not from our code.

Sections name the OASIS standard of 10 June 2021. Only the object types that an incident can become are known here; any
other one is an objection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import RFC_4122, UUID

Object = dict[str, Any]

_ID = re.compile(r"([a-z][a-z0-9-]+[a-z0-9])--([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_NAME = re.compile(r"[a-z0-9_]{3,250}")
_COMMON = {  # 3.2
    *(
        "type",
        "spec_version",
        "id",
        "created_by_ref",
        "created",
        "modified",
        "revoked",
        "labels",
        "confidence",
    ),
    *("lang", "external_references", "object_marking_refs", "granular_markings", "extensions"),
}
_TIMES = {
    "created",
    "modified",
    "published",
    "start_time",
    "stop_time",
    "occurred_at",
    "discovered_at",
    "ended_at",
}
# Per type: what it must have beside the common ones, and what it may have. 4.1, 4.3, 4.6, 4.7, 4.12, 4.16, 4.18, 5.1, 7.
_TYPES: dict[str, tuple[set[str], set[str]]] = {
    "attack-pattern": ({"name"}, {"description", "aliases", "kill_chain_phases"}),
    "course-of-action": ({"name"}, {"description"}),
    "identity": ({"name"}, {"description", "roles", "identity_class", "sectors", "contact_information"}),
    "incident": ({"name"}, {"description"}),
    "note": ({"content", "object_refs"}, {"abstract", "authors"}),
    "report": ({"name", "published", "object_refs"}, {"description", "report_types"}),
    "vulnerability": ({"name"}, {"description"}),
    "relationship": (
        {"relationship_type", "source_ref", "target_ref"},
        {"description", "start_time", "stop_time"},
    ),
    "extension-definition": (
        {"name", "schema", "version", "extension_types", "created_by_ref"},
        {"description", "extension_properties"},
    ),
    "marking-definition": ({"definition_type", "definition"}, {"name"}),
}
_IDENTITY_CLASSES = {"individual", "group", "system", "organization", "class", "unknown"}  # 10.7
# 7.2.1.4: the only four, each with its one id.
_TLP = {
    "white": "613f2e26-407d-48c7-9eca-b8e91df99dc9",
    "green": "34098fce-860f-48ae-8e50-ebd3cc5e41da",
    "amber": "f88d31f6-486f-44da-b317-01333bde0b82",
    "red": "5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
}


def objections_to_bundle(bundle: Any) -> list[str]:
    """What in this bundle breaks the standard, one line each."""
    return list(_bundle(bundle))


def _bundle(bundle: Any) -> Iterator[str]:
    if not isinstance(bundle, dict) or set(bundle) - {"type", "id", "objects"}:
        yield "a bundle has type, id and objects (8)"
        return
    if bundle.get("type") != "bundle" or not _is_id(bundle.get("id"), "bundle"):
        yield "the bundle's own type or id"
    objects = bundle.get("objects", [])
    ids = [each.get("id") for each in objects]
    if len(ids) != len(set(ids)):
        yield "two objects of one id"
    for each in objects:
        name = each.get("id", "an object without an id")
        yield from (f"{name}: {what}" for what in _object(each))
        yield from (
            f"{name}: refers to {ref}, which is not here" for ref in _references(each) if ref not in ids
        )
    for each in objects:
        for extension in each.get("extensions", {}):
            if extension not in ids:
                yield f"{each['id']}: extension {extension} has no definition here"


def _object(one: Object) -> Iterator[str]:
    kind = one.get("type", "")
    if kind not in _TYPES:
        yield f"{kind!r} is no type known here"
        return
    if one.get("spec_version") != "2.1":
        yield "spec_version"
    if not _is_id(one.get("id"), kind):
        yield "the id is not type--UUID"
    required, optional = _TYPES[kind]
    timed = {"created"} if kind == "marking-definition" else {"created", "modified"}
    yield from (f"{name} is missing" for name in sorted((required | timed) - set(one)))
    yield from (f"{name} is not known" for name in sorted(set(one) - required - optional - _COMMON))
    yield from _values(one, "")
    if "modified" in one and one["modified"] < one["created"]:
        yield "modified before created (3.2)"
    yield from _special(one)


def _special(one: Object) -> Iterator[str]:
    if not 0 <= one.get("confidence", 0) <= 100:
        yield "confidence is out of range (3.2)"
    if one["type"] == "identity" and one.get("identity_class", "unknown") not in _IDENTITY_CLASSES:
        yield "identity_class"
    if one["type"] == "marking-definition":
        level = one.get("definition", {}).get("tlp")
        if one.get("definition_type") != "tlp" or one.get("id") != f"marking-definition--{_TLP.get(level)}":
            yield "a marking that the standard does not define"
    if one["type"] == "extension-definition" and not re.fullmatch(r"\d+\.\d+\.\d+", one.get("version", "")):
        yield "version is no semantic version (7.3)"
    if one["type"] == "relationship":
        if one.get("relationship_type") != "related-to":
            yield "an incident has no relationship but the common one (4.7, 3.7)"
        if "stop_time" in one and one["stop_time"] <= one.get("start_time", ""):
            yield "stop_time is not later than start_time (5.1)"
    for reference in one.get("external_references", []):
        if "source_name" not in reference or not {"description", "url", "external_id"} & set(reference):
            yield "an external reference needs source_name and one thing more (2.5)"
    for extension in one.get("extensions", {}).values():
        if extension.get("extension_type") != "property-extension" or len(extension) < 2:
            yield "an extension of properties that holds none (7.3)"
        yield from (f"{name} is no name of a property" for name in extension if not _NAME.fullmatch(name))


def _values(value: Any, name: str) -> Iterator[str]:
    """No null, no empty list, and times to the millisecond in UTC (2.1, 2.13, 3.2)."""
    if value is None or value == []:
        yield f"{name} is null or empty"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _values(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _values(item, "")
    elif name in _TIMES and not _is_moment(value):
        yield f"{name} is no timestamp: {value}"


def _is_moment(value: Any) -> bool:
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        return False
    return datetime.fromisoformat(value) is not None


def _is_id(value: Any, kind: str) -> bool:
    found = _ID.fullmatch(value) if isinstance(value, str) else None
    return found is not None and found[1] == kind and UUID(found[2]).variant == RFC_4122


def _references(one: Object) -> Iterator[str]:
    for name, value in one.items():
        if name.endswith("_ref"):
            yield value
        elif name.endswith("_refs"):
            yield from value
