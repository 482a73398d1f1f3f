"""How hard a text is to read: sentences, their length, and the reading grade of English. Pure.

What a sentence is and how it is counted is the yardstick of its language (`reading` in its `language.yaml`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from incident.notice.languages import Grade, Language, NextSentence, Unit, Yardstick, shipped_languages

_CHARACTER = re.compile(r"[A-Za-z0-9@.:/_+\-,]+|[㐀-䶿一-鿿぀-ヿ가-힣]")
# Letters of any script with what may stand inside a word; marks above letters are no letters of their own.
_WORD = re.compile(r"[^\W_](?:[\w'’@.:/+\-,]|[\u0300-\u036f\u064b-\u065f])*")
_ENGLISH_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9'’@.:/_+\-,]*")
_VOWELS = re.compile(r"[aeiouy]+")


def yardstick(language: str | Language) -> Yardstick:
    """The yardstick of a language, or of a shipped one by its tag."""
    return (shipped_languages()[language] if isinstance(language, str) else language).reading


def sentences(text: str, language: str | Language) -> list[str]:
    """The sentences of a text, without blanks around them. A label before a colon counts as one of its own."""
    reading = yardstick(language)
    ends = _ends(reading.sentence_ends, reading.next_sentence)
    return [part.strip() for part in ends.split(text) if part.strip()]


@lru_cache(maxsize=32)
def _ends(marks: str, following: NextSentence) -> re.Pattern[str]:
    mark = f"(?<=[{re.escape(marks)}])"
    if following is NextSentence.ANYTHING:
        return re.compile(rf"{mark}|\n")
    closing = r"[\"'”’)»]*\s+"
    if following is NextSentence.BLANK:
        return re.compile(rf"{mark}{closing}|\n")
    return re.compile(rf"{mark}{closing}(?=[\"'“‘(«]*[A-Z0-9À-ÖØ-Þ])|\n")


def length_of(sentence: str, language: str | Language) -> int:
    """Words, or characters, where a number or a Latin word counts as one: as the language is counted."""
    reading = yardstick(language)
    return len((_CHARACTER if reading.counts is Unit.CHARACTERS else _WORD).findall(sentence))


def long_sentences(text: str, language: str | Language, *, limit: int | None = None) -> list[str]:
    """Sentences above the limit of their language, or above another limit."""
    most = yardstick(language).longest_sentence if limit is None else limit
    return [sentence for sentence in sentences(text, language) if length_of(sentence, language) > most]


def grade_of(texts: Iterable[str], language: str | Language) -> float:
    """The reading grade of texts in a language; 0 where there is no formula for it."""
    return reading_grade(texts) if yardstick(language).grade is Grade.FLESCH_KINCAID else 0.0


def reading_grade(texts: Iterable[str]) -> float:
    """The Flesch-Kincaid grade of English texts: years of school that reading them takes. 0 for no text.

    Syllables are counted by groups of vowels, which is right to within a tenth on running text.
    """
    parts = [sentence for text in texts for sentence in sentences(text, "en")]
    words = [word for part in parts for word in _ENGLISH_WORD.findall(part)]
    if not words:
        return 0.0
    syllables = sum(_syllables(word) for word in words)
    return 0.39 * len(words) / len(parts) + 11.8 * syllables / len(words) - 15.59


def _syllables(word: str) -> int:
    lower = word.lower().strip(".,'’")
    groups = len(_VOWELS.findall(lower))
    silent = lower.endswith("e") and not lower.endswith(("le", "ee")) and groups > 1
    return max(1, groups - silent)
