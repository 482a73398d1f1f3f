"""Whether letters can be printed is known before the day on which one is the only way to somebody."""

from __future__ import annotations

import pytest

from incident.errors import NotFound, Refused
from incident.notice.paper_fonts import FontShelf
from incident.ops import doctor
from incident.ops.doctor import examine
from incident.ops.examined import Examined, State
from incident.response.housework import House
from incident.settings import Paper
from tests.support.breaches import make_breach
from tests.support.printed import fonts_for_letters


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return make_breach(tmp_path_factory.mktemp("house")).house


def letters(house: House, **settings: object) -> list[Examined]:
    changed = house.settings.model_copy(update={"paper": Paper.model_validate(settings)})
    looked_at = House(house.workspace, changed, house.store, house.clock)
    return [each for each in examine(looked_at) if each.what == "letters"]


def test_the_font_of_each_language_is_named(house: House) -> None:
    shelf = fonts_for_letters()
    [one] = letters(house)
    assert one.state is State.OK
    for language in house.settings.workspace.languages:
        assert f"{language} in {shelf.family_for(language)}" in one.finding


def test_a_missing_extra_is_named_with_what_installs_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(*_: object) -> FontShelf:
        raise Refused("letters need the package typst", next_step="pip install 'tocsin[paper]'")

    monkeypatch.setattr(doctor, "fonts_for", without)
    [one] = letters(house)
    assert (one.state, one.next_step) == (State.WARN, "pip install 'tocsin[paper]'")


def test_a_missing_font_is_named_and_the_other_languages_go_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_chinese(self: FontShelf, language: str) -> str:
        if language == "zh-Hans":
            raise NotFound("no font for letters in zh-Hans", next_step="apt-get install fonts-noto-cjk")
        return "Noto Sans"

    monkeypatch.setattr(FontShelf, "family_for", no_chinese)
    warned, fine = letters(house)
    assert (warned.state, warned.next_step) == (State.WARN, "apt-get install fonts-noto-cjk")
    assert (fine.state, fine.finding) == (State.OK, "en in Noto Sans")


def test_a_folder_of_fonts_counts_from_the_workspace_and_must_be_there(house: House) -> None:
    [one] = letters(house, font_folder="own-fonts")
    assert one.state is State.FAIL
    assert str(house.workspace.root / "own-fonts") in one.finding
    (house.workspace.root / "own-fonts").mkdir()
    assert [each.state for each in letters(house, font_folder="own-fonts")] == [State.OK]
