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
STATES = {
    "en": {"owed": "owed", "may_be_waived": "may be waived", "not_owed": "not owed", "met": "met"},
    "zh-Hans": {"owed": "应履行", "may_be_waived": "可以免除", "not_owed": "无此义务", "met": "已履行"},
}
_URGENCY = {
    "en": {"immediately": "immediately", "promptly": "promptly"},
    "zh-Hans": {"immediately": "立即", "promptly": "及时"},
}
WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "columns": ("Duty", "To", "Due", "Left", "Rests on", "State", "Article", "Review"),
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
        "none_open": "no incident is open",
        "unreviewed": "UNREVIEWED ({confidence})",
        "rest": "not shown: {later} due later, {rest} met or not owed; all of them: incident duties {id} --all",
        "assumed_note": "assumed: a fact is missing, and the strictest case that is still possible counts",
    },
    "zh-Hans": {
        "columns": ("义务", "对象", "期限", "剩余", "依据", "状态", "条款", "复核"),
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
        "none_open": "没有未结案的事件",
        "unreviewed": "UNREVIEWED（{confidence}）",
        "rest": "未显示：24 小时之后到期的 {later} 项，已履行或者无须履行的 {rest} 项；全部显示：incident duties {id} --all",
        "assumed_note": "推定：事实尚未查明，按仍有可能的最严情形计算",
    },
}


def row(desk: Desk, view: DutyView) -> tuple[str, ...]:
    """One duty as a row under `columns`."""
    duty, language = view.duty, desk.language
    words, state = WORDS[language], STATES[language][view.state]
    open_facts = words["open_facts"].format(names=_some(desk, sorted(duty.settled_by)))
    return (
        f"{duty.id}\n{duty.title[language]}",
        _to(desk, duty),
        _due(desk, view),
        _left(desk, view),
        open_facts if duty.settled_by else duty.anchor_field or "",
        state if view.met_at is None else f"{state} {desk.show(view.met_at)}",
        duty.article if duty.ordered is None else f"{duty.article}\n{duty.ordered[language]}",
        "" if duty.is_reviewed else words["unreviewed"].format(confidence=duty.confidence),
    )


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
        [_names(desk, duty.recipients), *(_names(desk, way.recipients) for way in duty.ways)]
    )
    return "\n".join((first, *(WORDS[desk.language]["else_to"].format(names=names) for names in others)))


def _names(desk: Desk, recipients: Sequence[Recipient]) -> str:
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
        first = _URGENCY[desk.language].get(str(duty.urgency), str(duty.urgency))
    lengths = _lengths(desk, duty)
    if duty.assumed and not lengths:
        first = words["assumed"].format(text=first)
    target = [words["target"].format(at=desk.show(view.target_at))] if view.target_at is not None else []
    return "\n".join((first, *lengths, *target))


def _lengths(desk: Desk, duty: Duty) -> list[str]:
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


def _left(desk: Desk, view: DutyView) -> str:
    words, language = WORDS[desk.language], desk.language
    if not view.is_open:
        return ""
    if view.left is not None:
        left = span(view.left, language=language)
        return str(words["overdue"].format(span=left)) if view.is_overdue else left
    return str(words["passed"].format(span=span(view.elapsed, language=language))) if view.elapsed else ""
