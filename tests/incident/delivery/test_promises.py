"""What the organisation promised holds before a campaign opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incident.delivery.promises import (
    Rule,
    broken_promises,
    carriers_of,
    must_keep_promises,
    promised_away,
)
from incident.errors import Refused
from incident.settings import Settings
from tests.support.breaches import make_breach, some_people
from tests.support.workspaces import all_rows

DECLARED: dict[str, Any] = {
    "host": "relay.example.com",
    "from_address": "notice@example.com",
    "processor": "our own relay",
    "country": "cn",
}
CENTRE: dict[str, Any] = {
    "host": "smsc.example.com",
    "tls": True,
    "system_id": "tocsin",
    "sender": "10000",
    "processor": "our own centre",
    "country": "cn",
}
POLICY = "我们会将收集到的个人信息存储于中华人民共和国境内。"


def settings(promises: dict[str, Any] | None = None, scope: str = "cn", **mail: Any) -> Settings:
    return Settings.model_validate(
        {
            "workspace": {"id": "t", "name": "T"},
            "scope": {"countries": [scope]},
            "mail": {**DECLARED, **mail},
            "promises": promises or {},
        }
    )


def with_centre(
    promises: dict[str, Any] | None = None, means: tuple[str, ...] = ("email", "sms"), **smpp: Any
) -> Settings:
    return Settings.model_validate(
        {
            "workspace": {"id": "t", "name": "T"},
            "mail": DECLARED,
            "sms": {"smpp": {**CENTRE, **smpp}},
            "fallback": {"means": means},
            "promises": promises or {},
        }
    )


def test_our_own_relay_in_the_country_keeps_every_promise() -> None:
    must_keep_promises(settings({"keep_in": ["cn"], "share_with_no_one": True}))


def test_a_relay_abroad_breaks_the_promise_to_keep_data_in_the_country() -> None:
    with pytest.raises(Refused, match=r"'us'.*keep personal data in cn") as refused:
        must_keep_promises(settings({"keep_in": ["cn"]}, country="us"))
    assert refused.value.where == "mail.country"


@pytest.mark.parametrize(
    ("other", "where"),
    [
        ({"country": "us", "processor": "x"}, "mail.others.0.country"),
        ({"country": "cn", "processor": "x", "relation": "provided"}, "mail.others.0.relation"),
        ({"country": "cn", "processor": "x", "relation": "entrusted"}, "mail.others.0.contract"),
    ],
)
def test_a_relay_that_takes_over_keeps_the_promises_too(other: dict[str, str], where: str) -> None:
    with pytest.raises(Refused) as refused:
        must_keep_promises(settings({"keep_in": ["cn"]}, others=[{"host": "two.example.com", **other}]))
    assert refused.value.where == where


def test_everything_that_is_not_declared_is_named_at_once() -> None:
    with pytest.raises(Refused, match=r"mail.from_address, mail.host, mail.others.0.processor") as refused:
        must_keep_promises(settings(from_address="", host="", others=[{"host": "x", "country": "cn"}]))
    assert "processor" in str(refused.value.next_step) or "processes" in str(refused.value.next_step)


@pytest.mark.parametrize("promises", [{}, {"keep_in": ["cn", "us"]}])
def test_what_goes_abroad_needs_what_the_law_asks_for_by_reference(promises: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="abroad for an organisation in 'cn'") as refused:
        must_keep_promises(settings(promises, country="us"))
    assert refused.value.where == "mail.transfer"
    assert "a reason is not enough" in (refused.value.next_step or "")
    must_keep_promises(settings(promises, country="us", transfer="CAC-SC-2026-0031"))


def test_no_reference_undoes_a_promise() -> None:
    with pytest.raises(Refused) as refused:
        must_keep_promises(settings({"keep_in": ["cn"]}, country="us", transfer="CAC-SC-2026-0031"))
    assert refused.value.where == "mail.country"


@pytest.mark.parametrize(
    ("home", "country"), [("eu", "de"), ("fr", "is"), ("us-ca", "us"), ("hk", "hk"), ("eu", "eu")]
)
def test_what_stays_at_home_is_no_transfer(home: str, country: str) -> None:
    must_keep_promises(settings(scope=home, country=country))


@pytest.mark.parametrize(("home", "country"), [("eu", "gb"), ("cn", "hk"), ("us", "de")])
def test_another_country_is_abroad_also_a_near_one(home: str, country: str) -> None:
    with pytest.raises(Refused) as refused:
        must_keep_promises(settings(scope=home, country=country))
    assert refused.value.where == "mail.transfer"


@pytest.mark.parametrize("mail", [{"country": "us"}, {"relation": "provided"}])
def test_the_words_of_the_privacy_policy_are_quoted(mail: dict[str, str]) -> None:
    wording = {"en": "Kept in the Chinese mainland.", "zh-Hans": POLICY}
    with pytest.raises(Refused) as refused:
        must_keep_promises(settings({"keep_in": ["cn"], "wording": wording}, **mail))
    assert f"“{POLICY}”" in refused.value.what


def test_a_third_party_breaks_the_promise_to_share_with_no_one() -> None:
    with pytest.raises(Refused, match="third party") as refused:
        must_keep_promises(settings(relation="provided"))
    assert refused.value.where == "mail.relation"


def test_a_third_party_is_allowed_where_nothing_else_was_promised() -> None:
    must_keep_promises(settings({"share_with_no_one": False}, relation="provided"))


def test_a_processor_needs_a_contract() -> None:
    with pytest.raises(Refused, match="no contract is named"):
        must_keep_promises(settings(relation="entrusted"))
    must_keep_promises(settings(relation="entrusted", contract="DPA-2026-014"))


@pytest.mark.parametrize("name", ["host", "from_address", "processor", "country"])
def test_a_relay_must_be_declared(name: str) -> None:
    with pytest.raises(Refused, match=f"mail.{name}"):
        must_keep_promises(settings(None, **{name: ""}))


@pytest.mark.parametrize(
    "mail", [{"country": "us"}, {"relation": "provided"}, {"relation": "entrusted"}, {"processor": ""}]
)
def test_a_campaign_that_would_break_a_promise_is_not_opened(tmp_path: Path, mail: dict[str, Any]) -> None:
    breach = make_breach(tmp_path, people=some_people(3), mail=mail, promises={"keep_in": ["cn"]})
    breach.release()
    before = all_rows(breach.made.store)
    with pytest.raises(Refused):
        breach.open_sending()
    assert all_rows(breach.made.store) == before


def test_a_centre_declared_at_home_over_tls_keeps_every_promise() -> None:
    promises = {"keep_in": ["cn"], "share_with_no_one": True}
    must_keep_promises(with_centre(promises))
    assert promised_away(with_centre(promises)) == frozenset()


@pytest.mark.parametrize(
    ("smpp", "rule", "where"),
    [
        ({"country": "sg"}, Rule.KEEP_IN, "sms.smpp.country"),
        ({"relation": "provided"}, Rule.SHARE_WITH_NO_ONE, "sms.smpp.relation"),
        ({"relation": "entrusted"}, Rule.CONTRACT, "sms.smpp.contract"),
        ({"tls": False}, Rule.IN_CLEAR, "sms.smpp.tls"),
        ({"sender": ""}, Rule.DECLARED, "incident.toml"),
    ],
)
def test_a_centre_is_held_against_the_same_rules(smpp: dict[str, Any], rule: Rule, where: str) -> None:
    found = with_centre({"keep_in": ["cn"], "wording": {"zh-Hans": POLICY}}, **smpp)
    [(means, broken)] = broken_promises(found)
    assert (means, broken.rule, broken.where) == ("sms", rule, where)
    assert promised_away(found) == {"sms"}
    with pytest.raises(Refused) as refused:
        must_keep_promises(found)
    assert refused.value.where == where


def test_a_centre_abroad_needs_a_reference_too() -> None:
    [(_, broken)] = broken_promises(with_centre(country="sg"))
    assert (broken.rule, broken.where) == (Rule.TRANSFER, "sms.smpp.transfer")
    must_keep_promises(with_centre(country="sg", transfer="CAC-SC-2026-0031"))


def test_everything_that_a_centre_lacks_is_named_at_once() -> None:
    empty: dict[str, Any] = dict.fromkeys(("host", "processor", "country", "sender", "system_id"), "")
    [(_, broken)] = broken_promises(with_centre(**empty))
    for name in empty:
        assert f"sms.smpp.{name}" in broken.what


@pytest.mark.parametrize(
    "smpp", [{"private_line": True}, {"host": "127.0.0.1"}, {"host": "localhost"}, {"host": "::1"}]
)
def test_in_clear_goes_only_what_stays_here_or_on_a_line_declared_as_private(smpp: dict[str, Any]) -> None:
    must_keep_promises(with_centre(**{**smpp, "tls": False}))


@pytest.mark.parametrize("host", ["127.0.0.1.example.com", "localhost.example.com", "10.0.0.1"])
def test_a_host_that_only_looks_like_this_machine_is_another(host: str) -> None:
    [(_, broken)] = broken_promises(with_centre(tls=False, host=host))
    assert broken.rule is Rule.IN_CLEAR


def test_a_centre_that_no_means_uses_is_in_nobody_s_way() -> None:
    found = with_centre(means=("email", "letter"), country="")
    assert [each.where for each in carriers_of(found)] == ["mail"]
    must_keep_promises(found)


def test_texts_that_people_send_by_hand_have_no_carrier_here() -> None:
    found = settings()
    assert [each.where for each in carriers_of(found)] == ["mail"]
    assert promised_away(found) == frozenset()


def test_a_relay_that_breaks_a_promise_takes_only_its_own_means_away() -> None:
    found = Settings.model_validate(
        {**with_centre().model_dump(), "mail": {**DECLARED, "relation": "provided"}}
    )
    assert promised_away(found) == {"email"}


GATEWAY = {
    "name": "aliyun",
    "key_id": "LTAI5tExample",
    "signature": "示例移动",
    "templates": [{"id": "SMS_1", "text": "${a}"}],
    "processor": "a gateway under contract",
    "country": "cn",
    "relation": "entrusted",
    "contract": "DPA-2026-014",
}


def with_gateway(promises: dict[str, Any] | None = None, **gateway: Any) -> Settings:
    return Settings.model_validate(
        {
            "workspace": {"id": "t", "name": "T"},
            "mail": DECLARED,
            "sms": {"gateway": {**GATEWAY, **gateway}},
            "fallback": {"means": ("email", "sms")},
            "promises": promises or {},
        }
    )


def test_a_gateway_at_home_under_contract_keeps_every_promise() -> None:
    must_keep_promises(with_gateway({"keep_in": ["cn"], "share_with_no_one": True}))


@pytest.mark.parametrize(
    ("gateway", "rule", "where"),
    [
        ({"country": "sg"}, Rule.KEEP_IN, "sms.gateway.country"),
        ({"relation": "provided"}, Rule.SHARE_WITH_NO_ONE, "sms.gateway.relation"),
        ({"contract": ""}, Rule.CONTRACT, "sms.gateway.contract"),
        ({"tls": False}, Rule.IN_CLEAR, "sms.gateway.tls"),
        ({"tls": False, "host": "sms.example.com"}, Rule.IN_CLEAR, "sms.gateway.tls"),
        ({"key_id": ""}, Rule.DECLARED, "incident.toml"),
    ],
)
def test_a_gateway_is_held_against_the_same_rules(gateway: dict[str, Any], rule: Rule, where: str) -> None:
    found = with_gateway({"keep_in": ["cn"], "wording": {"zh-Hans": POLICY}}, **gateway)
    [(means, broken)] = broken_promises(found)
    assert (means, broken.rule, broken.where) == ("sms", rule, where)
    if rule is Rule.KEEP_IN:
        assert POLICY in broken.what


def test_two_carriers_of_sms_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="one carrier"):
        Settings.model_validate(
            {"workspace": {"id": "t", "name": "T"}, "sms": {"gateway": GATEWAY, "smpp": CENTRE}}
        )
