"""SMS over Twilio, whole path: the ledger, an API that checks what Twilio checks, and its callbacks to a real server."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from incident.delivery.receipts import VerifiedBy
from incident.delivery.sms_asking import AFTER
from incident.delivery.sms_rules import DOUBT_PAUSE
from incident.delivery.states import SMS, CampaignState, DeliveryState, Rank, Why
from incident.ops.engine import put_the_brake_on, take_the_brake_off
from incident.store.tables import Receipt
from notifiers.outcome import Result, Stage
from tests.support.breaches import Breach
from tests.support.postgres import PostgresServer
from tests.support.relays import RecordingRelay
from tests.support.sms_ledger import assert_sound, parts, results
from tests.support.sms_sendings import by_sms_only, live_to_the_end, work_until
from tests.support.twilio.api import TwilioApi
from tests.support.twilio.script import Act, Fault, Progress, refused
from tests.support.twilio.server import twilio_api
from tests.support.twilio_sendings import callbacks_at_hand, twilio_breach

IN_DOUBT = (Result.ambiguous, Stage.submitted)
EVERYTHING = (
    "Dear {{ slots.person_name }}, {{ short.happened }} Disclosed: {{ slots.data_types_of_person }}. {{ short.step }} "
    "See www.example.com or call 020-10000. Your code: {{ slots.code }}."
)
TAKEN = (Result.accepted, Stage.reply)


def matched_by(breach: Breach) -> set[str]:
    with breach.made.store.read() as session:
        return {each.verified_by for each in session.exec(select(Receipt)).all()}


def copies(api: TwilioApi) -> list[int]:
    return sorted(len(api.of(number)) for number in {each.to for each in api.taken})


def test_everybody_is_told_once_and_callbacks_say_that_it_came(
    tmp_path: Path, store_on: PostgresServer | None
) -> None:
    with callbacks_at_hand() as callbacks, twilio_api() as api:
        breach = twilio_breach(
            tmp_path,
            by_sms_only(12),
            twilio_port=api.port,
            twilio={"callback_url": callbacks.url},
            on=store_on,
        )
        with callbacks.served(breach.house):
            breach.work()
            assert breach.account().accepted == len(api.taken) == 12
            told = api.await_told(48)
        assert {each.answer for each in told} == {204}
        assert breach.account().delivered == 12
        assert copies(api) == [1] * 12
        assert api.complaints == []
        assert {method for method, _ in api.requests} == {"POST"}
    assert {row.rank for row in breach.deliveries()} == {Rank.DELIVERED}
    assert {each.ask_at for each in parts(breach)} == {None}
    assert {each.ref for each in parts(breach)} == {each.sid for each in api.taken}
    assert_sound(breach)


def test_without_callbacks_twilio_is_asked_by_its_own_id(tmp_path: Path) -> None:
    with twilio_api() as api:
        breach = twilio_breach(tmp_path, by_sms_only(3), twilio_port=api.port)
        breach.work()
        assert all(each.callback == "" for each in api.taken)
        breach.later(seconds=AFTER[0].total_seconds())
        work_until(breach, lambda: breach.account().delivered == 3)
        assert api.complaints == []
    assert {each.ask_at for each in parts(breach)} == {None}
    assert_sound(breach)


def test_whom_the_network_did_not_reach_goes_on_to_e_mail(tmp_path: Path, relay: RecordingRelay) -> None:
    lost = Progress(states=("sent", "undelivered"), code=30005)
    with callbacks_at_hand() as callbacks, twilio_api(by_ending={"21": lost}) as api:
        people = [replace(each, email=f"p{at}@example.org") for at, each in enumerate(by_sms_only(4))]
        breach = twilio_breach(
            tmp_path,
            people,
            twilio_port=api.port,
            relay_port=relay.port,
            means=["sms", "email", "letter"],
            twilio={"callback_url": callbacks.url},
        )
        with callbacks.served(breach.house):
            breach.work()
            api.await_told(3 * 4 + 2)
            work_until(
                breach, lambda: len(relay.taken) == 1 and breach.account().state == CampaignState.ENDED
            )
    account = breach.account()
    assert (account.accepted, account.accepted_by) == (4, {"email": 1, "sms": 3})
    assert {each.state for each in parts(breach)} == {"delivered", "undeliverable"}
    assert_sound(breach)


def test_an_answer_that_was_lost_is_settled_by_a_late_callback_and_nobody_is_told_twice(
    tmp_path: Path,
) -> None:
    lost = Fault(Act.LOST, times=1)
    with (
        callbacks_at_hand() as callbacks,
        twilio_api(faults={"20": lost, "21": lost}, progress=Progress(held=True)) as api,
    ):
        breach = twilio_breach(
            tmp_path, by_sms_only(3), twilio_port=api.port, twilio={"callback_url": callbacks.url}
        )
        breach.work(until=lambda: breach.account().accepted == 1 and None not in dict(results(breach)))
        assert sorted(results(breach)) == sorted([TAKEN, IN_DOUBT, IN_DOUBT])
        api.release()
        with callbacks.served(breach.house):
            api.await_told(12)
        assert breach.account().delivered == 3
        breach.later(seconds=DOUBT_PAUSE.total_seconds())
        breach.work()
        assert copies(api) == [1, 1, 1]
    assert VerifiedBy.OWN_ID in matched_by(breach)
    assert breach.account().state == CampaignState.ENDED
    assert_sound(breach)


def test_a_message_of_which_nobody_hears_is_sent_once_more_after_the_pause(tmp_path: Path) -> None:
    with callbacks_at_hand() as callbacks, twilio_api(faults={"20": Fault(Act.CLOSE, times=1)}) as api:
        breach = twilio_breach(
            tmp_path, by_sms_only(1), twilio_port=api.port, twilio={"callback_url": callbacks.url}
        )
        with callbacks.served(breach.house):
            breach.work(until=lambda: results(breach) == [IN_DOUBT])
            breach.later(seconds=DOUBT_PAUSE.total_seconds())
            breach.work()
            api.await_told(4)
        assert copies(api) == [1]
        [delivery] = breach.deliveries()
        assert f"/{delivery.id}.2." in api.taken[0].callback
    assert results(breach) == [IN_DOUBT, TAKEN]
    assert breach.account().delivered == 1
    assert_sound(breach)


def test_what_was_in_doubt_twice_goes_on_and_a_callback_still_settles_it(tmp_path: Path) -> None:
    with (
        callbacks_at_hand() as callbacks,
        twilio_api(faults={"20": Fault(Act.LOST)}, progress=Progress(held=True)) as api,
    ):
        breach = twilio_breach(
            tmp_path,
            by_sms_only(1),
            twilio_port=api.port,
            means=["sms"],
            twilio={"callback_url": callbacks.url},
        )
        breach.work(until=lambda: results(breach) == [IN_DOUBT])
        breach.later(seconds=DOUBT_PAUSE.total_seconds())
        breach.work()
        assert breach.account().unreachable == {Why.NO_ANSWER: 1}
        api.release()
        with callbacks.served(breach.house):
            api.await_told(8)
    assert copies(api) == [2]
    assert [row.state for row in breach.deliveries()] == [DeliveryState.ACCEPTED]
    assert_sound(breach)


@pytest.mark.parametrize(
    ("code", "why"), [(21614, Why.REFUSED), (21610, Why.REFUSED), (30003, Why.NO_ANSWER)]
)
def test_a_refusal_of_one_person_is_that_persons_alone(tmp_path: Path, code: int, why: Why) -> None:
    with twilio_api(faults={"21": refused(400, code)}) as api:
        breach = twilio_breach(tmp_path, by_sms_only(5), twilio_port=api.port)
        live_to_the_end(breach)
    account = breach.account()
    assert (account.accepted, account.unreachable) == (4, {why: 1})
    assert_sound(breach)


@pytest.mark.parametrize(("status", "code"), [(429, 20429), (401, 20003), (400, 21704)])
def test_what_meets_everybody_loses_nobody_and_counts_against_nobody(
    tmp_path: Path, status: int, code: int
) -> None:
    with twilio_api(faults={"": refused(status, code, times=1)}) as api:
        breach = twilio_breach(tmp_path, by_sms_only(3), twilio_port=api.port, twilio={"window": 1})
        live_to_the_end(breach, every=timedelta(minutes=10))
        assert len(api.refused) >= 1
        assert copies(api) == [1, 1, 1]
    assert breach.account().accepted == 3
    assert {row.strikes for row in breach.deliveries()} == {0}
    assert_sound(breach)


def test_a_text_that_twilio_takes_from_nobody_is_never_handed_over(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    people = [replace(each, email=f"p{at}@example.org") for at, each in enumerate(by_sms_only(4))]
    in_english = [each for each in people if each.language == "en"]
    with twilio_api() as api:
        breach = twilio_breach(
            tmp_path,
            people,
            twilio_port=api.port,
            relay_port=relay.port,
            means=["sms", "email"],
            english=f"{EVERYTHING} {'long ' * 330}",
        )
        live_to_the_end(breach)
        assert len(api.taken) == 4 - len(in_english) > 0 and api.refused == []
    assert sorted(mail.to for mail in relay.taken) == sorted(each.email for each in in_english) != []
    assert {row.tried_before for row in breach.deliveries() if row.channel != SMS} == {"sms:unfit"}
    assert_sound(breach)


def test_under_the_brake_nothing_leaves_and_then_all_does(tmp_path: Path) -> None:
    with twilio_api() as api:
        breach = twilio_breach(tmp_path, by_sms_only(3), twilio_port=api.port)
        now = breach.made.clock()
        put_the_brake_on(breach.made.store, by="li", reason="a try", now=now)
        breach.work()
        assert api.taken == []
        take_the_brake_off(breach.made.store, by="li", reason="a try", now=now)
        breach.work()
        assert copies(api) == [1, 1, 1]
    assert_sound(breach)
