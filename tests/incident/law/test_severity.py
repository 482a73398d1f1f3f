"""ENISA's severity score: known cases, the bands at their bounds, and what holds for any record."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.law.categories import EnisaType
from incident.law.data import checked
from incident.law.reasons import Answer
from incident.law.severity import SeverityResult, assess_severity, edpb_severity
from incident.law.severity_method import (
    Circumstance,
    EdpbSeverity,
    SeverityMethod,
    severity_method,
)
from incident.record.facts import FactSheet, Interval, Value, field_catalogue

METHOD = severity_method()
SHIPPED = Path(__file__).parents[3] / "incident" / "law" / "severity.yaml"

TYPES: dict[str, EnisaType | None] = {
    "name": EnisaType.simple,
    "email_address": EnisaType.simple,
    "call_records": EnisaType.behavioural,
    "payment_card": EnisaType.financial,
    "health": EnisaType.sensitive,
    "account_password": None,
}

Sheet = dict[str, Value | None]

SETTLED: Sheet = {
    "enisa_simple": "not_involved",
    "enisa_behavioural": "not_involved",
    "enisa_financial": "not_involved",
    "enisa_sensitive": "not_involved",
    "enisa_identification": "maximum",
    "enisa_confidentiality": "none",
    "enisa_integrity": "none",
    "enisa_availability": "none",
    "malicious_intent": False,
}


def assessed(sheet: FactSheet) -> SeverityResult:
    result = assess_severity(sheet, types=TYPES)
    assert result is not None
    return result


def scored(**facts: Value | None) -> tuple[Decimal, str]:
    result = assessed({**SETTLED, **facts})
    assert result.is_settled, result.lines("en")
    assert len(result.bands) == 1
    assert result.decides == frozenset()
    return result.lowest, result.bands[0]


# -- known cases ------------------------------------------------------------------------------------------


def test_a_customer_list_with_names_sent_to_three_known_recipients_is_low() -> None:
    facts: Sheet = {"enisa_simple": "basic", "enisa_confidentiality": "known_recipients"}
    assert scored(**facts) == (Decimal("1.25"), "low")


def test_complete_cards_with_names_that_were_hacked_and_posted_are_very_high() -> None:
    facts: Sheet = {"enisa_financial": "full", "enisa_confidentiality": "unknown_recipients"}
    assert scored(**facts, malicious_intent=True) == (Decimal("5.0"), "very_high")


def test_pseudonymous_laboratory_results_on_a_stolen_laptop_are_low_while_the_key_is_safe() -> None:
    facts: Sheet = {"enisa_sensitive": "basic", "enisa_identification": "negligible"}
    assert scored(**facts, enisa_confidentiality="exposed", malicious_intent=True) == (Decimal("1.5"), "low")


def test_a_year_of_calls_with_name_and_birth_date_sent_to_one_known_recipient_is_high() -> None:
    facts: Sheet = {"enisa_behavioural": "daily_life", "enisa_confidentiality": "known_recipients"}
    assert scored(**facts) == (Decimal("3.25"), "high")


def test_two_exactly_is_medium() -> None:
    assert scored(enisa_behavioural="basic") == (Decimal("2.0"), "medium")


@pytest.mark.parametrize(
    ("score", "band"),
    [("0.25", "low"), ("1.9999", "low"), ("2", "medium"), ("2.9999", "medium"), ("3", "high"),
     ("3.9999", "high"), ("4", "very_high"), ("6", "very_high")],
)  # fmt: skip
def test_a_band_begins_with_its_own_number(score: str, band: str) -> None:
    assert METHOD.band_of(Decimal(score)) == band


# -- each factor ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "base", "situations"),
    [
        ("simple", 1, {"basic": 1, "profile": 2, "sensitive_inference": 3, "persons_at_risk": 4}),
        ("behavioural", 2, {"no_insight": 1, "basic": 2, "daily_life": 3, "sensitive_profile": 4}),
        ("financial", 3, {"no_insight": 1, "some": 2, "basic": 3, "full": 4}),
        ("sensitive", 4, {"no_insight": 1, "general_inference": 2, "sensitive_inference": 3, "basic": 4}),
    ],
)
def test_each_situation_of_a_data_type_has_its_score(
    name: str, base: int, situations: dict[str, int]
) -> None:
    assert METHOD.context.types[EnisaType(name)].base == base
    for situation, score in situations.items():
        facts: Sheet = {f"enisa_{name}": situation}
        assert scored(**facts)[0] == score
    assert [*field_catalogue()[f"enisa_{name}"].choices] == ["not_involved", *situations]


@pytest.mark.parametrize(
    ("level", "score"),
    [("negligible", "0.25"), ("limited", "0.5"), ("significant", "0.75"), ("maximum", "1")],
)
def test_the_ease_of_identification_multiplies(level: str, score: str) -> None:
    assert scored(enisa_sensitive="basic", enisa_identification=level)[0] == 4 * Decimal(score)


@pytest.mark.parametrize(
    ("field", "levels"),
    [
        ("enisa_confidentiality", {"none": "0", "exposed": "0", "known_recipients": "0.25", "unknown_recipients": "0.5"}),
        ("enisa_integrity", {"none": "0", "altered": "0", "used_recoverable": "0.25", "used_not_recoverable": "0.5"}),
        ("enisa_availability", {"none": "0", "recoverable": "0", "temporary": "0.25", "full": "0.5"}),
        ("malicious_intent", {False: "0", True: "0.5"}),
    ],
)  # fmt: skip
def test_the_circumstances_are_added(field: str, levels: dict[Any, str]) -> None:
    for level, score in levels.items():
        facts: Sheet = {"enisa_simple": "basic", field: level}
        assert scored(**facts)[0] == 1 + Decimal(score)


def test_of_several_data_types_the_highest_counts_alone() -> None:
    assert scored(enisa_simple="profile", enisa_behavioural="no_insight", enisa_financial="basic")[0] == 3


# -- what is not known ------------------------------------------------------------------------------------


def test_with_nothing_known_every_score_is_possible_and_every_factor_would_help_to_settle_it() -> None:
    result = assessed({})
    assert (result.lowest, result.highest) == (Decimal("0.25"), Decimal("6.0"))
    assert result.bands == tuple(METHOD.bands)
    assert result.decides == SETTLED.keys()


def test_the_kinds_of_data_say_which_types_are_involved_but_not_what_they_give_away() -> None:
    open_types: Sheet = {**SETTLED, **{f"enisa_{each}": None for each in EnisaType}}
    result = assessed({**open_types, "data_categories": ("name", "call_records")})
    assert [result.lowest, result.highest] == [1, 4]
    assert result.decides == {"enisa_simple", "enisa_behavioural"}
    lines = "\n".join(result.lines("en"))
    assert "Behavioural data (ENISA): 1 to 4; involved; what they give away is open; 2 where nothing" in lines
    assert "Financial data (ENISA): not involved" in lines


def test_a_type_that_cannot_raise_the_score_is_not_asked_about() -> None:
    sheet: Sheet = {**SETTLED, "enisa_financial": "full", "enisa_simple": None, "enisa_sensitive": None}
    result = assessed(sheet)
    assert result.is_settled
    assert result.decides == frozenset()


def test_sign_in_details_count_as_what_they_open_which_a_person_has_to_say() -> None:
    open_types: Sheet = {**SETTLED, **{f"enisa_{each}": None for each in EnisaType}}
    result = assessed({**open_types, "data_categories": ("account_password",)})
    assert result.decides == {f"enisa_{each}" for each in EnisaType}
    opened = assessed(
        {**SETTLED, "enisa_behavioural": "daily_life", "data_categories": ("account_password",)}
    )
    assert opened.lowest == opened.highest == 3


def test_the_catalogue_says_of_which_type_the_kinds_of_data_are() -> None:
    open_types: Sheet = {**SETTLED, **{f"enisa_{each}": None for each in EnisaType}}
    result = assess_severity({**open_types, "data_categories": ("phone_number", "location_track")})
    assert result is not None
    assert result.decides == {"enisa_simple", "enisa_behavioural"}
    opening = assess_severity({**open_types, "data_categories": ("account_password",)})
    assert opening is not None
    assert opening.decides == {f"enisa_{each}" for each in EnisaType}


def test_a_kind_of_data_without_a_type_may_be_of_any() -> None:
    result = assess_severity({"data_categories": ("name",)}, types={})
    assert result is not None
    assert {f"enisa_{each}" for each in EnisaType} <= result.decides


@pytest.mark.parametrize("circumstance", list(Circumstance))
def test_what_is_not_among_the_recorded_effects_adds_nothing(circumstance: Circumstance) -> None:
    others = tuple(each for each in Circumstance if each is not circumstance)
    result = assessed(
        {**SETTLED, "enisa_simple": "basic", f"enisa_{circumstance}": None, "breach_effects": others}
    )
    [factor] = [each for each in result.circumstances if each.id == circumstance]
    assert [factor.lowest, factor.highest] == [0, 0]
    assert factor.rests_on == {"breach_effects"}


# -- where the record says two things ---------------------------------------------------------------------


def test_a_type_answered_as_not_involved_while_its_data_are_listed_stays_open_and_says_so() -> None:
    result = assessed({**SETTLED, "enisa_simple": "basic", "data_categories": ("name", "health")})
    assert [result.context.lowest, result.context.highest] == [1, 4]
    assert result.decides == {"enisa_sensitive"}
    assert any("The record disagrees" in line for line in result.lines("en"))
    assert any("记录不一致" in line for line in result.lines("zh-Hans"))


def test_a_loss_answered_as_none_while_it_is_a_recorded_effect_stays_open_and_says_so() -> None:
    result = assessed({**SETTLED, "enisa_simple": "basic", "breach_effects": ("confidentiality",)})
    assert [result.lowest, result.highest] == [1, Decimal("1.5")]
    assert result.decides == {"enisa_confidentiality"}
    assert any("The record disagrees" in line for line in result.lines("en"))


def test_answers_that_overrule_the_record_count_and_say_so() -> None:
    sheet: Sheet = {**SETTLED, "enisa_financial": "full", "enisa_integrity": "used_recoverable"}
    result = assessed(
        {
            **sheet,
            "data_categories": ("name",),
            "breach_effects": ("confidentiality",),
            "enisa_confidentiality": "exposed",
        }
    )
    assert result.context.lowest == 4
    assert [factor.id for factor in result.factors if factor.is_doubtful] == ["context", "integrity"]
    assert sum("The record disagrees" in line for line in result.lines("en")) == 3


# -- no personal data -------------------------------------------------------------------------------------


def test_nothing_is_scored_where_the_record_says_that_no_personal_data_is_involved() -> None:
    assert assess_severity({"personal_data_breach": "none"}, types=TYPES) is None
    assert assess_severity(SETTLED, types=TYPES) is None
    assert assess_severity({"data_categories": ()}, types=TYPES) is None
    assert assess_severity({"personal_data_breach": "possible"}, types=TYPES) is not None


# -- beside the score -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("persons", "answer"),
    [(Interval.exactly(100), Answer.not_met), (Interval.exactly(101), Answer.met),
     (Interval(50, None, 500), Answer.cannot_tell), (None, Answer.cannot_tell)],
)  # fmt: skip
def test_more_than_a_hundred_people_stand_beside_the_score_and_do_not_change_it(
    persons: Interval | None, answer: Answer
) -> None:
    result = assessed({**SETTLED, "enisa_simple": "basic", "persons": persons})
    flags = {flag.id: flag.reason.answer for flag in result.flags}
    assert flags["many-persons"] is answer
    assert result.lowest == result.highest == 1


@pytest.mark.parametrize("unintelligible", [True, False, None])
def test_unintelligible_data_stand_beside_the_score_and_do_not_change_it(unintelligible: bool | None) -> None:
    result = assessed({**SETTLED, "enisa_simple": "basic", "data_unintelligible": unintelligible})
    [flag] = [each for each in result.flags if each.id == "unintelligible"]
    assert (
        flag.reason.answer
        is {True: Answer.met, False: Answer.not_met, None: Answer.cannot_tell}[unintelligible]
    )
    assert result.lowest == result.highest == 1


def test_the_method_says_that_the_score_decides_no_duty() -> None:
    assert "does not decide whether Art. 33 or 34" in METHOD.statement["en"]
    assert "不决定" in METHOD.statement["zh-Hans"]


# -- the field of the authority's form --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "wanted", "letter"),
    [
        ({"enisa_simple": "basic"}, EdpbSeverity.minor, "a"),
        ({"enisa_behavioural": "basic"}, EdpbSeverity.moderate, "b"),
        ({"enisa_financial": "basic"}, EdpbSeverity.severe, "c"),
        ({"enisa_financial": "full"}, EdpbSeverity.severe, "c"),
        ({"enisa_financial": "full", "enisa_identification": None}, EdpbSeverity.to_be_determined, "d"),
        ({"enisa_financial": "basic", "enisa_availability": None, "malicious_intent": None}, EdpbSeverity.severe, "c"),
    ],
)  # fmt: skip
def test_the_bands_lead_to_one_option_of_the_form_or_to_be_determined(
    facts: Sheet, wanted: EdpbSeverity, letter: str
) -> None:
    option = edpb_severity(assessed({**SETTLED, **facts}))
    assert (option, option.letter) == (wanted, letter)


def test_without_a_score_the_option_of_the_form_is_to_be_determined() -> None:
    assert edpb_severity(None) is EdpbSeverity.to_be_determined


# -- for any record ---------------------------------------------------------------------------------------


def _values(name: str) -> list[Value]:
    field = field_catalogue()[name]
    return [*field.choices] if field.choices else [True, False]


COMPLETE = st.fixed_dictionaries({name: st.sampled_from(_values(name)) for name in SETTLED})
KINDS = st.none() | st.sets(st.sampled_from(sorted(TYPES))).map(lambda each: tuple(sorted(each)))
EFFECTS = st.none() | st.sets(st.sampled_from([str(each) for each in Circumstance])).map(
    lambda each: tuple(sorted(each))
)
HIDDEN = st.sets(st.sampled_from(sorted(SETTLED)))


@settings(max_examples=300)
@given(COMPLETE, KINDS, EFFECTS, HIDDEN)
def test_the_interval_holds_whatever_the_open_facts_turn_out_to_be(
    complete: Sheet, kinds: Value | None, effects: Value | None, hidden: set[str]
) -> None:
    recorded: Sheet = {"data_categories": kinds, "breach_effects": effects}
    told = assess_severity({**complete, **recorded}, types=TYPES)
    before = assess_severity({**complete, **recorded, **dict.fromkeys(hidden)}, types=TYPES)
    # Answers that overrule what else the record says are told as doubts; they complete it no longer.
    if told is None or any(factor.is_doubtful for factor in told.factors):
        return
    assert before is not None
    assert before.lowest <= told.lowest <= told.highest <= before.highest
    assert set(told.bands) <= set(before.bands)


@settings(max_examples=300)
@given(COMPLETE, HIDDEN, st.randoms(use_true_random=False))
def test_learning_what_would_settle_it_settles_it(complete: Sheet, hidden: set[str], random: Any) -> None:
    before = assess_severity({**complete, **dict.fromkeys(hidden)}, types=TYPES)
    if before is None:
        return
    learnt = {
        name: random.choice([v for v in _values(name) if v != "not_involved"]) for name in before.decides
    }
    after = assessed({**complete, **dict.fromkeys(hidden), **learnt})
    assert after.is_settled
    assert before.lowest <= after.lowest <= before.highest


@settings(max_examples=300)
@given(COMPLETE, KINDS, EFFECTS)
def test_any_score_lies_within_the_bounds_of_the_method(
    sheet: Sheet, kinds: Value | None, effects: Value | None
) -> None:
    result = assess_severity({**sheet, "data_categories": kinds, "breach_effects": effects}, types=TYPES)
    if result is not None:
        assert Decimal("0.25") <= result.lowest <= result.highest <= 6
        assert 1 <= result.context.lowest <= result.context.highest <= 4


@settings(max_examples=300)
@given(COMPLETE, st.sampled_from(sorted(SETTLED)))
def test_a_worse_answer_never_lowers_the_score(sheet: Sheet, name: str) -> None:
    values = _values(name) if name != "malicious_intent" else [False, True]
    scores = [
        result.lowest
        for value in values
        if (result := assess_severity({**sheet, name: value}, types=TYPES)) is not None
    ]
    assert scores == sorted(scores)


@settings(max_examples=200)
@given(COMPLETE, HIDDEN)
def test_bands_are_those_from_the_lowest_to_the_highest_score(sheet: Sheet, hidden: set[str]) -> None:
    result = assess_severity({**sheet, **dict.fromkeys(hidden)}, types=TYPES)
    if result is not None:
        assert result.bands[0] == METHOD.band_of(result.lowest)
        assert result.bands[-1] == METHOD.band_of(result.highest)


# -- the data ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("{basic: 1, profile: 2, sensitive_inference: 3, persons_at_risk: 4}", "{basic: 1, profile: 2}", "needs a score for each"),
        ("{no_insight: 1, some: 2, basic: 3, full: 4}", "{no_insight: 1, some: 2, basic: 3, full: 5}", "between 1 and 4"),
        ("base: 3", "base: 2", "base score"),
        ("{negligible: 0.25, limited: 0.5,", "{negligible: 0.5, limited: 0.25,", "must rise"),
        ("    from: 3", "    from: 1", "bands begin at 0 and rise"),
        ("edpb: moderate", "edpb: middling", "moderate"),
        ("more_than: 100", "more_than: many", "number"),
    ],
)  # fmt: skip
def test_a_method_that_does_not_hold_together_is_refused(old: str, new: str, word: str) -> None:
    text = SHIPPED.read_text("utf-8")
    assert text.count(old) == 1
    with pytest.raises(BadInput) as refusal:
        checked(SeverityMethod, text.replace(old, new), name="severity.yaml")
    assert word in refusal.value.what
    assert (refusal.value.where or "").startswith("severity.yaml, line ")


def test_every_example_belongs_to_a_choice_and_stands_in_both_languages() -> None:
    for rated in (*METHOD.context.types.values(), METHOD.identification, *METHOD.circumstances.values()):
        assert set(rated.examples) <= set(rated.scores)
        for text in rated.examples.values():
            assert set(text) == {"zh-Hans", "en"}
