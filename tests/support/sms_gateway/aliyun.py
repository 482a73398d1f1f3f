"""Alibaba Cloud's Dysmsapi 2017-05-25, as far as a sender meets it."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

from tests.support.sms_gateway.account import Account, Fate, Taken, filled
from tests.support.sms_gateway.dialect import FateOf, Received, Refused, Reply, Sms, only

_CHINA = timezone(timedelta(hours=8))
_MINUTES_OFF = 15
_A_DAY = 50
_ACTIONS = {
    "SendSms": "send",
    "QuerySendDetails": "receipt",
    "GetSmsTemplate": "template",
    "GetSmsSign": "signature",
}
_AUTHORIZATION = re.compile(
    r"ACS3-HMAC-SHA256 Credential=([^,]+),SignedHeaders=([a-z0-9;-]+),Signature=([0-9a-f]{64})"
)
_STATES = {Fate.waiting: 1, Fate.failed: 2, Fate.delivered: 3}
_VARIABLE = r"\$\{([A-Za-z0-9_]+)\}"


class Aliyun:
    """Remembers the nonces that it met."""

    def __init__(self) -> None:
        self._nonces: set[str] = set()

    def action(self, request: Received) -> str:
        if request.method != "POST" or request.path != "/":
            raise Refused("InvalidAction.NotFound", status=404)
        if request.headers.get("x-acs-version") != "2017-05-25":
            raise Refused("InvalidVersion", status=400)
        name = request.headers.get("x-acs-action", "")
        if name not in _ACTIONS:
            raise Refused("InvalidAction.NotFound", status=404)
        return _ACTIONS[name]

    def number_in(self, request: Received) -> str:
        return _with_country(dict(request.parameters).get("PhoneNumbers", ""))

    def check(self, request: Received, account: Account, now: float) -> None:
        found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if found is None:
            raise Refused("MissingAuthorization", status=400)
        key_id, names, signature = found.groups()
        if key_id != account.key_id:
            raise Refused("InvalidAccessKeyId.NotFound", status=404)
        sent_at = datetime.strptime(request.headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        if abs(sent_at.timestamp() - now) > _MINUTES_OFF * 60:
            raise Refused("InvalidTimeStamp.Expired", status=400)
        if signature != _signature(request, names.split(";"), account.secret):
            # The provider shows what it would have signed, and so the person's number and name.
            raise Refused("SignatureDoesNotMatch", f"server string to sign is: POST / {request.query}", 400)
        nonce = request.headers["x-acs-signature-nonce"]
        if nonce in self._nonces:
            raise Refused("SignatureNonceUsed", status=400)
        self._nonces.add(nonce)

    def sms(self, request: Received, account: Account, taken: Sequence[Taken], now: float) -> Sms:
        fields = dict(request.parameters)
        only(
            fields, {"PhoneNumbers", "SignName", "TemplateCode", "TemplateParam", "OutId"}, "InvalidParameter"
        )
        if not re.fullmatch(r"1[3-9][0-9]{9}|[1-9][0-9]{6,14}", fields.get("PhoneNumbers", "")):
            raise Refused("isv.MOBILE_NUMBER_ILLEGAL")
        if fields.get("SignName") != account.signature:
            raise Refused("isv.SMS_SIGNATURE_ILLEGAL")
        template = fields.get("TemplateCode", "")
        registered = account.templates.get(template)
        if registered is None or registered.state not in (None, 1):
            raise Refused("isv.SMS_TEMPLATE_ILLEGAL")
        parameters = _parameters(fields.get("TemplateParam", "{}"), registered.text, account.longest_variable)
        number = _with_country(fields["PhoneNumbers"])
        today = [each for each in taken if each.number == number and each.template == template]
        if sum(now - each.at < 86400 for each in today) >= _A_DAY:
            raise Refused("isv.BUSINESS_LIMIT_CONTROL", "触发天级流控Permits:50")
        text = f"【{account.signature}】{filled(registered.text, parameters, _VARIABLE)}"
        return Sms(number, text, fields.get("OutId", ""), template, parameters)

    def accepted(self, message: Taken) -> Reply:
        return Reply(200, {"Code": "OK", "Message": "OK", "BizId": message.reference, "RequestId": "R-1"})

    def without_reference(self) -> Reply:
        return Reply(200, {"Code": "OK", "Message": "OK", "RequestId": "R-1"})

    def refused(self, refusal: Refused, action: str) -> Reply:
        return Reply(refusal.status, {"Code": refusal.code, "Message": refusal.text, "RequestId": "R-1"})

    def new_reference(self, number: int) -> str:
        return f"{900619746936498440 + number}^0"

    def receipts(self, request: Received, account: Account, taken: Sequence[Taken], fate: FateOf) -> Reply:
        fields = dict(request.parameters)
        only(
            fields, {"PhoneNumber", "SendDate", "BizId", "PageSize", "CurrentPage"}, "isv.INVALID_PARAMETERS"
        )
        size, page = int(fields["PageSize"]), int(fields["CurrentPage"])
        if not 1 <= size <= 50 or page < 1:
            raise Refused("isv.INVALID_PARAMETERS")
        found = [
            each
            for each in taken
            if each.number == _with_country(fields["PhoneNumber"])
            and _time(each.at, "%Y%m%d") == fields["SendDate"]
            and fields.get("BizId", each.reference) == each.reference
        ]
        shown = [_detail(each, fate(each)) for each in found[(page - 1) * size : page * size]]
        document = {"Code": "OK", "Message": "OK", "TotalCount": len(found), "RequestId": "R-1"}
        return Reply(200, {**document, "SmsSendDetailDTOs": {"SmsSendDetailDTO": shown}})

    def template(self, request: Received, account: Account) -> Reply:
        [(name, code)] = request.parameters
        registered = account.templates.get(code) if name == "TemplateCode" else None
        if registered is None:
            raise Refused("isv.SMS_TEMPLATE_ILLEGAL", "模板不存在")
        state = 1 if registered.state is None else registered.state
        return Reply(
            200,
            {
                "Code": "OK",
                "Message": "OK",
                "TemplateCode": code,
                "TemplateStatus": str(state),
                "TemplateContent": registered.text,
                "AuditInfo": {"RejectInfo": registered.reason},
            },
        )

    def signature(self, request: Received, account: Account) -> Reply:
        if request.parameters != [("SignName", account.signature)]:
            raise Refused("isv.SMS_SIGNATURE_ILLEGAL", "签名不存在")
        state = 1 if account.signature_state is None else account.signature_state
        return Reply(200, {"Code": "OK", "Message": "OK", "SignName": account.signature, "SignStatus": state})

    def credits(self, request: Received, account: Account) -> Reply:
        raise Refused("InvalidAction.NotFound", status=404)

    def pushed(self, taken: Sequence[Taken], fate: FateOf) -> bytes:
        return json.dumps(
            [
                {
                    "phone_number": _without_country(each.number),
                    "send_time": _time(each.at, "%Y-%m-%d %H:%M:%S"),
                    "report_time": _time(each.at + 3, "%Y-%m-%d %H:%M:%S"),
                    "success": fate(each) is Fate.delivered,
                    "err_code": "DELIVERED" if fate(each) is Fate.delivered else "MOBILE_NOT_ON_SERVICE",
                    "err_msg": "用户接收成功",
                    "sms_size": "2",
                    "biz_id": each.reference,
                    "out_id": each.own_id,
                }
                for each in taken
                if fate(each) is not Fate.waiting
            ],
            ensure_ascii=False,
        ).encode()

    def is_content(self, answer: bytes) -> bool:
        document = json.loads(answer)
        return isinstance(document, dict) and document.get("code") == 0


def _signature(request: Received, names: list[str], secret: str) -> str:
    """Checks as the documentation asks that every x-acs header is signed, host, and content-type where there is one."""
    body_hash = hashlib.sha256(request.body).hexdigest()
    wanted = {name for name in request.headers if name.startswith("x-acs-")} | {"host"}
    wanted |= {"content-type"} & set(request.headers)
    if set(names) != wanted or names != sorted(names) or request.headers["x-acs-content-sha256"] != body_hash:
        return ""
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in request.parameters
    )
    canonical = "\n".join(
        (
            request.method,
            request.path,
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{request.headers[name].strip()}" for name in names),
            "",
            ";".join(names),
            body_hash,
        )
    )
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    return hmac.new(secret.encode(), b"ACS3-HMAC-SHA256\n" + hashed.encode(), "sha256").hexdigest()


def _parameters(written: str, text: str, longest: int) -> dict[str, str]:
    try:
        parameters: Any = json.loads(written)
    except ValueError:
        raise Refused("isv.INVALID_JSON_PARAM") from None
    if not isinstance(parameters, dict) or not all(isinstance(each, str) for each in parameters.values()):
        raise Refused("isv.INVALID_JSON_PARAM")
    if set(parameters) != set(re.findall(_VARIABLE, text)):
        raise Refused("isv.TEMPLATE_MISSING_PARAMETERS")
    if any(len(value) > longest for value in parameters.values()):
        raise Refused("isv.PARAM_LENGTH_LIMIT")
    if any("http" in value for value in parameters.values()):
        raise Refused("isv.PARAM_NOT_SUPPORT_URL")
    return parameters


def _detail(message: Taken, fate: Fate) -> dict[str, object]:
    detail: dict[str, object] = {
        "PhoneNum": _without_country(message.number),
        "Content": message.text,
        "SendStatus": _STATES[fate],
        "SendDate": _time(message.at, "%Y-%m-%d %H:%M:%S"),
        "TemplateCode": message.template,
        "ErrCode": {Fate.delivered: "DELIVERED", Fate.failed: "MOBILE_NOT_ON_SERVICE"}.get(fate, ""),
    }
    if message.own_id:
        detail["OutId"] = message.own_id
    if fate is not Fate.waiting:
        detail["ReceiveDate"] = _time(message.at + 3, "%Y-%m-%d %H:%M:%S")
    return detail


def _time(at: float, form: str) -> str:
    return datetime.fromtimestamp(at, _CHINA).strftime(form)


def _with_country(number: str) -> str:
    return f"86{number}" if re.fullmatch("1[3-9][0-9]{9}", number) else number


def _without_country(number: str) -> str:
    return number[2:] if number.startswith("86") and len(number) == 13 else number
