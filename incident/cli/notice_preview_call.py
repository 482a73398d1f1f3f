"""`incident notice preview --channel voice`: a call as a dialogue, with what is said and where each key leads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from incident.notice.channels import CALL_KEYS, WITHOUT_A_KEY, VoiceScript

_SAID_WHEN = {
    "greeting": "to whoever picks up",
    "text": "after 1 to the greeting",
    "thanks": "after 1 to the text: they have heard it",
    "wrong_person": "after 2 to the greeting",
    "not_heard": "no key was pressed",
    "machine": "a machine took the call",
}


def call_text(script: VoiceScript, put_in: Callable[[str], str]) -> str:
    """The parts in the order of the call, each with when it is said and which key leads where."""
    return "\n\n".join(_part(name, put_in(getattr(script, name))) for name in _SAID_WHEN)


def _part(name: str, said: str) -> str:
    lines = [f"{name.upper()} ({_SAID_WHEN[name]})", *said.splitlines()]
    if keys := CALL_KEYS.get(name):
        leads = [f"{key}: {to}" for key, to in keys.items()]
        lines.append(f"  -> {', '.join([*leads, f'no key: {WITHOUT_A_KEY}'])}")
    return "\n".join(lines)


def call_document(script: VoiceScript, put_in: Callable[[str], str]) -> dict[str, Any]:
    """The parts by their names, line by line, and the keys of those that ask for one."""
    return {
        "parts": {name: put_in(getattr(script, name)).splitlines() for name in _SAID_WHEN},
        "keys": {name: dict(keys) for name, keys in CALL_KEYS.items()},
        "without_a_key": WITHOUT_A_KEY,
    }
