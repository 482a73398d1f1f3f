"""Filling a form from the record. Pure: nothing is invented, and every line says who said it and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from incident.law.grading import GradeResult
from incident.notice.content import NoticeContent
from incident.notice.draft import NoticeInputs, draft
from incident.notice.phrases import only_in_language
from incident.record.facts import Certainty, Fact, FieldType, Interval, field_named, show_time, show_value
from incident.record.measures import MeasureTaken, measure_named
from incident.report.filled import (
    FilledItem,
    FilledLine,
    FilledReport,
    Question,
    State,
    Status,
    lacking_lines,
    without_spare,
)
from incident.report.forms import Form, Item, Line, Need

Found = tuple[tuple[str, ...], State, tuple[Fact, ...], str]
"""A line's text, what it is worth, the facts it comes from, and a remark."""


@dataclass(frozen=True)
class ReportInputs:
    """What a report is filled from: the same record as the notice, and what only authorities are told.

    `late` says whether the time limit has passed; `recipients` are names by language.
    """

    record: NoticeInputs
    grade: GradeResult | None = None
    late: bool = False
    recipients: Sequence[Mapping[str, str]] = ()


def fill(form: Form, phase: str, inputs: ReportInputs, *, language: str | None = None) -> FilledReport:
    """The form of a phase, filled; in the form's own language unless another is asked for.

    Raises `NotFound` for a phase that the form does not have, `BadInput` for a category of data that is not listed.
    """
    return _Filling(form, phase, inputs, language or form.language).report()


_WORDS = {
    "estimate": {"zh-Hans": "初步统计", "en": "estimate"},
    Certainty.likely: {"zh-Hans": "初步判断", "en": "likely"},
    Certainty.claimed: {"zh-Hans": "据称，待核实", "en": "claimed, not yet verified"},
    Certainty.assumed: {"zh-Hans": "暂按此推定", "en": "assumed for now"},
    "unknown": {"zh-Hans": "尚不清楚", "en": "not known yet"},
    "to_follow": {"zh-Hans": "后续补报", "en": "To be supplemented"},
    "rest_to_follow": {"zh-Hans": "其余内容后续补报", "en": "The rest is to be supplemented"},
    "as_noticed": {"zh-Hans": "告知当事人的内容", "en": "as the people concerned are told"},
    "elsewhere": {"zh-Hans": "仅有其他语言的记录", "en": "recorded in another language only"},
    "said_by": {"zh-Hans": "提供人：{name}", "en": "said by {name}"},
    "by_playbook": {"zh-Hans": "处置剧本执行", "en": "by a playbook"},
    "by_person": {"zh-Hans": "{name}执行", "en": "by {name}"},
    "by_person_in_playbook": {"zh-Hans": "{name}按处置剧本执行", "en": "by {name}, as the playbook asks"},
    "provisional": {"zh-Hans": "{low}（暂定，最高可能为{high}）", "en": "{low} (provisional; it may be up to {high})"},
    "grade_question": {"zh-Hans": "事件属于哪一级？", "en": "Which grade does the incident have?"},
    "measures_question": {"zh-Hans": "已经采取了哪些措施？", "en": "Which measures have been taken?"},
    "setting_question": {"zh-Hans": "请在 incident.toml 的 organisation 中填写{name}。", "en": "Set {name} under organisation in incident.toml."},
}  # fmt: skip


