"""What hangs on a question, in plain words: “1 h (yes) or 4 h (no) to report to ...”. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

from incident.law.clocks import Urgency, Within
from incident.law.elements import element_catalogue
from incident.law.findings import Branch, Duty
from incident.law.possible import PossibleAnswer, title_of
from incident.law.questions import Question
from incident.law.regimes import DutyKind, Phase
from incident.law.stakes import Stake, StakeKind
from incident.record.facts import (
    FieldType,
    FrozenText,
    field_catalogue,
    in_language,
    show_seconds,
    show_value,
)

_LANGUAGES = ("zh-Hans", "en")
_PATTERNS = {
    StakeKind.starts: ("开始计时：{what}（{by}）", "starts the clock: {what} ({by})"),
    StakeKind.owed: ("是否必须{what}（{by}）", "whether we must {what} ({by})"),
    StakeKind.when: ("{ways}（{by}）", "{ways} ({by})"),
    StakeKind.eased: ("是否可以不{what}（{by}）", "whether we may choose not to {what} ({by})"),
    StakeKind.certain: (
        "如果是“{answers}”，即可确定必须{what}（{by}）",
        "with “{answers}” it is certain that we must {what} ({by})",
    ),
    StakeKind.content: ("报告是否须写明：{titles}（{by}）", "whether the report must say: {titles} ({by})"),
    StakeKind.joint: ("与其他回答一并决定：{deeds}（{by}）", "together with other answers: {deeds} ({by})"),
}
_PUBLIC = (
    "是否可以用公告代替逐一通知（{by}）",
    "whether a public notice may take the place of telling each person ({by})",
)
_IN_THE_NOTICE = ("通知是否须写明：{titles}（{by}）", "whether the notice must say: {titles} ({by})")
_CERTAIN_ANYWAY = (
    "无论怎样回答，都可以确定必须{what}（{by}）",
    "with any of the answers it is certain that we must {what} ({by})",
)
_FROM_WHEN = ("从何时起算：{what}（{by}）", "from when the time runs: {what} ({by})")
_SEVERAL = ("{count} 项义务是否成立、如何履行", "whether and how {count} duties stand")
_ONE = ("是否以及如何{what}", "whether or how we must {what}")
_NOTHING = FrozenText(
    {
        "zh-Hans": "单独不改变任何义务，须与其他回答一并判断",
        "en": "changes no duty by itself, only together with other answers",
    }
)
_VERBS = {
    (DutyKind.report_authority, Phase.initial): ("向{to}报告", "report to {to}"),
    (DutyKind.report_authority, Phase.supplement): ("向{to}补报", "send a supplementary report to {to}"),
    (DutyKind.report_authority, Phase.final): ("向{to}提交总结报告", "send the final report to {to}"),
    (DutyKind.report_police, Phase.initial): ("向{to}报告或者报案", "report to {to}"),
    (DutyKind.notify_people, Phase.notice): ("通知{to}", "tell {to}"),
}
_VERBS_IN_ANY_PHASE = {
    DutyKind.notify_media: ("告知{to}", "tell {to}"),
    DutyKind.report_partner: ("告知{to}", "tell {to}"),
    DutyKind.assess: ("完成评估", "finish the assessment"),
    DutyKind.prepare: ("为{to}可能提出的要求做好准备", "prepare for a demand of {to}"),
}
_ANY_VERB = ("向{to}报告", "report to {to}")
_AUTHORITY = ("主管部门", "the authority in charge")


@dataclass(frozen=True)
class Hanging:
    """One line of what hangs on a question, and the ids of the duties that it speaks of."""

    kind: StakeKind | None
    text: FrozenText
    duties: tuple[str, ...]


def hanging_on(question: Question, laws: Mapping[str, FrozenText]) -> tuple[Hanging, ...]:
    """What hangs on the question, line by line, the weightiest duty first; duties that read alike share a line.

    `laws`: the titles of the regimes by their ids.
    """
    groups: dict[tuple[object, ...], list[Stake]] = {}
    for one in question.stakes:
        groups.setdefault(_shared_line(question, one), []).append(one)
    if not groups:
        return (Hanging(None, _NOTHING, ()),)
    return tuple(_hanging(question, stakes, laws) for stakes in groups.values())


def _hanging(question: Question, stakes: Sequence[Stake], laws: Mapping[str, FrozenText]) -> Hanging:
    texts = {language: _line(question, stakes, laws, place) for place, language in enumerate(_LANGUAGES)}
    return Hanging(stakes[0].kind, FrozenText(texts), tuple(one.now.id for one in stakes))


def _shared_line(question: Question, one: Stake) -> tuple[object, ...]:
    alike: object = one.given
    if one.kind is StakeKind.when and question.field.type is not FieldType.time:
        alike = one.now.id
    elif one.kind is StakeKind.certain:
        alike = _certain_with(one)
    elif one.kind is StakeKind.eased:
        alike = one.given, _by_public_notice(one)
    return one.kind, one.now.regime, alike


def _line(question: Question, stakes: Sequence[Stake], laws: Mapping[str, FrozenText], place: int) -> str:
    first, language = stakes[0], _LANGUAGES[place]
    pattern = _PATTERNS[first.kind][place]
    if first.kind is StakeKind.when and question.field.type is FieldType.time:
        pattern = _FROM_WHEN[place]
    elif _by_public_notice(first):
        pattern = _PUBLIC[place]
    elif first.kind is StakeKind.content and first.now.elements:
        pattern = _IN_THE_NOTICE[place]
    certain_with = _certain_with(first)
    if first.kind is StakeKind.certain and len(certain_with) == len(question.answers) > 1:
        pattern = _CERTAIN_ANYWAY[place]
    with_time = first.kind in (StakeKind.starts, StakeKind.owed, StakeKind.when)
    what = _listed((_to_do(one.now, place, with_time=with_time) for one in stakes), place)
    line = pattern.format(
        what=what,
        by=_law(stakes, laws, place),
        ways=_by_answer(question, first, place),
        answers=title_of(question.field, certain_with, question.answers)[language],
        titles=_listed(_titles(stakes, language), place),
        deeds=_SEVERAL[place].format(count=len(stakes)) if len(stakes) > 1 else _ONE[place].format(what=what),
    )
    return line if first.given is None else _given(first, line, place)


def _law(stakes: Sequence[Stake], laws: Mapping[str, FrozenText], place: int) -> str:
    """The law by its title; in Chinese with the article, where the title does not name it."""
    regime = stakes[0].now.regime
    title = in_language(laws.get(regime, regime), _LANGUAGES[place])
    if place == 0 and not title.endswith("条"):
        return title + "、".join(
            dict.fromkeys(each for one in stakes for each in one.now.article.split("、"))
        )
    return title


def _certain_with(one: Stake) -> tuple[PossibleAnswer, ...]:
    """The answers with which the duty is owed for certain."""
    return tuple(
        answer
        for answer, outcome in zip(one.answers, one.outcomes, strict=True)
        if outcome.is_standing and outcome.certain
    )


def _by_public_notice(one: Stake) -> bool:
    return one.kind is StakeKind.eased and len({each.by_public_notice for each in one.outcomes}) > 1


def _by_answer(question: Question, one: Stake, place: int) -> str:
    """Each way the duty may go, after the answers that lead there."""
    ways: dict[str, list[PossibleAnswer]] = {}
    for answer, duty in zip(one.answers, one.duties, strict=True):
        ways.setdefault(_all_ways(duty, place), []).append(answer)
    titles = {
        way: title_of(question.field, answers, question.answers)[_LANGUAGES[place]]
        for way, answers in ways.items()
    }
    return _listed((f"{titles[way]}{('：', ': ')[place]}{way}" for way in ways), place)


def _all_ways(duty: Duty, place: int) -> str:
    told = dict.fromkeys(
        _within_time(
            _verb(duty, place).format(to=_names([branch], place)), branch.within, branch.urgency, place
        )
        for branch in duty.ways
    )
    joiner = ", or " if place else "，或者"
    return joiner.join(told) if place else _spaced(joiner.join(told))


def _spaced(text: str) -> str:
    """Chinese with a blank between 或者 and a number, as everywhere else."""
    return re.sub("(或者)([0-9])", r"\1 \2", text)


def _to_do(duty: Duty, place: int, *, with_time: bool) -> str:
    """The duty as something to be done: report to ..., tell ...; with its period where that is asked for."""
    deed = _verb(duty, place).format(to=_names(duty.ways, place))
    if not with_time or not duty.ways:
        return deed
    lengths = {branch.within for branch in duty.ways if branch.within is not None}
    if len(lengths) > 1:
        ends = sorted(lengths, key=lambda within: within.nominal_seconds)
        low, high = (period(within, _LANGUAGES[place]) for within in (ends[0], ends[-1]))
        return f"{low}至 {high}内{deed}" if place == 0 else f"{deed} within {low} to {high}"
    first = duty.ways[0]
    return _within_time(deed, first.within, first.urgency, place)


def _within_time(deed: str, within: Within | None, urgency: Urgency, place: int) -> str:
    if within is not None:
        length = period(within, _LANGUAGES[place])
        return f"{length}内{deed}" if place == 0 else f"{deed} within {length}"
    word = {Urgency.immediately: ("立即", "at once"), Urgency.promptly: ("及时", "promptly")}[urgency][place]
    return f"{word}{deed}" if place == 0 else f"{deed} {word}"


def period(within: Within, language: str) -> str:
    """The length of a period as the law says it: 72 h, 30 days, 3 working days; in Chinese 72 小时, 30 日."""
    chinese = language == "zh-Hans"
    if within.days:
        length = f"{within.days} 日" if chinese else _counted(within.days, "day")
        if within.from_year_end:
            return f"年末起 {length}" if chinese else f"{length} after the end of the year"
        return length
    if within.working_days:
        return f"{within.working_days} 个工作日" if chinese else _counted(within.working_days, "working day")
    if within.months:
        return f"{within.months} 个月" if chinese else _counted(within.months, "month")
    if within.seconds % 3600:
        return show_seconds(within.seconds, language=language)
    return f"{within.seconds // 3600} 小时" if chinese else f"{within.seconds // 3600} h"


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _verb(duty: Duty, place: int) -> str:
    in_any_phase = _VERBS_IN_ANY_PHASE.get(duty.kind, _ANY_VERB)
    return _VERBS.get((duty.kind, duty.phase), in_any_phase)[place]


def _names(branches: Sequence[Branch], place: int) -> str:
    """To whom it goes. Where that is still open between several, it is not said which."""
    if len({tuple(each.key for each in branch.recipients) for branch in branches}) != 1:
        return _AUTHORITY[place]
    names = [in_language(each.name, _LANGUAGES[place]) for each in branches[0].recipients]
    return "、".join(names) if place == 0 else " and ".join(map(_with_article, names))


def _with_article(name: str) -> str:
    return name if name.startswith("the ") else f"the {name}"


def _titles(stakes: Iterable[Stake], language: str) -> Iterable[str]:
    """What a report must hold beside its items, and the elements of a notice that hang on the answer."""
    outcomes = [outcome for one in stakes for outcome in one.outcomes]
    fields = [field_catalogue()[name].title for outcome in outcomes for name in outcome.content]
    elements = [
        element_catalogue()[name].title
        for outcome in outcomes
        for name in outcome.elements
        if any(name not in other.elements for other in outcomes)
    ]
    return [in_language(title, language) for title in (*fields, *elements)]


def _given(one: Stake, line: str, place: int) -> str:
    assert one.given is not None  # noqa: S101 - the caller looked
    field = field_catalogue()[one.given.field]
    language = _LANGUAGES[place]
    value = show_value(field, one.given.value, language=language, zone=UTC)
    title = in_language(field.title, language)
    return f"{line}，前提是“{title}”为“{value}”" if place == 0 else f"{line}, if “{title}” is “{value}”"


def _listed(parts: Iterable[str], place: int) -> str:
    return ("；", "; ")[place].join(dict.fromkeys(parts))
