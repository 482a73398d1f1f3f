"""Telling where each sentence of a notice is from, in words that those who sign it can follow. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from incident.law.categories import category_catalogue
from incident.law.elements import element_catalogue
from incident.law.remedies import remedy_catalogue
from incident.notice.content import NoticeContent
from incident.notice.sources import Source
from incident.record.facts import Fact, field_named
from incident.record.measures import measure_catalogue

_PLACES: Mapping[str, Mapping[str, str]] = {
    "subject": {"zh-Hans": "标题", "en": "Title"},
    "effects": {"zh-Hans": "信息受到的影响", "en": "What became of the data"},
    "planned": {"zh-Hans": "拟采取的措施", "en": "Planned measures"},
    "not_known": {"zh-Hans": "尚不清楚的情况", "en": "What is not known yet"},
}
_WORDS: Mapping[str, Mapping[str, str]] = {
    "phrases": {"zh-Hans": "固定句式", "en": "shipped phrase"},
    "categories": {"zh-Hans": "信息种类目录", "en": "catalogue of data"},
    "remedies": {"zh-Hans": "补救措施目录", "en": "catalogue of help"},
    "measures": {"zh-Hans": "已记录的措施", "en": "measure taken"},
    "rights": {"zh-Hans": "法定权利", "en": "rights by law"},
    "duties": {"zh-Hans": "已完成的报告", "en": "report handed in"},
    "settings": {"zh-Hans": "设置", "en": "settings"},
}
_NOT_RECORDED = {"zh-Hans": "没有记录", "en": "nobody recorded"}
_NOT_KNOWN = {"zh-Hans": "记录为未知", "en": "recorded as not known"}


class _Form(NamedTuple):
    written: str
    said: str
    label: str
    stop: str
    pause: str


_FORMS: Mapping[str, _Form] = {
    "zh-Hans": _Form("{by}于{when}撰写", "{}（{}）", "{}：{}", "；", "、"),
    "en": _Form("written by {by}, {when}", "{} ({})", "{}: {}", "; ", ", "),
}


@dataclass(frozen=True)
class Told:
    """One sentence with its source; `place` is the element or part of the notice."""

    language: str
    place: str
    source: Source


def sentences_with_sources(contents: Mapping[str, NoticeContent]) -> Iterator[Told]:
    """Every sentence that is of this incident, in the order in which a notice tells it.

    Headings, the greeting and the box on how to check the notice are the template's and the same in every incident.
    """
    for language, content in contents.items():
        places = dict.fromkeys(["subject", "effects", *content.texts(), *content.sources])
        for place in places:
            for source in content.sources.get(place, ()):
                yield Told(language, place, source)


def place_title(place: str, language: str) -> str:
    """What a place of a notice is called."""
    key = _of_screen(language)
    return _PLACES[place][key] if place in _PLACES else element_catalogue()[place].title[key]


def source_in_words(
    source: Source, facts: Mapping[str, Fact], language: str, show: Callable[[datetime], str]
) -> str:
    """Where a sentence is from, on one line: who wrote it, else the facts with who said them, and the words' origin."""
    key = _of_screen(language)
    if source.written:
        when = show(datetime.fromisoformat(source.at))
        return _FORMS[key].written.format(by=source.by, when=when)
    named = [_fact_in_words(name, facts.get(name), key) for name in source.facts]
    return _FORMS[key].stop.join([*named, *_entries_in_words(source.entries, key)])


def told_as_document(told: Told, facts: Mapping[str, Fact]) -> dict[str, Any]:
    """One sentence for machines: its text, the facts with who said them, the entries, or who wrote it and when."""
    source = told.source
    return {
        "language": told.language,
        "place": told.place,
        "text": source.text,
        "facts": [_fact_as_document(name, facts.get(name)) for name in source.facts],
        "entries": list(source.entries),
        "written_by": source.by or None,
        "written_at": source.at or None,
    }


def _of_screen(language: str) -> str:
    """The key of a screen's language in our own texts: Chinese, and English for everybody else."""
    return "zh-Hans" if language.startswith("zh") else "en"


def _fact_in_words(name: str, fact: Fact | None, key: str) -> str:
    title, form = field_named(name).title[key], _FORMS[key]
    if fact is None:
        return form.label.format(title, _NOT_RECORDED[key])
    if fact.value is None:
        return form.label.format(title, _NOT_KNOWN[key])
    return form.said.format(title, fact.said_by)


def _entries_in_words(entries: tuple[str, ...], key: str) -> list[str]:
    by_kind: dict[str, list[str]] = {}
    for entry in entries:
        kind, _, name = entry.partition("/")
        by_kind.setdefault(kind, []).append(_entry_title(kind, name, key))
    form = _FORMS[key]
    return [form.label.format(_WORDS[kind][key], form.pause.join(names)) for kind, names in by_kind.items()]


def _entry_title(kind: str, name: str, key: str) -> str:
    if kind == "categories" and name in category_catalogue():
        return category_catalogue()[name].title[key]
    if kind == "remedies" and name in remedy_catalogue():
        return remedy_catalogue()[name].title[key]
    if kind == "measures" and name in measure_catalogue():
        return measure_catalogue()[name].title[key]
    return name


def _fact_as_document(name: str, fact: Fact | None) -> dict[str, Any]:
    if fact is None:
        return {"field": name, "recorded": False}
    return {
        "field": name,
        "recorded": True,
        "known": fact.value is not None,
        "said_by": fact.said_by,
        "source": fact.source,
        "sure": str(fact.sure),
        "known_at": fact.known_at.isoformat(),
    }
