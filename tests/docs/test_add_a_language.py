"""The page on adding a language is followed step by step, to a language of one's own that is read from right to left."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.support.estates import Estate, build_estate, with_people

PAGE = Path(__file__).parents[2] / "docs" / "add-a-language.md"
TAG = "ug"
_LATIN = "abcdefghijklmnopqrstuvwxyz"
_LETTERS = "ابجدهوزحطيكلمنسعفصقرشتثخذض"
_EMPTY = re.compile(r'""  # (.*)$')


def steps() -> list[list[str]]:
    """The command lines of each step of the page, in its order."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return [[line for line in block.splitlines() if line.startswith("incident ")] for block in blocks]


def in_other_letters(text: str) -> str:
    """A text in Arabic letters with its {values} as they are: enough of another language to be told apart."""
    pieces = re.split(r"(\{[^}]*\})", text)
    pieces[::2] = [
        re.sub("[A-Za-z]", lambda one: _LETTERS[_LATIN.index(one[0].lower())], each) for each in pieces[::2]
    ]
    return "".join(pieces)


def translate(file: Path) -> None:
    """Write each empty text from the English behind it; of the catalogue, all entries."""
    lines = []
    for line in file.read_text("utf-8").splitlines():
        text = (
            re.sub("^#( )", r"\1", line) if file.name == "catalogue.yaml" and line.startswith("#  ") else line
        )
        found = _EMPTY.search(text)
        if found is None:
            lines.append(text)
            continue
        english = found[1].strip().strip('"').replace("'", "’")
        lines.append(f"{text[: found.start()]}'{in_other_letters(english)}'")
    file.write_text("\n".join(lines) + "\n", "utf-8")


@pytest.fixture(scope="module")
def first_estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    return build_estate(tmp_path_factory.mktemp("estate"))


@pytest.fixture
def estate(first_estate: Estate, tmp_path: Path) -> Estate:
    return first_estate.copy_to(tmp_path / "workspace")


@pytest.fixture
def followed(estate: Estate) -> Estate:
    """The page done up to the sixth step."""
    with_people(estate)
    begin, check, _ = steps()
    for line in begin:
        estate.done(*shlex.split(line)[1:])
    own = estate.root / "templates" / "notice" / TAG
    asked = estate.run("notice", "lint")
    assert asked.code == 1 and "began is empty" in asked.out and "“name” is empty" in asked.out
    for name in ("language.yaml", "catalogue.yaml"):
        translate(own / name)
    file = own / "language.yaml"
    text = file.read_text("utf-8").replace("next_sentence: capital", "next_sentence: blank")
    file.write_text(f"direction: rtl\n{text}", "utf-8")
    for line in check:
        answer = estate.done(*shlex.split(line)[1:])
        assert "error" not in answer.out and "note" not in answer.out.replace("notice", ""), answer.out
    settings = estate.settings_file
    text = settings.read_text("utf-8")
    for old, new in (
        ('languages = ["zh-Hans", "en"]', f'languages = ["zh-Hans", "{TAG}"]'),
        ('name = { zh-Hans = "示例移动",', f'name = {{ {TAG} = "ئۈلگە", zh-Hans = "示例移动",'),
        ("address = {", f'address = {{ {TAG} = "11-يول",'),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    settings.write_text(text, "utf-8")
    texts = {"zh-Hans": "有人读取了资料。", TAG: "بىرەيلەن ئۇچۇرنى ئوقۇدى."}
    facts = estate.root / "facts.yaml"
    fields = ("what_happened", "remedies_offered", "planned_measures", "cause", "impact_so_far")
    facts.write_text("".join(f"{field}: {json.dumps(texts)}\n" for field in fields), "utf-8")
    estate.done("set", estate.id, "--facts", facts)
    return estate


def test_the_page_leads_to_a_notice_in_the_new_language(followed: Estate, tmp_path: Path) -> None:
    shown = {}
    for line in steps()[2]:
        words = [followed.id if word.startswith("INC-") else word for word in shlex.split(line)[1:]]
        words = [str(tmp_path / word) if word == "notice.html" else word for word in words]
        answer = followed.done(*words)
        shown[" ".join(words[3:])] = answer.out
    person = shown[f"--language {TAG}"]
    known = {"INC", "www", "example", "com", "privacy", "Chen", "Jing"}
    latin = set(re.findall("[A-Za-z]{2,}", re.sub(r"\[[a-z_]+\]", "", person)))
    assert latin <= known, "no text of another language stands in"
    assert len(set(shown.values())) == len(shown)
    assert "[child_name]" in shown[f"--language {TAG} --audience guardian"]
    page = (tmp_path / "notice.html").read_text("utf-8")
    assert f'<html lang="{TAG}" dir="rtl">' in page and "简体中文" in page


def test_what_is_not_translated_keeps_the_notice_back_and_names_the_entry(followed: Estate) -> None:
    catalogue = followed.root / "templates" / "notice" / TAG / "catalogue.yaml"
    text = catalogue.read_text("utf-8")
    catalogue.write_text(re.sub(r"(?m)^  phone_number:\n(    .*\n)+", "", text), "utf-8")
    answer = followed.run("notice", "check", followed.id)
    assert answer.code == 1
    assert "categories.phone_number.title" in answer.out.replace("\n", "")


def test_a_language_is_begun_only_once_and_only_by_its_tag(estate: Estate) -> None:
    estate.done("notice", "new-language", "vi")
    estate.refused("notice", "new-language", "vi", says=["already"])
    estate.refused("notice", "new-language", "../vi", says=["BCP 47"])
    estate.refused("notice", "new-language", "my", "--like", "fr", says=["'fr'", "zh-Hant"])


def test_settings_that_name_an_unknown_language_are_refused_with_the_list(estate: Estate) -> None:
    text = estate.settings_file.read_text("utf-8")
    estate.settings_file.write_text(text.replace('["zh-Hans", "en"]', '["zh-Hans", "fr"]'), "utf-8")
    estate.refused("notice", "check", estate.id, says=["'fr'", "zh-Hant", "add-a-language"])


def test_an_audience_that_is_none_is_refused_with_those_there_are(estate: Estate) -> None:
    with_people(estate)
    words = ("notice", "preview", estate.id, "--audience", "granny")
    estate.refused(*words, code=2, says=["granny", "guardian"])
