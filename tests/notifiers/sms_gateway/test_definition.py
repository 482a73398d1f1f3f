"""Definitions of gateways, and the settings of an account."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from notifiers.errors import BadAddress, BadGateway
from notifiers.outcome import Outcome, Result, Stage
from notifiers.sms_gateway.codes import VERDICTS, class_of, verdict_of
from notifiers.sms_gateway.definition import GatewayDefinition, definition_of
from notifiers.sms_gateway.gateway import Template, tls_context
from notifiers.sms_gateway.requests import request_of
from notifiers.sms_gateway.shipped import definitions_folder
from notifiers.sms_gateway.terms import CodeClass
from tests.support.sms_gateway.sending import DIALECTS, a_gateway, a_text, document_of, now, shipped


def changed(dialect: str, path: str, value: object) -> Any:
    document = copy.deepcopy(document_of(dialect))
    *folders, last = path.split("/")
    inner = document
    for folder in folders:
        inner = inner[folder]
    inner[last] = value
    return document


def test_each_shipped_definition_is_valid_and_named_after_its_file() -> None:
    files = sorted(definitions_folder().glob("*.yaml"))
    assert [file.stem for file in files] == sorted(DIALECTS)
    assert [shipped(file.stem).name for file in files] == [file.stem for file in files]


@pytest.mark.parametrize(
    ("dialect", "path", "value", "says"),
    [
        ("aliyun", "send/fields/PhoneNumbers", "{nobody}", "send"),
        ("aliyun", "send/fields/PhoneNumbers", "13900001234", "constant"),
        ("aliyun", "send/fields/PhoneNumbers", "{signature}", "number"),
        ("aliyun", "send/fields/OutId", "{secret}", "secret"),
        ("aliyun", "send/fields/OutId", "{page}", "page"),
        ("aliyun", "send/fields/TemplateParam", "{own_id}", "parameters_json"),
        ("aliyun", "send/fields/OutId", "{text}", "text"),
        ("aliyun", "send/fields/TemplateCode", "{own_id}", "template"),
        ("tencent", "receipt/encoding", "query", "tc3"),
        ("tencent", "send/encoding", "form", "list"),
        ("aliyun", "send/reply/success", "Code ==", "JMESPath"),
        ("aliyun", "send/surplus", 1, "surplus"),
        ("aliyun", "signing", "md5", "signing"),
        ("aliyun", "signing", "tc3", "signing_service"),
        ("aliyun", "time_zone", "Mars/Olympus", "time zone"),
        ("aliyun", "host", "https://dysmsapi.aliyuncs.com/", "host"),
        ("aliyun", "send/headers", {"x-acs-action": "Send\r\nSms"}, "headers"),
        ("aliyun", "codes", {"isv.*.X": "account"}, "star"),
        ("aliyun", "codes", {"isv.X": "fine"}, "codes"),
        ("aliyun", "national_number", "(", "regular"),
        ("aliyun", "receipt/records/states", {"1": "gone"}, "states"),
    ],
)
def test_a_definition_that_cannot_be_meant_is_refused_with_the_place(
    dialect: str, path: str, value: object, says: str
) -> None:
    with pytest.raises(BadGateway, match="definition") as refused:
        definition_of(changed(dialect, path, value))
    assert says in str(refused.value)


def test_a_document_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(BadGateway):
        definition_of(["aliyun"])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"host": "dysmsapi.aliyuncs.com", "tls": False}, "unprotected"),
        ({"host": "a/b"}, "host"),
        ({"port": 70000}, "port"),
        ({"ca_file": Path("ca.pem")}, "TLS is off"),
        ({"key_id": ""}, "key id"),
        ({"secret": "Schlüssel"}, "secret"),
        ({"signature": "【示例】"}, "signature"),
        ({"signature": ""}, "signature"),
        ({"values": {"app_id": "1"}}, "no use for app_id"),
        ({"templates": ()}, "at least one"),
        ({"templates": (Template("a", "${x}${y}"),)}, "no fixed text"),
        ({"templates": (Template("a", "${x}"), Template("a", "y"))}, "id of its own"),
        ({"country_code": "+86"}, "country code"),
        ({"window": 0}, "window"),
        ({"longest_variable": -1}, "longest variable"),
    ],
)
def test_settings_that_contradict_each_other_or_give_a_secret_away_are_refused(
    settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(BadGateway, match=says) as refused:
        a_gateway(**{"dialect": "aliyun", **settings})
    assert "Schlüssel" not in str(refused.value)


def test_a_private_line_may_be_without_tls() -> None:
    gateway = a_gateway(host="10.0.0.7", port=0, tls=False, allow_unprotected=True)
    assert (gateway.peer, gateway.origin) == ("10.0.0.7:80", "http://10.0.0.7")


def test_tencent_wants_its_values_and_ids_that_are_numbers() -> None:
    with pytest.raises(BadGateway, match="app_id"):
        a_gateway("tencent", values={"region": "ap-guangzhou"})
    with pytest.raises(BadGateway, match="numbers"):
        a_gateway("tencent", templates=(Template("SMS_1", "{1}。"),))


def test_the_shipped_limit_counts_where_the_settings_say_none() -> None:
    assert a_gateway("tencent", longest_variable=0).longest_variable == 6
    assert a_gateway("aliyun", longest_variable=0).longest_variable == 35


def test_a_file_of_authorities_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadGateway, match="authorities"):
        tls_context(a_gateway(tls=True, ca_file=tmp_path / "missing.pem"))


@pytest.mark.parametrize(
    ("form", "number", "written"),
    [
        ("national", "+8613900001234", "13900001234"),
        ("national", "+85251234567", "85251234567"),
        ("digits", "+8613900001234", "8613900001234"),
        ("e164", "+8613900001234", "+8613900001234"),
    ],
)
def test_numbers_are_written_as_the_definition_says(form: str, number: str, written: str) -> None:
    definition = definition_of(changed("aliyun", "number_format", form))
    assert a_gateway(definition=definition).number_of(number) == written


@pytest.mark.parametrize("number", ["+15551234567", "+8685251234567", "+861012345678"])
def test_a_number_that_the_gateway_would_take_for_another_country_s_is_refused(number: str) -> None:
    """Without country code +1 555 123 4567 is a mobile number in China, and +86 852 5123 4567 one in Hong Kong."""
    with pytest.raises(BadAddress) as refused:
        a_gateway("aliyun").number_of(number)
    assert number[1:] not in str(refused.value)
    assert a_gateway("tencent").number_of(number) == number


def a_plain_definition(signing: str = "none") -> GatewayDefinition:
    """A gateway that takes the whole text, in a form, with key and secret as fields."""
    document = document_of("aliyun")
    for name in ("receipt", "pushed", "templates", "signature"):
        del document[name]
    document |= {"name": "plain", "signing": signing, "signature_place": "nowhere"}
    document["template"]["syntax"] = "none"
    document["send"] |= {
        "headers": {},
        "encoding": "form",
        "fields": {"to": "{number}", "msg": "{text}", "user": "{key_id}", "pw": "{secret}"},
    }
    if signing != "none":
        del document["send"]["fields"]["user"], document["send"]["fields"]["pw"]
    return definition_of(document)


def test_a_gateway_without_templates_gets_the_text_as_it_was_released() -> None:
    gateway = a_gateway(definition=a_plain_definition(), templates=(), signature="")
    chosen = gateway.chosen_for(a_text())
    assert (chosen.template, chosen.text) == ("", a_text())
    slots = {slot: "x" for slot in gateway.definition.send.slots if slot not in ("key_id", "secret")}
    request = request_of(gateway, gateway.definition.send, slots, now=now(), nonce="")
    assert request.body == f"msg=x&pw={gateway.secret}&to=x&user={gateway.key_id}".encode()
    with pytest.raises(BadGateway, match="no templates"):
        a_gateway(definition=a_plain_definition(), signature="")


def test_a_secret_goes_neither_into_a_query_nor_beside_a_signature() -> None:
    document = a_plain_definition().model_dump(by_alias=True, mode="json", exclude_none=True)
    document["send"]["encoding"] = "query"
    with pytest.raises(BadGateway, match="query"):
        definition_of(document)
    document["send"]["encoding"], document["signing"] = "form", "bearer"
    with pytest.raises(BadGateway, match="secret"):
        definition_of(document)


def test_a_key_id_with_a_colon_would_be_another_one_in_basic() -> None:
    with pytest.raises(BadGateway, match="colon"):
        a_gateway(definition=a_plain_definition("basic"), templates=(), signature="", key_id="a:b")


def test_an_exact_code_counts_before_a_beginning_and_a_longer_one_before_a_shorter() -> None:
    codes = {"A*": CodeClass.account, "A.B*": CodeClass.throttled, "A.B.C": CodeClass.permanent}
    assert class_of("A.B.C", codes) is CodeClass.permanent
    assert class_of("A.B.D", codes) is CodeClass.throttled
    assert class_of("A.X", codes) is CodeClass.account
    assert class_of("X", codes) is CodeClass.account


def test_each_class_has_a_meaning_and_only_two_are_about_the_recipient() -> None:
    assert VERDICTS.keys() == set(CodeClass)
    about = {
        each for each, verdict in VERDICTS.items() if _outcome(verdict.result, verdict.stage).about_recipient
    }
    assert about == {CodeClass.permanent}
    ours = {each for each, verdict in VERDICTS.items() if _outcome(verdict.result, verdict.stage).about_relay}
    assert ours == {CodeClass.account, CodeClass.throttled}


def _outcome(result: Result, stage: Stage) -> Outcome:
    return Outcome(result, stage, 200, "X", "", peer="", tls=True)


@pytest.mark.parametrize(
    ("dialect", "code", "expected"),
    [
        ("tencent", "LimitExceeded.PhoneNumberOneHourLimit", CodeClass.temporary),
        ("tencent", "LimitExceeded.PhoneNumberCountLimit", CodeClass.account),
        ("tencent", "LimitExceeded", CodeClass.throttled),
        ("tencent", "InternalError", CodeClass.unknown),
        ("tencent", "InternalError.SigVerificationFail", CodeClass.account),
        ("tencent", "FailedOperation.TemplateUnapprovedOrNotExist", CodeClass.account),
        ("aliyun", "isp.RAM_PERMISSION_DENY", CodeClass.account),
        ("aliyun", "isp.GATEWAY_ERROR", CodeClass.unknown),
        ("aliyun", "SignatureNonceUsed", CodeClass.unknown),
    ],
)
def test_the_shipped_codes_mean_what_the_providers_say(dialect: str, code: str, expected: CodeClass) -> None:
    codes = shipped(dialect).codes
    assert class_of(code, codes) is expected
    assert verdict_of(code, codes) == VERDICTS[expected]
