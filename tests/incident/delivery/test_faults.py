"""A relay at fault in the middle of a sending, at every stage: nobody is lost, and only what is in doubt may be doubled."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from incident.delivery.ledger import MOST_STRIKES
from incident.delivery.states import Why
from incident.durable import Patience
from notifiers.email.relay import Timeouts
from notifiers.outcome import BEFORE_THE_RECIPIENT, Result, Stage
from tests.support.faulty_relay import CLOSES, STALLS, Fault, FaultyRelay, Pieces
from tests.support.faulty_sendings import (
    ACCEPTED,
    PEOPLE,
    Kind,
    assert_nobody_is_lost,
    doubles,
    kinds,
    live_to_the_end,
    sending,
    strikes,
    work,
)
from tests.support.relays import free_port, smtp_sink
from tests.support.sink_book import SinkBook

QUICK = Timeouts(connect=0.4, tls=0.4, auth=0.4, mail=0.4, rcpt=0.4, data=0.4, body=0.4, after_dot=0.4)
HITS = 4
IN_THE_MIDDLE = 25
LATER, NEVER, CLOSING = b"451 4.3.0 not now", b"554 5.5.0 not like this", b"421 4.3.2 closing"
UNCLEAR = b"hello?"

SAFE: dict[str, dict[tuple[str, bytes], Kind]] = {
    "before the sender": {
        ("connect", CLOSES): (Result.not_sent, Stage.connect, None),
        ("connect", CLOSING): (Result.not_sent, Stage.connect, 421),
        ("connect", NEVER): (Result.not_sent, Stage.connect, 554),
        ("ehlo", CLOSES): (Result.not_sent, Stage.connect, None),
    },
    "MAIL": {
        ("mail", CLOSES): (Result.not_sent, Stage.mail, None),
        ("mail", CLOSING): (Result.temporary, Stage.mail, 421),
        ("mail", LATER): (Result.temporary, Stage.mail, 451),
        ("mail", NEVER): (Result.permanent, Stage.mail, 554),
    },
    "RCPT": {
        ("rcpt", CLOSES): (Result.not_sent, Stage.rcpt, None),
        ("rcpt", CLOSING): (Result.temporary, Stage.rcpt, 421),
        ("rcpt", LATER): (Result.temporary, Stage.rcpt, 451),
    },
    "DATA": {
        ("data", CLOSES): (Result.not_sent, Stage.data, None),
        ("data", UNCLEAR): (Result.not_sent, Stage.data, None),
        ("data", CLOSING): (Result.temporary, Stage.data, 421),
        ("data", LATER): (Result.temporary, Stage.data, 451),
        ("data", NEVER): (Result.permanent, Stage.data, 554),
    },
    "the dot": {
        ("dot", CLOSING): (Result.temporary, Stage.reply, 421),
        ("dot", LATER): (Result.temporary, Stage.reply, 451),
    },
}


@pytest.mark.parametrize("at", SAFE)
def test_what_a_relay_refused_or_never_had_is_sent_again_and_nobody_gets_it_twice(
    tmp_path: Path, at: str
) -> None:
    before_the_sender = at == "before the sender"
    times, since = (1, 0) if before_the_sender else (HITS, IN_THE_MIDDLE)
    with FaultyRelay() as relay:
        relay.faults = [Fault(stage, answer, times, since) for stage, answer in SAFE[at]]
        breach = sending(tmp_path, relay.port)
        live_to_the_end(breach)
    seen = kinds(breach)
    assert seen[ACCEPTED] == PEOPLE
    assert set(seen) == {*SAFE[at].values(), ACCEPTED}
    if not before_the_sender:  # there one connection stands for a whole group
        assert seen == Counter({kind: HITS * n for kind, n in Counter(SAFE[at].values()).items()}) + Counter(
            {ACCEPTED: PEOPLE}
        )
    assert relay.hits == times * len(SAFE[at])
    assert (strikes(breach) == {0}) is all(kind[1] in BEFORE_THE_RECIPIENT for kind in SAFE[at].values())
    assert (doubles(relay.copies), breach.account().doubled_at_most) == (0, 0)
    assert_nobody_is_lost(breach, relay.copies)


def test_what_a_relay_may_have_taken_is_sent_again_byte_for_byte(tmp_path: Path) -> None:
    """Nobody outside the relay can tell one that broke off in the body from one that did so after the dot."""
    with FaultyRelay() as relay:
        taken = [Fault("dot", answer, HITS, IN_THE_MIDDLE) for answer in (CLOSES, UNCLEAR, b"354 more")]
        relay.faults = [*taken, Fault("body", CLOSES, HITS, IN_THE_MIDDLE)]
        breach = sending(tmp_path, relay.port)
        live_to_the_end(breach)
    assert kinds(breach) == {
        (Result.ambiguous, Stage.after_dot, None): 3 * HITS,
        (Result.ambiguous, Stage.after_dot, 354): HITS,
        ACCEPTED: PEOPLE,
    }
    assert (doubles(relay.copies), breach.account().doubled_at_most) == (3 * HITS, 4 * HITS)
    assert_nobody_is_lost(breach, relay.copies)


def test_a_relay_that_never_says_what_it_took_is_given_up_after_a_few_copies(tmp_path: Path) -> None:
    with FaultyRelay() as relay:
        relay.faults = [Fault("dot", CLOSES)]
        breach = sending(tmp_path, relay.port, people=3)
        for _ in range(MOST_STRIKES):
            work(breach)
            breach.later(hours=2)
    assert {len(copies) for copies in relay.copies.values()} == {MOST_STRIKES}
    assert_nobody_is_lost(breach, relay.copies, unreachable={Why.NO_ANSWER: 3})


@pytest.mark.parametrize(
    ("stage", "answer"), [("data", CLOSES), ("rcpt", CLOSING)], ids=["before 354", "421"]
)
def test_a_relay_that_takes_nothing_for_hours_makes_nobody_unreachable(
    tmp_path: Path, stage: str, answer: bytes
) -> None:
    with FaultyRelay() as relay:
        relay.faults = [Fault(stage, answer)]
        breach = sending(tmp_path, relay.port, people=3)
        for _ in range(MOST_STRIKES):
            work(breach)
            breach.later(hours=2)
        relay.faults = []
        live_to_the_end(breach)
    assert_nobody_is_lost(breach, relay.copies)


def test_who_is_refused_for_good_is_unreachable_and_the_others_are_told(tmp_path: Path) -> None:
    with FaultyRelay() as relay:
        relay.faults = [Fault(stage, NEVER, HITS, IN_THE_MIDDLE) for stage in ("rcpt", "dot")]
        breach = sending(tmp_path, relay.port)
        live_to_the_end(breach)
    assert kinds(breach) == {
        (Result.permanent, Stage.rcpt, 554): HITS,
        (Result.permanent, Stage.reply, 554): HITS,
        ACCEPTED: PEOPLE - 2 * HITS,
    }
    assert doubles(relay.copies) == 0
    assert_nobody_is_lost(breach, relay.copies, unreachable={Why.REFUSED: 2 * HITS})


STALLED: dict[str, Kind] = {
    "connect": (Result.not_sent, Stage.connect, None),
    "ehlo": (Result.not_sent, Stage.connect, None),
    "mail": (Result.not_sent, Stage.mail, None),
    "rcpt": (Result.not_sent, Stage.rcpt, None),
    "data": (Result.not_sent, Stage.data, None),
    "body": (Result.ambiguous, Stage.after_dot, None),
    "dot": (Result.ambiguous, Stage.after_dot, None),
}


def test_a_relay_that_stalls_is_waited_for_only_so_long_at_each_stage(tmp_path: Path) -> None:
    with FaultyRelay() as relay:
        relay.faults = [Fault(stage, STALLS, 1) for stage in STALLED]
        breach = sending(tmp_path, relay.port)
        live_to_the_end(breach, timeouts=QUICK)
    assert relay.hits == len(STALLED)
    seen = kinds(breach)
    assert set(seen) == {*STALLED.values(), ACCEPTED}
    assert 1 <= doubles(relay.copies) <= breach.account().doubled_at_most
    assert_nobody_is_lost(breach, relay.copies)


def test_where_the_time_of_a_group_ends_before_that_of_the_stage_the_ledger_still_says_how_far_it_came(
    tmp_path: Path,
) -> None:
    """By the relay's own timeouts a stage may take longer (five minutes at MAIL) than a group may (two and a half)."""
    with FaultyRelay() as relay:
        relay.faults = [Fault(stage, STALLS, 1) for stage in ("mail", "dot")]
        breach = sending(tmp_path, relay.port)
        live_to_the_end(breach, patience=Patience(poll=0.01, retry=0.0, longest=2.0))
    held_back: Kind = (Result.not_sent, Stage.connect, None)
    seen = kinds(breach)
    assert (seen[STALLED["mail"]], seen[STALLED["dot"]]) == (1, 1)
    assert set(seen) == {STALLED["mail"], STALLED["dot"], held_back, ACCEPTED}
    assert sum(row.strikes for row in breach.deliveries()) == 1, (
        "a stall before the recipient counts against nobody"
    )
    assert doubles(relay.copies) == breach.account().doubled_at_most == 1
    assert_nobody_is_lost(breach, relay.copies)


