"""Checking a source: what is wrong, what is weak, and what its samples become."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from incident.errors import BadInput, NotFound
from incident.hooks.definition import LISTED_FIELDS, Source
from incident.hooks.jsonbody import read_json
from incident.hooks.library import BadSource, read_source
from incident.hooks.mapping import CompiledSource, map_body
from incident.hooks.values import Alert, Json, MappedBody, Trouble


class Level(StrEnum):
    error = "error"
    warning = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    line: int
    path: str
    why: str


@dataclass(frozen=True, slots=True)
class SampleResult:
    """What a sample became. `empty` names the fields with rules that no alert of the sample filled."""

    sample: str
    mapped: MappedBody
    empty: tuple[str, ...]
    differences: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.differences and not self.mapped.unmapped


def lint_source(text: str, *, name: str) -> tuple[Finding, ...]:
    """Errors (the source cannot be used) or, where there are none, warnings about what is weak in it."""
    try:
        compiled = read_source(text, name=name)
    except BadSource as error:
        return tuple(Finding(Level.error, one.line, one.path, one.why) for one in error.problems)
    return tuple(
        Finding(Level.warning, _line_of(text, path), path, why) for path, why in _weak_points(compiled.source)
    )


def _weak_points(source: Source) -> Iterable[tuple[str, str]]:
    if source.weak_auth:
        yield "auth", "the sender cannot prove itself: a person must confirm before anything goes out"
    if not source.fields.occurred_at.pick:
        yield "fields", "no occurred_at: the time of receipt will stand for the time of the event"
    if not source.samples:
        yield "samples", "no sample: nobody can see what this source makes of an alert"


def _line_of(text: str, key: str) -> int:
    lines = text.splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.startswith(f"{key}:")), 1)


def try_samples(compiled: CompiledSource, folder: Path) -> tuple[SampleResult, ...]:
    """Run every sample of the source; `folder` is where its file lies.

    `samples/x.json` may have `samples/x.expected.json` beside it: a list with one object an alert, holding
    those fields that matter. Raises NotFound for a sample that is missing, BadInput for expectations that
    cannot be read.
    """
    return tuple(_try_sample(compiled, folder, sample) for sample in compiled.source.samples)


def _try_sample(compiled: CompiledSource, folder: Path, sample: str) -> SampleResult:
    file = folder / sample
    try:
        body = file.read_bytes()
    except OSError:
        raise NotFound(
            "The sample cannot be read.", where=str(file), next_step="Add it, or take it out of `samples`."
        ) from None
    mapped = map_body(compiled, body)
    expected_file = file.with_suffix(".expected.json")
    differences = _differences(mapped, expected_file) if expected_file.exists() else ()
    return SampleResult(sample, mapped, _empty_fields(mapped.alerts), differences)


def _empty_fields(alerts: tuple[Alert, ...]) -> tuple[str, ...]:
    empty = [{one.field for one in alert.warnings if one.trouble is Trouble.empty} for alert in alerts]
    return tuple(sorted(set.intersection(*empty))) if empty else ()


def _differences(mapped: MappedBody, expected_file: Path) -> tuple[str, ...]:
    expected = read_json(expected_file.read_bytes())
    if not isinstance(expected, list) or not all(isinstance(one, dict) for one in expected):
        raise BadInput(
            "Expectations are a JSON list with one object an alert.",
            where=str(expected_file),
            next_step="Write them as [{...}].",
        )
    if len(expected) != len(mapped.alerts):
        return (f"{len(expected)} alerts expected, {len(mapped.alerts)} found",)
    found: list[str] = []
    for alert, wanted in zip(mapped.alerts, expected, strict=True):
        actual = alert_to_json(alert)
        for field, value in wanted.items() if isinstance(wanted, Mapping) else ():
            if actual.get(field) != value:
                shown = json.dumps(actual.get(field), ensure_ascii=False)
                found.append(f"{field}: {json.dumps(value, ensure_ascii=False)} expected, {shown} found")
    return tuple(found)


def alert_to_json(alert: Alert) -> dict[str, Json]:
    """The alert as JSON, all but `raw`: for `--json`, and for comparing with expectations. Times end in Z."""
    people = alert.people_estimate
    return {
        "source": alert.source,
        "external_id": alert.external_id,
        "dedupe_key": alert.dedupe_key,
        "dedupe": [value for _, value in alert.dedupe_values],
        "content_hash": alert.content_hash,
        "status": alert.status.value,
        "title": alert.title,
        "severity": alert.severity.value,
        "occurred_at": _iso(alert.occurred_at) if alert.occurred_at else None,
        **{field: list(getattr(alert, field)) for field in LISTED_FIELDS},
        "people_estimate": {"count": people.count, "path": people.path} if people else None,
        "link": alert.link,
        "warnings": [str(one) for one in alert.warnings],
    }


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
