"""What happens next for those whom a notice did not reach, in words: for `notice status` and `deliveries --unreached`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import Desk
from incident.errors import KeyMissing

if TYPE_CHECKING:
    from datetime import datetime

    from incident.delivery.fallback import Step
    from incident.delivery.next_steps import NextSteps, UnreachedLine
    from incident.delivery.planner import Planned
    from incident.delivery.substitute import Asked, Substitute

_WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "email": "by e-mail, with the next version or by hand",
        "sms": "by SMS",
        "sms_by_hand": "by SMS, by hand",
        "phone_by_hand": "by phone, by a person",
        "push": "by a notification in the app",
        "phone": "by phone",
        "letter": "by letter",
        "guardian": "{way}, to the guardian",
        "minor": "{way}, asking for a parent or guardian",
        "contact": "{way}: {contact}",
        "address": "address on the list",
        "safe_contact": "told by hand, as the list says how",
        "by_hand": "told by hand",
        "organisation": "told by hand, in words for an organisation",
        "public_notice": "public notice",
        "online": "public notice, online since {since}",
        "nothing": "nothing more: deceased",
        "told": "nothing more: told through the guardian",
        "urgency": {
            "no_deadline": "",
            "in_time": "in time",
            "soon": "soon",
            "now": "now",
            "too_late": "too late by this means: public notice besides",
            "overdue": "overdue",
        },
        "title": "not reached: {people}; what happens next",
        "too_many": "not reached: {people}; too many to look at each here",
        "columns": ("What happens next", "People", "Until", "How soon"),
        "in_vain": "of them accepted over a means that the attacker may control (channels_compromised): {people}",
        "list": "who they are: `incident deliveries {id} --unreached --format csv`",
        "only_public": "{people} can be reached by no means on the list. May the public notice take its place?",
        "substitute": "  {duty} ({article}{unreviewed}): {answer}",
        "unreviewed": ", UNREVIEWED",
        "shown": "yes, its condition is shown",
        "not_shown": "no, its condition is not met as the record stands",
        "open": "not yet; it rests on {facts}, which is open",
        "by_count": "; with {people} people as `persons_without_contact` it is",
        "ask": "    {what}{length}{confidence}: {state}",
        "length": ", {count} {unit}",
        "units": ("days", "months"),
        "confidence": {"verified": "", "secondary": " (from a digest)", "memory": " (from memory)"},
        "state": {
            "stands": "done from here",
            "to_judge": "our page is online; you judge whether it is enough",
            "missing": "no page is online yet",
            "outside": "not done from here",
        },
        "stays": ", it must stay until {until}",
        "offer": "  to record the count: {command}",
    },
    "zh-Hans": {
        "email": "随下一版告知书发送邮件，或者人工联系",
        "sms": "短信告知",
        "sms_by_hand": "短信告知，由人工发送",
        "phone_by_hand": "电话告知，由人工拨打",
        "push": "应用内推送",
        "phone": "电话告知",
        "letter": "信函告知",
        "guardian": "{way}（监护人）",
        "minor": "{way}（未成年人，请与其监护人沟通）",
        "contact": "{way}：{contact}",
        "address": "名单上的地址",
        "safe_contact": "人工告知，方式见名单",
        "by_hand": "人工告知",
        "organisation": "人工告知，改用面向单位的措辞",
        "public_notice": "发布公告",
        "online": "公告，{since} 起已上线",
        "nothing": "不再告知：已故",
        "told": "不再另行告知：已通过监护人告知",
        "urgency": {
            "no_deadline": "",
            "in_time": "来得及",
            "soon": "尽快",
            "now": "立即",
            "too_late": "此方式已赶不上期限，须同时公告",
            "overdue": "已逾期",
        },
        "title": "尚未告知到：{people} 人，下一步",
        "too_many": "尚未告知到：{people} 人，人数较多，此处不逐一查看",
        "columns": ("下一步", "人数", "期限", "紧急程度"),
        "in_vain": "其中 {people} 人的消息已被接收，但该渠道可能被攻击者控制（channels_compromised）",
        "list": "名单：`incident deliveries {id} --unreached --format csv`",
        "only_public": "有 {people} 人用名单上的任何方式都告知不到。能否以公告代替逐一告知？",
        "substitute": "  {duty}（{article}{unreviewed}）：{answer}",
        "unreviewed": "，未审核 UNREVIEWED",
        "shown": "可以，条件已经具备",
        "not_shown": "不可以，按现有记录不符合条件",
        "open": "尚不能判断，取决于 {facts}，目前尚无结论",
        "by_count": "；如 `persons_without_contact` 记为 {people} 人，则符合条件",
        "ask": "    {what}{length}{confidence}：{state}",
        "length": "，{count} {unit}",
        "units": ("天", "个月"),
        "confidence": {"verified": "", "secondary": "（据转述）", "memory": "（凭记忆）"},
        "state": {
            "stands": "已由本工具完成",
            "to_judge": "公告页面已上线，是否足够由你们判断",
            "missing": "公告页面尚未上线",
            "outside": "不由本工具完成",
        },
        "stays": "，须保留至 {until}",
        "offer": "  记录该人数：{command}",
    },
}
# Each is unsealed at every call of `notice status`: these take a second.
_MOST_LOOKED_AT = 10_000
NEXT_COLUMNS = ("What happens next", "Until", "How soon")
_ASKS = {
    "website": {"en": "a posting on the website", "zh-Hans": "网站公示"},
    "home_page_or_media": {
        "en": "a conspicuous notice on the home page, or in major media",
        "zh-Hans": "网站首页显著位置公告，或者当地主要媒体公告",
    },
    "media": {"en": "major media", "zh-Hans": "主要媒体公告"},
    "group_notice_or_media": {"en": "a notice to the group, or public media", "zh-Hans": "群体通知或者公共媒体告知"},
    "own_channels": {
        "en": "site, apps, social media and service channels",
        "zh-Hans": "通过网站、应用、社交媒体和客服渠道公布",
    },
    "publicity": {"en": "making it widely known", "zh-Hans": "广为宣传"},
    "email": {"en": "e-mail to those whose address is known", "zh-Hans": "向有邮箱地址的人发送邮件"},
    "contact_desk": {"en": "a contact desk", "zh-Hans": "设立咨询窗口"},
    "toll_free_number": {"en": "a toll-free number", "zh-Hans": "开通免费电话"},
    "shown_to_authority": {"en": "showing the conditions to the authority", "zh-Hans": "向主管机关证明符合条件"},
    "equally_effective": {
        "en": "a public communication that is equally effective",
        "zh-Hans": "同样有效的公开告知",
    },
    "announcement": {"en": "a public announcement", "zh-Hans": "公告"},
    "reasonable_way": {"en": "a reasonable and effective way", "zh-Hans": "合理、有效的方式"},
}  # fmt: skip


# -- one person ---------------------------------------------------------------------------------------------


def cells_of(desk: Desk, each: UnreachedLine, *, reveal: bool) -> tuple[str, str, str]:
    """What happens next for one person, until when, and how soon; the contact masked unless it is revealed."""
    words = _WORDS[desk.language]
    urgency = each.planned.plan.urgency
    until = desk.show(each.deadline) if each.deadline and urgency else ""
    return (
        step_in_words(desk, each, reveal=reveal),
        until,
        words["urgency"][urgency] if urgency else "",
    )


def step_in_words(desk: Desk, each: UnreachedLine, *, reveal: bool) -> str:
    """The next step of one person in the language of the workspace."""
    from incident.delivery.fallback import MEANS

    words, planned = _WORDS[desk.language], each.planned
    step = planned.plan.next
    if step is None:
        return str(words["told"])
    if step.way not in MEANS:
        return _end_in_words(desk, step, each.public_since)
    to = _to(planned)
    by = _means_in_words(desk, step.way)
    way = by if to == "person" else words[to].format(way=by)
    contact = _contact(desk, planned, reveal=reveal)
    return str(words["contact"].format(way=way, contact=contact) if contact else way)


def _means_in_words(desk: Desk, means: str) -> str:
    """A means, and that an SMS or a call is for people to make: whom one from here may tell does not stand among the
    unreached."""
    from incident.delivery.next_means import means_of_ours

    by_hand = means in means_of_ours(desk.settings)
    return str(_WORDS[desk.language][f"{means}_by_hand" if by_hand else means])


def _to(planned: Planned) -> str:
    """Whom the next step goes to."""
    if planned.to_guardian:
        return "guardian"
    return "minor" if planned.minor else "person"


def _end_in_words(desk: Desk, step: Step, public_since: datetime | None) -> str:
    from incident.delivery.fallback import Way

    words = _WORDS[desk.language]
    if step.way is Way.BY_HAND:
        return str(words[step.why])
    if step.way is Way.PUBLIC_NOTICE and public_since is not None:
        return str(words["online"].format(since=_day(desk, public_since)))
    return str(words[step.way])


def _contact(desk: Desk, planned: Planned, *, reveal: bool) -> str:
    from incident.delivery.fallback import NUMBERED, Way
    from incident.masking import mask_email, mask_phone

    if reveal or not planned.contact:
        return planned.contact
    if planned.way is Way.LETTER:
        return str(_WORDS[desk.language]["address"])
    if planned.way in NUMBERED:
        return ", ".join(mask_phone(number) for number in planned.contact.split(", "))
    return mask_email(planned.contact)


def step_document(desk: Desk, each: UnreachedLine, *, reveal: bool) -> dict[str, Any]:
    """One person's next step for `--json`: words that never change with the language."""
    step, urgency = each.planned.plan.next, each.planned.plan.urgency
    return {
        "reason": each.line.reason,
        "next": step.way if step else None,
        "next_state": step.state if step else None,
        "next_why": step.why if step else "",
        "next_contact": _contact(desk, each.planned, reveal=reveal),
        "next_to": _to(each.planned),
        "until": each.deadline if urgency else None,
        "urgency": urgency,
        "plan": [
            {"by": one.way, "state": one.state, "why": one.why, "hurdle": one.hurdle}
            for one in each.planned.plan.steps
        ],
    }


