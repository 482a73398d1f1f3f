from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from notifiers.errors import CarrierError
from notifiers.outcome import Stage
from notifiers.twilio.client import CallFailed
from notifiers.twilio.standing import Standing
from tests.notifiers.conftest import free_port
from tests.support.twilio.sending import a_client, a_text
from tests.support.twilio.server import twilio_api


def standing_at(port: int, **changes: Any) -> Standing:
    async def go() -> Standing:
        async with a_client(port, **changes) as client:
            return await client.standing()

    return asyncio.run(go())


def standing(**options: Any) -> Standing:
    with twilio_api(**options) as api:
        return standing_at(api.port)


def test_an_account_that_is_ready_says_so() -> None:
    found = standing()
    assert found == Standing("active", False, True, 2, True, ("VERIFIED",), Decimal("12.50"), "USD")
    assert found.can_send and found.us_ready
    assert found.balance_below(Decimal(20)) and not found.balance_below(Decimal(10))


@pytest.mark.parametrize(
    "options",
    [{"account_status": "suspended"}, {"account_type": "Trial"}, {"service": False}, {"numbers": 0}],
)
def test_one_that_cannot_send_says_so(options: dict[str, Any]) -> None:
    assert not standing(**options).can_send


def test_a_campaign_that_was_not_approved_is_no_registration() -> None:
    found = standing(campaigns=("IN_PROGRESS", "FAILED"))
    assert found.campaigns == ("IN_PROGRESS", "FAILED")
    assert found.can_send and not found.us_ready
    assert standing(campaigns=()).campaigns == ()


def test_what_a_key_is_not_told_stays_unknown_and_is_no_hindrance() -> None:
    found = standing(tells=False)
    assert (found.account, found.trial, found.balance, found.currency) == (None, None, None, None)
    assert found.can_send and not found.balance_below(Decimal(10**6))


def test_credentials_that_are_refused_are_an_error_and_not_a_missing_service() -> None:
    with twilio_api() as api, pytest.raises(CallFailed) as failed:
        standing_at(api.port, key_secret="guess")
    assert (failed.value.status, failed.value.outcome.code) == (401, 20003)
    assert "guess" not in str(failed.value)


def test_a_list_that_is_refused_has_its_status_and_code() -> None:
    async def go(port: int) -> None:
        async with a_client(port, key_secret="guess") as client:
            await client.message_of(a_text(), since=datetime.now(UTC), until=datetime.now(UTC))

    with twilio_api() as api, pytest.raises(CallFailed) as failed:
        asyncio.run(go(api.port))
    assert (failed.value.status, failed.value.outcome.code) == (401, 20003)


def test_pools_and_campaigns_that_a_key_may_not_read_count_as_none() -> None:
    found = standing(forbidden=("ShortCodes", "AlphaSenders", "Compliance/Usa2p"))
    assert (found.senders, found.campaigns) == (2, ())


def test_where_no_pool_may_be_read_the_senders_are_unknown_and_no_hindrance() -> None:
    found = standing(forbidden=("PhoneNumbers", "ShortCodes", "AlphaSenders"))
    assert found.senders is None and found.can_send


def test_where_nobody_listens_it_is_said_that_no_connection_came_about() -> None:
    with pytest.raises(CarrierError) as failed:
        standing_at(free_port())
    assert isinstance(failed.value, CallFailed)
    assert failed.value.outcome.stage is Stage.connect
