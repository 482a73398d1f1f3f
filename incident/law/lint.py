"""Checking regime files: every finding at once, each with its file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from incident.errors import BadInput
from incident.law.data import line_of, read_file, read_yaml, told
from incident.law.grading import Scale, shipped_scales
from incident.law.regimes import Confidence, DutyKind, Place, Regime, strange_names, yaml_files


class Severity(StrEnum):
    """`error`: the file cannot be used. `note`: it works, and somebody should know."""

    error = "error"
    note = "note"


@dataclass(frozen=True)
class Problem:
    file: Path
    line: int
    severity: Severity
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.severity}: {self.what}"


Said = Iterator[tuple[Place, str, Severity]]
"""What a check says: the place in the file, a sentence, and how much it matters."""


def lint_regimes(paths: Iterable[Path], *, scales: Mapping[str, Scale] | None = None) -> list[Problem]:
    """All problems of the files, or of the YAML files directly in a folder, in order of file and line.

    Nothing is raised for bad content; a file that cannot be read is a problem too.
    """
    known = scales or shipped_scales()
    seen: dict[str, Path] = {}
    problems: list[Problem] = []
    for path in paths:
        for file in yaml_files(path):
            problems += lint_yaml(file, partial(_regime, file=file, scales=known, seen=seen))
    return sorted(problems, key=lambda problem: (problem.file, problem.line, problem.what))


def lint_yaml(
    file: Path,
    check: Callable[[Any], Said],
    *,
    faults: Callable[[ValidationError], Iterable[tuple[Place, str]]] = told,
) -> Iterator[Problem]:
    """All problems of one YAML file: that it can be read, that its data fit, and what `check` says of them.

    `check` gets the plain data and begins with making its model of them. `faults` are what a misfit is told as.
    """
    try:
        text = read_file(file)
        data = read_yaml(text, name=file.name)
    except BadInput as error:
        yield Problem(file, _line_in(error), Severity.error, error.what)
        return
    try:
        said = list(check(data))
    except ValidationError as error:
        said = [(place, sentence, Severity.error) for place, sentence in faults(error)]
    for place, sentence, severity in said:
        yield Problem(file, line_of(text, place), severity, sentence)


def _regime(data: Any, *, file: Path, scales: Mapping[str, Scale], seen: dict[str, Path]) -> Said:
    regime = Regime.model_validate(data)
    yield from _broken(regime, file, scales, seen)
    for place, sentence in _worth_knowing(regime):
        yield place, sentence, Severity.note


def _broken(regime: Regime, file: Path, scales: Mapping[str, Scale], seen: dict[str, Path]) -> Said:
    if file.stem != regime.id:
        yield ("id",), f"the file is called {file.name}, but its id is {regime.id}", Severity.error
    if regime.id in seen:
        yield ("id",), f"{regime.id} stands in {seen[regime.id]} too", Severity.error
    seen.setdefault(regime.id, file)
    for place, sentence in strange_names(regime, scales):
        yield place, sentence, Severity.error
    for number, duty in enumerate(regime.duties):
        if duty.kind is DutyKind.notify_people and not duty.elements:
            yield (
                ("duties", number),
                f"the notice {duty.id} names no elements that it must hold",
                Severity.error,
            )


def _worth_knowing(regime: Regime) -> Iterator[tuple[Place, str]]:
    if regime.reviewed is None:
        yield ("id",), "UNREVIEWED: nobody has signed that it matches the text of the law"
    if regime.confidence is not Confidence.verified:
        yield ("confidence",), f"the wording is {regime.confidence}; check it against {regime.source}"
    for number, duty in enumerate(regime.duties):
        if duty.confidence is not Confidence.verified:
            place = ("duties", number, "confidence")
            yield place, f"the duty {duty.id} is {duty.confidence}; check it against {regime.source}"


def _line_in(error: BadInput) -> int:
    """The line that a reader's error carries in `where`, else the first."""
    tail = (error.where or "").rpartition(", line ")[2]
    return int(tail) if tail.isdigit() else 1
