"""Fonts for letters: found on this machine, and known for what they cannot show."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from incident.errors import BadInput, NotFound, Refused
from incident.notice.paper_fonts import FontShelf, is_drawn
from tests.support.printed import fonts_for_letters


def test_each_language_has_a_family_of_this_machine() -> None:
    shelf = fonts_for_letters()
    for language in ("zh-Hans", "en"):
        assert shelf.family_for(language) in shelf.families


def test_chinese_without_a_chinese_font_names_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = FontShelf()
    monkeypatch.setattr(shelf, "families", frozenset({"DejaVu Sans", "Libertinus Serif"}))
    with pytest.raises(NotFound, match="no font for letters in zh-Hans") as error:
        shelf.family_for("zh-Hans")
    assert "apt-get install fonts-noto-cjk" in str(error.value)
    assert shelf.family_for("en") == "DejaVu Sans"


def test_what_the_settings_choose_wins_and_must_be_there() -> None:
    assert FontShelf(chosen={"en": "DejaVu Sans Mono"}).family_for("en") == "DejaVu Sans Mono"
    with pytest.raises(NotFound, match="Comic Sans is not on this machine") as error:
        FontShelf(chosen={"en": "Comic Sans"}).family_for("en")
    assert error.value.where == "paper.fonts.en in incident.toml"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no folder of fonts") as error:
        FontShelf(folder=tmp_path / "none")
    assert error.value.where == str(tmp_path / "none")


def test_characters_without_a_glyph_are_told_once_and_in_their_order() -> None:
    shelf = fonts_for_letters()
    assert shelf.without_glyph(["王小明", "Ann", "𠮷"]) == ()
    assert shelf.without_glyph(["王\ue123", "\U0003fffd\ue123"]) == ("\ue123", "\U0003fffd")


def test_what_is_obeyed_and_not_drawn_needs_no_glyph() -> None:
    assert not any(map(is_drawn, " \u3000\u200b\u200d\u202e\ufe0f\U000e0100"))
    assert all(map(is_drawn, "a王\u0301\ue000\ufffe"))


def test_a_font_file_that_cannot_be_read_shows_nothing(tmp_path: Path) -> None:
    from incident.notice.paper_fonts import _drawn_by

    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font at all")
    assert _drawn_by(str(broken), 0) == frozenset()
    assert _drawn_by(str(tmp_path / "gone.ttf"), 0) == frozenset()


@pytest.mark.parametrize("package", ["typst", "fontTools"])
def test_without_the_extra_letters_say_what_to_install(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    real = builtins.__import__

    def without(
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        if name == package:
            raise ImportError(f"No module named {name!r}", name=name)
        return real(name, globals, locals, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(Refused, match=f"the package {package}, which is not installed") as error:
        FontShelf()
    assert "tocsin[paper]" in str(error.value)
