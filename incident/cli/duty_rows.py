"""Duties as rows of a table: to whom, by when, what is assumed, and how else it may go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from incident.cli.wording import span

if TYPE_CHECKING:
    from incident.cli.desk import Desk
    from incident.duties.view import DutyView
    from incident.law.findings import Branch, Duty, Recipient

NEXT = timedelta(hours=24)
"""What `incident duties` shows without --all."""

_SHOWN_FACTS = 3
_STATUSES = {
    "en": {
        "running": "running",
        "assumed": "assumed",
        "met": "met",
        "late": "met late",
        "waived": "waived",
        "not_applicable": "not owed",
    },
    "zh-Hans": {
        "running": "应履行",
        "assumed": "推定应履行",
        "met": "已履行",
        "late": "逾期履行",
        "waived": "已决定免除",
        "not_applicable": "不适用",
    },
}
_URGENCY = {
    "en": {"immediately": "immediately", "promptly": "promptly"},
    "zh-Hans": {"immediately": "立即", "promptly": "及时"},
}
WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "columns": ("Duty", "What, to whom", "Due", "State"),
        "calendar": "calendar written to {file}, ends of duties: {count}",
        "title": "{title} ({article})",
        "may_be_waived": "{text}, may be waived",
        "waived_by": "{text} by {who} ({label}), {at}",
        "late_because": "{text}: {reason}",
        "left": "{span} left",
        "assumed": "{text} (assumed)",
        "assumed_but": "{text} (assumed; {others})",
        "other": "{text} if “{way}”",
        "else_to": "else {names}",
        "others": ", ",
        "waits": "waits for {names}",
        "waits_duty": "runs once {duty} is submitted",
        "target": "own target {at}",
        "overdue": "OVERDUE {span}",
        "passed": "{span} passed",
        "open": "{count} facts are open that these rest on; in the order of what they decide: incident ask {id}",
        "open_facts": "open: {names}",
        "more": "{names} and {count} more",
        "comma": ", ",
        "off": "off, as they bind only certain kinds of organisations: {count} laws (`incident law list`);"
        " [scope] organisation in incident.toml turns them on",
        "unreviewed": "UNREVIEWED ({confidence})",
        "rest": "not shown: {later} later, {rest} met, waived or not owed; all of them: incident duties {id} --all",
        "assumed_note": "assumed: a fact is missing, and the strictest case that is still possible counts",
    },
    "zh-Hans": {
        "columns": ("义务", "事项与对象", "期限", "状态"),
        "calendar": "已将 {count} 项期限写入 {file}",
        "title": "{title}（{article}）",
        "may_be_waived": "{text}，可以免除",
        "waived_by": "{text}，{who}（{label}），{at}",
        "late_because": "{text}：{reason}",
        "left": "剩余 {span}",
        "assumed": "{text}（推定）",
        "assumed_but": "{text}（推定；{others}）",
        "other": "如为“{way}”，{text}",
        "else_to": "或者{names}",
        "others": "；",
        "waits": "待查明 {names}",
        "waits_duty": "自 {duty} 提交后起算",
        "target": "内部目标 {at}",
        "overdue": "已逾期 {span}",
        "passed": "已过 {span}",
        "open": "以上义务尚有 {count} 项事实待查明，按重要程度排列：incident ask {id}",
        "open_facts": "待查明：{names}",
        "more": "{names} 等 {count} 项",
        "comma": "、",
        "off": "有 {count} 部法规仅适用于特定类型的组织，现未启用：incident law list 可查看；"
        "在 incident.toml 的 [scope] organisation 中列明本组织的类型即可启用",
        "unreviewed": "UNREVIEWED（{confidence}）",
        "rest": "未显示：之后到期或者属于后续阶段的 {later} 项，已履行、已免除或者不适用的 {rest} 项；全部显示：incident duties {id} --all",
        "assumed_note": "推定：事实尚未查明，按仍有可能的最严情形计算",
    },
}


def row(desk: Desk, view: DutyView) -> tuple[str, ...]:
    """One duty as a row under `columns`: four, so that it is read on a narrow screen too."""
    duty, language = view.duty, desk.language
    words = WORDS[language]
    title = words["title"].format(title=duty.title[language], article=duty.article)
    ordered = duty.ordered[language] if duty.ordered is not None else ""
    rests_on = words["open_facts"].format(names=_some(desk, sorted(duty.settled_by)))
    review = "" if duty.is_reviewed else words["unreviewed"].format(confidence=duty.confidence)
    return (
        duty.id,
        "\n".join(filter(None, (title, f"→ {_to(desk, duty)}", ordered))),
        "\n".join(filter(None, (time_left(desk, view), _due(desk, view)))),
        "\n".join(filter(None, (state_of(desk, view), rests_on if duty.settled_by else "", review))),
    )


def state_of(desk: Desk, view: DutyView) -> str:
    """How a duty stands: met when, waived by whom, late for what reason, or that it may be waived."""
    words, told = WORDS[desk.language], _STATUSES[desk.language][view.status]
    if view.waiver is not None:
        waiver = view.waiver
        return str(
            words["waived_by"].format(text=told, who=waiver.by, label=waiver.label, at=desk.show(waiver.at))
        )
    if view.met_at is not None:
        met = f"{told} {desk.show(view.met_at)}"
        reason = view.met.late_reason if view.met is not None and view.was_late else ""
        return str(words["late_because"].format(text=met, reason=reason)) if reason else met
    return str(words["may_be_waived"].format(text=told)) if view.state == "may_be_waived" else told


def ways(duty: Duty) -> list[dict[str, Any]]:
    """Every way a duty may still go as plain data, the one that runs in front."""
    return [
        {
            "path": way.path,
            "title": dict(way.title),
            "recipients": [each.key for each in way.recipients],
            "urgency": way.urgency,
            "within_seconds": way.within.seconds or None if way.within else None,
            "within_days": way.within.days or None if way.within else None,
            "within_months": way.within.months or None if way.within else None,
            "within_working_days": way.within.working_days or None if way.within else None,
            "due_at": way.due_at,
        }
        for way in duty.ways
    ]


def _some(desk: Desk, names: Sequence[str]) -> str:
    words = WORDS[desk.language]
    shown: str = words["comma"].join(names[:_SHOWN_FACTS])
    if len(names) <= _SHOWN_FACTS:
        return shown
    # English says how many are left, Chinese how many there are.
    count = len(names) if desk.language == "zh-Hans" else len(names) - _SHOWN_FACTS
    return str(words["more"].format(names=shown, count=count))


def _to(desk: Desk, duty: Duty) -> str:
    first, *others = dict.fromkeys(
        [named(desk, duty.recipients), *(named(desk, way.recipients) for way in duty.ways)]
    )
    return "\n".join((first, *(WORDS[desk.language]["else_to"].format(names=names) for names in others)))


def named(desk: Desk, recipients: Sequence[Recipient]) -> str:
    """The recipients as people call them."""
    joined: str = WORDS[desk.language]["comma"].join(each.name[desk.language] for each in recipients)
    return joined


def _due(desk: Desk, view: DutyView) -> str:
    duty, words = view.duty, WORDS[desk.language]
    if duty.due_at is not None:
        first = desk.show(duty.due_at)
    elif duty.waits_for:
        first = words["waits"].format(names=words["comma"].join(sorted(duty.waits_for)))
    elif duty.waits_for_duty:
        first = words["waits_duty"].format(duty=duty.waits_for_duty)
    else:
        first = urgency_of(desk, duty)
    lengths = periods(desk, duty)
    if duty.assumed and not lengths:
        first = words["assumed"].format(text=first)
    target = [words["target"].format(at=desk.show(view.target_at))] if view.target_at is not None else []
    return "\n".join((first, *lengths, *target))


def periods(desk: Desk, duty: Duty) -> list[str]:
    """The period, and the other periods that are still possible: 1 h (assumed; 4 h if “...”)."""
    if not duty.ways or duty.ordered is not None or not duty.is_standing:
        return []
    words, first = WORDS[desk.language], duty.ways[0]
    told = {_length(desk, first)}
    others = []
    for way in duty.ways[1:]:
        if (length := _length(desk, way)) not in told:
            told.add(length)
            others.append(words["other"].format(text=length, way=way.title[desk.language]))
    if others:
        return [words["assumed_but"].format(text=_length(desk, first), others=words["others"].join(others))]
    if first.within is None:
        return []
    return [words["assumed"].format(text=_length(desk, first)) if duty.assumed else _length(desk, first)]


def _length(desk: Desk, way: Branch) -> str:
    from incident.law.hanging import period

    if way.within is not None:
        return period(way.within, desk.language)
    return _URGENCY[desk.language].get(str(way.urgency), str(way.urgency))


def urgency_of(desk: Desk, duty: Duty) -> str:
    """“Immediately” or “promptly”, as people say it."""
    return _URGENCY[desk.language].get(str(duty.urgency), str(duty.urgency))


def time_left(desk: Desk, view: DutyView) -> str:
    """How long is left, how long ago it ended, or how long it has been owed."""
    words, language = WORDS[desk.language], desk.language
    if not view.is_open:
        return ""
    if view.left is not None:
        left = span(view.left, language=language)
        if view.is_overdue:
            return str(words["overdue"].format(span=left))
        return str(words["left"].format(span=left))
    return str(words["passed"].format(span=span(view.elapsed, language=language))) if view.elapsed else ""
