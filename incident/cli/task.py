"""`incident task`: something to do, whose it is, until when."""

from __future__ import annotations

import typer

from incident.cli.desk import desk_of
from incident.cli.record import ID, in_full, read_time

GROUP = "task"
app = typer.Typer(
    rich_markup_mode=None, add_completion=False, help="Tasks: add, done, drop, list.", no_args_is_help=True
)
TASK = typer.Argument(..., metavar="TASK", help="The task, for example T1.")
_STATES = {
    "en": {"open": "open", "done": "done", "dropped": "dropped", "overdue": "OVERDUE"},
    "zh-Hans": {"open": "未完成", "done": "已完成", "dropped": "已取消", "overdue": "已逾期"},
}


@app.command("add", help="Give somebody something to do.")
def add(
    ctx: typer.Context,
    incident_id: str = ID,
    title: str = typer.Argument(..., metavar="TITLE", help="What is to be done."),
    owner: str | None = typer.Option(None, "--owner", metavar="NAME", help="Whose task it is; else yours."),
    due: str | None = typer.Option(
        None, "--due", metavar="TIME", help="Until when: 08:00, tomorrow 08:00, +48h."
    ),
) -> None:
    from incident.record.numbers import label_of
    from incident.record.tasks import add_task

    desk = desk_of(ctx)
    due_at = read_time(desk, due, option="--due", future=True, echo=False) if due is not None else None
    whose = desk.actor if owner is None else owner
    with desk.change(incident_id, kind="task.added") as change:
        row = add_task(desk.store, change, incident_id, title, owner=whose, due_at=due_at)
    until = f", due {in_full(desk, due_at)}" if due_at is not None else ", without a time"
    desk.lines(
        [f"{label_of(row)} for {whose.strip()}{until}"],
        document={"incident": incident_id, "task": label_of(row), "owner": whose.strip(), "due_at": due_at},
    )


@app.command("done", help="Say that a task was done, and what came of it.")
def done(
    ctx: typer.Context,
    incident_id: str = ID,
    task: str = TASK,
    result: str = typer.Option("", "--result", help="What came of it."),
) -> None:
    from incident.record.numbers import label_of
    from incident.record.tasks import TaskState, end_task

    desk = desk_of(ctx)
    with desk.change(incident_id, kind="task.done") as change:
        row = end_task(desk.store, change, incident_id, task, state=TaskState.DONE, result=result)
    desk.lines(
        [f"{label_of(row)} is done"],
        document={"incident": incident_id, "task": label_of(row), "state": row.state},
    )


@app.command("drop", help="Say that a task will not be done, and why.")
def drop(
    ctx: typer.Context,
    incident_id: str = ID,
    task: str = TASK,
    reason: str = typer.Option(..., "--reason", help="Why it will not be done."),
) -> None:
    from incident.record.numbers import label_of
    from incident.record.tasks import TaskState, end_task

    desk = desk_of(ctx)
    with desk.change(incident_id, kind="task.dropped") as change:
        row = end_task(desk.store, change, incident_id, task, state=TaskState.DROPPED, result=reason)
    desk.lines(
        [f"{label_of(row)} is dropped"],
        document={"incident": incident_id, "task": label_of(row), "state": row.state},
    )


@app.command("list", help="List the open tasks, the next due first; with --all those that ended too.")
def list_(
    ctx: typer.Context,
    incident_id: str = ID,
    everything: bool = typer.Option(False, "--all", help="Show done and dropped tasks too."),
) -> None:
    from incident.record.tasks import list_tasks

    desk = desk_of(ctx)
    desk.must_be_readable(incident_id)
    with desk.store.read() as session:
        lines = list_tasks(session, desk.store, incident_id)
    now, words = desk.now(), _STATES[desk.language]
    shown = [line for line in lines if line.is_open or everything]
    rows = [
        (
            line.label,
            line.title,
            line.owner,
            line.due_at,
            words["overdue" if line.is_overdue(now) else line.state],
            line.ended_at,
            line.result,
        )
        for line in shown
    ]
    document = {
        "incident": incident_id,
        "tasks": [{**vars(line), "overdue": line.is_overdue(now)} for line in shown],
    }
    desk.table(("Task", "What", "Owner", "Due", "State", "Ended", "Result"), rows, document=document)
