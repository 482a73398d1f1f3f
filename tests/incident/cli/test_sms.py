"""SMS as a person at the terminal sends them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from incident.delivery.status import campaigns_of
from tests.support.breaches import Breach, make_breach
from tests.support.commands import Answer, run, run_process
from tests.support.message_centre import MessageCentre, message_centre
from tests.support.relays import RecordingRelay, code_in, recording_relay
from tests.support.sms_sendings import MEANS, by_sms_only, centre_settings


def released(tmp_path: Path, *, centre: MessageCentre, relay: RecordingRelay, **smpp: object) -> Breach:
    """A released notice of which nothing was begun."""
    people = [*by_sms_only(4), replace(by_sms_only(1)[0], reference="C9", phone="", email="ann@example.org")]
    breach = make_breach(
        tmp_path,
        people=people,
        relay_port=relay.port,
        sms=centre_settings(centre.port, tmp_path / "smsc-password", **smpp),
        fallback={"means": MEANS},
        scope={"countries": ["cn"]},
        promises={"keep_in": ["cn"], "wording": {"zh-Hans": "个人信息存储于中国境内。"}},
    )
    breach.release()
    return breach


def on(breach: Breach, *words: str) -> Answer:
    return run("--workspace", breach.made.workspace.root, *words)


def has_campaign(breach: Breach) -> bool:
    with breach.made.store.read() as session:
        return bool(campaigns_of(session, breach.id))


def test_one_command_tells_people_by_e_mail_and_by_sms(tmp_path: Path) -> None:
    with recording_relay() as relay, message_centre() as centre:
        breach = released(tmp_path, centre=centre, relay=relay)
        answer = run_process("--workspace", breach.made.workspace.root, "notice", "send", breach.id)
        assert answer.code == 0, answer.text
        assert len(centre.copies()) == 4
        [text, *_] = [texts[0] for texts in centre.texts().values()]
    assert [mail.to for mail in relay.taken] == ["ann@example.org"]
    listed = on(breach, "deliveries", breach.id, "--format", "csv").out
    assert listed.count("sms") == 4
    verified = on(breach, "notice", "verify", breach.id, code_in(text))
    assert verified.code == 0 and "SMS" in verified.text.upper()
    assert on(breach, "check").code == 0


@pytest.mark.parametrize("wrong", [{"system_id": "nobody"}, {"port": 9}])
def test_a_centre_that_lets_nobody_in_is_told_before_anything_is_written(
    tmp_path: Path, wrong: dict[str, object]
) -> None:
    with recording_relay() as relay, message_centre() as centre:
        breach = released(tmp_path, centre=centre, relay=relay, **wrong)
        answer = on(breach, "notice", "send", breach.id)
    assert answer.code == 1
    assert "the message centre cannot be used" in answer.err and "[sms.smpp]" in answer.err
    assert not has_campaign(breach)
    assert relay.taken == []


def test_a_foreign_centre_is_refused_with_the_promise_quoted(tmp_path: Path) -> None:
    with recording_relay() as relay, message_centre() as centre:
        breach = released(tmp_path, centre=centre, relay=relay, country="us")
        answer = on(breach, "notice", "send", breach.id)
        assert centre.events("bind") == []
    assert answer.code == 1
    assert "个人信息存储于中国境内。" in answer.err and "sms.smpp.country" in answer.err
    assert not has_campaign(breach)


def test_a_password_that_is_not_there_is_named_and_never_shown(tmp_path: Path) -> None:
    with recording_relay() as relay, message_centre() as centre:
        breach = released(tmp_path, centre=centre, relay=relay, password="env:NOT_SET_ANYWHERE")
        answer = on(breach, "notice", "send", breach.id)
    assert answer.code == 1 and "env:NOT_SET_ANYWHERE" in answer.err
    assert not has_campaign(breach)
