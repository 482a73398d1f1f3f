"""The ledger's own rules: what follows from an outcome, and that the sum holds whatever happens."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlmodel import Session, col, func, select

from incident.delivery.ledger import (
    GIVE_UP_AFTER,
    MOST_STRIKES,
    Due,
    Settled,
    due_deliveries,
    judge,
    next_due_at,
    open_deliveries,
    take_over,
    unsendable,
    write_intent,
    write_outcomes,
)
from incident.delivery.receipts import NewReceipt, VerifiedBy, put_receipts
from incident.delivery.states import IN_PROGRESS, OF_A_RETURN, SETTLED, Addressee, DeliveryState, Rank, Why
from incident.delivery.status import account
from incident.store.tables import Attempt, Batch, Campaign, Delivery
from notifiers.outcome import Outcome, Result, Stage
from tests.support.postgres import PostgresServer, session_server
from tests.support.quick_disk import quick_folder
from tests.support.workspaces import START, Made, make_workspace, open_one, stored_bytes

RELAY = "relay.example[127.0.0.1]:25"
DUE = Due("d1", "p1", 1, Addressee.PERSON, True, 0, 0, None)
LATER = st.sampled_from([Stage.rcpt, Stage.data, Stage.reply])


def outcome(result: Result, stage: Stage, code: int | None = None, enhanced: str | None = None) -> Outcome:
    return Outcome(result, stage, code, enhanced, "said so", RELAY, tls=False)


def possible() -> st.SearchStrategy[Outcome]:
    """Every outcome that a session can come to."""
    return st.one_of(
        st.just(outcome(Result.accepted, Stage.reply, 250, "2.0.0")),
        st.builds(outcome, st.just(Result.temporary), LATER, st.just(451), st.sampled_from([None, "4.2.0"])),
        st.builds(
            outcome,
            st.just(Result.permanent),
            st.sampled_from([Stage.mail, Stage.rcpt, Stage.data, Stage.reply]),
            st.just(550),
            st.sampled_from([None, "5.1.1", "5.7.1"]),
        ),
        st.builds(outcome, st.just(Result.not_sent), st.sampled_from(list(Stage)[:-1])),
        st.just(outcome(Result.ambiguous, Stage.after_dot)),
    )


# -- judge ---------------------------------------------------------------------------------------------


def test_accepted_is_settled() -> None:
    settled = judge(DUE, outcome(Result.accepted, Stage.reply, 250), now=START)
    assert (settled.state, settled.next_at) == (DeliveryState.ACCEPTED, None)


@pytest.mark.parametrize("stage", [Stage.rcpt, Stage.reply])
def test_a_refusal_of_the_recipient_is_unreachable_at_once(stage: Stage) -> None:
    settled = judge(DUE, outcome(Result.permanent, stage, 550, "5.1.1"), now=START)
    assert (settled.state, settled.why) == (DeliveryState.UNREACHABLE, Why.REFUSED)


def test_a_policy_refusal_is_tried_again_and_at_last_blocked_not_refused() -> None:
    policy = outcome(Result.permanent, Stage.rcpt, 550, "5.7.1")
    due, pauses, now = DUE, [], START
    while (settled := judge(due, policy, now=now)).state is DeliveryState.PENDING:
        assert settled.next_at is not None
        pauses.append(settled.next_at - now)
        due = replace(due, strikes=settled.strikes, attempts=due.attempts + 1)
    assert (settled.state, settled.why) == (DeliveryState.UNREACHABLE, Why.BLOCKED)
    assert len(pauses) == MOST_STRIKES - 1 and pauses == sorted(pauses)
    assert sum(pauses, timedelta()) > timedelta(hours=1)


@given(
    st.sampled_from([Stage.connect, Stage.tls, Stage.auth, Stage.mail]),
    st.sampled_from([Result.not_sent, Result.temporary, Result.permanent]),
    st.integers(0, 400),
)
def test_what_would_meet_everybody_burns_nobody(stage: Stage, result: Result, attempts: int) -> None:
    due = replace(DUE, attempts=attempts, strikes=MOST_STRIKES - 1)
    settled = judge(due, outcome(result, stage, 530 if result is Result.permanent else None), now=START)
    assert (settled.state, settled.strikes) == (DeliveryState.PENDING, due.strikes)
    assert settled.next_at is not None
    assert timedelta(0) < settled.next_at - START <= timedelta(hours=1)


@given(possible(), st.integers(0, MOST_STRIKES + 3), st.integers(0, 30))
def test_every_outcome_settles_a_person_with_a_reason_or_gives_a_next_time(
    one: Outcome, strikes: int, attempts: int
) -> None:
    settled = judge(replace(DUE, strikes=strikes, attempts=attempts), one, now=START)
    if settled.state in SETTLED:
        assert settled.next_at is None
        assert (settled.why is Why.NONE) is (settled.state is DeliveryState.ACCEPTED)
    else:
        assert settled.state in IN_PROGRESS and settled.next_at is not None and settled.next_at > START
    assert settled.strikes in (strikes, strikes + 1)


BROKEN_OFF = outcome(Result.not_sent, Stage.data)
CLOSES_THE_SERVICE = outcome(Result.temporary, Stage.rcpt, 421, "4.3.2")
SAYS_NO_TO_US = outcome(Result.permanent, Stage.mail, 530)


@pytest.mark.parametrize("one", [BROKEN_OFF, CLOSES_THE_SERVICE, SAYS_NO_TO_US])
def test_what_says_nothing_of_the_recipient_is_given_up_after_days_and_not_before(one: Outcome) -> None:
    due, now = replace(DUE, first_intent_at=START), START
    while (settled := judge(due, one, now=now)).state is DeliveryState.PENDING:
        assert settled.next_at is not None and settled.strikes == 0
        due, now = replace(due, attempts=due.attempts + 1), settled.next_at
    assert (settled.state, settled.why) == (DeliveryState.UNREACHABLE, Why.NO_ANSWER)
    assert GIVE_UP_AFTER <= now - START < GIVE_UP_AFTER + timedelta(hours=1)


def test_nobody_is_given_up_for_being_held_back_by_ourselves() -> None:
    due = replace(DUE, first_intent_at=START, attempts=2000)
    ours = replace(outcome(Result.not_sent, Stage.connect), held_back=True)
    settled = judge(due, ours, now=START + timedelta(days=30))
    assert (settled.state, settled.strikes) == (DeliveryState.PENDING, 0)


def test_a_clock_that_jumps_ahead_by_weeks_gives_nobody_up() -> None:
    due = replace(DUE, first_intent_at=START, attempts=2)
    settled = judge(due, BROKEN_OFF, now=START + timedelta(weeks=3))
    assert settled.state is DeliveryState.PENDING


# -- every delivery ends ------------------------------------------------------------------------------

_MOST_TRIES_OF_AN_OUTAGE = 1500


@given(st.lists(possible(), min_size=1, max_size=12), st.lists(st.integers(0, 11), max_size=40))
def test_every_delivery_ends_whatever_the_relay_answers_for_ever(
    answers: list[Outcome], order: list[int]
) -> None:
    """The answers come in any order first, then one after the other again and again: also always the same one."""
    due, now = DUE, START
    for number in range(_MOST_TRIES_OF_AN_OUTAGE):
        which = order[number] if number < len(order) else number
        settled = judge(due, answers[which % len(answers)], now=now)
        if settled.state in SETTLED:
            return
        assert settled.next_at is not None
        due = replace(
            due,
            first_intent_at=due.first_intent_at or now,
            strikes=settled.strikes,
            attempts=due.attempts + 1,
        )
        now = settled.next_at
    raise AssertionError(f"still tried after {now - START}")


# -- the sum, with any order of events --------------------------------------------------------------


class Ledger:
    """A campaign of one batch in a store of its own, without people: the ledger never looks at them."""

    def __init__(self, made: Made, rows: list[tuple[bool, bool]]) -> None:
        self.made = made
        self.key = made.store.key(open_one(made))
        self.now = START
        self.expected = sum(principal for principal, _ in rows)
        unreachable = sum(principal and not has_mail for principal, has_mail in rows)
        with self.transaction() as session:
            session.add(
                Campaign(
                    id="c",
                    incident_id="INC-2026-0001",
                    notice_id="n",
                    state="sending",
                    expected=self.expected,
                    opened_at=START,
                    opened_by="ana",
                )
            )
            session.add(
                Batch(
                    id="b",
                    campaign_id="c",
                    incident_id="INC-2026-0001",
                    seq=1,
                    pending=self.expected - unreachable,
                    accepted=0,
                    unreachable=unreachable,
                )
            )
            for number, (principal, has_mail) in enumerate(rows):
                session.add(
                    Delivery(
                        id=f"d{number:03d}",
                        batch_id="b",
                        incident_id="INC-2026-0001",
                        person_id=f"p{number}",
                        person_version=1,
                        addressee=Addressee.PERSON,
                        principal=principal,
                        channel="email",
                        state=DeliveryState.PENDING if has_mail else DeliveryState.UNREACHABLE,
                        reason=Why.NONE if has_mail else Why.NO_EMAIL,
                        attempts=0,
                        strikes=0,
                        code_mac=b"",
                    )
                )

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with self.made.store.transaction() as session:
            yield session

    def due(self, limit: int) -> list[Due]:
        with self.transaction() as session:
            due = due_deliveries(session, "b", now=self.now, limit=limit)
            write_intent(session, due, incident_id="INC-2026-0001", job_attempt=1, now=self.now)
        return due

    def settle(self, settled: list[Settled]) -> None:
        with self.transaction() as session:
            batch = session.get(Batch, "b")
            assert batch is not None
            write_outcomes(session, batch, settled, key=self.key, now=self.now)

    def die(self) -> int:
        with self.transaction() as session:
            return take_over(session, "b", now=self.now)

    def close(self) -> None:
        self.made.store.close()


class AnyOrderOfEvents(RuleBasedStateMachine):
    """Groups are sent, some with outcomes, some lost to a kill; the account adds up at every moment."""

    on: ClassVar[Callable[[], PostgresServer | None]] = staticmethod(lambda: None)

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=quick_folder())
        self.open: list[Due] = []
        self.kills = 0

    @initialize(rows=st.lists(st.tuples(st.sampled_from([True, True, False]), st.booleans()), max_size=12))
    def begin(self, rows: list[tuple[bool, bool]]) -> None:
        self.ledger = Ledger(make_workspace(Path(self.folder.name), on=type(self).on()), rows)

    @rule(limit=st.integers(1, 5))
    def intend(self, limit: int) -> None:
        if not self.open:
            self.open = self.ledger.due(limit)

    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        settled = []
        for due in self.open:
            one = data.draw(st.one_of(possible(), st.none()))
            settled.append(
                unsendable(due, Why.BAD_ADDRESS) if one is None else judge(due, one, now=self.ledger.now)
            )
        self.ledger.settle(settled)
        self.open = []

    @rule()
    def kill(self) -> None:
        assert self.ledger.die() == len(self.open)
        self.kills += len(self.open)
        self.open = []

    @rule(
        number=st.integers(0, 11),
        rank=st.sampled_from(list(Rank)),
        why=st.sampled_from(OF_A_RETURN),
        event=st.sampled_from("ab"),
    )
    def receive(self, number: int, rank: Rank, why: Why, event: str) -> None:
        store, returned = self.ledger.made.store, rank is Rank.RETURNED
        with store.read() as session:
            if session.get(Delivery, f"d{number:03d}") is None:
                return
        receipt = NewReceipt(
            f"d{number:03d}",
            "email",
            f"{number}{event}",
            "failed" if returned else "delivered",
            rank,
            why if returned else Why.NONE,
            None,
            VerifiedBy.RETURN_PATH,
            "",
            {},
        )
        with store.write(
            "INC-2026-0001", kind="receipts.taken", actor="engine", now=self.ledger.now
        ) as change:
            put_receipts(change, "INC-2026-0001", [receipt])

    @rule(minutes=st.integers(1, 300))
    def wait(self, minutes: int) -> None:
        self.ledger.now += timedelta(minutes=minutes)

    @invariant()
    def expected_is_accepted_and_in_progress_and_unreachable(self) -> None:
        if not hasattr(self, "ledger"):
            return
        with self.ledger.made.store.read() as session:
            campaign = session.get(Campaign, "c")
            assert campaign is not None
            now = account(session, campaign)
            states: list[tuple[str, int]] = list(
                session.exec(
                    select(Delivery.state, func.count())
                    .where(col(Delivery.principal).is_(True))
                    .group_by(Delivery.state)
                ).all()
            )
            open_attempts = session.exec(
                select(func.count()).select_from(Attempt).where(col(Attempt.outcome_at).is_(None))
            ).one()
            waiting = open_deliveries(session, "b")
            next_at = next_due_at(session, "b")
            batch = session.get(Batch, "b")
            ranks = Counter(
                session.exec(select(Delivery.rank).where(col(Delivery.principal).is_(True))).all()
            )
        counts = dict(states)
        assert batch is not None
        assert batch.returned == ranks[Rank.RETURNED]
        assert batch.delivered == sum(count for rank, count in ranks.items() if rank >= Rank.DELIVERED)
        assert now.adds_up and now.expected == self.ledger.expected
        assert now.accepted == counts.get(DeliveryState.ACCEPTED, 0)
        assert now.unreachable_total == counts.get(DeliveryState.UNREACHABLE, 0)
        assert all(why is not Why.NONE for why in now.unreachable)
        assert open_attempts == len(self.open)
        assert now.doubled_at_most >= self.kills
        assert waiting or next_at is None

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()
        self.folder.cleanup()


class AnyOrderOfEventsInPostgres(AnyOrderOfEvents):
    on = staticmethod(session_server)


TestTheSumHolds = AnyOrderOfEvents.TestCase
TestTheSumHolds.settings = settings(
    max_examples=25, stateful_step_count=15, suppress_health_check=list(HealthCheck)
)
TestTheSumHoldsInPostgres = AnyOrderOfEventsInPostgres.TestCase
TestTheSumHoldsInPostgres.settings = settings(
    max_examples=8, stateful_step_count=15, suppress_health_check=list(HealthCheck)
)


# -- single statements ------------------------------------------------------------------------------


@pytest.fixture
def ledger_of(tmp_path: Path, store_on: PostgresServer | None) -> Callable[[int], Ledger]:
    return lambda count: Ledger(make_workspace(tmp_path, on=store_on), [(True, True)] * count)


def test_an_intent_without_outcome_is_ambiguous_and_the_mail_due_again_with_its_first_date(
    ledger_of: Callable[[int], Ledger],
) -> None:
    ledger = ledger_of(3)
    first = ledger.due(2)
    ledger.now += timedelta(minutes=3)
    assert ledger.die() == 2
    again = ledger.due(5)
    assert [each.first_intent_at for each in again] == [START, START, None]
    assert [each.strikes for each in again] == [1, 1, 0]
    assert {each.id for each in first} < {each.id for each in again}
    with ledger.made.store.read() as session:
        attempt = session.get(Attempt, (first[0].id, 1))
        assert attempt is not None
        assert (attempt.result, attempt.outcome_at) == (Result.ambiguous, ledger.now)


def test_an_attempt_that_has_its_outcome_is_never_changed_again(ledger_of: Callable[[int], Ledger]) -> None:
    ledger = ledger_of(1)
    [due] = ledger.due(1)
    ledger.settle([judge(due, outcome(Result.accepted, Stage.reply, 250), now=ledger.now)])
    before = attempt_of(ledger, due.id)
    ledger.settle([judge(due, outcome(Result.permanent, Stage.rcpt, 550, "5.1.1"), now=ledger.now)])
    assert attempt_of(ledger, due.id) == before


def attempt_of(ledger: Ledger, delivery_id: str) -> dict[str, Any]:
    with ledger.made.store.read() as session:
        row = session.get(Attempt, (delivery_id, 1))
        assert row is not None
        return row.model_dump()


def test_nobody_is_due_before_their_time(ledger_of: Callable[[int], Ledger]) -> None:
    ledger = ledger_of(1)
    [due] = ledger.due(1)
    settled = judge(due, outcome(Result.temporary, Stage.rcpt, 450, "4.2.0"), now=ledger.now)
    ledger.settle([settled])
    assert ledger.due(1) == []
    assert settled.next_at is not None
    ledger.now = settled.next_at
    assert [each.id for each in ledger.due(1)] == [due.id]


def test_who_was_put_off_by_a_clock_that_was_ahead_is_due_when_it_is_set_right(
    ledger_of: Callable[[int], Ledger],
) -> None:
    ledger = ledger_of(1)
    [due] = ledger.due(1)
    ledger.settle([judge(due, outcome(Result.temporary, Stage.rcpt, 450, "4.2.0"), now=ledger.now)])
    ledger.now -= timedelta(hours=1)
    [again] = ledger.due(1)
    settled = judge(again, outcome(Result.temporary, Stage.rcpt, 450, "4.2.0"), now=ledger.now)
    ledger.settle([settled])
    assert ledger.due(1) == [], "from now on the pause is one by the right clock"
    assert settled.next_at is not None
    ledger.now = settled.next_at
    assert [each.attempts for each in ledger.due(1)] == [2]


def test_the_date_is_the_first_intent_s_also_when_the_clock_was_set_back_between_two_kills(
    ledger_of: Callable[[int], Ledger],
) -> None:
    ledger = ledger_of(1)
    for _ in range(3):
        ledger.due(1)
        ledger.now -= timedelta(hours=1)
        assert ledger.die() == 1
    assert [each.first_intent_at for each in ledger.due(1)] == [START]


def test_the_other_side_s_words_are_sealed(ledger_of: Callable[[int], Ledger]) -> None:
    ledger = ledger_of(1)
    [due] = ledger.due(1)
    words = replace(outcome(Result.permanent, Stage.rcpt, 550, "5.1.1"), text="<ann@example.org> unknown")
    ledger.settle([judge(due, words, now=datetime.fromisoformat("2026-11-23T10:00:00+00:00"))])
    assert b"ann@example.org" not in stored_bytes(ledger.made)
