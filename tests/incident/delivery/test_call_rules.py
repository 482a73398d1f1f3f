"""What follows from the outcome of a call by machine, and that nobody is ever called twice. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.delivery.call_rules import (
    CALL_SETTLES,
    MAY_HAVE_RUNG,
    Calls,
    has_waited,
    judge_call,
    may_be_called,
)
from incident.delivery.ledger import GIVE_UP_AFTER, MOST_STRIKES, Due
from incident.delivery.receipts import Proved, proved_by, standing
from incident.delivery.states import IN_PROGRESS, PHONE, SMS, DeliveryState, Rank, Why
from notifiers.outcome import NO_COPY_TAKEN, Outcome, Result, Stage

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
PEER = "calls.api.twilio.com:443"
QUEUED = Outcome(Result.accepted, Stage.reply, 201, None, "queued", PEER, tls=True, references=("CA1",))
IN_DOUBT = Outcome(Result.ambiguous, Stage.submitted, None, None, "no answer", PEER, tls=True)
AWAY = Outcome(Result.not_sent, Stage.connect, None, None, "refused", PEER, tls=True)
HELD = Outcome(Result.not_sent, Stage.connect, None, None, "held back", PEER, tls=True, held_back=True)
TOO_MANY = Outcome(Result.temporary, Stage.account, 20429, None, "too many", PEER, tls=True)
BUSY_NOW = Outcome(Result.temporary, Stage.reply, 34002, None, "later", PEER, tls=True)
BAD_NUMBER = Outcome(Result.permanent, Stage.reply, 21211, None, "not valid", PEER, tls=True)
NOT_OURS = Outcome(Result.permanent, Stage.account, 21210, None, "not ours", PEER, tls=True)

outcomes = st.sampled_from([QUEUED, IN_DOUBT, AWAY, HELD, TOO_MANY, BUSY_NOW, BAD_NUMBER, NOT_OURS])


def due(*, strikes: int = 0, attempts: int = 0) -> Due:
    return Due(
        id="d",
        person_id="p",
        person_version=1,
        addressee="person",
        principal=True,
        attempts=attempts,
        strikes=strikes,
        first_intent_at=NOW - timedelta(days=30),
    )


@given(st.lists(outcomes, max_size=60))
def test_whatever_a_carrier_says_at_most_one_telephone_rings(said: list[Outcome]) -> None:
    strikes, calls = 0, Calls()
    rang = 0
    for at, outcome in enumerate(said):
        if not may_be_called(calls):
            break
        settled = judge_call(due(strikes=strikes, attempts=at), outcome, calls, now=NOW)
        rings = outcome.result not in NO_COPY_TAKEN
        rang += rings
        strikes = settled.strikes
        calls = Calls(at + 1, NOW, calls.may_have_rung + rings)
        assert settled.state is not DeliveryState.ACCEPTED
        if settled.state not in IN_PROGRESS:
            break
        assert settled.next_at is not None and settled.next_at > NOW
    assert rang <= 1
    assert strikes <= MOST_STRIKES


@given(st.integers(0, 50), st.integers(0, 50))
def test_who_may_have_been_rung_once_is_not_called_again(many: int, rung: int) -> None:
    assert may_be_called(Calls(many, NOW, rung)) == (rung == 0)


def test_every_result_after_which_a_telephone_may_ring_bars_another_call() -> None:
    assert set(MAY_HAVE_RUNG) == set(Result) - NO_COPY_TAKEN


@pytest.mark.parametrize("outcome", [QUEUED, IN_DOUBT])
def test_what_may_have_rung_waits_for_what_became_of_it(outcome: Outcome) -> None:
    settled = judge_call(due(), outcome, Calls(), now=NOW)
    assert (settled.state, settled.next_at) == (DeliveryState.PENDING, NOW + CALL_SETTLES)


def test_a_number_that_is_refused_is_a_bad_one_and_a_refusal_of_us_says_nothing_of_anybody() -> None:
    assert judge_call(due(), BAD_NUMBER, Calls(), now=NOW).why is Why.BAD_ADDRESS
    assert judge_call(due(), NOT_OURS, Calls(), now=NOW).state is DeliveryState.PENDING


def test_a_carrier_that_is_away_is_given_up_by_the_days_of_calls_alone() -> None:
    assert judge_call(due(attempts=90), AWAY, Calls(1, NOW, 0), now=NOW).state is DeliveryState.PENDING
    long = Calls(50, NOW - GIVE_UP_AFTER, 0)
    given_up = judge_call(due(attempts=90), AWAY, long, now=NOW)
    assert (given_up.state, given_up.why) == (DeliveryState.UNREACHABLE, Why.NO_ANSWER)


def test_what_we_held_back_is_never_given_up() -> None:
    long = Calls(50, NOW - 3 * GIVE_UP_AFTER, 0)
    assert judge_call(due(attempts=90), HELD, long, now=NOW).state is DeliveryState.PENDING


@pytest.mark.parametrize(
    ("until", "has"),
    [
        (NOW - timedelta(seconds=1), True),
        (NOW, True),
        (NOW + timedelta(seconds=1), False),
        (NOW + CALL_SETTLES + timedelta(minutes=1), False),
        (NOW + timedelta(days=300), True),
        (None, True),
    ],
)
def test_a_call_is_waited_for_until_its_time_and_not_as_long_as_a_clock_was_wrong(
    until: datetime | None, has: bool
) -> None:
    assert has_waited(until, now=NOW) is has


RECEIPTS = [
    (int(Rank.ACKNOWLEDGED), "", PHONE),
    (int(Rank.RETURNED), Why.NO_ANSWER, PHONE),
    (int(Rank.RETURNED), Why.BAD_ADDRESS, PHONE),
]


@given(st.permutations(RECEIPTS), st.integers(0, 3))
def test_a_confirmation_outranks_whatever_the_end_says_in_any_order(
    told: list[tuple[int, str, str]], many: int
) -> None:
    """Each may also come over and over."""
    state, why = DeliveryState.PENDING, Why.NONE
    for at in range(1, len(told) + 1):
        state, why = standing(state, why, proved_by(told[:at] * (many + 1), PHONE))
    assert (state, why) == (DeliveryState.ACCEPTED, Why.NONE)


def test_of_several_ends_the_one_about_the_number_tells_the_most() -> None:
    assert proved_by(RECEIPTS[1:], PHONE) == Proved(Rank.RETURNED, Why.BAD_ADDRESS)
    assert proved_by(RECEIPTS[1:], SMS) == Proved(Rank.NOTHING, Why.NONE)
