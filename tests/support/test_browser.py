"""The browser of the tests: it counts what it prints, one document after the other."""

from __future__ import annotations

import pytest

from tests.support.browser import printed_pages

SHEET = "<!doctype html><style>@page {{ size: A4 }} p {{ break-after: page }}</style>{}"


@pytest.mark.parametrize("pages", [3, 1, 2])
def test_each_document_is_printed_anew_and_its_pages_are_counted(pages: int) -> None:
    assert printed_pages(SHEET.format("<p>x</p>" * (pages - 1) + "x")) == pages


def test_what_no_longer_fits_is_seen() -> None:
    assert printed_pages(SHEET.format("<div>a line</div>" * 30)) == 1
    assert printed_pages(SHEET.format("<div>a line</div>" * 90)) > 1
