"""Receipts of SMS that a gateway posts: only by the token's path, and only about the person they name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from incident.server.running import hooks_on_loopback
from tests.support.gateway_sendings import gateway_at_hand, gateway_breach
from tests.support.sms_sendings import by_sms_only

TOKEN = "a1b2c3d4e5f6a7b8c9d0e1f2"


def record(number: str, reference: str, own_id: str) -> dict[str, Any]:
    """One record as Alibaba Cloud pushes it (SmsReport)."""
    return {
        "phone_number": number,
        "success": True,
        "biz_id": reference,
        "out_id": own_id,
        "err_code": "DELIVERED",
        "report_time": "2026-11-23 17:00:30",
    }


def test_what_is_posted_counts_by_the_token_and_for_the_number_that_it_names_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_SMS_RECEIPTS", TOKEN)
    with gateway_at_hand() as gateway:
        breach = gateway_breach(
            tmp_path,
            by_sms_only(2),
            gateway_port=gateway.port,
            gateway={"receipts_token": "env:TOCSIN_SMS_RECEIPTS"},
        )
        breach.work()
        first, second = gateway.taken
        mine = [record(first.number, first.reference, first.own_id)]
        others = [record(first.number, second.reference, second.own_id)]
        with hooks_on_loopback(breach.house, "x" * 24) as url:
            place = f"{url}/receipts/sms/{TOKEN}"
            assert httpx.post(f"{url}/receipts/sms/{TOKEN[:-1]}0", json=mine).status_code == 404
            assert httpx.post(place, json={"no": "list"}).status_code == 400
            assert breach.account().delivered == 0
            answer = httpx.post(place, json=others)
            assert (answer.status_code, answer.json()) == (200, {"code": 0, "msg": "OK"})
            assert breach.account().delivered == 0
            for _ in range(2):
                assert httpx.post(place, json=mine).json() == {"code": 0, "msg": "OK"}
            assert breach.account().delivered == 1
