"""Who is called by machine and who is left to people, and what keeps calls back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import select

from incident.delivery.call_message import call_paper
from incident.delivery.fallback import Way
from incident.delivery.next_means import means_of_version
from incident.delivery.pausing import pause_campaign, resume_campaign
from incident.delivery.states import EMAIL, PHONE, SMS, DeliveryState
from incident.durable import levels
from incident.notice.channels import VoiceScript
from incident.notice.release import version_by_id
from incident.ops.engine import put_the_brake_on, take_the_brake_off
from incident.ops.worker import Worker
from incident.record.holds import Cover
from incident.store.tables import Notice
from tests.support.breaches import QUICK, Affected, Breach
from tests.support.call_sendings import call_breach, has_ended, hooks_at_hand
from tests.support.holds import hold, lift
from tests.support.message_centre import Receipts, message_centre
from tests.support.old_calls import OLD_CALL
from tests.support.relays import RecordingRelay
from tests.support.sms_ledger import assert_sound
from tests.support.sms_sendings import by_sms_only, centre_settings, live_to_the_end, number, work_until
from tests.support.twilio.script import Answer, Callee
from tests.support.twilio.server import twilio_api

NOBODY_ASKS = "http://127.0.0.1:9/receipts/calls"
ADULT = Affected("A", phone=number(20))


def states(breach: Breach) -> list[str]:
    return sorted(f"{row.channel} {row.state} {row.reason}".strip() for row in breach.deliveries())


def test_whom_e_mail_does_not_reach_is_called(tmp_path: Path, relay: RecordingRelay) -> None:
    with hooks_at_hand() as hooks, twilio_api() as api:
        people = [replace(ADULT, email="nobody@example.org"), Affected("B", email="b@example.org")]
        relay.at_rcpt = lambda address: "550 5.1.1 unknown" if address.startswith("nobody") else None
        breach = call_breach(
            tmp_path, people, api_port=api.port, callbacks=hooks.calls, relay_port=relay.port
        )
        with hooks.served(breach.house):
            breach.work()
            api.calls.await_over(1)
            breach.work()
    assert states(breach) == ["email accepted", "phone accepted"]
    assert breach.account().moved_on == 1
    assert_sound(breach)


@pytest.mark.parametrize(
    ("means", "state", "told_by"),
    [(["sms", "phone", "letter"], "UNDELIV", [PHONE]), (["phone", "sms", "letter"], "DELIVRD", [PHONE, SMS])],
)
def test_sms_and_calls_follow_each_other_as_the_organisation_has_them(
    tmp_path: Path, means: list[str], state: str, told_by: list[str]
) -> None:
    callees = {"21": Callee(Answer.BUSY)}
    with (
        hooks_at_hand() as hooks,
        twilio_api(callees=callees) as api,
        message_centre(receipts=Receipts(state=state)) as centre,
    ):
        breach = call_breach(
            tmp_path,
            by_sms_only(2),
            api_port=api.port,
            callbacks=hooks.calls,
            means=means,
            sms=centre_settings(centre.port, tmp_path / "password"),
        )
        with hooks.served(breach.house):
            work_until(breach, lambda: len(api.calls.called) == 2)
            api.calls.await_over(2)
            work_until(breach, lambda: has_ended(breach))
        assert [len(api.calls.of(each.to)) for each in api.calls.called] == [1, 1]
    assert (
        sorted(row.channel for row in breach.deliveries() if row.state == DeliveryState.ACCEPTED) == told_by
    )
    assert_sound(breach)


def test_a_number_that_is_somebody_elses_gets_no_sms_either(tmp_path: Path) -> None:
    with (
        hooks_at_hand() as hooks,
        twilio_api(callee=Callee(keys="2")) as api,
        message_centre() as centre,
    ):
        breach = call_breach(
            tmp_path,
            by_sms_only(1),
            api_port=api.port,
            callbacks=hooks.calls,
            means=["phone", "sms", "letter"],
            sms=centre_settings(centre.port, tmp_path / "password"),
        )
        with hooks.served(breach.house):
            breach.work()
            api.calls.await_over(1)
            breach.work()
        assert centre.taken() == []
    assert states(breach) == ["phone unreachable bad_address"]
    assert_sound(breach)


def test_minors_organisations_and_who_may_be_in_danger_are_left_to_people(tmp_path: Path) -> None:
    people = [
        replace(ADULT, reference="minor", phone=number(21), born="2015-01-01"),
        replace(ADULT, reference="company", phone=number(22), kind="organisation"),
        replace(ADULT, reference="danger", phone=number(23), safe_contact="the sister's office"),
        replace(ADULT, reference="dead", phone=number(24), deceased="yes"),
    ]
    with hooks_at_hand() as hooks, twilio_api() as api:
        breach = call_breach(tmp_path, people, api_port=api.port, callbacks=hooks.calls)
        with hooks.served(breach.house):
            breach.work()
        assert api.calls.called == []
    assert {row.state for row in breach.deliveries()} == {DeliveryState.UNREACHABLE}
    assert_sound(breach)


def test_two_people_with_one_telephone_are_called_one_after_the_other_each_by_name(tmp_path: Path) -> None:
    people = [replace(ADULT, name="Ann Archer"), replace(ADULT, reference="B", name="Ben Baker")]
    with hooks_at_hand() as hooks, twilio_api() as api:
        breach = call_breach(tmp_path, people, api_port=api.port, callbacks=hooks.calls)
        with hooks.served(breach.house):
            breach.work()
            api.calls.await_over(2)
            breach.work()
        said = [" ".join(each.texts) for each in api.calls.called]
    assert sorted(("Ann Archer" in each, "Ben Baker" in each) for each in said) == [
        (False, True),
        (True, False),
    ]
    assert {row.state for row in breach.deliveries()} == {DeliveryState.ACCEPTED}


def test_chinese_and_english_are_said_by_voices_that_speak_them(tmp_path: Path) -> None:
    people = [replace(ADULT, language="en"), Affected("B", name="王芳", language="zh-Hans", phone=number(21))]
    with hooks_at_hand() as hooks, twilio_api() as api:
        breach = call_breach(
            tmp_path, people, api_port=api.port, callbacks=hooks.calls, calls={"voices": {"en": "Polly.Amy"}}
        )
        with hooks.served(breach.house):
            breach.work()
            api.calls.await_over(2)
        spoken = {(each.language, each.voice) for call in api.calls.called for each in call.heard}
    assert spoken == {("en-US", "Polly.Amy"), ("cmn-CN", "Polly.Zhiyu")}


def test_whom_no_voice_speaks_to_is_left_to_people(tmp_path: Path) -> None:
    with hooks_at_hand() as hooks, twilio_api() as api:
        breach = call_breach(
            tmp_path, [ADULT], api_port=api.port, callbacks=hooks.calls, calls={"voices": {"en": "no voice"}}
        )
        breach.work()
        assert api.calls.called == []
    assert states(breach) == ["phone unreachable unfit"]
    assert_sound(breach)


def test_a_version_that_was_frozen_when_calls_were_one_text_is_for_no_machine(tmp_path: Path) -> None:
    breach = call_breach(tmp_path, [ADULT], api_port=9, callbacks=NOBODY_ASKS, opens=False)
    with breach.made.store.read() as session:
        [notice] = session.exec(select(Notice)).all()
        frozen = version_by_id(session, breach.made.store, notice.id).frozen
    old = VoiceScript(OLD_CALL["text"], twiml=OLD_CALL["twiml"])
    before = replace(
        frozen, channels={language: replace(each, voice=old) for language, each in frozen.channels.items()}
    )
    settings = breach.made.settings
    assert means_of_version(settings, frozen) == {Way.PHONE}
    assert means_of_version(settings, before) == frozenset()
    assert call_paper(before, key=b"k" * 32).scripts == {}


def test_the_brake_a_pause_and_a_hold_keep_everybody_from_being_called(tmp_path: Path) -> None:
    with hooks_at_hand() as hooks, twilio_api() as api:
        breach = call_breach(tmp_path, by_sms_only(2), api_port=api.port, callbacks=hooks.calls)
        made = breach.made
        put_the_brake_on(made.store, by="ana", reason="a bad list", now=made.clock())
        breach.work()
        take_the_brake_off(made.store, by="ana", reason="it was good", now=made.clock())
        with made.store.write(breach.id, kind="campaign.paused", actor="ana", now=made.clock()) as change:
            pause_campaign(change, breach.id)
        breach.work()
        with made.store.write(breach.id, kind="campaign.resumed", actor="ana", now=made.clock()) as change:
            resume_campaign(change, breach.id)
        silence = hold(breach, Cover.PEOPLE)
        breach.later(hours=1)
        breach.work()
        assert api.calls.called == []
        assert_sound(breach)
        lift(breach, silence)
        with hooks.served(breach.house):
            live_to_the_end(breach)
            api.calls.await_over(2)
    assert {row.state for row in breach.deliveries()} == {DeliveryState.ACCEPTED}


def test_no_more_calls_a_second_are_handed_over_than_were_agreed(tmp_path: Path) -> None:
    with hooks_at_hand() as hooks, twilio_api(callee=Callee(held=True)) as api:
        breach = call_breach(
            tmp_path,
            by_sms_only(6),
            api_port=api.port,
            callbacks=hooks.calls,
            calls={"per_second": 2.0, "window": 6},
        )
        breach.work(until=lambda: len(api.calls.called) == 6)
        with breach.made.store.read() as session:
            [limit] = [name for name in levels(session) if "calls." in name]
        assert limit == f"relay/calls.127.0.0.1:{api.port}"


def test_whoever_waits_for_a_call_and_nothing_calls_is_spoken_of(tmp_path: Path) -> None:
    breach = call_breach(tmp_path, [ADULT], api_port=9, callbacks=NOBODY_ASKS)
    settings = breach.house.settings.model_copy(
        update={"calls": breach.house.settings.calls.model_copy(update={"twilio": None})}
    )
    said: list[str] = []
    with Worker(replace(breach.house, settings=settings), patience=QUICK, says=said.append).runner():
        pass
    assert any("people wait for a call by machine" in each for each in said)


def test_a_sending_that_nobody_can_be_told_by_e_mail_of_ends_by_calls_alone(tmp_path: Path) -> None:
    """In waves too, where each batch gets its job when it is let go."""
    with hooks_at_hand() as hooks, twilio_api() as api:
        breach = call_breach(
            tmp_path,
            by_sms_only(12),
            api_port=api.port,
            callbacks=hooks.calls,
            means=["phone"],
            waves={"canary": 4, "growth": 4, "watch_minutes": 1},
        )
        assert {row.channel for row in breach.deliveries()} == {PHONE}
        with hooks.served(breach.house):
            live_to_the_end(breach)
        assert len(api.calls.called) == 12
    assert breach.account().accepted == 12
    assert EMAIL not in {row.channel for row in breach.deliveries()}
    assert_sound(breach)


def test_calls_that_nobody_answers_stop_no_sending(tmp_path: Path) -> None:
    """As many as do not answer the telephone on any day."""
    with hooks_at_hand() as hooks, twilio_api(callee=Callee(Answer.NO_ANSWER)) as api:
        breach = call_breach(
            tmp_path,
            by_sms_only(16),
            api_port=api.port,
            callbacks=hooks.calls,
            waves={"canary": 8, "watch_minutes": 1},
        )
        with hooks.served(breach.house):
            live_to_the_end(breach)
        assert len(api.calls.called) == 16
    assert set(states(breach)) == {"phone unreachable no_answer"}
    assert_sound(breach)
