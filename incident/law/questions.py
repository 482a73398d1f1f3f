"""The open questions of an incident, in the order of how much they decide and how soon.

A question is a field that a rule in scope needs for a duty that stands open, and that leaves something of it open:
whether it is owed, from when, by when, to whom, or whether it may be left out. What hangs on it is found by asking
"what if": the law is evaluated with each possible answer, and each duty is compared with what it is now.

The order. Each duty that an answer changes counts

    KIND x NEARNESS

KIND: 4 where the answer starts a clock, decides whether the duty is owed, or moves its due time or its recipient;
2 where it lets the duty be left out or be met by a public notice, or makes certain what is assumed; 1/2 where it
changes what the report must hold; 1/4 where it decides only together with other answers.
NEARNESS: 8 where the duty is owed at once or leaves four hours or less (also when overdue), 4 up to 24 hours, 2 up to
seven days, 1/4 beyond. "Promptly" counts as 24 hours here, and nowhere else.

It counts half where the rule was never read but written from memory, for it may not stand as it is written; half where
it cannot be told yet if the duty is owed at all and this question does not tell it either, unless it starts the clock;
and half where an exemption needs one more answer beside this one. Of questions that each can make
the same duty certain, or that decide it only with others, the first counts in full and every further one half of the
one before: one of them may be enough. At equal weight the one with the nearest due time stands in front, then the one
that comes first in the list of facts.

Questions that somebody answered with "I don't know" stand behind all others. A time that would do instead of another
that is asked for (the clock runs from the earliest of several) is named with that question and not asked twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from incident.law.conditions import (
    Bound,
    Contains,
    Grades,
    OneOf,
    comparisons_of,
    evaluate_condition,
    fields_of,
    scales_of,
)
from incident.law.evaluate import evaluate
from incident.law.findings import Duty, Finding, Outcome
from incident.law.grading import (
    Confidence,
    GradesOf,
    Scale,
    conditions_of_scale,
    fields_of_scale,
    shipped_scales,
)
from incident.law.possible import PossibleAnswer, possible_answers
from incident.law.reasons import NOTHING, Answer, union
from incident.law.regimes import Regime, conditions_of
from incident.law.stakes import Given, Stake, StakeKind, stake
from incident.record.facts import FactSheet, Field, Value, field_catalogue

_KINDS = {
    StakeKind.starts: 4.0,
    StakeKind.owed: 4.0,
    StakeKind.when: 4.0,
    StakeKind.eased: 2.0,
    StakeKind.certain: 2.0,
    StakeKind.content: 0.5,
    StakeKind.joint: 0.25,
}
_NEARNESS = ((timedelta(hours=4), 8.0), (timedelta(hours=24), 4.0), (timedelta(days=7), 2.0))
_BEYOND = 0.25
_SHARED = frozenset({StakeKind.certain, StakeKind.joint})
_FAR = datetime.max.replace(tzinfo=UTC)

Comparisons = tuple[Bound | OneOf | Contains, ...]
Evaluated = Callable[[FactSheet, Sequence[Regime]], Sequence[Finding]]


@dataclass(frozen=True)
class Question:
    """One open question. `stakes`: what hangs on it, the weightiest duty first; empty where it decides nothing alone.

    `known`: what is recorded so far, where that leaves it open (a range, "may have happened"). `instead`: other times
    that would do. `answers`: the possible answers that were tried. `nobody_knows`: somebody said so.
    """

    field: Field
    known: Value | None
    answers: tuple[PossibleAnswer, ...]
    stakes: tuple[Stake, ...]
    instead: tuple[str, ...]
    nobody_knows: bool
    weight: float = 0.0

    @property
    def bearing(self) -> tuple[Stake, ...]:
        """The stakes that the answer decides by itself; where there are none, those that it decides with others."""
        return tuple(one for one in self.stakes if one.kind is not StakeKind.joint) or self.stakes

    @property
    def soonest(self) -> datetime | None:
        """The nearest due time that hangs on it."""
        return min((one.soonest for one in self.bearing if one.soonest is not None), default=None)

    @property
    def at_once(self) -> bool:
        """Whether a duty that is owed without any period hangs on it."""
        return any(one.at_once for one in self.bearing)


def open_questions(
    regimes: Iterable[Regime],
    sheet: FactSheet,
    *,
    scope_countries: Iterable[str],
    organisations: Collection[str] = (),
    now: datetime,
    scales: Mapping[str, Scale] | None = None,
    evaluated: Evaluated | None = None,
    met: Collection[str] = (),
    reopened: Collection[str] = (),
    nobody_knows: Collection[str] = (),
) -> tuple[Question, ...]:
    """Every open question in order (see above).

    `evaluated`: what these regimes say of a changed sheet, where more than they decides it (an authority's orders);
    without it they are evaluated. `met`: the ids of duties that were met; nothing is asked for them any more.
    `reopened`: the duties that no exemption drops any more; nothing is asked for their exemptions.
    `nobody_knows`: the fields to which somebody answered that they do not know. The same input gives the same questions
    in the same order.
    """
    law = _Law(
        regimes, tuple(scope_countries), tuple(organisations), now, scales or shipped_scales(), evaluated
    )
    findings = law.findings(sheet, law.regimes)
    duties = {duty.id: duty for finding in findings for duty in finding.duties if duty.id not in met}
    needed = law.needed(findings, duties, sheet, frozenset(reopened))
    questions = [
        _question(law, sheet, duties, field, instead, field.name in nobody_knows)
        for field, instead in _folded(law, needed, duties.values(), frozenset(nobody_knows))
    ]
    asked = _in_order([each for each in questions if not each.nobody_knows], now)
    return (*asked, *_in_order([each for each in questions if each.nobody_knows], now))


class _Law:
    """The rules with what does not change while answers are tried."""

    def __init__(
        self,
        regimes: Iterable[Regime],
        scope: tuple[str, ...],
        organisations: tuple[str, ...],
        now: datetime,
        scales: Mapping[str, Scale],
        evaluated: Evaluated | None,
    ) -> None:
        countries = {country.upper() for country in scope}
        self.regimes = tuple(regime for regime in regimes if regime.is_in_scope(countries, organisations))
        self.scope = scope
        self.organisations = organisations
        self.now = now
        self._evaluated = evaluated
        conditions = [one for regime in self.regimes for _, one in conditions_of(regime)]
        # A scale that no rule in scope asks for decides no duty, so its bounds are nothing to ask about.
        asked = {scale for one in conditions for scale, _ in scales_of(one)}
        self.scales = {key: scales[key] for key in scales if key in asked}
        conditions += [one for scale in self.scales.values() for one in conditions_of_scale(scale)]
        self.rules = {f"{regime.id}/{rule.id}": rule for regime in self.regimes for rule in regime.duties}
        self.comparisons: Comparisons = tuple(
            comparison for condition in conditions for comparison in comparisons_of(condition)
        )
        self._reads = {regime.id: self._fields_of(regime) for regime in self.regimes}

    def _fields_of(self, regime: Regime) -> frozenset[str]:
        """Every fact on which anything that the regime says can depend."""
        conditions = [one for _, one in conditions_of(regime)]
        scales = {scale for one in conditions for scale, _ in scales_of(one)}
        anchors = [regime.in_force_by, *(anchor for duty in regime.duties for anchor in duty.anchors())]
        caps = [cap for duty in regime.duties for path in duty.as_paths() for cap in path.caps]
        return union(
            [
                *map(fields_of, conditions),
                *(fields_of_scale(self.scales[scale]) for scale in scales if scale in self.scales),
                *(anchor.fields for anchor in anchors),
                frozenset(cap.gives_way_to for cap in caps if cap.gives_way_to is not None),
            ]
        )

    def readers_of(self, name: str) -> tuple[Regime, ...]:
        """The regimes that can say something else once this fact changes; all others are not evaluated again."""
        return tuple(regime for regime in self.regimes if name in self._reads[regime.id])

    def findings(self, sheet: FactSheet, regimes: Sequence[Regime]) -> Sequence[Finding]:
        if self._evaluated is not None:
            return self._evaluated(sheet, regimes)
        return evaluate(
            regimes,
            sheet,
            scope_countries=self.scope,
            organisations=self.organisations,
            now=self.now,
            scales=self.scales,
        )

    def duties(self, sheet: FactSheet, regimes: Sequence[Regime]) -> dict[str, Duty]:
        return {duty.id: duty for finding in self.findings(sheet, regimes) for duty in finding.duties}

    def duty(self, sheet: FactSheet, duty: Duty) -> Duty | None:
        """The duty under other facts; None where its regime is not in force under them."""
        own = [regime for regime in self.regimes if regime.id == duty.regime]
        return self.duties(sheet, own).get(duty.id)

    def needed(
        self,
        findings: Iterable[Finding],
        duties: Mapping[str, Duty],
        sheet: FactSheet,
        reopened: frozenset[str],
    ) -> frozenset[str]:
        """The fields that duties standing open need and cannot tell."""
        grades = GradesOf(self.scales, sheet)
        standing = [duty for duty in duties.values() if duty.is_standing]
        regimes = {duty.regime for duty in duties.values()}
        return union(
            [
                *(duty.settled_by | duty.waits_for for duty in standing),
                *(
                    exemption.decides
                    for duty in standing
                    if duty.id not in reopened
                    for exemption in duty.exemptions
                ),
                *(
                    finding.decides
                    for finding in findings
                    if finding.outcome is Outcome.cannot_tell and finding.regime in regimes
                ),
                *(self._content(duty, sheet, grades) for duty in standing),
            ]
        )

    def _content(self, duty: Duty, sheet: FactSheet, grades: Grades) -> frozenset[str]:
        """The fields that decide what else a report or a notice must hold."""
        rule = self.rules.get(duty.id)
        if rule is None:  # an authority's order, which hangs on no fact
            return NOTHING
        conditions = (*(extra.condition for extra in rule.extra_fields), *rule.elements_only_if.values())
        answers = [evaluate_condition(condition, sheet, grades) for condition in conditions]
        return union(answer.decides for answer in answers if answer.answer is Answer.cannot_tell)


def _folded(
    law: _Law, needed: frozenset[str], duties: Iterable[Duty], nobody_knows: frozenset[str]
) -> list[tuple[Field, tuple[str, ...]]]:
    """The fields to ask for, in the order of the list of facts, each with the times that would do instead."""
    waited = [law.rules[duty.id].anchor.fields & needed for duty in duties if duty.waits_for]
    groups = sorted({group for group in waited if len(group) > 1}, key=sorted)
    places = {name: place for place, name in enumerate(field_catalogue())}
    instead: dict[str, list[str]] = {}
    for group in groups:
        leader, *others = sorted(group, key=lambda name: (name in nobody_knows, places[name]))
        # What another clock waits for too, and its own leader does not start, is asked for by itself.
        instead.setdefault(leader, []).extend(
            name for name in others if all(leader in each for each in groups if name in each)
        )
    folded = {name for others in instead.values() for name in others} - nobody_knows
    return [
        (field, tuple(dict.fromkeys(instead.get(field.name, ()))))
        for field in field_catalogue().values()
        if field.name in needed and field.name not in folded
    ]


def _question(
    law: _Law,
    sheet: FactSheet,
    duties: Mapping[str, Duty],
    field: Field,
    instead: tuple[str, ...],
    nobody_knows: bool,
) -> Question:
    known = sheet.get(field.name)
    times = [law.now, *(duty.anchor_at for duty in duties.values() if duty.anchor_at is not None)]
    answers = possible_answers(field, known, law.comparisons, times)
    readers = law.readers_of(field.name)
    tried = {answer: law.duties({**sheet, field.name: answer.value}, readers) for answer in answers}
    stakes = []
    for duty in (each for each in duties.values() if any(each.regime == regime.id for regime in readers)):
        # A regime that is not in force under an answer has no duties there: nothing can be compared.
        answered = {answer: found[duty.id] for answer, found in tried.items() if duty.id in found}
        found = stake(field.name, duty, answered) if answered else None
        if found is None or found.kind is StakeKind.joint:
            found = _exempting(law, sheet, duty, field, answers) or found
        if found is not None:
            stakes.append(found)
    stakes.sort(key=lambda each: (-_weight(each, law.now), each.now.id))
    return Question(field, known, answers, tuple(stakes), instead, nobody_knows)


def _exempting(
    law: _Law, sheet: FactSheet, duty: Duty, field: Field, answers: Sequence[PossibleAnswer]
) -> Stake | None:
    """What the field decides of an exemption that needs one more answer beside it."""
    if not duty.is_standing or not duty.exemptions:
        return None
    shown_by = [
        one.decides
        for one, rule in zip(duty.exemptions, law.rules[duty.id].exemptions, strict=True)
        if field.name in fields_of(rule.condition)
    ]
    for pair in (pair for pair in shown_by if field.name in pair and len(pair) == 2):
        [other] = pair - {field.name}
        for given in possible_answers(field_catalogue()[other], sheet.get(other), law.comparisons, [law.now]):
            supposed = {**sheet, other: given.value}
            tried = {answer: law.duty({**supposed, field.name: answer.value}, duty) for answer in answers}
            now, answered = law.duty(supposed, duty), {key: each for key, each in tried.items() if each}
            if now is None or not answered:
                continue
            found = stake(field.name, now, answered, given=Given(other, given.value))
            if found is not None and found.kind in (StakeKind.owed, StakeKind.eased):
                return found
    return None


def _weight(one: Stake, now: datetime) -> float:
    room = one.room(now)
    near = next((weight for most, weight in _NEARNESS if room <= most), _BEYOND)
    only_possible = one.is_only_possible and not one.decides_whether and one.kind is not StakeKind.starts
    doubtful = one.now.confidence is Confidence.memory
    return _KINDS[one.kind] * near * 0.5 ** sum((doubtful, only_possible, one.given is not None))


def _in_order(questions: Sequence[Question], now: datetime) -> list[Question]:
    """The weightiest first; what one of those before may settle already counts half, and half again."""
    places = {name: place for place, name in enumerate(field_catalogue())}
    seen: dict[tuple[str, StakeKind], int] = {}
    left, ordered = list(questions), []

    def weighed(question: Question) -> float:
        return sum(
            _weight(one, now) * (0.5 ** seen.get((one.now.id, one.kind), 0) if _is_shared(one) else 1.0)
            for one in question.stakes
        )

    while left:
        weights = {each.field.name: weighed(each) for each in left}
        first = min(
            left,
            key=lambda each: (
                -weights[each.field.name],
                each.soonest or _FAR,
                places[each.field.name],
            ),
        )
        left.remove(first)
        ordered.append(replace(first, weight=weights[first.field.name]))
        for one in filter(_is_shared, first.stakes):
            seen[one.now.id, one.kind] = seen.get((one.now.id, one.kind), 0) + 1
    return ordered


def _is_shared(one: Stake) -> bool:
    return one.kind in _SHARED or one.given is not None
