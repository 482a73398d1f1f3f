"""Addresses of a call's steps, and what comes to them."""

from __future__ import annotations

import string
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.errors import BadMessage
from notifiers.twilio.call_callbacks import (
    ENDED,
    LONGEST_OWN_ID,
    ROUNDS,
    AnsweredBy,
    CallEvent,
    CallStatus,
    Step,
    event_of,
    step_of,
    step_url,
)
from notifiers.twilio.callbacks import callback_url, form_of, own_id_of

BASE = "https://notices.example/hooks/calls"
KEY = b"k" * 32
SID = "CA" + "0a" * 16
FIELDS = {"CallSid": SID, "CallStatus": "in-progress", "To": "+8613912345678"}

IDS = st.lists(
    st.text(alphabet=string.ascii_letters + string.digits + "-~", min_size=1, max_size=20),
    min_size=1,
    max_size=5,
).map(".".join)
STEPS = st.sampled_from(Step)
ROUND = st.sampled_from(ROUNDS)


def event(**changes: str) -> CallEvent | None:
    return event_of(tuple((FIELDS | changes).items()))


def known(**changes: str) -> CallEvent:
    found = event(**changes)
    assert found is not None
    return found


@given(own_id=IDS, step=STEPS, round=ROUND)
def test_an_address_gives_its_id_its_step_and_its_round_back(own_id: str, step: Step, round: int) -> None:
    url = step_url(BASE, own_id, step, key=KEY, round=round)
    assert step_of(url, base=BASE, key=KEY) == (own_id, step, round)


@given(
    own_id=IDS,
    step=STEPS,
    round=ROUND,
    at=st.integers(min_value=0),
    other=st.sampled_from(string.ascii_letters + string.digits + "./?-"),
)
def test_an_address_that_was_changed_is_not_ours(
    own_id: str, step: Step, round: int, at: int, other: str
) -> None:
    url = step_url(BASE, own_id, step, key=KEY, round=round)
    at %= len(url)
    changed = url[:at] + other + url[at + 1 :]
    found = step_of(changed, base=BASE, key=KEY)
    assert found == ((own_id, step, round) if changed == url else None)


@given(own_id=IDS, step=STEPS, round=ROUND, other_id=IDS, other_step=STEPS, other_round=ROUND)
def test_what_is_ours_for_one_step_is_ours_for_no_other(
    own_id: str, step: Step, round: int, other_id: str, other_step: Step, other_round: int
) -> None:
    mac = step_url(BASE, own_id, step, key=KEY, round=round).rpartition(".")[2]
    borrowed = f"{BASE}/{other_id}.{other_step}.{other_round}.{mac}"
    same = (own_id, step, round) == (other_id, other_step, other_round)
    assert (step_of(borrowed, base=BASE, key=KEY) is not None) == same


@given(rest=st.text(alphabet=st.characters()), own_id=IDS, step=STEPS)
def test_no_address_breaks_the_reading(rest: str, own_id: str, step: Step) -> None:
    assert step_of(f"{BASE}/{rest}", base=BASE, key=KEY) is None
    assert step_of(f"{BASE}/{own_id}.{step}.{rest}", base=BASE, key=KEY) is None


@given(own_id=IDS, step=STEPS, round=ROUND)
def test_nobody_else_s_address_is_ours(own_id: str, step: Step, round: int) -> None:
    url = step_url(BASE, own_id, step, key=KEY, round=round)
    assert step_of(url, base=BASE, key=b"j" * 32) is None
    assert step_of(url, base="https://notices.example/hooks", key=KEY) is None
    assert step_of(f"{url}?x=1", base=BASE, key=KEY) is None
    assert step_of(f"{url}/", base=BASE, key=KEY) is None
    other = step_url(BASE, own_id, step, key=b"j" * 32, round=round)
    assert step_of(other, base=BASE, key=KEY) is None


@given(own_id=IDS, step=STEPS, round=ROUND)
def test_an_address_of_a_message_is_none_of_a_call_nor_the_other_way_round(
    own_id: str, step: Step, round: int
) -> None:
    of_message = callback_url(BASE, f"{own_id}.{step}.{round}", key=KEY)
    assert step_of(of_message, base=BASE, key=KEY) is None
    assert own_id_of(step_url(BASE, own_id, step, key=KEY, round=round), base=BASE, key=KEY) is None


@pytest.mark.parametrize("round", [-1, 10, 100])
def test_a_round_that_an_address_does_not_count_is_refused(round: int) -> None:
    with pytest.raises(BadMessage) as refused:
        step_url(BASE, "d1.1", Step.hear, key=KEY, round=round)
    assert refused.value.where == "round"


@pytest.mark.parametrize("own_id", ["", ".", "a..b", "a/b", "a?b", "é", "a b", "a" * (LONGEST_OWN_ID + 1)])
@pytest.mark.parametrize("step", Step)
def test_an_id_that_an_address_cannot_hold_is_refused(own_id: str, step: Step) -> None:
    with pytest.raises(BadMessage) as refused:
        step_url(BASE, own_id, step, key=KEY)
    assert refused.value.where == "own_id"


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("round", ROUNDS)
def test_whatever_id_one_step_takes_every_step_takes(step: Step, round: int) -> None:
    own_id = "a" * LONGEST_OWN_ID
    url = step_url(BASE, own_id, step, key=KEY, round=round)
    assert step_of(url, base=BASE, key=KEY) == (own_id, step, round)


