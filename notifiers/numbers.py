"""Telephone numbers in international form."""

from __future__ import annotations

import re

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")

WRITTEN_AS = "a number in international form: a plus, then 7 to 15 digits"


def is_number(text: str) -> bool:
    """Whether it is a number as E.164 has it, with its plus and nothing between its digits."""
    return _E164.fullmatch(text) is not None
