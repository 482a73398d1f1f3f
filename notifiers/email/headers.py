"""Header fields as bytes: folded, encoded (RFC 2047), and never two where one was meant."""

from __future__ import annotations

import re
from binascii import b2a_base64
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

from notifiers.email.message import Address
from notifiers.errors import BadMessage

_LINE = 76  # of a header line that holds an encoded word, RFC 2047 section 2
_HARD_LINE = 998  # RFC 5322 section 2.1.1
_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_PLAIN_TEXT = re.compile(r"[!-~]+(?: [!-~]+)*")
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,120}@[A-Za-z0-9.-]{1,120}>")
_WORD_OPEN = b"=?utf-8?B?"
_WORD_CLOSE = b"?="


def encoded_words(text: str, *, used: int) -> list[bytes]:
    """`text` as encoded words, each of whole characters, to stand on a line each.

    `used` is how much of the first line is taken already, in octets.
    """
    words: list[bytes] = []
    raw = text.encode("utf-8")
    start = 0
    room = _room(used)
    while start < len(raw):
        end = min(start + room, len(raw))
        while end < len(raw) and raw[end] & 0xC0 == 0x80:
            end -= 1
        words.append(_WORD_OPEN + b2a_base64(raw[start:end], newline=False) + _WORD_CLOSE)
        start = end
        room = _room(1)
    return words


def _room(used: int) -> int:
    free = min(_LINE - used, 75) - len(_WORD_OPEN) - len(_WORD_CLOSE)
    return free // 4 * 3


def text_field(name: str, value: str) -> bytes:
    """An unstructured field (such as Subject) with its CRLF."""
    head = name.encode("ascii") + b": "
    if _PLAIN_TEXT.fullmatch(value) and "=?" not in value:
        line = head + value.encode("ascii")
        if len(line) <= _LINE:
            return line + b"\r\n"
    return head + b"\r\n ".join(encoded_words(value, used=len(head))) + b"\r\n"


def token_field(name: str, value: str) -> bytes:
    """A field whose value other programs read (such as Auto-Submitted), folded at its spaces.

    Encoded only if it is not ASCII.
    """
    if not value.isascii():
        return text_field(name, value)
    lines = [f"{name}:"]
    for word in value.split():
        if len(lines[-1]) + 1 + len(word) <= _LINE or lines[-1] == f"{name}:":
            lines[-1] += f" {word}"
        else:
            lines.append(f" {word}")
    if max(map(len, lines)) > _HARD_LINE:
        raise BadMessage("a word is too long for a header line", where=f"header {name}")
    return "\r\n".join(lines).encode("ascii") + b"\r\n"


def address_field(name: str, address: Address) -> bytes:
    """A field with one mailbox (From, To, Reply-To) with its CRLF."""
    head = name.encode("ascii") + b": "
    spec = address.spec.encode("ascii")
    if not address.name:
        return head + spec + b"\r\n"
    shown = _phrase(address.name, used=len(head))
    last = len(shown) - shown.rfind(b"\n") - 1 if b"\n" in shown else len(head) + len(shown)
    gap = b" <" if last + 3 + len(spec) <= _LINE else b"\r\n <"
    return head + shown + gap + spec + b">\r\n"


def _phrase(name: str, *, used: int) -> bytes:
    if name.isascii() and len(name) + used <= _LINE and "=?" not in name:
        if _PLAIN_PHRASE.fullmatch(name):
            return name.encode("ascii")
        if _PLAIN_TEXT.fullmatch(name):
            quoted = name.replace("\\", "\\\\").replace('"', '\\"')
            if len(quoted) + 2 + used <= _LINE:
                return b'"' + quoted.encode("ascii") + b'"'
    return b"\r\n ".join(encoded_words(name, used=used))


def message_id_field(message_id: str) -> bytes:
    """The Message-ID field; `message_id` comes with its angle brackets."""
    if not _MESSAGE_ID.fullmatch(message_id):
        raise BadMessage("a message id has the form <letters@domain>", where="Message-ID")
    return b"Message-ID: " + message_id.encode("ascii") + b"\r\n"


def date_field(date: datetime) -> bytes:
    """The Date field, in the zone that `date` is given in (a time without a zone is refused)."""
    offset = date.utcoffset()
    if offset is None:
        raise BadMessage("a time needs its zone", where="Date")
    # Equal times in two zones compare equal, so the offset is part of the key.
    return _date_field(date, offset.total_seconds())


@lru_cache(maxsize=64)
def _date_field(date: datetime, offset: float) -> bytes:
    return b"Date: " + format_datetime(date).encode("ascii") + b"\r\n"
