"""From facts to duties: which regimes bite, what each asks, to whom, by when, and why or why not.

Pure and deterministic: the same regimes, facts, scope and `now` give the same findings. Unknown does not stop a
clock: where a condition cannot be told, the duty is computed as if it held, the earliest of its possible
deadlines runs, and both are marked as assumed, with the facts that would settle it. An exemption, on the other
hand, counts only when it is shown. One duty never closes another: every rule is answered for itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime

from incident.law.clocks import AnchorTime, anchor_time, due_at
from incident.law.conditions import Grades, evaluate_condition
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
from incident.law.grading import Scale, grade, shipped_scales
from incident.law.reasons import NOTHING, Answer, Reason, all_of, negated, union, with_answer
from incident.law.regimes import DutyKind, DutyRule, Effect, Exemption, PathRule, Regime
from incident.record.facts import FactSheet, FrozenText, LocalText

_ALWAYS = FrozenText({"zh-Hans": "适用本法即有此义务", "en": "owed wherever the regime applies"})
_SHOWN = FrozenText({"zh-Hans": "例外须已查明", "en": "the exemption must be shown"})
_NOT_REOPENED = FrozenText({"zh-Hans": "没有恢复义务的情形", "en": "nothing reopens the duty"})


def evaluate(
    regimes: Iterable[Regime],
    sheet: FactSheet,
    *,
    scope_countries: Iterable[str],
    now: datetime,
    scales: Mapping[str, Scale] | None = None,
    reopened: Collection[str] = (),
) -> tuple[Finding, ...]:
    """One finding for each regime, in the order of their ids.

    `scope_countries`: the countries in play for the workspace (CN, EU, DE...). `now` decides only whether a
    review is still valid, and whether a regime is in force while no time of the incident is known. `reopened`: the
    duties that an authority asks for whatever exemption is shown; no exemption drops them.
    """
    grades = {key: grade(scale, sheet) for key, scale in (scales or shipped_scales()).items()}
    scope = frozenset(country.upper() for country in scope_countries)
    ordered = sorted(regimes, key=lambda regime: regime.id)
    return tuple(_finding(regime, sheet, grades, scope, now, reopened) for regime in ordered)


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


def _finding(
    regime: Regime,
    sheet: FactSheet,
    grades: Grades,
    scope: frozenset[str],
    now: datetime,
    reopened: Collection[str],
) -> Finding:
    applies = evaluate_condition(regime.applies, sheet, grades)
    outcome, why = Outcome(applies.answer.value), _headed(regime.title, applies)
    if not regime.countries() & scope:
        outcome, why = Outcome.out_of_scope, _out_of_scope(regime, applies, scope)
    elif line := _not_in_force(regime, sheet, now):
        outcome, why = Outcome.not_in_force, Reason(Answer.not_met, FrozenText(line))
    today = now.astimezone(regime.zone).date()
    duties: tuple[Duty, ...] = ()
    if outcome in (Outcome.met, Outcome.not_met, Outcome.cannot_tell):
        duties = tuple(_duty(regime, rule, applies, sheet, grades, today, reopened) for rule in regime.duties)
    return Finding(
        regime=regime.id,
        title=regime.title,
        country=regime.country,
        outcome=outcome,
        why=why,
        duties=duties,
        confidence=regime.confidence,
        is_reviewed=regime.is_reviewed(today),
        source=regime.source,
    )


def _duty(
    regime: Regime,
    rule: DutyRule,
    applies: Reason,
    sheet: FactSheet,
    grades: Grades,
    today: date,
    reopened: Collection[str],
) -> Duty:
    duty_id = f"{regime.id}/{rule.id}"
    start = anchor_time(rule.anchor, sheet)
    owed = _owed(rule, applies, sheet, grades)
    exemptions = tuple(_exemption(one, sheet, grades) for one in rule.exemptions)
    branches = _branches(regime, rule, start, sheet, grades)
    first = branches[0] if branches else None
    state, why = _state(owed, () if duty_id in reopened else exemptions, branches, rule)
    open_facts = NOTHING
    if state is not DutyState.not_owed:
        open_facts = union([owed.decides, _open_on_the_way(branches), start.open_fields])
        if start.at is None:
            open_facts -= start.open_fields
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
        waits_for=start.open_fields if start.at is None and state is not DutyState.not_owed else NOTHING,
        assumed=bool(open_facts),
        settled_by=open_facts,
        branches=branches,
        exemptions=exemptions,
        elements=tuple(rule.elements.items()),
        items=rule.items,
        item_articles=tuple(rule.item_articles.items()),
        minimum=rule.minimum,
        extra_fields=_extra_fields(rule, sheet, grades),
        late_fields=rule.late_fields,
        channels=rule.channels,
        report_points=tuple(point for point in regime.report_points if point.channel in rule.channels),
        form=rule.form,
        needs_first=f"{regime.id}/{rule.needs_first}" if rule.needs_first else None,
        confidence=rule.confidence,
        is_reviewed=regime.is_reviewed(today),
    )


def _owed(rule: DutyRule, applies: Reason, sheet: FactSheet, grades: Grades) -> Reason:
    """Whether the duty arises at all, exemptions aside: the regime applies and the rule's own condition holds."""
    if rule.only_if is None:
        return Reason(
            applies.answer,
            with_answer(_ALWAYS, applies.answer),
            applies.decides,
            applies.rests_on,
            (applies,),
        )
    return all_of((applies, evaluate_condition(rule.only_if, sheet, grades)), rule.title)


