"""Minors (under 18) and children (under 14)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from incident.law.clocks import Urgency
from incident.law.findings import DutyState, Outcome
from incident.law.regimes import Channel, Confidence
from tests.support.laws import SHANGHAI, duties, keys, owed, told

AUTHORITY, PEOPLE = "cn-minors-35/authority", "cn-minors-35/people"


@pytest.mark.parametrize("breach", ["actual", "possible"])
def test_one_minor_is_enough_and_what_may_have_happened_counts(breach: str) -> None:
    found = duties(personal_data_breach=breach, persons_minor_u18=1)
    assert (found[AUTHORITY].state, found[AUTHORITY].urgency) == (DutyState.owed, Urgency.promptly)
    assert (found[PEOPLE].state, found[PEOPLE].due_at) == (DutyState.owed, None)
    assert told(personal_data_breach=breach, persons_minor_u18=0)["cn-minors-35"].outcome is Outcome.not_met


def test_whether_minors_are_among_them_is_asked_where_nobody_knows() -> None:
    duty = duties(persons_minor_u18=None)[PEOPLE]
    assert (duty.state, duty.assumed) == (DutyState.owed, True)
    assert "persons_minor_u18" in duty.settled_by


def test_the_minor_and_the_guardian_are_both_told() -> None:
    people = duties(persons_minor_u18=1)[PEOPLE]
    assert keys(people) in ({"minors_and_guardians"}, {"minors", "guardians"})
    assert {Channel.email, Channel.letter, Channel.phone, Channel.push} <= set(people.channels)


def test_where_they_cannot_be_told_one_by_one_a_public_warning_takes_the_place() -> None:
    people = duties(persons_minor_u18=1, disproportionate_effort=True)[PEOPLE]
    assert (people.state, people.public_notice_instead) == (DutyState.owed, True)
    assert not duties(persons_minor_u18=1)[PEOPLE].public_notice_instead


def test_the_regulation_bites_from_2024() -> None:
    last = datetime(2023, 12, 31, 23, 59, tzinfo=SHANGHAI)
    facts: dict[str, Any] = {"persons_minor_u18": 1}
    assert told(**facts, discovered_at=last)["cn-minors-35"].outcome is Outcome.not_in_force
    assert told(**facts, discovered_at=last + timedelta(minutes=1))["cn-minors-35"].outcome is Outcome.met


def test_children_under_14_have_a_rule_of_their_own_that_asks_for_serious_consequences() -> None:
    name = "cn-children-21/authority"
    assert name in owed(persons_minor_u18=1, persons_u14=1, serious_consequences=True)
    assert name not in owed(persons_minor_u18=1, persons_u14=1, serious_consequences=False)
    assert name not in owed(persons_minor_u18=1, persons_u14=0, serious_consequences=True)


def test_the_rule_for_children_tells_child_and_guardian_and_says_that_it_is_from_memory() -> None:
    people = duties(persons_minor_u18=1, persons_u14=1, serious_consequences=True)["cn-children-21/people"]
    assert people.state is DutyState.owed
    assert keys(people) in ({"children_and_guardians"}, {"minors_and_guardians"}, {"children", "guardians"})
    assert people.confidence is Confidence.memory
    assert told(persons_u14=0)["cn-children-21"].outcome is Outcome.not_met
