"""A VERIS record as it lies in its file: recognised, and its shape checked; what it means is told elsewhere.

The shape is that of schema 1.4.1 as far as we read it. Whatever else a record holds is left as it is.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from incident.errors import BadInput
from incident.record.quantities import LARGEST
from incident.record.veris_words import UNKNOWN, veris_words

_FOUR = ("action", "actor", "asset")
_MARK = b'"schema_version"'
_VERSION = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})(?:\.[0-9]{1,3})?")
# Ours goes to six; what is much deeper was not written to be read.
_DEEPEST = 20
_NEXT = "correct the record, or write the facts as YAML (`incident open --facts`)"

Count = Annotated[int, Field(ge=0, le=LARGEST)]
Amount = Annotated[float, Field(ge=0, le=LARGEST)]


def _unknown_section(raw: Any) -> Any:
    """Older records write one word where newer ones have an object."""
    return {"unknown": {}} if raw == UNKNOWN else raw


class _Shape(BaseModel):
    """Unknown keys stay; types are taken as they stand and never converted."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


class Section(_Shape):
    variety: list[str] = []
    cve: str | None = None


class DataEntry(_Shape):
    variety: str
    amount: Count | None = None


class Confidentiality(_Shape):
    data_disclosure: str
    data_total: Count | None = None
    data: list[DataEntry] = []
    data_victim: list[str] = []


class Attribute(_Shape):
    confidentiality: Confidentiality | None = None
    integrity: Section | None = None
    availability: Section | None = None


class Began(_Shape):
    year: Annotated[int, Field(ge=1950, le=2050)]
    month: Annotated[int, Field(ge=1, le=12)] | None = None
    day: Annotated[int, Field(ge=1, le=31)] | None = None
    time: str | None = None


class Timeline(_Shape):
    incident: Began


class AssetEntry(_Shape):
    variety: str
    amount: Count | None = None


class Asset(_Shape):
    assets: list[AssetEntry] = []


class Impact(_Shape):
    iso_currency_code: str | None = None
    overall_amount: Amount | None = None
    overall_min_amount: Amount | None = None
    overall_max_amount: Amount | None = None


class VerisDocument(_Shape):
    """The parts that are read. `raw` keeps all of it."""

    schema_version: str
    incident_id: str
    security_incident: str
    action: Annotated[dict[str, Section], BeforeValidator(_unknown_section)]
    actor: Annotated[dict[str, dict[str, Any]], BeforeValidator(_unknown_section)]
    asset: Annotated[Asset, BeforeValidator(lambda raw: {} if raw == UNKNOWN else raw)]
    timeline: Timeline
    summary: str | None = None
    source_id: str | None = None
    confidence: str | None = None
    attribute: Attribute = Attribute()
    discovery_method: str | dict[str, Any] = UNKNOWN
    impact: Impact = Impact()
    plus: dict[str, Any] = {}


def find_veris(content: bytes, *, name: str) -> dict[str, Any] | None:
    """The record in a file; None where the file is something else, which others may read.

    `name` is how errors call the file. Raises `BadInput` where it must be VERIS but is no record, or several.
    """
    if not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return None
    try:
        found = json.loads(
            content.decode("utf-8-sig"), object_pairs_hook=_each_once, parse_constant=_no_number
        )
    except (ValueError, RecursionError) as error:
        if _MARK not in content:
            return None
        raise BadInput(f"this is not valid JSON: {error}", where=name, next_step=_NEXT) from None
    if isinstance(found, list) and any(map(_looks_like_veris, found)):
        raise BadInput(
            f"the file holds a list of {len(found)} records; an incident is opened with one",
            where=name,
            next_step="take the record out of the list and give it alone",
        )
    return found if _looks_like_veris(found) else None


def check_veris(raw: dict[str, Any], *, name: str) -> VerisDocument:
    """The record, checked. Raises `BadInput` naming every place that is wrong, by its path in the record."""
    _must_be_readable_version(raw, name)
    for path, text in _texts(raw, "", 0, name):
        if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\r\t" for sign in text):
            raise BadInput(
                "the text holds control characters", where=f"{name}, {path or 'a key'}", next_step=_NEXT
            )
    try:
        return VerisDocument.model_validate(raw)
    except ValidationError as error:
        faults = [(_path(fault["loc"]), _fault(fault["type"], fault["msg"])) for fault in error.errors()]
    if len(faults) == 1:
        [(path, what)] = faults
        raise BadInput(what, where=f"{name}, {path}", next_step=_NEXT)
    told = "\n".join(f"  {path}: {what}" for path, what in faults)
    raise BadInput(
        f"this is no VERIS record as it stands; {len(faults)} places:\n{told}", where=name, next_step=_NEXT
    )


def _looks_like_veris(found: Any) -> bool:
    return isinstance(found, dict) and ("schema_version" in found or all(part in found for part in _FOUR))


def _must_be_readable_version(raw: dict[str, Any], name: str) -> None:
    words = veris_words()
    where, version = f"{name}, schema_version", raw.get("schema_version")
    if version is None:
        raise BadInput(
            "the version of VERIS is missing", where=where, next_step=f'add it, for example "{words.written}"'
        )
    numbers = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if numbers is None:
        raise BadInput(
            f"{version!r} is no version of VERIS",
            where=where,
            next_step=f'write for example "{words.written}"',
        )
    major, minor = int(numbers[1]), int(numbers[2])
    oldest = tuple(int(part) for part in words.oldest.split("."))
    if (major, minor) < oldest:
        raise BadInput(
            f"VERIS {version} is too old; records from {words.oldest} on are read",
            where=where,
            next_step="convert the record with the scripts of the VERIS project, or write the facts as YAML",
        )
    if major > oldest[0]:
        raise BadInput(
            f"VERIS {version} is newer than what is known here ({words.newest})",
            where=where,
            next_step="update this tool, or write the facts as YAML",
        )


def _texts(value: Any, path: str, depth: int, name: str) -> Iterator[tuple[str, str]]:
    """Every text with its path, keys included."""
    if depth > _DEEPEST:
        raise BadInput(
            "this is nested too deep to be a VERIS record", where=f"{name}, {path}", next_step=_NEXT
        )
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield path, key
            yield from _texts(item, f"{path}.{key}" if path else key, depth + 1, name)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, f"{path}[{number}]", depth + 1, name)


def _path(places: tuple[int | str, ...]) -> str:
    path = ""
    for place in places:
        if isinstance(place, int):
            path += f"[{place}]"
        elif place not in ("str", "dict[str,any]"):  # the two shapes of discovery_method are no place
            path += f".{place}" if path else place
    return path


_FAULTS = {
    "missing": "is missing",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be a text",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}


def _fault(kind: str, message: str) -> str:
    return _FAULTS.get(kind, message[:1].lower() + message[1:])


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"“{twice}” stands twice in one object")
    return found


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number")
