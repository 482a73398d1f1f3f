"""Requests as a definition describes them. Pure: the time and the nonce are passed in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from notifiers.sms_gateway.definition import Constant, Operation, Value
from notifiers.sms_gateway.gateway import Gateway
from notifiers.sms_gateway.signing import HttpRequest, query_of, signed
from notifiers.sms_gateway.terms import Encoding, Slot, slot_of

SlotValue = str | int | tuple[str, ...]

_CONTENT_TYPES = {
    Encoding.form: "application/x-www-form-urlencoded",
    Encoding.json: "application/json; charset=utf-8",
}


def request_of(
    gateway: Gateway, operation: Operation, slots: Mapping[Slot, SlotValue], *, now: datetime, nonce: str
) -> HttpRequest:
    """The signed request. `slots` holds what this operation's fields need beside the account's own values."""
    known: dict[Slot, SlotValue] = {
        **{Slot(name): value for name, value in gateway.values.items()},
        Slot.key_id: gateway.key_id,
        Slot.secret: gateway.secret,
        **slots,
    }
    fields = {name: _filled(value, known) for name, value in operation.fields.items()}
    present = {name: value for name, value in fields.items() if value != ""}
    query, body = "", b""
    if operation.encoding is Encoding.json:
        body = json.dumps(present, ensure_ascii=False, separators=(",", ":")).encode()
    elif operation.encoding is Encoding.form:
        body = query_of(_as_text(present)).encode()
    else:
        query = query_of(_as_text(present))
    headers = {"host": gateway.host_header, **_headers(operation, known)}
    if operation.encoding in _CONTENT_TYPES:
        headers["content-type"] = _CONTENT_TYPES[operation.encoding]
    bare = HttpRequest(operation.method, operation.path, query, headers, body)
    definition = gateway.definition
    complete = signed(
        bare,
        definition.signing,
        key_id=gateway.key_id,
        secret=gateway.secret,
        now=now,
        nonce=nonce,
        service=definition.signing_service,
    )
    return HttpRequest(bare.method, bare.path, bare.query, complete, body)


def parameters_as_json(parameters: Mapping[str, str]) -> str:
    """Named variables with their values; empty for a template without variables."""
    return json.dumps(dict(parameters), ensure_ascii=False, separators=(",", ":")) if parameters else ""


def parameters_as_list(parameters: Mapping[str, str]) -> tuple[str, ...]:
    """The values of numbered variables in the order of their numbers; as they come, where they have names."""
    if all(name.isdigit() for name in parameters):
        return tuple(parameters[name] for name in sorted(parameters, key=int))
    return tuple(parameters.values())


def _filled(value: Value, known: Mapping[Slot, SlotValue]) -> object:
    if isinstance(value, Constant):
        return value.constant
    if isinstance(value, str):
        found = known[slot_of(value)]
        return list(found) if isinstance(found, tuple) else found
    return [known[slot_of(each)] for each in value]


def _headers(operation: Operation, known: Mapping[Slot, SlotValue]) -> dict[str, str]:
    return {
        name.lower(): str(known[slot_of(value)]) if value.startswith("{") else value
        for name, value in operation.headers.items()
    }


def _as_text(fields: Mapping[str, object]) -> dict[str, str]:
    return {name: _text(value) for name, value in fields.items()}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
