"""Whatever a centre does at whatever point: nobody is told twice over what was proved, nor counted as told who was not."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from notifiers.outcome import NO_COPY_TAKEN, Outcome, Result
from notifiers.smpp.session import SmppSession
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
from tests.support.smpp_octets import Command
from tests.support.smpp_sending import IMPATIENT, LONG, QuickClock, a_centre, a_message, any_receipt

STATUSES = st.sampled_from([0x04, 0x08, 0x0A, 0x0B, 0x14, 0x45, 0x58, 0x64, 0x400, 0xFFFF])
MOVES: st.SearchStrategy[tuple[Move, ...]] = st.one_of(
    st.sampled_from(
        [
            USUAL,
            USUAL,
            SILENCE,
            (Later(1),),
            (Later(3),),
            (Close(),),
            (Close(takes=False),),
            (Close(resets=True),),
            (Answer(), Close()),
            (Half(12), Close()),
            (Answer(shift=1000), Answer()),
            (Nack(3),),
            (Nack(0x58),),
            (Nack(2, shift=1000), Answer()),
            (Say(b"HTTP/1.1 400 Bad Request\r\n\r\n"),),
            (Together((Answer(), Say(b"\0\0\0\1"))),),
            (UNBIND, Answer()),
            (UNBIND, Close()),
            (Together((Answer(), UNBIND)),),
            (Ask(Command.ENQUIRE_LINK), Answer()),
            (Together((Receipt(), Answer())),),
            (Receipt("UNDELIV"), Close()),
        ]
    ),
    STATUSES.map(lambda status: (Answer(status),)),
)
TALKS = st.builds(
    Talk,
    bind=st.sampled_from(
        [USUAL] * 6 + [(Answer(0x0D),), (Close(),), (Answer(), UNBIND), (Answer(), Close())]
    ),
    submits=st.lists(MOVES, max_size=6),
    further=st.sampled_from([USUAL, USUAL, (Answer(0x58),), (Close(),)]),
    pieces=st.sampled_from([None, None, 1, 7]),
)


@settings(max_examples=120)
@given(
    st.lists(TALKS, min_size=1, max_size=3),
    st.lists(st.booleans(), min_size=1, max_size=6),
    st.integers(1, 4),
    st.booleans(),
)
def test_an_outcome_never_says_more_than_was_proved(
    talks: list[Talk], long: list[bool], window: int, at_once: bool
) -> None:
    numbers = [f"+86139000000{at:02}" for at in range(len(long))]
    outcomes, centre = asyncio.run(_sent(talks, dict(zip(numbers, long, strict=True)), window, at_once))
    copies = Counter({number: len(texts) for number, texts in centre.texts().items()})
    parts = Counter(each.submit.destination for each in centre.came if each.taken)
    for number, is_long, outcome in zip(numbers, long, outcomes, strict=True):
        whole = copies[number.removeprefix("+")]
        if outcome.result is Result.accepted:
            assert whole == 1, outcome
        if outcome.result in NO_COPY_TAKEN:
            assert whole == 0, outcome
        if outcome.result is Result.ambiguous:
            # Only the last part leaves anything open.
            assert len(outcome.references) == (2 if is_long else 0), outcome
        assert whole <= 1
        assert len(outcome.references) <= parts[number.removeprefix("+")]
    assert centre.complaints == []


async def _sent(
    talks: list[Talk], long: dict[str, bool], window: int, at_once: bool
) -> tuple[list[Outcome], FaultyCentre]:
    clock = QuickClock()
    async with FaultyCentre(talks) as centre:
        session = SmppSession(
            a_centre(centre.port, window=window, timeouts=replace(IMPATIENT, unbind=0.2)),
            on_receipt=any_receipt,
            clock=clock,
            sleep=clock.sleep,
        )
        sending = [session.send(a_message(LONG if each else "Hi", number)) for number, each in long.items()]
        outcomes = await asyncio.gather(*sending) if at_once else [await each for each in sending]
        await session.close()
        return outcomes, centre
