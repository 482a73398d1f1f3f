"""Facts as values: what people write, what is kept, what is shown."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from incident.errors import BadInput
from incident.record.facts import (
    FieldType,
    FrozenText,
    Interval,
    Value,
    field_catalogue,
    field_named,
    in_language,
    parse_value,
    show_value,
    value_from_json,
    value_to_json,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")


def parsed(name: str, raw: object, zone: tzinfo = SHANGHAI) -> Value | None:
    return parse_value(field_named(name), raw, zone=zone)


def test_the_catalogue_is_read_as_yaml_would_be() -> None:
    listed = YAML(typ="safe", pure=True).load(
        files("incident.record").joinpath("fields.yaml").read_text("utf-8")
    )
    assert list(field_catalogue()) == list(listed)
    for name, field in field_catalogue().items():
        entry = listed[name]
        kept = {"type": field.type, "title": field.title, "question": field.question, "who": field.who}
        assert kept == {key: entry[key] for key in kept}
        assert {key: dict(text) for key, text in field.choices.items()} == entry.get("choices", {})
        assert list(field.choices) == list(entry.get("choices", {}))
        assert field.ordered == entry.get("ordered", False)
        assert entry.keys() <= kept.keys() | {"choices", "ordered"}


def test_every_field_has_both_languages_and_somebody_to_ask() -> None:
    for field in field_catalogue().values():
        assert set(field.title) == set(field.question) == {"zh-Hans", "en"}, field.name
        assert field.who in {"responder", "dba", "legal", "communicator", "executive"}, field.name
        assert bool(field.choices) == (field.type in {FieldType.choice, FieldType.choices}), field.name


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (1200000, Interval(1200000, None, 1200000)),
        ("1,200,000", Interval(1200000, None, 1200000)),
        ("1 200 000", Interval(1200000, None, 1200000)),
        ("120万", Interval(1200000, None, 1200000)),
        ("1.2亿", Interval(120000000, None, 120000000)),
        ("800000..1300000", Interval(800000, None, 1300000)),
        ("800,000 - 1,300,000", Interval(800000, None, 1300000)),
        ("80万至130万", Interval(800000, None, 1300000)),
        (">=1000", Interval(1000, None, None)),
        ("at least 1000", Interval(1000, None, None)),
        ("至多1000", Interval(0, None, 1000)),
        ({"min": 1, "likely": "2", "max": 3}, Interval(1, 2, 3)),
        ({"likely": 5}, Interval(0, 5, None)),
        ({"min": 1, "max": "unknown"}, Interval(1, None, None)),
        ("１２０", Interval(120, None, 120)),
        (0, Interval(0, None, 0)),
    ],
)
def test_a_count_is_read_as_people_write_it(raw: object, wanted: object) -> None:
    assert parsed("persons", raw) == wanted


@pytest.mark.parametrize(
    "raw",
    ["abc", "", "1,2", "1.200.000", "12.5", -3, "-3", True, 1.5, float("nan"), float("inf"), 10**16, "9" * 5000,
     "about 100", [1], {"min": 5, "max": 3}, {"min": 5, "likely": 1}, {"from": 3}, {}, {"min": None}, "5..", "..5", "1e5"],
)  # fmt: skip
def test_what_is_no_count_is_refused_by_name(raw: object) -> None:
    with pytest.raises(BadInput) as refusal:
        parsed("persons", raw)
    assert refusal.value.where == "persons"
    assert refusal.value.next_step


@pytest.mark.parametrize(
    "raw",
    [None, "unknown", "Unknown", "null", "I don't know", "don’t know.", "未知", "不详", "不知道。", " ~ "],
)
def test_unknown_is_a_value_of_every_field(raw: object) -> None:
    for name in field_catalogue():
        if name != "cause_kind":
            assert parsed(name, raw) is None


def test_unknown_as_a_kind_of_cause_means_it_is_being_investigated() -> None:
    assert parsed("cause_kind", "unknown") == "unknown"
    assert parsed("cause_kind", None) is None


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [("PT6H", 21600), ("6h", 21600), ("90 min", 5400), ("1h30m", 5400), ("P1DT2H", 93600), ("1.5 hours", 5400),
     ("6小时", 21600), ("1小时30分钟", 5400), ("2个小时", 7200), ("45秒", 45), ("0", 0), (0, 0), ("2 days", 172800)],
)  # fmt: skip
def test_a_duration_is_seconds(raw: object, seconds: int) -> None:
    assert parsed("site_down", raw) == Interval.exactly(seconds)


@pytest.mark.parametrize(
    "raw", ["6", 6, "soon", "PT", "P", "6 fortnights", "", True, "1h garbage", "PT99999999999999999H"]
)
def test_a_duration_without_a_unit_is_not_guessed(raw: object) -> None:
    with pytest.raises(BadInput, match=r"duration|longer"):
        parsed("site_down", raw)


def test_durations_and_amounts_and_percents_can_be_ranges() -> None:
    assert parsed("site_down", "6h..8h") == Interval(21600, None, 28800)
    assert parsed("economic_loss", "500万元") == Interval.exactly(5_000_000)
    assert parsed("economic_loss", "¥1,000.50") == Interval.exactly(Decimal("1000.5"))
    assert parsed("province_share", "30..50%") == Interval(30, None, 50)
    assert parsed("province_share", ">=30") == Interval(30, None, 100)
    for raw in ("101", "120%", "1.005 元%"):
        with pytest.raises(BadInput):
            parsed("province_share", raw)
    with pytest.raises(BadInput):
        parsed("economic_loss", "1.005")


@pytest.mark.parametrize(
    "raw",
    ["2026-11-21 23:40", "2026-11-21T23:40", "2026/11/21 23:40:00", "2026年11月21日23时40分", "2026-11-21T15:40:00Z",
     "2026-11-21T16:40:00+01:00", "2026-11-21 23:40 +0800", "２０２６-11-21 23：40"],
)  # fmt: skip
def test_one_moment_in_many_writings(raw: object) -> None:
    assert parsed("discovered_at", raw) == datetime(2026, 11, 21, 15, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    "raw",
    ["2026-11-21", "21.11.2026 23:40", "2026-02-30 10:00", "2026-11-21 24:00", "2026-11-21 23:60", "yesterday", 20261121,
     "2026-11-21 23:40+99:00", "0001-01-01 00:00+08:00", "9999-12-31 23:59-08:00", True, [], "23:40"],
)  # fmt: skip
def test_what_is_no_moment_is_refused(raw: object) -> None:
    with pytest.raises(BadInput) as refusal:
        parsed("discovered_at", raw)
    assert refusal.value.where == "discovered_at"


def test_a_time_the_clocks_skipped_or_showed_twice_is_not_guessed() -> None:
    with pytest.raises(BadInput, match="put forward"):
        parsed("discovered_at", "2026-03-29 02:30", BERLIN)
    with pytest.raises(BadInput, match=r"\+0200 for the first or \+0100 for the second"):
        parsed("discovered_at", "2026-10-25 02:30", BERLIN)
    assert parsed("discovered_at", "2026-10-25 02:30+01:00", BERLIN) == datetime(
        2026, 10, 25, 1, 30, tzinfo=UTC
    )


@given(
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)),  # noqa: DTZ001 - offset follows
    st.integers(-14 * 60, 14 * 60),
)
def test_a_time_with_an_offset_survives_writing_and_reading(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    value = parsed("discovered_at", aware.isoformat())
    assert isinstance(value, datetime)
    assert value == aware
    assert value.tzinfo is UTC


def test_yes_no_and_choices_take_keys_and_titles() -> None:
    assert parsed("cii_involved", "yes") is True
    assert parsed("cii_involved", "否") is False
    assert parsed("cii_involved", True) is True
    assert parsed("threat_level", "特别严重") == "especially_serious"
    assert parsed("breach_effects", "availability, confidentiality") == ("confidentiality", "availability")
    assert parsed("systems", ["CRM", "CRM", " billing "]) == ("CRM", "billing")
    for name, raw in (
        ("cii_involved", 1),
        ("threat_level", "terrible"),
        ("systems", {"a": 1}),
        ("systems", [["a"]]),
    ):
        with pytest.raises(BadInput):
            parsed(name, raw)


def test_a_text_may_be_given_by_language_and_never_holds_control_characters() -> None:
    text = parsed("cause", {"zh-Hans": "配置错误", "en": "set up wrongly"})
    assert text == {"en": "set up wrongly", "zh-Hans": "配置错误"}
    assert hash(text) == hash(FrozenText({"en": "set up wrongly", "zh-Hans": "配置错误"}))
    assert isinstance(text, FrozenText)
    assert in_language(text, "zh-Hant") == "配置错误"
    assert in_language(text, "fr") == "set up wrongly"
    for raw in ({}, {"EN!": "x"}, {"en": ""}, "a\x00b", "\ud800", "x" * 20_001, ["a"], True):
        with pytest.raises(BadInput):
            parsed("cause", raw)


numbers = st.integers(0, 10**12)


@given(st.tuples(numbers, numbers, numbers), st.booleans(), st.booleans())
def test_json_keeps_a_count_exactly(three: tuple[int, int, int], with_likely: bool, with_max: bool) -> None:
    low, likely, high = sorted(three)
    interval = Interval(low, likely if with_likely else None, high if with_max else None)
    field = field_named("persons")
    assert value_from_json(field, value_to_json(interval)) == interval


@given(st.decimals(0, 10**9, places=2))
def test_json_keeps_an_amount_exactly(amount: Decimal) -> None:
    field = field_named("economic_loss")
    value = parse_value(field, str(amount), zone=UTC)
    assert value_from_json(field, value_to_json(value)) == value
    assert isinstance(value, Interval)
    assert value.min == amount


@pytest.mark.parametrize(
    ("name", "raw"),
    [("discovered_at", "2026-11-21 23:40:07.250"), ("cii_involved", "no"), ("cause_kind", "phishing"), ("persons", None),
     ("breach_effects", ["integrity"]), ("systems", ["a", "b"]), ("cause", {"en": "a", "zh-Hans": "b"}), ("cause", "a")],
)  # fmt: skip
def test_json_keeps_every_type_of_value(name: str, raw: object) -> None:
    field = field_named(name)
    value = parsed(name, raw)
    assert value_from_json(field, value_to_json(value)) == value


@pytest.mark.parametrize(
    "data",
    ["x", {"min": None, "likely": None, "max": None}, {"min": "NaN", "likely": None, "max": None}, 3, {}],
)
def test_stored_data_that_does_not_fit_is_refused(data: object) -> None:
    with pytest.raises(BadInput, match="does not fit"):
        value_from_json(field_named("persons"), data)


@given(st.text(max_size=40))
def test_no_text_breaks_a_parser_in_any_other_way_than_a_clear_refusal(raw: object) -> None:
    for name in (
        "persons",
        "site_down",
        "economic_loss",
        "province_share",
        "discovered_at",
        "cii_involved",
        "cause_kind",
    ):
        try:
            parsed(name, raw)
        except BadInput as refusal:
            assert refusal.where == name


def test_values_are_shown_in_both_languages() -> None:
    def shown(name: str, raw: object, language: str) -> str:
        return show_value(field_named(name), parsed(name, raw), language=language, zone=SHANGHAI)

    assert shown("discovered_at", "2026-11-21 23:40", "en") == "2026-11-21 23:40 (UTC+08:00)"
    assert (
        shown("persons", {"min": 800000, "likely": 1000000, "max": 1300000}, "en")
        == "800,000–1,300,000 (likely 1,000,000)"
    )
    assert shown("persons", ">=1000", "zh-Hans") == "1,000 以上"
    assert shown("site_down", "90 min", "zh-Hans") == "1 小时 30 分钟"
    assert shown("site_down", "30h", "en") == "30 h"
    assert shown("economic_loss", "1000.50", "en") == "CNY 1,000.5"
    assert shown("cii_involved", None, "en") == "not known yet"
    assert shown("cii_involved", "yes", "zh-Hans") == "是"
    assert shown("breach_effects", "confidentiality、availability", "zh-Hans") == "泄露、丢失"


def test_an_unknown_field_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(BadInput) as refusal:
        field_named("person")
    assert "persons" in (refusal.value.next_step or "")
    with pytest.raises(BadInput) as refusal:
        field_named("涉及人数")
    assert refusal.value.next_step == "did you mean persons?"
