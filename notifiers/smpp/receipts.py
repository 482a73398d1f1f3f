"""What a centre reports of a message that it took: its receipts, read from deliver_sm. Pure.

SMPP 3.4 names the optional parameters of a receipt (5.3.2.12, 5.3.2.35) and leaves its text to vendors; Appendix B shows
one, "id:IIIIIIIIII sub:SSS dlvrd:DDD submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DDDDDDD err:E Text: ...", which most
follow in a way of their own. Parameters count before the text.

A receipt proves as much as the line to the centre does. Some centres do not mark theirs (esm_class 0), so that a text
of exactly this shape is read as one too: compare `number` with that of the message.
"""

from __future__ import annotations

import re

from notifiers.smpp.pdu import DeliverSm, Tag
from notifiers.sms.alphabet import HAS_HEADER, UCS_2, parted
from notifiers.sms.receipt import MessageState, SmsReceipt

_TYPE_BITS = 0x3C
_RECEIPT_TYPES = frozenset({0x04, 0x08, 0x20})
"""esm_class, bits 5 to 2 (5.2.12): a receipt of the centre, an acknowledgement of the handset, and how far it came."""

_KEY = re.compile(
    r"(?:^|(?<=[\s,;|]))(id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat(?:us)?|err(?:or)?|text)\s*:",
    re.IGNORECASE | re.ASCII,
)
_SHORT_KEYS = {"status": "stat", "error": "err", "submitdate": "submit", "donedate": "done"}
_NO_ERROR = re.compile(r"0*")
_LONGEST_ID = 65  # message_id with its NUL, 5.2.23

_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]+")
_DECIMAL = re.compile(r"[0-9]+")
_USUAL_WIDTHS = (8, 10)
"""To how many digits centres pad an id: 32 bits in hexadecimal, and in decimal as Appendix B does."""


_STATES = (
    MessageState.scheduled,
    MessageState.enroute,
    MessageState.delivered,
    MessageState.expired,
    MessageState.deleted,
    MessageState.undeliverable,
    MessageState.accepted,
    MessageState.unknown,
    MessageState.rejected,
    MessageState.skipped,
)
"""Each at its number in message_state."""

# Appendix B's seven letters; whole words, and what centres are seen to write beside them.
_WORDS = {
    **{state.value.upper(): state for state in MessageState},
    "DELIVRD": MessageState.delivered,
    "UNDELIV": MessageState.undeliverable,
    "UNDELIVERED": MessageState.undeliverable,
    "FAILED": MessageState.undeliverable,
    "ACCEPTD": MessageState.accepted,
    "ENRTE": MessageState.enroute,
    "BUFFERED": MessageState.enroute,
    "BUFFRED": MessageState.enroute,
    "REJECTD": MessageState.rejected,
    "SKIPPD": MessageState.skipped,
}


def is_marked_receipt(deliver: DeliverSm) -> bool:
    """Whether esm_class says that this is a receipt and no person's message, readable or not."""
    return deliver.esm_class & _TYPE_BITS in _RECEIPT_TYPES


def receipt_of(deliver: DeliverSm) -> SmsReceipt | None:
    """The receipt; None for a person's message, and for a receipt that does not say of which message it is."""
    text, fields = _read_text(deliver)
    told = _c_string(deliver.tlv(Tag.receipted_message_id))
    marked = is_marked_receipt(deliver)
    if not marked and not told and not _looks_like_receipt(text, fields):
        return None
    message_id = told or _first_word(fields.get("id", ""))
    if not message_id:
        return None
    word = _first_word(fields.get("stat", ""))
    state = _state_told(deliver.tlv(Tag.message_state)) or _WORDS.get(word.upper())
    error = _network_error(deliver.tlv(Tag.network_error_code)) or _error(fields.get("err", ""))
    if state is None and error is None:
        error = word or None
    return SmsReceipt(
        message_id=message_id,
        state=state or MessageState.unknown,
        error=error,
        done_at=_clean(fields.get("done", "")) or None,
        number=re.sub("[^0-9]", "", deliver.source),
        raw_text=text,
    )


