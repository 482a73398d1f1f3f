"""What SMS by Twilio need is known before the day: the account, its senders, its balance, and the way for callbacks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incident.carrier_settings import SmsSettings
from incident.ops.doctor_sms import examine_sms, typical_segments
from incident.ops.examined import Examined, State
from incident.response.housework import House
from incident.settings import Fallback, Promises
from tests.support.breaches import make_breach, some_people
from tests.support.twilio.api import TwilioApi
from tests.support.twilio.script import KEY_SECRET, Options
from tests.support.twilio.server import twilio_api
from tests.support.twilio_sendings import secret_file, twilio_settings

PEOPLE = 40


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return make_breach(
        tmp_path_factory.mktemp("house"), people=some_people(PEOPLE), scope={"countries": ["cn"]}
    ).house


@pytest.fixture
def api() -> Iterator[TwilioApi]:
    with twilio_api(balance="99999") as running:
        yield running


def declared(
    house: House, port: int, folder: Path, *, price: str | None = None, currency: str = "USD", **more: Any
) -> House:
    more = {"callback_url": "https://notices.example/receipts/sms", **more}
    table = {
        **twilio_settings(port, folder, **more),
        "price": price,
        "currency": currency,
        "most_segments": 20,
    }
    settings = house.settings.model_copy(
        update={
            "sms": SmsSettings.model_validate(table),
            "fallback": Fallback.model_validate({"means": ("email", "sms")}),
            "promises": Promises(),
        }
    )
    return House(house.workspace, settings, house.store, house.clock)


def found(house: House, what: str) -> list[Examined]:
    return [each for each in examine_sms(house) if each.what == what]


def faults(house: House) -> list[Examined]:
    return [each for each in examine_sms(house) if each.state is not State.OK]


def test_an_account_that_is_ready_is_no_finding(house: House, api: TwilioApi, tmp_path: Path) -> None:
    looked_at = declared(house, api.port, tmp_path)
    assert faults(looked_at) == []
    [one] = found(looked_at, "SMS carrier")
    assert one.finding == f"127.0.0.1:{api.port}, Twilio Inc., us: the account is active, 2 senders"
    assert api.taken == []
    [receipts] = found(looked_at, "SMS receipts")
    assert "https://notices.example/receipts/sms" in receipts.finding


@pytest.mark.parametrize(
    ("options", "state", "says"),
    [
        (Options(balance="99", account_status="suspended"), State.FAIL, "suspended"),
        (Options(balance="99", account_type="Trial"), State.WARN, "on trial"),
        (Options(balance="99", service=False), State.FAIL, "Messaging Service is not there"),
        (Options(balance="99", numbers=0), State.FAIL, "no senders"),
    ],
)
def test_what_keeps_messages_from_people_is_told(
    house: House, tmp_path: Path, options: Options, state: State, says: str
) -> None:
    with twilio_api(options) as api:
        [one] = faults(declared(house, api.port, tmp_path))
    assert (one.what, one.state) == ("SMS carrier", state)
    assert says in one.finding and one.next_step


def test_what_a_key_is_not_told_is_no_fault(house: House, tmp_path: Path) -> None:
    pools = ("PhoneNumbers", "ShortCodes", "AlphaSenders")
    with twilio_api(tells=False, forbidden=pools) as api:
        looked_at = declared(house, api.port, tmp_path)
        assert faults(looked_at) == []
        [one] = found(looked_at, "SMS carrier")
    assert "may not ask of the account" in one.finding and "senders not told" in one.finding


def test_a_balance_is_held_against_the_longest_list(house: House, tmp_path: Path) -> None:
    segments = max(typical_segments(house, each) or 1 for each in house.settings.workspace.languages)
    cost = PEOPLE * segments  # at a price of 1
    for balance, state in ((cost, State.OK), (cost - 1, State.WARN), (0, State.FAIL), (-3, State.FAIL)):
        with twilio_api(balance=str(balance)) as api:
            [one] = found(declared(house, api.port, tmp_path, price="1"), "SMS credits")
        assert one.state is state, one.finding
        assert str(balance) in one.finding
    with twilio_api(balance="1") as api:
        [unknown] = found(declared(house, api.port, tmp_path), "SMS credits")
        [foreign] = found(declared(house, api.port, tmp_path, price="1", currency="CNY"), "SMS credits")
    assert unknown.state is foreign.state is State.OK
    assert "not known" in unknown.finding and "not known" in foreign.finding


def test_without_callbacks_it_is_said_that_asking_alone_tells(
    house: House, api: TwilioApi, tmp_path: Path
) -> None:
    [one] = faults(declared(house, api.port, tmp_path, callback_url=""))
    assert (one.what, one.state) == ("SMS receipts", State.WARN)
    assert "callback_url" in one.next_step


def test_a_key_that_is_refused_and_a_server_that_is_away_are_told(
    house: House, api: TwilioApi, tmp_path: Path
) -> None:
    wrong = secret_file(tmp_path, "wrong", "no-such-key")
    [refused] = faults(declared(house, api.port, tmp_path, secret=wrong))
    assert refused.state is State.FAIL and "20003" in refused.finding
    with twilio_api() as gone:
        port = gone.port
    [away] = faults(declared(house, port, tmp_path))
    assert away.state is State.FAIL and f"127.0.0.1:{port}" in away.finding
    assert KEY_SECRET not in refused.finding and "no-such-key" not in refused.finding


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"account_sid": ""}, "sms.twilio.account_sid"),
        ({"messaging_service": ""}, "sms.twilio.messaging_service"),
        ({"country": ""}, "sms.twilio.country"),
        ({"secret": None}, "sms.twilio.secret"),
        ({"ca_file": "no.pem"}, "sms.twilio.ca_file"),
        ({"transfer": ""}, "sms.twilio.transfer"),
        ({"contract": ""}, "sms.twilio.contract"),
        ({"account_sid": "AC1"}, "32 hexadecimal digits"),
        ({"base_url": "http://api.example.com"}, "https"),
        ({"callback_url": "http://notices.example/receipts/sms"}, "https"),
        ({"callback_token": None}, "no auth token"),
    ],
)
def test_each_wrong_setting_is_named_before_anybody_is_asked(
    house: House, api: TwilioApi, tmp_path: Path, more: dict[str, Any], says: str
) -> None:
    [one] = faults(declared(house, api.port, tmp_path, **more))
    assert one.state is State.FAIL and says in one.finding
    assert api.requests == []
