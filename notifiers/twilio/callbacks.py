"""Twilio's status callbacks: whether one is genuine, which attempt it is of, and what it says. Pure.

A callback is a POST of form fields to the address that the message named. Twilio signs that address, exactly as it was
given, and all fields with HMAC-SHA1 and the account's primary auth token (twilio.com/docs/usage/webhooks/webhooks-security,
error 57012). The signature holds no time, so that a callback can be said again: take each (message_id, state) once.
They also come late, doubled and out of order.

An address below the base is "BASE/ID.MAC": ID is `SmsMessage.own_id`, by which a callback finds its attempt although the
answer to the request was lost; MAC shows that we made it. Webhooks that the account signs with a shared key instead
(a public beta of 2026, HMAC-SHA256) are refused as not genuine.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from notifiers.errors import BadMessage, CarrierMissing
from notifiers.sms.receipt import MessageState, SmsReceipt

SIGNATURE_HEADER = "X-Twilio-Signature"

_OWN_ID = re.compile(r"[A-Za-z0-9~-]+(?:\.[A-Za-z0-9~-]+)*")
_LONGEST_OWN_ID = 128
_MESSAGE_SID = re.compile(r"(?:SM|MM)[0-9a-fA-F]{32}")
_ERROR_CODE = re.compile(r"[0-9]{1,6}")
_DONE_AT = re.compile(r"[0-9]{10}")
_MAC_OCTETS = 15  # 24 characters of base 32 without filling
_MOST_FIELDS = 100
_PURPOSE = b"twilio status callback\0"

Form = Sequence[tuple[str, str]]
"""Fields in their order, values as they came: nothing trimmed, nothing left out."""

# The states of a message (twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks). `sent` is the
# last one where the network gives no receipts. `read` is of WhatsApp and RCS.
STATES: Mapping[str, MessageState] = {
    "scheduled": MessageState.scheduled,
    "accepted": MessageState.enroute,
    "queued": MessageState.enroute,
    "sending": MessageState.enroute,
    "sent": MessageState.enroute,
    "delivered": MessageState.delivered,
    "read": MessageState.delivered,
    "undelivered": MessageState.undeliverable,
    "failed": MessageState.undeliverable,
    "canceled": MessageState.deleted,
}


def callback_url(base: str, own_id: str, *, key: bytes) -> str:
    """The address for the callbacks of one attempt. Raises BadMessage for an id that an address cannot hold as it is."""
    if len(own_id) > _LONGEST_OWN_ID or not _OWN_ID.fullmatch(own_id):
        raise BadMessage(
            f"at most {_LONGEST_OWN_ID} letters, digits, dots, hyphens and tildes of ASCII", where="own_id"
        )
    return f"{base}/{own_id}.{_mac(own_id, key)}"


def own_id_of(url: str, *, base: str, key: bytes) -> str | None:
    """The id in an address for callbacks; None for an address that we did not make with this key."""
    if not url.startswith(f"{base}/"):
        return None
    own_id, _, mac = url.removeprefix(f"{base}/").rpartition(".")
    if len(own_id) > _LONGEST_OWN_ID or not _OWN_ID.fullmatch(own_id):
        return None
    return own_id if hmac.compare_digest(mac.encode(errors="replace"), _mac(own_id, key).encode()) else None


def _mac(own_id: str, key: bytes) -> str:
    digest = hmac.new(key, _PURPOSE + own_id.encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:_MAC_OCTETS]).decode().lower()


def form_of(body: bytes) -> Form | None:
    """The fields of a body (application/x-www-form-urlencoded, UTF-8); None for what is no such body."""
    try:
        return tuple(
            parse_qsl(
                body.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=bool(body),
                errors="strict",
                max_num_fields=_MOST_FIELDS,
            )
        )
    except ValueError:
        return None


def verify(tokens: Sequence[str], url: str, form: Form, signature: str) -> bool:
    """Whether Twilio made this callback, checked by Twilio's own validator with each token.

    `url` is the public address with its query, as the message named it; behind a proxy it is put together from the
    configured base, never from headers. Raises CarrierMissing.
    """
    try:
        from twilio.request_validator import RequestValidator
    except ImportError:
        raise CarrierMissing("twilio") from None
    fields = _Fields(form)
    # No early end: how long it takes says nothing of which token it was.
    answers = [RequestValidator(token).validate(url, fields, signature) for token in tokens if token]
    return any(answers)


class _Fields:
    """The fields as Twilio's validator reads them, where one name may have several values."""

    def __init__(self, form: Form) -> None:
        self._form = form

    def __iter__(self) -> object:
        return iter([name for name, _ in self._form])

    def __len__(self) -> int:
        return len(self._form)

    def getlist(self, name: str) -> list[str]:
        return [value for each, value in self._form if each == name]


def receipt_of(form: Form, *, own_id: str = "") -> SmsReceipt | None:
    """What a callback says of a message; None where it does not say of which message, or no state. Check it first.

    A state that is not known reads as unknown, with its word as the error. `done_at` is RawDlrDoneDate, YYMMDDhhmm in a
    zone that nobody tells. Nothing of the person is in `raw_text`.
    """
    fields = dict(form)
    code = _matched(_ERROR_CODE, fields.get("ErrorCode"))
    return receipt_from(
        fields.get("MessageSid") or fields.get("SmsSid") or "",
        fields.get("MessageStatus") or fields.get("SmsStatus") or "",
        code=int(code) if code else None,
        number=fields.get("To", ""),
        done_at=_matched(_DONE_AT, fields.get("RawDlrDoneDate")),
        own_id=own_id,
    )


def receipt_from(
    message_id: str,
    status: str,
    *,
    code: int | None,
    number: str,
    done_at: str | None = None,
    own_id: str = "",
) -> SmsReceipt | None:
    """What a message's status says, as Twilio tells it by callback or when it is asked; None as for `receipt_of`. A `code`
    of 0 is none."""
    word = status.strip().lower()
    if not _MESSAGE_SID.fullmatch(message_id) or not word:
        return None
    state = STATES.get(word, MessageState.unknown)
    shown = re.sub(r"[^a-z_-]", "?", word)[:40]
    error = str(code) if code else None
    if state is MessageState.unknown and error is None:
        error = shown
    return SmsReceipt(
        message_id=message_id,
        state=state,
        error=error,
        done_at=done_at,
        number=re.sub("[^0-9]", "", number),
        raw_text=f"{shown} {code}" if code is not None else shown,
        own_id=own_id,
    )


def _matched(shape: re.Pattern[str], value: str | None) -> str | None:
    return value if value is not None and shape.fullmatch(value) else None
