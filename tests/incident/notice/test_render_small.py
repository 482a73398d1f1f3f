"""The small channels: each says what the content says, names its reader in slots only, and stays text in its sink."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.law.elements import element_catalogue
from incident.notice.channels import (
    FIRST_STEP,
    LONGEST_NAME,
    ButtonKey,
    Rendering,
    Renderings,
    SmallChannel,
    Sms,
    Step,
    first_step,
    one_line,
    person_values,
)
from incident.notice.content import Contact, NoticeContent, Section
from incident.notice.gate_channels import check_channels
from incident.notice.graphemes import graphemes, shorten
from incident.notice.render import SLOT_NAMES
from incident.notice.render_small import (
    LONGEST_PUSH_BODY,
    LONGEST_PUSH_TITLE,
    first_sentence,
    in_short,
    render_small,
)
from incident.notice.sms_text import SmsEncoding, sms_text
from notifiers.email.message import SLOT, slot

LANGUAGES = ("zh-Hans", "en")
PERSONAL = (SmallChannel.SMS, SmallChannel.IN_APP, SmallChannel.VOICE, SmallChannel.CALL_CENTRE)
CODE = "K7P2-4M9Q-X5T"
ANN = person_values(name="Ann Lee", data_types="phone number, movements over time", code=CODE)
HOSTILE = [
    "{{ 7*7 }}", "{% raw %}", "${jndi:ldap://x}", "<Say>pay</Say>", "</Say></Gather><Dial>+1900</Dial>", "]]>", "&amp;",
    "a\r\nBcc: all@example.org", "line\none\u2028two", "مريم", "‮evil‬", "👨‍👩‍👧‍👦", "e\u0301" * 30, "x" * 5000,
    "\ufdd0code\ufdd1", "\ufdd2", "\x00\x07", "O'Neil \"Q\"", "张\ufffe三", " ",
]  # fmt: skip
NAMES = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]), max_size=60)

Contents = Callable[..., dict[str, NoticeContent]]
Render = Callable[..., Renderings]


@pytest.fixture
def rendered(contents: Contents, templates: list[Path]) -> Render:
    def make(language: str, **changes: object) -> Renderings:
        return render_small(contents(changes or None)[language], templates=templates)

    return make


def whole(rendering: Rendering | None) -> str:
    assert rendering is not None
    return "\n".join(rendering.texts())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("channel", PERSONAL)
def test_each_personal_channel_has_all_slots_and_no_holes(
    rendered: Render, language: str, channel: SmallChannel
) -> None:
    text = whole(rendered(language).of(channel))
    step = set() if channel is SmallChannel.IN_APP else {FIRST_STEP}
    assert set(SLOT.findall(text)) == {*SLOT_NAMES, *step}
    for trace in ("None", "{{", "}}", "{%", "Undefined", "\ufdd2"):
        assert trace not in SLOT.sub("", text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sms_names_sender_data_step_and_a_way_that_needs_no_link(
    rendered: Render, contents: Contents, language: str
) -> None:
    sms = rendered(language).sms
    assert sms is not None
    text = sms.filled(ANN).text
    content = contents()[language]
    assert content.contact is not None
    short = in_short(content)
    for said in (
        content.contact.organisation, "Ann Lee", "phone number, movements over time", short.happened,
        content.contact.phone, content.contact.website, CODE, content.effects,
    ):  # fmt: skip
        assert said and said in text
    assert first_step(short.steps, ["phone number", "movements over time"]) in text
    assert "http" not in text and "\n" not in text and "  " not in text
    assert text.startswith("【示例移动广东公司】") == (language == "zh-Hans")


@pytest.mark.parametrize(
    ("kinds", "step"),
    [
        ("phone number", "Never tell anyone a code sent to your phone."),
        ("phone number, movements over time", "Turn off location access you do not need."),
        ("account password, phone number", "Change your password now, here and wherever else you use it."),
        ("something else", "Account password: Change your password now, here and wherever else you use it."),
    ],
)
@pytest.mark.parametrize("channel", [SmallChannel.SMS, SmallChannel.VOICE, SmallChannel.CALL_CENTRE])
def test_the_one_thing_to_do_is_for_the_readers_own_kinds_of_information(
    rendered: Render, channel: SmallChannel, kinds: str, step: str
) -> None:
    found = rendered("en").of(channel)
    assert found is not None
    text = whole(found.filled({**ANN, "data_types_of_person": kinds}))
    assert step in text
    assert ("Account password: " in text.split("4. QUESTIONS")[0]) == (kinds == "something else")


def test_a_step_in_chinese_is_chosen_the_same_way(rendered: Render) -> None:
    sms = rendered("zh-Hans").sms
    assert sms is not None
    text = sms.filled({**ANN, "data_types_of_person": "手机号码、行踪轨迹"}).text
    assert "请关闭不需要的定位授权。" in text and "更换密码" not in text


def test_a_step_that_a_person_wrote_is_for_everybody(contents: Contents) -> None:
    written = {"en": "Note: call us.\nPhone number, account password: Beware. Always."}
    assert in_short(contents({"self_protection": written})["en"]).steps == (
        Step((), "Note: call us.", "Note: call us."),
        Step(("phone number", "account password"), "Beware.", "Phone number, account password: Beware."),
    )


def test_a_kind_within_the_name_of_another_is_not_meant() -> None:
    steps = [Step(("name",), "N.", "Name: N."), Step(("account name",), "A.", "Account name: A.")]
    sms = Sms("\ufdd0first_step\ufdd1", tuple(steps))
    assert sms.filled({**ANN, "data_types_of_person": "account name, phone number"}).text == "A."
    assert first_step(steps, ["phone number"]) == "Name: N."
    assert first_step([], ["name"]) == ""


def test_a_usual_sms_takes_three_segments_and_english_needs_no_ucs_2(rendered: Render) -> None:
    english, chinese = rendered("en").sms, rendered("zh-Hans").sms
    assert english is not None and chinese is not None
    found = sms_text(english.filled(ANN).text)
    assert (found.encoding, len(found.segments)) == (SmsEncoding.GSM_7, 3)
    values = person_values(name="张三", data_types="手机号码、行踪轨迹", code=CODE)
    assert len(sms_text(chinese.filled(values).text).segments) == 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_push_fits_a_locked_screen_and_says_nothing_of_its_reader(
    rendered: Render, contents: Contents, language: str
) -> None:
    push = rendered(language).push
    assert push is not None
    assert len(graphemes(push.title)) <= LONGEST_PUSH_TITLE
    assert len(graphemes(push.body)) <= LONGEST_PUSH_BODY
    assert SLOT.search(push.title + push.body) is None
    assert push.filled(ANN) == push
    content = contents()[language]
    assert not any(kind in push.title + push.body for kind in content.data_types or ())
    assert content.contact is not None and content.contact.phone in push.body


def test_a_long_name_of_the_organisation_shortens_the_title_of_the_push_at_a_character(
    contents: Contents, templates: list[Path]
) -> None:
    content = contents()["en"]
    long = replace(content, contact=Contact("👨‍👩‍👧‍👦" * 60, phone="1"))
    push = render_small(long, templates=templates).push
    assert push is not None
    assert len(graphemes(push.title)) == LONGEST_PUSH_TITLE
    assert push.title.endswith("👨‍👩‍👧‍👦…")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pop_up_holds_the_whole_notice(rendered: Render, contents: Contents, language: str) -> None:
    shown = rendered(language).in_app
    assert shown is not None
    content = contents()[language]
    lines = [each.text for each in shown.paragraphs]
    for place, texts in content.texts().items():
        if place != "data_types":
            assert all(any(text in line for line in lines) for text in texts), place
    assert shown.title == content.subject
    assert [each.text for each in shown.paragraphs if each.heading][:2] == (
        ["发生了什么", "涉及您的哪些信息"] if language == "zh-Hans" else ["What happened", "Your information"]
    )
    assert [button.key for button in shown.buttons] == [ButtonKey.CALL, ButtonKey.UNDERSTOOD]


def test_a_long_name_does_not_force_ucs_2(rendered: Render) -> None:
    sms = rendered("en").sms
    assert sms is not None
    text = sms.filled({**ANN, "person_name": "Ann " * 40}).text
    assert "Ann A..., this is" in text
    assert sms_text(text).encoding is SmsEncoding.GSM_7


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_call_centre_answers_from_the_record_and_asks_for_no_secrets(
    rendered: Render, contents: Contents, language: str
) -> None:
    script = rendered(language).call_centre
    assert script is not None
    for place, texts in contents()[language].texts().items():
        assert all(text in script.text for text in texts), place
    never = script.text.split("五、绝不" if language == "zh-Hans" else "5. NEVER")[0]
    for secret in ("密码是", "身份证号是", "What is your", "your password is", "出生日期是"):
        assert secret not in never


@pytest.mark.parametrize("language", ["zh-Hans", "zh-Hant", "en"])
def test_who_calls_from_a_list_knows_each_result_and_how_to_speak_with_a_guardian(
    contents: Contents, templates: list[Path], language: str
) -> None:
    content = replace(contents()["en" if language == "en" else "zh-Hans"], language=language)
    script = render_small(content, templates=templates).call_centre
    assert script is not None
    parts = re.split(r"\n(?=(?:[1-7]\. [A-Z]|[一二三四五六七]、))", script.text)
    assert len(parts) == 8
    _, opening, _, say, _, never, passed_on, after = parts
    results = re.findall(r"^- ([a-z_]+)(?:（[^）]+）)?[:：] ?(.+)$", after, re.MULTILINE)
    assert [name for name, _ in results] == [
        "told", "no_answer", "voicemail", "wrong_person", "bad_number", "refused", "passed_on",
    ]  # fmt: skip
    by_name = dict(results)
    guardian, part_3, part_6 = (
        ("guardian", "part 3", "part 6") if language == "en" else ("监护人|監護人", "第三部分", "第六部分")
    )
    for place in (opening, say, never, passed_on, by_name["told"]):
        assert re.search(guardian, place)
    assert part_3 in by_name["told"] and part_3 in by_name["refused"] and part_6 in by_name["passed_on"]
    assert say.count(slot("data_types_of_person")) == 2, "to the person, and to the guardian about the minor"


@pytest.mark.parametrize("language", ["zh-Hans", "zh-Hant", "en"])
def test_an_answering_machine_hears_who_called_and_the_number_and_nothing_else(
    contents: Contents, templates: list[Path], language: str
) -> None:
    content = replace(contents()["en" if language == "en" else "zh-Hans"], language=language)
    assert content.contact is not None
    script = render_small(content, templates=templates).call_centre
    assert script is not None
    [line] = re.findall(
        r"^.*(?:answering machine takes our call, say only|答录机或者语音信箱接听时|答錄機或語音信箱接聽時).*$",
        script.text,
        re.M,
    )
    assert content.contact.organisation in line and content.contact.phone in line
    assert not SLOT.search(line)
    without = render_small(replace(content, contact=None), templates=templates).call_centre
    assert without is not None and "020-10086" not in without.text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("channel", list(SmallChannel))
def test_nothing_is_claimed_that_the_record_lacks(
    rendered: Render, contents: Contents, language: str, channel: SmallChannel
) -> None:
    bare = {
        name: None
        for name in ("what_happened", "next_update_at", "remedies_offered", "cause_kind", "persons", "occurred_at",
                     "discovered_at", "ended_at")
    }  # fmt: skip
    text = whole(rendered(language, **bare).of(channel))
    full = contents()[language]
    for said in (
        *(full.what_happened or ()),
        *(full.remedies or ()),
        full.next_update or "",
        full.cause or "",
    ):
        assert not said or said not in text
    assert "None" not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_breach_that_is_only_possible_is_told_as_such_on_every_channel(
    rendered: Render, language: str
) -> None:
    possible = rendered(language, personal_data_breach="possible")
    for channel in PERSONAL:
        assert ("可能已经泄露" if language == "zh-Hans" else "may have been disclosed") in whole(
            possible.of(channel)
        )


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_a_contact_no_way_is_made_up(
    contents: Contents, templates: list[Path], language: str
) -> None:
    content = replace(contents()[language], contact=None)
    small = render_small(content, templates=templates)
    for _, each in small.there():
        assert not re.search(r"浏览器|browser|自行拨打\d|, or call|call \d|www|020-", whole(each))


def test_what_a_person_wrote_for_a_law_stands_in_the_pop_up(
    contents: Contents, templates: list[Path], tmp_path: Path
) -> None:
    more = (Section("rights_and_remedies", "Your rights", ("You may complain.", "You may claim damages.")),)
    content = replace(contents()["en"], more=more)
    shown = render_small(content, templates=templates).in_app
    assert shown is not None and "You may claim damages." in whole(shown)
    own(tmp_path, "in_app", "Title\n" + "".join(f"{{{{ slots.{name} }}}}" for name in SLOT_NAMES))
    with pytest.raises(BadInput, match="leaves out “Your rights”"):
        render_small(content, templates=[tmp_path, *templates])


def own(folder: Path, name: str, text: str) -> None:
    file = folder / "notice" / "en" / f"{name}.txt.j2"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("sms", "{{ slots.person_name }}", "leaves out code, data_types_of_person"),
        ("push.body", "Dear {{ slots.person_name }}", "where others may read or hear it"),
        ("push.title", "{{ slots.code }}", "where others may read or hear it"),
        ("in_app.buttons", "pay: Pay now", "is no button"),
        ("in_app.buttons", "Call us", "is no button"),
        ("call_centre", "{{ content.nothing }}", "does not fit"),
    ],
)
def test_an_own_template_that_is_wrong_is_refused_with_its_place(
    contents: Contents, templates: list[Path], tmp_path: Path, name: str, text: str, says: str
) -> None:
    own(tmp_path, name, text)
    with pytest.raises(BadInput, match=says) as refusal:
        render_small(contents()["en"], templates=[tmp_path, *templates])
    assert f"notice/en/{name}.txt.j2" in str(refusal.value.where)


def test_a_language_without_a_template_of_a_channel_goes_without_it(
    contents: Contents, tmp_path: Path
) -> None:
    own(tmp_path, "push.title", "Notice")
    own(tmp_path, "push.body", "Call us.")
    small = render_small(contents()["en"], templates=[tmp_path])
    assert [channel for channel, _ in small.there()] == [SmallChannel.PUSH]
    assert Renderings.from_document(small.as_document()) == small


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_frozen_comes_back_as_it_was(rendered: Render, language: str) -> None:
    small = rendered(language)
    document = json.loads(json.dumps(small.as_document(), ensure_ascii=False))
    assert document == small.as_document()
    assert Renderings.from_document(document) == small


def test_a_mark_in_the_content_is_refused(contents: Contents, templates: list[Path]) -> None:
    forged = contents({"what_happened": {"en": "Told \ufdd0code\ufdd1"}})
    with pytest.raises(BadInput, match="personal slots"):
        render_small(forged["en"], templates=templates)


def test_the_first_sentence_is_one_line() -> None:
    assert first_sentence("甲。乙。") == "甲。"
    assert first_sentence("We saw 3.5 million. Then more.") == "We saw 3.5 million."
    assert first_sentence("\n\n one\nline") == "one line"
    assert first_sentence("") == ""


def test_a_first_sentence_too_long_for_a_message_is_left_to_the_full_text(
    contents: Contents, templates: list[Path]
) -> None:
    long = contents({"what_happened": {"en": "Somebody " + "very " * 40 + "bad came. Short."}})["en"]
    assert in_short(long).happened == ""
    sms = render_small(long, templates=templates).sms
    assert sms is not None and "We had a security incident." in sms.text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(name=NAMES, language=st.sampled_from(LANGUAGES))
def test_whatever_a_name_is_it_stays_whole_and_text(rendered: Render, name: str, language: str) -> None:
    small, values = rendered(language), person_values(name=name, data_types="a & b", code=CODE)
    plain, line = rendered(language), one_line(name)
    assert plain == small, "filling changes nothing for the next person"
    assert small.sms and small.in_app and small.voice and small.call_centre
    sms = small.sms.filled(values).text
    assert shorten(line, LONGEST_NAME, ending="...") in sms and "a & b" in sms and CODE in sms
    assert len(sms.splitlines()) == 1
    for text in (whole(small.in_app.filled(values)), small.call_centre.filled(values).text):
        assert line in text and "a & b" in text and CODE in text
    assert len(whole(small.in_app.filled(values)).splitlines()) == len(whole(small.in_app).splitlines())
    said = small.voice.filled(values)
    assert shorten(line, LONGEST_NAME, ending="...") in said.greeting and "a & b" in said.text
    for part in ("greeting", "text"):
        assert len(getattr(said, part).splitlines()) == len(getattr(small.voice, part).splitlines())
    assert "49" in name or "49" not in sms


@given(NAMES)
def test_a_line_is_one_line_without_marks_and_overrides(name: str) -> None:
    line = one_line(name)
    assert len(line.splitlines()) <= 1
    assert not re.search("[\ufdd0-\ufdef\ufffe\uffff\u202a-\u202e\u2066-\u2069\x00-\x08]", line)
    assert one_line(line) == line


def test_the_templates_for_traditional_chinese_render_every_channel_in_traditional_characters(
    contents: Contents, templates: list[Path]
) -> None:
    content = replace(
        contents()["zh-Hans"], language="zh-Hant", subject="", what_happened=None, data_types=None, cause=None,
        consequences=None, measures_taken=None, steps_for_person=None, remedies=None, contact=None, effects="外洩",
        not_known=(), next_update=None, more=(), sources={},
    )  # fmt: skip
    small = render_small(content, templates=templates)
    assert [channel for channel, _ in small.there()] == list(SmallChannel)
    simplified = set(
        "们发您这个资讯码号链请说为时电话单时问题对应网页应览录输务书证银帐户没会来还样责实现开关传护"
    )
    simplified -= set("您這個請書會應號碼")
    for channel, each in small.there():
        assert not simplified & set(whole(each)), channel
    full = render_small(replace(contents()["zh-Hans"], language="zh-Hant"), templates=templates)
    assert full.sms is not None and full.sms.text.count("\ufdd0") == 4
    assert check_channels(
        {"zh-Hant": replace(contents()["zh-Hans"], language="zh-Hant")}, {"zh-Hant": full},
        {name: () for name in element_catalogue()}, documents={}, most_segments=9,
    ) == []  # fmt: skip
