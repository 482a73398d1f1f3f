"""From facts to duties: which regimes bite, what each asks, to whom, by when, and why or why not.

Pure and deterministic: the same regimes, facts, scope and `now` give the same findings. Unknown does not stop a
clock: where a condition cannot be told, the duty is computed as if it held, the earliest of its possible
deadlines runs, and both are marked as assumed, with the facts that would settle it. An exemption, on the other
hand, counts only when it is shown. One duty never closes another: every rule is answered for itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from incident.law.clocks import NOT_STARTED, AnchorTime, Rolls, Within, anchor_time, due_at
from incident.law.conditions import Condition, Grades, evaluate_condition
from incident.law.findings import (
    Branch,
    Duty,
    DutyState,
    ExemptionFinding,
    Finding,
    Outcome,
    Recipient,
    ReportItem,
    RequiredFields,
)
from incident.law.grading import GradesOf, Scale, shipped_scales
from incident.law.organisations import organisations_in_words
from incident.law.reasons import NOTHING, Answer, Reason, all_of, negated, union, with_answer
from incident.law.regimes import Cap, DutyKind, DutyRule, Effect, Exemption, PathRule, Regime, Status
from incident.record.facts import FactSheet, FrozenText, LocalText

_ALWAYS = FrozenText({"zh-Hans": "适用本法即有此义务", "en": "owed wherever the regime applies"})
_SHOWN = FrozenText({"zh-Hans": "例外须已查明", "en": "the exemption must be shown"})
_STATUS = {
    Status.in_force: FrozenText(
        {"zh-Hans": "施行日期未载明", "en": "it does not say since when it is in force"}
    ),
    Status.proposed: FrozenText(
        {"zh-Hans": "尚为草案，不产生义务", "en": "a proposal, not law; it raises no duty"}
    ),
    Status.adopted_not_effective: FrozenText(
        {"zh-Hans": "已通过，尚未施行，不产生义务", "en": "adopted, not yet in effect; it raises no duty"}
    ),
    Status.repealed: FrozenText({"zh-Hans": "已废止，不产生义务", "en": "repealed; it raises no duty"}),
}
_RULED_OUT = FrozenText({"zh-Hans": "已知事实排除了适用", "en": "ruled out by what is known"})
_NOT_REOPENED = FrozenText({"zh-Hans": "没有恢复义务的情形", "en": "nothing reopens the duty"})


def evaluate(
    regimes: Iterable[Regime],
    sheet: FactSheet,
    *,
    scope_countries: Iterable[str],
    now: datetime,
    scales: Mapping[str, Scale] | None = None,
    reopened: Collection[str] = (),
    organisations: Collection[str] = (),
    submitted: Mapping[str, datetime] | None = None,
    reviewed: Mapping[str, date] | None = None,
) -> tuple[Finding, ...]:
    """One finding for each regime, in the order of their ids.

    `scope_countries`: the countries in play for the workspace (CN, EU, DE, US-CA...). `organisations`: what the
    organisation is, where a law binds only some. `submitted`: when duties were met, by their ids. `reviewed`: until
    which day counsel of the workspace approved a regime, by its id, beside what its file says. `now` decides only whether a
    review is still valid, and whether a regime is in force while no time of the incident is known. `reopened`: the
    duties that an authority asks for whatever exemption is shown; no exemption drops them.
    """
    given = _Given(
        sheet=sheet,
        grades=GradesOf(scales or shipped_scales(), sheet),
        scope=frozenset(country.upper() for country in scope_countries),
        organisations=frozenset(organisations),
        now=now,
        reopened=frozenset(reopened),
        submitted=submitted or {},
        reviewed=reviewed or {},
    )
    return tuple(_finding(regime, given) for regime in sorted(regimes, key=lambda regime: regime.id))


def required_report_items(
    findings: Iterable[Finding], *, minimum: bool = False
) -> Mapping[ReportItem, tuple[tuple[str, str], ...]]:
    """Report item to the (regime, article) pairs that ask for it: the union over all standing reports to authorities.

    `minimum`: only what the first version must hold, where a law lets the rest follow; all items where it does not.
    """
    asked: dict[ReportItem, list[tuple[str, str]]] = {}
    for finding in findings:
        for duty in finding.duties:
            if duty.kind is not DutyKind.report_authority or not duty.is_standing:
                continue
            articles = dict(duty.item_articles)
            for item in (duty.minimum if minimum else ()) or duty.items:
                place = ReportItem(duty.form or duty.id, duty.phase, item)
                asked.setdefault(place, []).append((duty.regime, articles.get(item, duty.article)))
    return {place: tuple(sources) for place, sources in asked.items()}


def required_notice_elements(findings: Iterable[Finding]) -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Notice element to the (regime, article) pairs that ask for it: the union over all standing notices."""
    asked: dict[str, list[tuple[str, str]]] = {}
    for finding in findings:
        for duty in finding.duties:
            if duty.kind is DutyKind.notify_people and duty.is_standing:
                for element, article in duty.elements:
                    asked.setdefault(element, []).append((duty.regime, article))
    return {element: tuple(sources) for element, sources in asked.items()}


