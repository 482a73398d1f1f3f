"""Reading JSON from strangers: every trap of the standard parser ends in one typed error."""

from __future__ import annotations

import json
from enum import StrEnum
from math import isfinite
from typing import NoReturn

from incident.errors import BadInput
from incident.hooks.values import Json

MAX_DEPTH = 64
# Python's own bound is 4300 digits; no identifier, time or count needs more than a few dozen.
MAX_DIGITS = 400


class JsonTrap(StrEnum):
    not_utf8 = "not_utf8"
    syntax = "syntax"
    too_deep = "too_deep"
    number_too_long = "number_too_long"
    not_a_number = "not_a_number"
    duplicate_key = "duplicate_key"


_WHAT = {
    JsonTrap.not_utf8: "The body is not UTF-8 text.",
    JsonTrap.syntax: "The body is not JSON.",
    JsonTrap.too_deep: f"The JSON is nested deeper than {MAX_DEPTH} levels.",
    JsonTrap.number_too_long: "The JSON holds a number that is too long or too large.",
    JsonTrap.not_a_number: "The JSON holds NaN or Infinity, which JSON does not have.",
    JsonTrap.duplicate_key: "An object in the JSON names the same key twice.",
}


class BadJson(BadInput):
    """The body cannot be taken as JSON; `trap` says why. The message never repeats the body."""

    def __init__(self, trap: JsonTrap, *, where: str | None = None) -> None:
        super().__init__(_WHAT[trap], where=where, next_step="Have the sender post one UTF-8 JSON document.")
        self.trap = trap


def read_json(body: bytes) -> Json:
    """The JSON in `body`; a UTF-8 byte order mark is allowed.

    Integers keep every digit (beyond 2^53 too). Half surrogates, which no database can store, become U+FFFD:
    refusing them would let a crafted user name silence an alert. Raises BadJson for everything else.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadJson(JsonTrap.not_utf8, where=f"byte {error.start}") from None
    value = _parse(text)
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        _check_depth(value)
    if b"\\ud" in body or b"\\uD" in body:
        value = _without_half_surrogates(value)
    return value


def _parse(text: str) -> Json:
    try:
        value: Json = json.loads(
            text,
            object_pairs_hook=_object_of,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_bounded_int,
        )
    except json.JSONDecodeError as error:
        raise BadJson(JsonTrap.syntax, where=f"line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise BadJson(JsonTrap.too_deep) from None
    return value


def _object_of(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise BadJson(JsonTrap.duplicate_key)
    return result


def _refuse_constant(_: str) -> NoReturn:
    raise BadJson(JsonTrap.not_a_number)


def _finite(digits: str) -> float:
    value = float(digits)
    if not isfinite(value):
        raise BadJson(JsonTrap.number_too_long)
    return value


def _bounded_int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise BadJson(JsonTrap.number_too_long)
    return int(digits)


def _check_depth(value: Json) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    if any(isinstance(one, (list, dict)) for one in level):
        raise BadJson(JsonTrap.too_deep)


def _children(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _without_half_surrogates(value: Json) -> Json:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_half_surrogates(one) for one in value]
    if isinstance(value, dict):
        cleaned: dict[str, Json] = {}
        for key, one in value.items():
            name = str(_without_half_surrogates(key))
            if name in cleaned:
                raise BadJson(JsonTrap.duplicate_key)
            cleaned[name] = _without_half_surrogates(one)
        return cleaned
    return value
