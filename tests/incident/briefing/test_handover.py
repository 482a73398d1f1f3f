"""The handover: what the next shift must know, and what changed since the last one."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import sql
from tests.support.estates import Estate, make_key, with_people, with_release


def handover(estate: Estate, *more: str) -> dict[str, Any]:
    document: dict[str, Any] = estate.done("handover", estate.id, *more, "--json").document
    return document


def section(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = next(each["lines"] for each in document["sections"] if each["key"] == key)
    return found


def texts(document: dict[str, Any], key: str) -> list[str]:
    return [line["text"] for line in section(document, key)]


def make_older(estate: Estate, *tables: str, hours: int) -> None:
    """Move what was recorded so far into the past, as a shift that has gone by would find it."""
    for table, column in (each.split(".") for each in tables):
        for row, at in sql(estate.root, f"SELECT rowid, {column} FROM {table}"):  # noqa: S608
            if at is not None:
                older = sql(estate.root, "SELECT strftime('%Y-%m-%d %H:%M:%f', ?, ?)", at, f"-{hours} hours")[
                    0
                ][0]
                sql(estate.root, f"UPDATE {table} SET {column} = ? WHERE rowid = ?", f"{older}000", row)  # noqa: S608


def test_it_covers_twelve_hours_and_then_what_came_after_the_last_one(estate: Estate) -> None:
    first = handover(estate, "--to", "bo")
    assert (first["to"], first["by"].split()[0]) == ("bo", "account")
    assert any("Persons affected: 6" in text for text in texts(first, "changed"))
    second = handover(estate)
    assert second["since"] == first["as_of"]
    assert texts(second, "changed") == ["Nothing changed."]
    assert texts(second, "done") == ["Nothing was recorded."]


def test_a_fact_that_changed_is_told_from_what_to_what(estate: Estate) -> None:
    handover(estate)
    estate.done("set", estate.id, "persons=1200..48000", "--said-by", "the database team")
    estate.done("set", estate.id, "persons=9000", "--said-by", "the database team")
    estate.done("set", estate.id, "trend=it is over")
    estate.done("set", estate.id, "cii_involved=no")
    told = section(handover(estate), "changed")
    assert [line["text"] for line in told] == ["Trend: it is over", "Persons affected: 6 → 9,000"]
    assert told[1]["note"] == "the database team"


def test_a_correction_is_told_and_not_what_it_replaced(estate: Estate) -> None:
    handover(estate)
    estate.done("log", estate.id, "called the wrong host")
    events = estate.done("timeline", estate.id, "--json").document["events"]
    wrong = next(each["id"] for each in events if "wrong host" in each["text"])
    estate.done("log", estate.id, "called the right host", "--corrects", wrong)
    told = texts(handover(estate), "done")
    assert told == ["called the right host"]


def test_measures_decisions_holds_orders_and_tasks_of_the_shift_are_told(estate: Estate) -> None:
    handover(estate)
    estate.done("log", estate.id, "locked 3 accounts", "--measure", "contain.lock-account", "--by", "NOC")
    asked = ("--question", "Portal off?", "--decision", "yes", "--reasons", "the leak goes on")
    estate.done("--as", "anna", "decide", estate.id, *asked)
    estate.done("hold", "add", estate.id, "--by", "police", "--until", "+48h", "--paper", "118")
    order = ("--from", "the office", "--effect", "require", "--due", "+4h")
    estate.done("instruction", "add", estate.id, "report twice a day", *order)
    estate.done("task", "add", estate.id, "call the host", "--owner", "bo", "--due", "+6h")
    document = handover(estate)
    done = "\n".join(texts(document, "done"))
    for told in (
        "locked 3 accounts",
        "Portal off? yes",
        "H1 silence asked for by the police",
        "I1 the office",
    ):
        assert told in done
    assert [line["key"] for line in section(document, "standing")] == ["H1", "I1"]
    [task] = section(document, "tasks")
    assert (task["label"], task["text"]) == ("T1", "call the host")
    assert task["note"].startswith("bo; due ")
    assert any(line["key"] == "instruction/I1" for line in section(document, "due"))
    estate.done("task", "done", estate.id, "T1", "--result", "they know")
    after = handover(estate)
    assert texts(after, "tasks") == ["No task is open."]
    assert texts(after, "done") == ["T1 task ended: call the host (they know)"]


def test_what_is_overdue_stands_on_top_and_is_not_told_twice(estate: Estate) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=20)
    estate.done("set", estate.id, f"discovered_at={long_ago:%Y-%m-%d %H:%M}Z")
    document = handover(estate)
    late = {line["key"] for line in section(document, "trouble")}
    assert "cn-cac-incident-2025/initial" in late
    initial = next(
        line for line in section(document, "trouble") if line["key"] == "cn-cac-incident-2025/initial"
    )
    assert "OVERDUE" in initial["marks"]
    assert late.isdisjoint(line["key"] for line in section(document, "due"))
    assert document["sections"][0]["key"] == "trouble"


def test_a_hold_past_its_end_and_a_late_task_are_trouble(estate: Estate) -> None:
    estate.done("hold", "add", estate.id, "--by", "police", "--until", "+48h")
    estate.done("task", "add", estate.id, "call the host", "--due", "+6h")
    make_older(estate, "hold.until_at", "task.due_at", hours=72)
    document = handover(estate)
    found = {line["key"]: line["marks"] for line in section(document, "trouble")}
    assert found["H1"] == ["PAST ITS END, ASK"]
    assert found["T1"] == ["OVERDUE"]


def test_steps_that_wait_for_people_and_parked_work_are_told(estate: Estate) -> None:
    run_id = estate.done("run", "personal-data-breach", "--on", estate.id, "--json").document["run"]
    sql(estate.root, "UPDATE job SET state = 'parked' WHERE kind = 'run.advance'")
    document = handover(estate)
    labels = [line["label"] for line in section(document, "waiting")]
    assert f"{run_id} cut-off-by-hand" in labels
    assert [line["marks"] for line in section(document, "trouble") if line["key"] == "run.advance"] == [
        ["PARKED"]
    ]


def test_where_notice_sending_and_reports_stand_is_told(estate: Estate) -> None:
    assert texts(handover(estate), "state") == ["not drafted yet"]
    with_release(estate)
    estate.done("report", estate.id, "--regime", "eu-gdpr")
    told = section(handover(estate), "state")
    assert told[0]["text"].startswith("version 1, released ")
    assert told[1]["label"].startswith("Report eu-gdpr initial")
    assert told[1]["text"] == "version 1, not handed in"


def test_questions_come_with_who_can_answer_and_those_nobody_knows_at_the_end(estate: Estate) -> None:
    estate.done("answer", estate.id, "discovered_at", "unknown")
    told = section(handover(estate), "to_answer")
    assert told[-1]["key"] == "discovered_at"
    assert told[-1]["note"] == "answered “don't know”"
    assert [line["note"] for line in told[:-1]] == [""] * (len(told) - 1)


def test_since_is_read_like_every_time_and_must_have_come(estate: Estate) -> None:
    assert texts(handover(estate, "--since", "2026-01-01 00:00"), "changed") != ["Nothing changed."]
    estate.refused("handover", estate.id, "--since", "2099-01-01 00:00", says=["--since"])
    estate.refused("handover", estate.id, "--since", "whenever", says=["--since"])
    estate.refused("handover", estate.id, "--to", "two\nlines", says=["--to"])
    estate.refused("handover", "INC-1999-0001", says=["INC-1999-0001"])


def test_it_is_given_in_both_languages(estate: Estate) -> None:
    told = estate.done("handover", estate.id, "--to", "bo", INCIDENT_LANGUAGE="zh-Hans").out
    assert told.startswith("仅限应急处置人员使用")
    assert "接班人：bo" in told
    assert "Handover" in estate.done("handover", estate.id, "--language", "en").out


@pytest.mark.parametrize("form", ["text", "html"])
def test_the_journal_says_who_gave_it_to_whom_and_what(estate: Estate, tmp_path: Path, form: str) -> None:
    file = tmp_path / "handover"
    words = ("--as", "anna", "handover", estate.id, "--to", "bo", "--format", form, "-o", file)
    document = estate.done(*words, "--json").document
    assert document["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    events = estate.done("timeline", estate.id, "--json").document["events"]
    [event] = [each for each in events if each["kind"] == "handover"]
    assert event["by"] == "anna"
    assert "to bo" in event["text"]
    assert document["sha256"][:12] in event["text"]


def test_nothing_of_a_note_for_counsel_or_of_a_person_is_in_it(estate: Estate) -> None:
    with_people(estate)
    make_key(estate.keys / "lex2")
    estate.done("operator", "add", "lex", "--key", estate.keys / "lex2", "--roles", "counsel")
    key = str(estate.keys / "lex2")
    estate.done("--as", "lex", "counsel", "add", estate.id, "Zqxprivileged", INCIDENT_SIGNING_KEY=key)
    told = json.dumps(handover(estate), ensure_ascii=False)
    assert "Zqxprivileged" not in told
    assert "person00001@example.org" not in told
    assert "13800000001" not in told


def test_of_many_questions_those_that_decide_the_most_are_handed_over_and_the_rest_is_counted(
    estate: Estate,
) -> None:
    opened = estate.done(
        "--json", "open", "--title", "x", "--found-at", "-1h", "--not-state-secret"
    ).document["incident"]
    open_questions = estate.done("--json", "ask", opened, "--all").document
    document = estate.done("--json", "handover", opened).document
    told = next(each for each in document["sections"] if each["key"] == "to_answer")
    assert len(told["lines"]) == 8
    assert told["hidden"] == open_questions["open"] - 8 > 0
    shown = estate.done("handover", opened, "--language", "en").out
    assert f"and {told['hidden']} more: incident ask {opened} --all" in shown


def test_its_questions_are_those_of_ask_also_under_an_order(estate: Estate) -> None:
    opened = estate.done(
        "--json", "open", "--title", "x", "--found-at", "-1h", "--not-state-secret"
    ).document["incident"]
    order = ("--from", "CAC", "--effect", "reopen", "--duty", "cn-pipl-57/people")
    for words in ((), ("instruction", "add", opened, "tell the people", *order)):
        if words:
            estate.done(*words)
        ask = estate.done("--json", "ask", opened).document
        document = estate.done("--json", "handover", opened).document
        told = next(each for each in document["sections"] if each["key"] == "to_answer")
        assert [line["key"] for line in told["lines"]] == [each["field"] for each in ask["questions"]]
        assert len(told["lines"]) + told["hidden"] == ask["open"]
