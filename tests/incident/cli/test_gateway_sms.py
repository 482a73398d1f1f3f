"""SMS over a gateway as a person at the terminal sends them."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incident.delivery.status import campaigns_of
from tests.support.breaches import Breach
from tests.support.commands import run, run_process, spawn
from tests.support.gateway_sendings import ClockOfABreach, account_at, gateway_breach
from tests.support.relays import code_in, recording_relay
from tests.support.sms_gateway.server import SmsGateway, sms_gateway
from tests.support.sms_sendings import by_sms_only


def released(tmp_path: Path, sink: SmsGateway, relay_port: int, **more: Any) -> Breach:
    people = [*by_sms_only(4), replace(by_sms_only(1)[0], reference="C9", phone="", email="ann@example.org")]
    return gateway_breach(
        tmp_path, people, gateway_port=sink.port, relay_port=relay_port, opens=False, **more
    )


def has_campaign(breach: Breach) -> bool:
    with breach.made.store.read() as session:
        return bool(campaigns_of(session, breach.id))


def test_one_command_tells_people_by_e_mail_and_by_sms_over_a_gateway(tmp_path: Path) -> None:
    with recording_relay() as relay, sms_gateway(account=account_at("aliyun"), clock=time.time) as gateway:
        breach = released(tmp_path, gateway, relay.port)
        root = breach.made.workspace.root
        answer = run_process("--workspace", root, "notice", "send", breach.id)
        assert answer.code == 0, answer.text
        assert len(gateway.taken) == 4 and gateway.refusals == []
        assert [mail.to for mail in relay.taken] == ["ann@example.org"]
        verified = run("--workspace", root, "notice", "verify", breach.id, code_in(gateway.taken[0].text))
        assert verified.code == 0 and "SMS" in verified.text.upper()
        assert run("--workspace", root, "check").code == 0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"key_id": "somebody-else"}, "InvalidAccessKeyId.NotFound"),
        ({"port": 9}, "the SMS gateway cannot be used"),
        ({"name": "nowhere"}, "there is no gateway 'nowhere'"),
        ({"templates": []}, "[sms.gateway] in incident.toml"),
    ],
)
def test_a_gateway_that_cannot_be_used_is_told_before_anything_is_written(
    tmp_path: Path, wrong: dict[str, Any], says: str
) -> None:
    with recording_relay() as relay, sms_gateway(account=account_at("aliyun")) as gateway:
        breach = released(tmp_path, gateway, relay.port, gateway=wrong)
        answer = run("--workspace", breach.made.workspace.root, "notice", "send", breach.id)
        assert answer.code == 1 and says in answer.err and "Traceback" not in answer.err
        assert not has_campaign(breach) and gateway.taken == [] and relay.taken == []


def test_a_text_that_is_not_registered_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    clock = ClockOfABreach(before=time.time)
    with recording_relay() as relay, sms_gateway(account=account_at("aliyun"), clock=clock) as gateway:
        breach = released(tmp_path, gateway, relay.port, registered=False)
        answer = run("--workspace", breach.made.workspace.root, "notice", "send", breach.id)
        assert answer.code == 1
        assert "the gateway would not take the SMS in" in answer.err
        assert "sms.txt.j2" in answer.err
        assert not has_campaign(breach) and gateway.requests == []


def test_serving_takes_what_the_gateway_posts_also_without_a_source_of_alerts(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a1" * 20, encoding="utf-8")
    with recording_relay() as relay, sms_gateway(account=account_at("aliyun"), clock=time.time) as gateway:
        breach = released(tmp_path, gateway, relay.port, gateway={"receipts_token": f"file:{token}"})
        root = breach.made.workspace.root
        serving = spawn("--workspace", root, "--json", "serve", "hooks", "--port", "0")
        try:
            assert serving.stdout is not None
            told = json.loads("".join(iter(serving.stdout.readline, "}\n")) + "}")
            assert told["sources"] == [] and told["receipts"].endswith("/receipts/sms/")
            sent = run("--workspace", root, "notice", "send", breach.id)
            assert sent.code == 0, sent.text
            assert len(gateway.taken) == 4
            assert gateway.push(told["receipts"] + token.read_text(encoding="utf-8"))
        finally:
            serving.terminate()
            _, said = serving.communicate(timeout=30)
        assert token.read_text(encoding="utf-8") not in said
    assert breach.account().delivered == 4
