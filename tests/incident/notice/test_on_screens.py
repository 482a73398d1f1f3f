"""E-mail and public page in a real browser, as wide as a phone and as a desktop: nothing stands beyond the edge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from incident.notice.content import NoticeContent
from incident.notice.public_page import render_public_pages
from incident.notice.render import CODE, DATA_TYPES_OF_PERSON, PERSON_NAME, render_email
from notifiers.email.message import slot
from tests.support.browser import sideways

Contents = Callable[..., dict[str, NoticeContent]]
WIDTHS = (320, 390, 1200)
LONG = {
    PERSON_NAME: "Maximiliane-Charlotte von Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch"
    + "W" * 60,
    DATA_TYPES_OF_PERSON: "name, identity document number, home address, " * 4,
    CODE: "K7-4M2-9QX",
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["zh-Hans", "en"])
def test_the_email_with_the_longest_data_stays_within_the_window(
    contents: Contents, templates: list[Path], language: str, width: int
) -> None:
    html = render_email(contents()[language], templates=templates).html
    for name, value in LONG.items():
        html = html.replace(slot(name), value)
    assert sideways(html, width=width) <= 0


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["zh-Hans", "en"])
def test_the_public_page_with_a_long_word_stays_within_the_window(
    contents: Contents, templates: list[Path], language: str, width: int
) -> None:
    told = {"what_happened": {"zh-Hans": "读取了" + "x" * 90, "en": "Somebody read " + "x" * 90}}
    pages = render_public_pages(contents(told), templates=templates)
    assert sideways(pages[f"notice.{language}.html"], width=width) <= 0
