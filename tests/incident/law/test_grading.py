"""The CAC's grades, at each bound exactly."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.law.grading import Kind, Scale, fields_of_scale, grade, shipped_scales
from incident.law.reasons import Answer
from incident.record.facts import Interval, Value, field_catalogue

CAC = shipped_scales()["cn-cac"]
GENERAL, RELATIVELY, SERIOUS, ESPECIALLY = CAC.grades

Sheet = dict[str, Value | None]

HARMLESS: Sheet = {
    "personal_data_breach": "actual",
    "breach_effects": ("confidentiality",),
    "persons": Interval.exactly(0),
    "cii_involved": False,
    "threat_level": "some",
    "data_class": "general",
    "system_loss": "none",
    "site_class": "none",
    "site_down": Interval.exactly(0),
    "platform_class": "none",
    "defacement": False,
    "people_disrupted": Interval.exactly(0),
    "province_share": Interval.exactly(0),
    "prefecture_share": Interval.exactly(0),
    "economic_loss": Interval.exactly(0),
    "defacement_spread_found": "none",
}


def exactly(**numbers: Any) -> Sheet:
    return {name: Interval.exactly(number) if isinstance(number, int) and not isinstance(number, bool) else number
            for name, number in numbers.items()}  # fmt: skip


def graded(**facts: Any) -> str:
    result = grade(CAC, {**HARMLESS, **exactly(**facts)})
    assert result.is_settled, (result.lowest, result.highest, result.decides)
    return result.lowest


def test_the_grades_stand_in_order_and_in_chinese() -> None:
    assert [title["zh-Hans"] for title in CAC.grades.values()] == ["一般", "较大", "重大", "特别重大"]
    assert fields_of_scale(CAC) <= field_catalogue().keys()


HOUR = 3600
LADDERS: list[tuple[dict[str, Any], str, tuple[int, int, int]]] = [
    # facts beside, field, bounds of relatively serious, serious, especially serious
    ({}, "persons", (1_000_000, 10_000_000, 100_000_000)),
    ({}, "economic_loss", (5_000_000, 20_000_000, 100_000_000)),
    ({}, "people_disrupted", (100_000, 1_000_000, 10_000_000)),
    ({"cii_involved": True, "cii_outage_main": 0}, "cii_outage_whole", (600, HOUR, 6 * HOUR)),
    ({"cii_involved": True, "cii_outage_whole": 0}, "cii_outage_main", (1800, 3 * HOUR, 24 * HOUR)),
    ({"site_class": "top"}, "site_down", (2 * HOUR, 6 * HOUR, 24 * HOUR)),
    (
        {"defacement": True, "site_class": "top", "defacement_other": 0, "defacement_reposts": 0, "defacement_views": 0},
        "defacement_home",
        (1800, 2 * HOUR, 6 * HOUR),
    ),
    (
        {"defacement": True, "platform_class": "super_large", "defacement_home": 0, "defacement_reposts": 0, "defacement_views": 0},
        "defacement_other",
        (2 * HOUR, 12 * HOUR, 24 * HOUR),
    ),
    (
        {"defacement": True, "site_class": "top", "defacement_home": 0, "defacement_other": 0, "defacement_views": 0},
        "defacement_reposts",
        (1_000, 10_000, 100_000),
    ),
    (
        {"defacement": True, "site_class": "top", "defacement_home": 0, "defacement_other": 0, "defacement_reposts": 0},
        "defacement_views",
        (10_000, 100_000, 1_000_000),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("beside", "field", "bounds"), LADDERS, ids=[ladder[1] for ladder in LADDERS])
def test_each_bound_includes_its_own_number_and_nothing_below(
    beside: dict[str, Any], field: str, bounds: tuple[int, int, int]
) -> None:
    below = GENERAL
    for bound, name in zip(bounds, (RELATIVELY, SERIOUS, ESPECIALLY), strict=True):
        assert graded(**beside, **{field: bound - 1}) == below
        assert graded(**beside, **{field: bound}) == name
        assert graded(**beside, **{field: bound + 1}) == name
        below = name


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        ({"prefecture_share": 29}, GENERAL),
        ({"prefecture_share": 30}, RELATIVELY),
        ({"prefecture_share": 50}, SERIOUS),
        ({"province_share": 49}, GENERAL),
        ({"province_share": 50}, ESPECIALLY),
        ({"site_class": "city", "site_down": 24 * HOUR}, SERIOUS),
        ({"site_class": "other", "site_down": 24 * HOUR}, GENERAL),
        ({"system_loss": "relatively_large"}, RELATIVELY),
        ({"system_loss": "serious"}, SERIOUS),
        ({"system_loss": "especially_serious"}, ESPECIALLY),
        ({"threat_level": "some", "data_class": "core"}, GENERAL),
        ({"threat_level": "relatively_serious"}, RELATIVELY),
        ({"threat_level": "serious", "data_class": "important"}, SERIOUS),
        ({"threat_level": "especially_serious"}, ESPECIALLY),
        ({"cii_involved": False, "cii_outage_whole": 24 * HOUR}, GENERAL),
    ],
)
def test_shares_classes_and_qualitative_rows(facts: dict[str, Any], wanted: str) -> None:
    assert graded(**facts) == wanted


DEFACED: dict[str, Any] = {
    "defacement": True, "site_class": "top", "defacement_home": 0, "defacement_other": 0,
    "defacement_views": 0, "defacement_reposts": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        ({"site_class": "other"}, GENERAL),
        ({"site_class": "other", "defacement_views": 10_000}, RELATIVELY),
        ({"site_class": "other", "defacement_views": 1_000_000}, RELATIVELY),
        ({"site_class": "city", "defacement_views": 1_000_000}, SERIOUS),
        ({"site_class": "none", "platform_class": "other", "defacement_reposts": 100_000}, RELATIVELY),
        ({"site_class": "none", "platform_class": "large", "defacement_reposts": 100_000}, SERIOUS),
        ({"site_class": "none", "platform_class": "super_large", "defacement_reposts": 100_000}, ESPECIALLY),
        ({"defacement_spread_found": "none"}, GENERAL),
        ({"defacement_spread_found": "relatively_serious"}, RELATIVELY),
        ({"defacement_spread_found": "serious"}, SERIOUS),
        ({"defacement_spread_found": "especially_serious"}, ESPECIALLY),
        ({"defacement_spread_found": "especially_serious", "site_class": "city"}, SERIOUS),
        ({"defacement_spread_found": "especially_serious", "site_class": "other"}, RELATIVELY),
        ({"defacement_spread_found": "especially_serious", "defacement": False}, GENERAL),
    ],
)
def test_a_defacement_is_graded_by_the_class_of_the_site_and_by_how_far_it_spread(
    facts: dict[str, Any], wanted: str
) -> None:
    assert graded(**{**DEFACED, **facts}) == wanted


def row_four(facts: dict[str, Any]) -> tuple[str, str]:
    rows = [each for each in grade(CAC, {**HARMLESS, **exactly(**facts)}).criteria if each.row == "4"]
    return max((each.lowest for each in rows), key=CAC.rank), max(
        (each.highest for each in rows), key=CAC.rank
    )


@pytest.mark.parametrize(
    ("effects", "threat", "wanted"),
    [
        (("confidentiality",), "especially_serious", ESPECIALLY),
        (("integrity",), "especially_serious", ESPECIALLY),
        (("availability",), "especially_serious", GENERAL),
        (("integrity",), "serious", SERIOUS),
        (("confidentiality",), "relatively_serious", RELATIVELY),
        (("integrity",), "relatively_serious", GENERAL),
        (("confidentiality",), "some", GENERAL),
    ],
)
@pytest.mark.parametrize("data_class", ["important", "core"])
def test_altered_important_data_counts_for_the_two_top_grades_only(
    effects: tuple[str, ...], threat: str, wanted: str, data_class: str
) -> None:
    facts = {"breach_effects": effects, "threat_level": threat, "data_class": data_class}
    assert row_four(facts) == (wanted, wanted)


def test_general_data_never_reach_the_row_for_important_data() -> None:
    facts = {"threat_level": "especially_serious", "data_class": "general"}
    assert row_four(facts) == (GENERAL, GENERAL)


def test_until_it_is_known_what_happened_to_important_data_its_row_stands() -> None:
    facts = {"breach_effects": None, "threat_level": "serious", "data_class": "core"}
    assert row_four(facts) == (SERIOUS, SERIOUS)


def test_persons_whose_data_did_not_leak_do_not_count_as_leaked() -> None:
    assert graded(persons=2_000_000, breach_effects=("availability",)) == GENERAL
    assert graded(persons=2_000_000, personal_data_breach="none") == GENERAL


def test_until_it_is_known_that_nothing_leaked_the_number_stands() -> None:
    unknown = {**HARMLESS, "persons": Interval.exactly(2_000_000), "breach_effects": None}
    assert grade(CAC, unknown).lowest == RELATIVELY


def test_a_range_gives_a_range_of_grades_and_names_what_decides() -> None:
    result = grade(CAC, {**HARMLESS, "persons": Interval(800_000, 900_000, 12_000_000)})
    assert (result.lowest, result.highest) == (GENERAL, SERIOUS)
    assert result.decides == {"persons"}
    assert result.at_least(RELATIVELY).answer is Answer.cannot_tell
    assert result.at_least(ESPECIALLY).answer is Answer.not_met
    assert "一般至重大" in result.at_least(RELATIVELY).lines("zh-Hans")[0]


def test_below_the_numbers_the_qualitative_questions_stay_open() -> None:
    sheet = {
        key: value
        for key, value in HARMLESS.items()
        if key not in ("threat_level", "system_loss", "data_class")
    }
    result = grade(CAC, {**sheet, "persons": Interval.exactly(999_999)})
    assert (result.lowest, result.highest) == (GENERAL, ESPECIALLY)
    assert not result.quantitative_met
    advice = result.advice()
    assert advice is not None
    assert advice["en"].startswith("No quantitative criterion is met; answer the qualitative questions: ")
    assert "对国家安全和社会稳定的威胁" in advice["zh-Hans"]
    assert "threat_level" in result.open_qualitative


def test_no_advice_where_a_number_reaches_a_grade_or_everything_is_answered() -> None:
    assert grade(CAC, {"persons": Interval.exactly(1_000_000)}).advice() is None
    assert grade(CAC, HARMLESS).advice() is None


def test_with_nothing_known_every_grade_is_possible() -> None:
    result = grade(CAC, {})
    assert (result.lowest, result.highest) == (GENERAL, ESPECIALLY)
    advice = result.advice()
    assert advice is not None
    assert "so far" in advice["en"]
    assert {row.kind for row in result.criteria} == set(Kind)


def test_why_names_the_row_that_reaches_the_grade() -> None:
    why = grade(CAC, {**HARMLESS, "persons": Interval.exactly(1_000_000)}).at_least(RELATIVELY)
    assert why.lines("en") == [
        "Grade of network security incident relatively serious against at least relatively serious: met",
        "  Personal information leaked: met",
        "    Persons affected 1,000,000 against at least 1,000,000: met",
    ]
    assert why.rests_on == {"persons"}


choices = {name: field.choices for name, field in field_catalogue().items()}


@st.composite
def sheets(draw: st.DrawFn, scale: Scale) -> Sheet:
    sheet: Sheet = {}
    for name in sorted(fields_of_scale(scale)):
        field = field_catalogue()[name]
        if field.type == "bool":
            sheet[name] = draw(st.sampled_from([None, True, False]))
        elif field.type == "choice":
            sheet[name] = draw(st.sampled_from([None, *field.choices]))
        elif field.type == "choices":
            sheet[name] = ("confidentiality",)
        else:
            low, high = sorted((draw(st.integers(0, 10**8)), draw(st.integers(0, 10**8))))
            if field.type == "percent":
                low, high = low % 101, 100
            sheet[name] = draw(
                st.sampled_from([None, Interval(low, None, high), Interval(low), Interval.exactly(low)])
            )
    if sheet["personal_data_breach"] is None:
        sheet["personal_data_breach"] = "actual"  # "none" lets a row fall away, which learning may do
    return sheet


@pytest.mark.parametrize("scale", shipped_scales().values(), ids=lambda scale: scale.id)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_learning_more_only_narrows_the_grade(scale: Scale, data: st.DataObject) -> None:
    sheet = data.draw(sheets(scale))
    before = grade(scale, sheet)
    finer = dict(sheet)
    for name in before.decides:
        field, known = field_catalogue()[name], sheet[name]
        if field.type == "bool":
            finer[name] = data.draw(st.booleans())
        elif field.type == "choice":
            finer[name] = (
                "actual"
                if name == "personal_data_breach"
                else data.draw(st.sampled_from(list(field.choices)))
            )
        else:
            assert known is None or isinstance(known, Interval)
            low = int(known.min) if known else 0
            high = int(known.max) if known and known.max is not None else max(low, 100)
            finer[name] = Interval.exactly(data.draw(st.integers(low, high)))
    after = grade(scale, finer)
    assert (
        scale.rank(before.lowest)
        <= scale.rank(after.lowest)
        <= scale.rank(after.highest)
        <= scale.rank(before.highest)
    )
    assert after.is_settled or before.decides != after.decides
