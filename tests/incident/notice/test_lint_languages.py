"""Every fault of a language is found at once, at its file and line; what is shipped has none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from incident.law.lint import Problem, Severity
from incident.notice.lint_languages import lint_languages
from incident.workspace import shipped

SHIPPED = shipped("templates")


def own_copy(folder: Path, tag: str = "en", *, named: str = "xx") -> Path:
    shutil.copytree(SHIPPED / "notice" / tag, folder / "notice" / named)
    return folder / "notice" / named


def errors(folder: Path) -> list[Problem]:
    return [problem for problem in lint_languages([folder]) if problem.severity is Severity.error]


def test_the_shipped_languages_have_no_problem_at_all() -> None:
    assert lint_languages([SHIPPED]) == []


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
    [
        ("  began: It began on {date}.\n", "", "sentences:", "began is missing"),
        ("It began on {date}.", "It began.", "  began:", "began lacks {date}"),
        ("It began on {date}.", "It " + "really and truly " * 9 + "began on {date}.", "  began:", "a sentence of"),
        ("We are sorry that this happened.", "We take this very seriously.", "  sorry:", "very seriously"),
        ("      - This is not your fault,", "      - You are a data subject and this is not your fault,", "      - You are a data", "no word for a young reader"),
        ("      - Show this message to a grown-up you trust.", "      - Show this message " + "and this one " * 5 + "to a grown-up.", "      - Show this", "too long for a young reader"),
        ("name: English", "name: [English", "dates:", "not valid YAML"),
    ],
)  # fmt: skip
def test_each_fault_is_found_at_its_line(tmp_path: Path, old: str, new: str, at: str, says: str) -> None:
    file = own_copy(tmp_path) / "language.yaml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")
    hits = [problem for problem in errors(tmp_path) if says in problem.what]
    assert hits, lint_languages([tmp_path])
    lines = file.read_text("utf-8").splitlines()
    assert hits[0].file == file
    assert lines[hits[0].line - 1].startswith(at) or says == "not valid YAML"


def test_a_language_without_a_catalogue_works_and_is_told_of(tmp_path: Path) -> None:
    (own_copy(tmp_path) / "catalogue.yaml").unlink()
    [note] = lint_languages([tmp_path])
    assert note.severity is Severity.note and "catalogue.yaml" in note.what


def test_a_catalogue_is_checked_against_the_laws_own_and_read_as_notices_are(tmp_path: Path) -> None:
    folder = own_copy(tmp_path)
    (folder / "catalogue.yaml").write_text(
        "categories:\n"
        "  phone_number: {title: numru, harm: Click here now., advice: Be careful.}\n"
        "  shoe_size: {title: shoes, harm: None., advice: None.}\n"
        "measures:\n"
        "  contain.lock-account: We locked it.\n",
        "utf-8",
    )
    found = [f"{problem.line} {problem.severity} {problem.what}" for problem in lint_languages([tmp_path])]
    starts = (
        "1 note categories without a text: name, date_of_birth",
        "1 note elements without a text: data_not_taken",
        "1 note remedies without a text: change_number",
        "1 note rights without a text: cn-pipl-57",
        "2 error “click here”: ",
        "3 error shoe_size is no entry of the categories",
        "4 note measures without a text: detect.confirm-breach",
    )
    assert all(line.startswith(start) for line, start in zip(found, starts, strict=True)), found


def test_simpler_words_are_held_to_what_the_young_can_read(tmp_path: Path) -> None:
    folder = own_copy(tmp_path)
    (folder / "catalogue.yaml").write_text(
        "young:\n"
        f"  phone_number: {{harm: {'One word and ' * 6}one., advice: Ask your guardian.}}\n"
        "  shoe_size: {harm: Bad., advice: Ask.}\n",
        "utf-8",
    )
    found = [f"{problem.line} {problem.what}" for problem in errors(tmp_path)]
    assert [line[:40] for line in found] == [
        "2 too long for a young reader: One word a"[:40],
        "2 “guardian” is no word for a young reader"[:40],
        "3 shoe_size is no entry of the young",
    ]


def test_a_catalogue_of_the_wrong_shape_is_refused_at_its_line(tmp_path: Path) -> None:
    folder = own_copy(tmp_path)
    (folder / "catalogue.yaml").write_text("categories:\n  phone_number:\n    title: numru\n", "utf-8")
    assert [(problem.line, problem.what) for problem in errors(tmp_path)] == [
        (2, "“advice” is missing"),
        (2, "“harm” is missing"),
    ]
