"""A handover: what the next shift must know, and what changed since the last one. Pure.

Nothing is left out for want of room, but for the oldest of many changes and the questions that decide least: what is
not handed over is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incident.briefing import lines
from incident.briefing.material import Material, OpenQuestion
from incident.briefing.sheet import Line, Section
from incident.briefing.words import Words
from incident.delivery.states import CampaignState
from incident.duties.view import DutyView
from incident.law.clocks import Urgency
from incident.notice.release import NoticeState
from incident.record.dossier import StatedFact
from incident.record.facts import in_language
from incident.record.holds import HoldState
from incident.record.measures import measure_named
from incident.record.tasks import TaskLine
from incident.report.versions import SUBMITTED

AHEAD = timedelta(hours=24)
_MOST_CHANGES = 60
_MOST_QUESTIONS = 8  # as many as `incident ask` shows


@dataclass(frozen=True)
class Shift:
    """What a handover covers: since when, who gives it, who takes over, and what was told and parked meanwhile.

    `accepted` and `unreachable` count the people settled since then; `parked` is work of the incident that only a
    person brings back, by its kind.
    """

    since: datetime
    by: str
    to: str
    accepted: int
    unreachable: int
    parked: tuple[tuple[str, int], ...]


def handover(material: Material, shift: Shift, words: Words) -> list[Section]:
    """The sections, what presses most in front."""
    trouble = tuple(_trouble(material, shift, words))
    return [
        _section("trouble", trouble, words, empty="no_trouble"),
        _section("due", _due_soon(material, words), words, empty="nothing_due", title="due_soon"),
        _section("waiting", tuple(_waiting(material, words)), words, empty="nothing_waits"),
        _section("tasks", _tasks(material, words), words, empty="no_tasks"),
        _section("standing", _standing(material, words), words, empty="nothing_standing"),
        _to_answer(material, words),
        _section("state", tuple(_state(material, words)), words, empty="notice_none"),
        _since("done", _done(material, shift, words), material, words, empty="nothing_done"),
        _since("changed", _facts_changed(material, shift.since, words), material, words, empty="not_changed"),
    ]


def _since(key: str, found: Iterable[Line], material: Material, words: Words, *, empty: str) -> Section:
    """What came since the shift began, the latest first."""
    changes = sorted(found, key=lambda line: line.at or material.now, reverse=True)
    section = _section(key, changes[:_MOST_CHANGES], words, empty=empty)
    hidden = max(len(changes) - _MOST_CHANGES, 0)
    return replace(section, hidden=hidden, shown_by=f"incident timeline {material.dossier.id}")


def _section(
    key: str, found: Sequence[Line], words: Words, *, empty: str, title: str | None = None
) -> Section:
    return Section(key, words.heading(title or key), tuple(found) or (Line(words.say(empty)),))


# -- what presses ----------------------------------------------------------------------------------------


def _trouble(material: Material, shift: Shift, words: Words) -> Iterable[Line]:
    """What is late (an order that is late is late as a duty), what has come to its end, and what stopped."""
    now = material.now
    yield from (lines.duty_line(view, words) for view in material.duties if _is_late(view, now))
    yield from (_task(each, words, now=now) for each in material.tasks if each.is_overdue(now))
    for hold in lines.standing_holds(material):
        if hold.state_at(now) is HoldState.ENDED:
            yield lines.hold_line(hold, words, now=now)
    for kind, count in shift.parked:
        yield Line(words.say("parked_work", kind=kind, count=count), marks=(words.mark("parked"),), key=kind)


def _is_late(view: DutyView, now: datetime) -> bool:
    """Whether a due time, or the workspace's own target where the law names none, has passed."""
    return view.is_overdue or (view.is_open and view.target_at is not None and view.target_at < now)


def _due_soon(material: Material, words: Words) -> tuple[Line, ...]:
    """What is due within a day, what is owed at once, and what has no time yet; not what is late already."""
    return tuple(
        lines.duty_line(view, words)
        for view in material.duties
        if view.is_open and not _is_late(view, material.now) and _is_soon(view, material.now)
    )


def _is_soon(view: DutyView, now: datetime) -> bool:
    until = view.duty.due_at or view.target_at
    if until is not None:
        return until - now <= AHEAD
    return bool(view.duty.waits_for) or view.duty.urgency is Urgency.immediately


