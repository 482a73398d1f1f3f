"""What the law's catalogues put into notices is checked as notices are."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident.law.lint_catalogues import catalogue_files
from incident.notice.lint_catalogues import lint_for_notices

TEXTS = {file.stem: file.read_text("utf-8") for file in catalogue_files()}


def test_the_shipped_catalogues_read_as_notices_must_and_every_element_can_be_filled() -> None:
    assert lint_for_notices(catalogue_files()) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "at", "word"),
    [
        ("categories", "Somebody may use your name to win your trust.", "Somebody " + "may use it and " * 9 + "go.", "  harm:", "a sentence of 38"),
        ("categories", "不法分子可能直呼您的姓名来骗取信任。", "不法分子" * 9 + "。", "  harm:", "a sentence of 36"),
        ("categories", "Somebody may use your name to win your trust.", "Unauthorised individuals appropriate organisational identities.", "  harm:", "school grade"),
        ("categories", "A caller may know your name and still be a fraud.", "Click here to be safe.", "  advice:", "click here"),
        ("remedies", "您可以免费更换手机号码。", "请点击链接更换手机号码。", "  offer:", "点击链接"),
        ("remedies", "You can change your phone number free of charge.", "We take this very seriously.", "  offer:", "very seriously"),
        ("elements", "  text: agency_info\n", "", "regulator_or_agency_info:", "nothing fills regulator_or_agency_info"),
        ("elements", "breach_date:\n", "breach_date:\n  text: attack_path\n", "  text: attack_path", "breach_date is drawn from the record already"),
        ("elements", "breach_date:\n", "date_of_breach:\n", "#", "breach_date is drawn in notices, but no entry names it"),
    ],
)  # fmt: skip
def test_each_fault_is_found_at_its_line(
    tmp_path: Path, name: str, old: str, new: str, at: str, word: str
) -> None:
    assert old in TEXTS[name]
    text = TEXTS[name].replace(old, new, 1)
    file = tmp_path / f"{name}.yaml"
    file.write_text(text, "utf-8")
    hits = [problem for problem in lint_for_notices([file]) if word in problem.what]
    assert hits, lint_for_notices([file])
    first = next(number for number, line in enumerate(text.splitlines(), 1) if line.startswith(at))
    assert hits[0].line == first


def test_a_catalogue_that_cannot_be_used_is_left_to_the_other_lint(tmp_path: Path) -> None:
    file = tmp_path / "categories.yaml"
    file.write_text("a: [\n", "utf-8")
    assert lint_for_notices([file]) == []
