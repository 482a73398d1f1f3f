from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from notifiers.errors import CarrierError
from notifiers.outcome import Stage
from notifiers.twilio.account import Timeouts
from notifiers.twilio.client import CallFailed
from notifiers.twilio.standing import CallStanding, Standing
from tests.notifiers.conftest import free_port
from tests.support.twilio.script import CALLER
from tests.support.twilio.sending import a_call_client, a_client, a_text
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


def call_standing_at(port: int, **changes: Any) -> CallStanding:
    async def go() -> CallStanding:
        async with a_call_client(port, **changes) as client:
            return await client.standing()

    return asyncio.run(go())


def call_standing(**options: Any) -> CallStanding:
    with twilio_api(**options) as api:
        found = call_standing_at(api.port)
        assert api.complaints == []
    return found


def test_an_account_that_can_call_says_so() -> None:
    found = call_standing()
    assert found == CallStanding("active", False, True, Decimal("12.50"), "USD")
    assert found.can_call
    assert found.balance_below(Decimal(20)) and not found.balance_below(Decimal(10))


@pytest.mark.parametrize(
    "options",
    [
        {"account_status": "suspended"},
        {"account_type": "Trial"},
        {"incoming": {}},
        {"incoming": {CALLER: False}},
        {"incoming": {CALLER + "1": True}, "verified": (CALLER + "2",)},
    ],
)
def test_one_that_cannot_call_says_so(options: dict[str, Any]) -> None:
    assert not call_standing(**options).can_call


@pytest.mark.parametrize("incoming", [{}, {CALLER: False}])
def test_a_number_that_was_verified_may_be_called_from_as_well(incoming: dict[str, bool]) -> None:
    assert call_standing(incoming=incoming, verified=(CALLER,)).caller_ours is True


@pytest.mark.parametrize(
    "forbidden",
    [("IncomingPhoneNumbers",), ("OutgoingCallerIds",), ("IncomingPhoneNumbers", "OutgoingCallerIds")],
)
def test_where_a_list_of_numbers_may_not_be_read_it_is_unknown_and_no_hindrance(
    forbidden: tuple[str, ...],
) -> None:
    found = call_standing(incoming={}, forbidden=forbidden)
    assert found.caller_ours is None and found.can_call


@pytest.mark.parametrize(
    ("options", "forbidden"),
    [({}, "OutgoingCallerIds"), ({"incoming": {}, "verified": (CALLER,)}, "IncomingPhoneNumbers")],
)
def test_one_list_that_names_the_number_is_enough(options: dict[str, Any], forbidden: str) -> None:
    assert call_standing(**options, forbidden=(forbidden,)).caller_ours is True


def test_what_a_key_is_not_told_of_a_calling_account_is_no_hindrance() -> None:
    found = call_standing(tells=False)
    assert (found.account, found.trial, found.balance, found.currency) == (None, None, None, None)
    assert found.can_call and not found.balance_below(Decimal(10**6))


def test_where_nobody_listens_nothing_can_be_learned_of_calling() -> None:
    with pytest.raises(CallFailed) as failed:
        call_standing_at(free_port())
    assert failed.value.outcome.stage is Stage.connect
    assert failed.value.outcome.peer.startswith("calls.")


def test_a_server_that_never_answers_is_given_up() -> None:
    with twilio_api(deaf=True) as api, pytest.raises(CallFailed) as failed:
        call_standing_at(api.port, timeouts=Timeouts(connect=60, read=0.2))
    assert failed.value.outcome.stage is Stage.submitted