# -- everybody ----------------------------------------------------------------------------------------------


def what_comes_next(desk: Desk, incident_id: str) -> tuple[NextSteps | None, Sequence[Substitute]]:
    """The sums of next steps of the newest notice, and what each law says of a public notice instead.

    Nothing where the data was destroyed, or its key is elsewhere.
    """
    from incident.delivery.next_steps import next_steps, public_notice_instead

    now = desk.now()
    try:
        with desk.store.read() as session:
            found = next_steps(session, desk.store, desk.settings, incident_id, now=now, most=_MOST_LOOKED_AT)
            if found is None or not found.people:
                return found, ()
            rules = desk.house.rules
            return found, public_notice_instead(
                session, desk.store, desk.settings, rules, incident_id, found, now=now
            )
    except KeyMissing:
        return None, ()


def print_next_steps(
    desk: Desk, incident_id: str, found: NextSteps | None, substitutes: Sequence[Substitute]
) -> None:
    """The table of next steps, and what the laws say of the public notice where somebody is left to it."""
    if found is None or not found.people:
        return
    words = _WORDS[desk.language]
    deadline = desk.show(found.deadline.at) if found.deadline else ""
    rows = []
    for way, people in found.ways.items():
        urgency = found.urgencies.get(way)
        rows.append(
            (
                _way_in_words(desk, way, found),
                people,
                deadline if urgency else "",
                words["urgency"][urgency] if urgency else "",
            )
        )
    typer.echo("")
    title = words["title" if found.looked_at else "too_many"].format(people=found.people)
    if found.looked_at:
        desk.table(words["columns"], rows, title=title)
    else:
        typer.echo(title)
    if found.told_in_vain:
        typer.echo(words["in_vain"].format(people=found.told_in_vain))
    typer.echo(words["list"].format(id=incident_id))
    if found.public_only and substitutes:
        for line in _lines_on_substitutes(desk, incident_id, found, substitutes):
            typer.echo(line)


