"""Open questions as people read them at the terminal: what each decides, how soon, who can say, how to answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from incident.cli.record import in_full
from incident.cli.wording import span

if TYPE_CHECKING:
    from incident.cli.desk import Desk
    from incident.duties.asking import AskedQuestion
    from incident.law.hanging import Hanging
    from incident.law.questions import Question
    from incident.record.facts import Field, Value

_LINES = 2
WORDS = {
    "en": {
        "head": "{id}: {count} questions are open; those that decide the most stand first",
        "none": "{id}: no question is open that a rule in scope needs",
        "more": "{count} more questions decide less: incident ask {id} --all",
        "decides": "decides",
        "more_lines": "and {count} more (--json names them)",
        "soon": "how soon",
        "who": "who can say",
        "how": "answer",
        "so_far": "so far",
        "instead": "{names} would do instead",
        "nobody": "Nobody knows yet:",
        "asked": "asked of {who} on {at}",
        "waiting": "now: no clock can be read before it is answered",
        "due": "due {at}, {left} left",
        "overdue": "OVERDUE for {left}, since {at}",
        "at_once": "at once",
        "within": "within {period} of the start of the clock",
        "promptly": "promptly",
        "question": "{number}. {question}",
        "recorded": "recorded: {value} ({sure}, said by {who})",
        "unknown": "recorded: not known ({who} was asked); the question stays open",
        "open_still": "the question stays open: {value} leaves it undecided",
        "unchanged": "no duty changed",
        "next": "next: {question}",
        "or": " or ",
        "comma": ", ",
        "sure": " ({sure})",
        "note": "{name} ({title})",
        "people": "{role}: {names}",
    },
    "zh-Hans": {
        "head": "{id}：尚有 {count} 个问题待查明，影响最大的排在前面",
        "none": "{id}：适用的规定所需的事实均已查明",
        "more": "另有 {count} 个影响较小的问题：incident ask {id} --all",
        "decides": "决定",
        "more_lines": "以及另外 {count} 项义务（详见 --json）",
        "soon": "时限",
        "who": "可询问",
        "how": "回答",
        "so_far": "目前",
        "instead": "也可改为回答 {names}",
        "nobody": "暂时无人知道：",
        "asked": "已于 {at} 询问 {who}",
        "waiting": "现在：回答之前无法计时",
        "due": "期限 {at}，还剩 {left}",
        "overdue": "已逾期 {left}（期限 {at}）",
        "at_once": "立即",
        "within": "开始计时后 {period}内",
        "promptly": "及时",
        "question": "{number}. {question}",
        "recorded": "已记录：{value}（{sure}，{who} 提供）",
        "unknown": "已记录：尚不清楚（已询问 {who}），该问题仍待查明",
        "open_still": "该问题仍待查明：{value}尚不足以判断",
        "unchanged": "各项义务没有变化",
        "next": "下一个问题：{question}",
        "or": " 或 ",
        "comma": "、",
        "sure": "（{sure}）",
        "note": "{name}（{title}）",
        "people": "{role}：{names}",
    },
}
_ROLES = {
    "responder": {"en": "who handles the incident", "zh-Hans": "应急处置人员"},
    "dba": {"en": "who runs the database", "zh-Hans": "数据库管理员"},
    "legal": {"en": "legal or compliance", "zh-Hans": "法务或者合规人员"},
    "communicator": {"en": "who writes to people", "zh-Hans": "对外沟通人员"},
    "executive": {"en": "management", "zh-Hans": "管理层"},
}
_OPERATORS = {"responder": "responder", "legal": "counsel", "communicator": "communicator"}
SURE = {
    "confirmed": {"en": "confirmed", "zh-Hans": "已核实"},
    "likely": {"en": "likely", "zh-Hans": "很可能"},
    "claimed": {"en": "claimed", "zh-Hans": "据称"},
    "assumed": {"en": "assumed", "zh-Hans": "推定"},
}
_EXAMPLES = {
    "time": '"{now}"{or}01:50{or}-- -20m',
    "count": "1200000{or}800000..1300000",
    "duration": "90min{or}2h..6h",
    "amount": "5000000{or}500万",
    "percent": "35{or}30..50",
    "text": '"..."',
    "texts": '"one, two"',
}


class Questions:
    """The open questions of an incident as the record stands, read once."""

    def __init__(self, desk: Desk, incident_id: str) -> None:
        from incident.duties.asking import questions_of
        from incident.duties.evaluating import rules_in_use, settled_duties
        from incident.record.dossier import dossier_in

        self._desk = desk
        self._id = incident_id
        self._words = WORDS[desk.language]
        rules = rules_in_use(desk.paths)
        self._laws = {regime.id: regime.title for regime in rules.regimes}
        with desk.store.read() as session:
            dossier = dossier_in(session, desk.store, incident_id)
            met = settled_duties(session, incident_id)
        self.asked = questions_of(dossier, desk.settings, rules, met=met, now=desk.now())

    @property
    def unanswered(self) -> list[AskedQuestion]:
        return [each for each in self.asked if not each.nobody_knows]

    @property
    def nobody_knows(self) -> list[AskedQuestion]:
        return [each for each in self.asked if each.nobody_knows]

    def lines(self, each: AskedQuestion) -> list[str]:
        """One question in full."""
        language, words, field = self._desk.language, self._words, each.question.field
        rows = [(words["decides"], line) for line in self._decides(each.question)]
        if each.question.known is not None:
            known = shown_value(self._desk, field, each.question.known)
            sure = words["sure"].format(sure=SURE[each.sure][language]) if each.sure is not None else ""
            rows.append((words["so_far"], f"{known}{sure}"))
        rows.append((words["soon"], self._soon(each.question)))
        rows.append((words["who"], self._who(field)))
        rows += [(words["how"], line) for line in self._how(field)]
        if each.question.instead:
            rows.append(("", words["instead"].format(names=words["comma"].join(each.question.instead))))
        return [f"{self._numbered(each)} [{field.name}]", *_beside(rows)]

    def unknown_line(self, each: AskedQuestion) -> str:
        """One question to which nobody knows the answer: who was asked, and when."""
        asked = self._words["asked"].format(who=each.asked_of, at=self._desk.show(each.asked_at))
        return f"  {self._numbered(each)} [{each.name}] {asked}"

    def as_next(self, each: AskedQuestion) -> list[str]:
        """The question that comes next, and how to answer it."""
        how = [f"  {line}" for line in self._how(each.question.field)]
        return [self._words["next"].format(question=self._numbered(each)), *how]

    def document(self, each: AskedQuestion) -> dict[str, Any]:
        """One question as plain data."""
        question = each.question
        field = question.field
        return {
            "number": each.number,
            "field": field.name,
            "question": dict(field.question),
            "type": field.type,
            "choices": {key: dict(title) for key, title in field.choices.items()},
            "known": as_json(question.known),
            "decides": [
                {"kind": line.kind, "text": dict(line.text), "duties": list(line.duties)}
                for line in self._hanging(question)
            ],
            "weight": question.weight,
            "soonest_due_at": question.soonest,
            "at_once": question.at_once,
            "who": field.who,
            "operators": self._operators.get(field.who, []),
            "instead": list(question.instead),
            "nobody_knows": each.nobody_knows,
            "asked_of": each.asked_of,
            "asked_at": each.asked_at,
            "answer_with": ["incident", "answer", self._id, field.name, "VALUE"],
        }

    def _numbered(self, each: AskedQuestion) -> str:
        told = each.question.field.question[self._desk.language]
        return self._words["question"].format(number=each.number, question=told)

    def _hanging(self, question: Question) -> Sequence[Hanging]:
        from incident.law.hanging import hanging_on

        return hanging_on(question, self._laws)

    def _decides(self, question: Question) -> list[str]:
        """The weightiest lines. What it decides only with others is told where it decides nothing else."""
        from incident.law.stakes import StakeKind

        lines = self._hanging(question)
        alone = [line for line in lines if line.kind is not StakeKind.joint] or lines
        told = [line.text[self._desk.language] for line in alone[:_LINES]]
        rest = sum(len(line.duties) for line in alone[_LINES:])
        return [*told, *([self._words["more_lines"].format(count=rest)] if rest else [])]

    def _soon(self, question: Question) -> str:
        from incident.law.hanging import period
        from incident.law.stakes import StakeKind

        words = self._words
        if any(one.kind is StakeKind.starts for one in question.stakes):
            return words["waiting"]
        if question.soonest is not None:
            left = question.soonest - self._desk.now()
            kind = "overdue" if left.total_seconds() < 0 else "due"
            return words[kind].format(
                at=self._desk.show(question.soonest), left=span(left, language=self._desk.language)
            )
        if question.at_once:
            return words["at_once"]
        lengths = [one.now.within for one in question.bearing if one.now.within is not None]
        if not lengths:
            return words["promptly"]
        shortest = min(lengths, key=lambda within: within.nominal_seconds)
        return words["within"].format(period=period(shortest, self._desk.language))

    def _who(self, field: Field) -> str:
        role = _ROLES.get(field.who, {}).get(self._desk.language, field.who)
        names = self._operators.get(field.who)
        return (
            self._words["people"].format(role=role, names=self._words["comma"].join(names)) if names else role
        )

    @cached_property
    def _operators(self) -> dict[str, list[str]]:
        """The operators who may act, by the role that a question names."""
        from incident.record.operators import list_operators, roles_of

        acting = [each for each in list_operators(self._desk.store) if each.retired_at is None]
        return {
            who: [each.name for each in acting if role in roles_of(each)] for who, role in _OPERATORS.items()
        }

    def _how(self, field: Field) -> list[str]:
        """The command that answers, and what may stand for VALUE."""
        return [
            f"incident answer {self._id} {field.name} VALUE",
            f"VALUE: {possible_values(self._desk, field)}",
        ]


def possible_values(desk: Desk, field: Field) -> str:
    """What may be answered: each choice with its title, or examples."""
    words = WORDS[desk.language]
    if field.choices:
        titles = {key: title[desk.language] for key, title in field.choices.items()}
        choices = [
            key if key.replace("_", " ") == title else words["note"].format(name=key, title=title)
            for key, title in titles.items()
        ]
        return words["comma"].join((*choices, "unknown"))
    if field.type == "bool":
        return words["or"].join(("yes", "no", "unknown"))
    example = _EXAMPLES[field.type].format_map(
        {"now": f"{desk.now().astimezone(desk.zone):%Y-%m-%d %H:%M}", "or": words["or"]}
    )
    return f"{example}{words['or']}unknown"


def shown_value(desk: Desk, field: Field, value: Value) -> str:
    """A value as people read it; a time in full, so that what was typed can be checked."""
    from datetime import datetime

    from incident.record.facts import show_value

    if isinstance(value, datetime):
        return in_full(desk, value)
    return show_value(field, value, language=desk.language, zone=desk.zone)


def as_json(value: Value | None) -> Any:
    """A value as plain JSON."""
    from incident.record.facts import value_to_json

    return value_to_json(value)


def _beside(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Labels in a column of their own, each said once, and the text folded beside them."""
    from incident.folding import fold, text_width

    widest = max(text_width(label) for label, _ in rows)
    lines, before = [], ""
    for label, text in rows:
        head = "" if label == before else label
        before = label or before
        for part in fold(text, 110 - widest):
            lines.append(f"   {head}{' ' * (widest - text_width(head))}  {part}".rstrip())
            head = ""
    return lines
