"""Elements beyond the body: each is refused with its article where it lacks, and cured by what a person writes."""

from __future__ import annotations

import html
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from incident.errors import BadInput
from incident.law.elements import element_catalogue
from incident.notice.content import SECTIONS, Element, NoticeContent
from incident.notice.draft import NoticeInputs, draft
from incident.notice.findings import refusals
from incident.notice.gate import check_notice
from incident.notice.public_page import render_public_pages
from incident.notice.release import with_promises
from incident.notice.render import render_email
from incident.record.facts import field_named

LANGUAGES = ("zh-Hans", "en")
WRITTEN = {name: element.text for name, element in element_catalogue().items() if element.text is not None}
ASKED = {name: (("us-ca-1798-82", f"1798.82-{name}"), ("br-lgpd", "Art. 9")) for name in element_catalogue()}
BARE: dict[str, object | None] = {
    "what_happened": None, "data_categories": None, "cause_kind": None, "remedies_offered": None,
    "occurred_at": None, "discovered_at": None, "next_update_at": None, "data_not_taken": None,
}  # fmt: skip

Make = Callable[..., NoticeInputs]
Contents = Callable[..., dict[str, NoticeContent]]


def words(name: str) -> Mapping[str, str]:
    """What a person might write for an element; the signs are those that HTML would change."""
    return {
        "zh-Hans": f"第一段《{name}》，电话 1 & 2。\n第二段。",
        "en": f'First "{name}" <call> 1 & 2.\nSecond.',
    }


@pytest.mark.parametrize("element", list(element_catalogue()))
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_element_of_the_law_is_either_there_or_refused_with_its_articles_and_a_question(
    inputs: Make, element: str, language: str
) -> None:
    organisation = inputs().organisation.model_copy(
        update={
            "phone": "",
            "email": "",
            "protection_officer": type(inputs().organisation.protection_officer)(),
        }
    )
    empty = draft(inputs(BARE, measures=(), organisation=organisation, informed=()), language)
    found = refusals(check_notice({language: empty}, {element: ASKED[element]}))
    if element == Element.NOTICE_DATE:
        assert found == [] and empty.element(element) == empty.written_on
        return
    [finding] = found
    assert (finding.code, finding.place, finding.articles) == ("missing-element", element, ASKED[element])
    assert f"1798.82-{element}" in finding.text(language)
    title = element_catalogue()[element].title[language]
    assert title in finding.message[language]
    # More than the title: the question that a person can answer, and the fact that takes the answer.
    assert len(finding.message[language]) > len(title) + 12 and finding.fields


@pytest.mark.parametrize("element", list(element_catalogue()))
def test_every_element_can_be_satisfied(inputs: Make, element: str) -> None:
    given = {WRITTEN[element]: words(element)} if element in WRITTEN else {}
    contents = {language: draft(inputs(given), language) for language in LANGUAGES}
    assert refusals(check_notice(contents, {element: ASKED[element]})) == []
    assert all(content.element(element) for content in contents.values())


