"""Canonical JSON (RFC 8785), written by the encoder of the standard library wherever its bytes are the same."""

from __future__ import annotations

import json
from typing import Any

import rfc8785

_LARGEST = 2**53 - 1
"""Beyond it RFC 8785 knows no whole numbers, and `rfc8785` refuses them."""

_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"), sort_keys=True
).encode


def canonical(value: Any) -> bytes:
    """The canonical JSON of a value, byte for byte what `rfc8785.dumps` makes; raises what that raises.

    The two differ in numbers with a fraction, in the order of names outside ASCII, and in what they refuse: such values
    go to `rfc8785`. All others take a fifth of its time, which decides how long the check of a journal takes.
    """
    if _is_plain(value):
        try:
            return _encode(value).encode()
        except UnicodeEncodeError:  # half a character; `rfc8785` says so in its own words
            pass
    return rfc8785.dumps(value)


def _is_plain(value: Any) -> bool:
    left = [value]
    while left:
        each = left.pop()
        kind = type(each)
        if kind is str or kind is bool or each is None:
            continue
        if kind is int:
            if not -_LARGEST <= each <= _LARGEST:
                return False
        elif kind is dict:
            for name in each:
                if type(name) is not str or not name.isascii():
                    return False
            left.extend(each.values())
        elif kind is list:
            left.extend(each)
        else:
            return False
    return True
