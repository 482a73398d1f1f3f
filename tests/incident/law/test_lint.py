"""Regime files: read whole, or refused with file, line and reason."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from incident.errors import BadInput
from incident.law.evaluate import evaluate
from incident.law.lint import Problem, Severity, lint_regimes
from incident.law.regimes import SHIPPED, load_regime, load_regimes

NOW = datetime(2026, 11, 23, tzinfo=UTC)
PIPL = (SHIPPED / "cn-pipl-57.yaml").read_text("utf-8")


def linted(tmp_path: Path, text: str | bytes, name: str = "cn-pipl-57.yaml") -> list[Problem]:
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [problem for problem in lint_regimes([file]) if problem.severity is Severity.error]


def line_with(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def test_the_shipped_regimes_have_no_errors_and_say_that_they_are_unreviewed() -> None:
    problems = lint_regimes([SHIPPED])
    assert [problem for problem in problems if problem.severity is Severity.error] == []
    assert {problem.file.stem for problem in problems if "UNREVIEWED" in problem.what} == {
        regime.id for regime in load_regimes()
    }


@pytest.mark.parametrize(
    ("old", "new", "at", "word"),
    [
        ("applies: {field: personal_data_breach", "applies: {field: personal_breach", "applies:", "personal_data_breach"),
        ("      contact: 第五十七条第一款第三项", "      contacts: 第五十七条第一款第三项", "      contacts:", "contacts"),
        ("    article: 第五十七条第一款\n    confidence: verified\n    anchor", "    confidence: verified\n    anchor", "- id: authority", "“article” is missing"),
        ("confidence: verified\nnotes", "notes", None, "“confidence” is missing"),
        ("source: https:", "source: ftp:", "source:", "pattern"),
        ("    urgency: immediately\n    items", "    items", "- id: authority", "either a period"),
        ("    urgency: immediately\n    items", "    urgency: immediately\n    within: PT1H\n    items", "- id: authority", "either a period"),
        ("    recipients: [individuals]\n", "", "- id: people", "either recipients or paths"),
        ("recipients: [individuals]", "recipients: [persons]", None, "persons of people has no name"),
        ("zone: Asia/Shanghai", "zone: Asia/Canton", "zone:", "no time zone"),
        ("anchor: {earliest: [discovered_at, informed_at]}\n    recipients: [pi", "anchor: {earliest: [persons]}\n    recipients: [pi", "anchor: {earliest: [persons]}", "persons is no time"),
        ("en: the individuals concerned}", "fr: x}", "individuals:", "the text in en is missing"),
        ("country: CN", "country: china", "country:", "pattern"),
        ("effect: may_be_waived", "effect: maybe", "effect:", "may_be_waived"),
        ("  - id: people", "  - id: authority", None, "two duties are called authority"),
        ("    form: cn-pipl-57", "    form: cn-pipl-57\n    needs_first: nothing", None, "no other duty here"),
        ("in_force: {from: 2021-11-01}", "in_force: {from: sometime}", "in_force:", "date"),
        ("country: CN", "country: CN\ncolour: red", "colour:", "not known here"),
        ("applies: {field: personal_data_breach, in: [actual, possible]}", "applies: {grade: cn-cat, at_least: serious}", "applies:", "no grading scale called"),
        ("applies: {field: personal_data_breach, in: [actual, possible]}", "applies: {grade: cn-cac, at_least: huge}", "applies:", "no grade of cn-cac"),
        ("id: cn-pipl-57", "id: cn-pipl-58", "id: cn-pipl-58", "the file is called"),
        ("title: {zh-Hans: 通知个人, en:", "title: {zh-Hans: 通知个人, en", "title: {zh-Hans: 通知个人", "missing"),
        ("country: CN", "country: [CN", None, "not valid YAML"),
    ],
)  # fmt: skip
def test_each_fault_is_found_at_its_line(
    tmp_path: Path, old: str, new: str, at: str | None, word: str
) -> None:
    assert old in PIPL
    text = PIPL.replace(old, new, 1)
    problems = linted(tmp_path, text)
    hits = [problem for problem in problems if word in problem.what]
    assert hits, problems
    if at is not None:
        assert hits[0].line == line_with(text, at), (hits, text.splitlines()[hits[0].line - 1])
        assert f"cn-pipl-57.yaml:{hits[0].line}: error: " in str(hits[0])


@pytest.mark.parametrize("text", ["", "- a\n", "42\n", "\xff".encode("latin-1"), "\x00"])
def test_a_file_that_is_no_regime_at_all_is_a_problem_and_no_crash(tmp_path: Path, text: str | bytes) -> None:
    assert linted(tmp_path, text)


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    [problem] = lint_regimes([tmp_path / "none.yaml"])
    assert "cannot be read" in problem.what


def test_a_notice_without_elements_and_two_files_of_one_id_are_errors(tmp_path: Path) -> None:
    start = PIPL.index("    elements:")
    assert any("names no elements" in problem.what for problem in linted(tmp_path, PIPL[:start]))
    (tmp_path / "a").mkdir()
    copy = tmp_path / "a" / "cn-pipl-57.yaml"
    copy.write_text(PIPL, "utf-8")
    problems = lint_regimes([SHIPPED, copy])
    assert any("stands in" in problem.what and problem.file == copy for problem in problems)


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = PIPL.replace("country: CN", "country: china").replace("zone: Asia/Shanghai", "zone: Nowhere")
    assert len(linted(tmp_path, text)) == 2


def test_loading_a_broken_file_names_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(PIPL.replace("zone: Asia/Shanghai", "zone: Nowhere"), "utf-8")
    with pytest.raises(BadInput) as refusal:
        load_regime(file)
    assert refusal.value.where == f"{file}, line {line_with(PIPL, 'zone:')}"


@pytest.mark.parametrize("grade", ["cn-cat, at_least: serious", "cn-cac, at_least: huge"])
def test_a_regime_that_asks_for_a_grade_nobody_gives_is_not_loaded(tmp_path: Path, grade: str) -> None:
    file = tmp_path / "cn-pipl-57.yaml"
    wanted = "applies: {field: personal_data_breach, in: [actual, possible]}"
    file.write_text(PIPL.replace(wanted, f"applies: {{grade: {grade}}}"), "utf-8")
    with pytest.raises(BadInput) as refusal:
        load_regimes([tmp_path])
    assert refusal.value.where == f"{file}, line {line_with(PIPL, 'applies:')}"


def test_a_workspaces_own_copy_wins(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        PIPL.replace("confidence: verified\nnotes", "confidence: memory\nnotes"), "utf-8"
    )
    found = {regime.id: regime for regime in load_regimes([tmp_path])}
    assert found["cn-pipl-57"].confidence == "memory"
    assert found.keys() == {regime.id for regime in load_regimes()}


def test_a_rule_from_memory_is_noted(tmp_path: Path) -> None:
    file = tmp_path / "cn-pipl-57.yaml"
    file.write_text(PIPL.replace("confidence: verified", "confidence: memory"), "utf-8")
    assert sum("memory" in problem.what for problem in lint_regimes([file])) == 3


def test_evaluating_needs_nothing_but_its_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_regimes()
    evaluate(load_regimes(), {}, scope_countries=["CN"], now=NOW)
    monkeypatch.setattr(Path, "read_text", lambda *args, **kwargs: pytest.fail("a file was read"))
    found = evaluate(load_regimes(), {}, scope_countries=["CN"], now=NOW)
    assert len(found) == len(load_regimes())
