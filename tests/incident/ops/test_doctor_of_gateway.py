"""What an SMS gateway needs is known weeks before the day: approvals, credits, and texts that are the registered ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incident.ops.doctor_sms import examine_sms
from incident.ops.examined import Examined, State
from tests.support.gateway_sendings import account_at, gateway_at_hand, gateway_breach
from tests.support.sms_gateway.account import Registered
from tests.support.sms_sendings import by_sms_only

LATER = 4_000_000_000


def examined(tmp_path: Path, dialect: str, *, people: int = 3, **account: Any) -> dict[str, list[Examined]]:
    with gateway_at_hand(dialect, **account) as gateway:
        breach = gateway_breach(
            tmp_path, by_sms_only(people), gateway_port=gateway.port, dialect=dialect, opens=False
        )
        found: dict[str, list[Examined]] = {}
        for each in examine_sms(breach.house):
            found.setdefault(each.what, []).append(each)
    return found


@pytest.mark.parametrize(("dialect", "left"), [("aliyun", ""), ("tencent", "990 messages left")])
def test_an_account_in_order_is_told_with_what_is_left(tmp_path: Path, dialect: str, left: str) -> None:
    found = examined(tmp_path, dialect)
    [carrier] = found["SMS carrier"]
    assert carrier.state is State.OK and "2 templates approved" in carrier.finding
    assert left in carrier.finding
    assert "SMS approvals" not in found and "SMS credits" not in found


def test_fewer_messages_than_people_on_the_longest_list_are_a_warning(tmp_path: Path) -> None:
    [credits_] = examined(tmp_path, "tencent", people=4, packages=((3, 0, LATER),))["SMS credits"]
    assert credits_.state is State.WARN and "4 people" in credits_.finding


def test_an_account_without_messages_is_a_fault(tmp_path: Path) -> None:
    [approval] = examined(tmp_path, "tencent", packages=((3, 3, LATER),))["SMS approvals"]
    assert approval.state is State.FAIL and "no messages are left" in approval.finding


@pytest.mark.parametrize("dialect", ["aliyun", "tencent"])
def test_a_signature_that_waits_for_its_approval_is_a_fault(tmp_path: Path, dialect: str) -> None:
    pending = {"aliyun": 0, "tencent": 1}[dialect]
    found = examined(tmp_path, dialect, signature_state=pending)
    assert [each.state for each in found["SMS approvals"]] == [State.FAIL]
    assert "SMS carrier" not in found


def test_a_registered_text_that_is_another_one_than_in_the_settings_is_a_fault(tmp_path: Path) -> None:
    account = account_at("aliyun")
    changed = {**account.templates, "SMS_100000001": Registered("${name}您好。")}
    with gateway_at_hand("aliyun") as gateway:
        gateway.account = type(account)(changed, longest_variable=account.longest_variable)
        breach = gateway_breach(tmp_path, by_sms_only(1), gateway_port=gateway.port, opens=False)
        [approval] = [each for each in examine_sms(breach.house) if each.what == "SMS approvals"]
    assert approval.state is State.FAIL and "SMS_100000001" in approval.finding
