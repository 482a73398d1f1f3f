"""What follows from an SMS's outcome and from the receipts of its parts. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.delivery.ledger import GIVE_UP_AFTER, MOST_STRIKES, Due
from incident.delivery.next_means import failed_with
from incident.delivery.sms_message import reference_of
from incident.delivery.sms_parts import DELIVERED, FAILED, HANDED_ON, rank_of
from incident.delivery.sms_rules import DOUBT_PAUSE, MOST_DOUBTS, Tries, judge_sms
from incident.delivery.states import IN_PROGRESS, DeliveryState, Failed, Rank, Why, failed_before
from notifiers.outcome import Outcome, Result, Stage
from notifiers.sms.receipt import MessageState

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
PEER = "smsc:2775"
ACCEPTED = Outcome(Result.accepted, Stage.reply, 0, None, "ESME_ROK", PEER, tls=False)
IN_DOUBT = Outcome(Result.ambiguous, Stage.submitted, None, None, "no answer", PEER, tls=False)
AWAY = Outcome(Result.not_sent, Stage.connect, None, None, "refused", PEER, tls=False)
BROKEN_OFF = Outcome(Result.not_sent, Stage.data, None, None, "closed", PEER, tls=False)
BAD_NUMBER = Outcome(Result.permanent, Stage.reply, 0x0B, None, "ESME_RINVDSTADR", PEER, tls=False)
BAD_SENDER = Outcome(Result.permanent, Stage.account, 0x0A, None, "ESME_RINVSRCADR", PEER, tls=False)

outcomes = st.sampled_from([ACCEPTED, IN_DOUBT, AWAY, BROKEN_OFF, BAD_NUMBER, BAD_SENDER])
states = st.lists(st.one_of(st.none(), st.sampled_from(list(MessageState))), min_size=1, max_size=5)


def due(*, strikes: int = 0, attempts: int = 1) -> Due:
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


@given(st.lists(outcomes, max_size=40))
def test_whatever_a_centre_says_nobody_is_sent_a_third_copy_that_is_in_doubt(said: list[Outcome]) -> None:
    strikes, tries, copies = 0, Tries(), 0
    for at, outcome in enumerate(said):
        settled = judge_sms(due(strikes=strikes, attempts=at), outcome, tries, now=NOW)
        copies += outcome.result in (Result.ambiguous, Result.accepted)
        strikes = settled.strikes
        tries = Tries(at + 1, NOW, tries.doubts + (outcome.result is Result.ambiguous))
        if settled.state not in IN_PROGRESS:
            break
        assert settled.next_at is not None and settled.next_at > NOW
    assert copies <= MOST_DOUBTS
    assert strikes <= MOST_STRIKES


def test_what_is_in_doubt_waits_for_a_receipt_before_it_is_sent_once_more() -> None:
    first = judge_sms(due(), IN_DOUBT, Tries(), now=NOW)
    assert (first.state, first.next_at) == (DeliveryState.PENDING, NOW + DOUBT_PAUSE)
    second = judge_sms(due(strikes=1), IN_DOUBT, Tries(1, NOW, 1), now=NOW)
    assert (second.state, second.why) == (DeliveryState.UNREACHABLE, Why.NO_ANSWER)


def test_a_centre_that_is_away_is_given_up_by_the_days_of_sms_alone() -> None:
    """That e-mail was tried for a month says nothing of the centre."""
    assert judge_sms(due(attempts=90), AWAY, Tries(1, NOW, 0), now=NOW).state is DeliveryState.PENDING
    long = Tries(50, NOW - GIVE_UP_AFTER, 0)
    assert judge_sms(due(attempts=90), AWAY, long, now=NOW).state is DeliveryState.UNREACHABLE


def test_nobody_gets_the_first_part_of_a_message_for_days() -> None:
    """The centre takes a part, and never says so."""
    strikes, tries = 0, 0
    while True:
        settled = judge_sms(due(strikes=strikes, attempts=tries), BROKEN_OFF, Tries(tries, NOW, 0), now=NOW)
        tries, strikes = tries + 1, settled.strikes
        if settled.state not in IN_PROGRESS:
            break
    assert (tries, settled.why) == (MOST_STRIKES, Why.NO_ANSWER)


def test_our_own_sender_counts_against_nobody_and_a_bad_number_does() -> None:
    assert judge_sms(due(), BAD_SENDER, Tries(), now=NOW).strikes == 0
    assert judge_sms(due(), BAD_NUMBER, Tries(), now=NOW).why is Why.REFUSED


@given(states)
def test_a_message_is_delivered_with_all_its_parts_and_fails_with_any(
    said: list[MessageState | None],
) -> None:
    rank = rank_of(said)
    if FAILED & set(said):
        assert rank is Rank.RETURNED
    elif set(said) <= DELIVERED:
        assert rank is Rank.DELIVERED
    elif set(said) <= DELIVERED | HANDED_ON:
        assert rank is Rank.HANDED_ON
    else:
        assert rank is Rank.NOTHING


def test_a_part_alone_proves_nothing_of_a_message() -> None:
    assert rank_of([MessageState.delivered, None, None]) is Rank.NOTHING


def test_parts_that_are_sent_again_have_the_same_reference() -> None:
    assert reference_of("a" * 32) == reference_of("a" * 32) != reference_of("b" * 32)
    assert 0 <= reference_of("a" * 32) <= 0xFFFF


@pytest.mark.parametrize(
    ("why", "kept"),
    [
        (Why.NONE, ""),
        (Why.NO_EMAIL, ""),
        (Why.SUPPRESSED, "email:suppressed"),
        (Why.REFUSED, "email:refused"),
    ],
)
def test_only_what_was_tried_or_is_known_to_be_dead_is_kept_of_a_means(why: Why, kept: str) -> None:
    assert failed_with("email", why) == kept


def test_what_failed_before_reads_back_in_its_order() -> None:
    text = failed_with("sms", Why.RETURNED, failed_with("email", Why.BLOCKED))
    assert failed_before(text) == (Failed("email", Why.BLOCKED), Failed("sms", Why.RETURNED))
