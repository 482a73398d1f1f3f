"""What is said next in a call, and what is proved by what is told of it. Pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.delivery.call_dialogue import (
    MOST_GREETINGS,
    MOST_TEXTS,
    ONLY_WHO_IS_TO_BE_TOLD,
    Part,
    Saying,
    saying_at,
)
from incident.delivery.call_receipts import CONFIRMED, WRONG_PERSON, proof_of
from incident.delivery.states import Rank, Why
from incident.notice.channels import CALL_KEYS, PARTS_FOR_ANYBODY, WITHOUT_A_KEY
from notifiers.twilio.call_callbacks import ROUNDS, AnsweredBy, CallEvent, CallStatus, Step

digits = st.sampled_from(["", *"0123456789*#"])


def event(
    digit: str = "",
    *,
    status: CallStatus = CallStatus.in_progress,
    answered_by: AnsweredBy = AnsweredBy.human,
    code: int | None = None,
) -> CallEvent:
    return CallEvent("CA" + "0" * 32, status, answered_by, digit, code, None, "8613800000020")


@pytest.mark.parametrize("part", ["greeting", "text"])
def test_keys_lead_where_the_words_say(part: str) -> None:
    step = {"greeting": Step.hear, "text": Step.confirm}[part]
    for key, leads_to in CALL_KEYS[part].items():
        saying = saying_at(step, 0, event(key))
        assert saying is not None and saying.part == leads_to


def test_the_parts_are_those_of_the_notice() -> None:
    assert {*PARTS_FOR_ANYBODY, "text"} == set(Part)
    assert Part.NOT_HEARD == WITHOUT_A_KEY


@pytest.mark.parametrize("answered_by", [AnsweredBy.human, AnsweredBy.unknown])
def test_who_answers_is_asked_first(answered_by: AnsweredBy) -> None:
    assert saying_at(Step.answer, 0, event(answered_by=answered_by)) == Saying(Part.GREETING, Step.hear)


def test_a_machine_is_left_a_few_words_and_a_fax_none() -> None:
    assert saying_at(Step.answer, 0, event(answered_by=AnsweredBy.machine)) == Saying(Part.MACHINE)
    assert saying_at(Step.answer, 0, event(answered_by=AnsweredBy.fax)) is None


@given(st.lists(digits, max_size=30))
def test_whatever_is_pressed_a_call_ends_and_the_notice_follows_a_one_alone(keys: list[str]) -> None:
    saying, last, texts, greetings = saying_at(Step.answer, 0, event()), "", 0, 0
    for key in keys:
        assert saying is not None
        texts += saying.part is Part.TEXT
        greetings += saying.part is Part.GREETING
        if saying.asks is None:
            break
        assert saying.round in ROUNDS
        last, before = key, saying.part
        saying = saying_at(saying.asks, saying.round, event(key))
        assert saying is not None
        if saying.part is Part.TEXT:
            assert (before, last) in {(Part.GREETING, "1"), (Part.TEXT, "2")}
        if saying.part is Part.THANKS:
            assert (before, last) == (Part.TEXT, "1")
    assert texts <= MOST_TEXTS and greetings <= MOST_GREETINGS


@given(st.sampled_from(Step), digits, st.sampled_from(CallStatus), st.sampled_from(AnsweredBy))
def test_only_a_one_after_the_notice_confirms(
    step: Step, digit: str, status: CallStatus, answered_by: AnsweredBy
) -> None:
    proof = proof_of(step, event(digit, status=status, answered_by=answered_by))
    assert (proof == CONFIRMED) == (step is Step.confirm and digit == "1")
    assert (proof == WRONG_PERSON) == (step is Step.hear and digit == "2")
    if proof is not None and proof != CONFIRMED:
        assert proof.rank is Rank.RETURNED


@pytest.mark.parametrize(
    ("status", "answered_by", "code", "kind", "why"),
    [
        (CallStatus.completed, AnsweredBy.human, None, "not_confirmed", Why.NO_ANSWER),
        (CallStatus.completed, AnsweredBy.machine, None, "machine", Why.NO_ANSWER),
        (CallStatus.completed, AnsweredBy.fax, None, "fax", Why.NO_ANSWER),
        (CallStatus.busy, AnsweredBy.unknown, 486, "busy", Why.NO_ANSWER),
        (CallStatus.no_answer, AnsweredBy.unknown, 487, "no_answer", Why.NO_ANSWER),
        (CallStatus.canceled, AnsweredBy.unknown, None, "canceled", Why.NO_ANSWER),
        (CallStatus.failed, AnsweredBy.unknown, None, "failed", Why.NO_ANSWER),
        (CallStatus.failed, AnsweredBy.unknown, 503, "failed", Why.NO_ANSWER),
        (CallStatus.failed, AnsweredBy.unknown, 404, "failed", Why.BAD_ADDRESS),
        (CallStatus.failed, AnsweredBy.unknown, 13224, "failed", Why.BAD_ADDRESS),
        (CallStatus.failed, AnsweredBy.unknown, 10001, "failed", Why.NO_ANSWER),
    ],
)
def test_how_a_call_ended_says_why_nobody_was_told(
    status: CallStatus, answered_by: AnsweredBy, code: int | None, kind: str, why: Why
) -> None:
    proof = proof_of(Step.status, event(status=status, answered_by=answered_by, code=code))
    assert proof is not None
    assert (proof.kind, proof.why) == (kind, why)


def test_what_tells_somebody_is_kept_back_and_what_ends_a_call_is_not() -> None:
    assert set(Part) - ONLY_WHO_IS_TO_BE_TOLD == {Part.NOT_HEARD, Part.THANKS, Part.WRONG_PERSON}
