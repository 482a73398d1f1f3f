"""The states of an effect: what the machine asked for, from the question to its settlement."""

from __future__ import annotations

from enum import StrEnum


class EffectState(StrEnum):
    OPEN = "open"
    INTENDED = "intended"
    SETTLED = "settled"
    WITHDRAWN = "withdrawn"


OUTSTANDING = frozenset({EffectState.OPEN, EffectState.INTENDED})
