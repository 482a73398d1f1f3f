"""Checking what the law's catalogues put into notices: that it reads well, and that every element can be filled.

The law room cannot ask this itself: how a notice is drawn and how it must read is known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from incident.law.data import line_of, read_file
from incident.law.lint import Problem, Severity
from incident.law.lint_catalogues import entries_of
from incident.law.regimes import Place
from incident.notice.content import Element
from incident.notice.gate import words_to_avoid
from incident.notice.languages import Language, shipped_languages
from incident.notice.readability import grade_of, length_of, long_sentences
from incident.record.facts import LANGUAGES

_PRINTED = {"categories": ("harm", "advice"), "remedies": ("offer",), "elements": ()}
"""By catalogue, the texts that notices print as they stand."""


def lint_for_notices(files: Iterable[Path]) -> list[Problem]:
    """What a notice made of these catalogues would be faulted for, in order of file and line."""
    problems = []
    for file in files:
        entries = entries_of(file)
        text = read_file(file) if entries else ""
        said = [*_texts(file.stem, entries), *(_elements(entries) if file.stem == "elements" else ())]
        problems += [Problem(file, line_of(text, place), severity, what) for place, what, severity in said]
    return sorted(problems, key=lambda problem: (problem.file, problem.line, problem.what))


def _texts(catalogue: str, entries: Mapping[str, Any]) -> Iterator[tuple[Place, str, Severity]]:
    for key, entry in entries.items():
        for name in _PRINTED[catalogue]:
            for tag in LANGUAGES:
                for fault in reading_faults(getattr(entry, name)[tag], shipped_languages()[tag]):
                    yield (key, name), f"{tag}: {fault}", Severity.error


def reading_faults(text: str, language: Language) -> Iterator[str]:
    """What a notice that prints this text would be faulted for, in plain sentences."""
    yield from phrase_faults(text, language)
    if (grade := grade_of([text], language)) > language.reading.highest_grade + 1:
        yield f"reading it takes school grade {grade:.0f}; use shorter words and sentences"


def phrase_faults(text: str, language: Language) -> Iterator[str]:
    """The same of a text that is too short for a reading grade to mean something: a heading, one sentence."""
    for sentence in long_sentences(text, language):
        size = length_of(sentence, language)
        yield f"a sentence of {size}, where {language.reading.longest_sentence} is the most: {sentence[:24]}..."
    for word, group in words_to_avoid(text, language):
        yield f"“{word}”: {group.why['en']}"


def _elements(entries: Mapping[str, Any]) -> Iterator[tuple[Place, str, Severity]]:
    drawn = set(Element)
    for key, element in entries.items():
        if element.text is None and key not in drawn:
            yield (key,), f"nothing fills {key}: name the fact of its text (text: ...)", Severity.error
        if element.text is not None and key in drawn:
            yield (key, "text"), f"{key} is drawn from the record already", Severity.error
    for key in [name for name in Element if name not in entries] if entries else ():
        yield (), f"{key} is drawn in notices, but no entry names it", Severity.error
