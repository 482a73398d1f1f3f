"""How hard a text is to read: sentences, their length, and the reading grade of English. Pure.

A sentence's length is counted in words in English and in characters without punctuation in Chinese.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST_SENTENCE = {"zh-Hans": 30, "en": 25}
HIGHEST_GRADE = 9.0
"""Flesch-Kincaid grade that an English notice should not exceed; sixteen published ones had 13 to 21."""
LONGEST_NOTICE = {"zh-Hans": 1200, "en": 500}

_CHINESE_END = re.compile(r"(?<=[。！？；…：])|\n")
_ENGLISH_END = re.compile(r"(?<=[.!?;:])[\"'”’)]*\s+(?=[\"'“‘(]*[A-Z0-9])|\n")
_CHINESE_UNIT = re.compile(r"[A-Za-z0-9@.:/_+\-,]+|[㐀-䶿一-鿿]")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9'’@.:/_+\-,]*")
_VOWELS = re.compile(r"[aeiouy]+")


def sentences(text: str, language: str) -> list[str]:
    """The sentences of a text, without blanks around them. A label before a colon counts as one of its own."""
    ends = _CHINESE_END if language == "zh-Hans" else _ENGLISH_END
    return [part.strip() for part in ends.split(text) if part.strip()]


def length_of(sentence: str, language: str) -> int:
    """Words in English; in Chinese characters, where a number or a Latin word counts as one."""
    return len((_CHINESE_UNIT if language == "zh-Hans" else _WORD).findall(sentence))


def long_sentences(text: str, language: str) -> list[str]:
    """Sentences above the limit of their language."""
    limit = LONGEST_SENTENCE[language]
    return [sentence for sentence in sentences(text, language) if length_of(sentence, language) > limit]


def reading_grade(texts: Iterable[str]) -> float:
    """The Flesch-Kincaid grade of English texts: years of school that reading them takes. 0 for no text.

    Syllables are counted by groups of vowels, which is right to within a tenth on running text.
    """
    parts = [sentence for text in texts for sentence in sentences(text, "en")]
    words = [word for part in parts for word in _WORD.findall(part)]
    if not words:
        return 0.0
    syllables = sum(_syllables(word) for word in words)
    return 0.39 * len(words) / len(parts) + 11.8 * syllables / len(words) - 15.59


def _syllables(word: str) -> int:
    lower = word.lower().strip(".,'’")
    groups = len(_VOWELS.findall(lower))
    silent = lower.endswith("e") and not lower.endswith(("le", "ee")) and groups > 1
    return max(1, groups - silent)
