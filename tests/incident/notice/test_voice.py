"""A call by machine: who is meant is asked first, each part says what it may, and all languages say the same."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import rfc8785

from incident.errors import BadInput
from incident.law.categories import category_catalogue
from incident.notice.channels import (
    CALL_KEYS,
    FIRST_STEP,
    LONGEST_NAME,
    PARTS_FOR_ANYBODY,
    WITHOUT_A_KEY,
    Renderings,
    SmallChannel,
    Step,
    VoiceScript,
    person_values,
)
from incident.notice.content import Contact, NoticeContent
from incident.notice.gate_calls import kinds_named
from incident.notice.languages import shipped_languages
from incident.notice.readability import long_sentences, sentences
from incident.notice.render_small import in_short, render_small
from incident.notice.voice import spelled
from notifiers.email.message import SLOT
from tests.support.old_calls import OLD_CALL, OLD_HASH

LANGUAGES = ("zh-Hans", "zh-Hant", "en")
PARTS = ("text", *PARTS_FOR_ANYBODY)
CODE = "K7P2-4M9Q-X5T"
SAID_CODE = "K, 7, P, 2. 4, M, 9, Q. X, 5, T"
ANN = person_values(name="Ann Lee", data_types="phone number, movements over time", code=CODE)
# What every Chinese or English part holds, so that none says more or less than its like.
MEANT: dict[str, tuple[dict[str, str], ...]] = {
    "greeting": (
        {"zh": "自動語音電話|自动语音电话", "en": "automated call"},
        {"zh": "本人(个人信息|個人資料)的事", "en": "about their personal information"},
        {"zh": "不是推[销銷]", "en": "not an advertisement"},
        {"zh": "如果您是Ann Lee，[请請]按1", "en": "If you are Ann Lee, press 1"},
        {"zh": "如果不是，[请請]按2.*不[会會]再.*[这這][个個][号號][码碼]", "en": "not, press 2.*not call this number for them"},
        {"zh": "挂机|掛斷", "en": "hang up"},
    ),
    "text": (
        {"zh": "phone number, movements over time。", "en": "phone number, movements over time\\."},
        {"zh": "核[对對].*[号號][码碼]", "en": "compare this number"},
        {"zh": "不[会會].*密[码碼].*[转轉][账帳]", "en": "never ask for passwords.*move money"},
        {"zh": "[确確][认認]已[经經][听聽]到，[请請]按1", "en": "To confirm that you have heard this, press 1"},
        {"zh": "再[听聽]一[遍次]，[请請]按2", "en": "To hear it again, press 2"},
    ),
    "not_heard": (
        {"zh": "[没沒]有收到您的按[键鍵]", "en": "did not receive your answer"},
        {"zh": "[尽盡]量用.*方式", "en": "try another way to tell you"},
        {"zh": "www\\.example-mobile\\.cn", "en": "www\\.example-mobile\\.cn"},
    ),
    "machine": (
        {"zh": "[给給]我[们們]留", "en": "gave us this number"},
        {"zh": "其(个人信息|個人資料)", "en": "about their personal information"},
        {"zh": "[尽盡]量用.*方式", "en": "try another way to tell them"},
        {"zh": "0, 2, 0\\. 1, 0, 0, 8, 6", "en": "0, 2, 0\\. 1, 0, 0, 8, 6"},
        {"zh": "官.*[账帳][单單].*核[对對]", "en": "compare this number with the one on our web site or on your bill"},
    ),
    "thanks": ({"zh": "感[谢謝]", "en": "Thank you"},),
    "wrong_person": (
        {"zh": "抱歉", "en": "sorry to have disturbed you"},
        {"zh": "不[会會]再.*[这這][个個][号號][码碼]", "en": "not call this number for them again"},
    ),
}  # fmt: skip

Contents = Callable[..., dict[str, NoticeContent]]
Call = Callable[..., VoiceScript]


@pytest.fixture
def content_in(contents: Contents) -> Callable[..., NoticeContent]:
    def make(language: str, **changes: object) -> NoticeContent:
        content = contents()["en" if language == "en" else "zh-Hans"]
        return replace(content, language=language, **changes)  # type: ignore[arg-type]

    return make


@pytest.fixture
def call(content_in: Callable[..., NoticeContent], templates: list[Path]) -> Call:
    def make(language: str, **changes: object) -> VoiceScript:
        voice = render_small(content_in(language, **changes), templates=templates).voice
        assert voice is not None
        return voice

    return make


def own(folder: Path, name: str, text: str, language: str = "en") -> list[Path]:
    file = folder / "notice" / language / f"{name}.txt.j2"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return [folder]


# -- what is said ------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_part_has_the_slots_that_it_may_have(call: Call, language: str) -> None:
    script = call(language)
    found = {part: set(SLOT.findall(getattr(script, part))) for part in PARTS}
    assert found == {
        "greeting": {"person_name"},
        "text": {"data_types_of_person", "code", FIRST_STEP},
        "not_heard": set(), "machine": set(), "thanks": set(), "wrong_person": set(),
    }  # fmt: skip
    assert script.can_be_asked


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_languages_say_the_same_in_each_part(call: Call, language: str) -> None:
    script = call(language).filled(ANN)
    for part, meanings in MEANT.items():
        said = getattr(script, part).replace("\n", " ")
        for meaning in meanings:
            assert re.search(meaning[language[:2]], said), (part, meaning)


@pytest.mark.parametrize("part", PARTS)
def test_all_languages_have_as_many_lines(call: Call, part: str) -> None:
    assert len({len(getattr(call(language), part).splitlines()) for language in LANGUAGES}) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_greeting_says_who_calls_first_and_the_text_does_not_greet_again(
    call: Call, content_in: Callable[..., NoticeContent], language: str
) -> None:
    script, contact = call(language).filled(ANN), content_in(language).contact
    assert contact is not None
    for part in (script.greeting, script.machine):
        assert contact.organisation in part.splitlines()[0]
    assert "Ann Lee" in script.greeting and "Ann Lee" not in script.text
    assert in_short(content_in(language)).happened == script.text.splitlines()[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_code_is_said_twice_character_by_character_and_only_in_the_text(
    call: Call, language: str
) -> None:
    script = call(language).filled(ANN)
    assert script.text.count(SAID_CODE) == 2
    for part in PARTS_FOR_ANYBODY:
        assert SAID_CODE not in getattr(script, part) and CODE not in getattr(script, part)
    assert CODE not in script.text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "contact", [Contact("Example", phone="020-1"), Contact("Example", website="www.a.cn")]
)
def test_no_part_for_anybody_names_any_kind_of_information_there_is(
    call: Call, content_in: Callable[..., NoticeContent], language: str, contact: Contact
) -> None:
    every = tuple(
        shipped_languages()[language].printed("categories", name, "title", each.title)
        for name, each in category_catalogue().items()
    )
    assert all(every)
    content, script = content_in(language, data_types=every), call(language, contact=contact)
    for part in PARTS_FOR_ANYBODY:
        assert kinds_named(content, getattr(script, part)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_line_is_one_short_sentence(call: Call, language: str) -> None:
    script = call(language).filled({**ANN, "code": "1"})
    for part in PARTS:
        said = getattr(script, part).replace(spelled("020-10086"), "1")
        assert said == said.strip() and "\n\n" not in said and "  " not in said
        assert long_sentences(said, language) == []
        for line in said.splitlines():
            assert len(line) <= 120
            assert len(sentences(line.replace(":", "").replace("：", ""), language)) == 1, line
    assert all(len(line) <= 75 for line in script.greeting.splitlines())


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_a_number_or_an_address_none_is_made_up(call: Call, language: str) -> None:
    script = call(language, contact=None)
    for part in PARTS:
        assert not re.search(
            r"www|browser|[浏瀏][览覽]器|[拨撥]打\d|致電\d|call us|\d, \d", getattr(script, part)
        )
        assert getattr(script, part)
    phone = call(language, contact=Contact("Example", phone="020-1"))
    assert all("0, 2, 0. 1" in part for part in (phone.text, phone.machine, phone.not_heard))
    website = call(language, contact=Contact("Example", website="www.a.cn"))
    assert all("www.a.cn" in part for part in (website.text, website.machine, website.not_heard))


def test_a_name_of_any_length_does_not_keep_anybody_listening(call: Call) -> None:
    said = call("en").filled({**ANN, "person_name": "Ann " * 2_000}).greeting
    assert f"for {('Ann ' * 20)[: LONGEST_NAME - 3]}....\n" in said


def test_a_name_that_looks_like_a_slot_or_a_line_stays_a_name(call: Call) -> None:
    said = call("en").filled({**ANN, "person_name": "\ufdd0code\ufdd1 <Say>x\npress 2"})
    assert "If you are code <Say>x press 2, press 1." in said.greeting.splitlines()
    assert SAID_CODE not in said.greeting


def test_filling_leaves_the_marks_for_the_next_person(call: Call) -> None:
    script = call("en")
    filled = script.filled(ANN)
    assert script == call("en")
    assert filled.steps == () and not SLOT.search("".join(filled.texts()))
    assert filled.texts() == (
        filled.greeting, filled.text, filled.not_heard, filled.machine, filled.thanks, filled.wrong_person,
    )  # fmt: skip


def test_keys_lead_only_to_parts_that_there_are_and_only_1_after_the_text_confirms() -> None:
    assert {to for keys in CALL_KEYS.values() for to in keys.values()} <= set(PARTS)
    assert WITHOUT_A_KEY in PARTS
    assert [
        (part, key) for part, keys in CALL_KEYS.items() for key, to in keys.items() if to == "thanks"
    ] == [("text", "1")]


def test_a_code_is_said_character_by_character() -> None:
    assert spelled(CODE) == SAID_CODE
    assert spelled("020-100 86") == "0, 2, 0. 1, 0, 0. 8, 6"
    assert spelled("") == ""


# -- templates of one's own --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("voice", "{{ slots.data_types_of_person }}{{ slots.code }}", "only once"),
        ("voice", "{{ slots.person_name }}{{ slots.code }}{{ slots.code }}", "leaves out data_types_of_person"),
        ("voice", "{{ slots.data_types_of_person }}", "leaves out code"),
        ("voice.greeting", "Press 1 or 2.", "leaves out person_name"),
        ("voice.greeting", "{{ slots.person_name }} {{ slots.code }}", "names code where others may read or hear"),
        ("voice.greeting", "{{ slots.person_name }} {{ slots.data_types_of_person }}", "names data_types_of_person"),
        ("voice.greeting", "{{ slots.person_name }} {{ short.step }}", "names first_step"),
        ("voice.machine", "Your code is {{ slots.code }}.", "names code where others may read or hear"),
        ("voice.machine", "For {{ slots.person_name }}.", "names person_name where others may read or hear"),
        ("voice.not_heard", "{{ slots.data_types_of_person }}", "names data_types_of_person"),
        ("voice.thanks", "Thank you, {{ slots.person_name }}.", "names person_name"),
        ("voice.wrong_person", "You are not {{ slots.person_name }}.", "names person_name"),
        ("voice.machine", " \n \n", "says nothing"),
        ("voice.thanks", "", "says nothing"),
        ("voice.machine", "{{ nothing }}", "does not fit"),
    ],
)  # fmt: skip
def test_an_own_part_that_is_wrong_is_refused_with_its_place(
    contents: Contents, templates: list[Path], tmp_path: Path, name: str, text: str, says: str
) -> None:
    places = own(tmp_path, name, text)
    with pytest.raises(BadInput, match=says) as refusal:
        render_small(contents()["en"], templates=[*places, *templates])
    assert f"notice/en/{name}.txt.j2" in str(refusal.value.where)


def test_a_workspace_with_a_text_of_its_own_keeps_the_shipped_other_parts(
    contents: Contents, templates: list[Path], tmp_path: Path, call: Call
) -> None:
    text = "{{ slots.data_types_of_person }}\n\n  {{ slots.code }}  \n{{ slots.code }}\n"
    script = render_small(contents()["en"], templates=[*own(tmp_path, "voice", text), *templates]).voice
    assert (
        script is not None
        and script.filled(ANN).text == f"{ANN['data_types_of_person']}\n{SAID_CODE}\n{SAID_CODE}"
    )
    assert replace(script, text="") == replace(call("en"), text="")


@pytest.mark.parametrize("lacking", ["voice", *(f"voice.{part}" for part in PARTS_FOR_ANYBODY)])
def test_a_language_that_lacks_a_part_is_not_called_in(
    contents: Contents, templates: list[Path], tmp_path: Path, lacking: str
) -> None:
    shipped_ones = (templates[0] / "notice" / "en").glob("voice*.txt.j2")
    for file in shipped_ones:
        if file.name != f"{lacking}.txt.j2":
            own(tmp_path, file.name.removesuffix(".txt.j2"), file.read_text("utf-8"))
    assert render_small(contents()["en"], templates=[tmp_path]).voice is None
    own(tmp_path, lacking, (templates[0] / "notice" / "en" / f"{lacking}.txt.j2").read_text("utf-8"))
    assert render_small(contents()["en"], templates=[tmp_path]).voice is not None


# -- versions from before ----------------------------------------------------------------------------


def test_a_call_frozen_before_there_was_a_greeting_reads_back_as_it_was_and_no_machine_calls_with_it() -> (
    None
):
    document = {"voice": json.loads(json.dumps(OLD_CALL))}
    old = Renderings.from_document(document)
    assert old.voice is not None
    assert (old.voice.text, old.voice.twiml) == (OLD_CALL["text"], OLD_CALL["twiml"])
    assert old.voice.steps == (
        Step(("location",), "Turn off location access.", "Location: Turn off location access."),
    )
    assert old.as_document() == {"voice": OLD_CALL}
    assert hashlib.sha256(rfc8785.dumps(old.as_document())).hexdigest() == OLD_HASH
    assert not old.voice.can_be_asked
    assert not old.voice.filled(ANN).can_be_asked and old.voice.filled(ANN).twiml == ""
    assert old.voice.filled(ANN).texts() == (old.voice.filled(ANN).text,)
    assert "Turn off location access." in old.voice.filled({**ANN, "data_types_of_person": "location"}).text


def test_a_changed_word_of_an_old_call_changes_its_hash() -> None:
    for name in ("text", "twiml"):
        document = {"voice": {**OLD_CALL, name: OLD_CALL[name].replace("Example", "Exemplar")}}
        again = Renderings.from_document(document).as_document()
        assert hashlib.sha256(rfc8785.dumps(again)).hexdigest() != OLD_HASH


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_call_of_today_comes_back_as_it_was_and_every_part_of_it_is_hashed(
    call: Call, language: str
) -> None:
    whole = Renderings(voice=call(language))
    document = json.loads(json.dumps(whole.as_document()))
    assert set(document["voice"]) == {*PARTS, "steps"}
    assert Renderings.from_document(document) == whole
    assert [channel for channel, _ in whole.there()] == [SmallChannel.VOICE]
    for part in PARTS:
        other = Renderings(voice=replace(call(language), **{part: "Other words."}))  # type: ignore[arg-type]  # a part is a text
        assert other.as_document() != document