@pytest.mark.parametrize("element", list(WRITTEN))
def test_a_text_in_one_language_cures_only_that_language(inputs: Make, element: str) -> None:
    given = {WRITTEN[element]: {"en": words(element)["en"]}}
    contents = {language: draft(inputs(given), language) for language in LANGUAGES}
    [finding] = refusals(check_notice(contents, {element: ASKED[element]}))
    assert (finding.language, finding.fields) == ("zh-Hans", (WRITTEN[element],))
    assert field_named(WRITTEN[element]).question["zh-Hans"] in finding.message["zh-Hans"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_person_wrote_stands_under_its_heading_in_every_form_of_the_notice(
    inputs: Make, templates: list[Path], language: str
) -> None:
    content = draft(inputs({fact: words(name) for name, fact in WRITTEN.items()}), language)
    assert [section.element for section in content.more] == [
        name for name in element_catalogue() if name in WRITTEN or name in SECTIONS
    ]
    mail = render_email(content, templates=templates)
    [page] = render_public_pages({language: content}, templates=templates).values()
    for name in WRITTEN:
        heading = element_catalogue()[name].title[language]
        first, second = words(name)[language].split("\n")
        assert heading.upper() in mail.text.upper() and f"{first}\n{second}\n" in mail.text
        for source in (mail.html, page):
            assert heading in source and html.escape(first, quote=False) in source.replace("&#34;", '"')
            assert "<call>" not in source


def test_what_nobody_wrote_leaves_no_heading(contents: Contents, templates: list[Path]) -> None:
    for language, content in contents({"data_not_taken": None}, informed=()).items():
        assert content.more == ()
        text = render_email(content, templates=templates).text
        headings = [element_catalogue()[name].title[language] for name in WRITTEN]
        assert [heading for heading in headings if heading.upper() in text.upper()] == []


@pytest.mark.parametrize("name", ["email.txt.j2", "email.html.j2", "public.html.j2"])
def test_a_workspaces_own_template_that_leaves_it_out_is_refused(
    inputs: Make, templates: list[Path], tmp_path: Path, name: str
) -> None:
    shutil.copytree(templates[0] / "notice", tmp_path / "notice")
    own = tmp_path / "notice" / "en" / name
    layout = (tmp_path / "notice" / name).read_text("utf-8")
    own.write_text(layout.replace("in content.more", "in ()"), "utf-8")
    # What is drawn without anybody asking for it must not break a template that an organisation made before.
    plain = draft(inputs(regimes=["eu-gdpr"]), "en")
    assert {section.element for section in plain.more} == {*SECTIONS, "rights_and_remedies"}
    content = draft(inputs({"rights_of_people": words("rights")}), "en")

    def rendered(content: NoticeContent) -> None:
        render_email(content, templates=[tmp_path])
        render_public_pages({"en": content}, templates=[tmp_path])

    rendered(plain)
    with pytest.raises(BadInput, match="leaves out “Your rights”") as refusal:
        rendered(content)
    assert refusal.value.where == f"notice/en/{name}"


def test_a_line_that_looks_escaped_already_is_not_taken_for_lost(inputs: Make, templates: list[Path]) -> None:
    content = draft(inputs({"rights_of_people": {"en": "Write &amp; not &lt;."}}), "en")
    assert "Write &amp; not &lt;." in render_email(content, templates=templates).text


def test_content_with_more_survives_being_stored_and_one_from_before_is_read(inputs: Make) -> None:
    for language in LANGUAGES:
        content = draft(inputs({fact: words(name) for name, fact in WRITTEN.items()}), language)
        assert NoticeContent.from_document(content.as_document()) == content
        assert replace(content, more=()).fingerprint() != content.fingerprint()
    plain = draft(inputs({"data_not_taken": None}, informed=()), "en")
    assert "more" not in plain.as_document()
    assert NoticeContent.from_document(plain.as_document()) == plain


def test_what_a_person_wrote_is_read_by_the_lint_of_style(inputs: Make) -> None:
    content = draft(inputs({"rights_of_people": {"en": "We take this very seriously."}}), "en")
    found = {(finding.code, finding.place) for finding in check_notice({"en": content}, {})}
    assert ("self-praise", "rights_and_remedies") in found


def test_an_organisation_may_promise_any_element_of_the_law() -> None:
    assert dict(with_promises({}, ["rights_and_remedies", "dpo"])) == {
        "rights_and_remedies": [("promise", "promises.notice_contains")],
        "dpo": [("promise", "promises.notice_contains")],
    }
    with pytest.raises(BadInput, match="horoscope"):
        with_promises({}, ["horoscope"])


def test_the_data_protection_officer_may_be_named_or_only_reachable(inputs: Make) -> None:
    own = inputs().organisation
    officer = type(own.protection_officer)(name={}, contact="dpo@example-mobile.cn")
    content = draft(inputs(organisation=own.model_copy(update={"protection_officer": officer})), "en")
    assert content.element("dpo") == "dpo@example-mobile.cn"
    assert [gap for gap in content.missing if gap.element == "dpo"] == []
