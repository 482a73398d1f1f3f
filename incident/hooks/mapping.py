"""From a raw body to alerts, by a source's definition. Pure, and total: no body is ever lost here.

What cannot be read becomes `Unmapped` with its reason; what can be read but lacks a field becomes an alert
with a warning. Mapping happens after the sender has its answer.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import jmespath
from jmespath.exceptions import JMESPathError

from incident.hooks import convert
from incident.hooks.dedupe import body_key, content_hash, dedupe_key
from incident.hooks.definition import KeepRaw, ListRule, Source, TextRule
from incident.hooks.jsonbody import BadJson, read_json
from incident.hooks.show import plain_text
from incident.hooks.values import (
    Alert,
    FieldWarning,
    Json,
    MappedBody,
    PeopleEstimate,
    Severity,
    Status,
    Trouble,
    Unmapped,
    WhyUnmapped,
)

MAX_ITEMS = 500
MAX_VALUES = 200
MAX_TITLE = 500
MAX_VALUE = 500
MAX_LINK = 2000
REDACTED = "[redacted]"

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True)
class CompiledSource:
    """A source whose JMESPath expressions are compiled, once."""

    source: Source
    _compiled: dict[str, Callable[[Json], Json]]

    def find(self, path: str, item: Json) -> Json:
        """What `path` finds; null too where a JMESPath function refuses the type it is given."""
        try:
            return self._compiled[path](item)
        except JMESPathError:
            return None

    def with_settings(
        self, *, secrets: Sequence[str] = (), allow_cidrs: Sequence[str] = ()
    ) -> CompiledSource:
        """The same source with a workspace's own secret references and addresses, where it names any.

        Raises ValueError (pydantic) for a reference or an address that is none.
        """
        auth = self.source.auth.model_dump()
        if secrets and "secret" in auth:
            auth["secret"] = tuple(secrets)
        if allow_cidrs:
            auth["allow_cidrs"] = tuple(allow_cidrs)
        checked = type(self.source.auth).model_validate(auth)
        return CompiledSource(self.source.model_copy(update={"auth": checked}), self._compiled)


def compile_source(source: Source) -> CompiledSource:
    return CompiledSource(source, {path: jmespath.compile(path).search for path in set(_paths(source))})


def _paths(source: Source) -> Iterator[str]:
    yield source.items
    yield from source.ignore_if
    yield from source.dedupe
    for name in type(source.fields).model_fields:
        yield from getattr(source.fields, name).pick


def map_body(compiled: CompiledSource, body: bytes) -> MappedBody:
    """Everything in `body`. Never raises: an error of ours becomes `Unmapped` and is logged."""
    source_id = compiled.source.id
    try:
        found = compiled.find(compiled.source.items, read_json(body))
    except BadJson as error:
        return MappedBody(
            unmapped=(
                Unmapped(source_id, WhyUnmapped.not_json, body_key(source_id, body), detail=error.trap),
            )
        )
    except Exception as error:
        return MappedBody(unmapped=(_failed(source_id, body, None, error),))
    items = [one for one in found if one is not None] if isinstance(found, list) else [found]
    if not items or items == [None]:
        return MappedBody(unmapped=(Unmapped(source_id, WhyUnmapped.no_items, body_key(source_id, body)),))
    return _map_items(compiled, body, items)


def _map_items(compiled: CompiledSource, body: bytes, items: Sequence[Json]) -> MappedBody:
    source_id = compiled.source.id
    alerts: list[Alert] = []
    unmapped: list[Unmapped] = []
    ignored = 0
    for position, item in enumerate(items[:MAX_ITEMS]):
        if not isinstance(item, dict):
            key = body_key(source_id, body, position)
            unmapped.append(Unmapped(source_id, WhyUnmapped.not_an_object, key, position))
            continue
        try:
            if any(_truthy(compiled.find(path, item)) for path in compiled.source.ignore_if):
                ignored += 1
            else:
                alerts.append(_ItemReader(compiled, item).alert())
        except Exception as error:
            unmapped.append(_failed(source_id, body, position, error))
    return MappedBody(tuple(alerts), tuple(unmapped), ignored, max(0, len(items) - MAX_ITEMS))


def _failed(source_id: str, body: bytes, position: int | None, error: Exception) -> Unmapped:
    # Only the class: the error's text may repeat what the sender wrote.
    _log.error("mapping of an alert from %s failed: %s", source_id, type(error).__name__)
    key = body_key(source_id, body, position)
    return Unmapped(source_id, WhyUnmapped.mapping_failed, key, position, type(error).__name__)


def _truthy(value: Json) -> bool:
    """JMESPath's own idea: 0 is true; null, false and everything empty is not."""
    return value is not None and value is not False and value not in ("", [], {})


