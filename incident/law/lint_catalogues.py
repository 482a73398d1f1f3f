"""Checking the catalogues (kinds of data, remedies, elements): every finding at once, each with its file and line.

They are shipped and no workspace has its own, so that this is for those who change them: in the checkout, or a copy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from incident.errors import BadInput
from incident.law.categories import Category
from incident.law.data import Strict, read_file, read_yaml
from incident.law.elements import Element
from incident.law.entries import entries
from incident.law.grading import Confidence
from incident.law.lint import Problem, Said, Severity, lint_yaml
from incident.law.regimes import Place
from incident.law.remedies import Remedy
from incident.record.facts import LANGUAGES, LocalText

SHIPPED = Path(__file__).parent
MODELS: Mapping[str, type[Strict]] = {"remedies": Remedy, "categories": Category, "elements": Element}
"""The catalogues by the name of their file, without its ending."""

_ENDS = {"zh-Hans": ("。", "！", "？"), "en": (".", "!", "?")}
_FOREIGN_MARKS = ",.;:!?()\"'"


def catalogue_files() -> list[Path]:
    """The shipped catalogues."""
    return [SHIPPED / f"{name}.yaml" for name in MODELS]


def is_catalogue(file: Path) -> bool:
    return file.suffix == ".yaml" and file.stem in MODELS


def lint_catalogues(files: Iterable[Path]) -> list[Problem]:
    """All problems of these catalogues, in order of file and line. Nothing is raised for bad content."""
    problems = [problem for file in files for problem in _lint_file(file)]
    return sorted(problems, key=lambda problem: (problem.file, problem.line, problem.what))


def entries_of(file: Path) -> Mapping[str, Any]:
    """The entries of a catalogue by key; empty where the file cannot be used, which `lint_catalogues` tells of."""
    try:
        data = read_yaml(read_file(file), name=file.name)
        return entries(MODELS[file.stem]).validate_python(data)
    except (BadInput, ValidationError):
        return {}


def _lint_file(file: Path) -> Iterator[Problem]:
    listed, check = entries(MODELS[file.stem]), _CHECKS[file.stem]
    return lint_yaml(file, lambda data: check(listed.validate_python(data)))


def _categories(listed: Mapping[str, Category]) -> Said:
    yield from _titles_are_told_apart(listed)
    for key, category in listed.items():
        for name, text in (("harm", category.harm), ("advice", category.advice)):
            yield from _is_whole((key, name), text)
        if not category.remedies:
            yield (key,), f"{key} suggests no remedy", Severity.note
    sure = Counter(label.confidence for each in listed.values() for label in each.sensitive.values())
    open_to_review = sure[Confidence.memory] + sure[Confidence.secondary]
    if open_to_review:
        told_of = f"{sure[Confidence.secondary]} from digests, {sure[Confidence.memory]} from memory"
        yield (), f"{open_to_review} of {sure.total()} labels need a reviewer ({told_of})", Severity.note


def _remedies(listed: Mapping[str, Remedy]) -> Said:
    yield from _titles_are_told_apart(listed)
    for key, remedy in listed.items():
        for name, text in (("offer", remedy.offer), ("capacity", remedy.capacity)):
            yield from _is_whole((key, name), text)


def _elements(listed: Mapping[str, Element]) -> Said:
    yield from _titles_are_told_apart(listed)
    filled: dict[str, str] = {}
    for key, element in listed.items():
        if element.text is None:
            continue
        if element.text in filled:
            sentence = f"{element.text} fills {filled[element.text]} already; a notice would say it twice"
            yield (key, "text"), sentence, Severity.error
        filled.setdefault(element.text, key)


_CHECKS: Mapping[str, Callable[[Mapping[str, Any]], Said]] = {
    "categories": _categories,
    "remedies": _remedies,
    "elements": _elements,
}


def _titles_are_told_apart(
    listed: Mapping[str, Category] | Mapping[str, Remedy] | Mapping[str, Element],
) -> Said:
    """A file of people may name a kind of data by its title; lists in notices would name one thing twice."""
    seen: dict[str, str] = {}
    for key, entry in listed.items():
        for word in dict.fromkeys(title.lower() for title in entry.title.values()):
            if word in seen:
                yield (key, "title"), f"“{word}” is what {seen[word]} is called", Severity.error
            seen.setdefault(word, key)


def _is_whole(place: Place, text: LocalText) -> Said:
    """A text that is printed as it stands ends as a sentence does, and in Chinese has Chinese punctuation."""
    for language in LANGUAGES:
        if not text[language].endswith(_ENDS[language]):
            yield place, f"the text in {language} does not end as a sentence does", Severity.error
    if found := [mark for mark in _FOREIGN_MARKS if mark in text["zh-Hans"]]:
        yield place, f"the Chinese text holds {' '.join(found)}; write Chinese punctuation", Severity.error
