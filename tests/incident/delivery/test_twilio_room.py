"""An account at Twilio as the settings describe it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from incident.carrier_settings import TwilioSettings
from incident.delivery.promises import Rule, broken_promises, must_keep_promises
from incident.delivery.twilio_room import Twilio, twilio_from
from incident.errors import BadInput, Refused
from incident.settings import Settings, parse_settings
from tests.support.breaches import ORGANISATION
from tests.support.twilio.script import ACCOUNT, KEY_SECRET, KEY_SID, OTHER_TOKEN, TOKEN
from tests.support.twilio_sendings import secret_file, twilio_settings

PUBLIC = "https://notices.example/receipts/sms"


def declared(folder: Path, **more: Any) -> TwilioSettings:
    return TwilioSettings.model_validate(twilio_settings(1, folder, **{"base_url": "", **more})["twilio"])


def described(folder: Path, **more: Any) -> Twilio:
    return twilio_from(declared(folder, **more), root=folder)


def test_a_key_signs_in_and_the_auth_token_checks_callbacks(tmp_path: Path) -> None:
    account = described(tmp_path, callback_url=PUBLIC).account
    assert account.credentials == (KEY_SID, KEY_SECRET)
    assert (account.callback_base, account.callback_tokens) == (PUBLIC, (TOKEN,))
    assert account.peer == "api.twilio.com:443" and account.tls
    assert account.validity_seconds == 36_000


def test_an_auth_token_alone_signs_in_and_checks_callbacks(tmp_path: Path) -> None:
    token = secret_file(tmp_path, "token", TOKEN)
    found = described(tmp_path, key_sid="", secret=token, callback_url=PUBLIC, callback_token=None)
    assert found.account.credentials == (ACCOUNT, TOKEN)
    assert found.account.callback_tokens == (TOKEN,)


def test_while_a_token_is_changed_both_hold(tmp_path: Path) -> None:
    before = secret_file(tmp_path, "before", OTHER_TOKEN)
    account = described(tmp_path, callback_url=PUBLIC, callback_token_before=before).account
    assert account.callback_tokens == (TOKEN, OTHER_TOKEN)


def test_a_region_leads_to_its_host(tmp_path: Path) -> None:
    assert described(tmp_path, region="ie1", edge="dublin").peer == "api.dublin.ie1.twilio.com:443"


def test_no_secret_is_told_by_what_is_made_of_it(tmp_path: Path) -> None:
    told = repr(described(tmp_path, callback_url=PUBLIC))
    assert KEY_SECRET not in told and TOKEN not in told


def test_certificates_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("nothing", encoding="utf-8")
    with pytest.raises(BadInput) as bad:
        described(tmp_path, ca_file="none.pem")
    assert "none.pem" in bad.value.what


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "twilio", None)
    with pytest.raises(BadInput) as missing:
        described(tmp_path)
    assert "tocsin[twilio]" in (missing.value.next_step or "")


# -- in the settings and against the promises --------------------------------------------------------------


def settings_with(folder: Path, promises: dict[str, Any] | None = None, **more: Any) -> Settings:
    tables: dict[str, Any] = {
        "workspace": {"id": "w", "name": "W"},
        "organisation": ORGANISATION,
        "scope": {"countries": ["cn"]},
        "fallback": {"means": ["sms"]},
        "mail": {
            "host": "mail.example.com",
            "from_address": "a@example.com",
            "processor": "our own",
            "country": "cn",
        },
        "promises": promises or {},
        "sms": twilio_settings(1, folder, **more),
    }
    return parse_settings(tables, where="incident.toml")


def test_sms_leave_by_one_carrier(tmp_path: Path) -> None:
    sms = twilio_settings(1, tmp_path)
    for other in ("smpp", "gateway"):
        with pytest.raises(BadInput) as bad:
            parse_settings({"workspace": {"id": "w", "name": "W"}, "sms": {**sms, other: {}}}, where="x")
        assert "one carrier" in str(bad.value)
    found = settings_with(tmp_path)
    assert found.sms.carrier is found.sms.twilio and found.sms.table == "sms.twilio"


@pytest.mark.parametrize(
    ("key", "value"), [("window", 0), ("validity_hours", 11), ("validity_hours", 0), ("secret", "plain")]
)
def test_values_that_cannot_be_are_refused(tmp_path: Path, key: str, value: Any) -> None:
    with pytest.raises(BadInput) as bad:
        settings_with(tmp_path, **{key: value})
    assert key in str(bad.value)


def test_twilio_abroad_needs_what_the_transfer_rests_on(tmp_path: Path) -> None:
    [(means, broken)] = broken_promises(settings_with(tmp_path, transfer=""))
    assert (means, broken.rule, broken.where) == ("sms", Rule.TRANSFER, "sms.twilio.transfer")
    assert list(broken_promises(settings_with(tmp_path))) == []


@pytest.mark.parametrize(
    ("promises", "more", "rule", "where"),
    [
        ({"keep_in": ["cn"]}, {}, Rule.KEEP_IN, "sms.twilio.country"),
        (
            {"share_with_no_one": True},
            {"relation": "provided"},
            Rule.SHARE_WITH_NO_ONE,
            "sms.twilio.relation",
        ),
        ({}, {"contract": ""}, Rule.CONTRACT, "sms.twilio.contract"),
        ({}, {"messaging_service": ""}, Rule.DECLARED, "incident.toml"),
    ],
)
def test_it_is_held_against_the_same_rules(
    tmp_path: Path, promises: dict[str, Any], more: dict[str, Any], rule: Rule, where: str
) -> None:
    found = settings_with(tmp_path, promises, **more)
    [(_, broken)] = broken_promises(found)
    assert (broken.rule, broken.where) == (rule, where)
    with pytest.raises(Refused):
        must_keep_promises(found)