def test_all_that_is_told_of_a_call_is_read() -> None:
    assert known(AnsweredBy="human", Digits="1") == CallEvent(
        SID, CallStatus.in_progress, AnsweredBy.human, "1", None, None, "8613912345678"
    )


@pytest.mark.parametrize("word", [status.value for status in CallStatus if status is not CallStatus.unknown])
def test_each_status_is_read(word: str) -> None:
    status = known(CallStatus=word).status
    assert status.value == word
    assert (status in ENDED) == (word in ("completed", "busy", "no-answer", "failed", "canceled"))


@pytest.mark.parametrize("word", ["answered", "in_progress", "odd\x1b[2J", "unknown"])
def test_a_status_that_is_not_known_is_read_as_that_and_ends_nothing(word: str) -> None:
    status = known(CallStatus=word).status
    assert status is CallStatus.unknown
    assert status not in ENDED


@pytest.mark.parametrize(
    ("word", "answerer"),
    [
        ("human", AnsweredBy.human),
        ("machine_start", AnsweredBy.machine),
        ("machine_end_beep", AnsweredBy.machine),
        ("machine_end_silence", AnsweredBy.machine),
        ("machine_end_other", AnsweredBy.machine),
        ("machine_end_new", AnsweredBy.machine),
        ("machine", AnsweredBy.machine),
        ("fax", AnsweredBy.fax),
        ("unknown", AnsweredBy.unknown),
        ("", AnsweredBy.unknown),
        ("machinery", AnsweredBy.unknown),
        ("somebody", AnsweredBy.unknown),
    ],
)
def test_who_answered_is_read_and_nobody_is_taken_for_a_person_who_was_not_called_one(
    word: str, answerer: AnsweredBy
) -> None:
    assert known(AnsweredBy=word).answered_by is answerer


@pytest.mark.parametrize(
    ("digits", "digit"),
    [
        ("1", "1"),
        ("0", "0"),
        ("#", "#"),
        ("*", "*"),
        ("", ""),
        ("12", ""),
        ("١", ""),
        ("1\n", ""),
        (" 1", ""),
    ],
)
def test_one_key_is_a_key_and_nothing_else_is(digits: str, digit: str) -> None:
    assert known(Digits=digits).digit == digit


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"SipResponseCode": "486"}, 486),
        ({"SipResponseCode": "200"}, None),
        ({"SipResponseCode": "180"}, None),
        ({"ErrorCode": "13224", "SipResponseCode": "404"}, 13224),
        ({"ErrorCode": "0", "SipResponseCode": "404"}, 404),
        ({"ErrorCode": "none", "SipResponseCode": "no"}, None),
        ({"ErrorCode": "9" * 5000}, None),
        ({"ErrorCode": "١٢"}, None),
    ],
)
def test_why_a_call_failed_is_read(fields: dict[str, str], code: int | None) -> None:
    assert known(CallStatus="failed", **fields).code == code


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7), ("0", 0), ("-1", None), ("x", None), ("9" * 5000, None)]
)
def test_how_long_it_lasted_is_whole_seconds(text: str, seconds: int | None) -> None:
    assert known(CallStatus="completed", CallDuration=text).seconds == seconds


@pytest.mark.parametrize(
    "changes",
    [
        {"CallSid": ""},
        {"CallSid": "CA1"},
        {"CallSid": f"{SID}\n"},
        {"CallSid": "SM" + "0" * 32},
        {"CallStatus": ""},
        {"CallStatus": " "},
    ],
)
def test_what_does_not_say_of_which_call_or_what_is_none(changes: dict[str, str]) -> None:
    assert event(**changes) is None


def test_a_form_of_a_message_is_none_of_a_call() -> None:
    assert event_of((("MessageSid", "SM" + "0" * 32), ("MessageStatus", "delivered"))) is None


@given(body=st.binary(max_size=300))
def test_no_body_breaks_the_reading(body: bytes) -> None:
    form = form_of(body)
    assert form is None or event_of(form) is None


NAMES = ("CallStatus", "AnsweredBy", "Digits", "ErrorCode", "SipResponseCode", "CallDuration", "To")


@given(values=st.lists(st.tuples(st.sampled_from(NAMES), st.text(max_size=20)), max_size=12))
def test_whatever_the_fields_hold_the_event_is_one_of_what_it_may_be(values: list[tuple[str, str]]) -> None:
    encodable = [(name, value.encode(errors="replace").decode()) for name, value in values]
    form = form_of(urlencode([("CallSid", SID), ("CallStatus", "busy"), *encodable]).encode())
    assert form is not None
    found = event_of(form)
    if found is None:
        assert not dict(form)["CallStatus"].strip()
        return
    assert len(found.digit) <= 1 and found.digit in "0123456789*#"
    assert found.number == "" or (found.number.isascii() and found.number.isdigit())
    assert found.code is None or found.code >= 1
