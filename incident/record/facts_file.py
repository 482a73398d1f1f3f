"""The facts file: YAML that says what is known, written by a person or handed over by another tool.

    said_by: night shift            # these four, at the top, hold for every fact below
    source: call at 02:10
    sure: likely
    discovered_at: 2026-11-21 23:40
    persons: {min: 800000, max: 1300000}
    cii_involved: unknown
    cause_kind: {value: misconfiguration, said_by: Li Wei, sure: confirmed}

Scalars are read as they are written, so that no date or number is changed on the way in.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Any

from incident.errors import BadInput
from incident.record.fields import field_catalogue, nearest_names
from incident.record.values import Certainty, Fact, parse_time, parse_value

_PROVENANCE = ("said_by", "source", "sure", "known_at")
_DEEPEST = 6


@dataclass(frozen=True)
class _Provenance:
    said_by: str
    source: str
    sure: Certainty
    known_at: datetime


@dataclass
class _Complaints:
    """Every wrong line is told at once, because each round costs time that a clock counts."""

    name: str
    lines: list[tuple[str, BadInput]] = field(default_factory=list)

    def add(self, line: int, error: BadInput, *, about: str | None = None) -> None:
        place = f"{self.name}, line {line}"
        subject = about or error.where
        self.lines.append((f"{place}, {subject}" if subject else place, error))

    def raise_if_any(self) -> None:
        if not self.lines:
            return
        if len(self.lines) == 1:
            [(place, error)] = self.lines
            raise BadInput(error.what, where=place, next_step=error.next_step)
        told = "\n".join(f"  {place}: {error.what}{_hint(error)}" for place, error in self.lines)
        raise BadInput(
            f"{len(self.lines)} entries cannot be taken:\n{told}",
            where=self.name,
            next_step="correct these lines; nothing was recorded",
        )


def read_facts_file(
    text: str | bytes,
    *,
    name: str,
    zone: tzinfo,
    known_at: datetime,
    said_by: str = "",
    categories: frozenset[str] | None = None,
    remedies: frozenset[str] | None = None,
) -> list[Fact]:
    """The facts of a file, in its order.

    `name` is how errors call the file; `zone` holds for times without an offset; `known_at` and `said_by`
    are the defaults where the file says nothing (source: the file's name; sure: claimed). `categories` and
    `remedies`, if given, are the closed lists for `data_categories`, `data_not_taken` and `remedies_chosen`. Raises
    `BadInput` naming line, field and what to write.
    """
    entries = list(_top_entries(_decoded(text, name), name))
    complaints = _Complaints(name)
    listed = {
        "data_categories": _ClosedList("kind of data", categories or frozenset()),
        "data_not_taken": _ClosedList("kind of data", categories or frozenset()),
        "remedies_chosen": _ClosedList("remedy", remedies or frozenset()),
    }
    defaults = _Provenance(said_by, name, Certainty.claimed, known_at)
    for key, line, raw in entries:
        if key in _PROVENANCE:
            defaults = _with_provenance(defaults, {key: raw}, line, zone, complaints)
    facts = [
        fact
        for key, line, raw in entries
        if key not in _PROVENANCE
        and (fact := _fact(key, line, raw, defaults, zone, listed.get(key), complaints)) is not None
    ]
    complaints.raise_if_any()
    if not facts:
        raise BadInput("the file holds no facts", where=name, next_step="write one a line: persons: 1200")
    return facts


def _fact(
    key: str,
    line: int,
    raw: Any,
    defaults: _Provenance,
    zone: tzinfo,
    listed: _ClosedList | None,
    complaints: _Complaints,
) -> Fact | None:
    known = field_catalogue().get(key)
    if known is None:
        complaints.add(line, BadInput(f"there is no fact called “{key}”", next_step=nearest_names(key)))
        return None
    provenance = defaults
    if isinstance(raw, Mapping) and ("value" in raw or raw.keys() & set(_PROVENANCE)):
        if strange := [word for word in raw if word not in ("value", *_PROVENANCE)]:
            error = BadInput(
                f"{', '.join(strange)} does not belong here",
                next_step="a fact has value, said_by, source, sure and known_at",
            )
            complaints.add(line, error, about=key)
            return None
        if "value" not in raw:
            complaints.add(line, BadInput("the value is missing", next_step="add value: ..."), about=key)
            return None
        provenance = _with_provenance(defaults, raw, line, zone, complaints, about=key)
        raw = raw["value"]
    try:
        value = parse_value(known, raw, zone=zone)
    except BadInput as error:
        complaints.add(line, error)
        return None
    if listed is not None and listed.keys and isinstance(value, tuple):
        for word in value:
            if word not in listed.keys:
                complaints.add(line, listed.refusal(word), about=key)
    return Fact(key, value, provenance.said_by, provenance.source, provenance.sure, provenance.known_at)


def _with_provenance(
    base: _Provenance,
    raw: Mapping[str, Any],
    line: int,
    zone: tzinfo,
    complaints: _Complaints,
    *,
    about: str | None = None,
) -> _Provenance:
    for key in _PROVENANCE:
        if key not in raw or raw[key] is None:
            continue
        word = raw[key]
        place = f"{about}, {key}" if about else key
        if not isinstance(word, str):
            error = BadInput("one short text belongs here", next_step=f"write {key}: ...")
            complaints.add(line, error, about=place)
        elif key == "sure":
            if word in Certainty.__members__:
                base = replace(base, sure=Certainty(word))
            else:
                error = BadInput(
                    f"“{word}” is none of: {', '.join(Certainty)}", next_step="write sure: likely"
                )
                complaints.add(line, error, about=place)
        elif key == "known_at":
            try:
                base = replace(base, known_at=parse_time(word, zone=zone))
            except ValueError as error:
                complaints.add(line, BadInput(str(error)), about=place)
        elif key == "said_by":
            base = replace(base, said_by=word)
        else:
            base = replace(base, source=word)
    return base


@dataclass(frozen=True)
class _ClosedList:
    """The keys that a list of words may hold, and what each is called. Without keys, any word will do."""

    kind: str
    keys: frozenset[str]

    def refusal(self, word: str) -> BadInput:
        import difflib

        near = difflib.get_close_matches(word, self.keys, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"use one of: {', '.join(sorted(self.keys))}"
        return BadInput(f"there is no {self.kind} called “{word}”", next_step=hint)


def _decoded(text: str | bytes, name: str) -> str:
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"the file is not UTF-8 (first at line {line})",
            where=name,
            next_step="save it as UTF-8 and try again",
        ) from None


def _top_entries(text: str, name: str) -> Iterator[tuple[str, int, Any]]:
    """The entries of the top mapping: name, line, and the value as plain strings, lists and mappings."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.nodes import MappingNode

    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{name}, line {mark.line + 1}" if mark else name
        problem = error.problem or error.context or "this line cannot be read"
        raise BadInput(
            f"this is not valid YAML: {problem}",
            where=where,
            next_step="write one fact a line: persons: 1200",
        ) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise BadInput(
            f"this is not valid YAML: {str(error).splitlines()[0]}",
            where=name,
            next_step="write one fact a line: persons: 1200",
        ) from None
    if root is None or (root.value == "" and root.style is None):
        raise BadInput("the file is empty", where=name, next_step="write one fact a line: persons: 1200")
    if not isinstance(root, MappingNode):
        raise BadInput(
            "the file must be a list of field: value lines",
            where=f"{name}, line {root.start_mark.line + 1}",
            next_step="write one fact a line: persons: 1200",
        )
    seen: set[int] = set()
    first_lines: dict[str, int] = {}
    for key_node, value_node in root.value:
        line = key_node.start_mark.line + 1
        key = _plain(key_node, name, seen, 0)
        if not isinstance(key, str):
            raise BadInput("a field's name must be a word", where=f"{name}, line {line}")
        if key in first_lines:
            raise BadInput(
                f"“{key}” stands here a second time; the first is in line {first_lines[key]}",
                where=f"{name}, line {line}",
                next_step="keep one of the two",
            )
        first_lines[key] = line
        yield key, line, _plain(value_node, name, seen, 1)


def _plain(node: Any, name: str, seen: set[int], depth: int) -> Any:
    from ruamel.yaml.nodes import MappingNode, ScalarNode

    where = f"{name}, line {node.start_mark.line + 1}"
    if id(node) in seen:
        raise BadInput(
            "anchors and aliases (& and *) are not used here", where=where, next_step="write it out"
        )
    seen.add(id(node))
    if depth > _DEEPEST:
        raise BadInput("this is nested too deep to be a fact", where=where)
    if isinstance(node, ScalarNode):
        is_null = node.style is None and str(node.tag).endswith(":null")
        return None if is_null else str(node.value)
    if not isinstance(node, MappingNode):
        return [_plain(item, name, seen, depth + 1) for item in node.value]
    plain: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _plain(key_node, name, seen, depth + 1)
        if not isinstance(key, str) or key in plain:
            raise BadInput(f"“{key}” stands here a second time or is no word", where=where)
        plain[key] = _plain(value_node, name, seen, depth + 1)
    return plain


def _hint(error: BadInput) -> str:
    return f" ({error.next_step})" if error.next_step else ""
