"""Signatures of requests, against the providers' own examples and their own clients.

Vectors marked "client" were made with Alibaba Cloud's alibabacloud_tea_openapi 0.4.6 (`Utils.get_authorization`) and with
Tencent Cloud's tencentcloud-sdk-python-common 3.1.195 (`AbstractClient._get_tc3_signature`), for the requests that stand
here.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.sms_gateway.signing import HttpRequest, query_of, signed
from notifiers.sms_gateway.terms import Signing
from tests.support.sms_gateway.aliyun import _signature as aliyun_signature
from tests.support.sms_gateway.dialect import Received
from tests.support.sms_gateway.tencent import _signature as tencent_signature

AT = datetime(2026, 12, 1, 4, 5, 6, tzinfo=UTC)


def acs3(
    action: str,
    query: dict[str, str],
    *,
    body: bytes = b"",
    content_type: str = "",
    host: str = "dysmsapi.aliyuncs.com",
    version: str = "2017-05-25",
    key: tuple[str, str] = ("LTAI-example", "example-secret"),
    now: datetime = AT,
    nonce: str = "nonce-1",
) -> str:
    headers = {"host": host, "x-acs-action": action, "x-acs-version": version}
    if content_type:
        headers["content-type"] = content_type
    request = HttpRequest("POST", "/", query_of(query), headers, body)
    return signed(request, Signing.acs3, key_id=key[0], secret=key[1], now=now, nonce=nonce)["authorization"]


def test_the_worked_example_of_alibaba_clouds_documentation() -> None:
    said = acs3(
        "RunInstances",
        {"RegionId": "cn-shanghai", "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"},
        host="ecs.cn-shanghai.aliyuncs.com",
        version="2014-05-26",
        key=("YourAccessKeyId", "YourAccessKeySecret"),
        now=datetime(2023, 10, 26, 10, 22, 32, tzinfo=UTC),
        nonce="3156853299f313e23d1673dc12e1703d",
    )
    assert said == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,"
        "SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,"
        "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


@pytest.mark.parametrize(
    ("action", "query", "signature"),
    [
        (
            "SendSms",
            {
                "PhoneNumbers": "13900001234",
                "SignName": "某某移动",
                "TemplateCode": "SMS_100",
                "TemplateParam": '{"name":"张 三*~","code":"K7-4M2"}',
                "OutId": "a1b2c3",
            },
            "5c90009193c9a7253f3c49def7da666103af16960046735de982232adc8878eb",
        ),
        (
            "QuerySendDetails",
            {"PhoneNumber": "13900001234", "SendDate": "20261201", "PageSize": "50", "CurrentPage": "1"},
            "5d9a12f49e1af3f6936c2ed0851e71208e4e4dbd96778ba350a0a69c44c7077a",
        ),
    ],
)
def test_alibaba_clouds_own_client_signs_the_same_queries_so(
    action: str, query: dict[str, str], signature: str
) -> None:
    assert acs3(action, query).endswith(f",Signature={signature}")


def test_alibaba_clouds_own_client_signs_the_same_form_so() -> None:
    said = acs3(
        "SendSms",
        {},
        body=b"PhoneNumbers=13900001234&SignName=%E6%9F%90",
        content_type="application/x-www-form-urlencoded",
    )
    assert said == (
        "ACS3-HMAC-SHA256 Credential=LTAI-example,SignedHeaders=content-type;host;x-acs-action;"
        "x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,"
        "Signature=2ab835fd906c2a7c09e21707842dd6a73720795920192e55e49418ed8421cb67"
    )


def tc3(body: bytes, *, host: str, service: str, key: tuple[str, str], now: datetime) -> dict[str, str]:
    headers = {"host": host, "content-type": "application/json; charset=utf-8"}
    request = HttpRequest("POST", "/", "", headers, body)
    return signed(request, Signing.tc3, key_id=key[0], secret=key[1], now=now, nonce="", service=service)


def test_the_worked_example_of_tencent_clouds_documentation() -> None:
    headers = tc3(
        rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}',
        host="cvm.tencentcloudapi.com",
        service="cvm",
        key=("AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"),
        now=datetime.fromtimestamp(1551113065, UTC),
    )
    assert headers["x-tc-timestamp"] == "1551113065"
    assert headers["authorization"] == (
        "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, "
        "SignedHeaders=content-type;host, "
        "Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
    )


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        (
            '{"PhoneNumberSet":["+8613900001234"],"SignName":"某某移动","TemplateParamSet":["张三","K7-4M2"]}',
            "4a1074c4bc83283aabec0ace5c5432b7403d09380a33c4f2689204e4d9e08790",
        ),
        ("{}", "da5efe1f2653148c522ec2547ed28e1e3e40fcd771b0a3b983f7331e5723b322"),
    ],
)
def test_tencent_clouds_own_client_signs_the_same_bodies_so(body: str, signature: str) -> None:
    headers = tc3(
        body.encode(),
        host="sms.tencentcloudapi.com",
        service="sms",
        key=("AKID-example", "example-secret"),
        now=datetime.fromtimestamp(1796097906, UTC),
    )
    assert headers["authorization"].endswith(f"Signature={signature}")


def test_the_time_is_signed_in_utc_whatever_its_zone() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=8)))
    assert acs3("SendSms", {}, now=elsewhere) == acs3("SendSms", {}, now=AT)
    key, host = ("AKID-example", "example-secret"), "sms.tencentcloudapi.com"
    late = datetime(2026, 12, 1, 1, 0, tzinfo=timezone(timedelta(hours=8)))
    said = tc3(b"{}", host=host, service="sms", key=key, now=late)["authorization"]
    assert "/2026-11-30/sms/tc3_request" in said


WORDS = st.text(st.characters(codec="utf-8"), max_size=20)


@given(st.dictionaries(st.text("abcXYZ09_.", min_size=1, max_size=8), WORDS, max_size=5), WORDS)
def test_any_query_is_signed_as_the_service_reckons_it(fields: dict[str, str], nonce: str) -> None:
    nonce = nonce.encode("ascii", "ignore").decode().strip().replace("\n", "").replace("\r", "")
    request = HttpRequest("POST", "/", query_of(fields), {"host": "h", "x-acs-action": "A"}, b"")
    headers = signed(request, Signing.acs3, key_id="k", secret="s", now=AT, nonce=nonce)
    said = headers.pop("authorization")
    received = Received("POST", "/", request.query, headers, b"")
    names = said.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert said.endswith(f"Signature={aliyun_signature(received, names, 's')}")
    assert dict(parse_qsl(request.query, keep_blank_values=True)) == fields


@given(st.binary(max_size=200), st.integers(min_value=0, max_value=4_000_000_000))
def test_any_body_is_signed_as_the_service_reckons_it(body: bytes, seconds: int) -> None:
    now = datetime.fromtimestamp(seconds, UTC)
    headers = tc3(body, host="h", service="sms", key=("k", "s"), now=now)
    said = headers.pop("authorization")
    received = Received("POST", "/", "", headers, body)
    reckoned = tencent_signature(
        received, ["content-type", "host"], "s", now.date().isoformat(), str(seconds)
    )
    assert said.endswith(f"Signature={reckoned}")


def test_key_and_secret_go_as_basic_and_bearer_say() -> None:
    request = HttpRequest("GET", "/", "", {"host": "h"}, b"")
    basic = signed(request, Signing.basic, key_id="me", secret="pä", now=AT, nonce="")["authorization"]
    assert base64.b64decode(basic.removeprefix("Basic ")).decode() == "me:pä"
    bearer = signed(request, Signing.bearer, key_id="me", secret="token", now=AT, nonce="")
    assert bearer == {"host": "h", "authorization": "Bearer token"}
    assert signed(request, Signing.none, key_id="me", secret="s", now=AT, nonce="") == {"host": "h"}
