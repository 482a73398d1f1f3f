"""What a gateway's answers say, and what it posts to us. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote

from notifiers.errors import BadMessage
from notifiers.sms.receipt import MessageState, SmsReceipt
from notifiers.sms_gateway.definition import GatewayDefinition, Records, Reply, picked

LONGEST_TEXT = 500
_LONGEST_CODE = 100
_LONGEST_RECORD = 4000
_LONGEST_REFERENCE = 200
_SHORTEST_HIDDEN = 2


class Said(NamedTuple):
    """Whether it went well, the provider's code, and its words."""

    success: bool
    code: str
    text: str


def document_of(body: bytes) -> object | None:
    """The JSON document; None for what is none."""
    try:
        document: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document


def said_in(document: object, reply: Reply) -> Said:
    return Said(
        picked(reply.success, document) is True,
        word_of(picked(reply.code, document))[:_LONGEST_CODE],
        word_of(picked(reply.text, document)),
    )


def word_of(value: object) -> str:
    """A string, number or truth value as a word; empty for anything else. JSON can name what no text holds: it becomes
    a question mark."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _as_text(str(value)).strip() if isinstance(value, str | int | float) else ""


def reference_in(document: object, path: str | None) -> str:
    """The provider's id of a message; empty where it names none, or one that is longer than ids are."""
    found = _field(document, path)
    return found if len(found) <= _LONGEST_REFERENCE else ""


def _as_text(text: str) -> str:
    return text.encode(errors="replace").decode().replace("\0", "?")


def shown(text: str, hidden: Iterable[str]) -> str:
    """The provider's words for people: one line of at most 500 characters, with "…" for each of `hidden`, also as a URL
    or JSON writes it. Single characters are not hidden: nothing would be left."""
    text = _one_line(text)
    forms = {_one_line(each) for value in hidden for each in _written(value)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "…") if len(form) >= _SHORTEST_HIDDEN else text
    return text[:LONGEST_TEXT]


def _written(value: str) -> set[str]:
    once = quote(value, safe="~")
    twice = quote(once, safe="~")
    return {value, once, once.lower(), twice, twice.lower(), json.dumps(value)[1:-1]}


def _one_line(text: str) -> str:
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())


def records_in(document: object, records: Records) -> list[object] | None:
    """The list; None where there is none."""
    found = picked(records.list, document)
    return found if isinstance(found, list) else None


def receipt_in(record: object, records: Records, definition: GatewayDefinition) -> SmsReceipt:
    """One record. A state that is not listed is unknown, and its word is in `error` where nothing else is."""
    word = word_of(picked(records.state, record))
    state = records.states.get(word, MessageState.unknown)
    error = _field(record, records.error)
    if state is MessageState.delivered:
        error = ""
    elif state is MessageState.unknown and not error:
        error = word
    return SmsReceipt(
        message_id=reference_in(record, records.reference),
        state=state,
        error=error or None,
        done_at=_field(record, records.done_at) or None,
        number=digits_of(word_of(picked(records.number, record)), definition),
        raw_text=_as_text(json.dumps(record, ensure_ascii=False, sort_keys=True))[:_LONGEST_RECORD],
        own_id=_field(record, records.own_id),
    )


def digits_of(number: str, definition: GatewayDefinition) -> str:
    """A number as the gateway writes it, as digits with the country code."""
    digits = re.sub("[^0-9]", "", number)
    national = not number.startswith("+") and re.fullmatch(definition.national_number, digits)
    return definition.country_code + digits if national else digits


def pushed_receipts(definition: GatewayDefinition, body: bytes) -> list[SmsReceipt]:
    """The receipts in a body that the gateway posted, in their order; those that do not say of which message they are,
    or that are certainly of another's, are left out. It proves nothing of who posted it: compare
    `number` with that of the message.

    Raises BadMessage at "body" for a body that is not what the definition says, or where it says nothing of pushes.
    """
    if definition.pushed is None:
        raise BadMessage("this gateway pushes no receipts", where="body")
    records = definition.pushed.records
    found = records_in(document_of(body), records)
    if found is None:
        raise BadMessage(f"not the receipts that {definition.name} pushes", where="body")
    receipts = [receipt_in(record, records, definition) for record in found if isinstance(record, dict)]
    return [
        receipt
        for receipt in receipts
        if receipt.own_id or (receipt.message_id and not records.always_own_id)
    ]


def _field(record: object, path: str | None) -> str:
    return word_of(picked(path, record)) if path is not None else ""