class _ItemReader:
    """Reads one item field by field and collects the warnings on the way."""

    def __init__(self, compiled: CompiledSource, item: dict[str, Json]) -> None:
        self._find = compiled.find
        self._source = compiled.source
        self._item = item
        self._warnings: list[FieldWarning] = []

    def alert(self) -> Alert:
        fields = self._source.fields
        key, values = self._dedupe()
        # Warnings are read last: every other field adds to them.
        return Alert(
            source=self._source.id,
            external_id=self._text("external_id", fields.external_id, MAX_VALUE),
            dedupe_key=key,
            dedupe_values=values,
            content_hash=content_hash(self._item),
            status=self._status(),
            title=self._text("title", fields.title, MAX_TITLE) or "",
            severity=self._severity(),
            occurred_at=self._time(),
            hosts=self._list("hosts", fields.hosts),
            users=self._list("users", fields.users),
            ips=self._list("ips", fields.ips, convert.as_ip),
            data=self._list("data", fields.data),
            data_types=self._list("data_types", fields.data_types),
            people_estimate=self._people(),
            link=self._link(),
            raw=self._raw(self._source.keep_raw),
            warnings=tuple(self._warnings),
        )

    def _warn(self, field: str, trouble: Trouble, path: str | None = None) -> None:
        self._warnings.append(FieldWarning(field, trouble, path))

    def _first(
        self, field: str, picks: Sequence[str], read: Callable[[Json], _T | None]
    ) -> tuple[_T, str] | None:
        """The first pick whose value can be read, with its path; warns about all that was not to be had."""
        for path in picks:
            value = self._find(path, self._item)
            if isinstance(value, list) and len(value) == 1:
                value = value[0]
            if value is None or value == "" or value == []:
                continue
            if (result := read(value)) is not None:
                return result, path
            self._warn(field, Trouble.unconvertible, path)
        if picks:
            self._warn(field, Trouble.empty)
        return None

    def _text(self, field: str, rule: TextRule, limit: int) -> str | None:
        if rule.const is not None:
            return rule.const
        found = self._first(field, rule.pick, convert.as_text)
        if found is None:
            return rule.default
        plain = self._plain(field, found[0], limit)
        if not plain:
            self._warn(field, Trouble.empty, found[1])
        return plain or rule.default

    def _plain(self, field: str, text: str, limit: int) -> str:
        plain = plain_text(text, len(text))
        if len(plain) <= limit:
            return plain
        self._warn(field, Trouble.cut_short)
        return plain_text(plain, limit)

    def _status(self) -> Status:
        rule = self._source.fields.status
        if rule.const is not None:
            return rule.const
        found = self._first("status", rule.pick, lambda value: convert.as_status(value, words=rule.words))
        # What does not say that it is over is taken to go on.
        return found[0] if found else Status.firing

    def _severity(self) -> Severity:
        rule = self._source.fields.severity
        found = self._first(
            "severity",
            rule.pick,
            lambda value: convert.as_severity(value, bands=rule.bands, words=rule.words),
        )
        if found:
            return found[0]
        if rule.default is not Severity.unknown:
            self._warn("severity", Trouble.default_used)
        return rule.default

    def _time(self) -> datetime | None:
        rule = self._source.fields.occurred_at
        found = self._first(
            "occurred_at", rule.pick, lambda value: convert.as_time(value, unit=rule.time, zone=rule.zone)
        )
        if found is None:
            return None
        (time, assumed), path = found
        if assumed:
            self._warn("occurred_at", Trouble.zone_assumed, path)
        return time

    def _list(
        self, field: str, rule: ListRule, read: Callable[[str], str | None] | None = None
    ) -> tuple[str, ...]:
        words = {word.casefold(): ours for word, ours in rule.words.items()}
        result: dict[str, None] = {}
        for path in rule.pick:
            for text in _texts(self._find(path, self._item)):
                plain = self._plain(field, words.get(text.strip().casefold(), text), MAX_VALUE)
                value = read(plain) if read and plain else plain
                if value is None:
                    self._warn(field, Trouble.unconvertible, path)
                elif value:
                    result[value] = None
        if rule.pick and not result:
            self._warn(field, Trouble.empty)
        if len(result) > MAX_VALUES:
            self._warn(field, Trouble.cut_short)
        return tuple(result)[:MAX_VALUES]

    def _people(self) -> PeopleEstimate | None:
        found = self._first("people_estimate", self._source.fields.people_estimate.pick, convert.as_people)
        return PeopleEstimate(*found) if found else None

    def _link(self) -> str | None:
        rule = self._source.fields.link
        text = self._text("link", rule, MAX_LINK)
        if text is None:
            return None
        link = convert.as_link(text)
        if link is None or len(link) >= MAX_LINK:
            self._warn("link", Trouble.unconvertible)
            return None
        return link

    def _dedupe(self) -> tuple[str, tuple[tuple[str, Json], ...]]:
        """A missing value counts as null. Where all are missing the whole content is the key: otherwise all
        alerts that lack them would be one, and all but the first lost."""
        values = tuple((path, self._find(path, self._item)) for path in self._source.dedupe)
        for path, value in values:
            if value is None:
                self._warn("dedupe", Trouble.dedupe_value_missing, path)
        if all(value is None for _, value in values):
            self._warn("dedupe", Trouble.dedupe_by_content)
            return dedupe_key(self._source.id, [("@", content_hash(self._item))]), values
        return dedupe_key(self._source.id, values), values

    def _raw(self, keep: KeepRaw) -> str:
        text = json.dumps(redacted(self._item, keep.redact), ensure_ascii=False, separators=(",", ":"))
        encoded = text.encode()
        if len(encoded) <= keep.max_bytes:
            return text
        self._warn("raw", Trouble.cut_short)
        return encoded[: keep.max_bytes].decode("utf-8", "ignore")


def _texts(value: Json) -> Iterator[str]:
    """The texts in a value or a list of values, one level of lists within lists included."""
    for one in value if isinstance(value, list) else [value]:
        for inner in one if isinstance(one, list) else [one]:
            if (text := convert.as_text(inner)) is not None:
                yield text


def redacted(value: Json, words: Sequence[str]) -> Json:
    """A copy in which every key that contains one of `words`, in any case, has lost its value."""
    if isinstance(value, list):
        return [redacted(one, words) for one in value]
    if not isinstance(value, dict):
        return value
    lowered = tuple(word.casefold() for word in words)
    return {
        key: REDACTED if any(word in key.casefold() for word in lowered) else redacted(one, words)
        for key, one in value.items()
    }