def _waiting(material: Material, words: Words) -> Iterable[Line]:
    """Steps of runs and summons that nobody has answered."""
    for step in material.waiting:
        who = in_language(step.who, words.language) if step.who else ""
        yield Line(
            text=in_language(step.title, words.language),
            label=f"{step.run} {step.step}",
            note=words.joined(
                (
                    words.say(step.how, count=step.signatures),
                    words.say("waits_for_who", who=who) if who else "",
                    words.say("since_when", time=words.time(step.since)),
                )
            ),
            key=f"{step.run} {step.step}",
            at=step.since,
        )
    for summons in material.summons:
        called = words.say("summons_level", count=summons.level) if summons.level else ""
        yield Line(
            text=words.word("reasons", summons.reason),
            label=words.word("roles", summons.role),
            note=words.joined((words.say("since_when", time=words.time(summons.asked_at)), called)),
            key=summons.id,
            at=summons.asked_at,
        )


def _tasks(material: Material, words: Words) -> tuple[Line, ...]:
    """Open tasks by due time."""
    return tuple(_task(each, words, now=material.now) for each in material.tasks if each.is_open)


def _task(task: TaskLine, words: Words, *, now: datetime) -> Line:
    due = words.say("task_due", time=words.time(task.due_at)) if task.due_at else words.say("task_no_due")
    return Line(
        text=task.title,
        label=task.label,
        note=words.joined((words.say("task_owner", who=task.owner), due)),
        marks=(words.mark("overdue"),) if task.is_overdue(now) else (),
        key=task.label,
        at=task.due_at,
    )


def _standing(material: Material, words: Words) -> tuple[Line, ...]:
    """Holds with their ends, and instructions not settled."""
    now = material.now
    holds = [lines.hold_line(each, words, now=now) for each in lines.standing_holds(material)]
    orders = [lines.instruction_line(each, words, now=now) for each in material.instructions if each.stands]
    return (*holds, *orders)


def _to_answer(material: Material, words: Words) -> Section:
    """The questions that decide the most, of those nobody has answered, and all that were answered with “don't know”."""
    unanswered = [each for each in material.questions if not each.said_unknown]
    nobody_knows = [each for each in material.questions if each.said_unknown]
    found = [_question(each, words) for each in (*unanswered[:_MOST_QUESTIONS], *nobody_knows)]
    section = _section("to_answer", found, words, empty="no_questions")
    hidden = max(len(unanswered) - _MOST_QUESTIONS, 0)
    return replace(section, hidden=hidden, shown_by=f"incident ask {material.dossier.id} --all")


def _question(asked: OpenQuestion, words: Words) -> Line:
    return Line(
        text=asked.question[words.language],
        label=words.word("roles", asked.who),
        note=words.say("said_unknown") if asked.said_unknown else "",
        key=asked.field,
    )


def _state(material: Material, words: Words) -> Iterable[Line]:
    """Where notice, sending and reports stand."""
    if material.notices:
        newest = material.notices[-1]
        released = newest.released_at if newest.state == NoticeState.RELEASED else None
        text = (
            words.say("notice_released", version=newest.version, time=words.time(released))
            if released
            else words.say("notice_draft", version=newest.version)
        )
        yield Line(text, label=words.say("notice"), key="notice")
    else:
        yield Line(words.say("notice_none"), label=words.say("notice"), key="notice")
    for campaign in material.campaigns:
        yield Line(
            words.say(
                "people_told",
                expected=f"{campaign.expected:,}",
                accepted=f"{campaign.accepted:,}",
                progress=f"{campaign.in_progress:,}",
                unreachable=f"{campaign.unreachable_total:,}",
            ),
            label=words.say("sending"),
            note=words.say("sending_ended") if campaign.state == CampaignState.ENDED else "",
            marks=(words.mark("paused"),) if campaign.paused is not None else (),
            key=campaign.campaign_id,
        )
    newest_reports = {(each.regime, each.phase): each for each in material.reports}
    for each in newest_reports.values():
        handed_in = each.submitted_at if each.state == SUBMITTED else None
        text = (
            words.say("report_submitted", version=each.version, time=words.time(handed_in))
            if handed_in
            else words.say("report_draft", version=each.version)
        )
        yield Line(text, label=f"{words.say('report')} {each.regime} {each.phase}", key=each.id)


