"""`incident undo`: take back what a run contained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import Desk, desk_of
from incident.cli.playbooks import RUN, follow, must_be_able_to_work, print_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from incident.record.facts import LocalText
    from incident.response.undoing import UndoAct

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_WORDS = {
    "en": {
        "head": "an undo of {run} would do this, in this order; nothing was sent",
        "approve": "somebody else than you must agree: {text}",
        "ask": "{whom} would be asked: {text}",
        "if_failed": "only if that fails: ",
        "here": "this machine",
        "started": "{run} started: it takes back what {of} contained",
        "left": "not taken back, because nothing does: {label} {title}",
    },
    "zh-Hans": {
        "head": "撤回 {run} 将依次执行以下操作；目前没有发出任何内容",
        "approve": "须由您以外的人同意：{text}",
        "ask": "将请{whom}处理：{text}",
        "if_failed": "仅在上一步失败时：",
        "here": "本机",
        "started": "{run} 已开始：撤回 {of} 采取的遏制措施",
        "left": "无法撤回：{label} {title}",
    },
}


@app.command("undo", help="Take back what a run contained, in reverse order.")
def undo(
    ctx: typer.Context,
    run_id: str = RUN,
    step: str | None = typer.Option(
        None, "--step", metavar="STEP", help="Only this step, by its short name, or as C2."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Show exactly what would be sent where."),
    reason: str = typer.Option("", "--reason", help="Why."),
    detach: bool = typer.Option(False, "--detach", help="Only start it; a worker does the rest."),
) -> None:
    from incident.response.runner import run_named
    from incident.response.undoing import start_undo

    desk = desk_of(ctx)
    if dry_run:
        _show(desk, run_id, step)
        return
    if not detach:
        must_be_able_to_work(desk)
    with desk.store.read() as session:
        incident_id = run_named(session, run_id).incident_id
    with desk.change(incident_id, kind="run.undone") as change:
        undo_run, left = start_undo(change, desk.store, run_id, step=step, reason=reason)
    desk.say(_WORDS[desk.language]["started"].format(run=undo_run, of=run_id))
    for line in _left(desk, left):
        desk.say(line)
    if not detach:
        follow(desk, undo_run)
    print_run(desk, undo_run)


def _show(desk: Desk, run_id: str, step: str | None) -> None:
    from incident.response.undoing import plan_undo

    with desk.store.read() as session:
        plan = plan_undo(session, desk.store, run_id, step=step, now=desk.now())
    lines = [_WORDS[desk.language]["head"].format(run=run_id)]
    for number, act in enumerate(plan.acts, start=1):
        lines += [f"{number}. {line}" if first else f"   {line}" for first, line in _act(desk, act)]
    desk.lines(
        [*lines, *_left(desk, plan.left)],
        document={
            "run": run_id,
            "incident": plan.incident_id,
            "would_do": [_document(each) for each in plan.acts],
            "left": [{"containment": label, "title": dict(title)} for label, title in plan.left],
        },
    )


def _act(desk: Desk, act: UndoAct) -> list[tuple[bool, str]]:
    from incident.record.facts import in_language

    words, whom = _WORDS[desk.language], in_language(act.whom, desk.language)
    title = in_language(act.title, desk.language)
    before = words["if_failed"] if act.only_if_it_fails else ""
    if act.text:
        how = words["approve" if act.kind == "ask_approval" else "ask"]
        text = how.format(whom=whom, text=in_language(act.text, desk.language))
        return [(True, f"{before}{title}"), (False, text)]
    where = act.host or words["here"]
    sent = [act.request, *act.content.splitlines()]
    return [(True, f"{title} → {whom} ({act.kind}, {where})"), *((False, line) for line in sent)]


def _left(desk: Desk, left: Sequence[tuple[str, LocalText]]) -> list[str]:
    from incident.record.facts import in_language

    words = _WORDS[desk.language]
    return [
        words["left"].format(label=label, title=in_language(title, desk.language)) for label, title in left
    ]


def _document(act: UndoAct) -> dict[str, Any]:
    return {
        "title": dict(act.title),
        "whom": dict(act.whom),
        "kind": act.kind,
        "text": dict(act.text),
        "request": act.request,
        "host": act.host,
        "content": act.content,
        "only_if_it_fails": act.only_if_it_fails,
    }
