"""Traditional Chinese is written as such, not converted: neither script holds a character that only the other has.

A character of GB 2312 that Big5 lacks is written so in Simplified Chinese alone, and the other way round; characters
that both have (后, 里, 台) are for a reader to judge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from incident.law.data import read_file, read_yaml
from incident.law.remedies import remedy_catalogue
from incident.notice.audience import Audience
from incident.notice.content import NoticeContent
from incident.notice.languages import shipped_languages
from incident.notice.lint_languages import lint_languages
from incident.notice.public_page import render_public_pages
from incident.notice.render import render_email
from incident.workspace import shipped

SHIPPED = shipped("templates")
HAN = re.compile(r"[㐀-䶿一-鿿]")
OF_SCRIPT = {"zh-Hans": "gb2312", "zh-Hant": "big5"}


def texts_of(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for each in data.values():
            yield from texts_of(each)
    elif isinstance(data, list):
        for each in data:
            yield from texts_of(each)


def strange_in(text: str, encoding: str) -> list[str]:
    """The Han characters of a text that a character set does not have."""
    found = []
    for character in HAN.findall(text):
        try:
            character.encode(encoding)
        except UnicodeEncodeError:
            found.append(character)
    return found


def said_in(tag: str) -> list[str]:
    folder = SHIPPED / "notice" / tag
    words = [
        text
        for file in sorted(folder.glob("*.yaml"))
        for text in texts_of(read_yaml(read_file(file), name=str(file)))
    ]
    return [*words, *(file.read_text("utf-8") for file in sorted(folder.glob("*.txt.j2")))]


@pytest.mark.parametrize("tag", OF_SCRIPT)
def test_no_character_of_the_other_script_stands_in_a_chinese_text(tag: str) -> None:
    found = {text: strange for text in said_in(tag) if (strange := strange_in(text, OF_SCRIPT[tag]))}
    assert found == {}
    assert sum(len(HAN.findall(text)) for text in said_in(tag)) > 1000


@pytest.mark.parametrize("tag", OF_SCRIPT)
def test_the_check_finds_what_it_looks_for(tag: str) -> None:
    other = {"zh-Hans": "個資料說這裡", "zh-Hant": "个资说这"}[tag]
    assert len(strange_in(other, OF_SCRIPT[tag])) >= 4


@pytest.mark.parametrize("audience", Audience)
@pytest.mark.parametrize("tag", OF_SCRIPT)
def test_a_whole_notice_holds_no_character_of_the_other_script(
    contents: Callable[..., dict[str, NoticeContent]], templates: list[Path], tag: str, audience: Audience
) -> None:
    content = contents({"remedies_chosen": list(remedy_catalogue())}, languages=(tag,))[tag]
    mail = render_email(content, templates=templates, audience=audience)
    [page] = render_public_pages({tag: content}, templates=templates).values()
    for body in (mail.subject, mail.text, mail.html, page):
        assert strange_in(body, OF_SCRIPT[tag]) == []
    assert content.untranslated == () and content.missing == ()


def test_quotes_are_those_of_each_script() -> None:
    assert not [text for text in said_in("zh-Hant") if re.search("[“”‘’]", text)]
    assert not [text for text in said_in("zh-Hans") if re.search("[「」『』]", text)]


def test_traditional_chinese_uses_its_own_words() -> None:
    """Words of the mainland that read wrong in Hong Kong and Taiwan, whatever the script."""
    mainland = [
        "信息",
        "短信",
        "登錄",
        "賬",
        "視頻",
        "軟件",
        "默認",
        "點擊鏈接",
        "個人信息",
        "服務器",
        "數據",
        "用戶名",
        "公安",
        "告知書",
    ]
    assert [
        (word, text)
        for text in said_in("zh-Hant")
        for word in mainland
        if word in text and text != "用戶名稱"
    ] == [("用戶名", "帳號、用戶名稱")]


def test_every_shipped_language_is_whole() -> None:
    assert sorted(shipped_languages()) == ["en", "zh-Hans", "zh-Hant"]
    assert lint_languages([SHIPPED]) == []
    for language in shipped_languages().values():
        assert all(language.word(key, audience) for key in language.spoken.words for audience in Audience)


def test_the_languages_name_the_same_things(tmp_path: Path) -> None:
    shapes = {
        tag: shape(language.spoken.model_dump(mode="json")) for tag, language in shipped_languages().items()
    }
    assert shapes["en"] == shapes["zh-Hans"] | {("dates", "months")}
    assert shapes["zh-Hans"] == shapes["zh-Hant"]


def shape(data: dict[str, Any]) -> set[tuple[str, ...]]:
    """The keys of the parts that every language has; the words of audiences may differ."""
    found: set[tuple[str, ...]] = {(name,) for name in data}
    for part in (
        "sentences",
        "causes",
        "effects",
        "words",
        "avoid",
        "audiences",
        "dates",
        "punctuation",
        "reading",
    ):
        found |= {(part, key) for key, value in data[part].items() if value not in ([], ())}
    return found
