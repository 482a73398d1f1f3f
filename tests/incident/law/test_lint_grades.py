"""Grading scales and the severity method: read whole, or refused with file, line and reason."""

from pathlib import Path

import pytest

from incident.law.grading import SHIPPED
from incident.law.lint import Problem, Severity
from incident.law.lint_grades import grade_files, is_grade_file, lint_grades
from incident.law.severity_method import SHIPPED_METHOD

SCALE = (SHIPPED / "cn-miit-data.yaml").read_text("utf-8")


def linted(tmp_path: Path, text: str, name: str = "cn-miit-data.yaml") -> list[Problem]:
    file = tmp_path / "grades" / name
    file.parent.mkdir()
    file.write_text(text, "utf-8")
    assert is_grade_file(file)
    return [problem for problem in lint_grades([file]) if problem.severity is Severity.error]


def test_the_shipped_files_have_no_errors_and_say_what_needs_checking() -> None:
    problems = lint_grades(grade_files())
    assert [problem for problem in problems if problem.severity is Severity.error] == []
    noted = {problem.file.stem: problem for problem in problems}
    assert set(noted) == {"cn-miit-data", "cn-miit-internet", "severity"}
    assert (
        sum("memory" in problem.what for problem in problems if problem.file.stem == "cn-miit-internet") == 3
    )


@pytest.mark.parametrize(
    ("old", "new", "line_holds", "word"),
    [
        ("id: cn-miit-data", "id: cn-miit-dates", "id: cn-miit-dates", "the file is called"),
        ("      serious: {field: persons, at_least: 10000000}", "      serious: {field: persons, at_least: 1000000}",
         "serious: {field: persons, at_least: 1000000}", "no more of persons than relatively_serious"),
        ("serious: {field: radio_interference, at_least: PT12H}", "serious: {field: radio_interference, at_least: PT25H}",
         "especially_serious: {field: radio_interference", "no more of radio_interference than serious"),
        ("  - id: economic-loss", "  - id: telecom-systems-down", "  - id: telecom-systems-down", "two criteria are called"),
        ("{field: telecom_outage, at_least: PT8H}", "{field: telecom_outages, at_least: PT8H}", "telecom_outages", "telecom_outage"),
        ("countries: [CN]", "countries: []", "countries: []", "at least 1"),
        ("organisations: [telecom_operator,", "organisations: [telecoms,", "organisations:", "telecom_operator"),
        ("      relatively_serious: {field: persons, less_than: 100000}", "      huge: {field: persons, less_than: 100000}",
         None, "rules out huge"),
    ],
)  # fmt: skip
def test_a_scale_that_does_not_hold_together_is_found_with_its_line(
    tmp_path: Path, old: str, new: str, line_holds: str | None, word: str
) -> None:
    assert old in SCALE
    text = SCALE.replace(old, new, 1)
    problems = linted(tmp_path, text)
    assert len(problems) == 1, problems
    assert word in problems[0].what
    if line_holds is not None:
        assert line_holds in text.splitlines()[problems[0].line - 1]


def test_the_method_is_known_by_its_name_and_a_broken_one_is_found(tmp_path: Path) -> None:
    file = tmp_path / SHIPPED_METHOD.name
    file.write_text(SHIPPED_METHOD.read_text("utf-8").replace("    from: 3", "    from: 1"), "utf-8")
    assert is_grade_file(file)
    [problem] = [each for each in lint_grades([file]) if each.severity is Severity.error]
    assert "begin at 0 and rise" in problem.what


def test_a_file_that_is_no_yaml_or_is_not_there_is_a_problem_too(tmp_path: Path) -> None:
    [problem] = linted(tmp_path, "id: [")
    assert "not valid YAML" in problem.what
    [gone] = lint_grades([tmp_path / "grades" / "none.yaml"])
    assert "cannot be read" in gone.what
