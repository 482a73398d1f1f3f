"""What a gateway needs is known weeks before the day: an account that stands, texts that are approved, messages left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incident.ops.doctor_sms import examine_sms
from incident.ops.examined import Examined, State
from tests.support.gateway_sendings import account_at, gateway_at_hand, gateway_breach
from tests.support.sms_gateway.account import Registered
from tests.support.sms_gateway.server import Act, Answer, SmsGateway
from tests.support.sms_sendings import by_sms_only

GATEWAYS = ("aliyun", "tencent")
_PENDING = {"aliyun": 0, "tencent": 1}  # as each provider numbers it


def looked_at(
    tmp_path: Path,
    gateway: SmsGateway,
    dialect: str = "aliyun",
    *,
    registered: bool = True,
    people: int = 2,
    **settings: Any,
) -> list[Examined]:
    tmp_path.mkdir(exist_ok=True)
    breach = gateway_breach(
        tmp_path,
        by_sms_only(people),
        gateway_port=gateway.port,
        dialect=dialect,
        gateway=settings,
        opens=False,
        registered=registered,
    )
    return list(examine_sms(breach.house))


def faults(found: list[Examined]) -> list[Examined]:
    return [each for each in found if each.state is not State.OK]


@pytest.mark.parametrize("dialect", GATEWAYS)
def test_an_account_that_stands_is_no_finding(tmp_path: Path, dialect: str) -> None:
    with gateway_at_hand(dialect) as gateway:
        found = looked_at(tmp_path, gateway, dialect)
    assert faults(found) == []
    [one] = [each for each in found if each.what == "SMS carrier"]
    assert f"127.0.0.1:{gateway.port}, a gateway under contract, cn: 2 templates approved" in one.finding
    assert [each.finding for each in found if each.what == "SMS registered texts"] == [
        "zh-Hans: as registered",
        "en: as registered",
    ]


def not_approved(dialect: str) -> Mapping[str, Registered]:
    templates = dict(account_at(dialect).templates)
    first = next(iter(templates))
    return {**templates, first: replace(templates[first], state=_PENDING[dialect], reason="under review")}


@pytest.mark.parametrize("dialect", GATEWAYS)
def test_a_template_that_is_not_approved_is_named(tmp_path: Path, dialect: str) -> None:
    with gateway_at_hand(dialect) as gateway:
        gateway.account = replace(gateway.account, templates=not_approved(dialect))
        [one] = faults(looked_at(tmp_path, gateway, dialect))
    first = next(iter(gateway.account.templates))
    assert (one.what, one.state) == ("SMS approvals", State.FAIL)
    assert f"template {first} is not approved" in one.finding


def test_a_template_whose_text_is_another_one_there_is_named(tmp_path: Path) -> None:
    with gateway_at_hand() as gateway:
        templates = dict(gateway.account.templates)
        first = next(iter(templates))
        gateway.account = replace(
            gateway.account, templates={**templates, first: replace(templates[first], text="${a}")}
        )
        [one] = faults(looked_at(tmp_path, gateway))
    assert one.state is State.FAIL and "not the one that is registered" in one.finding


def test_a_signature_that_is_not_approved_is_named(tmp_path: Path) -> None:
    with gateway_at_hand(signature_state=0) as gateway:
        [one] = faults(looked_at(tmp_path, gateway))
    assert one.state is State.FAIL and "the signature 示例移动 is not approved" in one.finding


def test_an_account_without_messages_is_named_and_one_with_too_few_warns(tmp_path: Path) -> None:
    with gateway_at_hand("tencent", packages=((1000, 1000, 4_000_000_000),)) as gateway:
        [none] = faults(looked_at(tmp_path / "none", gateway, "tencent"))
        gateway.account = replace(gateway.account, packages=((3, 0, 4_000_000_000),))
        [few] = faults(looked_at(tmp_path / "few", gateway, "tencent", people=5))
    assert none.state is State.FAIL and "no messages are left" in none.finding
    assert few.state is State.WARN and few.finding == "3 messages are left, and a list on record has 5 people"


def test_a_wrong_key_is_told_by_what_the_gateway_says(tmp_path: Path) -> None:
    with gateway_at_hand() as gateway:
        found = faults(looked_at(tmp_path, gateway, key_id="somebody-else"))
    assert found and all(each.state is State.FAIL for each in found)
    assert all("InvalidAccessKeyId.NotFound" in each.finding for each in found)


def test_a_key_that_may_send_and_not_ask_only_warns(tmp_path: Path) -> None:
    with gateway_at_hand() as gateway:
        refused = Answer(Act.code, code="NoPermission", status=403)
        gateway.answer_with(refused, action="signature")
        found = faults(looked_at(tmp_path, gateway))
    assert [(each.what, each.state) for each in found] == [("SMS approvals", State.WARN)]


def test_a_gateway_that_does_not_answer_is_a_failure(tmp_path: Path) -> None:
    with gateway_at_hand() as gateway:
        found = faults(looked_at(tmp_path, gateway, port=9))
    assert found and {each.state for each in found} == {State.FAIL}


def test_texts_that_are_none_of_the_registered_are_named_with_the_file_to_write(tmp_path: Path) -> None:
    with gateway_at_hand() as gateway:
        found = faults(looked_at(tmp_path, gateway, registered=False))
    assert [(each.what, each.state) for each in found] == [("SMS registered texts", State.FAIL)] * 2
    assert "templates/notice/zh-Hans/sms.txt.j2" in found[0].next_step


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"key_id": ""}, "sms.gateway.key_id"),
        ({"secret": None}, "sms.gateway.secret"),
        ({"secret": "file:no-such"}, "no-such"),
        ({"name": "nowhere"}, "there is no gateway 'nowhere'; there is: aliyun, tencent"),
        ({"ca_file": "ca.pem"}, "sms.gateway.ca_file"),
        ({"templates": []}, "template"),
        ({"contract": ""}, "no contract is named"),
        ({"country": "sg"}, "abroad"),
    ],
)
def test_what_is_wrong_in_the_settings_is_named(tmp_path: Path, settings: dict[str, Any], says: str) -> None:
    with gateway_at_hand() as gateway:
        found = faults(looked_at(tmp_path, gateway, **settings))
        assert gateway.requests == []
    assert any(says in each.finding and each.state is State.FAIL for each in found), found
