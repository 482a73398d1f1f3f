"""`incident duties --why`: each duty with its clock, contents and open questions; each regime that asks for nothing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from incident.cli.duty_rows import named, periods, state_of, time_left, urgency_of

if TYPE_CHECKING:
    from incident.cli.desk import Desk
    from incident.duties.explaining import WhyNot
    from incident.duties.view import DutyView
    from incident.law.findings import Duty, Finding
    from incident.record.facts import Field

_WIDEST, _NARROWEST, _LABEL = 120, 60, 10
_WORDS = {
    "en": {
        "to": "to",
        "runs": "runs from",
        "due": "due",
        "holds": "must say",
        "over": "over",
        "at": "where",
        "settles": "settled by",
        "law": "law",
        "why": "why",
        "unless": "exemption: ",
        "met": "met",
        "waived": "waived",
        "anchor": "{title}, {at}",
        "assumed": " (assumed)",
        "not_begun": "its clock has not begun",
        "ordered": "the instruction",
        "submission": "another report, handed in {at}",
        "no_hours": "no hours in law: {urgency}",
        "target": "own target {at}",
        "items": "items {items} of the report ({article})",
        "question": "{question} [{name}]",
        "answer": "to answer: incident answer {id} FACT VALUE",
        "point": "{name}: {value} ({confidence})",
        "late": "late, because: {reason}",
        "by": "{how}, {at}",
        "waiver": "{label}, signed by {who}, {at}: {reason} ({article})",
        "unreviewed": "UNREVIEWED",
        "nothing": "In scope, but nothing is asked for:",
        "would_settle": "would settle it",
        "would_change": "would change it",
        "sep": ", ",
        "stop": "; ",
        "reviewed": "reviewed",
    },
    "zh-Hans": {
        "to": "对象",
        "runs": "起算",
        "due": "期限",
        "holds": "须载明",
        "over": "方式",
        "at": "渠道",
        "settles": "待查明",
        "law": "依据",
        "why": "理由",
        "unless": "例外：",
        "met": "履行",
        "waived": "免除",
        "anchor": "{title}，{at}",
        "assumed": "（推定）",
        "not_begun": "尚未起算",
        "ordered": "指令",
        "submission": "另一报告提交之时，{at}",
        "no_hours": "法律未规定小时数：{urgency}",
        "target": "内部目标 {at}",
        "items": "报告第 {items} 项（{article}）",
        "question": "{question} [{name}]",
        "answer": "答复方式：incident answer {id} 事实 值",
        "point": "{name}：{value}（{confidence}）",
        "late": "逾期，原因：{reason}",
        "by": "{how}，{at}",
        "waiver": "{label}，{who} 签名，{at}：{reason}（{article}）",
        "unreviewed": "UNREVIEWED（未经复核）",
        "nothing": "以下法规不要求采取行动：",
        "would_settle": "查明即可定",
        "would_change": "变更则不同",
        "sep": "、",
        "stop": "；",
        "reviewed": "已复核",
    },
}
_CHANNELS = {
    "phone": "电话",
    "web": "网站",
    "wechat": "微信",
    "email": "电子邮件",
    "fax": "传真",
    "sms": "短信",
    "instant_message": "即时通讯",
    "push": "推送",
    "letter": "信函",
    "in_person": "当面",
    "public_notice": "公告",
}
Row = tuple[str, str]


def reasons(
    desk: Desk, incident_id: str, views: Sequence[DutyView], findings: Sequence[Finding]
) -> list[str]:
    """All that is to be said of the duties of the regimes that apply, and of the regimes that ask for nothing."""
    from incident.duties.explaining import shown_duties, why_nothing

    lines: list[str] = []
    for view in shown_duties(views):
        lines += ["", *_duty_lines(desk, incident_id, view)]
    nothing = why_nothing(findings)
    if nothing:
        lines += ["", _WORDS[desk.language]["nothing"]]
    for each in nothing:
        lines += ["", *_nothing_lines(desk, each)]
    return lines


def _duty_lines(desk: Desk, incident_id: str, view: DutyView) -> list[str]:
    duty, language = view.duty, desk.language
    rows = [
        *_people(desk, view),
        *_clock(desk, view),
        *_outcome(desk, view),
        *(_contents(desk, duty) if duty.is_standing else ()),
        *_questions(desk, incident_id, duty),
        *_law(desk, view),
    ]
    return [
        f"{duty.id}  {duty.title[language]}  [{state_of(desk, view)}]",
        *_beside(rows),
        *(f"  {line}" for line in _why(desk, duty)),
    ]


def _people(desk: Desk, view: DutyView) -> Iterator[Row]:
    if view.duty.recipients:
        yield _WORDS[desk.language]["to"], named(desk, view.duty.recipients)


def _clock(desk: Desk, view: DutyView) -> Iterator[Row]:
    """From when it runs, and until when; nothing for what is not owed."""
    from incident.duties.explaining import anchor_field

    duty, words = view.duty, _WORDS[desk.language]
    if not view.is_open and view.met_at is None:
        return
    field = anchor_field(duty)
    assumed = words["assumed"] if duty.assumed else ""
    if field is not None and duty.anchor_at is not None:
        told = words["anchor"].format(title=field.title[desk.language], at=desk.show(duty.anchor_at))
        yield words["runs"], told
    elif duty.anchor_at is None:
        yield words["runs"], words["not_begun"]
    elif duty.ordered is not None:
        yield words["runs"], words["anchor"].format(title=words["ordered"], at=desk.show(duty.anchor_at))
    else:
        yield words["runs"], words["submission"].format(at=desk.show(duty.anchor_at))
    if duty.due_at is None:
        due = words["no_hours"].format(urgency=urgency_of(desk, duty)) if duty.within is None else ""
    else:
        due = desk.show(duty.due_at)
    parts = [f"{due}{assumed}" if due else "; ".join(periods(desk, duty)), time_left(desk, view)]
    if view.target_at is not None and view.is_open:
        parts.append(words["target"].format(at=desk.show(view.target_at)))
    if any(parts):
        yield words["due"], words["stop"].join(filter(None, parts))


def _outcome(desk: Desk, view: DutyView) -> Iterator[Row]:
    words = _WORDS[desk.language]
    if view.met is not None:
        yield words["met"], words["by"].format(how=view.met.how, at=desk.show(view.met.at))
        if view.was_late and view.met.late_reason:
            yield words["met"], words["late"].format(reason=view.met.late_reason)
    if view.waiver is not None:
        waiver = view.waiver
        told = words["waiver"].format(
            label=waiver.label,
            who=waiver.by,
            at=desk.show(waiver.at),
            reason=waiver.reason,
            article=waiver.article,
        )
        yield words["waived"], told


def _contents(desk: Desk, duty: Duty) -> Iterator[Row]:
    from incident.duties.explaining import contents_of

    words, language = _WORDS[desk.language], desk.language
    for content in contents_of(duty):
        yield words["holds"], _with_article(desk, content.title[language], content.article)
    if duty.items:
        titled = _items_of_form(desk, duty)
        for title, article in titled:
            yield words["holds"], _with_article(desk, title, article)
        if not titled:
            told = words["items"].format(items=words["sep"].join(duty.items), article=duty.article)
            yield words["holds"], told
    if duty.channels:
        yield words["over"], words["sep"].join(channel_name(each, language) for each in duty.channels)
    for point in duty.report_points:
        told = words["point"].format(
            name=point.name[language], value=point.value, confidence=point.confidence
        )
        yield words["at"], told


def _items_of_form(desk: Desk, duty: Duty) -> list[Row]:
    """The items of the form as people call them, with their articles; none where the duty has no form."""
    from incident.report.forms import load_form

    if duty.form is None:
        return []
    folder = desk.paths.root / "forms"
    form = load_form(duty.form, folders=(folder,) if folder.is_dir() else ())
    if str(duty.phase) not in form.phases:
        return []
    items = form.lists[form.phase(str(duty.phase)).list]
    return [
        (f"{each.id} {each.title[desk.language]}", each.article) for each in items if each.id in duty.items
    ]


def _questions(desk: Desk, incident_id: str, duty: Duty) -> Iterator[Row]:
    from incident.duties.explaining import open_fields

    words = _WORDS[desk.language]
    fields = open_fields(duty) if duty.is_standing else ()
    for field in fields:
        yield words["settles"], _question(desk, field)
    if fields:
        yield words["settles"], words["answer"].format(id=incident_id)


def _question(desk: Desk, field: Field) -> str:
    told = _WORDS[desk.language]["question"]
    return told.format(question=field.question[desk.language], name=field.name)


def _law(desk: Desk, view: DutyView) -> Iterator[Row]:
    words, duty = _WORDS[desk.language], view.duty
    review = words["reviewed"] if duty.is_reviewed else words["unreviewed"]
    told = [duty.article, str(duty.confidence), review, view.finding.source]
    yield words["law"], words["stop"].join(filter(None, told))


def _why(desk: Desk, duty: Duty) -> list[str]:
    words, language = _WORDS[desk.language], desk.language
    lines = [words["why"], *(f"  {line}" for line in duty.why.lines(language))]
    for exemption in duty.exemptions:
        lines.append(f"{words['unless']}{_with_article(desk, exemption.title[language], exemption.article)}")
        lines += [f"  {line}" for line in exemption.reason.lines(language)]
    return lines


def _nothing_lines(desk: Desk, each: WhyNot) -> list[str]:
    words = _WORDS[desk.language]
    label = words["would_settle" if each.unknown else "would_change"]
    rows = [(label, _question(desk, field)) for field in each.facts]
    return [
        each.finding.regime,
        *(f"  {line}" for line in each.finding.lines(desk.language)),
        *_beside(rows),
    ]


def channel_name(channel: str, language: str) -> str:
    """A channel as people call it."""
    return (
        _CHANNELS.get(str(channel), str(channel)) if language == "zh-Hans" else str(channel).replace("_", " ")
    )


def _with_article(desk: Desk, text: str, article: str) -> str:
    return f"{text}（{article}）" if desk.language == "zh-Hans" else f"{text} ({article})"


def _beside(rows: Sequence[Row]) -> list[str]:
    """Labels in a column of their own, each said once, and the text folded beside them."""
    from incident.folding import fold, text_width

    width = max((text_width(label) for label, _ in rows), default=0)
    width = max(width, _LABEL)
    terminal = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDEST
    room = max(_NARROWEST, min(terminal, _WIDEST) - width - 4)
    lines, before = [], ""
    for label, text in rows:
        head = "" if label == before else label
        before = label
        for part in fold(text, room):
            lines.append(f"  {head}{' ' * (width - text_width(head))}  {part}".rstrip())
            head = ""
    return lines
