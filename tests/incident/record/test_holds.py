"""Holds: who asks, until when, who carries the risk; they stand until a person lifts them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from incident.durable import brake_names
from incident.errors import BadInput, NotFound, Refused
from incident.record import holds as holding
from incident.record.holds import (
    Cover,
    HeldBack,
    HoldState,
    accept_hold,
    extend_hold,
    held,
    hold_brake,
    must_not_be_held,
    read_covers,
)
from incident.record.incidents import close_incident
from incident.record.operators import Role, retire_operator
from incident.store.tables import Hold
from tests.support.at_once import at_once
from tests.support.breaches import Breach, make_breach
from tests.support.holds import ALL, accept, extend, hold, holds, lift
from tests.support.journals import sound
from tests.support.postgres import PostgresServer
from tests.support.workspaces import all_rows, make_signer, open_one


@pytest.fixture
def breach(tmp_path: Path) -> Breach:
    return make_breach(tmp_path)


def brakes(breach: Breach) -> set[str]:
    with breach.made.store.read() as session:
        return set(brake_names(session))


def is_held(breach: Breach, cover: Cover) -> bool:
    with breach.made.store.read() as session:
        row = held(session, breach.id, cover)
        assert holding.is_held(session, breach.id, cover) == (row is not None)
    return row is not None


def test_a_hold_stands_at_once_with_what_was_said_and_the_duties_that_it_conflicts_with(
    breach: Breach,
) -> None:
    label = hold(
        breach, Cover.PEOPLE, Cover.CHAT, officer="Li", paper="No. 17", reason="they watch the suspect"
    )
    line = holds(breach)[label]
    assert (line.label, line.by, line.officer, line.paper) == ("H1", "police", "Li", "No. 17")
    assert line.covers == (Cover.PEOPLE, Cover.CHAT)
    assert line.accepted_by == () and line.stands
    assert {(each.duty, each.article) for each in line.conflicts} >= {
        ("cn-pipl-57/people", "第五十七条第一款"),
        ("eu-gdpr/people", "Art. 34(1)"),
    }
    assert brakes(breach) == {hold_brake(breach.id, Cover.PEOPLE), hold_brake(breach.id, Cover.CHAT)}
    assert {cover for cover in Cover if is_held(breach, cover)} == {Cover.PEOPLE, Cover.CHAT}


def test_silence_in_chats_alone_conflicts_with_no_duty(breach: Breach) -> None:
    label = hold(breach, Cover.CHAT, Cover.CALENDAR)
    assert holds(breach)[label].conflicts == ()


def test_a_hold_of_one_incident_holds_nothing_of_another(breach: Breach) -> None:
    other = open_one(breach.made)
    hold(breach)
    with breach.made.store.read() as session:
        assert held(session, other, Cover.PEOPLE) is None
        must_not_be_held(session, breach.made.store, other, Cover.PEOPLE)


def test_what_is_refused_names_the_hold_and_who_asked_for_it(breach: Breach) -> None:
    hold(breach, by="public security")
    with (
        breach.made.store.read() as session,
        pytest.raises(HeldBack, match="H1, asked for by public security, holds back public pages") as told,
    ):
        must_not_be_held(session, breach.made.store, breach.id, "public")
    assert told.value.label == "H1"


def test_a_hold_whose_time_is_over_goes_on_standing(breach: Breach) -> None:
    label = hold(breach, hours=1)
    breach.made.clock.move(hours=30)
    line = holds(breach)[label]
    assert line.state_at(breach.made.clock()) is HoldState.ENDED and line.stands
    assert all(is_held(breach, cover) for cover in Cover)


def test_whoever_accepts_the_risk_signs_for_exactly_this_hold(breach: Breach) -> None:
    label = hold(breach)
    accept(breach, label, name="bo")
    accept(breach, label, name="cy")
    assert holds(breach)[label].accepted_by == ("bo", "cy")
    extend(breach, label, hours=72)
    assert holds(breach)[label].accepted_by == (), "the risk of a longer hold was accepted by nobody"
    accept(breach, label, name="cy")
    assert holds(breach)[label].accepted_by == ("cy",)


def test_an_acceptance_stays_when_the_operator_retires_and_when_the_hold_is_lifted(breach: Breach) -> None:
    label = hold(breach)
    accept(breach, label, name="bo")
    breach.made.clock.move(minutes=1)
    retire_operator(breach.made.store, "bo", actor="ana", now=breach.made.clock())
    lift(breach, label, name="cy")
    line = holds(breach)[label]
    assert line.accepted_by == ("bo",)
    assert line.state_at(breach.made.clock()) is HoldState.LIFTED
    assert line.lifted_why == "the police agreed"


def test_counsel_and_approvers_answer_for_a_hold_and_nobody_else(breach: Breach) -> None:
    label = hold(breach)
    breach.signers["law"] = make_signer(breach.made, "law", roles=[Role.COUNSEL])
    breach.signers["ed"] = make_signer(breach.made, "ed", roles=[Role.RESPONDER, Role.AUDITOR])
    breach.signers["sim"] = make_signer(breach.made, "sim", simulated=True)
    accept(breach, label, name="law")
    before = all_rows(breach.made.store)
    for name in ("ed", "sim"):
        with pytest.raises(Refused):
            accept(breach, label, name=name)
        with pytest.raises(Refused):
            lift(breach, label, name=name)
    assert all_rows(breach.made.store) == before
    assert lift(breach, label, name="law") == ALL


def test_lifting_frees_only_what_no_other_hold_covers(breach: Breach) -> None:
    first, second = hold(breach, Cover.PEOPLE, Cover.CHAT), hold(breach, Cover.PEOPLE, by="counsel")
    assert lift(breach, first) == (Cover.CHAT,)
    assert brakes(breach) == {hold_brake(breach.id, Cover.PEOPLE)}
    assert is_held(breach, Cover.PEOPLE)
    assert lift(breach, second) == (Cover.PEOPLE,)
    assert brakes(breach) == set()


def test_lifting_twice_is_refused_and_changes_nothing(breach: Breach) -> None:
    label = hold(breach)
    lift(breach, label)
    before = all_rows(breach.made.store)
    for again in (lambda: lift(breach, label), lambda: extend(breach, label, hours=9)):
        with pytest.raises(Refused, match="H1 was lifted already"):
            again()
    with pytest.raises(Refused, match="lifted already"):
        accept(breach, label)
    assert all_rows(breach.made.store) == before


def test_of_two_who_lift_at_once_one_is_refused(tmp_path: Path, store_on: PostgresServer | None) -> None:
    breach = make_breach(tmp_path, on=store_on)
    label = hold(breach)
    outcomes = at_once(*(lambda who=name: lift(breach, label, name=who) for name in ("bo", "cy", "di")))
    assert sorted(type(each).__name__ for each in outcomes) == ["Refused", "Refused", "tuple"]
    assert brakes(breach) == set()
    assert sound(breach.made.store)


def test_holds_placed_at_once_are_numbered_in_turn_and_each_holds(
    tmp_path: Path, store_on: PostgresServer | None
) -> None:
    breach = make_breach(tmp_path, on=store_on)
    labels = at_once(*(lambda: hold(breach, Cover.PEOPLE) for _ in range(3)))
    assert sorted(map(str, labels)) == ["H1", "H2", "H3"]
    for label in ("H1", "H2", "H3"):
        assert is_held(breach, Cover.PEOPLE)
        lift(breach, label)
    assert not is_held(breach, Cover.PEOPLE)


def test_of_a_lift_and_an_extension_at_once_both_never_win(
    tmp_path: Path, store_on: PostgresServer | None
) -> None:
    breach = make_breach(tmp_path, on=store_on)
    label = hold(breach)
    outcomes = at_once(lambda: lift(breach, label) and None, lambda: extend(breach, label, hours=90))
    line = holds(breach)[label]
    assert not line.stands, outcomes
    assert brakes(breach) == set()


@pytest.mark.parametrize("hours", [0, -1])
def test_a_hold_that_ends_before_it_begins_is_no_hold(breach: Breach, hours: float) -> None:
    before = all_rows(breach.made.store)
    with pytest.raises(BadInput, match="still to come"):
        hold(breach, hours=hours)
    assert all_rows(breach.made.store) == before


def test_a_hold_ends_within_a_year(breach: Breach) -> None:
    with pytest.raises(BadInput, match="within 366 days"):
        hold(breach, hours=24 * 367)
    label = hold(breach, hours=24 * 366)
    with pytest.raises(BadInput, match="within 366 days"):
        extend(breach, label, hours=24 * 400)


def test_an_extension_must_be_one(breach: Breach) -> None:
    label = hold(breach, hours=10)
    before = all_rows(breach.made.store)
    for hours in (10, 5):
        with pytest.raises(BadInput, match="lasts until then already"):
            extend(breach, label, hours=hours)
    with pytest.raises(BadInput, match="still to come"):
        extend(breach, label, hours=-5)
    assert all_rows(breach.made.store) == before


def test_somebody_asks_for_a_hold_and_somebody_says_why_it_is_lifted(breach: Breach) -> None:
    with pytest.raises(BadInput, match="names who asks"):
        hold(breach, by="  ")
    label = hold(breach)
    with pytest.raises(BadInput, match="takes a reason"):
        lift(breach, label, reason=" ")


def test_what_is_named_wrongly_is_said(breach: Breach) -> None:
    hold(breach)
    with pytest.raises(NotFound, match="H7"):
        lift(breach, "H7")
    with pytest.raises(BadInput, match="names nothing"):
        lift(breach, "T1")
    assert lift(breach, " h1 ") == ALL


def test_a_closed_incident_takes_no_new_hold_but_one_may_be_lifted(breach: Breach) -> None:
    label = hold(breach)
    made = breach.made
    with made.store.write(breach.id, kind="incident.closed", actor="ana", now=made.clock()) as change:
        close_incident(change, breach.id, reason="over")
    with pytest.raises(Refused):
        hold(breach)
    assert lift(breach, label) == ALL


def test_words_of_covers_are_read_once_each_and_unknown_ones_named() -> None:
    assert read_covers(" Chat,people ,people") == (Cover.PEOPLE, Cover.CHAT)
    with pytest.raises(BadInput, match="fax, tv is nothing"):
        read_covers("people,tv,fax")
    with pytest.raises(BadInput, match="covers something"):
        read_covers(" , ")


def test_what_was_said_of_a_hold_lies_sealed(breach: Breach) -> None:
    hold(breach, by="Officer Zhang", paper="secret-paper-9")

    def open_cells(session: Session) -> str:
        row = session.get_one(Hold, holds(breach)["H1"].id)
        return repr({name: value for name, value in row.model_dump().items() if name != "sealed"})

    with breach.made.store.read() as session:
        shown = open_cells(session)
        assert b"secret-paper-9" not in session.get_one(Hold, holds(breach)["H1"].id).sealed
    assert "Zhang" not in shown and "secret-paper-9" not in shown


def test_the_end_may_be_given_in_any_zone_and_is_signed_as_the_same_moment(breach: Breach) -> None:
    label = hold(breach)
    until = (breach.made.clock() + timedelta(hours=60)).astimezone(breach.made.settings.zone)
    made = breach.made
    with made.store.write(breach.id, kind="hold.extended", actor="bo", now=made.clock()) as change:
        extend_hold(change, made.store, breach.id, label, until=until)
        accept_hold(change, made.store, breach.id, label, signer=breach.signers["bo"], drill=False)
    assert holds(breach)[label].accepted_by == ("bo",)


@pytest.fixture(scope="module")
def one_breach(tmp_path_factory: pytest.TempPathFactory) -> Breach:
    return make_breach(tmp_path_factory.mktemp("holds"))


@settings(max_examples=12)
@given(steps=st.lists(st.sets(st.sampled_from(ALL), min_size=1) | st.integers(0, 3), max_size=6))
def test_whatever_is_placed_and_lifted_the_brakes_are_those_of_the_holds_that_stand(
    one_breach: Breach, steps: list[set[Cover] | int]
) -> None:
    """A set of covers places a hold; a number lifts one of those that stand."""
    for step in [*steps, *range(9)]:
        standing = [each for each in holds(one_breach).values() if each.stands]
        if isinstance(step, set):
            hold(one_breach, *sorted(step))
        elif standing:
            lift(one_breach, standing[step % len(standing)].label)
        covered = {cover for each in holds(one_breach).values() if each.stands for cover in each.covers}
        assert brakes(one_breach) == {hold_brake(one_breach.id, cover) for cover in covered}
        assert {cover for cover in Cover if is_held(one_breach, cover)} == covered
    assert brakes(one_breach) == set()
