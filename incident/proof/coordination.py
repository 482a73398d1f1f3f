"""What people decided, ordered, held back and had to do, as events of the timeline, in two languages.

Of a note for counsel only that it was written, by whom and when: its words are read by counsel alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from incident.proof.events import Event
from incident.record.custody import Step, steps_recorded
from incident.record.holds import COVER_TITLES, HoldLine, list_holds
from incident.record.instructions import InstructionLine, OrderEffect, list_instructions
from incident.record.numbers import label_of
from incident.record.resolutions import ResolutionLine, list_resolutions
from incident.record.showing import show_time
from incident.record.summons import REASON_TITLES, CallState, Reason
from incident.record.tasks import TaskLine, TaskState, list_tasks
from incident.store.store import Store
from incident.store.tables import (
    Hold,
    Instruction,
    JournalEntry,
    Operator,
    PrivilegedNote,
    Summons,
    SummonsCall,
    Task,
)

_WORDS = {
    "en": {
        "hold": "{label} placed for {who}: silence until {until}, about {covers}",
        "extended": "{label} lasts longer: until {until}",
        "lifted": "{label} lifted",
        "instruction": "{label} by {who}: {effect}",
        "settled": "{label} settled: {text}",
        "task": "{label} for {who}: {text}",
        "due": ", due {until}",
        "done": "{label} done",
        "dropped": "{label} dropped",
        "resolution": "{label}: {question} Decided: {decision}",
        "replaces": " (replaces {old})",
        "summons": "{role} needed: {what}",
        "answered": "{who} is on it: {what}",
        "call": "{who} called, round {round}: {outcome}",
        "note": "a note for counsel was written, {label}; it is not shown here",
        "verified": "evidence {label} looked at: it is the one that was taken in",
        "not the same": "evidence {label} looked at: it is NOT the one that was taken in",
        "copied out": "evidence {label} copied out for {who}: {text}",
        "sep": ", ",
        "because": ": ",
        "paper": " ({paper})",
    },
    "zh-Hans": {
        "hold": "{label} 暂缓对外：{who}要求在 {until} 前保持沉默，范围：{covers}",
        "extended": "{label} 延长至 {until}",
        "lifted": "{label} 解除",
        "instruction": "{label} {who}指示：{effect}",
        "settled": "{label} 已办结：{text}",
        "task": "{label} 交{who}办理：{text}",
        "due": "，期限 {until}",
        "done": "{label} 已完成",
        "dropped": "{label} 已取消",
        "resolution": "{label} {question} 决定：{decision}",
        "replaces": "（取代 {old}）",
        "summons": "需要 {role} 处理：{what}",
        "answered": "{who} 已接手：{what}",
        "call": "第 {round} 轮呼叫 {who}：{outcome}",
        "note": "律师留存记录 {label}，此处不显示内容",
        "verified": "证据 {label} 核验：与入库时一致",
        "not the same": "证据 {label} 核验：与入库时不一致",
        "copied out": "证据 {label} 取出副本，交{who}：{text}",
        "sep": "、",
        "because": "：",
        "paper": "（{paper}）",
    },
}
_EFFECTS = {
    OrderEffect.HOLD: {"en": "hold back", "zh-Hans": "暂缓对外"},
    OrderEffect.REQUIRE: {"en": "do", "zh-Hans": "要求履行"},
    OrderEffect.DEADLINE: {"en": "do in time", "zh-Hans": "限期办理"},
    OrderEffect.REOPEN: {"en": "do after all", "zh-Hans": "恢复义务"},
}

_OUTCOMES = {
    CallState.INTENDED: {"en": "under way", "zh-Hans": "进行中"},
    CallState.ACCEPTED: {"en": "accepted", "zh-Hans": "已送出"},
    CallState.REFUSED: {"en": "refused", "zh-Hans": "被拒收"},
    CallState.UNREACHABLE: {"en": "unreachable", "zh-Hans": "无法连通"},
    CallState.UNUSABLE: {"en": "unusable", "zh-Hans": "联系方式不可用"},
    CallState.UNKNOWN: {"en": "unknown", "zh-Hans": "结果不明"},
}


class _Teller:
    """The words of one language."""

    def __init__(self, language: str, zone: ZoneInfo) -> None:
        self._words = _WORDS[language]
        self._language = language
        self._zone = zone

    def say(self, name: str, **values: str) -> str:
        return self._words[name].format(**values)

    def because(self, text: str) -> str:
        return f"{self._words['because']}{text}" if text else ""

    def until(self, moment: datetime) -> str:
        return show_time(moment, zone=self._zone)

    def due(self, moment: datetime | None) -> str:
        return self.say("due", until=self.until(moment)) if moment is not None else ""

    def who(self, who: str, officer: str) -> str:
        return f"{who}{self._words['sep']}{officer}" if officer else who

    def paper(self, paper: str) -> str:
        return self.say("paper", paper=paper) if paper else ""

    def covers(self, line: HoldLine) -> str:
        return self._words["sep"].join(COVER_TITLES[cover][self._language] for cover in line.covers)

    def reason(self, reason: Reason) -> str:
        return REASON_TITLES[reason][self._language]

    def outcome(self, outcome: CallState) -> str:
        return _OUTCOMES[outcome][self._language]

    def effect(self, line: InstructionLine) -> str:
        return _EFFECTS[line.effect][self._language] + (f" {line.duty_id}" if line.duty_id else "")


def coordination(
    session: Session, store: Store, incident_id: str, *, language: str, zone: ZoneInfo
) -> Iterator[Event]:
    """Holds, instructions, decisions on questions, tasks, and that counsel wrote."""
    tell = _Teller(language, zone)
    steps = list(_steps(session, store, incident_id))
    ended_by = {step.row["id"]: step.by for step in steps if step.kind in _ENDINGS}
    yield from _holds(list_holds(session, store, incident_id), steps, ended_by, tell)
    yield from _instructions(list_instructions(session, store, incident_id), ended_by, tell)
    yield from _resolutions(list_resolutions(session, store, incident_id), tell)
    yield from _tasks(list_tasks(session, store, incident_id), ended_by, tell)
    yield from _notes(session, incident_id, tell)
    yield from _summons(session, incident_id, tell)


_PLACED, _EXTENDED = "hold.placed", "hold.extended"
_ENDINGS = frozenset({"hold.lifted", "instruction.settled", "task.done", "task.dropped"})
_TABLES = frozenset(str(table.__tablename__) for table in (Hold, Instruction, Task))


@dataclass(frozen=True)
class _JournalledStep:
    """What only the journal keeps: who ended something, and until when a hold was to last before it was extended."""

    kind: str
    at: datetime
    by: str
    row: Mapping[str, Any]


def _steps(session: Session, store: Store, incident_id: str) -> Iterator[_JournalledStep]:
    kinds = (_PLACED, _EXTENDED, *_ENDINGS)
    entries = session.exec(
        select(JournalEntry)
        .where(JournalEntry.chain == incident_id, col(JournalEntry.kind).in_(kinds))
        .order_by(col(JournalEntry.seq))
    ).all()
    for entry in entries:
        for image in (store.body_of(incident_id, entry.seq) or {}).get("rows", []):
            if image["table"] in _TABLES:
                yield _JournalledStep(entry.kind, entry.at, entry.actor, image["row"])


def custody(session: Session, store: Store, incident_id: str, *, language: str) -> Iterator[Event]:
    """Every look at evidence, and every copy of it that was taken out."""
    words = _WORDS[language]
    for step in steps_recorded(session, store, incident_id):
        if step.step is not Step.TAKEN_IN:
            text = words[step.step].format(label=step.evidence[:8], who=step.to, text=step.reason)
            yield Event(step.at, step.at, "evidence", text, step.by, step.evidence)


def _holds(
    holds: Sequence[HoldLine], steps: Sequence[_JournalledStep], ended_by: Mapping[str, str], tell: _Teller
) -> Iterator[Event]:
    ends = [
        (step, datetime.fromisoformat(step.row["until_at"]))
        for step in steps
        if step.kind in (_PLACED, _EXTENDED) and "until_at" in step.row
    ]
    first_end = {step.row["id"]: until for step, until in ends if step.kind == _PLACED}
    for step, until in ends:
        if step.kind == _EXTENDED:
            text = tell.say("extended", label=f"H{step.row['number']}", until=tell.until(until))
            yield Event(step.at, step.at, "hold", text, step.by, step.row["id"])
    for line in holds:
        placed = tell.say(
            "hold",
            label=line.label,
            who=tell.who(line.by, line.officer) + tell.paper(line.paper),
            until=tell.until(first_end.get(line.id, line.until_at)),
            covers=tell.covers(line),
        )
        text = placed + tell.because(line.reason)
        yield Event(line.placed_at, line.placed_at, "hold", text, line.placed_by, line.id)
        if line.lifted_at is not None:
            text = tell.say("lifted", label=line.label) + tell.because(line.lifted_why)
            yield Event(line.lifted_at, line.lifted_at, "hold", text, ended_by.get(line.id, ""), line.id)


def _instructions(
    orders: Sequence[InstructionLine], ended_by: Mapping[str, str], tell: _Teller
) -> Iterator[Event]:
    for line in orders:
        given = tell.say(
            "instruction",
            label=line.label,
            who=tell.who(line.from_, line.officer),
            effect=tell.effect(line) + tell.due(line.due_at),
        )
        text = given + tell.because(line.text)
        yield Event(line.given_at, line.recorded_at, "instruction", text, line.recorded_by, line.id)
        if line.settled_at is not None:
            text, by = (
                tell.say("settled", label=line.label, text=line.settled_how),
                ended_by.get(line.id, ""),
            )
            yield Event(line.settled_at, line.settled_at, "instruction", text, by, line.id)


def _resolutions(resolutions: Sequence[ResolutionLine], tell: _Teller) -> Iterator[Event]:
    for line in resolutions:
        decided = tell.say(
            "resolution", label=line.label, question=line.question, decision=line.decision
        ) + tell.because(line.reasons)
        old = tell.say("replaces", old=line.replaces) if line.replaces is not None else ""
        yield Event(line.decided_at, line.decided_at, "decided", decided + old, line.recorded_by, line.id)


def _tasks(tasks: Sequence[TaskLine], ended_by: Mapping[str, str], tell: _Teller) -> Iterator[Event]:
    for line in tasks:
        text = tell.say("task", label=line.label, who=line.owner, text=line.title) + tell.due(line.due_at)
        yield Event(line.opened_at, line.opened_at, "task", text, line.opened_by, line.id)
        if line.ended_at is not None:
            name = "done" if line.state == TaskState.DONE else "dropped"
            text = tell.say(name, label=line.label) + tell.because(line.result)
            yield Event(line.ended_at, line.ended_at, "task", text, ended_by.get(line.id, ""), line.id)


def _notes(session: Session, incident_id: str, tell: _Teller) -> Iterator[Event]:
    mine = select(PrivilegedNote).where(PrivilegedNote.incident_id == incident_id)
    for row in session.exec(mine.order_by(col(PrivilegedNote.number))).all():
        text = tell.say("note", label=label_of(row))
        yield Event(row.written_at, row.written_at, "counsel", text, row.written_by, row.id)


def _summons(session: Session, incident_id: str, tell: _Teller) -> Iterator[Event]:
    asked = select(Summons).where(Summons.incident_id == incident_id)
    for row in session.exec(asked.order_by(col(Summons.asked_at), col(Summons.id))).all():
        what = tell.reason(Reason(row.reason))
        text = tell.say("summons", role=row.role, what=what)
        yield Event(row.asked_at, row.asked_at, "summons", text, "")
        if row.answered_at is not None:
            text = tell.say("answered", who=row.answered_by or "", what=what)
            yield Event(row.answered_at, row.answered_at, "summons", text, row.answered_by or "")
    called = select(SummonsCall, Operator.name).where(
        SummonsCall.incident_id == incident_id, SummonsCall.operator_id == Operator.id
    )
    for call, name in session.exec(called.order_by(col(SummonsCall.called_at), col(SummonsCall.id))).all():
        text = tell.say(
            "call", who=name, round=str(call.level), outcome=tell.outcome(CallState(call.outcome))
        )
        yield Event(call.called_at, call.called_at, "call", text, "")
