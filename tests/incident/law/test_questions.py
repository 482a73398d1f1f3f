"""The open questions: which are asked, in what order, and what hangs on each."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident.law.conditions import comparisons_of
from incident.law.evaluate import evaluate
from incident.law.findings import Duty, Finding
from incident.law.grading import Confidence, conditions_of_scale, fields_of_scale, shipped_scales
from incident.law.hanging import hanging_on
from incident.law.possible import possible_answers
from incident.law.questions import Question, _Law, open_questions
from incident.law.regimes import Regime, conditions_of, load_regimes
from incident.law.stakes import StakeKind
from incident.record.facts import FactSheet, FieldType, Interval, Value, field_catalogue

NOW = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
FOUND = NOW - timedelta(minutes=20)
CHINA = ("CN",)
BOTH = ("CN", "EU")
LAWS = {regime.id: regime.title for regime in load_regimes()}

Sheet = dict[str, Value | None]


def ask(sheet: FactSheet | None = None, *, scope: Iterable[str] = CHINA, **options: Any) -> list[Question]:
    return list(open_questions(load_regimes(), sheet or {}, scope_countries=scope, now=NOW, **options))


def names(questions: Iterable[Question]) -> list[str]:
    return [question.field.name for question in questions]


def called(name: str, questions: Iterable[Question]) -> Question:
    return next(question for question in questions if question.field.name == name)


def texts(question: Question, language: str) -> list[str]:
    return [line.text[language] for line in hanging_on(question, LAWS)]


def duties(sheet: Mapping[str, Value | None], scope: Iterable[str]) -> dict[str, Duty]:
    found = evaluate(load_regimes(), sheet, scope_countries=scope, now=NOW)
    return {duty.id: duty for finding in found for duty in finding.duties}


# -- at two in the morning ------------------------------------------------------------------------------


def test_with_an_empty_record_the_clock_comes_first_then_what_applies_and_the_path() -> None:
    assert names(ask())[:8] == [
        "discovered_at",
        "personal_data_breach",
        "cii_involved",
        "persons_minor_u18",
        "persons",
        "crime_suspected",
        "persons_u14",
        "harm_to_rights",
    ]
    with_europe = names(ask(scope=BOTH))
    assert with_europe[:3] == names(ask())[:3]
    assert {"eu_data_subjects", "risk_to_people", "persons", "crime_suspected"} <= set(with_europe[:10])


def test_a_rule_written_from_memory_weighs_half() -> None:
    regime = next(each for each in load_regimes() if each.id == "cn-police-24h")
    duty = regime.duties[0]
    checked = regime.model_copy(
        update={"duties": (duty.model_copy(update={"confidence": Confidence.verified}),)}
    )
    known: Sheet = {"discovered_at": FOUND}

    def weight(one: Regime) -> float:
        [question] = open_questions([one], known, scope_countries=CHINA, now=NOW)
        return question.weight

    assert duty.confidence is Confidence.memory
    assert weight(regime) * 2 == weight(checked) > 0


def test_what_decides_nothing_by_itself_and_what_is_due_in_a_month_stand_far_behind() -> None:
    order = names(ask({"discovered_at": FOUND}))
    assert order.index("handling_ended_at") > 8
    assert order.index("site_down") == len(order) - 1


def test_a_law_that_is_not_in_scope_asks_nothing() -> None:
    assert "eu_data_subjects" not in names(ask())
    assert "cii_involved" not in names(ask(scope=("EU",)))
    assert ask(scope=()) == []


def test_one_hour_or_four_is_said_with_whom_to_tell_in_both_languages() -> None:
    question = called("cii_involved", ask({"discovered_at": FOUND, "central_organ": False}))
    assert question.stakes[0].kind is StakeKind.when
    assert texts(question, "en")[0] == (
        "yes: report to the protection department for critical information infrastructure within 1 h; "
        "no: report to the provincial cyberspace administration within 4 h "
        "(Measures for reporting national network security incidents (China))"
    )
    assert texts(question, "zh-Hans")[0] == (
        "是：1 小时内向关键信息基础设施保护工作部门报告；否：4 小时内向属地省级网信部门报告"
        "（《国家网络安全事件报告管理办法》第四条、第七条）"
    )
    assert question.soonest == FOUND + timedelta(hours=1)


def test_whether_the_people_must_be_told_is_said_with_the_law() -> None:
    question = called("personal_data_breach", ask({"discovered_at": FOUND}))
    assert (
        "whether we must report to the department in charge of personal information protection at once; "
        "tell the individuals concerned at once (Personal Information Protection Law of China, Article 57)"
    ) in texts(question, "en")
    assert question.at_once


def test_what_is_only_to_be_prepared_for_is_not_called_a_report() -> None:
    known: Sheet = {
        "discovered_at": FOUND,
        "personal_data_breach": "actual",
        "persons": Interval.exactly(900_000),
    }
    lines = {tag: texts(called("persons_sensitive", ask(known)), tag) for tag in ("en", "zh-Hans")}
    assert any("prepare for a demand of the department in charge" in line for line in lines["en"])
    assert any("为履行个人信息保护职责的部门可能提出的要求做好准备" in line for line in lines["zh-Hans"])


def test_a_count_is_asked_in_the_bands_that_the_scale_tells_apart() -> None:
    question = called("persons", ask())
    assert [answer.value for answer in question.answers] == [
        Interval.exactly(number) for number in (0, 10**6, 10**7, 10**8)
    ]
    assert "“1,000,000 or more”" in texts(question, "en")[0]


def test_a_count_that_straddles_a_bound_is_asked_within_what_is_known() -> None:
    question = called("persons", ask({"persons": Interval(800_000, None, 1_300_000)}))
    assert question.known == Interval(800_000, None, 1_300_000)
    assert [(answer.value, answer.last) for answer in question.answers] == [
        (Interval.exactly(800_000), 999_999),
        (Interval.exactly(1_000_000), 1_300_000),
    ]
    assert "persons" not in names(ask({"persons": Interval(1_000_000, None, 1_300_000)}))


def test_an_answer_may_open_the_next_question() -> None:
    before = called("central_organ", ask({"discovered_at": FOUND}))
    after = called("central_organ", ask({"discovered_at": FOUND, "cii_involved": False}))
    assert {one.kind for one in before.stakes} == {StakeKind.joint}
    assert after.stakes[0].kind is StakeKind.when
    assert after.weight > before.weight


def test_an_exemption_that_needs_one_more_answer_is_told_with_it() -> None:
    known: Sheet = {"discovered_at": FOUND, "personal_data_breach": "actual"}
    question = called("harm_effectively_avoided", ask(known))
    assert question.stakes[0].kind is StakeKind.eased
    assert texts(question, "en")[0] == (
        "whether we may choose not to tell the individuals concerned "
        "(Personal Information Protection Law of China, Article 57), if “Authority requires notice” is “no”"
    )
    [eased, *_] = called(
        "harm_effectively_avoided", ask({**known, "authority_requires_notice": False})
    ).stakes
    assert (eased.kind, eased.given) == (StakeKind.eased, None)
    closed = ask({**known, "authority_requires_notice": True})
    assert "harm_effectively_avoided" not in names(closed)


def test_a_time_that_does_instead_is_named_with_the_question_and_not_asked_twice() -> None:
    questions = ask(scope=BOTH)
    assert called("discovered_at", questions).instead == ("informed_at", "aware_at", "flaw_found_at")
    assert not {"informed_at", "aware_at", "flaw_found_at"} & set(names(questions))
    assert "aware_at" in names(ask({"discovered_at": FOUND}, scope=BOTH))


def test_what_nobody_knows_stands_behind_and_another_time_leads() -> None:
    questions = ask(nobody_knows={"discovered_at", "persons"})
    assert names(questions)[0] == "informed_at"
    assert [question.nobody_knows for question in questions[-2:]] == [True, True]
    assert set(names(questions)[-2:]) == {"discovered_at", "persons"}
    assert len(questions) == len(ask()) + 1


def test_for_duties_that_were_met_nothing_is_asked() -> None:
    everything = duties({}, CHINA)
    assert ask(met=everything.keys()) == []
    left = names(ask(met={key for key in everything if not key.startswith("cn-pipl")}))
    assert set(left) == {
        "discovered_at",
        "personal_data_breach",
        "harm_effectively_avoided",
        "authority_requires_notice",
    }


def test_what_an_authority_reopened_asks_for_no_exemption() -> None:
    known: Sheet = {"discovered_at": FOUND, "personal_data_breach": "actual", "harm_to_rights": False}
    reopened = tuple(key for key, duty in duties(known, CHINA).items() if duty.exemptions)
    assert "cn-pipl-57/people" in reopened
    questions = ask(
        known,
        reopened=reopened,
        evaluated=lambda sheet, regimes: evaluate(
            regimes, sheet, scope_countries=CHINA, now=NOW, reopened=reopened
        ),
    )
    assert "harm_effectively_avoided" in names(ask(known))
    assert "harm_effectively_avoided" not in names(questions)


def test_what_is_owed_by_order_alone_raises_no_question() -> None:
    def with_order(sheet: FactSheet, regimes: Sequence[Regime]) -> tuple[Finding, ...]:
        found = evaluate(regimes, sheet, scope_countries=CHINA, now=NOW)
        settled = duties({"discovered_at": FOUND, "personal_data_breach": "actual"}, CHINA)
        ordered = replace(
            settled["cn-pipl-57/authority"], id="instruction/I1", regime="instruction", exemptions=()
        )
        return (*found, replace(found[0], regime="instruction", duties=(ordered,)))

    assert names(ask(evaluated=with_order)) == names(ask())


def test_a_report_that_must_say_more_in_one_case_asks_for_it() -> None:
    question = called("ransomware", ask())
    assert question.stakes[0].kind is StakeKind.content
    assert "ransom" in texts(question, "en")[0].lower()
    assert "ransomware" not in names(ask({"ransomware": False}))


# -- what holds for any record --------------------------------------------------------------------------


def _fields_read() -> dict[str, frozenset[str]]:
    """The facts that each regime reads, with those of the scales."""
    by_scales = frozenset().union(*(fields_of_scale(scale) for scale in shipped_scales().values()))
    read = {}
    for regime in load_regimes():
        conditions = {
            comparison.field for _, one in conditions_of(regime) for comparison in comparisons_of(one)
        }
        anchors = {name for duty in regime.duties for name in duty.anchor.fields}
        read[regime.id] = frozenset(conditions | anchors) | by_scales
    return read


READ = _fields_read()
_COMPARISONS = [
    comparison
    for one in (
        *(condition for regime in load_regimes() for _, condition in conditions_of(regime)),
        *(condition for scale in shipped_scales().values() for condition in conditions_of_scale(scale)),
    )
    for comparison in comparisons_of(one)
]


def _values(name: str) -> st.SearchStrategy[Value | None]:
    field = field_catalogue()[name]
    times = [NOW - timedelta(days=40), FOUND, NOW]
    answers = possible_answers(field, None, _COMPARISONS, times)
    values: list[Value | None] = [None, *(answer.value for answer in answers)]
    if field.type is FieldType.counted:
        values += [Interval(800_000, None, 1_300_000), Interval(5)]
    return st.sampled_from(values)


SHEETS = st.fixed_dictionaries(
    {}, optional={name: _values(name) for name in sorted(frozenset.union(*READ.values()))}
)
SCOPES = st.sampled_from([CHINA, BOTH, ("EU",)])
few = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


@few
@given(SHEETS, SCOPES)
def test_no_question_that_changes_nothing_stands_before_one_that_does(
    sheet: Sheet, scope: tuple[str, ...]
) -> None:
    changes = [bool(question.stakes) for question in ask(sheet, scope=scope)]
    assert changes == sorted(changes, reverse=True)
    weights = [question.weight for question in ask(sheet, scope=scope)]
    assert weights == sorted(weights, reverse=True)


@few
@given(SHEETS, SCOPES, st.randoms())
def test_the_order_depends_on_no_order_of_what_goes_in(
    sheet: Sheet, scope: tuple[str, ...], chance: Any
) -> None:
    items, regimes = list(sheet.items()), list(load_regimes())
    chance.shuffle(items)
    chance.shuffle(regimes)
    shuffled = open_questions(regimes, dict(items), scope_countries=reversed(scope), now=NOW)
    assert names(shuffled) == names(ask(sheet, scope=scope))


@few
@given(SHEETS, SCOPES)
def test_nothing_is_asked_that_no_rule_in_scope_needs_and_nothing_needed_is_left_out(
    sheet: Sheet, scope: tuple[str, ...]
) -> None:
    questions = ask(sheet, scope=scope)
    regimes = [regime for regime in load_regimes() if regime.countries() & set(scope)]
    assert set(names(questions)) <= frozenset().union(*(READ[regime.id] for regime in regimes))
    asked = {name for question in questions for name in (question.field.name, *question.instead)}
    for duty in duties(sheet, scope).values():
        if duty.is_standing:
            assert duty.settled_by | duty.waits_for <= asked
    assert len(names(questions)) == len(set(names(questions)))


@few
@given(SHEETS, SCOPES, st.data())
def test_every_answer_changes_the_duties_or_closes_the_question(
    sheet: Sheet, scope: tuple[str, ...], data: st.DataObject
) -> None:
    questions = ask(sheet, scope=scope)
    if not questions:
        return
    question = data.draw(st.sampled_from(questions))
    assert question.answers
    before = duties(sheet, scope)
    for answer in question.answers:
        answered = {**sheet, question.field.name: answer.value}
        still_open = question.field.name in names(ask(answered, scope=scope))
        assert duties(answered, scope) != before or not still_open


@few
@given(SHEETS, SCOPES)
def test_every_question_says_what_hangs_on_it_in_both_languages(sheet: Sheet, scope: tuple[str, ...]) -> None:
    for question in ask(sheet, scope=scope):
        lines = hanging_on(question, LAWS)
        assert lines
        assert {duty for line in lines for duty in line.duties} == {one.now.id for one in question.stakes}
        for line in lines:
            assert set(line.text) == {"zh-Hans", "en"}
            assert all(text and "{" not in text for text in line.text.values())


@pytest.mark.parametrize("name", ["province_share", "site_down", "economic_loss"])
def test_bands_meet_without_a_gap(name: str) -> None:
    field = field_catalogue()[name]
    answers = possible_answers(field, None, _COMPARISONS, [])
    assert len(answers) > 1
    for lower, upper in itertools.pairwise(answers):
        assert isinstance(lower.value, Interval)
        assert isinstance(upper.value, Interval)
        assert lower.last is not None
        assert lower.value.min < upper.value.min
        assert lower.last < upper.value.min


@settings(deadline=None, max_examples=40)
@given(SHEETS, SCOPES, st.data())
def test_only_the_regimes_that_read_a_fact_can_say_something_else_once_it_changes(
    sheet: Sheet, scope: tuple[str, ...], data: st.DataObject
) -> None:
    law = _Law(load_regimes(), scope, (), NOW, shipped_scales(), None)
    name = data.draw(st.sampled_from(sorted(frozenset.union(*READ.values()))))
    changed = {**sheet, name: data.draw(_values(name))}
    readers = law.readers_of(name)
    others = [regime for regime in law.regimes if regime not in readers]
    assert law.duties(changed, others) == law.duties(sheet, others)
