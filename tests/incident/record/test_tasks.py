"""Tasks: given to somebody, due, done or dropped."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from incident.errors import BadInput, NotFound, Refused
from incident.record.incidents import close_incident
from incident.record.numbers import label_of
from incident.record.tasks import TaskLine, TaskState, add_task, end_task, list_tasks
from incident.store.store import Store
from tests.support.at_once import at_once
from tests.support.journals import sound
from tests.support.postgres import PostgresServer
from tests.support.workspaces import START, Made, all_rows, make_workspace, open_one, stored_bytes

HOUR = timedelta(hours=1)


@pytest.fixture
def made(tmp_path: Path, store_on: PostgresServer | None) -> Made:
    return make_workspace(tmp_path, on=store_on)


def add(
    made: Made,
    incident: str,
    title: str = "call the host",
    *,
    owner: str = "bo",
    due: datetime | None = None,
    store: Store | None = None,
) -> str:
    at = store or made.store
    with at.write(incident, kind="task.added", actor="ana", now=made.clock()) as change:
        return label_of(add_task(at, change, incident, title, owner=owner, due_at=due))


def end(
    made: Made,
    incident: str,
    label: str,
    *,
    state: TaskState = TaskState.DONE,
    result: str = "",
    store: Store | None = None,
) -> str:
    at = store or made.store
    with at.write(incident, kind=f"task.{state}", actor="bo", now=made.clock()) as change:
        return str(end_task(at, change, incident, label, state=state, result=result).state)


def close(made: Made, incident: str) -> None:
    with made.store.write(incident, kind="incident.closed", actor="ana", now=made.clock()) as change:
        close_incident(change, incident, reason="over")


def tasks(made: Made, incident: str) -> list[TaskLine]:
    with made.store.read() as session:
        return list_tasks(session, made.store, incident)


def test_a_task_is_numbered_within_its_incident_and_says_whose_it_is(made: Made) -> None:
    one, other = open_one(made), open_one(made)
    assert [add(made, one), add(made, other), add(made, one, "read the contract", owner="外部律师")] == [
        "T1",
        "T1",
        "T2",
    ]
    assert [
        (each.label, each.title, each.owner, each.state, each.opened_by) for each in tasks(made, one)
    ] == [
        ("T1", "call the host", "bo", "open", "ana"),
        ("T2", "read the contract", "外部律师", "open", "ana"),
    ]


def test_open_tasks_come_first_the_next_due_on_top_and_then_those_that_ended(made: Made) -> None:
    incident = open_one(made)
    for title, due in (
        ("no time", None),
        ("late", 3 * HOUR),
        ("soon", HOUR),
        ("done", HOUR),
        ("dropped", None),
    ):
        add(made, incident, title, due=None if due is None else START + due)
    end(made, incident, "T4")
    made.clock.move(minutes=5)
    end(made, incident, "T5", state=TaskState.DROPPED, result="not ours")
    assert [each.title for each in tasks(made, incident)] == ["soon", "late", "no time", "dropped", "done"]


def test_a_task_is_overdue_while_it_is_open_and_its_time_has_passed(made: Made) -> None:
    incident = open_one(made)
    add(made, incident, due=START + HOUR)
    [task] = tasks(made, incident)
    assert not task.is_overdue(START + HOUR)
    assert task.is_overdue(START + HOUR + timedelta(seconds=1))
    made.clock.move(hours=2)
    end(made, incident, "T1", result="done late")
    [task] = tasks(made, incident)
    assert not task.is_overdue(made.clock())
    assert (task.state, task.ended_at, task.result) == ("done", START + 2 * HOUR, "done late")


@pytest.mark.parametrize("label", ["T1", "t1", "1", " T1 "])
def test_a_task_is_named_as_people_type_it(made: Made, label: str) -> None:
    incident = open_one(made)
    add(made, incident)
    assert end(made, incident, label) == "done"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"title": " "}, BadInput),
        ({"title": "two\nlines"}, BadInput),
        ({"title": "x" * 20_001}, BadInput),
        ({"owner": ""}, BadInput),
        ({"owner": "bell\a"}, BadInput),
        ({"due": START}, Refused),
        ({"due": START - HOUR}, Refused),
    ],
)
def test_a_task_that_cannot_be_taken_changes_nothing(
    made: Made, options: dict[str, Any], error: type[Exception]
) -> None:
    incident = open_one(made)
    before = all_rows(made.store)
    with pytest.raises(error):
        add(made, incident, **options)
    assert all_rows(made.store) == before


def test_ending_what_is_not_there_or_has_ended_changes_nothing(made: Made) -> None:
    incident, other = open_one(made), open_one(made)
    add(made, incident)
    add(made, incident)
    end(made, incident, "T1", result="done first")
    before = all_rows(made.store)
    for which, label, state, result, error in (
        (incident, "T1", TaskState.DONE, "again", Refused),
        (incident, "T1", TaskState.DROPPED, "again", Refused),
        (incident, "T3", TaskState.DONE, "", NotFound),
        (other, "T2", TaskState.DONE, "", NotFound),
        (incident, "H2", TaskState.DONE, "", BadInput),
        (incident, "", TaskState.DONE, "", BadInput),
        (incident, "T2", TaskState.DROPPED, "", BadInput),
        (incident, "T2", TaskState.DROPPED, " ", BadInput),
        (incident, "T2", TaskState.DONE, "bell\a", BadInput),
        ("INC-1999-0001", "T1", TaskState.DONE, "", Exception),
    ):
        with pytest.raises(error):
            end(made, which, label, state=state, result=result)
    assert all_rows(made.store) == before


def test_of_two_who_end_one_task_at_once_the_first_word_holds(made: Made) -> None:
    incident = open_one(made)
    add(made, incident)
    desks = [made.another().store for _ in range(3)]
    outcomes = at_once(
        *(lambda store=store, said=f"said {number}": end(made, incident, "T1", result=said, store=store)
          for number, store in enumerate(desks))
    )  # fmt: skip
    assert sorted(type(each).__name__ for each in outcomes) == ["Refused", "Refused", "str"]
    [task] = tasks(made, incident)
    winner = next(number for number, each in enumerate(outcomes) if isinstance(each, str))
    assert task.result == f"said {winner}"
    assert sound(made.store, *made.store.heads())


def test_tasks_added_at_once_are_numbered_in_turn(made: Made) -> None:
    incident = open_one(made)
    desks = [made.another().store for _ in range(4)]
    labels = at_once(*(lambda store=store: add(made, incident, store=store) for store in desks))
    assert sorted(map(str, labels)) == ["T1", "T2", "T3", "T4"]


def test_an_incident_with_open_tasks_is_not_closed_and_the_error_names_them(made: Made) -> None:
    incident = open_one(made)
    for _ in range(3):
        add(made, incident)
    end(made, incident, "T2")
    with pytest.raises(Refused, match="open tasks: T1, T3"):
        close(made, incident)
    end(made, incident, "T1")
    end(made, incident, "T3", state=TaskState.DROPPED, result="the host called")
    close(made, incident)
    with pytest.raises(Refused, match="is closed"):
        add(made, incident)


def test_of_closing_and_adding_a_task_at_once_one_is_refused(made: Made) -> None:
    incident = open_one(made)
    other = made.another()
    outcomes = at_once(lambda: add(made, incident, store=other.store), lambda: close(made, incident))
    assert [type(each).__name__ for each in outcomes] in (["str", "Refused"], ["Refused", "NoneType"])


def test_neither_title_nor_owner_lies_open_on_the_disk(made: Made) -> None:
    incident = open_one(made)
    add(made, incident, "ring up Zhao Liu", owner="Li Si")
    end(made, incident, "T1", result="Zhao Liu is ill")
    held = stored_bytes(made)
    assert b"Zhao Liu" not in held
    assert b"Li Si" not in held
