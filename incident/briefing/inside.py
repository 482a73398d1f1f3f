"""Briefs for those who may know the facts: headquarters, the board, the police. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from incident.briefing import lines
from incident.briefing.material import Material
from incident.briefing.page import change_texts
from incident.briefing.sheet import Line, Section
from incident.briefing.words import Words
from incident.notice.release import NoticeState
from incident.record.contacts import ContactKind
from incident.record.facts import Value, field_named, in_language
from incident.record.holds import HoldState

_HAPPENED = (
    "what_happened",
    "occurred_at",
    "discovered_at",
    "informed_at",
    "ended_at",
    "cause_kind",
    "cause",
)
_EFFECT = ("impact_so_far", "trend", "possible_harm")
_KNOWN = (
    *_HAPPENED,
    "systems",
    "location",
    "found_by",
    *_EFFECT,
    "attack_path",
    "planned_measures",
    "support_requested",
)
_PEOPLE = (
    "persons",
    "persons_sensitive",
    "persons_minor_u18",
    "persons_u14",
    "records",
    "data_categories",
    "subject_categories",
)
# What anybody asks first; where nobody has said it, the brief says that it is not known.
_ASKED_FIRST = (
    "what_happened",
    "occurred_at",
    "discovered_at",
    "ended_at",
    "cause_kind",
    "systems",
    "persons",
    "data_categories",
)
_EVENT = (
    "what_happened",
    "incident_type",
    "cause_kind",
    "cause",
    "attack_path",
    "vulnerabilities",
    "attacker_info",
    "systems",
    "system_facts",
    "location",
    "persons",
    "records",
    "data_categories",
    "ransomware",
    "ransom_amount",
    "ransom_method",
    "ransom_date",
    "scene_protection",
)
_TIMES = ("occurred_at", "discovered_at", "informed_at", "ended_at")
_SHORTEST_NAME = 2


def headquarters(material: Material, words: Words) -> list[Section]:
    """For the group: everything that matters, with who says it, how sure it is, and what is owed by when."""
    incident = material.dossier.id
    known = lines.facts(material, _KNOWN, words) or (Line(words.say("nothing_known")),)
    measures = lines.measures(material, words) or (Line(words.say("no_measures")),)
    due = lines.duties(material, words) or (Line(words.say("no_duties")),)
    decided = lines.decisions(material, words) or (Line(words.say("no_decisions")),)
    holds = tuple(lines.hold_line(each, words, now=material.now) for each in lines.standing_holds(material))
    return [
        Section("known", words.heading("known"), known, f"incident show {incident}", least=5),
        Section("people", words.heading("people"), lines.facts(material, _PEOPLE, words), f"incident show {incident}", least=3),
        Section("grade", words.heading("grade"), lines.grades(material, words), f"incident grade {incident}"),
        Section("not_known", words.heading("not_known"), _not_known(material, words), f"incident ask {incident}", least=3),
        Section("measures", words.heading("measures"), measures, f"incident timeline {incident}", least=2),
        Section("decided", words.heading("decided"), decided, f"incident timeline {incident}", least=1),
        Section("standing", words.heading("standing"), (*holds, *lines.instructions(material, words)), f"incident hold list {incident}", least=2),
        Section("due", words.heading("due"), due, f"incident duties {incident}", least=3),
        Section("next", words.heading("next"), (lines.next_update(material, words),)),
    ]  # fmt: skip


def _not_known(material: Material, words: Words) -> tuple[Line, ...]:
    """The open questions that decide most, then what anybody asks first and nobody has said."""
    asked = [
        _question(each.field, each.who, words, said_unknown=each.said_unknown) for each in material.questions
    ]
    named = {each.field for each in material.questions}
    first = [
        _question(name, field_named(name).who, words, said_unknown=name in material.dossier.sheet)
        for name in lines.unknown_fields(material, _ASKED_FIRST)
        if name not in named
    ]
    return (*first, *asked)


def _question(field: str, who: str, words: Words, *, said_unknown: bool) -> Line:
    return Line(
        text=in_language(field_named(field).question, words.language),
        note=words.joined(
            (
                words.say("ask_who", who=words.word("roles", who)),
                words.say("said_unknown") if said_unknown else "",
            )
        ),
        key=field,
    )


def board(material: Material, words: Words) -> list[Section]:
    """For the board: what happened, how bad it is and may become, what was decided and what is wanted. No system is named."""
    happened = lines.facts(material, (*_HAPPENED, *_EFFECT), words, with_source=False)
    decided = lines.decisions(material, words) or (Line(words.say("no_decisions")),)
    wanted = tuple(_wanted(material, words)) or (Line(words.say("none_wanted")),)
    sections = [
        Section(
            "happened", words.heading("happened"), happened or (Line(words.say("nothing_known")),), least=3
        ),
        Section("exposure", words.heading("exposure"), _exposure(material, words), least=5),
        Section("decided", words.heading("decided"), decided, least=2),
        Section("wanted", words.heading("wanted"), wanted, least=2),
        Section("next", words.heading("next"), (lines.next_update(material, words),)),
    ]
    unnamed = without_names(_system_names(material), "某系统" if words.is_chinese else "a system")
    return [change_texts(section, unnamed) for section in sections]


def _exposure(material: Material, words: Words) -> tuple[Line, ...]:
    standing = [view for view in material.duties if view.is_open]
    counts = words.say(
        "duties_count",
        open=len(standing),
        assumed=sum(view.duty.assumed for view in standing),
        overdue=sum(view.is_overdue for view in standing),
    )
    unreviewed = any(not view.duty.is_reviewed for view in standing)
    return (
        *lines.facts(material, ("persons", "persons_sensitive", "data_categories"), words, with_source=False),
        *lines.grades(material, words),
        Line(
            counts if standing else words.say("no_duties"),
            label=words.say("duties"),
            marks=(words.mark("unreviewed"),) if unreviewed else (),
            key="duties",
        ),
        Line(words.joined(_worst(material, words)), label=words.say("worst"), key="worst"),
    )


def _worst(material: Material, words: Words) -> Iterable[str]:
    """What it may come to as far as the facts allow: the highest grades, the most people, the first deadline."""
    for result in material.grades:
        scale = result.scale
        yield words.say(
            "worst_grade",
            scale=scale.title[words.language],
            grade=scale.grades[result.highest][words.language],
        )
    persons = lines.highest_number(material, "persons")
    if persons is None:
        yield words.say("worst_people_unknown")
    elif persons.max is None:
        yield words.say("worst_people_open")
    else:
        yield words.say("worst_people", number=f"{persons.max:,}")
    dated = [view for view in material.duties if view.is_open and view.duty.due_at is not None]
    if dated:
        first = min(dated, key=lambda view: (view.duty.due_at, view.duty.id))
        assert first.duty.due_at is not None  # noqa: S101 - chosen for it
        title = in_language(first.duty.title, words.language)
        yield words.say("worst_duty", time=words.time(first.duty.due_at), title=title)


def _wanted(material: Material, words: Words) -> Iterable[Line]:
    """What waits for somebody to decide."""
    for hold in lines.standing_holds(material):
        if hold.state_at(material.now) is HoldState.ENDED:
            yield Line(words.say("wanted_hold", label=hold.label), key=hold.label)
    for step in material.waiting:
        if step.signatures:
            title = in_language(step.title, words.language)
            yield Line(
                words.say("wanted_step", title=title, count=step.signatures), key=f"{step.run} {step.step}"
            )
    newest = max(material.notices, key=lambda each: each.version, default=None)
    if newest is not None and newest.state == NoticeState.DRAFT:
        yield Line(words.say("wanted_release", version=newest.version), key="notice")
    for view in lines.may_be_waived(material):
        yield Line(
            words.say("wanted_waiver", title=in_language(view.duty.title, words.language)),
            marks=lines.marks_of(view, words),
            key=view.duty.id,
        )
    for order in material.instructions:
        if order.settled_at is None:
            yield lines.instruction_line(order, words, now=material.now)


def police(material: Material, words: Words) -> list[Section]:
    """For the police: the event, its times, the systems, the evidence with hashes, and the silence they asked for.

    Nothing of what the law asks of us, nothing of any person concerned.
    """
    times = (*lines.facts(material, _TIMES, words), *lines.measures(material, words, with_whom=False))
    event = lines.facts(material, _EVENT, words) or (Line(words.say("nothing_known")),)
    holds = tuple(
        lines.hold_line(each, words, now=material.now, with_conflicts=False)
        for each in lines.standing_holds(material)
        if _is_of_police(each.by, material)
    )
    return [
        Section("event", words.heading("event"), event, least=4),
        Section("times", words.heading("times"), times, least=4),
        Section("evidence", words.heading("evidence"), _evidence(material, words), least=6),
        Section("holds", words.heading("holds"), holds or (Line(words.say("no_holds")),), least=1),
        Section("contact", words.heading("contact"), contact(material, words), least=4),
    ]  # fmt: skip


def _is_of_police(by: str, material: Material) -> bool:
    """Whether a hold was asked for by the police: by that word, or by a contact of the police."""
    said = by.casefold()
    names = {"police", "公安", "警方", "警察", "网安"}
    for each in material.contacts:
        if each.kind is ContactKind.POLICE:
            names |= {each.key.casefold(), each.name.casefold()}
    return any(name and name in said for name in names)


def _evidence(material: Material, words: Words) -> tuple[Line, ...]:
    if not material.evidence:
        return (Line(words.say("no_evidence")),)
    return tuple(
        Line(
            words.say("evidence", sha256=each.sha256, size=f"{each.size:,}", time=words.time(each.taken_at)),
            label=each.name,
            key=each.sha256,
            at=each.taken_at,
        )
        for each in material.evidence
    )


def contact(material: Material, words: Words) -> tuple[Line, ...]:
    """How to reach us."""
    house = material.organisation
    officer = words.named(house.protection_officer.name)
    found = (
        ("organisation", words.named(house.name)),
        ("phone", house.phone),
        ("email", house.email),
        ("address", words.named(house.address)),
        ("officer", words.listed(part for part in (officer, house.protection_officer.contact) if part)),
    )
    return tuple(Line(text, label=words.say(name), key=name) for name, text in found if text) or (
        Line(words.say("no_contact")),
    )


# -- names of systems ------------------------------------------------------------------------------------


def _system_names(material: Material) -> list[str]:
    """Every name that was ever given to a system in this incident."""
    named: list[str] = []
    for stated in material.dossier.history:
        if stated.fact.field == "systems":
            named += _texts(stated.fact.value)
    return named


def _texts(value: Value | None) -> list[str]:
    return [part for part in value if isinstance(part, str)] if isinstance(value, tuple) else []


def without_names(names: Iterable[str], instead: str) -> Callable[[str], str]:
    """A function that replaces these names in a text, the longest first, whatever their case."""
    wanted = sorted(
        {name.strip() for name in names if len(name.strip()) >= _SHORTEST_NAME}, key=len, reverse=True
    )
    if not wanted:
        return lambda text: text
    # A name in Latin letters counts as a whole word only, so that "crm" leaves "macramé" alone.
    parts = [_whole(name) for name in wanted]
    pattern = re.compile("|".join(parts), re.IGNORECASE)
    return lambda text: pattern.sub(instead, text)


def _whole(name: str) -> str:
    before = r"(?<![A-Za-z0-9])" if re.match(r"[A-Za-z0-9]", name) else ""
    after = r"(?![A-Za-z0-9])" if re.search(r"[A-Za-z0-9]$", name) else ""
    return f"{before}{re.escape(name)}{after}"
