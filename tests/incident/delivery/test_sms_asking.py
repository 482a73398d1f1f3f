"""Which messages a carrier is asked about, and how many are read to find them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sqlalchemy import event
from sqlmodel import col, select

from incident.delivery.sms_asking import AFTER, AskingDesk
from incident.store.store import Store
from incident.store.tables import MessagePart
from notifiers.sms.receipt import MessageState, SmsReceipt
from tests.support.breaches import Breach
from tests.support.gateway_sendings import gateway_at_hand, gateway_breach
from tests.support.postgres import PostgresServer
from tests.support.sms_gateway.server import Act, Answer
from tests.support.sms_sendings import by_sms_only


def desk_of(breach: Breach, peer: str) -> AskingDesk:
    return AskingDesk(breach.house.store, peer, breach.house.clock, lambda change, delivery_ids: None)


@contextmanager
def statements(store: Store) -> Iterator[list[tuple[str, Any]]]:
    seen: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(store.engine, "before_cursor_execute", note)


def test_however_many_wait_no_more_are_read_than_are_asked_about(tmp_path: Path) -> None:
    with gateway_at_hand() as gateway:
        breach = gateway_breach(tmp_path, by_sms_only(1), gateway_port=gateway.port)
    with statements(breach.house.store) as seen:
        assert desk_of(breach, f"127.0.0.1:{gateway.port}").questions(10) == []
    read = [each for each in seen if "message_part" in each[0]]
    with breach.house.store.engine.connect() as connection:
        plans = [
            [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            for statement, parameters in read
        ]
    firsts = [plan[0] for plan in plans]
    assert any("ix_attempt_in_doubt" in first for first in firsts), plans
    assert any("ix_message_part_asked (centre=? AND ask_at<?)" in first for first in firsts), plans
    assert not any("TEMP B-TREE" in step for plan in plans for step in plan), plans


def test_those_in_doubt_come_first_and_those_of_another_carrier_never(
    tmp_path: Path, store_on: PostgresServer | None
) -> None:
    with gateway_at_hand() as gateway:
        gateway.answer_with(Answer(Act.drop), ending="22")
        breach = gateway_breach(tmp_path, by_sms_only(4), gateway_port=gateway.port, on=store_on)
        breach.work(until=lambda: breach.account().accepted == 3 and breach.account().doubled_at_most == 1)
    desk = desk_of(breach, f"127.0.0.1:{gateway.port}")
    assert desk.questions(10) == []
    breach.later(seconds=AFTER[0].total_seconds())
    found = desk.questions(10)
    assert [each.reference == "" for each in found] == [True, False, False, False]
    assert desk.questions(1) == found[:1]
    assert desk_of(breach, "elsewhere.example:443").questions(10) == []
    desk.asked(found[:1])
    assert desk.questions(10) == found[1:]


def test_a_receipt_without_the_carriers_id_is_not_looked_for_among_all_that_have_none(tmp_path: Path) -> None:
    people = by_sms_only(1)
    with gateway_at_hand() as gateway:
        gateway.answer_with(Answer(Act.drop))
        breach = gateway_breach(tmp_path, people, gateway_port=gateway.port)
        breach.work(until=lambda: breach.account().doubled_at_most == 1)
    [delivery] = breach.deliveries()
    said = SmsReceipt(
        message_id="",
        state=MessageState.delivered,
        error=None,
        done_at=None,
        number=people[0].phone.removeprefix("+"),
        raw_text="",
        own_id=f"{delivery.id}/1",
    )
    with statements(breach.house.store) as seen:
        assert desk_of(breach, f"127.0.0.1:{gateway.port}").take([said]) == [True]
    assert not any("message_part.ref IN" in statement for statement, _ in seen)
    assert breach.account().delivered == 1


def test_an_incident_whose_key_is_lost_keeps_no_other_one_from_being_asked_about(tmp_path: Path) -> None:
    with gateway_at_hand() as gateway:
        breach = gateway_breach(tmp_path, by_sms_only(2), gateway_port=gateway.port)
        breach.work()
    breach.later(seconds=AFTER[0].total_seconds())
    store, desk = breach.house.store, desk_of(breach, f"127.0.0.1:{gateway.port}")
    lost = "INC-2026-0999"
    with store.transaction() as session:
        part = session.exec(select(MessagePart).order_by(col(MessagePart.delivery_id))).first()
        assert part is not None
        part.incident_id, sealed = lost, part.delivery_id
        session.add(part)
    assert [each.delivery_id for each in desk.questions(1)] in ([], [other(breach, sealed)])
    assert [each.delivery_id for each in desk.questions(1)] == [other(breach, sealed)]
    breach.later(seconds=AFTER[0].total_seconds())
    with store.transaction() as session:
        found = session.get_one(MessagePart, (sealed, 1, 1))
        assert found.ask_at is not None and found.ask_at <= breach.made.clock()


def other(breach: Breach, delivery_id: str) -> str:
    [found] = [each.id for each in breach.deliveries() if each.id != delivery_id]
    return found


def test_who_takes_receipts_and_who_sends_never_wait_for_each_other(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    people = by_sms_only(2)
    with gateway_at_hand() as gateway:
        gateway.answer_with(Answer(Act.drop), ending="21")
        breach = gateway_breach(tmp_path, people, gateway_port=gateway.port, on=postgres)
        breach.work(until=lambda: breach.account().accepted == 1 and breach.account().doubled_at_most == 1)
        [taken] = gateway.taken
    store, desk = breach.house.store, desk_of(breach, f"127.0.0.1:{gateway.port}")
    sent = taken.own_id.partition("/")[0]
    said = [
        SmsReceipt("900", MessageState.enroute, None, None, each.phone.removeprefix("+"), "", own_id)
        for each, own_id in zip(people, [taken.own_id, f"{other(breach, sent)}/1"], strict=True)
    ]
    with ThreadPoolExecutor(1) as pool, store.engine.connect() as sender, sender.begin():
        sender.exec_driver_sql("UPDATE job SET beats = beats")
        receipts = pool.submit(desk.take, said)
        until = monotonic() + 10
        while not waits_for_a_lock(store):
            assert monotonic() < until and not receipts.done()
            sleep(0.02)
        sender.exec_driver_sql("UPDATE message_part SET ref = ref")
        sender.commit()
        assert receipts.result(timeout=10) == [True, True]


def waits_for_a_lock(store: Store) -> bool:
    with store.engine.connect() as connection:
        return bool(connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted").scalar())
