"""Tencent Cloud's SMS 2021-01-11, as far as a sender meets it."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from tests.support.sms_gateway.account import Account, Fate, Taken, filled
from tests.support.sms_gateway.dialect import FateOf, Received, Refused, Reply, Sms, only

_CHINA = timezone(timedelta(hours=8))
_MINUTES_OFF = 5
_SAME_CONTENT_SECONDS = 30
_ACTIONS = {
    "SendSms": "send",
    "PullSmsSendStatusByPhoneNumber": "receipt",
    "DescribeSmsTemplateList": "template",
    "DescribeSmsSignList": "signature",
    "SmsPackagesStatistics": "credits",
}
_AUTHORIZATION = re.compile(
    r"TC3-HMAC-SHA256 Credential=([^/]+)/(\d{4}-\d\d-\d\d)/sms/tc3_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)
_VARIABLE = r"\{([0-9]+)\}"


class Tencent:
    """`session_in_receipts` is what the provider switches on for an account: receipts that are pulled have the session
    context."""

    def __init__(self, *, session_in_receipts: bool = True) -> None:
        self._session_in_receipts = session_in_receipts

    def action(self, request: Received) -> str:
        name = request.headers.get("x-tc-action", "")
        if request.method != "POST" or request.path != "/" or request.query or name not in _ACTIONS:
            raise Refused("InvalidAction")
        if request.headers.get("x-tc-version") != "2021-01-11":
            raise Refused("NoSuchVersion")
        if not re.fullmatch("ap-[a-z]+", request.headers.get("x-tc-region", "")):
            raise Refused("UnsupportedRegion")
        return _ACTIONS[name]

    def number_in(self, request: Received) -> str:
        try:
            [number] = json.loads(request.body)["PhoneNumberSet"]
        except (ValueError, KeyError, TypeError):
            return ""
        return str(number).removeprefix("+")

    def check(self, request: Received, account: Account, now: float) -> None:
        found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if found is None:
            raise Refused("AuthFailure.InvalidAuthorization")
        key_id, day, names, signature = found.groups()
        if key_id != account.key_id:
            raise Refused("AuthFailure.SecretIdNotFound")
        seconds = request.headers["x-tc-timestamp"]
        if abs(int(seconds) - now) > _MINUTES_OFF * 60:
            raise Refused("AuthFailure.SignatureExpire")
        if datetime.fromtimestamp(int(seconds), UTC).date().isoformat() != day:
            raise Refused("AuthFailure.SignatureFailure")
        if signature != _signature(request, names.split(";"), account.secret, day, seconds):
            raise Refused("AuthFailure.SignatureFailure")

    def sms(self, request: Received, account: Account, taken: Sequence[Taken], now: float) -> Sms:
        fields = _fields(request)
        only(
            fields,
            {"PhoneNumberSet", "SmsSdkAppId", "SignName", "TemplateId", "TemplateParamSet", "SessionContext"},
            "UnknownParameter",
        )
        _own_app(fields, account)
        [number] = fields["PhoneNumberSet"]
        if not re.fullmatch(r"\+86[0-9]{11}", number):
            raise Refused("InvalidParameterValue.IncorrectPhoneNumber")
        if fields["SignName"] != account.signature:
            raise Refused("FailedOperation.SignatureIncorrectOrUnapproved")
        registered = account.templates.get(fields["TemplateId"])
        if registered is None or registered.state not in (None, 0):
            raise Refused("FailedOperation.TemplateUnapprovedOrNotExist")
        values = fields.get("TemplateParamSet", [])
        if len(values) != len(re.findall(_VARIABLE, registered.text)):
            raise Refused("FailedOperation.TemplateParamSetNotMatchApprovedTemplate")
        if any(len(value) > account.longest_variable for value in values):
            raise Refused("InvalidParameterValue.TemplateParameterLengthLimit")
        parameters = {str(at): value for at, value in enumerate(values, start=1)}
        text = f"【{account.signature}】{filled(registered.text, parameters, _VARIABLE)}"
        same = [each for each in taken if each.number == number[1:] and each.text == text]
        if any(now - each.at < _SAME_CONTENT_SECONDS for each in same):
            raise Refused("LimitExceeded.PhoneNumberThirtySecondLimit")
        session = fields.get("SessionContext", "")
        if len(session.encode()) >= 512:
            raise Refused("InvalidParameterValue")
        return Sms(number[1:], text, session, fields["TemplateId"], parameters)

    def accepted(self, message: Taken) -> Reply:
        return _sent(message.reference, message.number, message.own_id, "Ok", "send success")

    def without_reference(self) -> Reply:
        return _sent("", "", "", "Ok", "send success")

    def refused(self, refusal: Refused, action: str) -> Reply:
        common = ("AuthFailure", "InvalidAction", "NoSuchVersion", "UnknownParameter", "RequestLimitExceeded")
        if action == "send" and not refusal.code.startswith(common):
            return _sent("", "", "", refusal.code, refusal.text)._replace(status=refusal.status)
        error = {"Code": refusal.code, "Message": refusal.text}
        return Reply(refusal.status, {"Response": {"Error": error, "RequestId": "R-1"}})

    def new_reference(self, number: int) -> str:
        return f"5000:1045710669157053657849{499619 + number}"

    def receipts(self, request: Received, account: Account, taken: Sequence[Taken], fate: FateOf) -> Reply:
        fields = _fields(request)
        only(
            fields,
            {"BeginTime", "EndTime", "Offset", "Limit", "PhoneNumber", "SmsSdkAppId"},
            "UnknownParameter",
        )
        _own_app(fields, account)
        if fields["Offset"] != 0 or not 0 < fields["Limit"] <= 100:
            raise Refused("InvalidParameterValue.OffsetVerifyFail")
        found = [
            _status(each, fate(each), session=self._session_in_receipts)
            for each in taken
            if f"+{each.number}" == fields["PhoneNumber"]
            and fields["BeginTime"] <= each.at <= fields["EndTime"] + 1
            and fate(each) is not Fate.waiting
        ]
        return Reply(
            200, {"Response": {"PullSmsSendStatusSet": found[: fields["Limit"]], "RequestId": "R-1"}}
        )

    def template(self, request: Received, account: Account) -> Reply:
        fields = _fields(request)
        only(fields, {"International", "TemplateIdSet"}, "UnknownParameter")
        rows = [
            {
                "TemplateId": int(each),
                "International": 0,
                "StatusCode": account.templates[each].state or 0,
                "ReviewReply": account.templates[each].reason,
                "TemplateContent": account.templates[each].text,
            }
            for each in map(_integer, fields["TemplateIdSet"])
            if each in account.templates
        ]
        return Reply(200, {"Response": {"DescribeTemplateStatusSet": rows, "RequestId": "R-1"}})

    def signature(self, request: Received, account: Account) -> Reply:
        fields = _fields(request)
        only(fields, {"International", "Limit", "Offset"}, "UnknownParameter")
        names = [*(f"别的签名{at}" for at in range(100)), account.signature]
        rows = [
            {
                "SignId": at,
                "SignName": name,
                "International": 0,
                "StatusCode": account.signature_state or 0,
                "ReviewReply": "",
            }
            for at, name in enumerate(names)
        ]
        shown = rows[fields["Offset"] : fields["Offset"] + fields["Limit"]]
        return Reply(200, {"Response": {"DescribeSignListStatusSet": shown, "RequestId": "R-1"}})

    def credits(self, request: Received, account: Account) -> Reply:
        fields = _fields(request)
        only(fields, {"SmsSdkAppId", "Limit", "Offset", "BeginTime", "EndTime"}, "UnknownParameter")
        _own_app(fields, account)
        begins, ends = (
            datetime.strptime(fields[name], "%Y%m%d%H").replace(tzinfo=_CHINA)
            for name in ("BeginTime", "EndTime")
        )
        if not begins < ends < datetime.now(_CHINA):
            raise Refused("InvalidParameterValue.EndTimeVerifyFail")
        rows = [
            {"PackageAmount": amount, "CurrentUsage": used, "PackageExpiredTime": expires, "PackageType": 1}
            for amount, used, expires in account.packages
        ]
        return Reply(200, {"Response": {"SmsPackagesStatisticsSet": rows, "RequestId": "R-1"}})

    def pushed(self, taken: Sequence[Taken], fate: FateOf) -> bytes:
        return json.dumps(
            [
                {
                    "user_receive_time": datetime.fromtimestamp(each.at + 3, _CHINA).strftime(
                        "%Y-%m-%d %H:%M:%S"
                    ),
                    "nationcode": "86",
                    "mobile": each.number[2:],
                    "report_status": "SUCCESS" if fate(each) is Fate.delivered else "FAIL",
                    "errmsg": "DELIVRD" if fate(each) is Fate.delivered else "UNDELIV",
                    "description": "用户短信送达成功",
                    "sid": each.reference,
                }
                for each in taken
                if fate(each) is not Fate.waiting
            ],
            ensure_ascii=False,
        ).encode()

    def is_content(self, answer: bytes) -> bool:
        document = json.loads(answer)
        return isinstance(document, dict) and document.get("result") == 0


def _signature(request: Received, names: list[str], secret: str, day: str, seconds: str) -> str:
    if not {"content-type", "host"} <= set(names) or names != sorted(names):
        return ""
    canonical = "\n".join(
        (
            request.method,
            "/",
            request.query,
            *(f"{name}:{request.headers[name].strip()}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(request.body).hexdigest(),
        )
    )
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = b"TC3" + secret.encode()
    for part in (day, "sms", "tc3_request"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    to_sign = "\n".join(("TC3-HMAC-SHA256", seconds, f"{day}/sms/tc3_request", hashed))
    return hmac.new(key, to_sign.encode(), "sha256").hexdigest()


def _fields(request: Received) -> dict[str, Any]:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Refused("InvalidRequest")
    fields: dict[str, Any] = json.loads(request.body)
    return fields


def _own_app(fields: dict[str, Any], account: Account) -> None:
    if fields.get("SmsSdkAppId") != account.app_id:
        raise Refused("UnauthorizedOperation.SmsSdkAppIdVerifyFail")


def _integer(each: object) -> str:
    if not isinstance(each, int):
        raise Refused("InvalidParameter", "TemplateIdSet holds integers")
    return str(each)


def _sent(reference: str, number: str, session: str, code: str, text: str) -> Reply:
    status = {
        "SerialNo": reference,
        "PhoneNumber": f"+{number}",
        "Fee": 1,
        "SessionContext": session,
        "Code": code,
        "Message": text,
        "IsoCode": "CN",
    }
    return Reply(200, {"Response": {"SendStatusSet": [status], "RequestId": "R-1"}})


def _status(message: Taken, fate: Fate, *, session: bool) -> dict[str, object]:
    return {
        "UserReceiveTime": int(message.at) + 3,
        "CountryCode": "86",
        "SubscriberNumber": message.number[2:],
        "PhoneNumber": f"+{message.number}",
        "SerialNo": message.reference,
        "ReportStatus": "SUCCESS" if fate is Fate.delivered else "FAIL",
        "Description": "DELIVRD" if fate is Fate.delivered else "UNDELIV",
        "SessionContext": message.own_id if session else "",
    }
