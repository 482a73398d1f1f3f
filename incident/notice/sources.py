"""Where each sentence of a notice is from. Pure.

A sentence is of the record (facts, measures), of a catalogue or the shipped phrases, of the settings, or a person
wrote it for this notice. Nothing else can stand in a notice, so a sentence without a source is a fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Source:
    """What one sentence, or several in a row, is from.

    `text` is the sentence as it stands in the notice. `facts` are the fields it was drawn from, or whose absence it
    tells. `entries` name words of ours as `phrases/began`, `categories/phone_number`, `measures/contain.block-address`,
    `remedies/hotline`, `rights/eu-gdpr` or `settings/organisation`. `by` and `at` (UTC, ISO 8601) are of the person
    who wrote it for this notice; both are empty for what was drawn.
    """

    text: str
    facts: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    by: str = ""
    at: str = ""

    @property
    def written(self) -> bool:
        """Whether a person wrote it for this notice."""
        return bool(self.by)


Sources = Mapping[str, tuple[Source, ...]]
"""Place of a notice -> the sources of its sentences, in the order in which they are read."""


def sources_as_document(sources: Sources) -> dict[str, Any]:
    """Plain data without what is empty; `sources_from_document` is its inverse."""
    return {place: [_plain(source) for source in listed] for place, listed in sources.items()}


def sources_from_document(document: Mapping[str, Iterable[Mapping[str, Any]]]) -> Sources:
    """Raises `KeyError` or `TypeError` for a document of another shape."""
    return {place: tuple(_source(each) for each in listed) for place, listed in document.items()}


def _plain(source: Source) -> dict[str, Any]:
    listed = {"facts": list(source.facts), "entries": list(source.entries), "by": source.by, "at": source.at}
    return {"text": source.text, **{name: value for name, value in listed.items() if value}}


def _source(plain: Mapping[str, Any]) -> Source:
    named = {name: tuple(plain[name]) for name in ("facts", "entries") if name in plain}
    return Source(**{**plain, **named})
