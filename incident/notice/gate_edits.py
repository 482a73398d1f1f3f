"""What a person wrote for a notice, held against the record: figures that no fact holds, and words older than facts.

Typed facts win: whoever writes another day or number is shown what the record has, and corrects one of the two. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, tzinfo
from decimal import Decimal

from incident.notice.content import NoticeContent
from incident.notice.draft import draft
from incident.notice.editing import editable_places
from incident.notice.figures import Figure, FigureKind, figures
from incident.notice.findings import Finding, Severity
from incident.notice.inputs import NoticeInputs
from incident.notice.phrases import show_day
from incident.notice.readability import sentences
from incident.record.edits import Edit
from incident.record.facts import Fact, FieldType, Interval, field_named, show_value

_MOST_SHOWN = 4
_LISTED = {"zh-Hans": ("；", "无"), "en": ("; ", "nothing of that kind")}
_LABELLED = {"zh-Hans": "{}：{}", "en": "{} {}"}
_SECONDS = (1, 60, 3600, 86400)  # a length of time may be told in any of these


def check_edits(inputs: NoticeInputs, contents: Mapping[str, NoticeContent]) -> list[Finding]:
    """Warnings about what people wrote: each figure that stands in no fact, and each text that is older than its facts."""
    edits = [edit for edit in inputs.edits if edit.language in contents]
    return [
        finding
        for edit in edits
        for finding in (*_unknown_figures(inputs, edit), *_older_than_facts(inputs, edit))
    ]


def _unknown_figures(inputs: NoticeInputs, edit: Edit) -> Iterator[Finding]:
    if not edit.text:
        return
    known = _known(inputs, edit.language)
    own = inputs.organisation
    ours = [own.phone, own.email, own.website, own.protection_officer.contact, *own.address.values()]
    for sentence in sentences(edit.text, edit.language):
        bare = sentence
        for contact in filter(None, ours):
            bare = bare.replace(contact, " ")
        for figure in figures(bare):
            if not any(figure.agrees(each) for each in known):
                yield _unknown(inputs, edit, figure, sentence)


def _unknown(inputs: NoticeInputs, edit: Edit, figure: Figure, sentence: str) -> Finding:
    typed = _typed_facts(inputs.facts, figure.kind)
    recorded = {
        language: stop.join(_shown(fact, language, inputs.zone) for fact in typed[:_MOST_SHOWN]) or none
        for language, (stop, none) in _LISTED.items()
    }
    message = {
        "zh-Hans": f"{edit.by}所写的“{figure.text}”不在任何已记录的事实中。原文：“{sentence}”。"
        f"记录中有：{recorded['zh-Hans']}。以记录为准：请改文字，或者更正记录。",
        "en": f'"{figure.text}", written by {edit.by}, stands in no fact of the record. It stands in "{sentence}" '
        f"Recorded: {recorded['en']}. The record counts: change the words, or correct the fact.",
    }
    fields = tuple(fact.field for fact in typed[:_MOST_SHOWN])
    return Finding(Severity.WARNING, "figure-not-recorded", edit.place, edit.language, message, fields=fields)


def _older_than_facts(inputs: NoticeInputs, edit: Edit) -> Iterator[Finding]:
    newer = [
        name
        for name in editable_places()[edit.place]
        if name in inputs.recorded_at and inputs.recorded_at[name] > edit.at
    ]
    if not newer:
        return
    titles = {
        "zh-Hans": "、".join(field_named(name).title["zh-Hans"] for name in newer),
        "en": ", ".join(field_named(name).title["en"] for name in newer),
    }
    message = {
        "zh-Hans": f"{edit.by}写下这段文字之后，记录又有更新（{titles['zh-Hans']}）。请核对这段文字，"
        "或者用 --remove 改回按记录起草。",
        "en": f"The record changed after {edit.by} wrote this ({titles['en']}). Read the words again, "
        "or take them back with --remove.",
    }
    yield Finding(
        Severity.WARNING, "words-older-than-facts", edit.place, edit.language, message, fields=tuple(newer)
    )


def _known(inputs: NoticeInputs, language: str) -> list[Figure]:
    """Every figure that the record states, in facts or in what is drafted from it."""
    drafted = draft(replace(inputs, edits=()), language)
    texts = [line for lines in drafted.texts().values() for line in lines]
    texts += [line.when for line in drafted.measures_taken or ()]
    stated = [figure for fact in inputs.facts.values() for figure in _of_fact(fact, inputs.zone)]
    return [*stated, *(figure for text in texts for figure in figures(text))]


def _of_fact(fact: Fact, zone: tzinfo) -> Iterator[Figure]:
    value = fact.value
    if isinstance(value, datetime):
        local = value.astimezone(zone)
        yield Figure(FigureKind.DAY, "", day=(local.year, local.month, local.day))
        yield Figure(FigureKind.NUMBER, "", number=Decimal(local.year))
        yield Figure(FigureKind.CLOCK, "", clock=(local.hour, local.minute))
    elif isinstance(value, Interval):
        sizes = _SECONDS if field_named(fact.field).type is FieldType.duration else (1,)
        for number in (value.min, value.likely, value.max):
            if number is not None:
                yield from (Figure(FigureKind.NUMBER, "", number=Decimal(number) / size) for size in sizes)
    else:
        yield from (figure for text in _texts_of(value) for figure in figures(text))


def _texts_of(value: object) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, tuple) else ()


def _typed_facts(facts: Mapping[str, Fact], kind: FigureKind) -> list[Fact]:
    """The facts that such a figure is most likely about: counts of people and records, or times."""
    type_ = FieldType.counted if kind is FigureKind.NUMBER else FieldType.time
    return [fact for name, fact in facts.items() if field_named(name).type is type_ and _says_something(fact)]


def _says_something(fact: Fact) -> bool:
    value = fact.value
    return value is not None and (not isinstance(value, Interval) or value.max is None or value.max > 0)


def _shown(fact: Fact, language: str, zone: tzinfo) -> str:
    field = field_named(fact.field)
    if isinstance(fact.value, datetime):
        text = show_day(fact.value, language, zone)
    else:
        text = show_value(field, fact.value, language=language, zone=zone)
    return _LABELLED[language].format(field.title[language], text)
