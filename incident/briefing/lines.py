"""The record as lines: facts, duties, the grade, measures, holds, instructions, decisions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from incident.briefing.material import Material
from incident.briefing.sheet import Line
from incident.briefing.words import Words
from incident.duties.view import DutyView
from incident.law.categories import category_catalogue
from incident.law.findings import DutyState
from incident.law.grading import GradeResult
from incident.record.dossier import StatedFact
from incident.record.facts import Interval, Value, field_named, in_language, show_interval, show_value
from incident.record.holds import COVER_TITLES, HoldLine, HoldState
from incident.record.instructions import InstructionLine
from incident.record.measures import summarise_measures
from incident.record.resolutions import ResolutionLine


def value_in_words(name: str, value: Value | None, words: Words) -> str:
    """A fact's value as it is read, on one line."""
    if isinstance(value, datetime):
        return words.time(value)
    if name == "data_categories" and isinstance(value, tuple):
        known = category_catalogue()
        return words.listed(known[key].title[words.language] if key in known else key for key in value)
    return show_value(field_named(name), value, language=words.language, zone=words.zone)


def facts(
    material: Material, names: Sequence[str], words: Words, *, with_source: bool = True
) -> tuple[Line, ...]:
    """What is known of these fields, in this order: how sure it is and, with its source, who says so."""
    current = material.dossier.current
    return tuple(
        _fact(current[name], words, with_source=with_source)
        for name in names
        if name in current and current[name].fact.value is not None
    )


def _fact(stated: StatedFact, words: Words, *, with_source: bool) -> Line:
    fact = stated.fact
    sure = words.word("sure", fact.sure)
    with_who = with_source and fact.said_by
    return Line(
        text=value_in_words(fact.field, fact.value, words),
        label=field_named(fact.field).title[words.language],
        note=words.say("sure_and_who", sure=sure, who=fact.said_by) if with_who else sure,
        key=fact.field,
        at=fact.known_at,
    )


def unknown_fields(material: Material, names: Iterable[str]) -> list[str]:
    """Those of the fields that nobody has stated, or that are stated to be unknown."""
    sheet = material.dossier.sheet
    return [name for name in names if sheet.get(name) is None]


def titles(names: Iterable[str], words: Words) -> str:
    return words.listed(field_named(name).title[words.language] for name in names)


# -- grade -----------------------------------------------------------------------------------------------


def grades(material: Material, words: Words) -> tuple[Line, ...]:
    """Each scale with what is certain and what is still possible."""
    return tuple(_grade(result, words) for result in material.grades)


def _grade(result: GradeResult, words: Words) -> Line:
    low, high = (result.scale.grades[key][words.language] for key in (result.lowest, result.highest))
    settled = words.say("settled_grade", grade=low)
    return Line(
        text=settled if result.is_settled else words.say("open_grade", low=low, high=high),
        label=result.scale.title[words.language],
        note="" if result.is_settled else _depends(sorted(result.decides), words),
        key=result.scale.id,
    )


_FIELDS_SHOWN = 3


def _depends(names: Sequence[str], words: Words) -> str:
    shown = titles(names[:_FIELDS_SHOWN], words) + ("…" if len(names) > _FIELDS_SHOWN else "")
    return words.say("decides", fields=shown) if names else ""


# -- duties ----------------------------------------------------------------------------------------------


def duties(material: Material, words: Words) -> tuple[Line, ...]:
    """What stands open, in the order in which it must be looked at."""
    return tuple(duty_line(view, words) for view in material.duties if view.is_open)


def duty_line(view: DutyView, words: Words) -> Line:
    """One duty: by when, to whom, under which article; assumed and UNREVIEWED are marked."""
    duty = view.duty
    to = words.listed(in_language(each.name, words.language) for each in duty.recipients)
    return Line(
        text=when_due(view, words),
        label=in_language(duty.title, words.language),
        note=words.joined((words.say("to", names=to) if to else "", duty.article)),
        marks=marks_of(view, words),
        key=duty.id,
        at=duty.due_at or view.target_at,
    )


def marks_of(view: DutyView, words: Words) -> tuple[str, ...]:
    """What must not be missed of a duty."""
    found = (
        ("overdue", view.is_overdue),
        ("assumed", view.duty.assumed),
        ("unreviewed", not view.duty.is_reviewed),
    )
    return tuple(words.mark(name) for name, holds in found if holds)


def when_due(view: DutyView, words: Words) -> str:
    """By when, and how long is left; for what is owed at once, how long it has been owed."""
    duty = view.duty
    if duty.due_at is not None and view.left is not None:
        name = "overdue_by" if view.is_overdue else "due_at"
        return words.say(name, time=words.time(duty.due_at), left=words.span(view.left))
    if duty.waits_for:
        return words.say("waits_for", fields=titles(sorted(duty.waits_for), words))
    how = words.word("urgency", duty.urgency)
    if view.elapsed is None:
        return words.say("at_once_plain", how=how)
    target = words.say("own_target", time=words.time(view.target_at)) if view.target_at else ""
    return words.joined((words.say("at_once", how=how, elapsed=words.span(view.elapsed)), target))