def _exemption(rule: Exemption, sheet: FactSheet, grades: Grades) -> ExemptionFinding:
    shown = evaluate_condition(rule.condition, sheet, grades)
    if rule.unless is not None:
        reopened = evaluate_condition(rule.unless, sheet, grades)
        shown = all_of((shown, negated(reopened, _NOT_REOPENED)), _SHOWN)
    return ExemptionFinding(rule.effect, rule.title, rule.article, shown)


def _state(
    owed: Reason, exemptions: tuple[ExemptionFinding, ...], branches: tuple[Branch, ...], rule: DutyRule
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


def _branches(
    regime: Regime, rule: DutyRule, start: AnchorTime, sheet: FactSheet, grades: Grades
) -> tuple[Branch, ...]:
    """Every way that is not ruled out, the one with the earliest deadline first."""
    possible = []
    for path in rule.as_paths():
        reason = None if path.only_if is None else evaluate_condition(path.only_if, sheet, grades)
        if reason is None or reason.answer is not Answer.not_met:
            possible.append(_branch(regime, path, start, reason))
    return tuple(sorted(possible, key=_runs_first))


def _branch(regime: Regime, path: PathRule, start: AnchorTime, reason: Reason | None) -> Branch:
    due = due_at(start.at, path.within, zone=regime.zone) if start.at and path.within else None
    return Branch(
        path=path.id,
        title=path.title,
        recipients=tuple(Recipient(key, regime.recipients[key]) for key in path.recipients),
        urgency=path.urgency,
        within=path.within,
        due_at=due,
        article=path.article,
        reason=reason,
    )


def _runs_first(branch: Branch) -> tuple[bool, float, bool]:
    """A period before none, the earlier before the later, what is certain before what is only possible."""
    if branch.due_at is not None:
        length = branch.due_at.timestamp()
    else:
        length = float(branch.within.nominal_seconds) if branch.within else 0.0
    return branch.within is None, length, branch.reason is not None and branch.reason.answer is not Answer.met


def _open_on_the_way(branches: tuple[Branch, ...]) -> frozenset[str]:
    if not branches or branches[0].reason is None or branches[0].reason.answer is Answer.met:
        return NOTHING
    return union(branch.reason.decides for branch in branches if branch.reason is not None)


def _extra_fields(rule: DutyRule, sheet: FactSheet, grades: Grades) -> tuple[RequiredFields, ...]:
    asked = []
    for extra in rule.extra_fields:
        answer = evaluate_condition(extra.condition, sheet, grades).answer
        if answer is not Answer.not_met:
            asked.append(RequiredFields(extra.fields, extra.article, answer is Answer.cannot_tell))
    return tuple(asked)


def _headed(title: LocalText, applies: Reason) -> Reason:
    return Reason(
        applies.answer, with_answer(title, applies.answer), applies.decides, applies.rests_on, (applies,)
    )


def _out_of_scope(regime: Regime, applies: Reason, scope: frozenset[str]) -> Reason:
    """Out of scope is a setting, not a fact; where the facts meet the trigger all the same, the line warns."""
    shown = ", ".join(sorted(scope))
    chinese = f"{regime.title['zh-Hans']}：不在本工作区的范围内（范围：{shown or '未设置'}，本规定：{regime.country}）"
    english = f"{regime.title['en']}: not in the scope of this workspace (scope: {shown or 'none set'}; this one: {regime.country})"
    if applies.answer is Answer.met:
        chinese += f"。注意：已知事实符合其适用条件，请核对是否应当将 {regime.country} 列入范围"
        english += (
            f". Note: the known facts meet its trigger; check whether {regime.country} belongs in the scope"
        )
        return Reason(Answer.not_met, FrozenText({"zh-Hans": chinese, "en": english}), parts=(applies,))
    return Reason(Answer.not_met, FrozenText({"zh-Hans": chinese, "en": english}))


def _not_in_force(regime: Regime, sheet: FactSheet, now: datetime) -> dict[str, str] | None:
    """The law of the day of the incident: by the earliest of its times that is known, else by `now`."""
    moment = anchor_time(regime.in_force_by, sheet).at or now
    day = moment.astimezone(regime.zone).date()
    since, to = regime.in_force.since, regime.in_force.to
    if since <= day and (to is None or day <= to):
        return None
    return {
        "zh-Hans": f"{regime.title['zh-Hans']}：{day} 尚未施行或者已经失效（自 {since} 起{f'至 {to} 止' if to else '施行'}）",
        "en": f"{regime.title['en']}: not in force on {day} (from {since}{f' to {to}' if to else ''})",
    }
