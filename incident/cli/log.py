"""`incident log` and `incident measures`: what people did and saw."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of
from incident.cli.record import ID, in_full, read_time
from incident.errors import BadInput, WrongUsage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from incident.duties.evaluating import DutyChange
    from incident.record.log import Entered

app = typer.Typer(rich_markup_mode=None, add_completion=False)
_MOST_BYTES = 1 << 20


@app.command("log", help="Log what people did and saw; with --measure it is a measure taken.")
def log(
    ctx: typer.Context,
    incident_id: str = ID,
    text: str = typer.Argument(..., metavar="TEXT", help="What was done or seen; - reads standard input."),
    at: str | None = typer.Option(
        None, "--at", metavar="TIME", help="When it happened: 01:50, yesterday 23:50, -10m; else now."
    ),
    by: str | None = typer.Option(None, "--by", help="Who did or saw it; else you."),
    measure: str | None = typer.Option(
        None, "--measure", metavar="ACTION", help="For example contain.disable-endpoint."
    ),
    no_measure: bool = typer.Option(
        False, "--no-measure", help="With --corrects: it was no measure after all."
    ),
    evidence: list[Path] = typer.Option(
        [], "--evidence", metavar="FILE", help="A file that shows it; may be repeated."
    ),
    corrects: str | None = typer.Option(
        None,
        "--corrects",
        metavar="ENTRY",
        help="The entry that this one replaces; what is not said is kept.",
    ),
) -> None:
    from incident.ops.house import evaluate
    from incident.record.evidence import put_evidence, take_files
    from incident.record.log import Said, enter
    from incident.response.runner import poke_runs

    desk = desk_of(ctx)
    said = _text(text)
    if not said.strip():
        raise WrongUsage(
            "the text is empty", where="TEXT", next_step="say in a few words what was done or seen"
        )
    happened = read_time(desk, at, option="--at", echo=False) if at is not None else None
    changes: list[DutyChange] = []
    with (
        take_files(desk.store, incident_id, evidence, blobs=desk.paths.blobs) as files,
        desk.change(incident_id, kind="log.entered") as change,
    ):
        kept = [
            put_evidence(change, incident_id, each, by=by or desk.actor, note=said.strip()) for each in files
        ]
        entered = enter(
            desk.store,
            change,
            incident_id,
            Said(said, happened, by, measure, no_measure, [each.id for each in kept] or None),
            corrects=corrects,
        )
        if entered.touches_measures:
            changes = evaluate(desk.house, change, incident_id)
            poke_runs(change.session, incident_id)
    desk.lines(
        _told(desk, entered, changes, [f"{each.name}, SHA-256 {each.sha256}" for each in kept]),
        document={
            "incident": incident_id,
            "entry": entered.row.id,
            "at": entered.row.at,
            "by": entered.by,
            "measure": entered.row.action,
            "corrects": entered.row.corrects,
            "evidence": list(entered.evidence),
            "changes": [
                {"duty": each.duty_id, "change": each.kind, "due_at": each.after} for each in changes
            ],
        },
    )


@app.command("measures", help="List the measures that the log and playbooks know.")
def measures(ctx: typer.Context) -> None:
    from incident.record.measures import measure_catalogue

    desk = desk_of(ctx)
    known = measure_catalogue().values()
    rows = [(each.id, each.title["zh-Hans"], each.title["en"], each.undo or "") for each in known]
    document = [
        {
            "measure": each.id,
            "title": dict(each.title),
            "public": dict(each.public),
            "undo": each.undo,
            "evidence_first": each.evidence_first,
        }
        for each in known
    ]
    desk.table(("Measure", "中文", "English", "Undone by"), rows, document=document)


_WORDS = {
    "en": {
        "logged": "logged for {when}, by {by}, as {entry}",
        "corrects": "it replaces {old}; the old entry stays in the timeline",
        "measure": "measure taken: {action} ({title})",
        "no_measure": "no measure any more: {action} ({title})",
        "evidence": "in custody: {file}",
        "unchanged": "the duties stand as before",
    },
    "zh-Hans": {
        "logged": "已记录：{when}，由{by}所做或所见，编号 {entry}",
        "corrects": "更正了 {old}；原记录仍保留在时间线中",
        "measure": "计为已采取的措施：{action}（{title}）",
        "no_measure": "不再计为措施：{action}（{title}）",
        "evidence": "证据已入库：{file}",
        "unchanged": "各项义务没有变化",
    },
}


def _told(desk: Desk, entered: Entered, changes: Sequence[DutyChange], files: Sequence[str]) -> list[str]:
    from incident.cli.wording import duty_changes
    from incident.record.measures import measure_named

    words, row = _WORDS[desk.language], entered.row
    lines = [words["logged"].format(when=in_full(desk, row.at), by=entered.by, entry=row.id[:8])]
    if row.corrects is not None:
        lines.append(words["corrects"].format(old=row.corrects[:8]))
    if entered.was is not None and entered.was != row.action:
        title = measure_named(entered.was).title[desk.language]
        lines.append(words["no_measure"].format(action=entered.was, title=title))
    if row.action is not None:
        title = measure_named(row.action).title[desk.language]
        lines.append(words["measure"].format(action=row.action, title=title))
    lines += [words["evidence"].format(file=file) for file in files]
    if entered.touches_measures:
        lines += duty_changes(desk, changes) or [words["unchanged"]]
    return lines


def _text(text: str) -> str:
    """The text as given, or standard input for `-`. Raises `BadInput`."""
    if text != "-":
        return text
    raw = sys.stdin.buffer.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        raise BadInput(
            "standard input has more than 1 MB",
            where="TEXT",
            next_step="say the essence here, and take the file into custody: --evidence FILE",
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"standard input is no UTF-8 (byte {error.start})",
            where="TEXT",
            next_step="save it as UTF-8, or take the file into custody: --evidence FILE",
        ) from None