def may_be_waived(material: Material) -> tuple[DutyView, ...]:
    return tuple(view for view in material.duties if view.state == DutyState.may_be_waived)


# -- what was done and decided ---------------------------------------------------------------------------


def measures(material: Material, words: Words, *, with_whom: bool = True) -> tuple[Line, ...]:
    """Each measure once with its first time, in the catalogue's words: the latest first, as the oldest is cut first.

    What a person wrote beside it is not shown, as it may name people.
    """
    found = []
    for summary in summarise_measures(material.dossier.measures):
        whom = words.listed(dict.fromkeys(taken.by for taken in summary.taken if taken.by))
        by_playbook = all(taken.origin == "run" and not taken.by for taken in summary.taken)
        count = len(summary.taken)
        again = words.say("times_taken", count=count, time=words.time(summary.last)) if count > 1 else ""
        who = words.say("by_playbook") if by_playbook else whom
        found.append(
            Line(
                text=in_language(summary.measure.title, words.language),
                label=words.time(summary.first),
                note=words.joined((who if with_whom else "", again)),
                key=summary.measure.id,
                at=summary.first,
            )
        )
    return tuple(reversed(found))


def decisions(material: Material, words: Words) -> tuple[Line, ...]:
    """The decisions that stand, the latest first."""
    standing = [each for each in material.resolutions if each.stands]
    return tuple(_decision(each, words) for each in reversed(standing))


def _decision(resolution: ResolutionLine, words: Words) -> Line:
    return Line(
        text=words.say("decision", question=resolution.question, decision=resolution.decision),
        label=resolution.label,
        note=words.joined(
            (
                words.say("decided_at", time=words.time(resolution.decided_at)),
                words.listed(resolution.signed_by),
            )
        ),
        key=resolution.label,
        at=resolution.decided_at,
    )


def standing_holds(material: Material) -> tuple[HoldLine, ...]:
    return tuple(each for each in material.holds if each.stands)


def hold_line(hold: HoldLine, words: Words, *, now: datetime, with_conflicts: bool = True) -> Line:
    """Who asks for silence, over what, until when; with the duties it stands against."""
    covers = words.listed(
        COVER_TITLES[cover]["zh-Hans" if words.is_chinese else "en"] for cover in hold.covers
    )
    articles = words.listed(dict.fromkeys(each.article for each in hold.conflicts))
    notes = (
        words.say("hold_officer", officer=hold.officer) if hold.officer else "",
        words.say("hold_paper", paper=hold.paper) if hold.paper else "",
        words.say("hold_conflicts", articles=articles) if articles and with_conflicts else "",
    )
    ended = hold.state_at(now) is HoldState.ENDED
    return Line(
        text=words.say("hold", by=asker(hold.by, words), covers=covers, until=words.time(hold.until_at)),
        label=hold.label,
        note=words.joined(notes),
        marks=(words.mark("past_end"),) if ended else (),
        key=hold.label,
        at=hold.until_at,
    )


def asker(by: str, words: Words) -> str:
    """Who asks for silence: as typed, but for the words that stand for an office."""
    known = words.word("askers", by.casefold())
    return by if known == by.casefold() else known


def instruction_line(order: InstructionLine, words: Words, *, now: datetime) -> Line:
    """An authority's or headquarters' order, and whether it is settled."""
    due = words.say("instruction_due", time=words.time(order.due_at)) if order.due_at else ""
    overdue = order.settled_at is None and order.due_at is not None and order.due_at < now
    marks = ("overdue",) if overdue else ("settled",) if order.settled_at is not None else ()
    return Line(
        text=words.say(
            "instruction",
            **{"from": order.from_},
            effect=words.word("effects", order.effect),
            text=order.text,
        ),
        label=order.label,
        note=words.joined((due, words.say("given_at", time=words.time(order.given_at)))),
        marks=tuple(map(words.mark, marks)),
        key=order.label,
        at=order.due_at,
    )


def instructions(material: Material, words: Words) -> tuple[Line, ...]:
    """Instructions, unsettled ones first."""
    ordered = sorted(material.instructions, key=lambda each: (each.settled_at is not None, each.given_at))
    return tuple(instruction_line(each, words, now=material.now) for each in ordered)


def next_update(material: Material, words: Words) -> Line:
    """When there will be more."""
    planned = material.dossier.sheet.get("next_update_at")
    if not isinstance(planned, datetime):
        return Line(words.say("no_next_update"), key="next_update_at")
    name = "next_update" if planned > material.now else "next_update_past"
    return Line(words.say(name, time=words.time(planned)), key="next_update_at", at=planned)


def highest_number(material: Material, name: str) -> Interval | None:
    value = material.dossier.sheet.get(name)
    return value if isinstance(value, Interval) else None


def number_in_words(name: str, interval: Interval, words: Words) -> str:
    return show_interval(field_named(name), interval, language=words.language)
