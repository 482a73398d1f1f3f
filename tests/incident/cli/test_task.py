"""Tasks at the terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.commands import sql
from tests.support.estates import Estate


def test_a_task_is_added_listed_and_done(estate: Estate) -> None:
    said = estate.done("--as", "anna", "task", "add", estate.id, "call the host", "--due", "+2h").out
    assert said.startswith("T1 for anna, due ")
    assert "+0800 (Asia/Shanghai), in 2 hours" in said
    estate.done("task", "add", estate.id, "read the contract", "--owner", "外部律师", "--json")
    listed = estate.done("task", "list", estate.id, "--json").document["tasks"]
    assert [(each["label"], each["owner"], each["overdue"]) for each in listed] == [
        ("T1", "anna", False),
        ("T2", "外部律师", False),
    ]
    due = datetime.fromisoformat(listed[0]["due_at"])
    assert abs(due - datetime.now(UTC) - timedelta(hours=2)) < timedelta(minutes=1)
    assert estate.done("task", "done", estate.id, "T1", "--result", "they cut it off").out == "T1 is done\n"
    estate.done("task", "drop", estate.id, "t2", "--reason", "our own counsel does it")
    assert estate.done("task", "list", estate.id, "--json").document["tasks"] == []
    everything = estate.done("task", "list", estate.id, "--all").out
    assert "they cut it off" in everything
    assert "our own counsel does it" in everything


def test_a_task_whose_time_has_passed_is_marked_in_both_languages(estate: Estate) -> None:
    estate.done("task", "add", estate.id, "call the host", "--owner", "bo", "--due", "+1h")
    sql(estate.root, "UPDATE task SET due_at = '2026-01-01 00:00:00.000000'")
    assert "OVERDUE" in estate.done("task", "list", estate.id).out
    assert "已逾期" in estate.done("task", "list", estate.id, INCIDENT_LANGUAGE="zh-Hans").out
    assert estate.done("task", "list", estate.id, "--json").document["tasks"][0]["overdue"] is True


def test_closing_waits_for_the_tasks(estate: Estate) -> None:
    estate.done("task", "add", estate.id, "call the host")
    estate.refused("close", estate.id, says=["open tasks: T1", "task drop"])
    estate.done("task", "drop", estate.id, "T1", "--reason", "it is over")
    estate.done("close", estate.id)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["add", "{id}"], 2, "TITLE"),
        (["add", "{id}", " "], 1, "empty"),
        (["add", "{id}", "x", "--owner", ""], 1, "--owner"),
        (["add", "{id}", "x", "--due", "yesterday 23:50"], 1, "has passed"),
        (["add", "{id}", "x", "--due", "03/04/2026"], 1, "two ways"),
        (["add", "INC-1999-0001", "x"], 1, "no incident"),
        (["list", "INC-1999-0001"], 1, "no incident"),
        (["done", "{id}", "T9"], 1, "no task T9"),
        (["done", "{id}", "x"], 1, "write for example T1"),
        (["drop", "{id}", "T1"], 2, "--reason"),
    ],
)
def test_wrong_words_change_nothing(estate: Estate, words: list[str], code: int, says: str) -> None:
    filled = [word.format(id=estate.id) for word in words]
    estate.refused("task", *filled, code=code, says=[says])
