"""A copy of a regime's file as the starting point of one of the workspace's own. Pure: text in, text out."""

from __future__ import annotations

import re

from incident.errors import BadInput

_ID = re.compile(r"(?m)^id:[^\n]*$")
_REVIEWED = re.compile(r"(?m)^reviewed:[^\n]*\n(?:[ \t]+[^\n]*\n)*")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def copied_text(text: str, regime_id: str) -> str:
    """The text with another id and without the review in the file, which was of the other. Raises `BadInput`."""
    if not _NAME.fullmatch(regime_id):
        raise BadInput(
            f"{regime_id!r} is no id for a regime",
            next_step="use small letters, digits and dashes, for example cn-gd-plan",
        )
    return _ID.sub(f"id: {regime_id}", _REVIEWED.sub("", text), count=1)
