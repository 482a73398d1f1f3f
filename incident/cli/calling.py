"""Calling people at the terminal: call, ack, calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import Desk, desk_of
from incident.cli.record import ID
from incident.errors import WrongUsage

if TYPE_CHECKING:
    from incident.store.tables import Summons, SummonsCall

app = typer.Typer(rich_markup_mode=None, add_completion=False)
_WORDS = {
    "en": {
        "called": "{id}: {whom} is called",
        "nobody": "nobody can be reached, so nobody is called; incident operator reach NAME --url URL",
        "unasked": "{id}: nobody is being called",
        "answered": "answered by {who}",
        "settled": "settled",
        "standing": "UNANSWERED",
        "calling": "calling; next round {next}",
        "under way": "under way",
        "needs": "needs somebody ({role}) since {since}, round {round}: {about}",
        "unanswered": "needs somebody ({role}) since {since}, NOBODY ANSWERED: {about}",
        "acked": "{who} is on it: {what} (asked {since}). The calls end; nothing is decided.",
    },
    "zh-Hans": {
        "called": "{id}：正在呼叫 {whom}",
        "nobody": "没有任何人登记了联系方式，因此没有呼叫任何人；请用 incident operator reach NAME --url URL 登记",
        "unasked": "{id}：目前没有在呼叫任何人",
        "answered": "{who} 已接手",
        "settled": "已处理",
        "standing": "无人应答",
        "calling": "呼叫中，下一轮 {next}",
        "under way": "呼叫中",
        "needs": "{since} 起需要有人处理（{role}，第 {round} 轮呼叫）：{about}",
        "unanswered": "{since} 起需要有人处理（{role}），至今无人应答：{about}",
        "acked": "{who} 已接手：{what}（{since} 发起）。呼叫到此为止；没有因此作出任何决定。",
    },
}


@app.command("call", help="Call somebody: everybody with a role, or one operator; then deputies, then all.")
def call(
    ctx: typer.Context,
    incident_id: str = ID,
    role: str | None = typer.Option(None, "--role", help="Whoever has this role."),
    operator: str | None = typer.Option(None, "--operator", metavar="NAME", help="This one first."),
    text: str = typer.Option("", "--text", help="What for; it is recorded, and not sent."),
) -> None:
    from incident.ops.worker import Worker
    from incident.record.incidents import must_be_open
    from incident.record.operators import Role, operator_named, read_roles
    from incident.record.reaches import nobody_can_be_called
    from incident.record.summons import Reason, summon, waits_for_its_first_call

    desk = desk_of(ctx)
    if (role is None) == (operator is None):
        raise WrongUsage("say whom to call", where="incident call", next_step="give --role or --operator")
    wanted = Role.RESPONDER
    if role is not None:
        if "," in role:
            raise WrongUsage("one role is called at a time", where="--role", next_step="call once for each")
        [wanted] = read_roles(role)
    with desk.change(incident_id, kind="summons.asked") as change:
        must_be_open(change.session, incident_id)
        named = operator_named(change.session, operator).name if operator is not None else ""
        summons_id = summon(
            change,
            desk.store,
            incident_id,
            reason=Reason.PERSON,
            subject_id=f"operator {named}" if named else f"role {wanted}",
            role=wanted,
            text={desk.language: text} if text else {},
            operator=named,
        )
    words = _WORDS[desk.language]
    with desk.store.read() as session:
        unreachable = nobody_can_be_called(session, desk.store)
    if unreachable:
        desk.say(f"warning: {words['nobody']}")

    def called() -> bool:
        with desk.store.read() as session:
            return not waits_for_its_first_call(session, summons_id)

    Worker(desk.house, sends=False).work_until(called)
    document = _summons_of(desk, incident_id, only=summons_id)[0]
    lines = [] if unreachable else [words["called"].format(id=incident_id, whom=named or wanted)]
    desk.lines([*lines, *(_call_line(desk, each) for each in document["calls"])], document=document)


@app.command("ack", help="Say that you are on it: the calls end, and nothing is decided.")
def ack(ctx: typer.Context, incident_id: str = ID) -> None:
    from incident.record.summons import answer_summons, open_summons

    desk = desk_of(ctx)
    words = _WORDS[desk.language]
    actor = desk.actor
    desk.must_be_readable(incident_id)
    with desk.store.read() as session:
        asked = open_summons(session, incident_id)
    if asked:
        with desk.change(incident_id, kind="summons.answered", actor=actor) as change:
            asked = answer_summons(change, incident_id)
    said = [
        words["acked"].format(who=each.answered_by, what=_about(desk, each), since=desk.show(each.asked_at))
        for each in asked
    ]
    document = {
        "incident": incident_id,
        "answered": [{"summons": each.id, "reason": each.reason, "by": each.answered_by} for each in asked],
    }
    desk.lines(said or [words["unasked"].format(id=incident_id)], document=document)


@app.command("calls", help="Show for what people were called in an incident, who, and what came of it.")
def calls(ctx: typer.Context, incident_id: str = ID) -> None:
    desk = desk_of(ctx)
    desk.must_be_readable(incident_id)
    words = _WORDS[desk.language]
    found = _summons_of(desk, incident_id)
    rows = []
    for each in found:
        first = (each["asked_at"], each["about"], each["role"], _state(desk, each))
        made = each["calls"] or [None]
        for number, one in enumerate(made):
            called = (
                ("", "", "", "")
                if one is None
                else (one["round"], one["operator"], one["to"], one["outcome"] or words["under way"])
            )
            rows.append((*(first if not number else ("", "", "", "")), *called))
    columns = ("Asked", "For", "Role", "State", "Round", "Called", "Over", "Outcome")
    desk.table(columns, rows, document={"incident": incident_id, "summons": found})


# -- for `list` and `show` -----------------------------------------------------------------------------


def roles_needed(desk: Desk) -> dict[str, str]:
    """For each incident that somebody is called for, the roles; `UNANSWERED` where all were called in vain."""
    from incident.store.standing import somebody_is_called

    with desk.store.read() as session:
        if not somebody_is_called(session):
            return {}
        from incident.record.summons import is_unanswered, open_summons

        asked = open_summons(session)
    roles: dict[str, dict[str, None]] = {}
    for row in asked:
        mine = roles.setdefault(row.incident_id, {})
        mine[row.role] = None
        if is_unanswered(row):
            mine["UNANSWERED"] = None
    return {incident_id: ", ".join(words) for incident_id, words in roles.items()}


def needs_as_document(desk: Desk, incident_id: str) -> list[dict[str, Any]]:
    """What somebody is called for in an incident now."""
    from incident.store.standing import somebody_is_called

    with desk.store.read() as session:
        if not somebody_is_called(session, incident_id):
            return []
        from incident.record.summons import is_unanswered, open_summons

        asked = open_summons(session, incident_id)
    return [
        {
            "role": row.role,
            "about": _about(desk, row),
            "since": row.asked_at,
            "round": row.level,
            "unanswered": is_unanswered(row),
        }
        for row in asked
    ]


def needs_in_words(desk: Desk, incident_id: str) -> list[str]:
    """The same as lines for a person."""
    words = _WORDS[desk.language]
    return [
        words["unanswered" if each["unanswered"] else "needs"].format(
            about=each["about"], role=each["role"], since=desk.show(each["since"]), round=each["round"]
        )
        for each in needs_as_document(desk, incident_id)
    ]


def _summons_of(desk: Desk, incident_id: str, *, only: str | None = None) -> list[dict[str, Any]]:
    from incident.record.operators import list_operators
    from incident.record.summons import all_summons, calls_of, is_unanswered

    names = {each.id: each.name for each in list_operators(desk.store)}
    with desk.store.read() as session:
        asked = [each for each in all_summons(session, incident_id) if only in (None, each.id)]
        made = {each.id: calls_of(session, each.id) for each in asked}
    return [
        {
            "summons": each.id,
            "incident": incident_id,
            "reason": each.reason,
            "about": _about(desk, each),
            "role": each.role,
            "asked_at": each.asked_at,
            "round": each.level,
            "next_at": each.next_at,
            "answered_at": each.answered_at,
            "answered_by": each.answered_by,
            "ended_at": each.ended_at,
            "unanswered": is_unanswered(each),
            "calls": [_call_document(desk, one, names) for one in made[each.id]],
        }
        for each in asked
    ]


def _call_document(desk: Desk, row: SummonsCall, names: dict[str, str]) -> dict[str, Any]:
    content = desk.store.open(row, incident_id=row.incident_id)
    return {
        "operator": names.get(row.operator_id, row.operator_id),
        "round": row.level,
        "to": content["to"],
        "called_at": row.called_at,
        "outcome": row.outcome,
        "words": content["words"],
        "tries": content["tries"],
    }


def _call_line(desk: Desk, each: dict[str, Any]) -> str:
    said = f" ({each['words']})" if each["words"] else ""
    outcome = each["outcome"] or _WORDS[desk.language]["under way"]
    return f"  {each['operator']}  {each['to']}  {outcome}{said}"


def _about(desk: Desk, row: Summons) -> str:
    from incident.record.summons import REASON_TITLES, Reason

    label = desk.store.open(row, incident_id=row.incident_id).get("label", "")
    title = REASON_TITLES[Reason(row.reason)][desk.language]
    return f"{title} ({label})" if label else title


def _state(desk: Desk, each: dict[str, Any]) -> str:
    words = _WORDS[desk.language]
    if each["answered_by"]:
        return words["answered"].format(who=each["answered_by"])
    if each["ended_at"]:
        return words["settled"]
    if each["unanswered"]:
        return words["standing"]
    return words["calling"].format(next=desk.show(each["next_at"]))
