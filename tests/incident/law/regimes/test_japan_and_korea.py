"""Japan and Korea."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.law.clocks import Urgency
from incident.law.findings import DutyState, Outcome
from incident.law.regimes import DutyKind
from tests.support.one_law import Law, at, end_of, exactly

TOKYO, SEOUL = "Asia/Tokyo", "Asia/Seoul"

JAPAN = Law(
    "jp-appi",
    {
        "discovered_at": at(TOKYO, 2026, 11, 2),
        "aware_at": at(TOKYO, 2026, 11, 9),
        "personal_data_breach": "actual",
        "special_care_data": False,
        "property_damage_possible": False,
        "improper_purpose": False,
        "persons_jp": exactly(1_001),
        "data_unintelligible": False,
        "encryption_key_taken": False,
        "acting_as_processor": False,
        "disproportionate_effort": False,
    },
)
KOREA = Law(
    "kr-pipa",
    {
        "discovered_at": at(SEOUL, 2026, 11, 20, 17),
        "aware_at": at(SEOUL, 2026, 11, 20, 17),
        "personal_data_breach": "actual",
        "leak_possible_kr": False,
        "persons_kr": exactly(1_000),
        "unique_identifiers_kr": False,
        "unlawful_external_access": False,
        "infringement_markedly_low": False,
        "disproportionate_effort": False,
        "persons_without_contact": exactly(0),
    },
)

# -- Japan ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "owed"), [(999, False), (1_000, False), (1_001, True)])
def test_japan_counts_more_than_a_thousand_people(count: int, owed: bool) -> None:
    for duty in ("preliminary", "final", "people"):
        assert JAPAN.owes(duty, persons_jp=exactly(count)) is owed


@pytest.mark.parametrize("category", ["special_care_data", "property_damage_possible", "improper_purpose"])
def test_three_kinds_of_event_bite_in_japan_for_a_single_person(category: str) -> None:
    assert JAPAN.owes("preliminary", persons_jp=exactly(1), **{category: True})


def test_the_preliminary_report_in_japan_is_prompt_and_has_no_number_of_days() -> None:
    found = JAPAN.duty("preliminary")
    assert (found.urgency, found.within, found.due_at) == (Urgency.promptly, None, None)
    assert found.anchor_at == JAPAN.facts["discovered_at"]


def test_the_final_report_in_japan_is_due_on_the_thirtieth_day_and_the_first_day_counts() -> None:
    found = JAPAN.duty("final")
    assert (found.due_at, found.assumed) == (end_of(TOKYO, 2026, 12, 1), False)


def test_an_improper_purpose_gives_sixty_days_in_japan() -> None:
    assert JAPAN.duty("final", improper_purpose=True).due_at == end_of(
        TOKYO, 2027, 1, 4
    )  # 31 December is closed
    on_a_holiday = JAPAN.duty("final", improper_purpose=True, discovered_at=at(TOKYO, 2026, 9, 25))
    assert on_a_holiday.due_at == end_of(TOKYO, 2026, 11, 24)  # 23 November is Labour Thanksgiving Day


def test_a_purpose_not_known_yet_runs_the_thirty_days_as_assumed_in_japan() -> None:
    found = JAPAN.duty("final", improper_purpose=None)
    assert (found.due_at, found.assumed) == (end_of(TOKYO, 2026, 12, 1), True)
    assert found.settled_by == {"improper_purpose"}
    assert len(found.branches) == 2


@pytest.mark.parametrize(
    ("known", "last"),
    [
        ((2026, 10, 30), (2026, 11, 30)),  # the thirtieth day is a Saturday
        ((2026, 10, 31), (2026, 11, 30)),  # a Sunday
        ((2026, 11, 30), (2027, 1, 4)),  # 29 December
        ((2026, 12, 5), (2027, 1, 4)),  # 3 January
        ((2026, 12, 6), (2027, 1, 4)),  # 4 January, a Monday
        ((2026, 11, 29), (2026, 12, 28)),  # 28 December, a Monday
    ],
)
def test_a_last_day_off_moves_to_the_next_working_day_in_japan(
    known: tuple[int, int, int], last: tuple[int, int, int]
) -> None:
    assert JAPAN.duty("final", discovered_at=at(TOKYO, *known)).due_at == end_of(TOKYO, *last)


def test_the_day_of_knowing_is_that_of_tokyo() -> None:
    found = JAPAN.duty("final", discovered_at=at("UTC", 2026, 11, 1, 15, 0))
    assert found.due_at == end_of(TOKYO, 2026, 12, 1)


def test_the_final_report_in_japan_has_nine_items_and_the_people_five() -> None:
    assert len(JAPAN.duty("final").items) == 9
    assert JAPAN.duty("people").urgency is Urgency.promptly


def test_a_processor_in_japan_that_told_its_principal_may_be_released() -> None:
    for duty in ("preliminary", "final"):
        assert JAPAN.duty(duty, acting_as_processor=True).state is DutyState.may_be_waived
    assert JAPAN.owes("people", acting_as_processor=True)


def test_strong_encryption_may_take_an_event_out_of_the_rule_in_japan() -> None:
    for duty in ("preliminary", "final", "people"):
        encrypted = JAPAN.duty(duty, data_unintelligible=True, encryption_key_taken=False)
        assert encrypted.state is DutyState.may_be_waived  # from memory: counsel decides
        assert JAPAN.owes(duty, data_unintelligible=True, encryption_key_taken=True)
    assert JAPAN.duty("preliminary", data_unintelligible=None).state is DutyState.owed


def test_an_event_that_may_have_occurred_counts_in_japan() -> None:
    assert JAPAN.owes("preliminary", personal_data_breach="possible")
    assert not JAPAN.owes("preliminary", personal_data_breach="none")


# -- Korea ---------------------------------------------------------------------------------------------

LEARNT = at(SEOUL, 2026, 11, 20, 17)
SINCE = at(SEOUL, 2026, 10, 1).replace(tzinfo=None)


def test_korea_gives_72_running_hours_for_people_and_for_the_authority() -> None:
    for duty in ("people", "authority"):
        found = KOREA.duty(duty)
        assert (found.state, found.assumed, found.due_at) == (
            DutyState.owed,
            False,
            LEARNT + timedelta(hours=72),
        )


@pytest.mark.parametrize(("count", "owed"), [(999, False), (1_000, True), (1_001, True)])
def test_the_authority_in_korea_hears_of_a_thousand_people_and_more(count: int, owed: bool) -> None:
    assert KOREA.owes("authority", persons_kr=exactly(count)) is owed
    assert KOREA.owes("people", persons_kr=exactly(count))


@pytest.mark.parametrize("ground", ["unique_identifiers_kr", "unlawful_external_access"])
def test_two_grounds_in_korea_have_no_head_count(ground: str) -> None:
    assert KOREA.owes("authority", persons_kr=exactly(1), **{ground: True})
    unsettled = KOREA.duty("authority", persons_kr=exactly(1), **{ground: None})
    assert (unsettled.state, unsettled.settled_by) == (DutyState.owed, frozenset({ground}))


def test_data_got_back_before_harm_frees_from_the_report_in_korea_but_not_from_telling_people() -> None:
    assert not KOREA.owes("authority", infringement_markedly_low=True)
    assert KOREA.owes("people", infringement_markedly_low=True)
    assert KOREA.duty("authority", infringement_markedly_low=None).state is DutyState.owed


def test_what_is_not_known_yet_in_korea_does_not_hold_the_first_report_up() -> None:
    found = KOREA.duty("authority")
    assert (len(found.items), found.minimum) == (7, ("3", "4", "5", "6", "7"))


def test_a_possible_leak_in_korea_counts_from_learning_of_it_and_not_from_certainty() -> None:
    later = {
        "aware_at": LEARNT + timedelta(days=5),
        "leak_possible_kr": True,
        "personal_data_breach": "possible",
    }
    assert KOREA.duty("possible", **later).due_at == LEARNT + timedelta(hours=72)


def test_a_possible_leak_is_told_to_people_in_korea_within_72_hours() -> None:
    found = KOREA.duty("possible", leak_possible_kr=True, personal_data_breach="possible")
    assert (found.kind, found.state, found.due_at) == (
        DutyKind.notify_people,
        DutyState.owed,
        LEARNT + timedelta(hours=72),
    )
    assert not KOREA.owes("possible", leak_possible_kr=False)


@pytest.mark.parametrize(
    ("learnt", "outcome"),
    [
        (at(SEOUL, 2026, 9, 10, 23, 59), Outcome.not_in_force),
        (at(SEOUL, 2026, 9, 11, 0, 0), Outcome.met),
    ],
)
def test_the_amended_law_of_korea_bites_from_the_eleventh_of_september_2026(
    learnt: datetime, outcome: Outcome
) -> None:
    assert KOREA.finding(discovered_at=learnt, aware_at=learnt).outcome is outcome


@given(st.datetimes(SINCE, SINCE.replace(year=2040), timezones=st.just(UTC)))
def test_72_hours_in_korea_are_running_hours_at_any_moment(learnt: datetime) -> None:
    for duty in ("people", "authority"):
        assert KOREA.duty(duty, discovered_at=learnt, aware_at=learnt).due_at == learnt + timedelta(hours=72)


@given(st.dates(date(2022, 4, 1), date(2035, 12, 31)), st.booleans())
def test_no_final_report_in_japan_ends_on_a_day_off(known: date, improper: bool) -> None:
    found = JAPAN.duty(
        "final", improper_purpose=improper, discovered_at=at(TOKYO, known.year, known.month, known.day)
    )
    assert found.due_at is not None
    last = found.due_at.astimezone(ZoneInfo(TOKYO)).date()
    assert last.weekday() < 5
    assert (last.month, last.day) not in {(12, 29), (12, 30), (12, 31), (1, 1), (1, 2), (1, 3)}
    assert 0 <= (last - known).days - (59 if improper else 29) <= 10
