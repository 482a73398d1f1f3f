"""The table of words: ours are fields and kinds of ours, theirs stand in the schema of VERIS."""

from __future__ import annotations

import json
from collections.abc import Iterator

from incident.law.categories import category_catalogue, category_names
from incident.record.facts import field_catalogue, field_named
from incident.record.veris import OWN_FIELDS
from incident.record.veris_words import ANY, UNKNOWN, veris_words
from tests.support.shared import need_shared


def test_every_word_of_ours_in_the_table_is_one_of_ours() -> None:
    words = veris_words()
    causes = field_named("cause_kind").choices
    assert {kind for section in words.causes.values() for kind in section.values()} <= set(causes)
    assert set(words.causes_out) == set(causes)
    kinds = {word.means for word in words.data.values() if word.means is not None}
    assert kinds <= category_names()
    assert {gap.field for gap in words.cannot_say} | set(OWN_FIELDS) <= set(field_catalogue())
    assert set(words.effects) < set(field_named("breach_effects").choices)


def _in_the_catalogue() -> set[str]:
    return {kind.veris for kind in category_catalogue().values() if kind.veris is not None}


def _words_of_theirs() -> Iterator[tuple[str, str]]:
    words = veris_words()
    data = "attribute.confidentiality.data[].variety"
    yield from ((data, word) for word in (*words.data, *_in_the_catalogue(), words.data_else))
    victims = "attribute.confidentiality.data_victim[]"
    yield from ((victims, word) for word in (*words.groups, words.group_else))
    for effect, known in words.effects.items():
        yield from ((f"attribute.{effect}.variety[]", word) for word in known)
    for section, known_words in words.causes.items():
        yield from ((f"action.{section}.variety[]", word) for word in known_words if word != ANY)
    for out in words.causes_out.values():
        if out.word is not None:
            yield f"action.{out.section}.variety[]", out.word
    yield from ((f"action.{section}.variety[]", word) for section, word in words.ransomware.items())
    for name, finder in words.found_by.items():
        yield from ((f"discovery_method.{name}.variety[]", word) for word in (UNKNOWN, *finder.words))
    yield from (("confidence", word) for word in words.sure)


def test_every_word_of_theirs_in_the_table_is_one_of_theirs() -> None:
    schema = json.loads((need_shared("schemas/veris") / "verisc-merged.json").read_text("utf-8"))
    for path, word in _words_of_theirs():
        part = schema
        for place in path.split("."):
            part = part["properties"][place.removesuffix("[]")]
            part = part["items"] if place.endswith("[]") else part
        assert word in part["enum"], path
