"""The catalogues of the law: each fault is told with its line, and the shipped ones have none."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident.law.lint import Problem, Severity
from incident.law.lint_catalogues import catalogue_files, entries_of, is_catalogue, lint_catalogues

TEXTS = {file.stem: file.read_text("utf-8") for file in catalogue_files()}


def linted(tmp_path: Path, name: str, text: str | bytes) -> list[Problem]:
    file = tmp_path / f"{name}.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [problem for problem in lint_catalogues([file]) if problem.severity is Severity.error]


def line_with(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def test_the_shipped_catalogues_have_no_errors_and_say_how_many_labels_wait_for_a_reviewer() -> None:
    problems = lint_catalogues(catalogue_files())
    assert [problem for problem in problems if problem.severity is Severity.error] == []
    [note] = problems
    assert note.file.name == "categories.yaml" and "labels need a reviewer" in note.what


def test_a_catalogue_is_known_by_the_name_of_its_file() -> None:
    assert all(map(is_catalogue, catalogue_files()))
    assert not is_catalogue(Path("cn-pipl-57.yaml")) and not is_catalogue(Path("categories.txt"))


@pytest.mark.parametrize(
    ("name", "old", "new", "at", "word"),
    [
        ("categories", "{is: no,", "{is: maybe,", "{is: maybe,", "'yes', 'no' or 'review'"),
        ("categories", "confidence: verified", "confidence: sure", "confidence: sure", "'verified'"),
        ("categories", "basis: GDPR Art. 9 does not list it", 'basis: ""', 'basis: ""', "is empty"),
        ("categories", "    EU: {is: no, basis: GDPR Art. 9 does not list it, confidence: memory}\n", "", "sensitive:", "the label for EU is missing"),
        ("categories", "    SG: {", "    Singapore: {", "    Singapore: {", "pattern"),
        ("categories", "remedies: [hotline]", "remedies: [hotlin]", "remedies: [hotlin]", "did you mean hotline"),
        ("categories", "edpb: a", "edpb: v", "edpb: v", "pattern"),
        ("categories", "enisa: simple", "enisa: grave", "enisa: grave", "'simple'"),
        ("categories", "  edpb: a\n", "  edpb: a\n  colour: red\n", "colour:", "not known here"),
        ("categories", "en: name}", "fr: nom}", "fr: nom}", "the text in en is missing"),
        ("categories", "en: date of birth}", "en: Name}", "en: Name}", "“name” is what name is called"),
        ("categories", "date_of_birth:", "Date of birth:", "Date of birth:", "pattern"),
        ("categories", "date_of_birth:", "name:", None, "duplicate"),
        ("categories", "来骗取信任。", "来骗取信任", "来骗取信任", "does not end as a sentence does"),
        ("categories", "zh-Hans: 对方能说出您的姓名，并不", 'zh-Hans: "对方能说出您的姓名,并不', None, "not valid YAML"),
        ("categories", "{zh-Hans: 如果您的密码含有生日，请更换。", '{zh-Hans: "如果您的密码含有生日,请更换。"', "生日,请", "Chinese punctuation"),
        ("categories", "en: Somebody may use your name to win your trust.", "en: Somebody may use your name", "Somebody may use your name}", "the text in en does not end"),
        ("remedies", "owner: customer_service", "owner: boss", "owner: boss", "customer_service"),
        ("remedies", "unit: per_day", "unit: per_hour", "unit: per_hour", "per_day"),
        ("remedies", "\nreplace_sim:", "\nreplace sim:", "replace sim:", "pattern"),
        ("remedies", "a new SIM card, free of charge", "a new phone number, free of charge", None, "is what change_number is called"),
        ("elements", "text: agency_info", "text: agencies", "text: agencies", "no fact that holds a text"),
        ("elements", "text: agency_info", "text: persons", "text: persons", "no fact that holds a text"),
        ("elements", "text: agency_info", "text: rights_of_people", None, "fills regulator_or_agency_info already"),
        ("elements", "en: Cause}", "en: Contact}", None, "is what cause is called"),
        ("elements", "  asks:", "  ask:", "  ask:", "not known here"),
    ],
)  # fmt: skip
def test_each_fault_is_found_at_its_line(
    tmp_path: Path, name: str, old: str, new: str, at: str | None, word: str
) -> None:
    assert old in TEXTS[name]
    text = TEXTS[name].replace(old, new, 1)
    problems = linted(tmp_path, name, text)
    hits = [problem for problem in problems if word in problem.what]
    assert hits, problems
    if at is not None:
        assert hits[0].line == line_with(text, at), (hits, text.splitlines()[hits[0].line - 1])
        assert f"{name}.yaml:{hits[0].line}: error: " in str(hits[0])


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = TEXTS["remedies"].replace("owner: billing", "owner: x").replace("unit: in_all", "unit: y")
    assert len(linted(tmp_path, "remedies", text)) == 4


@pytest.mark.parametrize("name", list(TEXTS))
@pytest.mark.parametrize("text", ["", "- a\n", "42\n", "a: [\n", "a: 1\n", "\xff".encode("latin-1")])
def test_a_file_that_is_no_catalogue_at_all_is_a_problem_and_no_crash(
    tmp_path: Path, name: str, text: str | bytes
) -> None:
    assert linted(tmp_path, name, text)
    assert entries_of(tmp_path / f"{name}.yaml") == {}


def test_a_missing_catalogue_is_a_problem(tmp_path: Path) -> None:
    [problem] = lint_catalogues([tmp_path / "elements.yaml"])
    assert "cannot be read" in problem.what


def test_a_kind_of_data_without_a_remedy_is_noted(tmp_path: Path) -> None:
    file = tmp_path / "categories.yaml"
    file.write_text(TEXTS["categories"].replace("remedies: [hotline]", "remedies: []", 1), "utf-8")
    assert "name suggests no remedy" in [problem.what for problem in lint_catalogues([file])]
