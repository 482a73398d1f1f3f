"""No version for an audience loses what a law asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from incident.notice.audience import Audience
from incident.notice.audience_words import content_for
from incident.notice.content import NoticeContent
from incident.notice.findings import Severity
from incident.notice.gate_audiences import check_variants
from incident.notice.languages import shipped_languages
from incident.notice.render import render_email

LANGUAGES = ("zh-Hans", "zh-Hant", "en")
Contents = Callable[..., dict[str, NoticeContent]]
Versions = Mapping[Audience, Mapping[str, tuple[str, str]]]


def versions(contents: Mapping[str, NoticeContent], templates: list[Path]) -> Versions:
    return {
        audience: {
            tag: (mail.text, mail.html)
            for tag, content in contents.items()
            for mail in [render_email(content, templates=templates, audience=audience)]
        }
        for audience in Audience
    }


RIGHTS = {"zh-Hans": "您可以投诉。", "zh-Hant": "您可以投訴。", "en": "You can complain."}


def test_every_version_holds_every_element_in_text_and_html(
    contents: Contents, templates: list[Path]
) -> None:
    typical = contents({"rights_of_people": RIGHTS}, languages=LANGUAGES)
    found = check_variants(typical, versions(typical, templates), shipped_languages())
    assert [each for each in found if each.severity is not Severity.SUGGESTION] == []


@pytest.mark.parametrize("audience", Audience)
@pytest.mark.parametrize(
    ("element", "lost"),
    [
        ("cause", lambda content: content.cause),
        ("steps_for_person", lambda content: content.steps_for_person[0]),
        ("measures_taken", lambda content: content.measures_taken[0].text),
        ("remedies", lambda content: content.remedies[-1]),
        ("contact", lambda content: content.contact.phone),
        ("dpo", lambda content: content.contact.officer_contact),
        ("rights_and_remedies", lambda content: content.more[-1].lines[0]),
        ("notice_date", lambda content: content.written_on),
    ],
)
def test_a_version_that_loses_an_element_is_refused(
    contents: Contents,
    templates: list[Path],
    audience: Audience,
    element: str,
    lost: Callable[[NoticeContent], str],
) -> None:
    typical = contents({"rights_of_people": RIGHTS}, languages=("en",))
    shown = {each: dict(by_language) for each, by_language in versions(typical, templates).items()}
    text, page = shown[audience]["en"]
    gone = lost(content_for(audience, typical["en"], shipped_languages()["en"]))
    assert gone in text
    shown[audience]["en"] = (text.replace(gone, "…"), page)
    found = check_variants(typical, shown, shipped_languages())
    [refused] = [each for each in found if each.severity is Severity.REFUSED]
    assert (refused.code, refused.place, refused.language) == ("lost-element", element, "en")
