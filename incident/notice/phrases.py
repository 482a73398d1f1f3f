"""How days are written, and text given by language: for those who write in a shipped language by its tag. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo

from incident.notice.languages import Language, PlainText, shipped_languages

_HAN = re.compile(r"[㐀-䶿一-鿿]")


def show_day(moment: datetime, language: str, zone: tzinfo) -> str:
    """A day as people read it: 2026年3月4日, 4 March 2026. `moment` is timezone-aware."""
    return shipped_languages()[language].day(moment, zone)


def show_days(first: datetime, last: datetime, language: str, zone: tzinfo) -> str:
    """One day, or the two days between which something went on."""
    return shipped_languages()[language].days(first, last, zone)


def only_in_language(text: object, language: str | Language) -> str | None:
    """A text fact in a language, or None when it was not given in it. Never another language's text.

    A plain string belongs to the language that says so of texts with Han characters, or of those without.
    """
    if isinstance(text, Mapping):
        given = text.get(language if isinstance(language, str) else language.tag)
        return given.strip() or None if isinstance(given, str) else None
    if isinstance(text, str) and text.strip():
        spoken = shipped_languages()[language].spoken if isinstance(language, str) else language.spoken
        kind = PlainText.WITH_HAN if _HAN.search(text) else PlainText.WITHOUT_HAN
        return text.strip() if spoken.plain_text is kind else None
    return None