def octets_of_deliver(deliver: DeliverSm) -> bytes:
    """What was written, without a user data header: in short_message, or in message_payload instead of it (4.6.1)."""
    octets = deliver.short_message or deliver.tlv(Tag.message_payload) or b""
    return parted(octets)[1] if deliver.esm_class & HAS_HEADER else octets


def id_forms(message_id: str) -> tuple[str, ...]:
    """The forms under which the centre may have given this id before, the likeliest first, each once.

    Many centres give an id in hexadecimal in submit_sm_resp and in decimal in the receipt, or the other way round; with
    or without leading zeros, and in either case. The first form is the id itself.
    """
    numbers = _spellings(message_id)
    padded = [number.zfill(width) for number in numbers for width in _USUAL_WIDTHS]
    forms = [message_id, *numbers, *padded]
    return tuple(dict.fromkeys([*forms, *map(str.upper, forms), *map(str.lower, forms)]))


def same_id(a: str, b: str) -> bool:
    """Whether both can be the same id; that holds in both directions, and whatever zeros they begin with."""
    return a.lower() == b.lower() or not set(_spellings(a)[:1]).isdisjoint(_spellings(b))


def _spellings(message_id: str) -> list[str]:
    """The id as a number in its own form, in the other base from decimal, and in the other base from hexadecimal:
    in lower case, without leading zeros. None for an id that is no number."""
    if not _HEXADECIMAL.fullmatch(message_id) or len(message_id) > _LONGEST_ID:
        return []
    spellings = [message_id.lower().lstrip("0") or "0", str(int(message_id, 16))]
    if _DECIMAL.fullmatch(message_id):
        spellings.append(f"{int(message_id):x}")
    return spellings


def _read_text(deliver: DeliverSm) -> tuple[str, dict[str, str]]:
    """The text and its fields. Some centres name UCS-2 and write ASCII all the same."""
    octets = octets_of_deliver(deliver)
    latin = octets.decode("latin-1")
    if deliver.data_coding != UCS_2:
        return latin, _fields(latin)
    text = octets.decode("utf-16-be", "replace")
    fields = _fields(text)
    if fields:
        return text, fields
    fields = _fields(latin)
    return (latin, fields) if fields else (text, {})


def _fields(text: str) -> dict[str, str]:
    """The first value of each key up to "text:", whose value is the message and may hold anything."""
    found = list(_KEY.finditer(text))
    fields: dict[str, str] = {}
    for at, match in enumerate(found):
        key = _short_key(match.group(1))
        if key == "text" and {"id", "stat"} <= fields.keys():
            break
        end = found[at + 1].start() if at + 1 < len(found) else len(text)
        fields.setdefault(key, text[match.end() : end])
    return fields


def _short_key(key: str) -> str:
    key = re.sub("[ _]", "", key.lower())
    return _SHORT_KEYS.get(key, key)


def _looks_like_receipt(text: str, fields: dict[str, str]) -> bool:
    """Whether it begins with an id and has a state and a date, as no person writes."""
    begins = _KEY.match(text.lstrip())
    return begins is not None and begins.group(1).lower() == "id" and "stat" in fields and "done" in fields


def _clean(value: str) -> str:
    return value.strip().rstrip(",;|").strip()


def _first_word(value: str) -> str:
    words = _clean(value).split(maxsplit=1)
    return words[0].rstrip(",;|") if words else ""


def _error(value: str) -> str | None:
    word = _first_word(value)
    return None if _NO_ERROR.fullmatch(word) else word


def _c_string(value: bytes | None) -> str:
    return (value or b"").partition(b"\0")[0].decode("latin-1").strip()


def _state_told(value: bytes | None) -> MessageState | None:
    if value is None or len(value) != 1 or value[0] >= len(_STATES):
        return None
    return _STATES[value[0]]


def _network_error(value: bytes | None) -> str | None:
    if value is None or len(value) != 3:
        return None
    code = int.from_bytes(value[1:], "big")
    return f"{value[0]}:{code}" if code else None
