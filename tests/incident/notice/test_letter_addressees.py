"""Whom a letter goes to: the address whole in the window, any name as it is, or a named exception."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.notice.letter import FrozenLetter, NotPrintable
from incident.settings import Paper, Window
from tests.support.letters import ANN, LANGUAGES, WANG, printed, without_space
from tests.support.printed import Page, pages_of

# --- the address -------------------------------------------------------------------------------------------------

WINDOWS = [
    Window(),
    Window(left=24.6, top=39.5, width=95.4, height=26.8),
    Window(left=110, top=50, width=80, height=35),
    Window(left=15, top=50, width=60, height=30),
]
ADDRESSES = [
    ("1 A St",),
    ("12 Long Lane", "Springfield", "AB1 2CD", "United Kingdom"),
    (
        "Flat 12, The Old Brewery House",
        "148 Upper Saint Martin's Lane East",
        "Llanfairpwllgwyngyllgogerychwyrndrobwll",
        "AB1",
    ),
    ("广东省广州市天河区珠江新城示例大道西路一百二十八号示例国际金融中心东座三十六层三六零一室", "510000"),
    ("W" * 60,),
]


def inside(page: Page, window: Window, words: tuple[str, ...]) -> None:
    found = [
        word
        for word in page.words
        if word.left < window.left + window.width and word.top < window.top + window.height
    ]
    shown = [word for word in found if word.bottom > window.top and word.right > window.left]
    for word in shown:
        assert window.left <= word.left and word.right <= window.left + window.width + 0.1, word
        assert window.top <= word.top and word.bottom <= window.top + window.height + 0.1, word
    text = "".join(word.text for word in shown)
    for each in words:
        assert without_space(each) in text


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_whole_address_lies_in_the_window_and_nothing_else_but_the_sender(
    letter: Callable[..., FrozenLetter], tmp_path: Path, window: Window, language: str
) -> None:
    frozen = letter(language, Paper(window=window))
    people = [
        replace(ANN, reference=f"L-{number}", address=address) for number, address in enumerate(ADDRESSES)
    ]
    batch = printed(frozen, *people)
    assert len(batch.printed) + len(batch.unprinted) == len(people)
    assert len(batch.printed) >= 3
    pages = pages_of(batch.pdf, tmp_path)
    addresses = {person.reference: person for person in people}
    for each in batch.printed:
        page, person = pages[each.first_page - 1], addresses[each.reference]
        inside(page, window, (person.name, *person.address))
        assert "INC-2026-0001" not in "".join(
            word.text
            for word in page.words
            if word.bottom < window.top + window.height
            and word.left < window.left + window.width
            and word.right > window.left
        ), "what the letter is about cannot be read through the window"


def test_an_address_with_too_many_lines_is_an_exception_and_the_others_go_on(
    letter: Callable[..., FrozenLetter], tmp_path: Path
) -> None:
    long = replace(ANN, reference="long", address=tuple(f"Line {number}" for number in range(14)))
    none = replace(ANN, reference="none", address=(" ", "\n"))
    batch = printed(letter(), long, ANN, none)
    assert [each.reference for each in batch.printed] == ["L-0001"]
    assert [(each.reference, each.reason) for each in batch.unprinted] == [
        ("long", NotPrintable.ADDRESS_TOO_LONG),
        ("none", NotPrintable.NO_ADDRESS),
    ]
    assert "Line13" not in "".join(page.text for page in pages_of(batch.pdf, tmp_path))
    alone = printed(letter(), long)
    assert (alone.pdf, alone.printed) == (b"", ())


def test_a_sender_with_a_very_long_name_stays_in_one_line_of_the_window(
    letter: Callable[..., FrozenLetter], tmp_path: Path
) -> None:
    frozen = letter()
    contact = {**frozen.content["contact"], "organisation": "Very Long Example Company of the Province " * 4}
    page = pages_of(
        printed(replace(frozen, content={**frozen.content, "contact": contact}), ANN).pdf, tmp_path
    )[0]
    window = Window()
    address_top = min(word.top for word in page.words if word.text == "Ann")
    above = [
        word
        for word in page.words
        if window.top <= word.top and word.bottom < address_top and word.left < 105
    ]
    assert above and len({round(word.top) for word in above}) == 1


# --- names as they are -------------------------------------------------------------------------------------------


def test_a_name_that_no_font_can_show_is_an_exception_and_the_others_go_on(
    letter: Callable[..., FrozenLetter],
) -> None:
    rare = replace(WANG, reference="rare", name="王\ue123", address=("路\ue123\U0003fffd",))
    broken = replace(WANG, reference="broken", name="王\ud842")
    batch = printed(letter("zh-Hans"), rare, WANG, broken)
    assert [each.reference for each in batch.printed] == ["L-0002"]
    assert [(each.reference, each.reason, each.characters) for each in batch.unprinted] == [
        ("rare", NotPrintable.NO_GLYPHS, ("U+E123", "U+3FFFD")),
        ("broken", NotPrintable.NO_GLYPHS, ("U+FFFE",)),
    ]


def test_a_notice_that_no_font_can_show_is_refused(letter: Callable[..., FrozenLetter]) -> None:
    with pytest.raises(BadInput, match=r"these characters of the notice: U\+1FFFD"):
        printed(letter("en", what_happened={"en": "Told \U0001fffd."}), ANN)


HOSTILE = (
    "#panic() $x^2$ *b* _i_ `raw` <label> @ref \\ // /* c */",
    "{{ 7*7 }} ${7*7} {% raw %} %s <script>",
    'O\'Brien "Bob" -- --- ... ~ \\u{41}',
    "= Title",
    "- item",
    "+ item",
    "/ term: x",
    "1. one",
    "https://example.com/#a",
    "\u202eevil\u202c Ann",
    "Zoë e\u0301 Ångström",
    "𠮷野家",
    "x" * 120,
)
CHARACTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Zl", "Zp", "Co", "Cn"))
NAMES = st.text(
    st.one_of(st.sampled_from("#$*_`<>@\\/=+-~'\"[](){}&%.;: \n\t王小明éß😀שم"), CHARACTERS),
    min_size=1,
    max_size=20,
)


def test_text_that_is_markup_elsewhere_prints_as_it_is(
    letter: Callable[..., FrozenLetter], tmp_path: Path
) -> None:
    people = [
        replace(ANN, reference=f"L-{number}", name=text, data_types=(text, "end"))
        for number, text in enumerate(HOSTILE)
    ]
    batch = printed(letter(), *people)
    assert batch.unprinted == ()
    pages = pages_of(batch.pdf, tmp_path)
    for each, text in zip(batch.printed, HOSTILE, strict=True):
        first = pages[each.first_page - 1].text
        shown = without_space(text).replace("\u202e", "").replace("\u202c", "")
        assert f"Dear{shown}," in first
        assert f"disclosed:{shown},end." in first


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAMES, min_size=1, max_size=8))
@example(names=["שרה כהן", "محمد علي"])
@example(names=["👩‍👩‍👧", "🇨🇳"])
def test_any_name_is_printed_whole_or_named_as_an_exception(
    letter: Callable[..., FrozenLetter], tmp_path: Path, names: list[str]
) -> None:
    people = [replace(ANN, reference=f"L-{number}", name=f"B{name}E") for number, name in enumerate(names)]
    batch = printed(letter(), *people)
    accounted = [each.reference for each in batch.printed] + [each.reference for each in batch.unprinted]
    assert sorted(accounted) == sorted(each.reference for each in people)
    pages = pages_of(batch.pdf, tmp_path) if batch.pdf else []
    by_reference = {person.reference: person for person in people}
    for each in batch.printed:
        greeting = pages[each.first_page - 1].text.split("Dear", 1)[1].split("Wearewriting", 1)[0]
        # Right-to-left letters come in the order in which poppler reads a line: all must be there.
        assert sorted(greeting.rstrip(",")) == sorted(without_space(by_reference[each.reference].name)), (
            greeting
        )
    for left_out in batch.unprinted:
        assert left_out.reason is NotPrintable.NO_GLYPHS and left_out.characters