class _Filling:
    """One filling of a form in a language."""

    def __init__(self, form: Form, phase: str, inputs: ReportInputs, language: str) -> None:
        self.form, self.phase_name, self.phase = form, phase, form.phase(phase)
        self.inputs, self.record, self.language = inputs, inputs.record, language
        self.notice: NoticeContent = draft(inputs.record, language)

    def report(self) -> FilledReport:
        listed = [item for item in self.form.lists[self.phase.list] if self.inputs.late or not item.only_late]
        items = tuple(self._item(item) for item in listed)
        return FilledReport(
            form=self.form,
            phase=self.phase_name,
            language=self.language,
            reference=self.record.reference,
            organisation=self.record.organisation.name.get(self.language, ""),
            recipients=tuple(names[self.language] for names in self.inputs.recipients),
            items=items,
            questions=tuple(question for item in items for question in self._questions(item)),
            grade=self.inputs.grade,
            late=self.inputs.late,
            generated_at=self.record.written_at,
            zone=self.record.zone,
        )

    def _word(self, key: str | Certainty, **values: str) -> str:
        return _WORDS[key][self.language].format(**values)

    def _item(self, item: Item) -> FilledItem:
        lines = without_spare(filled for line in item.lines if (filled := self._line(line)) is not None)
        required = item.id in self.phase.required
        if not lacking_lines(lines):
            status = Status.COMPLETE
        else:
            status = Status.LACKING if required else Status.TO_FOLLOW
        return FilledItem(
            id=item.id,
            title=item.title[self.language],
            article=item.article,
            required=required,
            status=status,
            lines=lines,
            to_follow=self._to_follow(lines) if status is Status.TO_FOLLOW else "",
        )

    def _to_follow(self, lines: Sequence[FilledLine]) -> str:
        return self._word("rest_to_follow" if any(line.text for line in lines) else "to_follow")

    def _questions(self, item: FilledItem) -> list[Question]:
        open_lines = [
            line for line in item.lines if line.state is not State.KNOWN and line.need is not Need.OPTIONAL
        ]
        if item.status is Status.COMPLETE:
            open_lines = [line for line in open_lines if line.need is Need.ASKED and not line.text]
        asked = {name: None for line in open_lines if line.state is not State.ESTIMATE for name in line.asks}
        return [Question(item.id, name, self._question(name)) for name in asked]

    def _question(self, name: str) -> Mapping[str, str]:
        if name in ("grade", "measures"):
            return _WORDS[f"{name}_question"]
        if name.startswith("organisation."):
            key = name.removeprefix("organisation.")
            return {language: text.format(name=key) for language, text in _WORDS["setting_question"].items()}
        return dict(field_named(name).question)

    def _line(self, line: Line) -> FilledLine | None:
        if line.when is not None:
            deciding = self.record.facts.get(line.when)
            if deciding is None or deciding.value is not True:
                return None
        text, state, sources, note = self._filling_of(line)
        if state is State.ABSENT and line.absent is not None:
            text = (line.absent[self.language],)
        elif state is State.ABSENT and line.need is Need.OPTIONAL:
            return None
        return FilledLine(
            label=line.title[self.language],
            titles=line.title,
            text=text,
            state=state,
            need=line.need,
            group=line.group,
            asks=line.asks,
            sources=sources,
            note=note,
        )

    def _filling_of(self, line: Line) -> Found:
        if line.fact:
            return self._from_fact(line.fact)
        if line.notice:
            return self._from_notice(line)
        if line.measures:
            return self._known(self._measures())
        if line.grade:
            return self._from_grade()
        return self._known(self._setting(line.setting or ""))

    @staticmethod
    def _known(text: tuple[str, ...]) -> Found:
        return text, State.KNOWN if text else State.ABSENT, (), ""

    def _from_fact(self, name: str) -> Found:
        fact = self.record.facts.get(name)
        if fact is None:
            return (), State.ABSENT, (), ""
        if fact.value is None:
            return (self._word("unknown"),), State.UNKNOWN, (fact,), self._said_by(fact)
        field = field_named(name)
        if field.type is FieldType.text:
            text = only_in_language(fact.value, self.language)
            if text is None:
                return (self._word("elsewhere"),), State.OTHER_LANGUAGE, (fact,), ""
            shown = tuple(part for part in text.splitlines() if part.strip())
        elif name == "data_categories":
            shown = (("、" if self.language == "zh-Hans" else ", ").join(self.notice.data_types or ()),)
        else:
            shown = (show_value(field, fact.value, language=self.language, zone=self.record.zone),)
        estimate = fact.sure is not Certainty.confirmed or _is_rough(fact)
        return shown, State.ESTIMATE if estimate else State.KNOWN, (fact,), self._note(fact)

    def _from_notice(self, line: Line) -> Found:
        told: tuple[str, ...] = getattr(self.notice, line.notice or "") or ()
        sources = tuple(self.record.facts[name] for name in line.facts if name in self.record.facts)
        so_far = self.record.facts.get("impact_so_far")
        known = only_in_language(so_far.value, self.language) if so_far else None
        # What has happened already has a line of its own; the notice tells it together with what may follow.
        text = tuple(part for part in told if part not in (known or "").splitlines())
        if not text:
            return (), State.ABSENT, sources, ""
        own = [fact for fact in sources if fact.field == line.facts[0] and fact.value is not None]
        if not own:
            return text, State.ESTIMATE, sources, self._word("as_noticed")
        note = self._note(own[0])
        return text, State.ESTIMATE if note else State.KNOWN, sources, note

    def _from_grade(self) -> Found:
        grade = self.inputs.grade
        if grade is None:
            return (), State.ABSENT, (), ""
        low, high = (grade.scale.grades[key][self.language] for key in (grade.lowest, grade.highest))
        if grade.is_settled:
            return (low,), State.KNOWN, (), ""
        return (self._word("provisional", low=low, high=high),), State.ESTIMATE, (), ""

    def _measures(self) -> tuple[str, ...]:
        colon, stop = ("：", "；") if self.language == "zh-Hans" else (": ", "; ")
        lines = []
        for taken in sorted(self.record.measures, key=lambda each: (each.at, each.action)):
            who = self._who(taken)
            detail = taken.text if self.language == "zh-Hans" else only_in_language(taken.text, self.language)
            said = measure_named(taken.action).title[self.language] + (f"{stop}{detail}" if detail else "")
            lines.append(f"{show_time(taken.at, zone=self.record.zone)}{colon}{said}{stop}{who}")
        return tuple(dict.fromkeys(lines))

    def _who(self, taken: MeasureTaken) -> str:
        if taken.origin == "log":
            return self._word("by_person", name=taken.by)
        return self._word("by_person_in_playbook", name=taken.by) if taken.by else self._word("by_playbook")

    def _setting(self, name: str) -> tuple[str, ...]:
        organisation = self.record.organisation
        if name == "protection_officer":
            officer = organisation.protection_officer
            parts = [part for part in (officer.name.get(self.language, ""), officer.contact) if part]
            return ((("，" if self.language == "zh-Hans" else ", ").join(parts)),) if parts else ()
        value = getattr(organisation, name)
        shown = value.get(self.language, "") if isinstance(value, Mapping) else value
        return (shown,) if shown else ()

    def _said_by(self, fact: Fact) -> str:
        return self._word("said_by", name=fact.said_by)

    def _note(self, fact: Fact) -> str:
        """How sure a value is and who said it; empty for what is confirmed and exact."""
        if fact.sure is Certainty.confirmed and not _is_rough(fact):
            return ""
        counted = isinstance(fact.value, Interval) and fact.sure in (Certainty.confirmed, Certainty.likely)
        sure = self._word("estimate") if counted else self._word(fact.sure)
        stop = "；" if self.language == "zh-Hans" else "; "
        return f"{sure}{stop}{self._said_by(fact)}"


def _is_rough(fact: Fact) -> bool:
    return isinstance(fact.value, Interval) and not fact.value.is_exact
