"""Checking the languages of notices: every finding at once, each with its file and line.

What reading a language refuses is an error here; so is a text that a notice would be faulted for. An entry of a
catalogue that has no text in a language is a note: the gate refuses a notice that would need it.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from incident.errors import BadInput
from incident.law.categories import category_catalogue
from incident.law.data import read_file, read_yaml, told
from incident.law.elements import element_catalogue
from incident.law.lint import Problem, Said, Severity, lint_yaml
from incident.law.regimes import Place
from incident.law.remedies import remedy_catalogue
from incident.law.rights import rights_catalogue
from incident.notice.audience import FURTHER, Audience
from incident.notice.content import SECTIONS
from incident.notice.languages import CATALOGUE_FILE, Catalogue, Language, Spoken, language_files
from incident.notice.lint_catalogues import phrase_faults, reading_faults
from incident.notice.readability import long_sentences
from incident.record.facts import LANGUAGES
from incident.record.measures import measure_catalogue
from incident.workspace import LANGUAGE_FILE

_MOST_NAMED = 6


def lint_languages(places: Iterable[Path]) -> list[Problem]:
    """All problems of the languages in these folders of templates, in order of file and line. Nothing is raised."""
    problems = [problem for place in places for file in language_files(place) for problem in _lint(file)]
    return sorted(problems, key=lambda problem: (problem.file, problem.line, problem.what))


def _lint(file: Path) -> Iterator[Problem]:
    if file.name == LANGUAGE_FILE:
        return lint_yaml(file, lambda data: _language(Spoken.model_validate(data), file), faults=_faults)
    return lint_yaml(file, lambda data: _catalogue(Catalogue.model_validate(data), file), faults=_faults)


def _faults(error: ValidationError) -> Iterator[tuple[Place, str]]:
    for place, sentence in told(error):
        for part in sentence.split("; "):
            # Our own faults begin with the key of the text they are about.
            yield (*place, part.partition(" ")[0].rstrip(":")), part


def _language(spoken: Spoken, file: Path) -> Said:
    language = Language(file.parent.name, spoken, Catalogue())
    texts: dict[Place, str] = {("sentences", name): text for name, text in spoken.sentences.items()}
    texts |= {("words", name): text for name, text in spoken.words.items()}
    for audience in FURTHER:
        texts |= dict(_of_audience(spoken, audience))
    for place, text in texts.items():
        for fault in phrase_faults(_filled(text), language):
            yield place, fault, Severity.error
    for place, text in _of_audience(spoken, Audience.YOUNG):
        for fault in _hard_for_the_young(_filled(text), language):
            yield place, fault, Severity.error
    if file.parent.name not in LANGUAGES and not file.with_name(CATALOGUE_FILE).is_file():
        yield (), f"there is no {CATALOGUE_FILE} beside it: no kind of data has a name", Severity.note


def _of_audience(spoken: Spoken, audience: Audience) -> Iterator[tuple[Place, str]]:
    own = spoken.audiences[audience]
    at = ("audiences", str(audience))
    yield (*at, "subject"), own.subject
    for name, lines in (("before", own.before), ("first_steps", own.first_steps)):
        for number, line in enumerate(lines):
            yield (*at, name, number), line
    yield (*at, "before_more"), own.before_more
    for name, text in own.words.items():
        yield (*at, "words", name), text


def _filled(text: str) -> str:
    """A text with a short word for each of its values."""
    values = {name: "Xy" for _, name, _, _ in string.Formatter().parse(text) if name}
    return text.format(**values)


def _catalogue(catalogue: Catalogue, file: Path) -> Said:
    wanted: Mapping[str, Iterable[str]] = {
        "categories": category_catalogue(),
        "remedies": remedy_catalogue(),
        "elements": [
            name
            for name, element in element_catalogue().items()
            if element.text is not None or name in SECTIONS
        ],
        "measures": measure_catalogue(),
        "rights": rights_catalogue(),
        "young": category_catalogue(),
    }
    for kind, keys in wanted.items():
        held = getattr(catalogue, kind)
        for key in held:
            if key not in keys:
                yield (kind, key), f"{key} is no entry of the {kind}", Severity.error
        missing = [key for key in keys if key not in held]
        if missing and kind != "young" and file.parent.name not in LANGUAGES:
            rest = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
            named = ", ".join(missing[:_MOST_NAMED])
            yield (kind,) if held else (), f"{kind} without a text: {named}{rest}", Severity.note
    beside = file.with_name(LANGUAGE_FILE)
    if not beside.is_file():
        return
    try:
        spoken = Spoken.model_validate(read_yaml(read_file(beside), name=beside.name))
    except (BadInput, ValidationError):
        return
    language = Language(file.parent.name, spoken, catalogue)
    for place, text in _printed(catalogue):
        for fault in reading_faults(text, language):
            yield place, fault, Severity.error
    for key, simple in catalogue.young.items():
        for name in ("harm", "advice"):
            for fault in _hard_for_the_young(getattr(simple, name), language):
                yield ("young", key, name), fault, Severity.error


def _hard_for_the_young(text: str, language: Language) -> Iterator[str]:
    for sentence in long_sentences(text, language, limit=language.reading.longest_for_young):
        yield f"too long for a young reader: {sentence}"
    for word in language.spoken.avoid["for_the_young"]:
        if word.casefold() in text.casefold():
            yield f"“{word}” is no word for a young reader"


def _printed(catalogue: Catalogue) -> Iterator[tuple[Place, str]]:
    for key, category in catalogue.categories.items():
        yield ("categories", key, "harm"), category.harm
        yield ("categories", key, "advice"), category.advice
    for key, remedy in catalogue.remedies.items():
        yield ("remedies", key, "offer"), remedy.offer
    for key, simple in catalogue.young.items():
        yield ("young", key, "harm"), simple.harm
        yield ("young", key, "advice"), simple.advice
    for key, public in catalogue.measures.items():
        yield ("measures", key), public
    for regime, says in catalogue.rights.items():
        yield ("rights", regime), says
