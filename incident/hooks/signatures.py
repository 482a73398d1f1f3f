"""Did the one who holds the secret send this? Pure: secrets and the time are passed in.

Every comparison takes the same time whatever differs. Nothing a sender can put into a header or a body raises.
Sources: Standard Webhooks 1.0.0; GitHub "Validating webhook deliveries".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from incident.hooks.definition import Auth, HeaderToken, HmacSha256, NoAuth, StandardWebhooks

# The specification leaves it open; all its libraries use five minutes.
TOLERANCE = timedelta(minutes=5)
SECONDS = re.compile(r"[0-9]{1,11}", re.ASCII)
DELIVERY_ID = re.compile(r"[\x21-\x7e]{1,256}")
# Beyond this, a list of signatures is not a rotation of secrets but an attempt to keep us busy.
MAX_SIGNATURES = 16


class Reason(StrEnum):
    """Why a delivery is not accepted. Telling the sender does not help a forger."""

    credential_missing = "credential_missing"
    credential_wrong = "credential_wrong"
    timestamp_unreadable = "timestamp_unreadable"
    timestamp_outside_window = "timestamp_outside_window"
    delivery_id_unreadable = "delivery_id_unreadable"
    key_unusable = "key_unusable"


@dataclass(frozen=True, slots=True)
class Verified:
    """`delivery_id` and `signed_at` are what the signature covers; None where it covers neither."""

    delivery_id: str | None = None
    signed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    reason: Reason


def verify(
    auth: Auth,
    secrets: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
    *,
    url_token: str | None = None,
) -> Verified | Rejected:
    """`body` is the raw body as it came. Any one of `secrets` may match (two while one is being replaced).

    `now` is aware. `url_token` is the last part of the path, for sources that put their secret there.
    """
    if isinstance(auth, NoAuth):
        return Verified()
    usable = [secret for secret in secrets if secret]
    if not usable:
        return Rejected(Reason.key_unusable)
    lowered = {name.lower(): value for name, value in headers.items()}
    if isinstance(auth, HeaderToken):
        return _token(_without_prefix(lowered.get(auth.header), auth.prefix), usable)
    if isinstance(auth, HmacSha256):
        return _hmac(auth, usable, lowered, body, now)
    if isinstance(auth, StandardWebhooks):
        return _standard_webhooks(auth, usable, lowered, body, now)
    return _token(url_token, usable)


def _without_prefix(value: str | None, prefix: str) -> str | None:
    if value is None:
        return None
    # The name of an HTTP authentication scheme is read in any case (RFC 9110, 11.1).
    return value[len(prefix) :].strip() if prefix and value.lower().startswith(prefix.lower()) else value


def _token(given: str | None, secrets: Sequence[str]) -> Verified | Rejected:
    if not given:
        return Rejected(Reason.credential_missing)
    matches = [hmac.compare_digest(_bytes(given), _bytes(secret)) for secret in secrets]
    return Verified() if any(matches) else Rejected(Reason.credential_wrong)


def _hmac(
    auth: HmacSha256, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime
) -> Verified | Rejected:
    given = headers.get(auth.header)
    if not given:
        return Rejected(Reason.credential_missing)
    timestamp = headers.get(auth.timestamp_header) if auth.timestamp_header else None
    if auth.timestamp_header and not timestamp:
        return Rejected(Reason.credential_missing)
    signed = body if timestamp is None else _bytes(timestamp) + b":" + body
    elements = [element.strip() for element in given.split(",")[:MAX_SIGNATURES]]
    signatures = [element[len(auth.prefix) :] for element in elements if element.startswith(auth.prefix)]
    if auth.encoding == "hex":
        signatures = [signature.lower() for signature in signatures]
    encode = _hex if auth.encoding == "hex" else _base64
    if not _any_matches((_bytes(secret) for secret in secrets), signed, signatures, encode):
        return Rejected(Reason.credential_wrong)
    return Verified() if timestamp is None else _in_window(timestamp, now, delivery_id=None)


def _standard_webhooks(
    auth: StandardWebhooks, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime
) -> Verified | Rejected:
    family = auth.header_family
    message_id, timestamp, given = (
        headers.get(f"{family}-{name}") for name in ("id", "timestamp", "signature")
    )
    if not message_id or not timestamp or not given:
        return Rejected(Reason.credential_missing)
    keys = [key for secret in secrets if (key := _webhook_key(secret)) is not None]
    if not keys:
        return Rejected(Reason.key_unusable)
    signed = b".".join((_bytes(message_id), _bytes(timestamp), body))
    elements = given.split()[:MAX_SIGNATURES]
    # "v1,<base64>"; v1a (ed25519) and whatever else stands in the list is passed over.
    signatures = [element.removeprefix("v1,") for element in elements if element.startswith("v1,")]
    if not _any_matches(keys, signed, signatures, _base64):
        return Rejected(Reason.credential_wrong)
    if not DELIVERY_ID.fullmatch(message_id):
        return Rejected(Reason.delivery_id_unreadable)
    return _in_window(timestamp, now, delivery_id=message_id)


def _webhook_key(secret: str) -> bytes | None:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True) or None
    except (binascii.Error, ValueError):  # ValueError: characters outside ASCII
        return None


def _any_matches(
    keys: Iterable[bytes], signed: bytes, signatures: Sequence[str], encode: Callable[[bytes], str]
) -> bool:
    # The right signature is encoded, the given ones are never decoded: there is nothing to be malformed.
    expected = [_bytes(encode(hmac.digest(key, signed, hashlib.sha256))) for key in keys]
    return any([hmac.compare_digest(right, _bytes(given)) for right in expected for given in signatures])


def _in_window(timestamp: str, now: datetime, *, delivery_id: str | None) -> Verified | Rejected:
    if not SECONDS.fullmatch(timestamp):
        return Rejected(Reason.timestamp_unreadable)
    signed_at = datetime.fromtimestamp(int(timestamp), UTC)
    if abs(now - signed_at) > TOLERANCE:
        return Rejected(Reason.timestamp_outside_window)
    return Verified(delivery_id, signed_at)


def _hex(digest: bytes) -> str:
    return digest.hex()


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
