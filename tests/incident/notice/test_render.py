from __future__ import annotations

import html
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from incident.errors import BadInput, NotFound
from incident.notice.audience_words import message_words
from incident.notice.content import NoticeContent
from incident.notice.languages import shipped_languages
from incident.notice.public_page import render_public_pages
from incident.notice.readability import long_sentences
from incident.notice.render import SLOT_NAMES, render_email
from notifiers.email.message import SLOT, Address, MailTemplate

LANGUAGES = ("zh-Hans", "zh-Hant", "en")
HOSTILE = "<script>alert(1)</script> {{ 7*7 }} {% raw %} <img src=x onerror=1>"
Contents = Callable[..., dict[str, NoticeContent]]


class Page(HTMLParser):
    """What stands in a page: its tags with attributes, and the text that a reader sees."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.seen: list[str] = []
        self._inside: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("style", "title"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.seen.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.seen).split())


def flat(text: str) -> str:
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_email_holds_every_element_in_text_and_html(
    contents: Contents, templates: list[Path], language: str
) -> None:
    content = contents(languages=LANGUAGES)[language]
    mail = render_email(content, templates=templates)
    shown = flat(Page(mail.html).text)
    for place, texts in content.texts().items():
        if place == "data_types":
            continue
        for text in texts:
            assert text in mail.text
            assert flat(text) in shown
    assert content.contact is not None
    for said in (
        content.contact.phone,
        content.contact.email,
        content.contact.officer_name,
        content.reference,
    ):
        assert said in mail.text and said in mail.html


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_email_has_no_holes_and_only_our_slots(
    contents: Contents, templates: list[Path], language: str
) -> None:
    mail = render_email(contents(languages=LANGUAGES)[language], templates=templates)
    for body in (mail.text, mail.html):
        assert set(SLOT.findall(body)) == set(SLOT_NAMES)
        rest = SLOT.sub("", body)
        for trace in ("None", "{{", "}}", "{%", "Undefined", "\ufdd0", "\ufdd1"):
            assert trace not in rest
    assert "\n\n\n" not in mail.text
    MailTemplate(mail.subject, mail.text, mail.html, Address("notice@example-mobile.cn"), language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_of_the_email_is_short(
    contents: Contents, templates: list[Path], language: str
) -> None:
    text = SLOT.sub("Chen", render_email(contents(languages=LANGUAGES)[language], templates=templates).text)
    assert long_sentences(text, language) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_email_needs_no_link_and_loads_nothing(
    contents: Contents, templates: list[Path], language: str
) -> None:
    page = Page(render_email(contents(languages=LANGUAGES)[language], templates=templates).html)
    names = {tag for tag, _ in page.tags}
    assert not names & {"a", "img", "script", "link", "iframe", "form", "svg", "style"}
    assert not any({"src", "href", "background"} & set(attributes) for _, attributes in page.tags)
    assert ("html", {"lang": language}) in page.tags


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_draft_with_holes_still_renders_for_a_preview(
    contents: Contents, templates: list[Path], language: str
) -> None:
    holes = contents(
        {"what_happened": None, "data_categories": None, "cause_kind": None, "remedies_offered": None},
        measures=(),
        languages=LANGUAGES,
    )
    assert "None" not in render_email(holes[language], templates=templates).text
    assert "None" not in render_public_pages(holes, templates=templates)[f"notice.{language}.html"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_facts_stay_text(contents: Contents, templates: list[Path], language: str) -> None:
    hostile = contents({"what_happened": dict.fromkeys(LANGUAGES, f"Told {HOSTILE}")}, languages=LANGUAGES)
    mail = render_email(hostile[language], templates=templates)
    page = render_public_pages(hostile, templates=templates)[f"notice.{language}.html"]
    assert HOSTILE in mail.text
    for source in (mail.html, page):
        assert html.escape(HOSTILE, quote=False) in source.replace("&#39;", "'").replace("&#34;", '"')
        assert not {tag for tag, _ in Page(source).tags} & {"script", "img"}
        assert "49" not in re.sub(r"\d+px|#\w+", "", Page(source).text)


def test_a_breach_that_is_only_possible_is_told_as_such(contents: Contents, templates: list[Path]) -> None:
    possible = contents({"personal_data_breach": "possible"})
    assert "您的以下信息可能已经泄露" in render_email(possible["zh-Hans"], templates=templates).text
    assert "may have been disclosed" in render_email(possible["en"], templates=templates).text


def test_content_with_a_slot_of_its_own_is_refused(contents: Contents, templates: list[Path]) -> None:
    forged = contents({"what_happened": {"en": "Told \ufdd0code\ufdd1"}})
    with pytest.raises(BadInput, match="personal slots"):
        render_email(forged["en"], templates=templates)


def test_a_missing_template_names_the_folders_searched(contents: Contents, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=re.escape(str(tmp_path))):
        render_email(contents()["en"], templates=[tmp_path])


def own_template(folder: Path, text: str) -> Path:
    file = folder / "notice" / "en" / "email.txt.j2"
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    return folder


def test_the_workspaces_own_template_wins(contents: Contents, templates: list[Path], tmp_path: Path) -> None:
    slots = "{{ slots.person_name }}{{ slots.data_types_of_person }}{{ slots.code }}"
    own = own_template(tmp_path, f"Our own words. {slots}")
    assert render_email(contents()["en"], templates=[own, *templates]).text.startswith("Our own words.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ slots.person_name }}", "leaves out code, data_types_of_person"),
        ("{{ content.nothing }}", r"email\.txt\.j2, line 1"),
        ("\n{% if %}", r"email\.txt\.j2, line 2"),
        ("{{ ''.__class__.__mro__ }}", "does not fit"),
    ],
)
def test_an_own_template_that_is_wrong_is_refused_with_its_place(
    contents: Contents, templates: list[Path], tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        render_email(contents()["en"], templates=[own_template(tmp_path, text), *templates])


def test_the_public_pages_switch_between_languages_and_load_nothing(
    contents: Contents, templates: list[Path]
) -> None:
    pages = render_public_pages(contents(), templates=templates)
    assert set(pages) == {"notice.zh-Hans.html", "notice.en.html"}
    for name, source in pages.items():
        page = Page(source)
        links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
        assert links == ["#text", *(other for other in pages if other != name)]
        assert not {tag for tag, _ in page.tags} & {"script", "img", "link", "iframe", "form"}
        assert "url(" not in source and "@import" not in source and "http" not in source
        assert [tag for tag, _ in page.tags].count("h1") == 1


def test_the_public_pages_hold_nothing_about_a_person(contents: Contents, templates: list[Path]) -> None:
    for source in render_public_pages(contents(), templates=templates).values():
        assert SLOT.search(source) is None
        assert "zhang.wei" not in source and "wang.fang" not in source and "AK-77" not in source


def test_the_public_page_tells_the_kinds_of_information_and_the_date(
    contents: Contents, templates: list[Path]
) -> None:
    text = Page(render_public_pages(contents(), templates=templates)["notice.zh-Hans.html"]).text
    assert all(
        kind in text for kind in ("手机号码", "登录密码", "行踪轨迹", "2026年11月23日", "INC-2026-0001")
    )


def test_values_for_the_slots_are_one_line_in_the_persons_language() -> None:
    words = {tag: message_words(language) for tag, language in shipped_languages().items()}
    assert words["zh-Hans"].unnamed["person"] == "用户"
    assert words["zh-Hans"].listed(["手机号码", "行踪轨迹"]) == "手机号码、行踪轨迹"
    assert words["en"].listed(["phone number", "movements"]) == "phone number, movements"
