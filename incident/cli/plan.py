"""`incident plan`: how long telling everybody takes, what it costs, whether the deadline and the call centre hold."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import Desk, desk_of
from incident.cli.record import ID, read_time
from incident.cli.waves import planned_waves
from incident.cli.wording import span

if TYPE_CHECKING:
    from datetime import timedelta

    from incident.delivery.forecast import Mailing, Pace
    from incident.delivery.planning import Deadline, Reach

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_SOURCES = {
    "limit": {"en": "the limit over all workers", "zh-Hans": "全部发送程序的限速"},
    "contract": {"en": "what the relay takes by contract", "zh-Hans": "与邮件服务商约定的速率"},
    "measured": {"en": "measured at an earlier sending", "zh-Hans": "以往发送的实测"},
}
_PACES = {
    "as_set": {"en": "as it is set", "zh-Hans": "按现有设置"},
    "for_calls": {"en": "so that the call centre holds", "zh-Hans": "按客服能接听的速度"},
    "for_deadline": {"en": "so that the deadline holds", "zh-Hans": "按期限所需的速度"},
}
_CALLED_FROM_HERE = {
    "en": "Grown-up persons whom these do not reach are called from here by machine.",
    "zh-Hans": "以上方式联系不到的成年人本人，由本工具自动拨打电话告知。",
}
_SENT_FROM_HERE = {
    True: {
        "en": "E-mail leaves from here, and SMS to grown-up persons; other SMS and letters leave by channels of your own.",
        "zh-Hans": "由本工具发送的有电子邮件和发给成年人本人的短信；其余短信和信函由你们自己的渠道发出。",
    },
    False: {
        "en": "Only e-mail is sent from here as it is set; SMS and letters leave by channels of your own.",
        "zh-Hans": "按现有设置，由本工具发送的只有电子邮件；短信和信函由你们自己的渠道发出。",
    },
}
"""By whether SMS are sent."""
_EMAIL = {"en": "E-mail", "zh-Hans": "电子邮件"}
_EMAIL_AND_SMS = {"en": "E-mail and SMS", "zh-Hans": "电子邮件和短信"}
_HOLDS = {True: {"en": "holds", "zh-Hans": "能"}, False: {"en": "does not hold", "zh-Hans": "不能"}}


@app.command(
    "plan", help="How long telling everybody takes, what it costs, and whether deadline and call centre hold."
)
def plan(
    ctx: typer.Context,
    incident_id: str = ID,
    start: str = typer.Option("", "--start", metavar="TIME", help="When the sending begins; now without it."),
) -> None:
    from incident.delivery.forecast import Mailing, paces, seats_needed
    from incident.delivery.planning import (
        call_centre_of,
        deadline_to_tell_people,
        known_rates,
        left_to_send,
    )
    from incident.record.holds import Cover, is_held

    desk = desk_of(ctx)
    reach = _reach(desk, incident_id)
    begins = read_time(desk, start, option="--start", future=True, echo=False) if start else desk.now()
    with desk.store.read() as session:
        left = left_to_send(session, incident_id)
        held = is_held(session, incident_id, Cover.PEOPLE)
        deadline = deadline_to_tell_people(session, incident_id, desk.settings)
        mailing = Mailing(
            people=reach.by_email if left is None else left.people,
            messages=reach.messages if left is None else left.messages,
            starts_at=begins,
            deadline=deadline.at if deadline else None,
            rates=known_rates(session, desk.settings),
            call_centre=call_centre_of(desk.settings.plan),
        )
    found = paces(mailing)
    seats = seats_needed(mailing)
    begun = left is not None
    waves, planned = ([], None) if begun else planned_waves(desk, mailing.people)
    if desk.as_json:
        document = _document(desk, reach, mailing, found, deadline, seats=seats, begun=begun, held=held)
        desk.document({**document, "waves": planned})
        return
    _print_reach(desk, reach)
    typer.echo("")
    _print_paces(desk, mailing, found, begun=begun)
    lines = (
        [*_on_deadline(desk, deadline, found), *_on_calls(desk, mailing, found, seats)]
        if mailing.messages
        else []
    )
    if held:
        lines.append(
            "现有保密要求，解除之前不能发送"
            if desk.language == "zh-Hans"
            else "a hold stands: nothing may be sent to people until it is lifted"
        )
    for line in [*waves, *lines, *_unknown(desk, mailing, reach)]:
        typer.echo(line)


def _reach(desk: Desk, incident_id: str) -> Reach:
    from incident.delivery.message import writes_to_organisations
    from incident.delivery.planning import reach_of_list
    from incident.notice.preview import sms_segments
    from incident.notice.release import assemble
    from incident.record.dossier import load_dossier
    from incident.record.people_stats import leak_end

    dossier = load_dossier(desk.store, incident_id)
    frozen, _ = assemble(dossier, desk.house.bench(dossier), written_at=desk.now())
    with desk.store.read() as session:
        return reach_of_list(
            session,
            desk.store,
            incident_id,
            segments=sms_segments(frozen),
            organisations_told=writes_to_organisations(frozen),
            leak_ended_on=leak_end(session, desk.store, incident_id, zone=desk.zone),
        )


def _sms_cost(desk: Desk, reach: Reach) -> Decimal | None:
    price = desk.settings.sms.price
    return None if price is None else price * reach.segments


def _letter_cost(desk: Desk, reach: Reach) -> Decimal | None:
    price = desk.settings.plan.letter_price
    return None if price is None else price * reach.by_letter


def _sms_takes(desk: Desk, reach: Reach) -> timedelta | None:
    from datetime import timedelta

    rate = desk.settings.plan.sms_per_second
    return timedelta(seconds=reach.segments / rate) if rate else None


def _letters_take(desk: Desk, reach: Reach) -> timedelta | None:
    from datetime import timedelta

    rate = desk.settings.plan.letters_per_day
    return timedelta(days=reach.by_letter / rate) if rate else None


def _print_reach(desk: Desk, reach: Reach) -> None:
    from incident.delivery.next_means import calls_by_machine, sends_sms

    zh = desk.language == "zh-Hans"
    currency = desk.settings.sms.currency
    sms, letters = _sms_cost(desk, reach), _letter_cost(desk, reach)
    rows: list[tuple[object, ...]] = [
        ("电子邮件" if zh else "e-mail", reach.by_email, reach.messages, "", ""),
    ]
    for name, people, pieces, takes, cost in (
        (
            "短信（没有邮箱）" if zh else "SMS (no e-mail address)",
            reach.by_sms,
            reach.segments,
            _sms_takes(desk, reach),
            sms,
        ),
        (
            "信函（只有地址）" if zh else "letter (only an address)",
            reach.by_letter,
            reach.by_letter,
            _letters_take(desk, reach),
            letters,
        ),
    ):
        if people:
            rows.append((name, people, pieces, _length(desk, takes), _money(cost, currency)))
    for name, people in (
        ("人工告知" if zh else "told by hand", reach.by_hand),
        ("没有任何联系方式，只能公告" if zh else "by nothing: the public notice", reach.by_nothing),
        ("已故，不发送" if zh else "deceased, not written to", reach.deceased),
    ):
        if people:
            rows.append((name, people, "", "", ""))
    columns = (
        ("方式", "人数", "邮件、短信条数或信函", "耗时", "费用")
        if zh
        else ("How", "People", "Mails, segments, letters", "Takes", "Costs")
    )
    title = f"名单共 {reach.listed} 人" if zh else f"{reach.listed} people on the list"
    desk.table(columns, rows, title=title)
    if reach.by_sms or reach.by_letter:
        typer.echo(_SENT_FROM_HERE[sends_sms(desk.settings)][desk.language])
    if calls_by_machine(desk.settings):
        typer.echo(_CALLED_FROM_HERE[desk.language])


def _print_paces(desk: Desk, mailing: Mailing, found: tuple[Pace, ...], *, begun: bool) -> None:
    from incident.delivery.next_means import sends_sms

    zh = desk.language == "zh-Hans"
    if not mailing.messages:
        done = begun and not mailing.people
        if zh:
            typer.echo("发送已经结束。" if done else "没有可以用电子邮件告知的人。")
        else:
            typer.echo("The sending is over." if done else "There is nobody who can be told by e-mail.")
        return
    rate = mailing.rate
    left = ("剩余 " if zh else "left: ") if begun else ""
    # What is left is not told apart by means.
    both = begun and sends_sms(desk.settings)
    by = (_EMAIL_AND_SMS if both else _EMAIL)[desk.language]
    typer.echo(
        f"{by}：{left}{mailing.people} 人，{mailing.messages} 封"
        if zh
        else f"{by}: {left}people {mailing.people}, messages {mailing.messages}"
    )
    for each in mailing.rates:
        decides = each is rate and len(mailing.rates) > 1
        source = _SOURCES[each.source][desk.language]
        if zh:
            typer.echo(f"  每秒 {_number(each.per_second)} 封：{source}{'（以此为准）' if decides else ''}")
        else:
            typer.echo(f"  {_number(each.per_second)} a second: {source}{' (decides)' if decides else ''}")
    if not found:
        return
    columns = (
        ("速度", "每秒", "耗时", "结束", "期限", "每天来电", "客服")
        if zh
        else ("Pace", "A second", "Takes", "Ends", "Deadline", "Calls a day", "Call centre")
    )
    rows = [
        (
            _PACES[each.kind][desk.language],
            _number(each.per_second),
            _length(desk, each.takes),
            each.ends_at,
            _holds(desk, each.deadline_holds),
            "" if each.calls_a_day is None else f"{each.calls_a_day:,.0f}",
            _holds(desk, each.calls_hold),
        )
        for each in found
    ]
    desk.table(columns, rows)


def _on_deadline(desk: Desk, deadline: Deadline | None, found: tuple[Pace, ...]) -> list[str]:
    zh = desk.language == "zh-Hans"
    if deadline is None:
        return [
            "期限：记录中还没有告知个人的期限，原因见 `incident duties`"
            if zh
            else "deadline: none for telling people is on record yet; `incident duties` says why"
        ]
    whose = ("本单位自定目标" if zh else "own target") if deadline.own else ("法定" if zh else "by law")
    assumed = ("，推定" if zh else ", assumed") if deadline.assumed else ""
    line = (
        f"期限：{desk.show(deadline.at)}（{whose}{assumed}，{deadline.duty}）"
        if zh
        else f"deadline: {desk.show(deadline.at)} ({whose}{assumed}, {deadline.duty})"
    )
    from incident.delivery.forecast import PaceKind

    spare = next((each.spare for each in found if each.kind == PaceKind.AS_SET), None)
    if spare is None:
        return [line]
    length = span(spare, language=desk.language)
    if spare.total_seconds() >= 0:
        return [f"{line}，尚余 {length}" if zh else f"{line}; {length} to spare"]
    return [f"{line}，超出 {length}" if zh else f"{line}; missed by {length}"]


def _on_calls(desk: Desk, mailing: Mailing, found: tuple[Pace, ...], seats: int | None) -> list[str]:
    centre = mailing.call_centre
    if centre is None:
        return []
    from incident.delivery.forecast import PaceKind

    slower = next((each for each in found if each.kind == PaceKind.FOR_CALLS), None)
    limit = f"incident engine limits --mail-per-second {slower.per_second:.3g}" if slower else ""
    if desk.language == "zh-Hans":
        lines = [f"客服：{centre.seats} 个坐席每天可接 {centre.calls_a_day:,.0f} 个来电"]
        if seats is not None:
            lines.append(f"没有一种速度能同时满足期限和客服：在期限内告知所有人需要 {seats} 个坐席")
        return [*lines, f"放慢发送：`{limit}`"] if limit else lines
    seated = f"{centre.seats} seats answer" if centre.seats > 1 else "1 seat answers"
    lines = [f"call centre: {seated} {centre.calls_a_day:,.0f} calls a day"]
    if seats is not None:
        lines.append(f"no pace holds both: telling everybody by the deadline takes {seats} seats")
    return [*lines, f"to send more slowly: `{limit}`"] if limit else lines


def _unknown(desk: Desk, mailing: Mailing, reach: Reach) -> list[str]:
    """What nobody said, and where it is said."""
    settings = desk.settings
    missing = []
    if mailing.messages and not mailing.rates:
        missing.append(
            ("how fast the relay takes messages", "邮件服务商的接收速率", "[plan] mail_per_second")
        )
    if mailing.messages and settings.plan.seats is None:
        missing.append(("how many answer calls", "客服坐席数", "[plan] seats"))
    if mailing.messages and settings.plan.callers_percent is None:
        missing.append(("how many of those told will call", "预计来电比例", "[plan] callers_percent"))
    if reach.by_sms and settings.sms.price is None:
        missing.append(("what an SMS costs", "短信单价", "[sms] price"))
    if reach.by_letter and settings.plan.letter_price is None:
        missing.append(("what a letter costs", "信函单价", "[plan] letter_price"))
    if desk.language == "zh-Hans":
        return [f"未知：{what}（在 incident.toml 的 {where} 中填写）" for _, what, where in missing]
    return [f"not known: {what} ({where} in incident.toml)" for what, _, where in missing]


def _holds(desk: Desk, holds: bool | None) -> str:
    return "" if holds is None else _HOLDS[holds][desk.language]


def _length(desk: Desk, length: timedelta | None) -> str:
    if length is None:
        return ""
    if length.total_seconds() < 60:
        return "不到 1 分钟" if desk.language == "zh-Hans" else "under 1 min"
    return span(length, language=desk.language)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _money(cost: Decimal | None, currency: str) -> str:
    return "" if cost is None else f"{cost.normalize():f} {currency}"


def _document(
    desk: Desk,
    reach: Reach,
    mailing: Mailing,
    found: tuple[Pace, ...],
    deadline: Deadline | None,
    *,
    seats: int | None,
    begun: bool,
    held: bool,
) -> dict[str, Any]:
    from incident.delivery.forecast import PaceKind

    centre = mailing.call_centre
    as_set = next((each for each in found if each.kind == PaceKind.AS_SET), None)
    return {
        "starts_at": mailing.starts_at,
        "begun": begun,
        "held": held,
        "list": vars(reach),
        "email": {
            "people": mailing.people,
            "messages": mailing.messages,
            "rates": [{"per_second": each.per_second, "source": each.source} for each in mailing.rates],
            "holds": as_set.holds if as_set else None,
            "paces": [_pace_document(each) for each in found],
        },
        "sms": {
            "people": reach.by_sms,
            "segments": reach.segments,
            "seconds": _seconds(_sms_takes(desk, reach)),
            "cost": _plain_money(_sms_cost(desk, reach)),
            "currency": desk.settings.sms.currency,
        },
        "letters": {
            "people": reach.by_letter,
            "seconds": _seconds(_letters_take(desk, reach)),
            "cost": _plain_money(_letter_cost(desk, reach)),
            "currency": desk.settings.sms.currency,
        },
        "deadline": vars(deadline) if deadline else None,
        "call_centre": {"calls_a_day": centre.calls_a_day, "seats_needed": seats} if centre else None,
    }


def _pace_document(pace: Pace) -> dict[str, Any]:
    return {
        "pace": pace.kind,
        "per_second": pace.per_second,
        "seconds": _seconds(pace.takes),
        "ends_at": pace.ends_at,
        "spare_seconds": _seconds(pace.spare),
        "deadline_holds": pace.deadline_holds,
        "calls_a_day": pace.calls_a_day,
        "calls_hold": pace.calls_hold,
    }


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()


def _plain_money(cost: Decimal | None) -> str | None:
    return None if cost is None else f"{cost.normalize():f}"
