"""Each reader gets the same content in words for them, and no version loses what a law asks for."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from incident.errors import BadInput
from incident.notice.audience import FURTHER, Audience
from incident.notice.audience_words import audience_of, content_for, message_words
from incident.notice.content import NoticeContent
from incident.notice.languages import shipped_languages
from incident.notice.readability import long_sentences, reading_grade
from incident.notice.render import CHILD_NAME, SLOT_NAMES, render_email, slots_of
from incident.record.person import AgeClass, Contact, Kind, PersonRow
from notifiers.email.message import SLOT, Address, MailTemplate
from notifiers.email.skeleton import Skeleton

LANGUAGES = ("zh-Hans", "zh-Hant", "en")
ON = date(2026, 11, 23)
Contents = Callable[..., dict[str, NoticeContent]]


def person(**fields: Any) -> PersonRow:
    contact = Contact("Ann", "ann@example.org", "")
    return PersonRow("A", contact, "en", "cn", ())._replace(**fields)


@pytest.mark.parametrize(
    ("who", "to_guardian", "audience"),
    [
        (person(), False, Audience.PERSON),
        (person(birth_date=date(2008, 11, 23)), False, Audience.PERSON),
        (person(birth_date=date(2008, 11, 24)), False, Audience.YOUNG),
        (person(birth_date=date(2015, 3, 1)), False, Audience.YOUNG),
        (person(birth_date=date(2015, 3, 1)), True, Audience.GUARDIAN),
        (person(age_class=AgeClass.UNDER_14), False, Audience.YOUNG),
        (person(age_class=AgeClass.UNDER_18), True, Audience.GUARDIAN),
        (person(age_class=AgeClass.ADULT), False, Audience.PERSON),
        (person(kind=Kind.ORGANISATION), False, Audience.ORGANISATION),
        (person(kind=Kind.ORGANISATION, birth_date=date(2015, 3, 1)), False, Audience.ORGANISATION),
    ],
)
def test_the_version_follows_the_addressee_the_kind_and_the_age(
    who: PersonRow, to_guardian: bool, audience: Audience
) -> None:
    assert audience_of(who, to_guardian=to_guardian, on=ON) is audience


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_guardian_is_told_about_the_child_by_name(
    contents: Contents, templates: list[Path], language: str
) -> None:
    content = contents(languages=LANGUAGES)[language]
    mail = render_email(content, templates=templates, audience=Audience.GUARDIAN)
    for body in (mail.text, mail.html):
        assert set(SLOT.findall(body)) == {*SLOT_NAMES, CHILD_NAME}
        assert SLOT.findall(body).count(CHILD_NAME) >= 6
    assert SLOT.search(mail.subject) is None
    others = [
        render_email(content, templates=templates, audience=each) for each in Audience if each != "guardian"
    ]
    assert not any(CHILD_NAME in SLOT.findall(other.text + other.html) for other in others)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_audience_has_its_own_subject_opening_and_first_steps(
    contents: Contents, templates: list[Path], language: str
) -> None:
    content = contents(languages=LANGUAGES)[language]
    mails = {each: render_email(content, templates=templates, audience=each) for each in Audience}
    assert len({mail.subject for mail in mails.values()}) == len(Audience)
    spoken = shipped_languages()[language].spoken
    for audience in FURTHER:
        for line in (*spoken.audiences[audience].before, *spoken.audiences[audience].first_steps):
            plain = SLOT.sub("{child}", mails[audience].text)
            assert line in plain
            assert html.escape(line, quote=False) in SLOT.sub("{child}", html.unescape(mails[audience].html))


def test_nobody_is_a_mister_or_a_customer_in_the_words_for_an_organisation(
    contents: Contents, templates: list[Path]
) -> None:
    for language, content in contents(languages=LANGUAGES).items():
        mail = render_email(content, templates=templates, audience=Audience.ORGANISATION)
        assert not any(word in mail.text for word in ("Dear", "尊敬的", "您好"))
        assert message_words(shipped_languages()[language]).unnamed["organisation"] not in (
            "customer",
            "用户",
            "用戶",
        )


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_said_to_the_young_is_short_and_has_no_word_of_the_law(
    contents: Contents, templates: list[Path], language: str
) -> None:
    own = shipped_languages()[language]
    told = own.spoken.audiences[Audience.YOUNG]
    lines = [*told.before, *told.first_steps, told.before_more, *told.words.values()]
    assert [line for line in lines if long_sentences(line, own, limit=own.reading.longest_for_young)] == []
    found = [
        (word, line) for word in own.spoken.avoid["for_the_young"] for line in lines if word in line.lower()
    ]
    assert found == []
    mail = render_email(contents(languages=LANGUAGES)[language], templates=templates, audience=Audience.YOUNG)
    assert "您" not in mail.subject + mail.text + mail.html
    if language == "en":
        assert reading_grade([*told.before, *told.first_steps]) < 6


def test_the_young_read_simpler_words_of_the_kinds_of_data(contents: Contents, templates: list[Path]) -> None:
    keys = {tag: list(language.catalogue.young) for tag, language in shipped_languages().items()}
    assert keys["en"] == keys["zh-Hans"] == keys["zh-Hant"] and len(keys["en"]) > 20
    for tag, content in contents(languages=LANGUAGES).items():
        own = shipped_languages()[tag]
        simple = own.catalogue.young["phone_number"]
        for audience in Audience:
            text = render_email(content, templates=templates, audience=audience).text
            assert (simple.harm in text) == (simple.advice in text) == (audience is Audience.YOUNG)
        # Their own kinds of data are still named before each text.
        told = content_for(Audience.YOUNG, content, own)
        assert [len(told.consequences or ()), len(told.steps_for_person or ())] == [
            len(content.consequences or ()),
            len(content.steps_for_person or ()),
        ]
    english = shipped_languages()["en"].catalogue.young.values()
    assert reading_grade([text for each in english for text in (each.harm, each.advice)]) < 5


def test_what_a_person_wrote_is_told_to_the_young_too(contents: Contents, templates: list[Path]) -> None:
    own = {"zh-Hans": "请您先换密码。", "zh-Hant": "請您先換密碼。", "en": "Change your password first."}
    for tag, content in contents({"self_protection": own}, languages=LANGUAGES).items():
        text = render_email(content, templates=templates, audience=Audience.YOUNG).text
        assert own[tag].replace("您", "你") in text


def test_the_words_for_an_audience_keep_to_the_limit_of_the_language(
    contents: Contents, templates: list[Path]
) -> None:
    for language, content in contents(languages=LANGUAGES).items():
        for audience in Audience:
            text = render_email(content, templates=templates, audience=audience).text
            assert long_sentences(SLOT.sub("Chen", text), language) == []


def test_a_breach_that_is_only_possible_is_told_as_such_to_everybody(
    contents: Contents, templates: list[Path]
) -> None:
    possible = contents({"personal_data_breach": "possible"}, languages=LANGUAGES)
    for language, word in (("zh-Hans", "可能已经"), ("zh-Hant", "可能已經"), ("en", "may have been")):
        for audience in Audience:
            assert word in render_email(possible[language], templates=templates, audience=audience).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_needs_the_slots_of_its_audience_and_no_others(
    contents: Contents, templates: list[Path], language: str
) -> None:
    content = contents(languages=LANGUAGES)[language]
    for audience in Audience:
        mail = render_email(content, templates=templates, audience=audience)
        made = Skeleton(
            MailTemplate(mail.subject, mail.text, mail.html, Address("notice@example.cn"), language)
        )
        assert made.slots == set(slots_of(audience))


def test_a_layout_of_the_workspace_for_one_audience_wins(
    contents: Contents, templates: list[Path], tmp_path: Path
) -> None:
    own = tmp_path / "notice" / "en"
    own.mkdir(parents=True)
    slots = "".join(f"{{{{ slots.{name} }}}}" for name in slots_of(Audience.GUARDIAN))
    (own / "email.guardian.txt.j2").write_text(f"Our own words. {slots}", "utf-8")
    (own / "email.txt.j2").write_text(
        f"For the person. {slots.replace('{{ slots.child_name }}', '')}", "utf-8"
    )
    content, places = contents()["en"], [tmp_path, *templates]
    starts = {
        audience: render_email(content, templates=places, audience=audience).text[:14]
        for audience in Audience
    }
    assert starts[Audience.GUARDIAN] == "Our own words."
    assert starts[Audience.PERSON] == "For the person"
    assert starts[Audience.YOUNG].startswith("About your")


def test_a_layout_that_forgets_the_child_is_refused(
    contents: Contents, templates: list[Path], tmp_path: Path
) -> None:
    own = tmp_path / "notice" / "en"
    own.mkdir(parents=True)
    slots = "".join(f"{{{{ slots.{name} }}}}" for name in SLOT_NAMES)
    (own / "email.guardian.txt.j2").write_text(slots, "utf-8")
    with pytest.raises(BadInput, match="leaves out child_name"):
        render_email(contents()["en"], templates=[tmp_path, *templates], audience=Audience.GUARDIAN)
