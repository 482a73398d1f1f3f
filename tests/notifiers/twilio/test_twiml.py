"""Documents for calls, read back by a parser that knows nothing of how they were made."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.errors import BadMessage
from notifiers.twilio.twiml import (
    CONTENT_TYPE,
    MOST_OCTETS,
    MOST_SAY_ENCODED,
    MOST_SAY_OCTETS,
    VOICES,
    ask,
    hang_up,
    pieces_of,
    say,
)
from tests.support.twilio.posting import Reply
from tests.support.twilio.reading import Gather, Hangup, Verb, verbs_of
from tests.support.twilio.script import Heard

ACTION = "https://notices.example/hooks/calls/d1.1.hear.0.abc"
JOANNA = ("en-US", "Polly.Joanna")

LINES = st.lists(st.text(alphabet=st.characters(), max_size=60), max_size=5)
LONG_TEXTS = st.sampled_from(["a", "字", "😀", "& ", "Word. ", "一句话。", "<b>", "é!? "]).flatmap(
    lambda part: st.integers(0, 2000).map(lambda times: part * times)
)


def question(lines: list[str], otherwise: list[str], language: str = "en", voice: str = "") -> str:
    return ask(lines, action=ACTION, language=language, wait_seconds=8, otherwise=otherwise, voice=voice)


def read(document: str) -> list[Verb]:
    """The verbs, as the stand-in for Twilio reads them; nothing may be complained of."""
    complaints: list[str] = []
    verbs = verbs_of(Reply(200, CONTENT_TYPE, document.encode()), complaints.append)
    assert complaints == []
    return verbs


def said(*texts: str, voice: tuple[str, str] = JOANNA) -> list[Heard]:
    return [Heard(text, *voice) for text in texts]


def without_spaces(texts: list[str]) -> str:
    return re.sub(r"\s", "", "".join(texts))


def test_a_question_is_said_while_a_key_may_be_pressed_and_ends_where_none_is() -> None:
    verbs = read(question(["Hello.", "Press 1."], ["Goodbye."]))
    hello, goodbye = said("Hello.", "Press 1."), said("Goodbye.")
    # No key ends the input: # is one as well.
    assert verbs == [Gather(tuple(hello), ACTION, ""), *goodbye, Hangup()]
    gather = ET.fromstring(question(["Hello."], [])).find("Gather")  # noqa: S314
    assert gather is not None
    assert gather.attrib == {
        "action": ACTION,
        "finishOnKey": "",
        "input": "dtmf",
        "method": "POST",
        "numDigits": "1",
        "timeout": "8",
    }


def test_what_is_only_said_ends_with_hanging_up() -> None:
    assert read(say(["One.", "Two."], language="en")) == [*said("One.", "Two."), Hangup()]
    assert read(hang_up()) == [Hangup()]


@pytest.mark.parametrize("language", VOICES)
def test_every_language_has_a_voice_that_speaks_it(language: str) -> None:
    voice = VOICES[language]
    assert re.fullmatch(r"[a-z]{2,3}-[A-Z]{2}", voice.language)
    assert re.fullmatch(rf"Polly\.[A-Za-z]+|Google\.{voice.language}-Standard-[A-Z]", voice.name)
    assert read(say(["1"], language=language)) == [*said("1", voice=(voice.language, voice.name)), Hangup()]


def test_another_voice_can_be_named() -> None:
    neural = ("cmn-CN", "Polly.Zhiyu-Neural")
    document = question(["您好。"], ["再见。"], language="zh-Hans", voice="Polly.Zhiyu-Neural")
    gather, goodbye, _ = read(document)
    assert isinstance(gather, Gather)
    assert [*gather.says, goodbye] == said("您好。", "再见。", voice=neural)


@pytest.mark.parametrize("language", ["", "EN", "zh", "tlh", "en-US"])
def test_a_language_without_a_voice_is_refused(language: str) -> None:
    with pytest.raises(BadMessage) as refused:
        say(["Hello"], language=language)
    assert refused.value.where == "language"
    with pytest.raises(BadMessage):
        question(["Hello"], [], language=language)


@pytest.mark.parametrize("voice", [" ", "Polly Joanna", 'x"y', "é", "a..b", "Polly.Joanna\n"])
def test_what_is_no_voice_is_refused(voice: str) -> None:
    with pytest.raises(BadMessage) as refused:
        say(["Hello"], language="en", voice=voice)
    assert refused.value.where == "voice"


@pytest.mark.parametrize("seconds", [0, -1, 61])
def test_a_key_is_waited_for_some_seconds_and_not_for_ever(seconds: int) -> None:
    with pytest.raises(BadMessage) as refused:
        ask(["Hello"], action=ACTION, language="en", wait_seconds=seconds, otherwise=[])
    assert refused.value.where == "wait_seconds"


def test_what_looks_like_markup_is_said_and_not_obeyed() -> None:
    text = '</Say><Dial>+1500</Dial> & "quoted" ]]> <!-- x -->'
    assert read(say([text], language="en")) == [*said(text), Hangup()]


def test_an_address_with_an_ampersand_comes_back_whole() -> None:
    action = "https://notices.example/hooks?a=1&b=<2>"
    document = ask(["Hello"], action=action, language="en", wait_seconds=5, otherwise=[])
    gather = read(document)[0]
    assert isinstance(gather, Gather) and gather.action == action


def test_controls_and_what_xml_cannot_hold_are_left_out() -> None:
    [heard, _] = read(say(["a\0b\x1b[2Jc\ud800d\ufffee\x85f\u200bg"], language="en"))
    assert isinstance(heard, Heard)
    assert heard.text == "a b [2Jc d e f\u200bg"


def test_line_ends_and_runs_of_spaces_are_one_space_and_empty_lines_say_nothing() -> None:
    assert pieces_of("  a\r\n\tb   c ") == ["a b c"]
    assert read(say(["", " \n", "\0"], language="en")) == [Hangup()]


@given(lines=LINES, otherwise=LINES, language=st.sampled_from(list(VOICES)))
def test_any_text_is_said_as_it_is_in_a_document_that_can_be_read(
    lines: list[str], otherwise: list[str], language: str
) -> None:
    gather, *rest = read(question(lines, otherwise, language))
    assert isinstance(gather, Gather)
    assert [each.text for each in gather.says] == [piece for line in lines for piece in pieces_of(line)]
    assert rest.pop() == Hangup()
    assert [each.text for each in rest if isinstance(each, Heard)] == [
        piece for line in otherwise for piece in pieces_of(line)
    ]


@given(text=st.text(alphabet=st.characters(exclude_categories=("C", "Z")), max_size=200))
def test_nothing_that_can_be_said_is_left_out(text: str) -> None:
    assert without_spaces(pieces_of(text)) == text


@given(text=LONG_TEXTS)
def test_a_long_line_is_cut_into_pieces_that_are_all_said_at_once(text: str) -> None:
    pieces = pieces_of(text)
    assert without_spaces(pieces) == without_spaces([text])
    for piece in pieces:
        assert 0 < len(piece.encode()) <= MOST_SAY_OCTETS
        assert len(quote(piece, safe="")) <= MOST_SAY_ENCODED
        assert piece == piece.strip()


def test_it_is_cut_after_a_sentence_or_between_words_and_not_inside_a_number() -> None:
    sentence = "You owe nothing and it costs 3.50. "
    assert all(piece.endswith("3.50.") for piece in pieces_of(sentence * 200))
    assert all(piece.endswith("。") for piece in pieces_of("您的密码可能已经泄露。" * 100))
    assert set(" ".join(pieces_of("word " * 1000)).split()) == {"word"}


def test_one_piece_is_as_long_as_can_be() -> None:
    assert [len(piece) for piece in pieces_of("字" * 501)] == [500, 1]
    assert [len(piece) for piece in pieces_of("a" * 3001)] == [3000, 1]


@pytest.mark.parametrize(
    "build",
    [
        lambda lines: say(lines, language="en"),
        lambda lines: question(lines, []),
        lambda lines: question([], lines),
    ],
)
def test_a_document_is_never_larger_than_twilio_reads(build: Callable[[list[str]], str]) -> None:
    most = ["a" * 2900] * 21
    assert len(build(most).encode()) <= MOST_OCTETS
    with pytest.raises(BadMessage) as refused:
        build([*most, "a" * 2900])
    assert refused.value.where == "lines"


def test_what_no_person_may_read_in_an_error_is_not_in_it() -> None:
    with pytest.raises(BadMessage) as refused:
        say(["secret " * 10_000], language="en")
    assert "secret" not in str(refused.value)


def test_without_the_package_the_missing_one_is_named() -> None:
    program = (
        "import sys; sys.modules['twilio'] = None; sys.modules['twilio.twiml.voice_response'] = None\n"
        "from notifiers.errors import CarrierMissing\n"
        "from notifiers.twilio.twiml import hang_up\n"
        "try:\n hang_up()\n"
        "except CarrierMissing as missing:\n print(missing.package)\n"
    )
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("twilio\n", "")


def test_building_needs_neither_the_api_nor_the_network_of_the_package() -> None:
    program = (
        "import sys\n"
        "from notifiers.twilio.twiml import hang_up\n"
        "hang_up()\n"
        "print([each for each in ('twilio.rest', 'aiohttp', 'requests', 'httpx') if each in sys.modules])\n"
    )
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