# -- what changed ----------------------------------------------------------------------------------------


def _done(material: Material, shift: Shift, words: Words) -> Iterable[Line]:
    """What was recorded as done or decided since the shift began, each with its own time."""
    yield from _logged(material, shift.since, words)
    yield from _decided(material, shift.since, words)
    if shift.accepted or shift.unreachable:
        told = words.say("told_since", accepted=f"{shift.accepted:,}", unreachable=f"{shift.unreachable:,}")
        yield Line(told, label=words.say("sending"), key="told", at=material.now)


def _facts_changed(material: Material, since: datetime, words: Words) -> Iterable[Line]:
    """Each fact that reads otherwise than at the shift's beginning: from what to what, and who said so."""
    before: dict[str, str] = {}
    now: dict[str, StatedFact] = {}
    for stated in material.dossier.history:
        field = stated.fact.field
        if stated.recorded_at <= since:
            before[field] = lines.value_in_words(field, stated.fact.value, words)
        else:
            now[field] = stated
    for field, stated in now.items():
        after = lines.value_in_words(field, stated.fact.value, words)
        if before.get(field) == after:
            continue
        title = lines.titles((field,), words)
        text = (
            words.say("fact_changed", title=title, before=before[field], after=after)
            if field in before
            else words.say("fact_new", title=title, after=after)
        )
        who = stated.fact.said_by or stated.recorded_by
        yield Line(text, label=words.time(stated.recorded_at), note=who, key=field, at=stated.recorded_at)


def _logged(material: Material, since: datetime, words: Words) -> Iterable[Line]:
    for entry in material.dossier.log:
        if entry.recorded_at <= since or entry.superseded:
            continue
        title = in_language(measure_named(entry.action).title, words.language) if entry.action else ""
        text = words.say("measure", title=title, text=entry.text) if title else entry.text
        who = entry.by or (words.say("by_playbook") if entry.origin == "run" else entry.recorded_by)
        yield Line(text, label=words.time(entry.at), note=who, key=entry.id, at=entry.at)


def _decided(material: Material, since: datetime, words: Words) -> Iterable[Line]:
    def since_then(moment: datetime | None) -> bool:
        return moment is not None and moment > since

    for decision in material.resolutions:
        if since_then(decision.decided_at):
            text = words.say("decision", question=decision.question, decision=decision.decision)
            yield _event(
                decision.label, text, decision.decided_at, words, by=words.listed(decision.signed_by)
            )
    for hold in material.holds:
        line = lines.hold_line(hold, words, now=material.now)
        if since_then(hold.placed_at):
            yield _event(hold.label, line.text, hold.placed_at, words, by=hold.placed_by)
        if hold.lifted_at is not None and since_then(hold.lifted_at):
            text = words.say("hold_lifted", why=hold.lifted_why)
            yield _event(hold.label, text, hold.lifted_at, words)
    for order in material.instructions:
        line = lines.instruction_line(order, words, now=material.now)
        if since_then(order.recorded_at):
            yield _event(order.label, line.text, order.recorded_at, words, by=order.recorded_by)
        if order.settled_at is not None and since_then(order.settled_at):
            text = words.say("order_settled", how=order.settled_how)
            yield _event(order.label, text, order.settled_at, words)
    for task in material.tasks:
        if task.ended_at is not None and since_then(task.ended_at):
            text = words.say("task_ended", title=task.title, result=task.result)
            yield _event(task.label, text, task.ended_at, words, by=task.owner)
    for view in material.duties:
        if view.met_at is not None and since_then(view.met_at):
            text = words.say("duty_met", title=in_language(view.duty.title, words.language))
            yield Line(text, label=words.time(view.met_at), key=view.duty.id, at=view.met_at)
    for notice in material.notices:
        if notice.released_at is not None and since_then(notice.released_at):
            text = words.say("notice_released", version=notice.version, time=words.time(notice.released_at))
            label = words.time(notice.released_at)
            yield Line(f"{words.say('notice')} {text}", label=label, key="notice", at=notice.released_at)


def _event(label: str, text: str, at: datetime, words: Words, *, by: str = "") -> Line:
    return Line(f"{label} {text}", label=words.time(at), note=by, key=label, at=at)
