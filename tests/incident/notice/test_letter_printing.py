"""Letters as PDF, read back by poppler: every word as it is, the address in the window, each letter on its pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.notice.content import NoticeContent
from incident.notice.letter import FrozenLetter, LetterBatch, NotPrintable, PersonsLetter, freeze_letter
from incident.notice.letter_printing import MOST_IN_A_BATCH, preview_letter, print_letters
from incident.settings import Paper, Window
from tests.support.printed import Page, fonts_for_letters, fonts_in, pages_of

Contents = Callable[..., dict[str, NoticeContent]]
LANGUAGES = ("zh-Hans", "en")
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


@pytest.fixture
def letter(contents: Contents, templates: list[Path]) -> Callable[..., FrozenLetter]:
    def make(language: str = "en", paper: Paper | None = None, **changes: object) -> FrozenLetter:
        return freeze_letter(contents(changes)[language], templates=templates, paper=paper or Paper())

    return make


def printed(letter: FrozenLetter, *people: PersonsLetter) -> LetterBatch:
    return print_letters(letter, people, fonts=fonts_for_letters(), printed_at=AT)


def without_space(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_letter_holds_every_element_and_everything_of_its_person(
    contents: Contents, templates: list[Path], tmp_path: Path, language: str
) -> None:
    content = contents({"more": None})[language]
    batch = printed(freeze_letter(content, templates=templates, paper=Paper()), ANN)
    text = "".join(page.text for page in pages_of(batch.pdf, tmp_path))
    for place, lines in content.texts().items():
        for line in lines if place != "data_types" else ():
            assert without_space(line) in text, place
    assert content.contact is not None
    said = (content.subject, content.reference, content.written_on, content.contact.phone)
    own = (ANN.reference, ANN.name, *ANN.address, *ANN.data_types, ANN.code)
    for each in (*said, content.contact.email, content.contact.website, content.contact.officer_name, *own):
        assert without_space(each) in text
    assert not any(trace in text for trace in ("none", "None", "#if", "()", "\ufffd"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_draft_with_holes_still_prints(
    letter: Callable[..., FrozenLetter], tmp_path: Path, language: str
) -> None:
    holes = letter(
        language,
        what_happened=None,
        data_categories=None,
        cause_kind=None,
        remedies_offered=None,
        next_update_at=None,
    )
    without_contact = replace(
        holes, content={**holes.content, "contact": {**dict.fromkeys(holes.content["contact"], "")}}
    )
    for each in (holes, without_contact):
        pages = pages_of(printed(each, ANN).pdf, tmp_path)
        assert "none" not in pages[0].text and "K7-4M2-9QX" in "".join(page.text for page in pages)


def test_a_person_without_a_name_is_addressed_as_the_notice_does(
    letter: Callable[..., FrozenLetter], tmp_path: Path
) -> None:
    text = pages_of(printed(letter("zh-Hans"), replace(WANG, name="")).pdf, tmp_path)[0].text
    assert "尊敬的用户：" in text and "用户收" in text


def test_the_day_of_the_letter_may_be_another_than_that_of_the_notice(
    letter: Callable[..., FrozenLetter], tmp_path: Path
) -> None:
    text = "".join(
        page.text for page in pages_of(printed(letter(), replace(ANN, dated="3 December 2026")).pdf, tmp_path)
    )
    assert text.count("3December2026") == 2 and "23November2026" not in text


# --- a batch -----------------------------------------------------------------------------------------------------


def test_each_letter_of_a_batch_begins_on_a_page_of_its_own_and_counts_its_own_pages(
    letter: Callable[..., FrozenLetter], tmp_path: Path
) -> None:
    people = [replace(ANN, reference=f"L-{number}", name=f"Ann Number{number}") for number in range(12)]
    batch = printed(letter(), *people)
    pages = pages_of(batch.pdf, tmp_path)
    assert [each.reference for each in batch.printed] == [person.reference for person in people]
    assert batch.printed[0].first_page == 1
    for before, after in pairwise(batch.printed):
        assert after.first_page == before.first_page + before.pages
    last = batch.printed[-1]
    assert last.first_page + last.pages - 1 == len(pages)
    for each, person in zip(batch.printed, people, strict=True):
        own = pages[each.first_page - 1 : each.first_page - 1 + each.pages]
        assert all(person.reference in page.text for page in own), "each page says whose it is"
        assert without_space(f"Dear {person.name},") in own[0].text
        assert [f"Page{number}of{each.pages}" in page.text for number, page in enumerate(own, 1)] == [
            True
        ] * len(own)


def test_printed_on_both_sides_every_letter_begins_on_a_front_side(
    letter: Callable[..., FrozenLetter], tmp_path: Path
) -> None:
    people = [replace(ANN, reference=f"L-{number}") for number in range(4)]
    # Of one page, and of three.
    long = letter(
        "en", Paper(duplex=True), what_happened={"en": "\n".join(["It was read by somebody."] * 35)}
    )
    left_out = dict.fromkeys(
        (
            "what_happened",
            "consequences",
            "steps_for_person",
            "measures_taken",
            "remedies",
            "cause",
            "next_update",
        )
    ) | {"more": []}
    short = replace(long, content={**long.content, **left_out})
    for each, pages_of_one in ((short, 1), (long, 3)):
        batch = printed(each, *people)
        assert {one.pages for one in batch.printed} == {pages_of_one}
        assert all(one.first_page % 2 == 1 for one in batch.printed)
        pages = pages_of(batch.pdf, tmp_path)
        empty = [number for number, page in enumerate(pages, 1) if not page.words]
        assert empty == [one.first_page + pages_of_one for one in batch.printed[:-1]], (
            "and what turns it is empty"
        )


def test_the_same_letters_give_the_same_bytes(letter: Callable[..., FrozenLetter]) -> None:
    frozen = letter("zh-Hans")
    first, again = printed(frozen, WANG, ANN), printed(frozen, WANG, ANN)
    assert first.pdf == again.pdf
    assert first.manifest() == again.manifest()
    later = print_letters(
        frozen, [WANG, ANN], fonts=fonts_for_letters(), printed_at=datetime(2026, 12, 1, tzinfo=UTC)
    )
    assert later.pdf != first.pdf


def test_the_document_embeds_its_fonts_and_only_the_characters_used(
    letter: Callable[..., FrozenLetter], tmp_path: Path
) -> None:
    batch = printed(letter("zh-Hans"), WANG)
    found = fonts_in(batch.pdf, tmp_path)
    assert found and all(embedded and subset for _, embedded, subset in found)
    assert len(batch.pdf) < 100_000


def test_nobody_to_write_to_gives_no_document(letter: Callable[..., FrozenLetter]) -> None:
    batch = printed(letter())
    assert (batch.pdf, batch.printed, batch.unprinted) == (b"", (), ())


@pytest.mark.parametrize("references", [("L-1", "L-1"), ("",)])
def test_letters_that_could_not_be_told_apart_are_refused(
    letter: Callable[..., FrozenLetter], references: tuple[str, ...]
) -> None:
    with pytest.raises(BadInput, match="reference of its own"):
        printed(letter(), *(replace(ANN, reference=each) for each in references))


def test_too_many_letters_for_one_document_are_refused(letter: Callable[..., FrozenLetter]) -> None:
    with pytest.raises(BadInput, match="1001 letters are too many"):
        printed(letter(), *([ANN] * (MOST_IN_A_BATCH + 1)))


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


# --- templates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message", "where"),
    [
        ("#let lang = none +\n", "does not fit", "notice/en/letter.typ"),
        ("#let x = content.nothing\n", "does not fit", "notice/en/letter.typ, line 1"),
        ('#let x = read("../../../etc/passwd")\n', "does not fit", "notice/en/letter.typ, line 1"),
        ('#let x = read("/etc/passwd")\n', "does not fit", "notice/en/letter.typ, line 1"),
    ],
)
def test_an_own_template_that_is_wrong_is_refused_with_its_place(
    letter: Callable[..., FrozenLetter], wrong: str, message: str, where: str
) -> None:
    frozen = letter()
    with pytest.raises(BadInput, match=message) as error:
        printed(replace(frozen, template=wrong + frozen.template), ANN)
    assert error.value.where is not None and error.value.where.startswith(where)


@pytest.mark.parametrize(
    ("shown", "lost"),
    [
        ('person.salutation + ","', "“person.name”"),
        ('#bold(person.data_types.join(", "))', "“person.data_types”"),
        ("#code(person.code)", "“person.code”"),
        ("paragraphs(part.lines)", "“You may complain to the authority.”"),
    ],
)
def test_an_own_template_that_leaves_out_what_must_be_said_is_refused(
    letter: Callable[..., FrozenLetter], shown: str, lost: str
) -> None:
    frozen = letter()
    part = {"element": "rights", "heading": "Your rights", "lines": ["You may complain to the authority."]}
    frozen = replace(frozen, content={**frozen.content, "more": [part]})
    assert printed(frozen, ANN).printed
    assert shown in frozen.template
    without = frozen.template.replace(
        shown, '","' if "salutation" in shown else "none" if "(part" in shown else ""
    )
    with pytest.raises(BadInput, match=lost) as error:
        printed(replace(frozen, template=without), ANN)
    assert error.value.where == "notice/en/letter.typ"


def test_the_typesetter_has_nothing_to_object_to(letter: Callable[..., FrozenLetter]) -> None:
    """Such as a layout that never comes to rest, or a font that is not here."""
    from incident.notice.letter_printing import _typesetter

    for duplex in (False, True):
        for language in LANGUAGES:
            shelf = fonts_for_letters()
            frozen = letter(language, Paper(duplex=duplex))
            people = [replace(ANN, reference=f"L-{number}") for number in range(20)]
            with _typesetter(frozen, shelf, shelf.family_for(language)) as typesetter:
                _, warnings = typesetter._told(people, lambda it: it.compile_with_warnings(format="pdf"))
            assert warnings == []


def test_a_layout_that_loses_letters_is_refused(letter: Callable[..., FrozenLetter]) -> None:
    frozen = letter()
    with pytest.raises(BadInput, match="one letter for each person"):
        printed(replace(frozen, layout=frozen.layout.replace("<end>", "<gone>")), ANN)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_preview_is_one_picture_a_page(letter: Callable[..., FrozenLetter], language: str) -> None:
    shown = preview_letter(letter(language), ANN, fonts=fonts_for_letters(), points_per_inch=50)
    assert len(shown.pages) == printed(letter(language), ANN).printed[0].pages
    assert all(page.startswith(b"\x89PNG") for page in shown.pages)
    assert shown.objection is None and shown.font == fonts_for_letters().family_for(language)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"address": ("a",) * 14}, NotPrintable.ADDRESS_TOO_LONG),
        ({"address": ()}, NotPrintable.NO_ADDRESS),
        ({"name": "\ue123"}, NotPrintable.NO_GLYPHS),
    ],
)
def test_a_preview_says_why_a_letter_would_not_be_printed(
    letter: Callable[..., FrozenLetter], changes: dict[str, Any], reason: NotPrintable
) -> None:
    person = replace(ANN, **changes)
    shown = preview_letter(letter(), person, fonts=fonts_for_letters(), points_per_inch=20)
    assert shown.pages and shown.objection is not None
    assert shown.objection.reason is reason is printed(letter(), person).unprinted[0].reason


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_page_begins_with_a_lone_line_and_no_heading_stands_at_its_end(
    letter: Callable[..., FrozenLetter], tmp_path: Path, language: str
) -> None:
    """Over letters that grow line by line, so that each break of the text meets the end of a page."""
    headings = {
        "en": ("Whathappened", "Yourinformation", "Thecause", "Contact"),
        "zh-Hans": ("发生了什么", "涉及您的哪些信息", "事件的原因", "联系我们"),
    }[language]
    line = {
        "en": "Somebody read records of customers through a query interface of ours without permission, and that took two lines.",
        "zh-Hans": "有人未经许可，通过我们的一个查询接口读取了用户资料，这句话写得足够长，以便在信纸上占去两行的位置。",
    }[language]
    for count in range(1, 12):
        frozen = letter(language, what_happened={language: "\n".join([line] * count)})
        pages = pages_of(printed(frozen, ANN).pdf, tmp_path)
        for page in pages[:-1]:
            # Above the foot.
            lowest = max(word.bottom for word in page.words if word.bottom < 275)
            last = "".join(word.text for word in page.words if abs(word.bottom - lowest) < 2)
            assert last not in headings, (count, last)
        for page in pages[1:]:
            # All lines of `line` have two lines on paper: a break within one leaves a lone line on both sides.
            assert without_space(line).find(page.text[:8]) <= 0, (count, page.text[:8])
