"""The simulated gateway refuses what the service refuses. Requests are made here by hand or changed on their way."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from notifiers.outcome import Result
from notifiers.sms_gateway.requests import parameters_as_json, parameters_as_list, request_of
from notifiers.sms_gateway.signing import HttpRequest, query_of, signed
from notifiers.sms_gateway.terms import Slot
from tests.support.sms_gateway.account import ALIYUN_ID, TENCENT_ID
from tests.support.sms_gateway.process import gateway_process
from tests.support.sms_gateway.sending import DIALECTS, NUMBER, a_gateway, a_nonce, a_text, an_sms, now, sent
from tests.support.sms_gateway.server import SmsGateway, sms_gateway

both = pytest.mark.parametrize("dialect", DIALECTS)


def a_request(dialect: str, gateway: SmsGateway, **changes: str) -> HttpRequest:
    """A right send, with other values for some slots."""
    account = a_gateway(dialect, gateway.port)
    parameters = account.chosen_for(a_text()).parameters
    slots: dict[Slot, Any] = {
        Slot.number: account.number_of(NUMBER),
        Slot.signature: account.signature,
        Slot.template: ALIYUN_ID if dialect == "aliyun" else TENCENT_ID,
        Slot.parameters_json: parameters_as_json(parameters),
        Slot.parameters_list: parameters_as_list(parameters),
        Slot.own_id: "a1b2c3",
        **{Slot(name): value for name, value in changes.items()},
    }
    return request_of(account, account.definition.send, slots, now=now(), nonce=a_nonce())


def code_of(gateway: SmsGateway, request: HttpRequest) -> str:
    url = f"http://127.0.0.1:{gateway.port}{request.path}?{request.query}".rstrip("?")
    answer = httpx.request(
        request.method, url, headers=dict(request.headers), content=request.body, trust_env=False
    )
    document = answer.json()
    if "Response" not in document:
        return str(document["Code"])
    told = document["Response"]
    return str(told["Error"]["Code"] if "Error" in told else told["SendStatusSet"][0]["Code"])


@both
def test_a_right_request_is_taken(dialect: str) -> None:
    with sms_gateway(dialect) as gateway:
        assert code_of(gateway, a_request(dialect, gateway)) in ("OK", "Ok")
        [taken] = gateway.taken
        assert (taken.number, taken.text, taken.own_id) == (NUMBER[1:], a_text(), "a1b2c3")


@pytest.mark.parametrize(
    ("dialect", "change", "code"),
    [
        ("aliyun", {"number": "139"}, "isv.MOBILE_NUMBER_ILLEGAL"),
        ("aliyun", {"signature": "别人"}, "isv.SMS_SIGNATURE_ILLEGAL"),
        ("aliyun", {"template": "SMS_0"}, "isv.SMS_TEMPLATE_ILLEGAL"),
        ("aliyun", {"parameters_json": '{"name":"张三"}'}, "isv.TEMPLATE_MISSING_PARAMETERS"),
        ("aliyun", {"parameters_json": "{"}, "isv.INVALID_JSON_PARAM"),
        ("aliyun", {"parameters_json": '{"name":1}'}, "isv.INVALID_JSON_PARAM"),
        (
            "aliyun",
            {"parameters_json": '{"name":"%s","date":"x","code":"y"}' % ("长" * 36)},
            "isv.PARAM_LENGTH_LIMIT",
        ),
        ("tencent", {"number": "+85251234567"}, "InvalidParameterValue.IncorrectPhoneNumber"),
        ("tencent", {"signature": "别人"}, "FailedOperation.SignatureIncorrectOrUnapproved"),
        ("tencent", {"template": "0"}, "FailedOperation.TemplateUnapprovedOrNotExist"),
        (
            "tencent",
            {"parameters_list": ("张三",)},
            "FailedOperation.TemplateParamSetNotMatchApprovedTemplate",
        ),
        (
            "tencent",
            {"parameters_list": ("长" * 13, "x", "y")},
            "InvalidParameterValue.TemplateParameterLengthLimit",
        ),
        ("tencent", {"app_id": "1"}, "UnauthorizedOperation.SmsSdkAppIdVerifyFail"),
        ("tencent", {"own_id": "x" * 512}, "InvalidParameterValue"),
    ],
)
def test_what_does_not_fit_the_account_is_refused(dialect: str, change: dict[str, str], code: str) -> None:
    with sms_gateway(dialect) as gateway:
        assert code_of(gateway, a_request(dialect, gateway, **change)) == code
        assert not gateway.taken


def test_a_request_that_was_changed_on_its_way_is_refused() -> None:
    with sms_gateway("aliyun") as gateway:
        right = a_request("aliyun", gateway)
        changed = dataclasses.replace(right, query=right.query.replace("13900001234", "13900009999"))
        assert code_of(gateway, changed) == "SignatureDoesNotMatch"
        more = dataclasses.replace(right, headers={**right.headers, "x-acs-extra": "1"})
        assert code_of(gateway, more) == "SignatureDoesNotMatch"
        with_body = dataclasses.replace(right, body=b"x")
        assert code_of(gateway, with_body) == "SignatureDoesNotMatch"
    with sms_gateway("tencent") as gateway:
        right = a_request("tencent", gateway)
        changed = dataclasses.replace(right, body=right.body.replace(b"13900001234", b"13900009999"))
        assert code_of(gateway, changed) == "AuthFailure.SignatureFailure"
        assert not gateway.taken


def test_the_same_request_twice_is_one_message() -> None:
    with sms_gateway("aliyun") as gateway:
        request = a_request("aliyun", gateway)
        assert [code_of(gateway, request) for _ in range(2)] == ["OK", "SignatureNonceUsed"]
        assert len(gateway.taken) == 1


@both
def test_a_field_that_the_documentation_does_not_know_is_refused(dialect: str) -> None:
    with sms_gateway(dialect) as gateway:
        account = a_gateway(dialect, gateway.port)
        right = a_request(dialect, gateway)
        bare = {name: value for name, value in right.headers.items() if name != "authorization"}
        if dialect == "aliyun":
            query = query_of({"Surplus": "1"}) + "&" + right.query
            more = HttpRequest("POST", "/", "&".join(sorted(query.split("&"))), bare, b"")
        else:
            more = HttpRequest(
                "POST", "/", "", bare, json.dumps({**json.loads(right.body), "Surplus": 1}).encode()
            )
        definition = account.definition
        headers = signed(
            more,
            definition.signing,
            key_id=account.key_id,
            secret=account.secret,
            now=now(),
            nonce=a_nonce(),
            service=definition.signing_service,
        )
        code = code_of(gateway, dataclasses.replace(more, headers=headers))
        assert code == ("InvalidParameter" if dialect == "aliyun" else "UnknownParameter")


@pytest.mark.parametrize(("dialect", "minutes"), [("aliyun", 15), ("tencent", 5)])
def test_the_time_of_a_request_may_be_some_minutes_off(dialect: str, minutes: int) -> None:
    for off, result in ((minutes - 1, Result.accepted), (minutes + 1, Result.permanent)):
        then = now() + timedelta(minutes=off)
        with sms_gateway(dialect, clock=then.timestamp) as gateway:
            assert sent(dialect, gateway.port)[0].result is result


def test_the_same_content_to_one_number_within_half_a_minute_is_refused_by_tencent() -> None:
    with sms_gateway("tencent") as gateway:
        outcomes = sent("tencent", gateway.port, an_sms(), an_sms(), an_sms(a_text("李四")))
        assert [each.result for each in outcomes] == [Result.accepted, Result.temporary, Result.accepted]


def test_the_fifty_first_of_a_day_is_refused_by_aliyun() -> None:
    with sms_gateway("aliyun") as gateway:
        outcomes = sent("aliyun", gateway.port, *[an_sms() for _ in range(51)])
        assert [each.result for each in outcomes] == [Result.accepted] * 50 + [Result.temporary]


@both
def test_a_process_of_its_own_remembers_what_it_took(dialect: str, tmp_path: Path) -> None:
    record = tmp_path / "taken.jsonl"
    with gateway_process(record, dialect, faults=("97=drop:taken", "98=drop*1")) as gateway:
        messages = [an_sms(number=f"+86139000000{ending}") for ending in (11, 97, 98)]
        outcomes = sent(dialect, gateway.port, *messages)
        assert [each.result for each in outcomes] == [Result.accepted, Result.ambiguous, Result.ambiguous]
        assert [each.number[-2:] for each in gateway.taken] == ["11", "97"]
        assert sent(dialect, gateway.port, messages[2])[0].result is Result.accepted
    with gateway_process(record, dialect) as again:
        sent(dialect, again.port, an_sms(a_text("李四")))
        references = [each.reference for each in again.taken]
        assert len(set(references)) == len(references) == 4
