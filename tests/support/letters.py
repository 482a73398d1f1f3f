"""Letters for tests: two people, and a batch printed for whoever is given."""

from __future__ import annotations

from datetime import UTC, datetime

from incident.notice.letter import FrozenLetter, LetterBatch, PersonsLetter
from incident.notice.letter_printing import print_letters
from tests.support.printed import fonts_for_letters

LANGUAGES = ("zh-Hans", "zh-Hant", "en")
AT = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
ANN = PersonsLetter(
    reference="L-0001",
    name="Ann Example",
    address=("12 Long Lane", "Springfield", "AB1 2CD"),
    data_types=("phone number", "movements"),
    code="K7-4M2-9QX",
)
WANG = PersonsLetter(
    "L-0002", "王小明", ("广东省广州市天河区示例路1号", "510000"), ("手机号码",), "K7-4M2-9QY"
)


def printed(letter: FrozenLetter, *people: PersonsLetter) -> LetterBatch:
    return print_letters(letter, people, fonts=fonts_for_letters(), printed_at=AT)


def without_space(text: str) -> str:
    return "".join(text.split())
