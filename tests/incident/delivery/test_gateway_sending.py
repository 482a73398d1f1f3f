"""SMS over an HTTP gateway, whole path: the ledger, a gateway that checks what the provider checks, and its receipts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest
from sqlmodel import select

from incident.delivery import asking_room
from incident.delivery.receipts import VerifiedBy
from incident.delivery.sms_asking import AFTER
from incident.delivery.sms_rules import DOUBT_PAUSE
from incident.delivery.states import SMS, CampaignState, DeliveryState, Rank, Why
from incident.ops.engine import put_the_brake_on, take_the_brake_off
from incident.ops.worker import Worker
from incident.store.tables import Receipt
from notifiers.outcome import Result, Stage
from tests.support.breaches import QUICK, Breach
from tests.support.gateway_sendings import gateway_at_hand, gateway_breach
from tests.support.postgres import PostgresServer
from tests.support.relays import RecordingRelay
from tests.support.sms_gateway.account import Fate
from tests.support.sms_gateway.server import Act, Answer, SmsGateway
from tests.support.sms_ledger import assert_sound, nothing_to_ask, parts, results
from tests.support.sms_sendings import by_sms_only, live_to_the_end, work_until

GATEWAYS = ("aliyun", "tencent")


def let_time_go_by(breach: Breach, after: timedelta) -> None:
    breach.later(seconds=after.total_seconds())


@pytest.mark.parametrize("dialect", GATEWAYS)
def test_everybody_gets_the_released_text_once_and_the_gateway_says_that_it_came(
    tmp_path: Path, dialect: str, store_on: PostgresServer | None
) -> None:
    with gateway_at_hand(dialect) as gateway:
        breach = gateway_breach(
            tmp_path, by_sms_only(12), gateway_port=gateway.port, dialect=dialect, on=store_on
        )
        breach.work()
        assert breach.account().accepted == len(gateway.taken) == 12
        assert {len(each) for each in gateway.texts().values()} == {1}
        assert all(each.text.startswith("【示例移动】") for each in gateway.taken)
        assert {each.own_id for each in gateway.taken} == {f"{row.id}/1" for row in breach.deliveries()}
        let_time_go_by(breach, AFTER[0])
        work_until(breach, lambda: breach.account().delivered == 12)
        assert gateway.refusals == []
    assert {row.rank for row in breach.deliveries()} == {Rank.DELIVERED}
    assert {each.ask_at for each in parts(breach)} == {None}
    assert_sound(breach)


def test_whoever_the_phone_did_not_get_goes_on_to_e_mail(tmp_path: Path, relay: RecordingRelay) -> None:
    with gateway_at_hand() as gateway:
        gateway.settle(Fate.failed, ending="21")
        people = [replace(each, email=f"p{at}@example.org") for at, each in enumerate(by_sms_only(4))]
        breach = gateway_breach(
            tmp_path,
            people,
            gateway_port=gateway.port,
            relay_port=relay.port,
            means=["sms", "email", "letter"],
        )
        breach.work()
        assert relay.taken == []
        let_time_go_by(breach, AFTER[0])
        work_until(breach, lambda: len(relay.taken) == 1 and breach.account().state == CampaignState.ENDED)
    account = breach.account()
    assert (account.accepted, account.accepted_by) == (4, {"email": 1, "sms": 3})
    assert_sound(breach)


@pytest.mark.parametrize("dialect", GATEWAYS)
def test_an_answer_that_was_lost_is_settled_by_asking_and_nobody_is_told_twice(
    tmp_path: Path, dialect: str
) -> None:
    with gateway_at_hand(dialect) as gateway:
        gateway.answer_with(Answer(Act.drop, taken=True), times=2)
        breach = gateway_breach(tmp_path, by_sms_only(3), gateway_port=gateway.port, dialect=dialect)
        breach.work(until=lambda: breach.account().accepted == 1)
        assert sorted(results(breach)) == [
            (Result.accepted, Stage.reply),
            *[(Result.ambiguous, Stage.submitted)] * 2,
        ]
        let_time_go_by(breach, AFTER[0])
        work_until(breach, lambda: breach.account().delivered == 3)
        assert sorted(len(each) for each in gateway.texts().values()) == [1, 1, 1]
    with breach.made.store.read() as session:
        by = {each.verified_by for each in session.exec(select(Receipt)).all()}
    assert VerifiedBy.OWN_ID in by
    assert_sound(breach)


def test_a_message_that_was_certainly_lost_is_sent_once_more_after_the_pause(tmp_path: Path) -> None:
    with gateway_at_hand() as gateway:
        gateway.answer_with(Answer(Act.drop), times=1)
        breach = gateway_breach(tmp_path, by_sms_only(1), gateway_port=gateway.port)
        breach.work(until=lambda: results(breach) == [(Result.ambiguous, Stage.submitted)])
        let_time_go_by(breach, DOUBT_PAUSE)
        breach.work()
        assert len(gateway.taken) == 1 and gateway.taken[0].own_id.endswith("/2")
    assert results(breach) == [(Result.ambiguous, Stage.submitted), (Result.accepted, Stage.reply)]
    assert_sound(breach)


@pytest.mark.parametrize(
    ("code", "why"),
    [("isv.MOBILE_NUMBER_ILLEGAL", Why.REFUSED), ("isv.BUSINESS_LIMIT_CONTROL", Why.NO_ANSWER)],
)
def test_a_refusal_of_one_person_is_that_persons_alone(tmp_path: Path, code: str, why: Why) -> None:
    with gateway_at_hand() as gateway:
        gateway.answer_with(Answer(Act.code, code=code), ending="21")
        breach = gateway_breach(tmp_path, by_sms_only(5), gateway_port=gateway.port)
        live_to_the_end(breach)
    account = breach.account()
    assert (account.accepted, account.unreachable) == (4, {why: 1})
    assert_sound(breach)


def test_an_account_without_credits_loses_nobody_and_counts_against_nobody(tmp_path: Path) -> None:
    with gateway_at_hand() as gateway:
        gateway.answer_with(Answer(Act.code, code="isv.AMOUNT_NOT_ENOUGH"), times=3)
        breach = gateway_breach(tmp_path, by_sms_only(4), gateway_port=gateway.port, gateway={"window": 1})
        live_to_the_end(breach)
        assert sorted(len(each) for each in gateway.texts().values()) == [1, 1, 1, 1]
    assert breach.account().accepted == 4
    assert {row.strikes for row in breach.deliveries()} == {0}
    assert_sound(breach)


def test_who_does_not_fit_the_template_goes_on_and_the_others_are_told(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    people = [
        replace(each, name="长" * 70 if at == 1 else each.name, email=f"p{at}@example.org")
        for at, each in enumerate(by_sms_only(3))
    ]
    with gateway_at_hand() as gateway:
        breach = gateway_breach(
            tmp_path,
            people,
            gateway_port=gateway.port,
            relay_port=relay.port,
            means=["sms", "email", "letter"],
            gateway={"longest_variable": 20},
        )
        live_to_the_end(breach)
        told = len(gateway.taken)
    assert told + len(relay.taken) == 3 and len(relay.taken) >= 1
    assert {row.state for row in breach.deliveries()} == {DeliveryState.ACCEPTED}
    moved = [row for row in breach.deliveries() if row.channel != SMS]
    assert {row.tried_before for row in moved} == {"sms:unfit"}
    assert_sound(breach)


@pytest.mark.parametrize("phone", ["+13052345678", "+862012345678"])
def test_a_number_that_the_gateway_would_misread_is_that_persons_matter_alone(
    tmp_path: Path, phone: str
) -> None:
    people = [replace(each, phone=phone if at == 1 else each.phone) for at, each in enumerate(by_sms_only(4))]
    with gateway_at_hand() as gateway:
        breach = gateway_breach(tmp_path, people, gateway_port=gateway.port)
        live_to_the_end(breach)
        assert sorted(len(each) for each in gateway.texts().values()) == [1, 1, 1]
    account = breach.account()
    assert (account.accepted, sum(account.unreachable.values()), account.doubled_at_most) == (3, 1, 0)
    assert_sound(breach)


def test_who_is_never_reported_is_asked_about_until_the_last_time(tmp_path: Path) -> None:
    with gateway_at_hand() as gateway:
        gateway.settle(Fate.waiting)
        breach = gateway_breach(tmp_path, by_sms_only(1), gateway_port=gateway.port)
        breach.work()
        for after in AFTER:
            let_time_go_by(breach, after)
            before = asked(gateway)
            work_until(breach, lambda before=before: asked(gateway) > before)  # type: ignore[misc]
            work_until(breach, lambda: nothing_to_ask(breach))
        assert {each.ask_at for each in parts(breach)} == {None}
    assert {row.rank for row in breach.deliveries()} == {Rank.HANDED_ON}
    assert_sound(breach)


def test_what_the_gateway_did_not_take_is_not_asked_about(tmp_path: Path) -> None:
    with gateway_at_hand() as gateway:
        gateway.answer_with(Answer(Act.code, code="isv.MOBILE_NUMBER_ILLEGAL"), ending="21")
        breach = gateway_breach(tmp_path, by_sms_only(2), gateway_port=gateway.port)
        breach.work()
        assert sorted(each.ask_at is None for each in parts(breach)) == [False, True]
        let_time_go_by(breach, AFTER[0])
        work_until(breach, lambda: breach.account().delivered == 1)
        assert asked(gateway) == 1
    assert_sound(breach)


def test_under_the_general_brake_nobody_is_asked(tmp_path: Path) -> None:
    with gateway_at_hand() as gateway:
        breach = gateway_breach(tmp_path, by_sms_only(2), gateway_port=gateway.port)
        breach.work()
        let_time_go_by(breach, AFTER[0])
        put_the_brake_on(breach.made.store, by="ana", reason="to be sure", now=breach.made.clock())
        began = monotonic()
        work_until(breach, lambda: monotonic() - began > 2.5)
        assert asked(gateway) == 0
        take_the_brake_off(breach.made.store, by="ana", reason="all is well", now=breach.made.clock())
        work_until(breach, lambda: breach.account().delivered == 2)
    assert_sound(breach)


def test_a_question_that_is_refused_keeps_no_other_one_from_its_turn(tmp_path: Path) -> None:
    with gateway_at_hand() as gateway:
        gateway.answer_with(Answer(Act.code, code="isv.MOBILE_NUMBER_ILLEGAL"), action="receipt", times=2)
        breach = gateway_breach(tmp_path, by_sms_only(4), gateway_port=gateway.port, gateway={"window": 1})
        breach.work()
        let_time_go_by(breach, AFTER[0])
        work_until(breach, lambda: breach.account().delivered == 2)
        assert nothing_to_ask(breach)
        let_time_go_by(breach, AFTER[1])
        work_until(breach, lambda: breach.account().delivered == 4)
    assert_sound(breach)


def test_a_question_that_fails_keeps_no_other_one_from_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking_room, "_AFTER_TROUBLE", 0.1)
    with gateway_at_hand() as gateway:
        gateway.answer_with(Answer(Act.status, status=500), action="receipt", times=3)
        breach = gateway_breach(tmp_path, by_sms_only(4), gateway_port=gateway.port, gateway={"window": 1})
        breach.work()
        let_time_go_by(breach, AFTER[0])
        work_until(breach, lambda: breach.account().delivered == 1)
        assert nothing_to_ask(breach)
        let_time_go_by(breach, AFTER[0])
        work_until(breach, lambda: breach.account().delivered == 4)
    assert_sound(breach)


def test_a_question_that_always_fails_comes_to_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking_room, "_AFTER_TROUBLE", 0.1)
    with gateway_at_hand() as gateway:
        gateway.answer_with(Answer(Act.html), action="receipt")
        breach = gateway_breach(tmp_path, by_sms_only(1), gateway_port=gateway.port)
        breach.work()
        for after in (AFTER[0], AFTER[-1]):
            let_time_go_by(breach, after)
            work_until(breach, lambda: nothing_to_ask(breach))
            [waits] = parts(breach)
            assert waits.ask_at is not None
        let_time_go_by(breach, AFTER[-1])
        work_until(breach, lambda: nothing_to_ask(breach))
        assert {each.ask_at for each in parts(breach)} == {None}
    assert_sound(breach)


def test_it_is_asked_on_where_nobody_can_be_told_that_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking_room, "_AFTER_TROUBLE", 0.1)

    def says(text: str) -> None:
        raise BrokenPipeError(text)

    with gateway_at_hand() as gateway:
        gateway.answer_with(Answer(Act.status, status=500), action="receipt", times=1)
        breach = gateway_breach(tmp_path, by_sms_only(2), gateway_port=gateway.port, gateway={"window": 1})
        breach.work()
        let_time_go_by(breach, AFTER[0])
        until = monotonic() + 10
        with Worker(breach.house, patience=QUICK, says=says).runner(stays=True) as runner:
            runner.work(until=lambda: breach.account().delivered == 1 or monotonic() > until)
    assert breach.account().delivered == 1
    assert_sound(breach)


def asked(gateway: SmsGateway) -> int:
    return sum("QuerySendDetails" in str(each.headers) + each.query for each in gateway.requests)