@dataclass(frozen=True)
class _Given:
    """Everything that an evaluation goes by beside the regimes."""

    sheet: FactSheet
    grades: Grades
    scope: frozenset[str]
    organisations: frozenset[str]
    now: datetime
    reopened: frozenset[str]
    submitted: Mapping[str, datetime]
    reviewed: Mapping[str, date]

    def answer(self, condition: Condition) -> Reason:
        return evaluate_condition(condition, self.sheet, self.grades)

    def is_reviewed(self, regime: Regime) -> bool:
        today = self.now.astimezone(regime.zone).date()
        until = self.reviewed.get(regime.id)
        return regime.is_reviewed(today) or (until is not None and today <= until)


def _finding(regime: Regime, given: _Given) -> Finding:
    applies = _applies(regime, given)
    outcome, why = Outcome(applies.answer.value), _headed(regime.title, applies)
    if not regime.is_in_scope(given.scope, given.organisations):
        outcome, why = Outcome.out_of_scope, _out_of_scope(regime, applies, given)
    elif line := _not_in_force(regime, given.sheet, given.now):
        outcome, why = Outcome.not_in_force, Reason(Answer.not_met, FrozenText(line))
    duties: tuple[Duty, ...] = ()
    if outcome in (Outcome.met, Outcome.not_met, Outcome.cannot_tell):
        duties = tuple(_duty(regime, rule, applies, given) for rule in regime.duties)
    return Finding(
        regime=regime.id,
        title=regime.title,
        country=regime.country,
        outcome=outcome,
        why=why,
        duties=duties,
        confidence=regime.confidence,
        is_reviewed=given.is_reviewed(regime),
        source=regime.source,
    )


def _applies(regime: Regime, given: _Given) -> Reason:
    applies = given.answer(regime.applies)
    if applies.answer is not Answer.cannot_tell or regime.ruled_out is None:
        return applies
    ruled_out = given.answer(regime.ruled_out)
    if ruled_out.answer is not Answer.met:
        return applies
    text = with_answer(_RULED_OUT, Answer.not_met)
    return Reason(Answer.not_met, text, rests_on=ruled_out.rests_on, parts=(ruled_out,))


def _duty(regime: Regime, rule: DutyRule, applies: Reason, given: _Given) -> Duty:
    duty_id = f"{regime.id}/{rule.id}"
    owed = _owed(rule, applies, given)
    exemptions = tuple(_exemption(one, given) for one in rule.exemptions)
    branches = _branches(regime, rule, given)
    first = branches[0] if branches else None
    start = first.start if first else NOT_STARTED
    state, why = _state(owed, () if duty_id in given.reopened else exemptions, branches)
    open_facts, waits_for, waits_for_duty = NOTHING, NOTHING, None
    if state is not DutyState.not_owed:
        open_facts = union([owed.decides, _open_on_the_way(branches), start.open_fields])
        if start.at is None:
            waits_for = start.open_fields
            open_facts -= waits_for
        if start.waits_for_duty:
            waits_for_duty = f"{regime.id}/{start.waits_for_duty}"
    return Duty(
        id=duty_id,
        regime=regime.id,
        title=rule.title,
        kind=rule.kind,
        phase=rule.phase,
        state=state,
        why=why,
        recipients=first.recipients if first else (),
        path=first.path if first else "",
        article=rule.article,
        urgency=first.urgency if first else rule.as_paths()[0].urgency,
        within=first.within if first else None,
        anchor_field=start.field,
        anchor_at=start.at,
        due_at=first.due_at if first and state is not DutyState.not_owed else None,
        waits_for=waits_for,
        assumed=bool(open_facts),
        settled_by=open_facts,
        branches=branches,
        exemptions=exemptions,
        elements=_elements(rule, given),
        items=rule.items,
        item_articles=tuple(rule.item_articles.items()),
        minimum=rule.minimum,
        extra_fields=_extra_fields(rule, given),
        late_fields=rule.late_fields,
        channels=rule.channels,
        report_points=tuple(point for point in regime.report_points if point.channel in rule.channels),
        form=rule.form,
        needs_first=f"{regime.id}/{rule.needs_first}" if rule.needs_first else None,
        confidence=rule.confidence,
        is_reviewed=given.is_reviewed(regime),
        waits_for_duty=waits_for_duty,
        is_general=rule.is_general,
    )


