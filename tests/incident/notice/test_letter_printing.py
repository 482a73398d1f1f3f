"""Letters as PDF, read back by poppler: every word as it is, the address in the window, each letter on its pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from incident.errors import BadInput
from incident.notice.audience import Audience
from incident.notice.content import NoticeContent
from incident.notice.letter import FrozenLetter, NotPrintable, freeze_letter
from incident.notice.letter_printing import MOST_IN_A_BATCH, preview_letter, print_letters
from incident.settings import Paper
from notifiers.email.message import SLOT
from tests.support.letters import ANN, LANGUAGES, WANG, printed, without_space
from tests.support.printed import fonts_for_letters, fonts_in, pages_of

Contents = Callable[..., dict[str, NoticeContent]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_letter_holds_every_element_and_everything_of_its_person(
    contents: Contents, templates: list[Path], tmp_path: Path, language: str
) -> None:
    content = contents(languages=(language,))[language]
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


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("audience", list(Audience))
def test_each_audience_reads_its_own_words(
    contents: Contents, templates: list[Path], tmp_path: Path, language: str, audience: Audience
) -> None:
    content = contents(languages=(language,))[language]
    frozen = freeze_letter(content, templates=templates, paper=Paper(), audience=audience)
    assert FrozenLetter.from_document(frozen.as_document()).hash == frozen.hash
    text = "".join(page.text for page in pages_of(printed(frozen, replace(ANN, child="Bo")).pdf, tmp_path))
    told = frozen.words
    for each in (
        told["subject"],
        *told["before"],
        *told["first_steps"],
        told["before_more"],
        told["no_links"],
    ):
        assert without_space(SLOT.sub("Bo", each)) in text
    assert ("Bo" in text) == (audience is Audience.GUARDIAN)
    assert (told["subject"] == content.subject) == (audience is Audience.PERSON)
    assert not SLOT.search(text) and "\ufdd0" not in text


def test_a_letter_to_a_guardian_names_the_child_even_without_its_name(
    contents: Contents, templates: list[Path], tmp_path: Path
) -> None:
    frozen = freeze_letter(contents()["en"], templates=templates, paper=Paper(), audience=Audience.GUARDIAN)
    assert "yourchild" in "".join(page.text for page in pages_of(printed(frozen, ANN).pdf, tmp_path))


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
    )
    short = replace(long, content={**long.content, **left_out, "more": [], "not_taken": []})
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


# --- templates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message", "where"),
    [
        ("#let lang = none +\n", "does not fit", "notice/letter.typ"),
        ("#let x = content.nothing\n", "does not fit", "notice/letter.typ, line 1"),
        ('#let x = read("../../../etc/passwd")\n', "does not fit", "notice/letter.typ, line 1"),
        ('#let x = read("/etc/passwd")\n', "does not fit", "notice/letter.typ, line 1"),
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
        ("paragraph(say(words.dear))", "“person.name”"),
        ("paragraph(say(words.data))", "“person.data_types”"),
        ("paragraph(say(words.code))", "“person.code”"),
        ("section(each.heading, paragraphs(each.lines))", "“You may complain to the authority.”"),
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
    without = frozen.template.replace(shown, "none")
    with pytest.raises(BadInput, match=lost) as error:
        printed(replace(frozen, template=without), ANN)
    assert error.value.where == "notice/letter.typ"


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
        "zh-Hant": ("發生了甚麼事", "涉及您的哪些資料", "事件的原因", "聯絡我們"),
    }[language]
    line = {
        "en": "Somebody read records of customers through a query interface of ours without permission, and that took two lines.",
        "zh-Hans": "有人未经许可，通过我们的一个查询接口读取了用户资料，这句话写得足够长，以便在信纸上占去两行的位置。",
        "zh-Hant": "有人未經許可，透過我們的一個查詢介面讀取了用戶資料，這句話寫得足夠長，以便在信紙上佔去兩行的位置。",
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