def test_answers_one_octet_at_a_time_are_told_apart(tmp_path: Path) -> None:
    with FaultyRelay(pieces=Pieces.OCTETS) as relay:
        relay.faults = [Fault("rcpt", LATER, HITS, IN_THE_MIDDLE)]
        breach = sending(tmp_path, relay.port)
        live_to_the_end(breach)
    assert kinds(breach) == {(Result.temporary, Stage.rcpt, 451): HITS, ACCEPTED: PEOPLE}
    assert doubles(relay.copies) == 0
    assert_nobody_is_lost(breach, relay.copies)


def test_a_relay_that_wants_the_message_of_a_refused_recipient_gets_none(tmp_path: Path) -> None:
    """Its answers come in one segment: the recipient's refusal, and with it the go-ahead for the message."""
    with FaultyRelay(pieces=Pieces.TOGETHER, lenient=True) as relay:
        relay.faults = [Fault("rcpt", NEVER, HITS, IN_THE_MIDDLE)]
        breach = sending(tmp_path, relay.port)
        live_to_the_end(breach)
    assert relay.empty == HITS
    assert kinds(breach) == {(Result.permanent, Stage.rcpt, 554): HITS, ACCEPTED: PEOPLE - HITS}
    assert doubles(relay.copies) == 0
    assert_nobody_is_lost(breach, relay.copies, unreachable={Why.REFUSED: HITS})


