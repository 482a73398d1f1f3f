"""Duties met elsewhere and duties waived, at the terminal: what is said, what is refused, and what it changes."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.commands import sql
from tests.support.estates import Estate

ZH = {"INCIDENT_LANGUAGE": "zh-Hans"}
REPORT, PEOPLE = "eu-gdpr/authority", "cn-pipl-57/people"


def _paper(estate: Estate, folder: Path) -> str:
    file = folder / "paper"
    file.write_text("nobody else read it")
    return str(estate.done("evidence", "add", estate.id, file, "--json").document["evidence"])


def _status(estate: Estate, duty_id: str) -> str:
    document = estate.done("duties", estate.id, "--json").document
    return str(next(each["status"] for each in document["duties"] if each["id"] == duty_id))


def test_a_duty_is_met_shown_taken_back_and_told_in_the_timeline(estate: Estate, tmp_path: Path) -> None:
    paper = _paper(estate, tmp_path)
    said = estate.done("meet", estate.id, REPORT, "--how", "portal, number 7", "--evidence", paper[:8])
    assert f"{REPORT} is met: portal, number 7" in said.out
    assert _status(estate, REPORT) == "met"
    assert "portal, number 7" in estate.done("duties", estate.id, "--why").out
    estate.refused("meet", estate.id, REPORT, "--how", "again", says=("already", "--withdraw"))
    back = estate.done("meet", estate.id, REPORT, "--withdraw", "the wrong incident", **ZH)
    assert "不再计为已履行" in back.out
    assert _status(estate, REPORT) == "running"
    told = estate.done("timeline", estate.id).out
    assert f"{REPORT} met: portal, number 7" in told
    assert "does not count as met any more: the wrong incident" in told
    assert estate.done("verify").code == 0


def test_what_was_late_takes_a_reason(estate: Estate) -> None:
    estate.done("set", estate.id, "aware_at=30 days ago")
    estate.refused("meet", estate.id, REPORT, "--how", "portal", says=("late", "--late-reason"))
    said = estate.done("meet", estate.id, REPORT, "--how", "portal", "--late-reason", "a holiday").out
    assert "is met, late: portal" in said and "reason: a holiday" in said
    assert _status(estate, REPORT) == "late"
    assert "逾期履行" in estate.done("duties", estate.id, "--all", **ZH).out


def test_a_mistyped_duty_is_answered_with_the_nearest(estate: Estate) -> None:
    estate.refused("meet", estate.id, "eu-gdpr/authorty", "--how", "portal", says=(REPORT,))


def test_a_waiver_is_signed_listed_shown_and_withdrawn(estate: Estate, tmp_path: Path) -> None:
    why = ("--reason", "nobody else read it", "--evidence", _paper(estate, tmp_path))
    estate.refused("--as", "anna", "waive", estate.id, PEOPLE, *why, says=("第五十七条",))
    estate.done("set", estate.id, "harm_effectively_avoided=yes", "authority_requires_notice=no")
    estate.refused("--as", "carl", "waive", estate.id, PEOPLE, *why, says=("approver",))
    estate.refused("waive", estate.id, PEOPLE, *why, says=("--as",))
    said = estate.done("--as", "anna", "waive", estate.id, PEOPLE, *why).out
    assert f"W1: {PEOPLE} is waived by anna" in said
    [signed] = estate.done("decisions", estate.id, "--json").document
    assert (signed["kind"], signed["about"], signed["holds"]) == ("waiver", f"W1 {PEOPLE}", True)
    assert "已决定免除，anna（W1）" in estate.done("duties", estate.id, "--all", **ZH).out
    assert "nobody else read it" in estate.done("register").out
    back = estate.done("waive", estate.id, PEOPLE, "--withdraw", "somebody did").out
    assert "W1 is withdrawn" in back
    assert _status(estate, PEOPLE) == "running"
    told = estate.done("timeline", estate.id, **ZH).out
    assert "决定免除" in told and "已撤回：somebody did" in told
    assert estate.done("check").code == 0 and estate.done("verify").code == 0


def test_a_report_that_is_handed_in_says_what_it_changes(estate: Estate) -> None:
    words = ("report", estate.id, "--regime", "eu-gdpr", "--submitted", "portal", "--json")
    assert estate.done(*words).document["changes"] == []
    kinds = [
        row[0] for row in sql(estate.root, "SELECT count(*) FROM evaluation WHERE incident_id = ?", estate.id)
    ]
    assert kinds[0] >= 2, "it is evaluated in the same change"


def test_the_calendar_is_written_and_says_how_much_it_holds(estate: Estate, tmp_path: Path) -> None:
    file = tmp_path / "duties.ics"
    said = estate.done("duties", estate.id, "--ics", file, **ZH)
    text = file.read_bytes().decode()
    assert "1 项期限" in said.out and text.count("BEGIN:VEVENT\r\n") == 1
    assert "TRIGGER:-PT60M" in text
    assert estate.done("duties", "--ics", "-").out == text


def test_the_register_is_written_in_every_format(estate: Estate, tmp_path: Path) -> None:
    for form, holds in (("csv", "Incident"), ("json", estate.id), ("html", "<html")):
        file = tmp_path / f"register.{form}"
        estate.done("register", "--format", form, "-o", file)
        assert holds in file.read_text("utf-8")
    assert (
        json.loads((tmp_path / "register.json").read_text("utf-8"))["incidents"][0]["incident_id"]
        == estate.id
    )
    estate.refused("register", "--format", "docx", code=2)
    assert "登记时间" in estate.done("register", "--format", "csv", "--language", "zh-Hans").out
