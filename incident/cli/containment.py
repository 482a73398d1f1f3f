"""`incident containment`: what the steps of runs contain, until it is taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from incident.cli.desk import Desk, desk_of
from incident.cli.record import ID, read_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from incident.record.facts import LocalText
    from incident.response.containment_lines import ContainmentLine
    from incident.response.downtime import Downtime

GROUP = "containment"


class _ListsByDefault(TyperGroup):
    """`incident containment ID` is `incident containment list ID`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and not args[0].startswith("-")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ListsByDefault,
    rich_markup_mode=None,
    add_completion=False,
    help="What the steps of runs contain: list, keep.",
)

_WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "empty": "nothing was contained by a run",
        "head": "{label}  {title} ({actions}){on}: {state}",
        "on": " on {whom}",
        "since": "since {since}, by {run} ({step}); owner: {owner}; noticed by: {radius}",
        "checked": "checked by: {by}",
        "until": "until: {until}",
        "way_back": "way back: {how}",
        "commands": "incident undo {run} --step {label} ({kinds})",
        "by_hand": "by hand: {measures}",
        "none": "nothing takes it back",
        "undoing": "by {run}",
        "unknown": "not said",
        "open": "it is taken back",
        "asked": "{until}, over: take it back or keep it",
        "and": ", ",
        "running": "{title}: at least {time} by now ({labels} in force)",
        "was": "{title}: {time} (taken back)",
        "kept": "{label} stays in force until {until}; then somebody is asked again",
    },
    "zh-Hans": {
        "empty": "没有由运行采取的遏制措施",
        "head": "{label}  {title}（{actions}）{on}。{state}",
        "on": "，对象：{whom}",
        "since": "开始时间：{since}，由 {run}（{step}）执行；负责方：{owner}；受影响者：{radius}",
        "checked": "验证方式：{by}",
        "until": "期限：{until}",
        "way_back": "撤回方式：{how}",
        "commands": "incident undo {run} --step {label}（{kinds}）",
        "by_hand": "人工：{measures}",
        "none": "无法撤回",
        "undoing": "由 {run} 执行",
        "unknown": "未说明",
        "open": "撤回为止",
        "asked": "{until}，已到期：请撤回或者延续",
        "and": "、",
        "running": "{title}：截至目前至少 {time}（{labels} 仍然有效）",
        "was": "{title}：{time}（已撤回）",
        "kept": "{label} 继续有效至 {until}，届时会再次询问",
    },
}


@app.command("list", help="List what was contained, and how it is taken back.")
def list_(
    ctx: typer.Context,
    incident_id: str | None = typer.Argument(None, metavar="[ID]", help="Of one incident only."),
) -> None:
    from incident.record.incidents import must_exist
    from incident.response.containment_lines import list_containment
    from incident.response.downtime import downtime_of

    desk = desk_of(ctx)
    if incident_id is not None:
        desk.must_be_readable(incident_id)
    with desk.store.read() as session:
        if incident_id is not None:
            must_exist(session, incident_id)
        found = list_containment(session, desk.store, incident_id)
        incidents = dict.fromkeys(each.incident_id for each in found)
        times = {each: downtime_of(session, desk.store, each, now=desk.now()) for each in incidents}
    if desk.as_json:
        desk.document([_document(each) for each in found])
        return
    lines = [line for each in found for line in _lines(desk, each)]
    lines += [line for each in times.values() for line in downtime_lines(desk, each)]
    for line in lines or [str(_WORDS[desk.language]["empty"])]:
        typer.echo(line)


@app.command("keep", help="Let containment stand until a later time; then somebody is asked again.")
def keep(
    ctx: typer.Context,
    incident_id: str = ID,
    label: str = typer.Argument(..., metavar="NUMBER", help="The containment, for example C1."),
    until: str = typer.Option(..., "--until", metavar="TIME", help="For example +24h, or 2026-11-24 08:00."),
    reason: str = typer.Option(..., "--reason", help="Why it must stand."),
) -> None:
    from incident.record.numbers import label_of
    from incident.record.values import clean_prose
    from incident.response.containment import keep_in_force

    desk = desk_of(ctx)
    end = read_time(desk, until, option="--until")
    why = clean_prose(reason, where="--reason")
    with desk.change(incident_id, kind="containment.kept") as change:
        row = keep_in_force(change, desk.store, incident_id, label, until=end, reason=why)
    words = _WORDS[desk.language]
    desk.lines(
        [words["kept"].format(label=label_of(row), until=desk.show(row.expires_at))],
        document={
            "incident": incident_id,
            "containment": label_of(row),
            "until": row.expires_at,
            "reason": why,
        },
    )