@pytest.mark.parametrize(
    ("flags", "kind", "taken"),
    [
        (("-q", "DATA"), (Result.not_sent, Stage.data, None), False),
        (("-q", "."), (Result.ambiguous, Stage.after_dot, None), True),
        (("-Q", "RCPT"), (Result.temporary, Stage.rcpt, 421), False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) and value[0].startswith("-") else "",
)
def test_a_fault_of_postfix_that_hits_everybody_ends_with_everybody_told(
    tmp_path: Path, flags: tuple[str, str], kind: Kind, taken: bool
) -> None:
    port = free_port()
    breach = sending(tmp_path, port)
    with smtp_sink(tmp_path / "at fault", *flags, port=port) as sink:
        work(breach)
        before = SinkBook(sink)
        if taken:
            before.settle()
    assert kinds(breach) == {kind: PEOPLE}
    breach.later(hours=2)
    with smtp_sink(tmp_path / "whole", port=port) as sink:
        live_to_the_end(breach)
        after = SinkBook(sink)
        after.settle()
    copies = {
        each: [copy.digest for book in (before, after) for copy in book.copies.get(each, [])]
        for each in after.copies
    }
    assert kinds(breach) == {kind: PEOPLE, ACCEPTED: PEOPLE}
    assert doubles(copies) == breach.account().doubled_at_most == (PEOPLE if taken else 0)
    assert_nobody_is_lost(breach, copies)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(3))
def test_random_faults_at_random_stages_lose_nobody(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    stages = ["connect", "ehlo", "mail", "rcpt", "data", "body", "dot"]
    answers = [CLOSES, STALLS, UNCLEAR, LATER, NEVER, CLOSING]
    with FaultyRelay(pieces=dice.choice(list(Pieces)), lenient=dice.random() < 0.5) as relay:
        relay.faults = [
            Fault(dice.choice(stages), dice.choice(answers), dice.randint(1, 4), dice.randrange(500))
            for _ in range(60)
        ]
        breach = sending(tmp_path, relay.port, people=600)
        live_to_the_end(breach, timeouts=QUICK)
    assert relay.hits > 50
    assert all(code is None or 200 <= code < 600 for _, _, code in kinds(breach))
    unreachable = breach.account().unreachable
    assert set(unreachable) <= {Why.REFUSED, Why.NO_ANSWER}
    assert_nobody_is_lost(breach, relay.copies, unreachable=unreachable)
