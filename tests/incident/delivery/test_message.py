"""One message of each audience: whatever a name holds, it stays a name on one line, and nothing of it is executed."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from email.message import EmailMessage
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.delivery.codes import code_of
from incident.delivery.message import compose, stationery, writes_to_organisations
from incident.delivery.states import Addressee
from incident.notice.audience import FURTHER, Audience
from incident.notice.audience_words import language_for, message_words
from incident.notice.content import NoticeContent
from incident.notice.frozen import FrozenNotice
from incident.notice.languages import shipped_languages
from incident.notice.render import render_email
from incident.notice.updating import update_mark
from incident.record.person import Contact, Kind, PersonRow
from incident.workspace import shipped
from notifiers.email.message import NOT_IN_A_LINE
from tests.support.relays import parsed

LANGUAGES = ("zh-Hans", "zh-Hant", "en")
KEY = bytes(32)
DELIVERY = "d1" * 16
AT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
TITLES = {
    "phone_number": {"zh-Hans": "手机号码", "zh-Hant": "手機號碼", "en": "phone number"},
    "signature": {"zh-Hans": "签名", "en": "signature"},
}
BORN = {Audience.YOUNG: date(2012, 3, 1), Audience.GUARDIAN: date(2016, 3, 1)}


@cache
def frozen() -> FrozenNotice:
    """A released version: three languages, every audience."""
    places = (shipped("templates"),)
    contents = {language: content_in(language) for language in LANGUAGES}
    return FrozenNotice(
        contents=contents,
        emails={tag: render_email(content, templates=places) for tag, content in contents.items()},
        pages={},
        from_name=dict.fromkeys(LANGUAGES, "Example"),
        from_address="notice@example.cn",
        reply_to="",
        category_titles=TITLES,
        variants={
            audience: {
                tag: render_email(content, templates=places, audience=audience)
                for tag, content in contents.items()
            }
            for audience in FURTHER
        },
        words={tag: message_words(shipped_languages()[tag]) for tag in LANGUAGES},
    )


def content_in(language: str) -> NoticeContent:
    said = {"zh-Hans": "有人读取了资料。", "zh-Hant": "有人讀取了資料。", "en": "Somebody read records."}[
        language
    ]
    return NoticeContent(
        language=language,
        reference="INC-2026-0001",
        subject=shipped_languages()[language].say("subject", organisation="Example"),
        written_on="2026-11-23",
        possible=False,
        effects="lost",
        what_happened=(said,),
        breach_date=None,
        discovery_date=None,
        data_types=("all of it",),
        cause=None,
        cause_open=False,
        consequences=None,
        measures_taken=None,
        planned=None,
        steps_for_person=None,
        remedies=None,
        contact=None,
        not_known=(),
        next_update=None,
        missing=(),
    )


def somebody(audience: Audience, language: str, *, name: str, guardian: str = "Pat") -> PersonRow:
    return PersonRow(
        reference="A",
        contact=Contact(name, "to@example.org", ""),
        language=language,
        country="cn",
        categories=("phone_number",),
        birth_date=BORN.get(audience),
        guardian=Contact(guardian, "guardian@example.org", ""),
        kind=Kind.ORGANISATION if audience is Audience.ORGANISATION else None,
    )


def message_to(
    audience: Audience,
    language: str,
    *,
    name: str,
    guardian: str = "Pat",
    version: FrozenNotice | None = None,
) -> EmailMessage:
    envelope = compose(
        stationery(version or frozen(), key=KEY),
        somebody(audience, language, name=name, guardian=guardian),
        delivery_id=DELIVERY,
        addressee=Addressee.GUARDIAN if audience is Audience.GUARDIAN else Addressee.PERSON,
        first_intent_at=AT,
    )
    return parsed(envelope.data)


PAPER = stationery(frozen(), key=KEY)


def bodies(message: EmailMessage) -> tuple[str, str]:
    parts = [message.get_body((kind,)) for kind in ("plain", "html")]
    text, page = (str(part.get_content()) for part in parts if part is not None)
    return text, page


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("audience", Audience)
def test_each_gets_the_version_for_them_in_their_language(audience: Audience, language: str) -> None:
    message = message_to(audience, language, name="Kim")
    mail = frozen().email_for(audience, language)
    assert message["Subject"] == mail.subject
    assert message["Content-Language"] == language
    text, page = bodies(message)
    assert code_of(KEY, DELIVERY) in text and code_of(KEY, DELIVERY) in page
    assert TITLES["phone_number"][language] in text
    assert "Kim" in text
    assert ("Pat" in text) == (audience is Audience.GUARDIAN)
    address = "guardian@example.org" if audience is Audience.GUARDIAN else "to@example.org"
    assert message["To"].addresses[0].addr_spec == address


@pytest.mark.parametrize("language", LANGUAGES)
def test_whoever_has_no_name_is_addressed_all_the_same(language: str) -> None:
    words = frozen().words[language]
    for audience in Audience:
        text, _ = bodies(message_to(audience, language, name=" \r\n ", guardian=""))
        assert words.unnamed[audience] in text
        assert (words.unnamed_child in text) == (audience is Audience.GUARDIAN)


def test_a_version_from_before_there_were_variants_is_sent_as_it_was() -> None:
    old = FrozenNotice.from_document(
        {name: part for name, part in frozen().as_document().items() if name not in ("variants", "words")}
    )
    assert "variants" not in old.as_document() and "words" not in old.as_document()
    assert not writes_to_organisations(old) and writes_to_organisations(frozen())
    for audience in Audience:
        message = message_to(audience, "zh-Hans", name="", guardian="", version=old)
        assert message["Subject"] == old.emails["zh-Hans"].subject
        assert "用户" in bodies(message)[0]


def test_a_version_survives_being_stored_and_its_hash_covers_each_variant() -> None:
    again = FrozenNotice.from_document(frozen().as_document())
    assert again == frozen() and again.hash == frozen().hash
    mails = {**frozen().variants[Audience.YOUNG]}
    mails["en"] = replace(mails["en"], text=mails["en"].text + "!")
    assert replace(frozen(), variants={**frozen().variants, Audience.YOUNG: mails}).hash != frozen().hash
    assert replace(frozen(), words={}).hash != frozen().hash


@pytest.mark.parametrize(
    ("wanted", "there", "got"),
    [
        ("en", ("zh-Hans", "en"), "en"),
        ("zh-Hant", ("en", "zh-Hans"), "zh-Hans"),
        ("zh-Hant", ("en", "zh-Hans", "zh-Hant"), "zh-Hant"),
        ("vi", ("zh-Hans", "en"), "zh-Hans"),
        ("ug", ("en", "ug"), "ug"),
    ],
)
def test_who_reads_another_language_gets_the_nearest_and_else_the_first(
    wanted: str, there: tuple[str, ...], got: str
) -> None:
    assert language_for(wanted, there) == got


def test_a_kind_of_data_without_a_name_in_the_language_is_told_as_all_that_is_concerned() -> None:
    kim = somebody(Audience.PERSON, "zh-Hant", name="Kim")
    person = kim._replace(categories=("phone_number", "signature"))
    envelope = compose(PAPER, person, delivery_id=DELIVERY, addressee=Addressee.PERSON, first_intent_at=AT)
    text, _ = bodies(parsed(envelope.data))
    assert "all of it" in text and "签名" not in text and "signature" not in text


NAMES = st.lists(
    st.one_of(
        st.sampled_from(
            ["👩‍👧‍👦", "🇨🇳", "محمد", "\u202eabc", "\u2066", "{{ 7*7 }}", "{% raw %}", "${x}", "%s", "{child}", "{0}",
             "<script>alert(1)</script>", "<b>", "&amp;", "\r\nBcc: x@example.org", "\n\n", "\0", "\ufdd0code\ufdd1",
             "\ufdd0child_name\ufdd1", "\u2028", '"', "\\", ",", ";", "x" * 400]
        ),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    ),
    min_size=1,
    max_size=6,
).map("".join)  # fmt: skip


def one_line(name: str) -> str:
    return " ".join(NOT_IN_A_LINE.sub(" ", name).split())


FIELDS: Mapping[str, int] = {
    name: 1 for name in ("From", "To", "Subject", "Date", "Message-ID", "Content-Language", "MIME-Version")
}


@given(name=NAMES, guardian=NAMES)
def test_a_name_stays_a_name_in_every_version(name: str, guardian: str) -> None:
    for audience in Audience:
        for language in LANGUAGES:
            message = compose_named(audience, language, name, guardian)
            text, page = bodies(message)
            called = one_line(guardian if audience is Audience.GUARDIAN else name)
            words = frozen().words[language]
            for said in {called or words.unnamed[audience]} | (
                {one_line(name) or words.unnamed_child} if audience is Audience.GUARDIAN else set()
            ):
                assert said in text
                assert said in html.unescape(page)
            assert message["Subject"] == frozen().email_for(audience, language).subject
            assert message["Bcc"] is None
            assert all(len(message.get_all(field) or ()) == count for field, count in FIELDS.items())
            assert not re.search(r"<(script|b)\b", page)


def compose_named(audience: Audience, language: str, name: str, guardian: str) -> EmailMessage:
    person = somebody(audience, language, name=name, guardian=guardian)
    to = Addressee.GUARDIAN if audience is Audience.GUARDIAN else Addressee.PERSON
    envelope = compose(PAPER, person, delivery_id=DELIVERY, addressee=to, first_intent_at=AT)
    assert (
        envelope.data == compose(PAPER, person, delivery_id=DELIVERY, addressee=to, first_intent_at=AT).data
    ), "made again it has the same bytes"
    return parsed(envelope.data)


def test_a_guardian_of_several_reads_their_names_and_a_line_for_each() -> None:
    children = [
        somebody(Audience.GUARDIAN, "en", name=name)._replace(reference=name or "unnamed")
        for name in ("Cleo", "Dan", "")
    ]
    envelope = compose(
        PAPER,
        children[0],
        delivery_id=DELIVERY,
        addressee=Addressee.GUARDIAN,
        first_intent_at=AT,
        others=children[1:],
    )
    message = parsed(envelope.data)
    text, _ = bodies(message)
    assert message["Subject"] == frozen().variants[Audience.GUARDIAN]["en"].subject
    assert "about Cleo, Dan and your child was lost" in text
    for line in ("- Cleo: phone number", "- Dan: phone number", "- no name on our list: phone number"):
        assert line in text


def test_a_household_of_several_ages_reads_the_words_for_everybody() -> None:
    grown, young = (somebody(audience, "en", name="Kim") for audience in (Audience.PERSON, Audience.YOUNG))
    for others, audience in (((grown,), Audience.PERSON), ((young,), Audience.PERSON)):
        envelope = compose(
            PAPER, grown, delivery_id=DELIVERY, addressee=Addressee.PERSON, first_intent_at=AT, others=others
        )
        assert parsed(envelope.data)["Subject"] == frozen().email_for(audience, "en").subject
    envelope = compose(
        PAPER, young, delivery_id=DELIVERY, addressee=Addressee.PERSON, first_intent_at=AT, others=(young,)
    )
    assert parsed(envelope.data)["Subject"] == frozen().email_for(Audience.YOUNG, "en").subject


def test_each_version_is_marked_as_an_update_under_its_own_subject() -> None:
    marked = replace(
        frozen(), updates={tag: update_mark(shipped_languages()[tag]) for tag in frozen().contents}
    )
    paper = stationery(marked, key=KEY, earlier={"n1": frozen()})
    for audience in Audience:
        person = somebody(audience, "en", name="Kim")
        to = Addressee.GUARDIAN if audience is Audience.GUARDIAN else Addressee.PERSON
        envelope = compose(
            paper, person, delivery_id=DELIVERY, addressee=to, first_intent_at=AT, update_of="n1"
        )
        message = parsed(envelope.data)
        own = frozen().email_for(audience, "en").subject
        assert message["Subject"] == f"Update to our notice of 2026-11-23: {own}"
        assert bodies(message)[0].startswith("This is an update to our notice of 2026-11-23.")
