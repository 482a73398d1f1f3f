"""One canonical JSON (RFC 8785), quickly: every change of the record is hashed in this form.

The interpreter's own JSON in compiled code writes the same bytes for what our rows hold, many times as fast. For anything
else (a float, a number beyond 2**53, a key that is not ASCII) the library of the standard is asked.
"""

from __future__ import annotations

import json
from typing import Any

import rfc8785

_MOST = 2**53 - 1
_ENCODE = json.JSONEncoder(
    ensure_ascii=False, check_circular=True, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode


def canonical(value: Any) -> bytes:
    """The value as RFC 8785 writes it. Raises as `rfc8785.dumps` does for what has no such form."""
    if not _is_plain(value):
        return rfc8785.dumps(value)
    try:
        return _ENCODE(value).encode()
    except UnicodeEncodeError:  # a lone surrogate, which the library refuses in its own words
        return rfc8785.dumps(value)


def _is_plain(value: Any) -> bool:
    """Whether nothing in it is written or sorted otherwise: keys in ASCII, whole numbers that a double holds."""
    ahead = [value]
    while ahead:
        each = ahead.pop()
        if each is None or isinstance(each, str):
            continue
        if isinstance(each, dict):
            if not all(isinstance(key, str) and key.isascii() for key in each):
                return False
            ahead += each.values()
        elif isinstance(each, list | tuple):
            ahead += each
        elif not isinstance(each, int) or not -_MOST <= each <= _MOST:
            return False
    return True
