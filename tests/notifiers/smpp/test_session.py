"""What a session says of a message, beside a centre that follows a script."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from notifiers.errors import BadAddress, CarrierUnreachable
from notifiers.outcome import Outcome, Result, Stage
from notifiers.smpp.session import FIRST_PAUSE, SmppSession
from notifiers.sms.message import SmsMessage
from tests.support.faulty_centre import (
    SILENCE,
    UNBIND,
    USUAL,
    Answer,
    Ask,
    Close,
    FaultyCentre,
    Half,
    Later,
    Move,
    Nack,
    Receipt,
    Say,
    Talk,
    Together,
)
from tests.support.smpp_octets import Command, Pdu
from tests.support.smpp_sending import (
    IMPATIENT,
    LONG,
    QuickClock,
    a_centre,
    a_message,
    any_receipt,
    until,
)

REFUSED = (Answer(0x0B),)
THROTTLED = (Answer(0x58),)
GARBAGE = Say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
NOT_TAKEN = (Close(takes=False),)
TAKEN_AND_CLOSED = (Close(),)
NACK_OF_NOTHING = (Nack(0x02, shift=-2),)
"""Its sequence number is 0, as the first submit_sm is the second request of its session."""


def sent(
    *messages: SmsMessage,
    talks: tuple[Talk, ...] = (Talk(),),
    at_once: bool = False,
    may_go: Callable[[], bool] = lambda: True,
    clock: QuickClock | None = None,
    **settings: Any,
) -> tuple[list[Outcome], FaultyCentre]:
    """The outcomes of these messages, and the centre that they went to."""

    async def go() -> tuple[list[Outcome], FaultyCentre]:
        time = clock or QuickClock()
        async with FaultyCentre(talks) as centre:
            session = SmppSession(
                a_centre(centre.port, **settings), on_receipt=any_receipt, clock=time, sleep=time.sleep
            )
            sending = [session.send(message, may_go=may_go) for message in messages]
            if at_once:
                outcomes = await asyncio.gather(*sending)
            else:
                outcomes = [await each for each in sending]
            await session.close()
            assert not session.is_open
            return outcomes, centre

    return asyncio.run(go())


def submits(*moves: tuple[Move, ...]) -> tuple[Talk, ...]:
    return (Talk(submits=moves), Talk())


def kind(outcome: Outcome) -> tuple[Result, Stage, int | None]:
    return outcome.result, outcome.stage, outcome.code


def test_a_message_is_accepted_once_each_part_was() -> None:
    [outcome], centre = sent(a_message(LONG))
    assert kind(outcome) == (Result.accepted, Stage.reply, 0)
    assert outcome.references == ("00000001", "00000002", "00000003")
    assert (outcome.peer, outcome.tls) == (f"127.0.0.1:{centre.port}", False)
    assert centre.texts() == {"8613912345678": [LONG]}
    assert centre.complaints == []
    assert centre.binds == [("tocsin", "s3cret", 0x34)]


def test_a_session_is_kept_and_ends_with_an_unbind() -> None:
    outcomes, centre = sent(*[a_message()] * 3)
    assert {outcome.result for outcome in outcomes} == {Result.accepted}
    assert centre.connections == 1
    assert [pdu.command for pdu in centre.requests][-1] == Command.UNBIND


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        (REFUSED, (Result.permanent, Stage.reply, 0x0B)),
        ((Answer(0x0A),), (Result.permanent, Stage.account, 0x0A)),
        ((Answer(0x404),), (Result.permanent, Stage.account, 0x404)),
        ((Answer(0x45),), (Result.temporary, Stage.reply, 0x45)),
        ((Answer(0x04),), (Result.not_sent, Stage.auth, 0x04)),
        ((Nack(0x03),), (Result.permanent, Stage.account, 0x03)),
        (TAKEN_AND_CLOSED, (Result.ambiguous, Stage.submitted, None)),
        (NOT_TAKEN, (Result.ambiguous, Stage.submitted, None)),
        ((Close(resets=True),), (Result.ambiguous, Stage.submitted, None)),
        ((Half(10), Close()), (Result.ambiguous, Stage.submitted, None)),
        ((GARBAGE,), (Result.ambiguous, Stage.submitted, None)),
        (NACK_OF_NOTHING, (Result.ambiguous, Stage.submitted, None)),
        ((UNBIND, Close()), (Result.ambiguous, Stage.submitted, None)),
        ((UNBIND, Answer()), (Result.accepted, Stage.reply, 0)),
        ((Ask(Command.ENQUIRE_LINK), Answer()), (Result.accepted, Stage.reply, 0)),
        ((Receipt(), Answer()), (Result.accepted, Stage.reply, 0)),
        ((Answer(shift=7), Answer()), (Result.accepted, Stage.reply, 0)),
        ((Together((Answer(), UNBIND)),), (Result.accepted, Stage.reply, 0)),
    ],
)
def test_an_outcome_says_what_was_proved_and_the_next_message_gets_through(
    moves: tuple[Move, ...], expected: tuple[Result, Stage, int | None]
) -> None:
    (first, second), centre = sent(a_message("one"), a_message("two"), talks=submits(moves))
    assert kind(first) == expected
    assert kind(second) == (Result.accepted, Stage.reply, 0)
    assert centre.complaints == []


@pytest.mark.parametrize(
    "moves",
    [SILENCE, (Answer(shift=9),), (Half(20),), (Nack(0),), (Say(Pdu(0x80000015, 0, 2).octets()),)],
)
def test_no_answer_in_time_leaves_it_open_whether_it_was_taken(moves: tuple[Move, ...]) -> None:
    [outcome], _ = sent(a_message(), talks=submits(moves), timeouts=IMPATIENT)
    assert kind(outcome)[:2] == (Result.ambiguous, Stage.submitted)


@pytest.mark.parametrize("fault", [TAKEN_AND_CLOSED, (GARBAGE,), (UNBIND, Close())])
def test_parts_alone_are_no_copy(fault: tuple[Move, ...]) -> None:
    for before in range(3):
        [outcome], centre = sent(a_message(LONG), talks=submits(*[USUAL] * before, fault))
        assert len(outcome.references) == before
        assert len(centre.came) == before + 1
        if before == 2:
            assert kind(outcome) == (Result.ambiguous, Stage.submitted, None)
        else:
            assert kind(outcome) == (Result.not_sent, Stage.data, None)


def test_a_refused_part_is_the_outcome_and_the_rest_does_not_leave() -> None:
    [outcome], centre = sent(a_message(LONG), talks=submits(USUAL, REFUSED))
    assert kind(outcome) == (Result.permanent, Stage.reply, 0x0B)
    assert outcome.references == ("00000001",)
    assert len(centre.came) == 2


def test_a_message_goes_on_over_a_new_session_when_the_centre_unbinds_between_two_parts() -> None:
    [outcome], centre = sent(a_message(LONG), talks=submits((Answer(), UNBIND)))
    assert outcome.result is Result.accepted
    assert centre.texts() == {"8613912345678": [LONG]}
    assert centre.connections == 2


@pytest.mark.parametrize("status", [0x58, 0x14, 0x08])
def test_whoever_is_throttled_offers_the_part_again_after_pauses_that_grow(status: int) -> None:
    clock = QuickClock()
    talks = (Talk(submits=[USUAL, *[(Answer(status),)] * 3]),)
    [outcome], centre = sent(a_message(LONG), talks=talks, clock=clock)
    assert outcome.result is Result.accepted
    assert centre.texts() == {"8613912345678": [LONG]}
    assert clock.slept == [0.5, 1, 2]


def test_whoever_is_throttled_for_long_was_not_sent_and_nobody_is_blamed() -> None:
    clock = QuickClock()
    [outcome], centre = sent(a_message(LONG), talks=(Talk(further=THROTTLED),), clock=clock)
    assert kind(outcome) == (Result.not_sent, Stage.account, 0x58)
    assert outcome.about_relay and not outcome.about_recipient
    assert sum(clock.slept) >= 60
    assert centre.taken == []


def test_of_many_at_once_no_more_than_the_window_wait_for_their_answers() -> None:
    window = 5
    talk = Talk(submits=[(Later(window - 1 - at),) for at in range(window)] * 4)
    messages = [a_message(f"No. {at}") for at in range(4 * window)]
    outcomes, centre = sent(*messages, talks=(talk,), at_once=True, window=window)
    assert {outcome.result for outcome in outcomes} == {Result.accepted}
    assert len({outcome.references for outcome in outcomes}) == 4 * window
    assert centre.complaints == []


def test_more_than_the_window_do_not_leave() -> None:
    async def go() -> None:
        async with FaultyCentre([Talk(further=SILENCE)]) as centre:
            session = SmppSession(a_centre(centre.port, window=3), on_receipt=any_receipt)
            asked: list[int] = []

            def may_go() -> bool:
                asked.append(1)
                return True

            sending = [asyncio.create_task(session.send(a_message(), may_go=may_go)) for _ in range(9)]
            await until(lambda: len(centre.came) == 3)
            for _ in range(20):
                await asyncio.sleep(0)
            assert len(asked) == 3
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)

    asyncio.run(go())


def test_messages_leave_no_faster_than_was_agreed() -> None:
    clock = QuickClock()
    outcomes, _ = sent(*[a_message()] * 5, clock=clock, per_second=2)
    assert {outcome.result for outcome in outcomes} == {Result.accepted}
    assert clock.slept == pytest.approx([0.5] * 4)


def test_a_message_that_may_not_go_is_held_back_and_nothing_left() -> None:
    [outcome], centre = sent(a_message(LONG), may_go=lambda: False)
    assert kind(outcome) == (Result.not_sent, Stage.connect, None) and outcome.held_back
    assert centre.came == []


def test_whether_it_may_go_is_asked_again_after_a_pause_but_not_between_parts() -> None:
    answers = [True, False]
    [outcome], centre = sent(a_message(LONG), talks=submits(THROTTLED), may_go=lambda: answers.pop(0))
    assert outcome.held_back and centre.taken == []
    answers = [True]
    [outcome], _ = sent(a_message(LONG), may_go=lambda: answers.pop(0))
    assert outcome.result is Result.accepted


@pytest.mark.parametrize(
    ("talk", "stage", "code"),
    [
        (Talk(bind=(Answer(0x0E),)), Stage.auth, 0x0E),
        (Talk(bind=(Answer(0x08),)), Stage.auth, 0x08),
        (Talk(bind=(Nack(0x03),)), Stage.auth, 0x03),
        (Talk(bind=(Close(),)), Stage.auth, None),
        (Talk(bind=(GARBAGE,)), Stage.auth, None),
        (Talk(bind=SILENCE), Stage.auth, None),
        (Talk(greeting=(Close(),)), Stage.auth, None),
    ],
)
def test_a_session_that_does_not_come_about_says_at_which_stage(
    talk: Talk, stage: Stage, code: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def go() -> CarrierUnreachable:
        async with FaultyCentre([talk]) as centre:
            timeouts = IMPATIENT if talk.bind == SILENCE else a_centre(1).timeouts
            session = SmppSession(a_centre(centre.port, timeouts=timeouts), on_receipt=any_receipt)
            with pytest.raises(CarrierUnreachable) as failed:
                await session.open()
            outcome = await session.send(a_message())
            assert outcome.result is Result.not_sent
            assert outcome.stage is stage and outcome.about_session
            assert centre.connections == 1
            return failed.value

    failure = asyncio.run(go())
    assert (failure.stage, failure.code) == (stage, code)
    assert "s3cret" not in str(failure) + caplog.text


def test_a_centre_that_is_not_there_is_left_alone_for_a_pause() -> None:
    async def go() -> None:
        async with FaultyCentre() as centre:
            port = centre.port
        clock = QuickClock()
        session = SmppSession(a_centre(port), on_receipt=any_receipt, clock=clock, sleep=clock.sleep)
        first = await session.send(a_message())
        assert kind(first) == (Result.not_sent, Stage.connect, None)
        async with FaultyCentre(port=port) as centre:
            assert (await session.send(a_message())).text == first.text
            assert centre.connections == 0
            clock.now += FIRST_PAUSE
            assert (await session.send(a_message())).result is Result.accepted
            await session.close()

    asyncio.run(go())


def test_a_centre_that_ends_each_session_at_once_is_left_alone_too() -> None:
    closes = Talk(further=TAKEN_AND_CLOSED)
    outcomes, centre = sent(*[a_message()] * 9, talks=(closes,))
    assert kind(outcomes[0]) == (Result.ambiguous, Stage.submitted, None)
    assert kind(outcomes[-1]) == (Result.not_sent, Stage.auth, None)
    assert centre.connections == 2


def test_a_send_that_is_cancelled_leaves_its_place_to_the_next() -> None:
    async def go() -> None:
        async with FaultyCentre([Talk(submits=[SILENCE])]) as centre:
            session = SmppSession(a_centre(centre.port, window=1), on_receipt=any_receipt)
            sending = asyncio.create_task(session.send(a_message()))
            await until(lambda: bool(centre.came))
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert (await session.send(a_message())).result is Result.accepted
            await session.close()
            await session.close()
            assert centre.complaints == []

    asyncio.run(go())


def test_closing_waits_for_answers_under_way() -> None:
    async def go() -> None:
        async with FaultyCentre([Talk(submits=[(Later(1),)])]) as centre:
            session = SmppSession(a_centre(centre.port), on_receipt=any_receipt)
            first = asyncio.create_task(session.send(a_message()))
            await until(lambda: bool(centre.came))
            second = asyncio.create_task(session.send(a_message()))
            await until(lambda: len(centre.came) == 2)
            await session.close()
            assert [(await each).result for each in (first, second)] == [Result.accepted] * 2

    asyncio.run(go())


def test_a_number_that_is_none_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(BadAddress):
        a_message(number="139")
