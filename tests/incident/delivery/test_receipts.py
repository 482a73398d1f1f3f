"""What comes back later: late, twice, in any order, before its own outcome, or about what was doubtful."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from incident.delivery.ledger import Due, judge
from incident.delivery.ledger_root import ledger_root
from incident.delivery.receipts import (
    NewReceipt,
    Proved,
    Taken,
    VerifiedBy,
    proved_by,
    put_receipts,
    standing,
)
from incident.delivery.states import OF_A_RETURN, DeliveryState, Rank, Why
from incident.proof.verify import verify
from incident.store.change import open_row
from incident.store.tables import Batch, Campaign, Delivery, Receipt
from notifiers.outcome import Outcome, Result, Stage
from tests.incident.delivery.test_ledger import RELAY, Ledger
from tests.support.postgres import PostgresServer
from tests.support.workspaces import make_workspace

INCIDENT = "INC-2026-0001"
ACCEPTED = Outcome(Result.accepted, Stage.reply, 250, "2.0.0", "queued as 4X", RELAY, tls=False)
REFUSED = Outcome(Result.permanent, Stage.rcpt, 550, "5.1.1", "no such user", RELAY, tls=False)
LATER = Outcome(Result.temporary, Stage.rcpt, 451, "4.2.0", "later", RELAY, tls=False)
NO_REPLY = Outcome(Result.ambiguous, Stage.after_dot, None, None, "closed", RELAY, tls=False)

one_receipt = st.one_of(
    st.tuples(
        st.sampled_from([Rank.NOTHING, Rank.HANDED_ON, Rank.DELIVERED, Rank.DISPLAYED]),
        st.just(""),
        st.just("email"),
    ),
    st.tuples(
        st.just(Rank.RETURNED), st.sampled_from([each.value for each in OF_A_RETURN]), st.just("email")
    ),
)
settled_by_attempts = st.sampled_from(
    [
        (DeliveryState.ACCEPTED, Why.NONE),
        (DeliveryState.PENDING, Why.NONE),
        (DeliveryState.UNREACHABLE, Why.NO_ANSWER),
        (DeliveryState.UNREACHABLE, Why.BAD_ADDRESS),
        (DeliveryState.UNREACHABLE, Why.REFUSED),
        (DeliveryState.UNREACHABLE, Why.REPLACED),
    ]
)


# -- what follows ---------------------------------------------------------------------------------------


@given(settled_by_attempts, st.lists(one_receipt, max_size=6), st.randoms(use_true_random=False))
def test_receipts_lead_to_the_same_in_whatever_order_and_however_often_they_come(
    before: tuple[DeliveryState, Why], receipts: list[tuple[Rank, str, str]], random: object
) -> None:
    at_once = standing(*before, proved_by(receipts, "email"))
    doubled = receipts + receipts
    random.shuffle(doubled)  # type: ignore[attr-defined]
    now = before
    for many in range(1, len(doubled) + 1):
        now = standing(*now, proved_by(doubled[:many], "email"))
    assert now == at_once


@given(st.lists(one_receipt))
def test_a_rank_never_falls(receipts: list[tuple[Rank, str, str]]) -> None:
    ranks = [proved_by(receipts[:many], "email").rank for many in range(len(receipts) + 1)]
    assert ranks == sorted(ranks)


def test_a_return_takes_back_that_it_was_accepted_and_a_delivery_outweighs_the_return() -> None:
    returned = proved_by([(Rank.RETURNED, "returned", "email")], "email")
    assert standing(DeliveryState.ACCEPTED, Why.NONE, returned) == (DeliveryState.UNREACHABLE, Why.RETURNED)
    both = proved_by([(Rank.DELIVERED, "", "email"), (Rank.RETURNED, "returned", "email")], "email")
    assert standing(DeliveryState.UNREACHABLE, Why.RETURNED, both) == (DeliveryState.ACCEPTED, Why.NONE)


def test_of_several_returns_the_most_telling_reason_stays() -> None:
    receipts = [(2, "blocked", "email"), (2, "bad_address", "email"), (2, "returned", "email")]
    assert proved_by(receipts, "email") == Proved(Rank.RETURNED, Why.BAD_ADDRESS)


def test_what_came_back_of_one_attempt_hides_no_bad_number_that_another_one_found() -> None:
    not_answered = proved_by([(Rank.RETURNED, "no_answer", "phone")], "phone")
    by_an_agent = (DeliveryState.UNREACHABLE, Why.BAD_ADDRESS)
    assert standing(*by_an_agent, not_answered) == by_an_agent
    wrong_number = proved_by([(Rank.RETURNED, "bad_address", "phone")], "phone")
    assert standing(DeliveryState.UNREACHABLE, Why.NO_ANSWER, wrong_number) == by_an_agent


def test_what_is_being_sent_stays_so_until_its_outcome_is_known() -> None:
    for rank in Rank:
        assert standing(DeliveryState.SENDING, Why.NONE, Proved(rank, Why.NONE))[0] is DeliveryState.SENDING


# -- in the ledger --------------------------------------------------------------------------------------


@pytest.fixture
def ledger(tmp_path: Path, store_on: PostgresServer | None) -> Ledger:
    return Ledger(make_workspace(tmp_path, on=store_on), [(True, True)] * 3)


def about(due: Due, rank: Rank, why: Why = Why.NONE, *, event: str = "e1", kind: str = "") -> NewReceipt:
    return NewReceipt(
        due.id,
        "email",
        f"{due.id} {event}",
        kind or ("failed" if rank is Rank.RETURNED else "delivered"),
        rank,
        why,
        "5.1.1",
        VerifiedBy.RETURN_PATH,
        "0" * 64,
        {"words": f"said of {due.id}"},
    )


def returned(due: Due, *, event: str = "e1") -> NewReceipt:
    return about(due, Rank.RETURNED, Why.BAD_ADDRESS, event=event)


def take(ledger: Ledger, *receipts: NewReceipt) -> Taken:
    store = ledger.made.store
    with store.write(INCIDENT, kind="receipts.taken", actor="engine", now=ledger.now) as change:
        return put_receipts(change, INCIDENT, receipts)


def stands(ledger: Ledger, due: Due) -> tuple[str, str, int]:
    with ledger.made.store.read() as session:
        row = session.get(Delivery, due.id)
        assert row is not None
        assert (row.settled_at is None) == (row.state in ("pending", "sending"))
        return row.state, row.reason, row.rank


def counters(ledger: Ledger) -> dict[str, int]:
    with ledger.made.store.read() as session:
        row = session.get(Batch, "b")
        assert row is not None
        names = ("pending", "accepted", "unreachable", "delivered", "returned", "complaints")
        return {name: getattr(row, name) for name in names if getattr(row, name)}


def settle(ledger: Ledger, due: Due, outcome: Outcome) -> None:
    ledger.settle([judge(due, outcome, now=ledger.now)])


def test_a_bounce_moves_a_person_from_told_to_unreached_with_the_reason(ledger: Ledger) -> None:
    [due] = ledger.due(1)
    settle(ledger, due, ACCEPTED)
    ledger.now += timedelta(hours=1)
    assert take(ledger, returned(due)) == Taken(new=1, changed=1)
    assert stands(ledger, due) == ("unreachable", "bad_address", Rank.RETURNED)
    assert counters(ledger) == {"pending": 2, "unreachable": 1, "returned": 1}


def test_the_same_receipt_has_no_second_effect(ledger: Ledger) -> None:
    [due] = ledger.due(1)
    settle(ledger, due, ACCEPTED)
    take(ledger, returned(due))
    before = counters(ledger)
    assert take(ledger, returned(due), returned(due)) == Taken(known=2)
    assert counters(ledger) == before


def test_a_receipt_that_comes_before_its_own_outcome_counts_once_that_is_known(ledger: Ledger) -> None:
    first, second = ledger.due(2)
    assert take(ledger, returned(first), about(second, Rank.DELIVERED)).new == 2
    assert stands(ledger, first)[0] == stands(ledger, second)[0] == "sending"
    ledger.settle([judge(first, ACCEPTED, now=ledger.now), judge(second, NO_REPLY, now=ledger.now)])
    assert stands(ledger, first) == ("unreachable", "bad_address", Rank.RETURNED)
    assert stands(ledger, second) == ("accepted", "", Rank.DELIVERED)
    assert counters(ledger) == {"pending": 1, "accepted": 1, "unreachable": 1, "delivered": 1, "returned": 1}


@pytest.mark.parametrize(
    ("rank", "why", "then"),
    [
        (Rank.DELIVERED, Why.NONE, ("accepted", "")),
        (Rank.HANDED_ON, Why.NONE, ("accepted", "")),
        (Rank.RETURNED, Why.RETURNED, ("unreachable", "returned")),
    ],
)
def test_a_receipt_settles_what_was_ambiguous_and_it_is_not_sent_again(
    ledger: Ledger, rank: Rank, why: Why, then: tuple[str, str]
) -> None:
    [due] = ledger.due(1)
    settle(ledger, due, NO_REPLY)
    assert stands(ledger, due)[0] == "pending"
    take(ledger, about(due, rank, why))
    assert stands(ledger, due) == (*then, rank)
    ledger.now += timedelta(days=1)
    assert due.id not in {each.id for each in ledger.due(5)}


def test_a_receipt_that_came_while_a_worker_died_is_not_sent_again_either(ledger: Ledger) -> None:
    [due] = ledger.due(1)
    take(ledger, about(due, Rank.DELIVERED))
    assert ledger.die() == 1
    assert stands(ledger, due) == ("accepted", "", Rank.DELIVERED)
    assert counters(ledger) == {"pending": 2, "accepted": 1, "delivered": 1}


def test_nobody_is_silenced_by_a_receipt_for_what_was_never_sent(ledger: Ledger) -> None:
    [due] = ledger.due(1)
    settle(ledger, due, LATER)
    never = Due("d002", "p2", 1, "person", True, 0, 0, None)
    assert take(ledger, returned(due), returned(never)) == Taken(new=2)
    assert stands(ledger, due) == stands(ledger, never) == ("pending", "", 0)
    ledger.now += timedelta(hours=1)
    for each in ledger.due(3):
        settle(ledger, each, ACCEPTED)
    assert stands(ledger, due) == stands(ledger, never) == ("accepted", "", 0)


def test_a_receipt_contradicts_no_refusal_of_the_relay(ledger: Ledger) -> None:
    [due] = ledger.due(1)
    settle(ledger, due, REFUSED)
    take(ledger, about(due, Rank.DELIVERED))
    assert stands(ledger, due) == ("unreachable", "refused", 0)


def test_a_complaint_is_counted_and_shows_that_it_arrived(ledger: Ledger) -> None:
    [due] = ledger.due(1)
    settle(ledger, due, ACCEPTED)
    take(ledger, about(due, Rank.DELIVERED, kind="complaint"))
    assert counters(ledger) == {"pending": 2, "accepted": 1, "delivered": 1, "complaints": 1}


def test_who_complains_again_and_again_counts_once(ledger: Ledger) -> None:
    """One mailbox that sends a thousand complaints must not stop a sending to everybody."""
    first, second = ledger.due(2)
    ledger.settle([judge(each, ACCEPTED, now=ledger.now) for each in (first, second)])
    for number in range(3):
        take(
            ledger,
            about(first, Rank.DELIVERED, kind="complaint", event=f"a{number}"),
            about(first, Rank.DELIVERED, kind="complaint", event=f"b{number}"),
        )
    assert counters(ledger)["complaints"] == 1
    take(ledger, about(second, Rank.DELIVERED, kind="complaint"))
    assert counters(ledger)["complaints"] == 2


def test_the_other_sides_words_are_sealed(ledger: Ledger) -> None:
    [due] = ledger.due(1)
    take(ledger, returned(due))
    with ledger.made.store.read() as session:
        [row] = session.exec(select(Receipt)).all()
        assert b"said of" not in row.sealed
        assert open_row(row, key=ledger.key) == {"words": f"said of {due.id}"}


def test_whoever_shares_the_message_stands_where_its_receipt_proves(ledger: Ledger) -> None:
    with ledger.transaction() as session:
        for row in session.exec(select(Delivery)).all():
            if row.id == "d000":
                row.shared = 2
            else:
                row.leader_id = "d000"
    [due] = ledger.due(1)
    settle(ledger, due, ACCEPTED)
    take(ledger, returned(due))
    for number in range(3):
        member = Due(f"d00{number}", "p", 1, "person", True, 0, 0, None)
        assert stands(ledger, member) == ("unreachable", "bad_address", Rank.RETURNED)
    assert counters(ledger) == {"unreachable": 3, "returned": 3}


def test_after_the_end_the_ledgers_roots_are_journalled_anew(ledger: Ledger) -> None:
    store = ledger.made.store
    for due in ledger.due(3):
        settle(ledger, due, ACCEPTED)
    with store.write(INCIDENT, kind="campaign.ended", actor="engine", now=ledger.now) as change:
        campaign = change.session.get(Campaign, "c")
        assert campaign is not None
        campaign.state = "ended"
        change.put(campaign)
        change.note(ledger_roots={"b": ledger_root(change.session, "b")})
    assert _no_doubt_about_the_ledger(ledger)
    take(ledger, returned(due))
    assert _no_doubt_about_the_ledger(ledger)
    with ledger.transaction() as session:
        receipt = session.exec(select(Receipt)).one()
        receipt.status = "5.7.1"
    assert not _no_doubt_about_the_ledger(ledger)


def _no_doubt_about_the_ledger(ledger: Ledger) -> bool:
    return not any("batch b" in each.detail for each in verify(ledger.made.store, chains=[INCIDENT]).findings)
