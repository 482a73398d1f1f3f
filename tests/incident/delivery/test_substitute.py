"""Each law's own conditions for a public notice in the place of telling each person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from incident.delivery.substitute import COUNTED, Asked, AskState, Substitute, substitutes, with_count
from incident.law.grading import Confidence
from incident.law.reasons import Answer
from incident.law.regimes import DutyKind, Effect, load_regimes
from incident.law.substitutes import PublicMeans
from incident.record.quantities import Interval
from tests.support.one_law import Law

ONLINE = date(2026, 11, 30)
CLINIC = Law("us-hipaa", {"persons_phi": Interval.exactly(1000), "phi_unsecured": True})
HOSPITALS = ["health_care_entity"]


def hipaa(people: int, *, since: date | None = ONLINE, **facts: Any) -> Substitute:
    stated: Mapping[str, Any] = {
        "discovered_at": datetime(2026, 11, 20, 10, tzinfo=ZoneInfo("America/New_York")),
        "personal_data_breach": "actual",
        **facts,
    }
    [found] = substitutes(
        [CLINIC.finding(organisations=HOSPITALS, **stated)],
        [CLINIC.finding(organisations=HOSPITALS, **with_count(stated, people))],
        open_duties=["us-hipaa/people"],
        public_since=since,
    )
    return found


@pytest.mark.parametrize(("people", "answer"), [(9, Answer.not_met), (10, Answer.met)])
def test_what_the_ledger_counts_is_tried_as_a_fact_and_not_stated(people: int, answer: Answer) -> None:
    found = hipaa(people)
    assert (found.stated, found.counted) == (Answer.cannot_tell, answer)
    assert found.decides == (COUNTED,)


def test_a_count_that_somebody_stated_holds_until_another_is_stated() -> None:
    found = hipaa(3, persons_without_contact=Interval.exactly(12))
    assert (found.stated, found.counted) == (Answer.met, Answer.not_met)


def test_what_it_asks_for_stands_beside_what_our_page_does() -> None:
    page, number = hipaa(12).asks
    assert page == Asked(
        PublicMeans.home_page_or_media,
        90,
        None,
        Confidence.verified,
        AskState.TO_JUDGE,
        date(2027, 2, 28),
    )
    assert (number.by, number.days, number.state) == (PublicMeans.toll_free_number, 90, AskState.OUTSIDE)
    assert number.confidence is Confidence.memory


def test_before_the_page_is_online_it_is_missing() -> None:
    page, _ = hipaa(12, since=None).asks
    assert (page.state, page.until) == (AskState.MISSING, None)


def test_a_duty_that_is_not_owed_says_nothing() -> None:
    finding = CLINIC.finding(organisations=HOSPITALS)
    assert substitutes([finding], [finding], open_duties=[], public_since=ONLINE) == ()


def test_every_shipped_exemption_of_this_kind_says_what_it_asks_for() -> None:
    found = {
        regime.id: exemption.asks
        for regime in load_regimes()
        for duty in regime.duties
        if duty.kind is DutyKind.notify_people
        for exemption in duty.exemptions
        if exemption.effect is Effect.public_notice_instead
    }
    assert len(found) == 15
    assert all(found.values())
    assert [(ask.by, ask.days) for ask in found["kr-pipa"]] == [(PublicMeans.website, 30)]
    assert [(ask.by, ask.months) for ask in found["br-lgpd"]] == [(PublicMeans.own_channels, 3)]
    assert {ask.confidence for ask in found["us-ca-1798-82"]} == {Confidence.secondary}
