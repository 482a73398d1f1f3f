"""What comes next for those whom a notice did not reach, by the list and the ledger as they stand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from incident.carrier_settings import SmppSettings
from incident.delivery.fallback import Hurdle, Urgency, Way
from incident.delivery.next_steps import (
    NextSteps,
    UnreachedLine,
    next_steps,
    public_notice_instead,
    unreached_lines,
)
from incident.delivery.planner import planner_for, times_needed
from incident.delivery.substitute import AskState
from incident.duties.evaluating import rules_with_reviews
from incident.law.reasons import Answer
from incident.settings import Fallback, Means, Plan
from tests.support.breaches import Affected, Breach, make_breach
from tests.support.relays import RecordingRelay, recording_relay
from tests.support.workspaces import run_sql

PHONE, OTHER_PHONE = "+8613800138000", "+8613900139000"
HOME = "1 Long Street"
CHILD: dict[str, str] = {"born": "2016-01-01", "guardian_name": "Gee"}
PEOPLE = [
    Affected("told", email="told@example.org", phone=PHONE),
    Affected("refused", email="refused@example.org", phone=PHONE, address=HOME),
    Affected("phone", phone=PHONE),
    Affected("recycled", phone=OTHER_PHONE, held_since="2026-11-24"),
    Affected("moved", phone=OTHER_PHONE, held_since="2026-11-24", address=HOME),
    Affected("nothing"),
    Affected("dead", email="dead@example.org", deceased="yes"),
    Affected("danger", email="danger@example.org", phone=PHONE, safe_contact="by her sister"),
    Affected("ward", phone=PHONE, guardian_phone=OTHER_PHONE, **CHILD),
    Affected("child", phone=PHONE, **CHILD),
]
WAYS = {
    "refused": Way.LETTER,
    "phone": Way.PHONE,
    "recycled": Way.PUBLIC_NOTICE,
    "moved": Way.LETTER,
    "nothing": Way.PUBLIC_NOTICE,
    "dead": Way.NOTHING,
    "danger": Way.BY_HAND,
    "ward": Way.PHONE,
    "child": Way.PHONE,
}


@pytest.fixture
def relay() -> Iterator[RecordingRelay]:
    with recording_relay() as found:
        found.at_rcpt = lambda address: "550 5.1.1 unknown" if address.startswith("refused") else None
        yield found


def sent(tmp_path: Path, port: int, people: list[Affected] = PEOPLE, **settings: Any) -> Breach:
    breach = make_breach(tmp_path, people=people, relay_port=port, **settings)
    breach.state(ended_at="2026-11-23 12:00")
    breach.release()
    breach.open_sending()
    breach.work()
    return breach


def lines(breach: Breach) -> dict[str, UnreachedLine]:
    found = unreached_lines(breach.made.store, breach.made.settings, breach.id, now=breach.made.clock())
    return {each.line.reference: each for each in found}


def steps(breach: Breach) -> NextSteps:
    with breach.made.store.read() as session:
        found = next_steps(
            session, breach.made.store, breach.made.settings, breach.id, now=breach.made.clock()
        )
    assert found is not None
    return found


def test_everybody_who_was_not_reached_has_a_next_step(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sent(tmp_path, relay.port)
    found = lines(breach)
    assert {reference: each.planned.way for reference, each in found.items()} == WAYS
    assert found["recycled"].planned.plan.steps[2].hurdle is Hurdle.NOT_THEIRS
    assert found["ward"].planned.contact == OTHER_PHONE and found["ward"].planned.to_guardian
    assert found["child"].planned.contact == PHONE and not found["child"].planned.to_guardian
    assert found["child"].planned.minor and not found["phone"].planned.minor
    assert found["refused"].planned.contact == HOME
    assert found["danger"].planned.contact == ""


def test_the_sums_are_those_of_the_list_and_of_the_account(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sent(tmp_path, relay.port)
    found = steps(breach)
    assert found.ways == {
        Way.PHONE: 3,
        Way.LETTER: 2,
        Way.PUBLIC_NOTICE: 2,
        Way.NOTHING: 1,
        Way.BY_HAND: 1,
    }
    assert found.people == breach.account().unreachable_total == len(lines(breach))
    assert found.public_only == 2
    assert found.public_since is not None


def test_who_was_not_reached_is_due_although_the_duty_counts_as_met(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = sent(tmp_path, relay.port)
    found = steps(breach)
    assert found.deadline is not None
    assert found.urgencies[Way.LETTER] is not Urgency.NO_DEADLINE
    breach.made.clock.move(days=400)
    assert steps(breach).urgencies[Way.LETTER] is Urgency.OVERDUE


def test_the_means_of_the_organisation_are_taken_in_their_order(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = sent(tmp_path, relay.port, fallback={"means": ["email", "phone"]})
    found = {reference: each.planned.way for reference, each in lines(breach).items()}
    assert found["refused"] is Way.PHONE
    assert found["moved"] is Way.PUBLIC_NOTICE


def test_letters_that_would_be_too_late_give_way_to_calls(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sent(tmp_path, relay.port, plan={"letters_per_day": 1, "seats": 10})
    with breach.made.store.read() as session:
        planner = planner_for(
            session, breach.made.store, breach.made.settings, breach.id, now=breach.made.clock()
        )
    assert planner is not None and planner.ground.deadline is not None
    assert planner.ground.takes[Way.LETTER] == timedelta(days=9)
    breach.made.clock.move(
        seconds=(planner.ground.deadline - breach.made.clock() - timedelta(days=1)).total_seconds()
    )
    assert lines(breach)["refused"].planned.way is Way.PHONE
    assert lines(breach)["moved"].planned.plan.urgency is Urgency.TOO_LATE


def test_a_number_that_leaked_with_its_sim_is_not_called(tmp_path: Path, relay: RecordingRelay) -> None:
    swapped = Affected("swapped", phone=PHONE, data="sim_credentials")
    breach = sent(tmp_path, relay.port, [PEOPLE[0], swapped])
    plan = lines(breach)["swapped"].planned.plan
    assert plan.next is not None and plan.next.way is Way.PUBLIC_NOTICE
    assert {step.way: step.hurdle for step in plan.steps}[Way.PHONE] is Hurdle.CONTROLLED


def test_a_mailbox_that_the_attacker_controls_tells_nobody(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sent(tmp_path, relay.port)
    assert "told" not in lines(breach)
    breach.state(channels_compromised=["email"])
    told = lines(breach)["told"].planned
    assert told.way is Way.PHONE and told.contact == PHONE
    assert told.plan.steps[0].hurdle is Hurdle.CONTROLLED
    assert steps(breach).told_in_vain == 1
    breach.state(channels_compromised=["email", "phone"])
    assert lines(breach)["told"].planned.way is Way.PUBLIC_NOTICE


def test_a_child_s_own_message_is_nothing_to_do_once_the_guardian_has_it(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    both = Affected("both", email="refused@example.org", guardian_email="gee@example.org", **CHILD)
    breach = sent(tmp_path, relay.port, [both])
    planned = lines(breach)["both"].planned
    assert planned.plan.reached and planned.way is None
    assert steps(breach).people == 0


_DAMAGE = (
    "UPDATE person SET sealed = x'00' WHERE id IN (SELECT person_id FROM delivery WHERE reason = 'refused')"
)


def test_a_record_that_does_not_open_leaves_the_public_notice_and_the_rest_of_the_list(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = sent(tmp_path, relay.port)
    run_sql(breach.made.store, _DAMAGE)
    found = lines(breach)
    assert found[""].planned.way is Way.PUBLIC_NOTICE
    assert len(found) == len(WAYS)
    assert steps(breach).people == len(WAYS)


def test_before_a_sending_there_is_nothing_to_say(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, people=PEOPLE)
    assert lines(breach) == {}
    with breach.made.store.read() as session:
        assert (
            next_steps(session, breach.made.store, breach.made.settings, breach.id, now=breach.made.clock())
            is None
        )


def test_a_relay_that_would_break_a_promise_is_no_step(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sent(tmp_path, relay.port)
    store, now = breach.made.store, breach.made.clock()
    promises = breach.made.settings.promises.model_copy(update={"keep_in": ["de"]})
    promised = breach.made.settings.model_copy(update={"promises": promises})
    with store.read() as session:
        kept = planner_for(session, store, breach.made.settings, breach.id, now=now)
        broken = planner_for(session, store, promised, breach.id, now=now)
    assert kept is not None and kept.ground.promised_away == frozenset()
    assert broken is not None and broken.ground.promised_away == {Way.EMAIL}


def test_a_centre_that_would_break_a_promise_takes_sms_away_and_nothing_else(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = sent(tmp_path, relay.port)
    settings = breach.made.settings
    smpp = SmppSettings(
        host="127.0.0.1", system_id="tocsin", sender="10000", processor="a centre abroad", country="sg"
    )
    changed = settings.model_copy(
        update={
            "sms": settings.sms.model_copy(update={"smpp": smpp}),
            "fallback": Fallback(means=[Means.EMAIL, Means.SMS]),
        }
    )
    with breach.made.store.read() as session:
        planner = planner_for(session, breach.made.store, changed, breach.id, now=breach.made.clock())
    assert planner is not None and planner.ground.promised_away == {Way.SMS}


def test_what_was_bought_says_how_long_a_means_takes() -> None:
    plan = Plan(letters_per_day=500, seats=2, minutes_per_call=6, hours_a_day=10, sms_per_second=10)
    assert times_needed(plan, 1000) == {
        Way.LETTER: timedelta(days=2),
        Way.PHONE: timedelta(days=5),
        Way.SMS: timedelta(seconds=100),
    }
    assert times_needed(Plan(), 1000) == {}


def test_each_law_says_whether_a_public_notice_may_take_the_place(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = sent(tmp_path, relay.port)
    found = steps(breach)
    with breach.made.store.read() as session:
        rules = rules_with_reviews(session, breach.made.workspace)
        told = {
            each.duty_id: each
            for each in public_notice_instead(
                session,
                breach.made.store,
                breach.made.settings,
                rules,
                breach.id,
                found,
                now=breach.made.clock(),
            )
        }
    gdpr = told["eu-gdpr/people"]
    assert (gdpr.stated, gdpr.counted) == (Answer.cannot_tell, Answer.cannot_tell)
    assert gdpr.decides == ("disproportionate_effort",)
    assert [ask.state for ask in gdpr.asks] == [AskState.TO_JUDGE]
    assert any(name.startswith("cn-gbt-35273") for name in told)
