"""The public notice: stand-alone pages, one a language, with nothing about any person. Pure but for templates.

For those who cannot be told one by one (GDPR Art. 34(3)(c); GB/T 35273 10.2; the carrier's own promise of a public
announcement). No scripts and nothing loaded from elsewhere, so that the page can be put on any server and printed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from incident.notice.content import NoticeContent
from incident.notice.render import refuse_lost_sections, refuse_marks
from incident.notice.templates import render_template

LANGUAGE_NAMES: Mapping[str, str] = {"zh-Hans": "简体中文", "en": "English"}


def page_name(language: str) -> str:
    """The file name of a language's page."""
    return f"notice.{language}.html"


def render_public_pages(
    contents: Mapping[str, NoticeContent],
    *,
    templates: Sequence[Path],
    names: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """File name -> HTML for each language, from `notice/<language>/public.html.j2`.

    `names` gives other file names or addresses for the switch between languages. Raises `BadInput` and `NotFound`
    as `render_email` does.
    """
    named = {language: (names or {}).get(language) or page_name(language) for language in contents}
    pages = {}
    for language, content in contents.items():
        refuse_marks(content)
        others = [
            {"language": other, "name": LANGUAGE_NAMES[other], "href": named[other]}
            for other in contents
            if other != language
        ]
        values = {"content": content, "others": others}
        template = f"notice/{language}/public.html.j2"
        page = render_template(template, values, templates=templates)
        refuse_lost_sections(content, page, where=template)
        pages[named[language]] = page
    return pages