def downtime_lines(desk: Desk, times: Sequence[Downtime]) -> list[str]:
    """What containment interrupted, and for how long by now."""
    from incident.record.facts import field_named, show_seconds

    words = _WORDS[desk.language]
    return [
        words["running" if each.runs else "was"].format(
            title=field_named(each.field).title[desk.language],
            time=show_seconds(each.seconds, language=desk.language),
            labels=words["and"].join(each.labels),
        )
        for each in times
    ]


def running_lines(desk: Desk, incident_id: str) -> list[str]:
    """The times that still run, for those who grade: no fact holds them yet."""
    from incident.response.downtime import downtime_of

    with desk.store.read() as session:
        found = downtime_of(session, desk.store, incident_id, now=desk.now())
    return downtime_lines(desk, [each for each in found if each.runs])


def _lines(desk: Desk, line: ContainmentLine) -> list[str]:
    from incident.response.containment_lines import BLAST_RADIUS, STATES

    words, language = _WORDS[desk.language], desk.language
    values = {
        "label": line.label,
        "title": _said(desk, line.title),
        "actions": ", ".join(line.actions),
        "on": words["on"].format(whom=words["and"].join(_said(desk, each) for each in line.whom))
        if line.whom
        else "",
        "state": STATES[line.state][language],
        "since": desk.show(line.done_at),
        "run": line.run_id,
        "step": line.step,
        "owner": _said(desk, line.owner) or words["unknown"],
        "radius": BLAST_RADIUS[line.blast_radius][language] if line.blast_radius else words["unknown"],
        "by": _said(desk, line.checked_by),
        "until": _until(desk, line),
        "how": _way_back(desk, line),
    }
    parts = ["since", *(["checked"] if line.checked_by else []), "until", "way_back"]
    return [words["head"].format_map(values), *(f"    {words[part].format_map(values)}" for part in parts)]


def _said(desk: Desk, text: LocalText) -> str:
    from incident.record.facts import in_language

    return in_language(text, desk.language) if text else ""


def _until(desk: Desk, line: ContainmentLine) -> str:
    words = _WORDS[desk.language]
    if line.ended_at is not None:
        return desk.show(line.ended_at)
    if line.expires_at is None:
        return str(words["open"])
    until = desk.show(line.expires_at)
    return str(words["asked"].format(until=until)) if line.expires_at <= desk.now() else until


def _way_back(desk: Desk, line: ContainmentLine) -> str:
    from incident.response.containment import ContainmentState
    from incident.response.containment_lines import STATES, WayBack

    words = _WORDS[desk.language]
    if line.state is ContainmentState.UNDONE:
        return STATES[line.state][desk.language]
    if line.state is ContainmentState.UNDOING:
        return str(words["undoing"].format(run=line.undo_run))
    measures = words["and"].join(each[desk.language] for each in line.undo_titles)
    return str(
        {
            WayBack.COMMANDS: words["commands"],
            WayBack.BY_HAND: words["by_hand"],
            WayBack.NONE: words["none"],
        }[line.way_back].format(
            run=line.run_id,
            label=line.label,
            kinds=", ".join(line.undo_kinds),
            measures=measures or ", ".join(line.undo_kinds),
        )
    )


def _document(line: ContainmentLine) -> dict[str, Any]:
    return {
        "containment": line.label,
        "incident": line.incident_id,
        "run": line.run_id,
        "step": line.step,
        "actions": list(line.actions),
        "title": dict(line.title),
        "on": [dict(each) for each in line.whom],
        "state": line.state,
        "since": line.done_at,
        "owner": dict(line.owner),
        "blast_radius": line.blast_radius,
        "checked_by": dict(line.checked_by),
        "verified_at": line.verified_at,
        "until": line.expires_at,
        "asked_at": line.asked_at,
        "ended_at": line.ended_at,
        "interrupts": line.interrupts,
        "way_back": line.way_back,
        "undo": list(line.undo),
        "undo_kinds": list(line.undo_kinds),
        "undo_run": line.undo_run,
    }
