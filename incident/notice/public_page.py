"""The public notice: stand-alone pages, one a language, with nothing about any person. Pure but for templates.

For those who cannot be told one by one (GDPR Art. 34(3)(c); GB/T 35273 10.2; the carrier's own promise of a public
announcement). No scripts and nothing loaded from elsewhere, so that the page can be put on any server and printed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from incident.notice.content import NoticeContent
from incident.notice.languages import languages_in
from incident.notice.render import refuse_lost_sections, refuse_marks, words_for
from incident.notice.templates import first_template, render_template


def page_name(language: str) -> str:
    """The file name of a language's page."""
    return f"notice.{language}.html"


def render_public_pages(
    contents: Mapping[str, NoticeContent],
    *,
    templates: Sequence[Path],
    names: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """File name -> HTML for each language.

    The layout is `notice/public.html.j2`, or a workspace's own for one language, `notice/<language>/public.html.j2`.
    `names` gives other file names or addresses for the switch between languages. Raises `BadInput` and `NotFound`
    as `render_email` does.
    """
    named = {language: (names or {}).get(language) or page_name(language) for language in contents}
    languages = languages_in(templates)
    pages = {}
    for language, content in contents.items():
        refuse_marks(content)
        others = [
            {"language": other, "name": languages[other].spoken.name, "href": named[other]}
            for other in contents
            if other != language
        ]
        values = {"content": content, "others": others, **words_for(content, languages[language])}
        layouts = [f"notice/{language}/public.html.j2", "notice/public.html.j2"]
        template = first_template(layouts, templates=templates)
        page = render_template(template, values, templates=templates)
        refuse_lost_sections(content, page, where=template)
        pages[named[language]] = page
    return pages
