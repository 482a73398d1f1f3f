from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from incident.errors import NotFound
from incident.report.fill import ReportInputs, fill
from incident.report.forms import load_form
from incident.report.render import render_report_html, render_report_json, render_report_text

Make = Callable[..., ReportInputs]
ALL = [
    ("cn-cac-incident", "initial"), ("cn-cac-incident", "supplement"), ("cn-cac-incident", "final"),
    ("cn-pipl-57", "initial"), ("eu-gdpr-33", "initial"), ("eu-gdpr-33", "supplement"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "phase"), ALL)
@pytest.mark.parametrize("language", ["zh-Hans", "en"])
def test_every_report_renders_in_both_languages_without_holes(
    inputs: Make, templates: list[Path], form: str, phase: str, language: str
) -> None:
    report = fill(load_form(form), phase, inputs(later=True), language=language)
    page, text = render_report_html(report, templates=templates), render_report_text(report)
    for source in (page, text):
        for trace in ("None", "{{", "{%", "Undefined", "FrozenText", "State."):
            assert trace not in source
    for item in report.items:
        assert item.title in text
    assert f'<html lang="{language}">' in page
    assert not any(trace in page for trace in ("<script", "http", "url(", "@import", "<img"))


def test_draft_stands_across_the_report_until_it_is_released(inputs: Make, templates: list[Path]) -> None:
    report = fill(load_form("cn-cac-incident"), "initial", inputs())
    assert "草稿" in render_report_html(report, templates=templates)
    assert "草稿" not in render_report_html(report, templates=templates, released=True)
    english = fill(load_form("eu-gdpr-33"), "initial", inputs())
    assert "DRAFT" in render_report_html(english, templates=templates)
    assert "DRAFT" not in render_report_html(english, templates=templates, released=True)


def test_hostile_facts_stay_text(inputs: Make, templates: list[Path]) -> None:
    hostile = "说明<script>alert(1)</script>{{ 7*7 }}"
    report = fill(load_form("cn-cac-incident"), "initial", inputs({"location": {"zh-Hans": hostile}}))
    page = render_report_html(report, templates=templates)
    assert "说明&lt;script&gt;alert(1)&lt;/script&gt;{{ 7*7 }}" in page
    assert "<script" not in page
    assert hostile in render_report_text(report)


def test_remarks_show_beside_what_is_not_confirmed(inputs: Make, templates: list[Path]) -> None:
    page = render_report_html(fill(load_form("cn-cac-incident"), "initial", inputs()), templates=templates)
    assert "初步统计；提供人：zhang.wei" in page


def test_the_json_is_the_document(inputs: Make) -> None:
    report = fill(load_form("eu-gdpr-33"), "initial", inputs())
    assert json.loads(render_report_json(report, released=True)) == report.as_document(released=True)


def test_what_lacks_is_marked_and_what_follows_is_said(inputs: Make, templates: list[Path]) -> None:
    page = render_report_html(
        fill(load_form("cn-cac-incident"), "initial", inputs({"location": None})), templates=templates
    )
    assert "待填写" in page and "后续补报" in page


def test_a_missing_template_names_the_folders_searched(inputs: Make, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=tmp_path.name):
        render_report_html(fill(load_form("eu-gdpr-33"), "initial", inputs()), templates=[tmp_path])
