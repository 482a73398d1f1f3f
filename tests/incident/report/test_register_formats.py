"""The register on paper and in files: in both languages, safe in a spreadsheet, nothing of a record run as code."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from incident.duties.register import RegisteredDuty, RegisterEntry
from incident.duties.view import DutyStatus
from incident.report.register_formats import (
    COLUMNS,
    register_csv,
    register_html,
    register_json,
    register_rows,
)

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TEMPLATES = (Path(__file__).parents[3] / "templates",)
ENTRY = RegisterEntry(
    incident_id="INC-2026-0001",
    title="=cmd|'/c calc'!A1",
    state="open",
    opened_at=AT,
    closed_at=None,
    destroyed_at=None,
    readable=True,
    cause="<script>alert(1)</script>",
    measures=("@one", "two"),
    duties=(
        RegisteredDuty(
            "eu-gdpr/authority",
            "Notify the authority",
            "report_authority",
            DutyStatus.LATE,
            AT,
            AT,
            "by fax",
            "a holiday",
        ),
        RegisteredDuty(
            "cn-pipl-57/people", "Notify people", "notify_people", DutyStatus.RUNNING, None, None, "", ""
        ),
    ),
)
GONE = RegisterEntry(
    incident_id="INC-2026-0002",
    title="",
    state="destroyed",
    opened_at=AT,
    closed_at=AT,
    destroyed_at=AT,
    readable=False,
)


def test_no_cell_of_the_csv_runs_as_a_formula() -> None:
    text = register_csv([ENTRY], language="en", zone=UTC)
    assert text.startswith("\ufeff")
    [heads, cells] = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    row = dict(zip(heads, cells, strict=True))
    assert row["Title"] == "'=cmd|'/c calc'!A1"
    assert row["Measures taken"] == "'@one\ntwo"
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)


@pytest.mark.parametrize(
    ("language", "destroyed", "late"),
    [
        (
            "en",
            "destroyed on 2026-11-23",
            "Notify the authority: 2026-11-23 09:00 +0000, by fax (late: a holiday)",
        ),
        ("zh-Hans", "数据已于 2026-11-23 销毁", "（逾期：a holiday）"),
    ],
)
def test_the_page_says_it_in_both_languages(language: str, destroyed: str, late: str) -> None:
    page = register_html(
        [ENTRY, GONE], language=language, zone=UTC, organisation="Example", at=AT, templates=TEMPLATES
    )
    assert f'<html lang="{language}">' in page
    assert destroyed in page and late in page
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert COLUMNS[language]["open"] in page


def test_an_empty_register_says_so() -> None:
    page = register_html([], language="en", zone=UTC, organisation="Example", at=AT, templates=TEMPLATES)
    assert "No incident is on record" in page


def test_both_languages_have_the_same_columns() -> None:
    assert list(COLUMNS["en"]) == list(COLUMNS["zh-Hans"])
    [row] = register_rows([ENTRY], language="zh-Hans", zone=UTC)
    assert list(row) == list(COLUMNS["en"])


def test_the_document_is_plain_json() -> None:
    document = json.loads(register_json([ENTRY, GONE], at=AT))
    first, second = document["incidents"]
    assert first["duties"][0]["status"] == "late" and first["title"] == ENTRY.title
    assert second["destroyed_at"] == AT.isoformat()