def _way_in_words(desk: Desk, way: str, found: NextSteps) -> str:
    words = _WORDS[desk.language]
    if way == "public_notice" and found.public_since is not None:
        return str(words["online"].format(since=_day(desk, found.public_since)))
    return _means_in_words(desk, way)


def _lines_on_substitutes(
    desk: Desk, incident_id: str, found: NextSteps, substitutes: Sequence[Substitute]
) -> Iterator[str]:
    from incident.delivery.substitute import COUNTED
    from incident.law.reasons import Answer

    words = _WORDS[desk.language]
    yield words["only_public"].format(people=found.public_only)
    count_decides = False
    for each in substitutes:
        comma = "、" if desk.language == "zh-Hans" else ", "
        answer = {
            Answer.met: words["shown"],
            Answer.not_met: words["not_shown"],
            Answer.cannot_tell: words["open"].format(facts=comma.join(each.decides)),
        }[each.stated]
        if each.counted is Answer.met and each.stated is not Answer.met:
            answer += words["by_count"].format(people=found.public_only)
        count_decides |= each.counted is not each.stated or COUNTED in each.decides
        yield words["substitute"].format(
            duty=each.duty_id,
            article=each.article,
            unreviewed="" if each.reviewed else words["unreviewed"],
            answer=answer,
        )
        for asked in each.asks:
            yield _ask_in_words(desk, asked)
    if count_decides:
        yield words["offer"].format(command=offered_count(incident_id, found))


