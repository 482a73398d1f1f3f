"""The gate of the small channels: each finding is brought about by what it is for, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from incident.law.elements import element_catalogue
from incident.notice.channels import CallScript, Push, Renderings, SmallChannel, Sms
from incident.notice.content import Contact, NoticeContent
from incident.notice.findings import Finding, Severity, refusals
from incident.notice.gate_channels import check_channels, left_to_full_text
from incident.notice.public_page import render_public_pages
from incident.notice.render_small import render_small
from incident.notice.stand_ins import SAMPLE_CODE

LANGUAGES = ("zh-Hans", "en")
ASKED = {name: (("cn-pipl-57", "第五十七条"), ("eu-gdpr", "Art. 34(2)")) for name in element_catalogue()}
Contents = Callable[..., dict[str, NoticeContent]]


@pytest.fixture
def check(contents: Contents, templates: list[Path]) -> Callable[..., list[Finding]]:
    def run(
        content: NoticeContent | None = None,
        *,
        most_segments: int = 4,
        pages: dict[str, str] | None = None,
        **channels: object,
    ) -> list[Finding]:
        content = content or contents()["en"]
        small = replace(render_small(content, templates=templates), **channels)  # type: ignore[arg-type]
        return check_channels(
            {content.language: content}, {content.language: small}, ASKED, documents=pages or {},
            most_segments=most_segments,
        )  # fmt: skip

    return run


def codes(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(finding.code, finding.place) for finding in findings]


def test_what_is_shipped_passes_in_every_language(
    contents: Contents, templates: list[Path], check: Callable[..., list[Finding]]
) -> None:
    pages = render_public_pages(contents(), templates=templates)
    for content in contents().values():
        assert codes(check(content, pages=pages)) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("channel", "element", "cut"),
    [
        ("sms", "what_happened", "happened"),
        ("sms", "steps_for_person", "step"),
        ("voice", "what_happened", "happened"),
        ("voice", "steps_for_person", "step"),
    ],
)
def test_a_template_that_drops_what_its_reader_needs_is_refused_with_every_article(
    contents: Contents, templates: list[Path], check: Callable[..., list[Finding]], language: str, channel: str,
    element: str, cut: str,
) -> None:  # fmt: skip
    from incident.notice.render_small import in_short

    content = contents()[language]
    whole = getattr(render_small(content, templates=templates), channel)
    dropped = replace(whole, text=whole.text.replace(getattr(in_short(content), cut), ""))
    [finding] = refusals(check(content, **{channel: dropped}))
    assert (finding.code, finding.place) == ("channel-lacks-element", f"{channel}.{element}")
    assert finding.articles == ASKED[element]
    assert "Art. 34(2)" in finding.text("en") and "第五十七条" in finding.text("zh-Hans")


def test_the_pop_up_must_hold_every_element(
    contents: Contents, templates: list[Path], check: Callable[..., list[Finding]]
) -> None:
    content = contents()["en"]
    shown = render_small(content, templates=templates).in_app
    assert shown is not None and content.remedies is not None
    fewer = replace(
        shown, paragraphs=tuple(each for each in shown.paragraphs if each.text not in content.remedies)
    )
    assert codes(refusals(check(in_app=fewer))) == [("channel-lacks-element", "in_app.remedies")]


def test_what_the_content_itself_lacks_is_left_to_its_own_gate(
    contents: Contents, check: Callable[..., list[Finding]]
) -> None:
    bare = contents({"remedies_offered": None, "what_happened": None})["en"]
    assert refusals(check(bare)) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("channel", ["sms", "push", "voice"])
def test_a_small_channel_without_a_way_that_needs_no_link_is_refused(
    contents: Contents, check: Callable[..., list[Finding]], language: str, channel: str
) -> None:
    nowhere = replace(contents()[language], contact=Contact("Example", email="a@example-mobile.cn"))
    found = refusals(check(nowhere))
    assert ("no-way-without-link", channel) in codes(found)
    assert all("website" in finding.text("en") for finding in found if finding.code == "no-way-without-link")


@pytest.mark.parametrize("contact", [Contact("Ex", phone="020-1"), Contact("Ex", website="www.example.cn")])
def test_a_number_or_an_address_to_type_is_a_way(
    contents: Contents, check: Callable[..., list[Finding]], contact: Contact
) -> None:
    for content in contents().values():
        assert "no-way-without-link" not in [
            code for code, _ in codes(check(replace(content, contact=contact)))
        ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Read bit.ly/3abc now", [("short-link", Severity.REFUSED)]),
        ("Read https://t.cn/A1", [("short-link", Severity.REFUSED), ("link-to-click", Severity.WARNING)]),
        ("Read https://www.example-mobile.cn/notice", [("link-to-click", Severity.WARNING)]),
        ("At art.cn, rabbit.lyon and t.co.example.org nothing is short", []),
    ],
)
def test_links_in_an_sms(
    check: Callable[..., list[Finding]], text: str, expected: list[tuple[str, Severity]]
) -> None:
    push = Push("Notice", f"Call 020-10086. {text}")
    found = [each for each in check(push=push) if each.place == "push"]
    assert [(each.code, each.severity) for each in found] == expected


@pytest.mark.parametrize(
    ("text", "unlike"),
    [
        ('<a href="https://evil.example/x">www.example-mobile.cn</a>', True),
        ("<a href='https://www.example-mobile.cn/notice'>example-mobile.cn</a>", False),
        ('<a href="#text">Skip to the text</a>', False),
        ("[www.example-mobile.cn](http://evil.example)", True),
        ("[our page](http://www.example-mobile.cn)", False),
        ('<a class="b" href=//evil.example><b>example-mobile.cn/notice</b></a>', True),
    ],
)
def test_a_link_that_reads_unlike_its_target_is_refused(
    check: Callable[..., list[Finding]], text: str, unlike: bool
) -> None:
    found = refusals(check(pages={"notice.en.html": text}))
    assert codes(found) == ([("link-unlike-target", "notice.en.html")] if unlike else [])


def test_the_public_page_and_the_push_hold_nothing_personal(check: Callable[..., list[Finding]]) -> None:
    found = refusals(check(pages={"notice.en.html": "Dear \ufdd0person_name\ufdd1"}))
    assert codes(found) == [("personal-in-public", "notice.en.html")]
    push = Push("Your Phone number", "Call 020-10086.")
    [finding] = refusals(check(push=push))
    assert (finding.code, finding.place) == ("personal-in-push", "push")
    assert "phone number" in finding.text("en")


def test_a_kind_of_data_within_another_word_is_none(check: Callable[..., list[Finding]]) -> None:
    assert refusals(check(push=Push("Notice", "Telephone numbering: call 020-10086."))) == []


def test_long_texts_are_warned_of(contents: Contents, check: Callable[..., list[Finding]]) -> None:
    assert codes(check(push=Push("Notice", "Call 020-10086. " + "x" * 150))) == [("long-push", "push")]
    assert codes(check(most_segments=2)) == [("many-segments", "sms")]
    chinese = check(contents()["zh-Hans"], most_segments=1)
    assert codes(chinese) == [("many-segments", "sms")]
    assert all(finding.severity is Severity.WARNING for finding in chinese)


def test_a_language_without_templates_is_named(contents: Contents) -> None:
    content = contents()["en"]
    small = Renderings(call_centre=CallScript("x"))
    [finding] = check_channels({"en": content}, {"en": small}, ASKED, documents={}, most_segments=4)
    assert (finding.code, finding.severity) == ("no-channel-template", Severity.WARNING)
    assert "SMS, push notification, pop-up, call" in finding.text("en")
    assert "call-centre" not in finding.text("en")


def test_what_a_short_message_leaves_to_the_full_text(contents: Contents) -> None:
    content = contents()["en"]
    left = left_to_full_text(content, SmallChannel.SMS, ASKED)
    assert "remedies" in left and "measures_taken" in left
    assert not set(left) & {"what_happened", "steps_for_person", "contact", "data_types"}
    assert left_to_full_text(content, SmallChannel.IN_APP, ASKED) == ()
    assert set(left) < set(left_to_full_text(content, SmallChannel.PUSH, ASKED))


def test_every_finding_speaks_both_languages(contents: Contents, check: Callable[..., list[Finding]]) -> None:
    nowhere = replace(contents()["en"], contact=None)
    found = [
        *check(nowhere, most_segments=1, sms=Sms("t.cn https://t.cn [a.cn](http://b.cn)"), push=Push("p", "x" * 200)),
        *check(pages={"p": "\ufdd0code\ufdd1"}),
    ]  # fmt: skip
    assert len({finding.code for finding in found}) >= 6
    for finding in found:
        for language in LANGUAGES:
            text = finding.text(language)
            assert text and "{" not in text
        assert SAMPLE_CODE not in finding.text("en")


def test_when_what_happened_is_missing_its_dates_are_not_named_besides(
    contents: Contents, check: Callable[..., list[Finding]]
) -> None:
    assert check(contents({"what_happened": None})["zh-Hans"]) == []
