"""`incident hold`: silence that somebody asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import Desk, desk_of
from incident.cli.record import ID, read_time
from incident.errors import TocsinError

if TYPE_CHECKING:
    from incident.ops.orders import AlreadyOut
    from incident.record.holds import Conflict, Cover, HoldLine

GROUP = "hold"
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="Silence asked for by police or counsel: add, extend, accept, lift, list, show.",
    no_args_is_help=True,
)
HOLD = typer.Argument(..., metavar="HOLD", help="The hold, for example H1.")
COVERS = "people,public,selfcheck,chat"

_WORDS = {
    "en": {
        "stands": "{label} stands until {until}; then it asks, and goes on standing until a person lifts it",
        "ended": "{label} was asked for until {until}; it still stands until a person lifts it or extends it",
        "lifted": "{label} was lifted on {lifted}: {why}",
        "covers": "held back: {covers}",
        "by": "asked for by {by}",
        "officer": "officer: {officer}",
        "paper": "paper: {paper}",
        "reason": "reason: {reason}",
        "out": "already out, and not called back: {people} people told, {pages} public pages",
        "conflict": "conflicts with {duty}, {article} ({title})",
        "conflict_since": "conflicts by now with {duty}, {article} ({title})",
        "no_conflict": "conflicts with no duty to tell people, as the record stands",
        "go_on": "duties to authorities go on: {duties}",
        "go_on_none": "duties to authorities go on as they arise",
        "accepted": "the risk is accepted by {names} (signed)",
        "open": "risk not accepted yet; counsel or an approver signs: `incident --as NAME hold accept {id} {label}`",
        "open_short": "risk not accepted yet",
        "may_go": "may go out now: {covers}",
        "none_may_go": "nothing may go out yet: another hold covers the same",
        "line": "{label} ({by}) holds back {covers} until {until}; {risk}",
        "line_ended": "{label} ({by}) still holds back {covers}, its time was over at {until}: lift or extend it; {risk}",
        "accepted_short": "risk accepted by {names}",
        "state_stands": "stands",
        "state_ended": "time is over, waits for a decision",
        "state_lifted": "lifted",
        "comma": ", ",
    },
    "zh-Hans": {
        "stands": "{label} 生效至 {until}；届时系统会询问，由人解除之前一直有效",
        "ended": "{label} 的期限 {until} 已过；由人解除或者延长之前仍然有效",
        "lifted": "{label} 已于 {lifted} 解除：{why}",
        "covers": "暂不发出：{covers}",
        "by": "要求方：{by}",
        "officer": "经办人：{officer}",
        "paper": "文书：{paper}",
        "reason": "理由：{reason}",
        "out": "此前已经发出、无法收回：已通知 {people} 人，公开页面 {pages} 个",
        "conflict": "与 {duty} 冲突，{article}（{title}）",
        "conflict_since": "目前还与 {duty} 冲突，{article}（{title}）",
        "no_conflict": "按目前的记录，不与通知个人的义务冲突",
        "go_on": "向主管部门履行的义务照常进行：{duties}",
        "go_on_none": "向主管部门履行的义务照常进行",
        "accepted": "风险由 {names} 签名承担",
        "open": "风险尚无人承担；请法务或审批人签名：`incident --as NAME hold accept {id} {label}`",
        "open_short": "风险尚无人承担",
        "may_go": "现在可以发出：{covers}",
        "none_may_go": "暂时还不能发出：另有保密要求涵盖同样的内容",
        "line": "{label}（{by}）要求在 {until} 之前暂不发出：{covers}；{risk}",
        "line_ended": "{label}（{by}）的期限 {until} 已过，{covers}仍不发出，请解除或者延长；{risk}",
        "accepted_short": "风险由 {names} 承担",
        "state_stands": "有效",
        "state_ended": "期限已过，等待决定",
        "state_lifted": "已解除",
        "comma": "、",
    },
}


@app.command(
    "add",
    short_help="Hold back what leaves, from now on.",
    help="Hold back what leaves, from now on; with --as NAME (counsel or approver) the risk is accepted too.",
)
def add(
    ctx: typer.Context,
    incident_id: str = ID,
    by: str = typer.Option(..., "--by", help="Who asks for it, for example police."),
    until: str = typer.Option(..., "--until", metavar="TIME", help="For example +48h, or 2026-11-24 08:00."),
    covers: str = typer.Option(COVERS, "--covers", help="people, public, selfcheck, chat, calendar."),
    officer: str = typer.Option("", "--officer", metavar="NAME", help="Who there asked."),
    paper: str = typer.Option("", "--paper", metavar="REF", help="On what paper."),
    reason: str = typer.Option("", "--reason", help="Why."),
) -> None:
    from incident.ops.orders import Silence, already_out, hold_back
    from incident.record.holds import read_covers
    from incident.record.numbers import label_of

    desk = desk_of(ctx)
    silence = Silence(
        by=by,
        covers=read_covers(covers),
        until=read_time(desk, until, option="--until", future=True, echo=False),
        officer=officer,
        paper=paper,
        reason=reason,
    )
    # Silence first: it must not wait until somebody has signed.
    with desk.change(incident_id, kind="hold.placed") as change:
        row = hold_back(desk.house, change, incident_id, silence)
    label = label_of(row)
    if desk.operator is not None:
        try:
            _accept(desk, incident_id, label, reason)
        except TocsinError as error:
            desk.say(f"{label} stands, but its risk was not accepted: {error.what}")
    with desk.store.read() as session:
        out = already_out(session, incident_id)
    _show(desk, incident_id, label, out=out)


@app.command("extend", help="Let a hold last longer; its risk is to be accepted anew.")
def extend(
    ctx: typer.Context,
    incident_id: str = ID,
    label: str = HOLD,
    until: str = typer.Option(..., "--until", metavar="TIME", help="For example +24h, or 2026-11-24 08:00."),
) -> None:
    from incident.record.holds import extend_hold

    desk = desk_of(ctx)
    moment = read_time(desk, until, option="--until", future=True, echo=False)
    with desk.change(incident_id, kind="hold.extended") as change:
        extend_hold(change, desk.store, incident_id, label, until=moment)
    _show(desk, incident_id, label)


@app.command("accept", help="Accept the risk of a hold as it stands (signed).")
def accept(
    ctx: typer.Context,
    incident_id: str = ID,
    label: str = HOLD,
    reason: str = typer.Option("", "--reason", help="Why."),
) -> None:
    desk = desk_of(ctx)
    _accept(desk, incident_id, label, reason)
    _show(desk, incident_id, label)


@app.command("lift", help="Lift a hold (signed): what it held back goes out.")
def lift(
    ctx: typer.Context,
    incident_id: str = ID,
    label: str = HOLD,
    reason: str = typer.Option(..., "--reason", help="Who agreed, and why."),
) -> None:
    from incident.ops.orders import let_go_on
    from incident.record.decisions import Signer, signing_ahead

    desk = desk_of(ctx)
    signer = desk.signer()

    def act(signer: Signer) -> tuple[Cover, ...]:
        with desk.change(incident_id, kind="hold.lifted", actor=signer.name) as change:
            return let_go_on(desk.house, change, incident_id, label, signer=signer, reason=reason)[1]

    freed = signing_ahead(signer, act)
    _show(desk, incident_id, label, freed=freed)


@app.command("list", help="The holds of an incident, also lifted ones.")
def list_(ctx: typer.Context, incident_id: str = ID) -> None:
    from incident.record.holds import list_holds

    desk = desk_of(ctx)
    desk.must_be_readable(incident_id)
    with desk.store.read() as session:
        found = list_holds(session, desk.store, incident_id)
    rows = [
        (
            each.label,
            _covers(desk, each.covers),
            each.by,
            each.until_at,
            _state(desk, each),
            _risk(desk, each),
        )
        for each in found
    ]
    document = {"incident": incident_id, "holds": [hold_document(desk, each) for each in found]}
    desk.table(("Hold", "Holds back", "Asked for by", "Until", "State", "Risk"), rows, document=document)


@app.command("show", help="A hold with all that it says.")
def show(ctx: typer.Context, incident_id: str = ID, label: str = HOLD) -> None:
    desk = desk_of(ctx)
    desk.must_be_readable(incident_id)
    _show(desk, incident_id, label)


def standing_holds(desk: Desk, incident_id: str) -> list[HoldLine]:
    """The holds of an incident that stand, for other commands to show."""
    from incident.store.standing import hold_stands

    with desk.store.read() as session:
        if not hold_stands(session, incident_id):
            return []
        from incident.record.holds import list_standing_holds

        return list_standing_holds(session, desk.store, incident_id)


def one_line(desk: Desk, each: HoldLine) -> str:
    """A standing hold in one line, with whether its risk is accepted."""
    from incident.record.holds import HoldState

    which = "line_ended" if each.state_at(desk.now()) is HoldState.ENDED else "line"
    return _say(
        desk,
        which,
        label=each.label,
        by=each.by,
        covers=_covers(desk, each.covers),
        until=desk.show(each.until_at),
        risk=_risk(desk, each),
    )


def hold_document(desk: Desk, each: HoldLine) -> dict[str, Any]:
    """A hold as plain data."""
    return {
        "hold": each.label,
        "state": str(each.state_at(desk.now())),
        "covers": [str(cover) for cover in each.covers],
        "by": each.by,
        "officer": each.officer,
        "paper": each.paper,
        "reason": each.reason,
        "placed_at": each.placed_at,
        "placed_by": each.placed_by,
        "until": each.until_at,
        "conflicts": [conflict_document(one) for one in each.conflicts],
        "accepted_by": list(each.accepted_by),
        "lifted_at": each.lifted_at,
        "lifted_why": each.lifted_why,
    }


def conflict_document(each: Conflict) -> dict[str, Any]:
    """A duty that a hold conflicts with, as plain data."""
    return {"duty": each.duty, "article": each.article, "title": dict(each.title)}


def _accept(desk: Desk, incident_id: str, label: str, reason: str) -> None:
    from incident.record.decisions import Signer, signing_ahead
    from incident.record.holds import accept_hold

    signer = desk.signer()

    def act(signer: Signer) -> None:
        with desk.change(incident_id, kind="hold.accepted", actor=signer.name) as change:
            drill = desk.house.drill
            accept_hold(change, desk.store, incident_id, label, signer=signer, drill=drill, reason=reason)

    signing_ahead(signer, act)


def _show(
    desk: Desk,
    incident_id: str,
    label: str,
    *,
    out: AlreadyOut | None = None,
    freed: tuple[Cover, ...] | None = None,
) -> None:
    from incident.duties.evaluating import settled_duties
    from incident.ops.orders import conflicts, duties_that_go_on
    from incident.record.dossier import dossier_in
    from incident.record.holds import hold_called

    with desk.store.read() as session:
        line = hold_called(session, desk.store, incident_id, label)
        dossier = dossier_in(session, desk.store, incident_id)
        findings = desk.house.findings(dossier)
        go_on = duties_that_go_on(session, incident_id, findings)
        now_against = conflicts(findings, line.covers, met=settled_duties(session, incident_id))
    known = {each.duty for each in line.conflicts}
    since = [each for each in now_against if line.stands and each.duty not in known]
    document: dict[str, Any] = {
        "incident": incident_id,
        **hold_document(desk, line),
        "conflicts_since": [conflict_document(each) for each in since],
        "duties_that_go_on": go_on,
    }
    if out is not None:
        document["already_out"] = {"people": out.people, "public_pages": out.pages}
    if freed is not None:
        document["may_go_out_now"] = [str(cover) for cover in freed]
    lines = _lines(desk, incident_id, line, since, go_on, out)
    if freed is not None:
        word = "may_go" if freed else "none_may_go"
        lines = [lines[0], _say(desk, word, covers=_covers(desk, freed))]
    desk.lines(lines, document=document)


def _lines(
    desk: Desk,
    incident_id: str,
    line: HoldLine,
    since: Sequence[Conflict],
    go_on: Sequence[str],
    out: AlreadyOut | None,
) -> list[str]:
    language = desk.language
    said = [
        _say(
            desk,
            str(line.state_at(desk.now())),
            label=line.label,
            until=desk.show(line.until_at),
            lifted=desk.show(line.lifted_at),
            why=line.lifted_why,
        ),
        _say(desk, "covers", covers=_covers(desk, line.covers)),
        _say(desk, "by", by=line.by),
    ]
    for name in ("officer", "paper", "reason"):
        if value := getattr(line, name):
            said.append(_say(desk, name, **{name: value}))
    if out is not None and (out.people or out.pages):
        said.append(_say(desk, "out", people=out.people, pages=out.pages))
    said += [
        _say(desk, word, duty=one.duty, article=one.article, title=one.title[language])
        for word, found in (("conflict", line.conflicts), ("conflict_since", since))
        for one in found
    ] or [_say(desk, "no_conflict")]
    said.append(_say(desk, "go_on", duties=", ".join(go_on)) if go_on else _say(desk, "go_on_none"))
    if line.accepted_by:
        said.append(_say(desk, "accepted", names=", ".join(line.accepted_by)))
    elif line.stands:
        said.append(_say(desk, "open", id=incident_id, label=line.label))
    return said


def _covers(desk: Desk, covers: Sequence[Cover]) -> str:
    from incident.record.holds import COVER_TITLES

    return _say(desk, "comma").join(COVER_TITLES[cover][desk.language] for cover in covers)


def _state(desk: Desk, each: HoldLine) -> str:
    return _say(desk, f"state_{each.state_at(desk.now())}")


def _risk(desk: Desk, each: HoldLine) -> str:
    if each.accepted_by:
        return _say(desk, "accepted_short", names=", ".join(each.accepted_by))
    return _say(desk, "open_short") if each.stands else ""


def _say(desk: Desk, which: str, **values: object) -> str:
    return _WORDS[desk.language][which].format(**values)
