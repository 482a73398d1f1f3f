"""How a request proves who sends it. Pure: the time and the nonce are passed in.

ACS3-HMAC-SHA256 as in Alibaba Cloud's "V3 request structure and signature" (alibabacloud.com/help/en/sdk/
product-overview/v3-request-structure-and-signature), TC3-HMAC-SHA256 as in Tencent Cloud's "Signature v3"
(tencentcloud.com/document/product/382/38768 and its copies for other products).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from notifiers.sms_gateway.terms import Signing


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it goes out. `query` is encoded and sorted (`query_of`); names of headers are in lower case, and
    `host` is among them."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


def query_of(fields: Mapping[str, str]) -> str:
    """Fields as a query that is its own canonical form: sorted by name, RFC 3986."""
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in sorted(fields.items()))


def signed(
    request: HttpRequest,
    signing: Signing,
    *,
    key_id: str,
    secret: str,
    now: datetime,
    nonce: str,
    service: str = "",
) -> dict[str, str]:
    """All headers of the request, with those that prove who sends it. `now` has a time zone; `service` is TC3's."""
    if signing is Signing.acs3:
        return _acs3(request, key_id, secret, now.astimezone(UTC), nonce)
    if signing is Signing.tc3:
        return _tc3(request, key_id, secret, now.astimezone(UTC), service)
    if signing is Signing.basic:
        pair = base64.b64encode(f"{key_id}:{secret}".encode()).decode()
        return {**request.headers, "authorization": f"Basic {pair}"}
    if signing is Signing.bearer:
        return {**request.headers, "authorization": f"Bearer {secret}"}
    return dict(request.headers)


def _acs3(request: HttpRequest, key_id: str, secret: str, now: datetime, nonce: str) -> dict[str, str]:
    headers = {
        **request.headers,
        "x-acs-date": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": nonce,
        "x-acs-content-sha256": _sha256(request.body),
    }
    names = sorted(name for name in headers if name in ("host", "content-type") or name.startswith("x-acs-"))
    canonical = _canonical(request, headers, names)
    to_sign = f"ACS3-HMAC-SHA256\n{_sha256(canonical)}"
    signature = _hmac(secret.encode(), to_sign).hex()
    said = f"ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={';'.join(names)},Signature={signature}"
    return {**headers, "authorization": said}


def _tc3(request: HttpRequest, key_id: str, secret: str, now: datetime, service: str) -> dict[str, str]:
    seconds, day = str(int(now.timestamp())), now.strftime("%Y-%m-%d")
    names = ["content-type", "host"]
    canonical = _canonical(request, request.headers, names)
    scope = f"{day}/{service}/tc3_request"
    to_sign = f"TC3-HMAC-SHA256\n{seconds}\n{scope}\n{_sha256(canonical)}"
    key = f"TC3{secret}".encode()
    for part in (day, service, "tc3_request"):
        key = _hmac(key, part)
    said = (
        f"TC3-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={';'.join(names)}, "
        f"Signature={_hmac(key, to_sign).hex()}"
    )
    return {**request.headers, "x-tc-timestamp": seconds, "authorization": said}


def _canonical(request: HttpRequest, headers: Mapping[str, str], names: list[str]) -> bytes:
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in names)
    parts = [request.method, request.path, request.query, lines, ";".join(names), _sha256(request.body)]
    return "\n".join(parts).encode()


def _quoted(text: str) -> str:
    return quote(text, safe="~")


def _sha256(octets: bytes | str) -> str:
    return hashlib.sha256(octets.encode() if isinstance(octets, str) else octets).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
