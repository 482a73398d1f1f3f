"""The gate of a call by machine: each finding is brought about by what it is for, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from incident.law.elements import element_catalogue
from incident.notice.channels import PARTS_FOR_ANYBODY, Renderings, VoiceScript
from incident.notice.content import NoticeContent
from incident.notice.findings import Finding, Severity, refusals
from incident.notice.gate_calls import LONGEST_SAID, PART_TITLES, check_call
from incident.notice.gate_channels import check_channels
from incident.notice.render_small import in_short, render_small
from notifiers.email.message import slot
from tests.support.old_calls import OLD_CALL

LANGUAGES = ("zh-Hans", "en")
ASKED = {name: (("eu-gdpr", "Art. 34(2)"),) for name in element_catalogue()}
Contents = Callable[..., dict[str, NoticeContent]]


@pytest.fixture
def script(contents: Contents, templates: list[Path]) -> Callable[..., VoiceScript]:
    def make(language: str = "en", **parts: str) -> VoiceScript:
        voice = render_small(contents()[language], templates=templates).voice
        assert voice is not None
        return replace(voice, **parts)  # type: ignore[arg-type]  # only parts are changed, which are texts

    return make


@pytest.fixture
def check(contents: Contents, script: Callable[..., VoiceScript]) -> Callable[..., list[Finding]]:
    def run(language: str = "en", **parts: str) -> list[Finding]:
        return list(check_call(contents()[language], script(language, **parts)))

    return run


def codes(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(finding.code, finding.place) for finding in findings]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_shipped_passes_and_so_does_a_language_without_calls(
    contents: Contents, check: Callable[..., list[Finding]], language: str
) -> None:
    assert check(language) == []
    assert list(check_call(contents()[language], None)) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", PARTS_FOR_ANYBODY)
def test_a_kind_of_information_is_for_nobody_but_the_person(
    contents: Contents, script: Callable[..., VoiceScript], check: Callable[..., list[Finding]],
    language: str, part: str,
) -> None:  # fmt: skip
    kind = (contents()[language].data_types or ())[0]
    said = f"{kind}.\n{getattr(script(language), part)}"
    [finding] = check(language, **{part: said})
    assert (finding.code, finding.place, finding.severity) == (
        "personal-in-call", f"voice.{part}", Severity.REFUSED,
    )  # fmt: skip
    for spoken in LANGUAGES:
        assert kind in finding.text(spoken) and PART_TITLES[part][spoken] in finding.text(spoken)


@pytest.mark.parametrize("part", PARTS_FOR_ANYBODY)
@pytest.mark.parametrize("name", ["code", "person_name", "data_types_of_person", "first_step"])
def test_a_slot_is_for_nobody_but_the_person_except_the_name_in_the_greeting(
    script: Callable[..., VoiceScript], check: Callable[..., list[Finding]], part: str, name: str
) -> None:
    found = codes(check(**{part: f"{slot(name)}\n{getattr(script(), part)}"}))
    allowed = (part, name) == ("greeting", "person_name")
    assert found == ([] if allowed else [("personal-in-call", f"voice.{part}")])


@pytest.mark.parametrize(
    ("part", "ending", "named"),
    [
        ("greeting", "Press 1.\nPress 2.\nOr hang up.", True),
        ("greeting", "Press 1 or 2.", True),
        ("greeting", "Press 1.\nOr hang up.", False),
        ("greeting", "Press 12.\nPress 21.", False),
        ("greeting", "Press 1.\nPress 2.\nThis is a call.\nIt is not an advertisement.\nGoodbye.", False),
        ("text", "按1表示听到。\n按2再听。", True),
        ("text", "اضغط ١ للتأكيد.\nاضغط ٢ للإعادة.", True),
        ("text", "To hear this again, press 1.\nThank you for listening. Goodbye.", False),
        ("text", "Goodbye.", False),
    ],
)
def test_what_asks_for_a_key_names_both_at_its_end(
    script: Callable[..., VoiceScript],
    check: Callable[..., list[Finding]],
    part: str,
    ending: str,
    named: bool,
) -> None:
    kept = "\n".join(getattr(script(), part).splitlines()[:-3])
    found = refusals(check(**{part: f"{kept}\n{ending}"}))
    assert codes(found) == ([] if named else [("call-without-keys", f"voice.{part}")])
    assert all(
        "1" in each.text(spoken) and "2" in each.text(spoken) for each in found for spoken in LANGUAGES
    )


def test_a_template_from_before_there_were_keys_is_refused_since_1_now_means_another_thing(
    contents: Contents, templates: list[Path], tmp_path: Path
) -> None:
    file = tmp_path / "notice" / "en" / "voice.txt.j2"
    file.parent.mkdir(parents=True)
    text = OLD_CALL["text"]
    for name in ("person_name", "data_types_of_person", "code"):
        text = text.replace(slot(name), f"{{{{ slots.{name} }}}}")
    file.write_text(text.replace(slot("first_step"), "{{ short.step }}"), "utf-8")
    content = contents()["en"]
    voice = render_small(content, templates=[tmp_path, *templates]).voice
    assert codes(list(check_call(content, voice))) == [("call-without-keys", "voice.text")]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", LONGEST_SAID)
def test_a_long_part_is_warned_of_with_its_seconds(
    script: Callable[..., VoiceScript], check: Callable[..., list[Finding]], language: str, part: str
) -> None:
    longer = "这是一句话。\n" * 60 if language == "zh-Hans" else "These are five short words.\n" * 40
    [finding] = check(language, **{part: longer + getattr(script(language), part)})
    assert (finding.code, finding.place, finding.severity) == (
        "long-call", f"voice.{part}", Severity.WARNING,
    )  # fmt: skip
    for spoken in LANGUAGES:
        assert str(LONGEST_SAID[part]) in finding.text(spoken)


def test_each_language_is_timed_as_it_is_counted(check: Callable[..., list[Finding]]) -> None:
    keys = "\n1\n2"
    english = check(text="word " * 225 + keys)
    assert ["more than 90" in each.text("en") for each in english] == [True], "227 words take 91 seconds"
    assert check(text="word " * 222 + keys) == []
    [chinese] = check("zh-Hans", text="字" * 362 + keys)
    assert "91秒" in chinese.text("zh-Hans")
    assert check("zh-Hans", text="字" * 358 + keys) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_person_must_hear_does_not_stand_in_a_part_for_others_instead(
    contents: Contents, script: Callable[..., VoiceScript], language: str
) -> None:
    """The machine's words name the number too; they are no way to the full text for who hears the call."""
    content, voice = contents()[language], script(language)
    assert content.contact is not None
    spoken = "0, 2, 0. 1, 0, 0, 8, 6"
    assert spoken in voice.text and spoken in voice.machine
    without = replace(voice, text=voice.text.replace(spoken, "-"))
    happened = in_short(content).happened
    moved = replace(voice, text=voice.text.replace(happened, ""), thanks=f"{voice.thanks}\n{happened}")
    assert codes(of_call(content, without)) == [
        ("channel-lacks-element", "voice.contact"),
        ("no-way-without-link", "voice"),
    ]
    assert codes(of_call(content, moved)) == [("channel-lacks-element", "voice.what_happened")]


@pytest.mark.parametrize("part", PARTS_FOR_ANYBODY)
def test_no_part_holds_a_link_that_hides_where_it_leads(
    contents: Contents, script: Callable[..., VoiceScript], part: str
) -> None:
    voice = script()
    linked = script(**{part: f"Read bit.ly/3abc.\n{getattr(voice, part)}"})
    assert codes(of_call(contents()["en"], linked)) == [("short-link", "voice")]


def of_call(content: NoticeContent, voice: VoiceScript) -> list[Finding]:
    language = content.language
    found = check_channels(
        {language: content}, {language: Renderings(voice=voice)}, ASKED, documents={}, most_segments=9
    )
    return [each for each in found if each.code != "no-channel-template"]
