"""Tasks: something to do in an incident, whose it is and until when. Every change is journalled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, select

from incident.errors import Refused
from incident.record.incidents import must_be_open, must_exist
from incident.record.numbers import label_of, next_number, row_called
from incident.record.values import clean_line
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import Task


class TaskState(StrEnum):
    OPEN = "open"
    DONE = "done"
    DROPPED = "dropped"


@dataclass(frozen=True)
class TaskLine:
    """A task as listed; `result` says what came of it, or why it was dropped."""

    id: str
    label: str
    title: str
    owner: str
    state: str
    opened_at: datetime
    opened_by: str
    due_at: datetime | None
    ended_at: datetime | None
    result: str

    @property
    def is_open(self) -> bool:
        return self.state == TaskState.OPEN

    def is_overdue(self, now: datetime) -> bool:
        return self.is_open and self.due_at is not None and self.due_at < now


def add_task(
    store: Store, change: Change, incident_id: str, title: str, *, owner: str, due_at: datetime | None
) -> Task:
    """Give somebody something to do, within a change. `owner` is an operator's name or any other.

    Raises `BadInput` for a title or owner that cannot be taken, `Refused` for a due time that has passed.
    """
    title, owner = clean_line(title, where="TITLE"), clean_line(owner, where="--owner")
    must_be_open(change.session, incident_id)
    if due_at is not None and due_at <= change.at:
        raise Refused(
            "a task is due in the future; this time has passed",
            where=due_at.isoformat(timespec="minutes"),
            next_step="check the day and the zone of --due; what was done already is logged: `incident log`",
        )
    row = Task(
        id=store.new_id(),
        incident_id=incident_id,
        number=next_number(change.session, Task, incident_id),
        state=TaskState.OPEN,
        opened_at=change.at,
        opened_by=change.actor,
        due_at=due_at,
    )
    change.put(row, {"title": title, "owner": owner, "result": ""})
    return row


def end_task(
    store: Store, change: Change, incident_id: str, label: str, *, state: TaskState, result: str
) -> Task:
    """Say that a task was done, with what came of it, or that it was dropped, with the reason.

    Raises `BadInput` or `NotFound` for a label, and `Refused` for a task that has ended already: the first word
    holds, also where two people end it at once.
    """
    must_be_open(change.session, incident_id)
    row = row_called(change.session, Task, incident_id, label)
    if row.state != TaskState.OPEN:
        raise Refused(
            f"{label_of(row)} is {row.state} already",
            where=incident_id,
            next_step="`incident task list --all` shows by when; add a new task if there is more to do",
        )
    said = store.open(row, incident_id=incident_id)
    if result or state is TaskState.DROPPED:
        said = {
            **said,
            "result": clean_line(result, where="--reason" if state is TaskState.DROPPED else "--result"),
        }
    row.state, row.ended_at = state, change.at
    change.put(row, said)
    return row


def list_tasks(session: Session, store: Store, incident_id: str) -> list[TaskLine]:
    """All tasks: open ones first, the next due on top, then those that ended, the last one first. Raises `NotFound`."""
    must_exist(session, incident_id)
    rows = session.exec(select(Task).where(Task.incident_id == incident_id).order_by(col(Task.number))).all()
    lines = [_line(store, row) for row in rows]
    never = max((line.due_at for line in lines if line.due_at is not None), default=None)
    waiting = sorted(
        (line for line in lines if line.is_open),
        key=lambda line: (line.due_at is None, line.due_at or never or line.opened_at),
    )
    ended = [line for line in lines if not line.is_open]
    return [*waiting, *sorted(ended, key=lambda line: line.ended_at or line.opened_at, reverse=True)]


def _line(store: Store, row: Task) -> TaskLine:
    said = store.open(row, incident_id=row.incident_id)
    return TaskLine(
        id=row.id,
        label=label_of(row),
        title=said["title"],
        owner=said["owner"],
        state=row.state,
        opened_at=row.opened_at,
        opened_by=row.opened_by,
        due_at=row.due_at,
        ended_at=row.ended_at,
        result=said["result"],
    )