def _owed(rule: DutyRule, applies: Reason, given: _Given) -> Reason:
    """Whether the duty arises at all, exemptions aside: the regime applies and the rule's own condition holds."""
    if rule.only_if is None:
        return Reason(
            applies.answer,
            with_answer(_ALWAYS, applies.answer),
            applies.decides,
            applies.rests_on,
            (applies,),
        )
    return all_of((applies, given.answer(rule.only_if)), rule.title)


def _exemption(rule: Exemption, given: _Given) -> ExemptionFinding:
    shown = given.answer(rule.condition)
    if rule.unless is not None:
        reopened = given.answer(rule.unless)
        shown = all_of((shown, negated(reopened, _NOT_REOPENED)), _SHOWN)
    return ExemptionFinding(rule.effect, rule.title, rule.article, shown, rule.asks)


def _state(
    owed: Reason, exemptions: tuple[ExemptionFinding, ...], branches: tuple[Branch, ...]
) -> tuple[DutyState, Reason]:
    if owed.answer is Answer.not_met:
        return DutyState.not_owed, owed
    if not branches:
        text = {"zh-Hans": "没有一种报告途径适用", "en": "none of its ways applies"}
        return DutyState.not_owed, Reason(Answer.not_met, with_answer(text, Answer.not_met), parts=(owed,))
    for effect, state in (
        (Effect.not_owed, DutyState.not_owed),
        (Effect.may_be_waived, DutyState.may_be_waived),
    ):
        for one in exemptions:
            if one.effect is effect and one.reason.answer is Answer.met:
                return state, _exempted(one)
    return DutyState.owed, owed


def _exempted(exemption: ExemptionFinding) -> Reason:
    text = {
        "zh-Hans": f"{exemption.title['zh-Hans']}（{exemption.article}）",
        "en": f"{exemption.title['en']} ({exemption.article})",
    }
    shown = exemption.reason
    return Reason(Answer.not_met, FrozenText(text), rests_on=shown.rests_on, parts=(shown,))


def _branches(regime: Regime, rule: DutyRule, given: _Given) -> tuple[Branch, ...]:
    """Every way that is not ruled out, the one with the earliest deadline first."""
    possible = []
    for path in rule.as_paths():
        if not path.is_open_to(given.organisations):
            continue
        reason = None if path.only_if is None else given.answer(path.only_if)
        if reason is None or reason.answer is not Answer.not_met:
            possible.append(_branch(regime, rule, path, given, reason))
    return tuple(sorted(possible, key=_runs_first))


def _branch(regime: Regime, rule: DutyRule, path: PathRule, given: _Given, reason: Reason | None) -> Branch:
    start, due = _clock(regime, rule, path, given)
    return Branch(
        path=path.id,
        title=path.title,
        recipients=tuple(Recipient(key, regime.recipients[key]) for key in path.recipients),
        urgency=path.urgency,
        within=path.within,
        due_at=due,
        article=path.article,
        reason=reason,
        start=start,
    )


def _clock(
    regime: Regime, rule: DutyRule, path: PathRule, given: _Given
) -> tuple[AnchorTime, datetime | None]:
    """From when the way's clock runs, and when it ends: by its own period, or by a cap that ends earlier."""
    submitted = {
        other.id: at
        for other in regime.duties
        if (at := given.submitted.get(f"{regime.id}/{other.id}")) is not None
    }

    def end(start: AnchorTime, within: Within | None) -> datetime | None:
        if start.at is None or within is None:
            return None
        return due_at(start.at, within, zone=regime.zone, working_days=regime.working_days)

    start = anchor_time(path.anchor or rule.anchor, given.sheet, submitted)
    due = end(start, path.within)
    for cap in path.caps:
        capped = anchor_time(cap.anchor, given.sheet, submitted)
        capped_due = end(capped, cap.within)
        if capped_due is None:
            # Its event may lie so early that the cap ends first: whoever knows it must say so.
            start = replace(start, open_fields=start.open_fields | capped.open_fields)
            continue
        if _gave_way(cap, end(capped, replace(cap.within, rolls=Rolls.stays)), given.sheet):
            continue
        if due is None or capped_due < due:
            unknown = start.open_fields if start.at is None else NOTHING
            start = replace(
                capped, open_fields=capped.open_fields | unknown, assumed=bool(unknown) or capped.assumed
            )
            due = capped_due
    return start, due