def _ask_in_words(desk: Desk, asked: Asked) -> str:
    words = _WORDS[desk.language]
    length = ""
    if asked.days or asked.months:
        unit = words["units"][0] if asked.days else words["units"][1]
        length = words["length"].format(count=asked.days or asked.months, unit=unit)
    state = words["state"][asked.state]
    if asked.until:
        state += words["stays"].format(until=asked.until.isoformat())
    return str(
        words["ask"].format(
            what=_ASKS[asked.by][desk.language],
            length=length,
            confidence=words["confidence"][asked.confidence],
            state=state,
        )
    )


def offered_count(incident_id: str, found: NextSteps) -> str:
    """The command that records the count; a number is never recorded by itself."""
    from incident.delivery.substitute import COUNTED

    source = shlex.quote("notice status: reached by no means on the list")
    return f"incident set {incident_id} {COUNTED}={found.public_only} --sure likely --source {source}"


def next_steps_document(
    incident_id: str, found: NextSteps | None, substitutes: Sequence[Substitute]
) -> dict[str, Any]:
    """What comes next for `--json`; nothing where it cannot be told."""
    if found is None:
        return {}
    return {
        "next_steps": {
            "people": found.people,
            "ways": dict(found.ways) if found.looked_at else None,
            "urgencies": dict(found.urgencies),
            "until": found.deadline.at if found.deadline else None,
            "told_in_vain": found.told_in_vain,
            "public_since": found.public_since,
        },
        "public_notice_instead": [
            {
                "duty": each.duty_id,
                "article": each.article,
                "title": dict(each.title),
                "reviewed": each.reviewed,
                "stated": each.stated,
                "counted": each.counted,
                "decides": list(each.decides),
                "asks": [dict(vars(asked)) for asked in each.asks],
            }
            for each in substitutes
        ],
        "offered": [offered_count(incident_id, found)] if found.public_only else [],
    }


def _day(desk: Desk, moment: datetime) -> str:
    return f"{moment.astimezone(desk.zone):%Y-%m-%d}"
