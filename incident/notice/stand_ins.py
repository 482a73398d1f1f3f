"""Names that stand in a preview for real ones: of the same length and script, so that a message measures the same. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from incident.notice.audience import Audience
from incident.notice.channels import PersonValues, person_values
from incident.notice.content import NoticeContent
from incident.notice.graphemes import graphemes
from incident.notice.languages import Language, shipped_languages
from incident.notice.letter import PersonsLetter
from incident.notice.render import CHILD_NAME, CODE, DATA_TYPES_OF_PERSON, PERSON_NAME
from incident.notice.sms_text import forcing_characters

SAMPLE_CODE = "K7P2-4M9Q-X5T"
"""Has the form of a code; a real one belongs to a delivery, which a preview does not make."""

_SAMPLE_NAMES: Mapping[str, Mapping[str, str]] = {
    "zh-Hans": {"sample": "张三", "child": "张小明", "longest": "阿卜杜热西提·麦麦提艾力"},
    "zh-Hant": {"sample": "陳大文", "child": "陳小明", "longest": "歐陽陳佩儀·瑪利亞·羅德里格斯"},
    "en": {"sample": "Ann Lee", "child": "Lucy Lee", "longest": "Maximiliane Alexandra Winterbottom-Smith"},
}
_SAMPLE_ADDRESSES: Mapping[str, tuple[str, ...]] = {
    "zh-Hans": ("510000", "广东省广州市越秀区样例路1号"),
    "zh-Hant": ("香港九龍樣例道1號",),
    "en": ("1 Sample Street", "London EC1A 1AA"),
}
# By the first word of a character's Unicode name.
_LETTERS = {
    "CJK": "某", "LATIN": "ŵ", "CYRILLIC": "ж", "GREEK": "ω", "ARABIC": "س", "HEBREW": "ש", "HANGUL": "가",
    "HIRAGANA": "あ", "KATAKANA": "ア", "DEVANAGARI": "क", "BENGALI": "ক", "TAMIL": "க", "THAI": "ก", "TIBETAN": "ཀ",
    "MONGOLIAN": "ᠠ", "GEORGIAN": "ა", "ARMENIAN": "ա",
}  # fmt: skip
_KEPT = frozenset(" -'’·.")
_OTHER, _ASTRAL, _ASTRAL_IDEOGRAPH, _MARK = "□", "🙂", "𠀀", "\u0301"


def name_like(name: str) -> str:
    """Another name of the same length, script and cost: as many graphemes and UTF-16 units, in the same SMS encoding.

    Blanks, hyphens, points and apostrophes stay where they are.
    """
    return "".join(_like(each) for each in graphemes(name))


def _like(grapheme: str) -> str:
    if grapheme in _KEPT:
        return grapheme
    if not forcing_characters(grapheme):
        return "".join(_like_gsm(character) for character in grapheme)
    first = _letter(grapheme[0])
    # Marks on top, so that it stays one grapheme of the same length.
    return first + _MARK * (_units(grapheme) - _units(first))


def _like_gsm(character: str) -> str:
    if character.isascii() and character.isalpha():
        return "X" if character.isupper() else "x"
    if character.isdigit():
        return "0"
    if character in "\r\n":
        return character
    # What is escaped counts two septets; so does the stand-in.
    return "[" if character in "\f^{}\\[~]|€" else "o"


def _letter(character: str) -> str:
    words = unicodedata.name(character, "").replace("-", " ").split()
    script = words[0] if words else ""
    if character > "\uffff":
        return _ASTRAL_IDEOGRAPH if script == "CJK" else _ASTRAL
    # A mark with nothing below it, as a list may hold, gets no letter of a script.
    return _LETTERS.get(script, _OTHER) if character.isalpha() else _OTHER


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def sample_values(
    content: NoticeContent, *, size: str = "sample", languages: Mapping[str, Language] | None = None
) -> PersonValues:
    """Made-up values in a content's language, which is one of `languages` (by default those that are shipped).

    `size` is `sample`, `longest` or `shortest`. The longest has every kind of information that the notice names, the
    shortest one kind and no name.
    """
    language, kinds = content.language, content.data_types or ()
    names = _SAMPLE_NAMES.get(language) or _SAMPLE_NAMES["en"]
    spoken = (languages or shipped_languages())[language]
    name = spoken.word("unnamed") if size == "shortest" else names[size]
    return person_values(
        name=name,
        data_types=spoken.listed(_kinds_of(kinds, size)),
        code=SAMPLE_CODE,
        child=_child(names, spoken, size),
    )


def _child(names: Mapping[str, str], spoken: Language, size: str) -> str:
    if size == "shortest":
        return spoken.spoken.audiences[Audience.GUARDIAN].unnamed_child
    return names["child" if size == "sample" else size]


def sample_letter(content: NoticeContent, values: PersonValues, *, reference: str) -> PersonsLetter:
    """The letter of somebody with these values, at a made-up address."""
    address = _SAMPLE_ADDRESSES.get(content.language) or _SAMPLE_ADDRESSES["en"]
    return PersonsLetter(
        reference=reference,
        name=values[PERSON_NAME],
        address=address,
        data_types=(values[DATA_TYPES_OF_PERSON],),
        code=values[CODE],
        child=values[CHILD_NAME],
    )


def _kinds_of(kinds: Sequence[str], size: str) -> Sequence[str]:
    if size == "shortest":
        return sorted(kinds, key=len)[:1]
    return kinds if size == "longest" else kinds[:2]
