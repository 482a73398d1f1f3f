"""Orders as rows: numbered, sealed, settled once, and bound to the hold that they asked for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from incident.errors import BadInput, NotFound, Refused
from incident.ops.orders import Silence
from incident.record.holds import Cover
from incident.record.incidents import close_incident
from incident.record.instructions import OrderEffect, put_instruction, read_effect
from tests.support.at_once import at_once
from tests.support.breaches import Breach, make_breach
from tests.support.holds import hold, holds, lift, order, orders, settle
from tests.support.journals import sound
from tests.support.postgres import PostgresServer
from tests.support.workspaces import all_rows, stored_bytes


@pytest.fixture
def breach(tmp_path: Path) -> Breach:
    return make_breach(tmp_path)


def silence(breach: Breach) -> Silence:
    return Silence("police", (Cover.PEOPLE,), breach.made.clock() + timedelta(hours=24), officer="Wang")


def test_an_order_keeps_who_gave_it_when_and_its_words(breach: Breach) -> None:
    given = breach.made.clock() - timedelta(hours=2)
    label = order(
        breach, OrderEffect.REQUIRE, from_=" police ", officer="Li", text=" hand it over ", given_at=given
    )
    line = orders(breach)[label]
    assert (line.label, line.from_, line.officer, line.text) == ("I1", "police", "Li", "hand it over")
    assert (line.given_at, line.recorded_at, line.recorded_by) == (given, breach.made.clock(), "ana")
    assert line.stands and line.settled_how == ""


def test_an_order_to_be_silent_names_its_hold_and_ends_after_it(breach: Breach) -> None:
    label = order(breach, OrderEffect.HOLD, from_="police", silence=silence(breach))
    assert orders(breach)[label].hold_id == holds(breach)["H1"].id
    assert holds(breach)["H1"].officer == "Wang"
    with pytest.raises(Refused, match="H1 still stands"):
        settle(breach, label)
    lift(breach, "H1")
    settle(breach, label)
    assert not orders(breach)[label].stands


def test_a_hold_that_cannot_be_leaves_no_order_behind(breach: Breach) -> None:
    before = all_rows(breach.made.store)
    past = Silence("police", (Cover.PEOPLE,), breach.made.clock() - timedelta(hours=1))
    with pytest.raises(BadInput, match="still to come"):
        order(breach, OrderEffect.HOLD, silence=past)
    with pytest.raises(Refused, match="still to come"):
        order(
            breach,
            OrderEffect.HOLD,
            silence=silence(breach),
            given_at=breach.made.clock() + timedelta(hours=1),
        )
    assert all_rows(breach.made.store) == before


def test_silence_goes_with_its_effect_and_with_no_other(breach: Breach) -> None:
    before = all_rows(breach.made.store)
    with pytest.raises(BadInput, match="by the effect hold"):
        order(breach, OrderEffect.HOLD)
    with pytest.raises(BadInput, match="by the effect hold"):
        order(breach, OrderEffect.REQUIRE, silence=silence(breach))
    assert all_rows(breach.made.store) == before


@pytest.mark.parametrize(
    ("effect", "more", "where"),
    [
        (OrderEffect.REQUIRE, {"from_": " "}, "--from"),
        (OrderEffect.REQUIRE, {"text": "\n"}, "TEXT"),
        (OrderEffect.DEADLINE, {}, "--due"),
        (OrderEffect.REOPEN, {}, "--duty"),
        (OrderEffect.REQUIRE, {"duty_id": "cn-pipl-57/people"}, "--duty"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_its_option(
    breach: Breach, effect: OrderEffect, more: dict[str, str], where: str
) -> None:
    before = all_rows(breach.made.store)
    with pytest.raises(BadInput) as told:
        order(breach, effect, **more)
    assert told.value.where == where
    assert all_rows(breach.made.store) == before


def test_an_order_is_settled_once_and_with_words(breach: Breach) -> None:
    label = order(breach, OrderEffect.REQUIRE)
    with pytest.raises(BadInput, match="how it was settled"):
        settle(breach, label, how=" ")
    with pytest.raises(NotFound, match="I2"):
        settle(breach, "I2")
    settle(breach, "i1", how="handed over")
    before = all_rows(breach.made.store)
    with pytest.raises(Refused, match="settled already"):
        settle(breach, label)
    assert all_rows(breach.made.store) == before
    assert orders(breach)[label].settled_how == "handed over"


def test_of_two_who_settle_at_once_one_is_refused(tmp_path: Path, store_on: PostgresServer | None) -> None:
    breach = make_breach(tmp_path, on=store_on)
    label = order(breach, OrderEffect.REQUIRE)
    outcomes = at_once(lambda: settle(breach, label, how="by bo"), lambda: settle(breach, label, how="by cy"))
    assert sorted(type(each).__name__ for each in outcomes) == ["NoneType", "Refused"]
    assert sound(breach.made.store)


def test_orders_and_a_hold_at_once_are_all_kept(tmp_path: Path, store_on: PostgresServer | None) -> None:
    breach = make_breach(tmp_path, on=store_on)
    due = breach.made.clock() + timedelta(hours=1)
    outcomes = at_once(
        lambda: order(breach, OrderEffect.REQUIRE),
        lambda: order(breach, OrderEffect.DEADLINE, duty_id="cn-pipl-57/people", due_at=due),
        lambda: hold(breach),
    )
    assert sorted(map(str, outcomes)) == ["H1", "I1", "I2"]
    assert sound(breach.made.store)


def test_a_closed_incident_takes_no_order(breach: Breach) -> None:
    made = breach.made
    with made.store.write(breach.id, kind="incident.closed", actor="ana", now=made.clock()) as change:
        close_incident(change, breach.id, reason="over")
    with (
        pytest.raises(Refused),
        made.store.write(breach.id, kind="instruction.recorded", actor="ana", now=made.clock()) as change,
    ):
        put_instruction(
            change,
            made.store,
            breach.id,
            effect=OrderEffect.REQUIRE,
            from_="CAC",
            text="x",
            given_at=made.clock(),
        )


def test_the_words_of_an_order_lie_sealed(breach: Breach) -> None:
    order(breach, OrderEffect.REQUIRE, from_="Officer Zhang", text="watch the driver Wu")
    held = stored_bytes(breach.made)
    assert b"Zhang" not in held and b"driver Wu" not in held


def test_effects_are_read_and_unknown_ones_listed() -> None:
    assert read_effect(" Reopen ") is OrderEffect.REOPEN
    with pytest.raises(BadInput) as told:
        read_effect("please")
    assert told.value.next_step == "hold, require, deadline, reopen"
