from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from notifiers.errors import BadGateway
from notifiers.twilio.account import Caller, Timeouts, TwilioAccount
from notifiers.twilio.api import sdk_client
from notifiers.twilio.transport import Transport
from tests.support.twilio.script import ACCOUNT, CALLER, KEY_SECRET, KEY_SID, SERVICE, TOKEN

PUBLIC = {"callback_base": "https://notices.example/hooks/twilio", "callback_tokens": (TOKEN,)}


def an_account(**changes: Any) -> TwilioAccount:
    settings: dict[str, Any] = {
        "account_sid": ACCOUNT,
        "messaging_service_sid": SERVICE,
        "key_sid": KEY_SID,
        "key_secret": KEY_SECRET,
    }
    return TwilioAccount(**(settings | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"account_sid": "AC" + "g" * 32},
        {"account_sid": ACCOUNT + "\n"},
        {"messaging_service_sid": ""},
        {"messaging_service_sid": "+15005550006"},
        {"key_sid": ""},
        {"key_secret": ""},
        {"key_sid": ACCOUNT},
        {"auth_token": "t0ken-s3cret"},
        {"key_sid": "", "key_secret": ""},
        {"key_secret": "with a space s3cret"},
        {"key_secret": "s3crét"},
        {"region": "ie1"},
        {"edge": "dublin"},
        {"region": "ie1.evil", "edge": "dublin"},
        {"region": "ie1", "edge": "dublin", "base_url": "http://127.0.0.1:1"},
        {"base_url": "http://api.example"},
        {"base_url": "http://127.0.0.1.evil.example"},
        {"base_url": "ftp://127.0.0.1"},
        {"base_url": "http://127.0.0.1:99999"},
        {"base_url": "http://user:s3cret@127.0.0.1"},
        {"base_url": "http://127.0.0.1/path"},
        {"callback_base": "https://notices.example"},
        PUBLIC | {"callback_base": "http://notices.example"},
        PUBLIC | {"callback_base": "https://notices.example:8443/hooks"},
        PUBLIC | {"callback_base": "https://notices.example/"},
        PUBLIC | {"callback_base": "https://notices.example/hooks?x=1"},
        PUBLIC | {"callback_base": "https://notices.example/hooks?"},
        PUBLIC | {"callback_base": "https://notices.example/hooks#x"},
        PUBLIC | {"callback_base": "https://some_host.example/hooks"},
        PUBLIC | {"callback_base": "https://user@notices.example/hooks"},
        PUBLIC | {"callback_base": "https://notices.example/a b"},
        PUBLIC | {"callback_base": "https://notices.example/" + "a" * 1100},
        PUBLIC | {"callback_tokens": (TOKEN, "")},
        {"window": 0},
        {"window": 1001},
        {"validity": timedelta(seconds=0)},
        {"validity": timedelta(seconds=36001)},
        {"timeouts": Timeouts(connect=0)},
        {"timeouts": Timeouts(read=float("inf"))},
    ],
)
def test_settings_that_contradict_each_other_or_give_a_secret_away_are_refused(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(BadGateway) as refused:
        an_account(**changes)
    assert "s3cr" not in str(refused.value)


def test_no_secret_is_shown() -> None:
    shown = repr(an_account(**PUBLIC))
    assert KEY_SID in shown
    assert KEY_SECRET not in shown and TOKEN not in shown
    by_token = an_account(key_sid="", key_secret="", auth_token="a-t0ken")
    assert "a-t0ken" not in repr(by_token)
    assert by_token.credentials == (ACCOUNT, "a-t0ken")


def test_a_key_signs_in_for_the_account() -> None:
    assert an_account().credentials == (KEY_SID, KEY_SECRET)


@pytest.mark.parametrize(
    ("changes", "peer", "tls"),
    [
        ({}, "api.twilio.com:443", True),
        ({"region": "ie1", "edge": "dublin"}, "api.dublin.ie1.twilio.com:443", True),
        ({"base_url": "http://127.0.0.1:8011"}, "127.0.0.1:8011", False),
        ({"base_url": "https://api.example"}, "api.example:443", True),
    ],
)
def test_the_peer_is_where_requests_go(changes: dict[str, Any], peer: str, tls: bool) -> None:
    account = an_account(**changes)
    assert (account.peer, account.tls) == (peer, tls)


@pytest.mark.parametrize("place", [{}, {"region": "ie1", "edge": "dublin"}])
def test_the_peer_is_the_host_that_twilio_s_client_asks_whatever_the_environment_says(
    place: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_REGION", "au1")
    monkeypatch.setenv("TWILIO_EDGE", "sydney")
    account = an_account(**place)
    client = sdk_client(account, Transport(account))
    assert f"https://{account.peer}" == f"{client.get_hostname('https://api.twilio.com')}:443"


def test_callbacks_may_come_to_this_machine_in_clear() -> None:
    account = an_account(callback_base="http://127.0.0.1:8012/hooks", callback_tokens=(TOKEN,))
    assert account.callback_base == "http://127.0.0.1:8012/hooks"


def test_the_validity_is_whole_seconds() -> None:
    assert an_account().validity_seconds == 36000
    assert an_account(validity=timedelta(hours=2)).validity_seconds == 7200


def test_an_account_that_only_calls_needs_no_messaging_service() -> None:
    account = an_account(messaging_service_sid="", caller=Caller(CALLER))
    assert account.caller == Caller("+15005550006", ring_seconds=30, longest_seconds=300)


def test_the_peer_of_calls_is_another_than_that_of_messages() -> None:
    account = an_account(region="ie1", edge="dublin")
    assert account.calls_peer == "calls.api.dublin.ie1.twilio.com:443"


@pytest.mark.parametrize(
    "changes",
    [
        {"number": ""},
        {"number": "15005550006"},
        {"number": "+15005550006\n"},
        {"number": "+1500 5550006"},
        {"number": "client:tocsin"},
        {"ring_seconds": 4},
        {"ring_seconds": 121},
        {"ring_seconds": 10.5},
        {"longest_seconds": 29},
        {"longest_seconds": 601},
    ],
)
def test_a_caller_that_cannot_call_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadGateway):
        Caller(**({"number": CALLER} | changes))


@pytest.mark.parametrize(("ring", "longest"), [(5, 30), (120, 600)])
def test_the_limits_of_a_caller_may_be_reached(ring: int, longest: int) -> None:
    assert Caller(CALLER, ring, longest).ring_seconds == ring