def _gave_way(cap: Cap, end: datetime | None, sheet: FactSheet) -> bool:
    """`end`: of the cap as it was before a day off moved it; what happened after that came too late for the cap."""
    happened = sheet.get(cap.gives_way_to) if cap.gives_way_to is not None else None
    return isinstance(happened, datetime) and end is not None and happened > end


def _runs_first(branch: Branch) -> tuple[bool, bool, float, bool]:
    """A period before none, one that runs before one that waits, the earlier before the later, and what is certain
    before what is only possible."""
    if branch.due_at is not None:
        length = branch.due_at.timestamp()
    else:
        length = float(branch.within.nominal_seconds) if branch.within else 0.0
    waits = branch.within is not None and branch.due_at is None
    return (
        branch.within is None,
        waits,
        length,
        branch.reason is not None and branch.reason.answer is not Answer.met,
    )


def _open_on_the_way(branches: tuple[Branch, ...]) -> frozenset[str]:
    if not branches or branches[0].reason is None or branches[0].reason.answer is Answer.met:
        return NOTHING
    return union(branch.reason.decides for branch in branches if branch.reason is not None)


def _elements(rule: DutyRule, given: _Given) -> tuple[tuple[str, str], ...]:
    """What the notice must hold, with the article: an element goes only where its condition is certainly not met."""
    dropped = {
        name
        for name, condition in rule.elements_only_if.items()
        if given.answer(condition).answer is Answer.not_met
    }
    return tuple((name, article) for name, article in rule.elements.items() if name not in dropped)


def _extra_fields(rule: DutyRule, given: _Given) -> tuple[RequiredFields, ...]:
    asked = []
    for extra in rule.extra_fields:
        answer = given.answer(extra.condition).answer
        if answer is not Answer.not_met:
            asked.append(RequiredFields(extra.fields, extra.article, answer is Answer.cannot_tell))
    return tuple(asked)


def _headed(title: LocalText, applies: Reason) -> Reason:
    return Reason(
        applies.answer, with_answer(title, applies.answer), applies.decides, applies.rests_on, (applies,)
    )


def _out_of_scope(regime: Regime, applies: Reason, given: _Given) -> Reason:
    """Out of scope is a setting, not a fact; where the facts meet the trigger all the same, the line warns."""
    if regime.countries() & given.scope:
        return Reason(Answer.not_met, _binds_others(regime))
    shown = ", ".join(sorted(given.scope))
    chinese = f"{regime.title['zh-Hans']}：不在本工作区的范围内（范围：{shown or '未设置'}，本规定：{regime.country}）"
    english = f"{regime.title['en']}: not in the scope of this workspace (scope: {shown or 'none set'}; this one: {regime.country})"
    if applies.answer is Answer.met:
        chinese += f"。注意：已知事实符合其适用条件，请核对是否应当将 {regime.country} 列入范围"
        english += (
            f". Note: the known facts meet its trigger; check whether {regime.country} belongs in the scope"
        )
        return Reason(Answer.not_met, FrozenText({"zh-Hans": chinese, "en": english}), parts=(applies,))
    return Reason(Answer.not_met, FrozenText({"zh-Hans": chinese, "en": english}))


def _binds_others(regime: Regime) -> FrozenText:
    kinds = organisations_in_words(regime.organisations)
    return FrozenText(
        {
            "zh-Hans": f"{regime.title['zh-Hans']}：仅适用于{kinds['zh-Hans']}，本工作区的 [scope] organisation 未列入",
            "en": f"{regime.title['en']}: it binds only {kinds['en']}; [scope] organisation of this workspace names none of them",
        }
    )


def _not_in_force(regime: Regime, sheet: FactSheet, now: datetime) -> dict[str, str] | None:
    """The law of the day of the incident: by the earliest of its times that is known, else by `now`."""
    if regime.status is not Status.in_force or regime.in_force is None:
        told = _STATUS[regime.status]
        return {
            "zh-Hans": f"{regime.title['zh-Hans']}：{told['zh-Hans']}",
            "en": f"{regime.title['en']}: {told['en']}",
        }
    moment = anchor_time(regime.in_force_by, sheet).at or now
    day = moment.astimezone(regime.zone).date()
    since, to = regime.in_force.since, regime.in_force.to
    if since <= day and (to is None or day <= to):
        return None
    return {
        "zh-Hans": f"{regime.title['zh-Hans']}：{day} 尚未施行或者已经失效（自 {since} 起{f'至 {to} 止' if to else '施行'}）",
        "en": f"{regime.title['en']}: not in force on {day} (from {since}{f' to {to}' if to else ''})",
    }
