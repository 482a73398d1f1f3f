"""Checking the grading scales and the severity method: every finding at once, each with its file and line.

They are shipped and no workspace has its own, so that this is for those who change them: in the checkout, or a copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from incident.law.conditions import Bound, Condition
from incident.law.grading import SHIPPED, Confidence, Criterion, Scale
from incident.law.lint import Problem, Said, Severity, lint_yaml
from incident.law.regimes import Place, yaml_files
from incident.law.severity_method import SHIPPED_METHOD, SeverityMethod
from incident.record.facts import Number, field_catalogue


def grade_files() -> list[Path]:
    """The shipped scales and the severity method."""
    return [*yaml_files(SHIPPED), SHIPPED_METHOD]


def is_grade_file(file: Path) -> bool:
    """Whether it is a scale (in a folder called grades) or the severity method, by where it lies and its name."""
    return file.suffix == ".yaml" and (file.parent.name == SHIPPED.name or _is_method(file))


def lint_grades(files: Iterable[Path]) -> list[Problem]:
    """All problems of these files, in order of file and line. Nothing is raised for bad content."""
    problems = [problem for file in files for problem in _lint_file(file)]
    return sorted(problems, key=lambda problem: (problem.file, problem.line, problem.what))


def _lint_file(file: Path) -> Iterator[Problem]:
    if _is_method(file):
        return lint_yaml(file, lambda data: _method(SeverityMethod.model_validate(data)))
    return lint_yaml(file, lambda data: _scale(Scale.model_validate(data), file))


def _scale(scale: Scale, file: Path) -> Said:
    if file.stem != scale.id:
        yield ("id",), f"the file is called {file.name}, but its id is {scale.id}", Severity.error
    yield from _worth_checking(("confidence",), scale.confidence, scale.source)
    seen: set[str] = set()
    for number, criterion in enumerate(scale.criteria):
        here: Place = ("criteria", number)
        if criterion.id in seen:
            yield (*here, "id"), f"two criteria are called {criterion.id}", Severity.error
        seen.add(criterion.id)
        yield from _bounds_rise(here, scale, criterion)
        if criterion.confidence is not None:
            yield from _worth_checking((*here, "confidence"), criterion.confidence, scale.source)


def _bounds_rise(here: Place, scale: Scale, criterion: Criterion) -> Said:
    """A higher grade needs a higher bound on the same fact; the other way round it would hide the lower one."""
    lower: tuple[str, str, Number] | None = None
    for key in sorted(criterion.grades, key=scale.rank):
        found = _bound(criterion.grades[key])
        if found is None:
            lower = None
            continue
        field, height = found
        if lower is not None and lower[1] == field and height <= lower[2]:
            sentence = f"{key} of {criterion.id} needs no more of {field} than {lower[0]} does"
            yield (*here, "grades", key), sentence, Severity.error
        lower = (key, field, height)


def _bound(condition: Condition) -> tuple[str, Number] | None:
    """The fact and the height of a bound that stands alone; None for all other conditions."""
    if not isinstance(condition, Bound) or condition.operator != "at_least":
        return None
    if isinstance(condition.bound, str):
        return condition.field, field_catalogue()[condition.field].rank(condition.bound)
    return condition.field, condition.bound


def _method(method: SeverityMethod) -> Said:
    yield from _worth_checking(("confidence",), method.confidence, method.source)
    for name, rated in method.context.types.items():
        yield from _worth_checking(("context", "types", name, "confidence"), rated.confidence, method.source)
    for key, band in method.bands.items():
        yield from _worth_checking(("bands", key, "confidence"), band.confidence, method.source)


def _worth_checking(place: Place, confidence: Confidence, source: str) -> Said:
    if confidence is not Confidence.verified:
        yield place, f"the wording is {confidence}; check it against {source}", Severity.note


def _is_method(file: Path) -> bool:
    return file.name == SHIPPED_METHOD.name
