"""A letter as it is frozen: texts and data of one language, hashed, without anything personal."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from incident.errors import BadInput, NotFound
from incident.notice.content import NoticeContent
from incident.notice.letter import (
    REASON_TITLES,
    FrozenLetter,
    LetterBatch,
    NotPrintable,
    Printed,
    Unprinted,
    freeze_letter,
)
from incident.settings import Paper, Window

Contents = Callable[..., dict[str, NoticeContent]]


@pytest.mark.parametrize("language", ["zh-Hans", "en"])
def test_a_frozen_letter_comes_back_whole_with_the_same_hash(
    contents: Contents, templates: list[Path], language: str
) -> None:
    letter = freeze_letter(contents()[language], templates=templates, paper=Paper())
    again = FrozenLetter.from_document(letter.as_document())
    assert (again, again.hash) == (letter, letter.hash)
    assert letter.language == language
    assert letter.content["reference"] == "INC-2026-0001"
    assert letter.paper["window"] == {"left": 20, "top": 45, "width": 85, "height": 45}


def test_the_hash_speaks_for_words_template_layout_and_paper(
    contents: Contents, templates: list[Path]
) -> None:
    letter = freeze_letter(contents()["en"], templates=templates, paper=Paper())
    wider = Paper(window=Window(width=90))
    others = [
        replace(letter, template=letter.template + "\n"),
        replace(letter, layout=letter.layout + "\n"),
        freeze_letter(contents({"cause_kind": "malware"})["en"], templates=templates, paper=Paper()),
        freeze_letter(contents()["en"], templates=templates, paper=wider),
        freeze_letter(contents()["zh-Hans"], templates=templates, paper=Paper()),
    ]
    assert len({letter.hash, *(each.hash for each in others)}) == 6


def test_which_font_prints_is_no_part_of_what_is_signed(contents: Contents, templates: list[Path]) -> None:
    plain, named = Paper(), Paper(fonts={"en": "Noto Sans"}, font_folder="fonts")
    assert (
        freeze_letter(contents()["en"], templates=templates, paper=plain).hash
        == freeze_letter(contents()["en"], templates=templates, paper=named).hash
    )


def test_a_missing_template_names_the_folders_searched(
    contents: Contents, templates: list[Path], tmp_path: Path
) -> None:
    shutil.copytree(templates[0] / "notice" / "en", tmp_path / "notice" / "en")
    with pytest.raises(NotFound, match=r"no template notice/layout\.typ") as error:
        freeze_letter(contents()["en"], templates=[tmp_path], paper=Paper())
    assert str(tmp_path) in str(error.value)


def test_the_workspaces_own_letter_wins(contents: Contents, templates: list[Path], tmp_path: Path) -> None:
    own = own_letter(tmp_path, "// our own words\n")
    letter = freeze_letter(contents()["en"], templates=[own, *templates], paper=Paper())
    assert letter.template == "// our own words\n"
    assert letter.layout == (templates[0] / "notice" / "layout.typ").read_text(encoding="utf-8")


def test_a_template_that_would_fetch_a_package_is_refused_with_its_line(
    contents: Contents, templates: list[Path], tmp_path: Path
) -> None:
    own = own_letter(tmp_path, '// words\n#import "@preview/cetz:0.3.0"\n')
    with pytest.raises(BadInput, match="may not load packages") as error:
        freeze_letter(contents()["en"], templates=[own, *templates], paper=Paper())
    assert error.value.where == "notice/en/letter.typ, line 2"


def test_a_template_in_another_encoding_is_refused(
    contents: Contents, templates: list[Path], tmp_path: Path
) -> None:
    own = own_letter(tmp_path, "")
    (own / "notice" / "en" / "letter.typ").write_bytes("// 中文".encode("gb18030"))
    with pytest.raises(BadInput, match="no text in UTF-8"):
        freeze_letter(contents()["en"], templates=[own, *templates], paper=Paper())


def test_a_document_of_another_shape_is_no_letter() -> None:
    with pytest.raises(BadInput, match="no frozen letter"):
        FrozenLetter.from_document({"language": "en"})


def test_the_manifest_names_the_document_by_its_hash_and_every_letter_once() -> None:
    unprinted = Unprinted("L-2", NotPrintable.NO_GLYPHS, ("U+E001",))
    batch = LetterBatch(b"%PDF", (Printed("L-1", 1, 2),), (unprinted,), "Noto Sans")
    assert batch.manifest() == {
        "sha256": "315d429b7714cedb6ad04ac31240145257692630457f3c88253c5beceac76027",
        "font": "Noto Sans",
        "letters": [{"reference": "L-1", "first_page": 1, "pages": 2}],
        "not_printed": [{"reference": "L-2", "reason": "no_glyphs", "characters": ("U+E001",)}],
    }


def test_every_reason_is_told_in_both_languages() -> None:
    assert set(REASON_TITLES) == set(NotPrintable)
    assert all({"zh-Hans", "en"} <= set(titles) for titles in REASON_TITLES.values())


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ({"left": 130, "width": 90}, "at most 200 mm"),
        ({"left": 60, "width": 100}, "45 mm for date and reference"),
        ({"left": 5}, "greater than or equal to 10"),
        ({"height": 90}, "less than or equal to 60"),
    ],
)
def test_a_window_that_leaves_no_room_is_refused(window: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Window(**window)


def own_letter(folder: Path, text: str) -> Path:
    file = folder / "notice" / "en" / "letter.typ"
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    return folder
