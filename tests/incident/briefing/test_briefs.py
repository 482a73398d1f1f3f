"""Briefs as the command makes them: who is told what, in which language, and what can be shown of it afterwards."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.briefing.inside import without_names
from incident.briefing.making import Audience
from incident.record.facts import field_catalogue
from incident.record.fields import Field, FieldType
from tests.support.commands import run, sql
from tests.support.estates import Estate, make_key, with_people, with_release

AUDIENCES = tuple(Audience)
OUTSIDE = (Audience.CALLCENTRE, Audience.PRESS)
LANGUAGES = ("en", "zh-Hans")
# So long that no key or hash holds it by chance.
MARK = "Zqxplanted"
NOTE = f"{MARK}privilegednote"


def brief(estate: Estate, audience: str, language: str = "en", *more: str) -> str:
    """What is handed out for an audience."""
    return estate.done("brief", estate.id, "--for", audience, "--language", language, *more).out


def every_form(estate: Estate, audience: str) -> Iterator[str]:
    """A brief in each language as text, as HTML and as a document."""
    for language in LANGUAGES:
        yield brief(estate, audience, language)
        yield brief(estate, audience, language, "--format", "html")
        yield json.dumps(
            estate.done("brief", estate.id, "--for", audience, "--language", language, "--json").document,
            ensure_ascii=False,
        )


def sections(estate: Estate, audience: str, language: str = "en") -> dict[str, list[str]]:
    """The texts of each section."""
    document = estate.done("brief", estate.id, "--for", audience, "--language", language, "--json").document
    return {each["key"]: [line["text"] for line in each["lines"]] for each in document["sections"]}


# -- what is never told ----------------------------------------------------------------------------------


def planted_facts() -> tuple[str, list[str]]:
    """A facts file with a value of its own for every field that can take one, and how each may show."""
    values: dict[str, object] = {}
    shown: list[str] = []
    for number, field in enumerate(field_catalogue().values()):
        value, marks = _planted(field, number)
        if marks:
            values[field.name] = value
            shown += marks
    return json.dumps(values, ensure_ascii=False), shown


def _planted(field: Field, number: int) -> tuple[object, list[str]]:
    if field.type is FieldType.text:
        return {"en": f"{MARK}text{number}.", "zh-Hans": f"{MARK}文{number}。"}, [
            f"{MARK}text{number}",
            f"{MARK}文{number}",
        ]
    if field.type is FieldType.texts and field.name not in (
        "data_categories",
        "data_not_taken",
        "remedies_chosen",
    ):
        return [f"{MARK}item{number}"], [f"{MARK}item{number}"]
    if field.type is FieldType.counted:
        many = 7_340_000 + number
        return many, [f"{many}", f"{many:,}"]
    if field.type is FieldType.time:
        day = datetime(2025, 1, 1, 4, tzinfo=UTC) + timedelta(days=number)
        return f"{day:%Y-%m-%d %H:%M}Z", [
            f"{day:%Y-%m-%d}",
            f"{day.year}年{day.month}月{day.day}日",
            f"{day.day} {day:%B} {day.year}",
        ]
    return None, []


@pytest.fixture(scope="module")
def planted(first_estate: Estate, tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """An incident that holds a text of its own in every place where one can stand. Nothing is released."""
    folder = tmp_path_factory.mktemp("planted")
    estate = first_estate.copy_to(folder / "workspace")
    facts, _ = planted_facts()
    estate.done("set", estate.id, "--facts", "-", stdin=facts)
    estate.done("set", estate.id, f"what_happened={MARK}happened", "--said-by", f"{MARK}teller")
    file = folder / f"{MARK}evidence.log"
    file.write_text("bytes")
    log = ("--measure", "contain.lock-account", "--by", f"{MARK}logger", "--evidence", str(file))
    estate.done("log", estate.id, f"{MARK}logged", *log)
    hold = ("--officer", f"{MARK}officer", "--paper", f"{MARK}paper", "--reason", f"{MARK}reason")
    estate.done(
        "hold", "add", estate.id, "--by", f"{MARK}police", "--until", "+48h", "--covers", "chat", *hold
    )
    estate.done(
        "instruction", "add", estate.id, f"{MARK}order", "--from", f"{MARK}office", "--effect", "require"
    )
    estate.done("task", "add", estate.id, f"{MARK}task", "--owner", f"{MARK}owner")
    asked = ("--question", f"{MARK}question", "--decision", f"{MARK}decision", "--reasons", f"{MARK}why")
    estate.done("--as", "anna", "decide", estate.id, *asked)
    make_key(folder / "lex")
    estate.done("operator", "add", "lex", "--key", folder / "lex", "--roles", "counsel")
    estate.done("--as", "lex", "counsel", "add", estate.id, NOTE)
    estate.done("run", "personal-data-breach", "--on", estate.id, "--detach")
    with_people(estate)
    return estate


def peoples_data(estate: Estate) -> set[str]:
    """What the list of people holds of them: names, addresses, numbers."""
    with (estate.keys.parent / "people-6.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    heads = rows[0]
    return {
        cell
        for row in rows[1:]
        for name, cell in zip(heads, row, strict=True)
        if len(cell) >= 4 and name != "信息种类"
    }


@pytest.mark.parametrize("audience", OUTSIDE)
def test_nothing_unreleased_reaches_those_outside(planted: Estate, audience: str) -> None:
    _, marks = planted_facts()
    for text in every_form(planted, audience):
        assert MARK not in text
        assert [mark for mark in marks if mark in text] == []
        assert "Member look-up" not in text


@pytest.mark.parametrize("audience", OUTSIDE)
@pytest.mark.parametrize("cover", ["people", "public", "selfcheck"])
def test_under_a_hold_a_released_notice_is_told_as_if_there_were_none(
    estate: Estate, audience: str, cover: str
) -> None:
    unreleased = {language: sections(estate, audience, language) for language in LANGUAGES}
    with_release(estate)
    released = sections(estate, audience)
    assert released != unreleased["en"]
    estate.done("hold", "add", estate.id, "--by", "police", "--until", "+1h", "--covers", cover)
    for language in LANGUAGES:
        assert sections(estate, audience, language) == unreleased[language]
    told = estate.done("brief", estate.id, "--for", audience)
    assert "H1" in told.err
    assert "H1" not in told.out
    assert "police" not in told.out


@pytest.mark.parametrize("audience", OUTSIDE)
def test_a_fact_that_came_after_the_release_is_not_told(estate: Estate, audience: str) -> None:
    with_release(estate)
    before = sections(estate, audience)
    facts, marks = planted_facts()
    estate.done("set", estate.id, "--facts", "-", stdin=facts)
    estate.done("notice", "draft", estate.id)
    assert sections(estate, audience) == before
    for text in every_form(estate, audience):
        assert [mark for mark in marks if mark in text] == []


def test_a_rejected_release_is_no_release(estate: Estate) -> None:
    with_release(estate)
    sql(estate.root, "UPDATE decision SET verdict = 'rejected'")
    answer = estate.done("brief", estate.id, "--for", "press")
    assert "nothing of the facts" in answer.err
    assert "Nothing has been published yet" in answer.out


@pytest.mark.parametrize("audience", AUDIENCES)
def test_no_brief_holds_a_note_for_counsel_or_the_data_of_a_person(planted: Estate, audience: str) -> None:
    people = peoples_data(planted)
    assert len(people) > 10
    for text in every_form(planted, audience):
        assert NOTE not in text
        assert [cell for cell in people if cell in text] == []


def test_the_board_is_told_no_name_of_a_system(planted: Estate, tmp_path: Path) -> None:
    estate = planted.copy_to(tmp_path / "workspace")
    systems = [f"{MARK}item{number}" for number, name in enumerate(field_catalogue()) if name == "systems"]
    assert len(systems) == 1
    facts = {
        "what_happened": {
            "en": f"The portal on {systems[0]} was open.",
            "zh-Hans": f"{systems[0]}的门户未设防。",
        }
    }
    estate.done("set", estate.id, "--facts", "-", stdin=json.dumps(facts, ensure_ascii=False))
    texts = list(every_form(estate, "board"))
    assert [text for text in texts if systems[0] in text] == []
    assert "The portal on a system was open." in texts[0]
    assert "某系统的门户未设防。" in texts[3]
    assert any(systems[0] in text for text in every_form(estate, "hq"))


@given(
    st.lists(st.sampled_from(["CRM", "crm-01", "会员平台", "x", ""])),
    st.text(st.sampled_from("crmCRM-01 会员平台.ab")),
)
def test_a_name_that_is_replaced_is_gone(names: list[str], text: str) -> None:
    told = without_names(names, "§")(text)
    if "会员平台" in names:
        assert "会员平台" not in told
    if "CRM" in names:
        assert "crm" not in re.split(r"[^a-z0-9]+", told.lower())


def test_a_short_name_leaves_longer_words_alone() -> None:
    told = without_names(["crm"], "a system")
    assert told("The CRM and the macramé of crm2.") == "The a system and the macramé of crm2."


# -- what each is told -----------------------------------------------------------------------------------


def test_headquarters_is_told_who_says_it_how_sure_and_what_is_owed(planted: Estate) -> None:
    document = planted.done("brief", planted.id, "--for", "hq", "--json").document
    found = {each["key"]: each for each in document["sections"]}
    assert list(found) == ["known", "people", "grade", "not_known", "measures", "decided", "standing", "due", "next"]  # fmt: skip
    what = next(line for line in found["known"]["lines"] if line["key"] == "what_happened")
    assert what["note"] == f"claimed, not verified, {MARK}teller"
    assert any("UNREVIEWED" in line["marks"] for line in found["due"]["lines"])
    assert [line["label"] for line in found["decided"]["lines"]] == ["D1"]
    assert {line["key"] for line in found["standing"]["lines"]} == {"H1", "I1"}
    assert all(f"{MARK}logged" not in line["text"] for line in found["measures"]["lines"])


def test_numbers_keep_their_range_and_the_worst_case_is_named(estate: Estate) -> None:
    estate.done("set", estate.id, "persons=1200..48000")
    told = sections(estate, "board")["exposure"]
    assert "1,200–48,000" in told[0]
    assert any("48,000 people are concerned" in text for text in told)
    estate.done("set", estate.id, "persons=unknown")
    assert any(
        "how many people are concerned is not known" in text for text in sections(estate, "board")["exposure"]
    )


def test_the_worst_case_names_each_scale_in_use_and_no_other(estate: Estate) -> None:
    [worst] = [
        text
        for text in sections(estate, "board")["exposure"]
        if "Grade of network security incident: " in text
    ]
    assert "industry and telecom regulator" not in worst
    estate.change_settings(
        'countries = ["cn", "eu"]', 'countries = ["cn"]\norganisation = ["telecom_operator"]'
    )
    estate.done("set", estate.id, "persons=1200..2000000", "persons_sensitive=0..150000")
    [worst] = [
        text
        for text in sections(estate, "board")["exposure"]
        if "Grade of network security incident: " in text
    ]
    assert "Grade of data security incident (industry and telecom regulator): especially serious" in worst
    document = estate.done("brief", estate.id, "--for", "hq", "--json").document
    [graded] = [each for each in document["sections"] if each["key"] == "grade"]
    assert len(graded["lines"]) + graded["hidden"] == 3


def test_the_police_are_told_the_evidence_with_its_hash_and_the_hold_they_asked_for(estate: Estate) -> None:
    file = estate.keys / "access.log"
    file.write_bytes(b"GET /members")
    estate.done("evidence", "add", estate.id, file)
    for by in ("police", "our counsel"):
        estate.done("hold", "add", estate.id, "--by", by, "--until", "+48h", "--paper", "118")
    told = sections(estate, "police")
    assert hashlib.sha256(b"GET /members").hexdigest() in told["evidence"][0]
    assert "12 bytes" in told["evidence"][0]
    assert len(told["holds"]) == 1
    text = brief(estate, "police")
    assert "access.log" in text
    assert "UNREVIEWED" not in text
    assert "Art. 3" not in text


def test_the_call_centre_is_told_how_to_look_up_a_code_and_answers_from_the_notice(estate: Estate) -> None:
    with_release(estate)
    told = sections(estate, "callcentre")
    assert f"incident notice verify {estate.id} CODE" in told["lookup"]
    assert any("twelve months of call protection" in text for text in told["questions"])
    assert any("020-10000" in text for text in told["say"])
    assert "我们为您免费开通" in brief(estate, "callcentre", "zh-Hans")


def test_the_press_is_told_what_was_released_word_for_word(estate: Estate) -> None:
    with_release(estate)
    notice = estate.done("notice", "preview", estate.id, "--channel", "public", "--language", "en").out
    said = sections(estate, "press")["say"]
    assert said[0] in notice
    assert said[0].startswith("A search interface of our member service")


def test_a_language_that_was_not_released_is_refused(estate: Estate) -> None:
    estate.change_settings('languages = ["zh-Hans", "en"]', 'languages = ["zh-Hans"]')
    with_release(estate)
    estate.refused(
        "brief", estate.id, "--for", "press", "--language", "en", says=["not released in en", "zh-Hans"]
    )
    assert "可以说" in brief(estate, "press", "zh-Hans")


@pytest.mark.parametrize("audience", AUDIENCES)
def test_an_almost_empty_record_makes_a_brief_in_both_languages(estate: Estate, audience: str) -> None:
    opened = estate.done("open", "--title", "x", "--not-state-secret", "--json").document["incident"]
    for language in LANGUAGES:
        answer = estate.done("brief", opened, "--for", audience, "--language", language)
        assert "None" not in answer.out
        assert opened in answer.out


def test_the_language_is_the_desks_unless_it_is_named(estate: Estate) -> None:
    answer = estate.done("brief", estate.id, "--for", "board", INCIDENT_LANGUAGE="zh-Hans")
    assert answer.out.startswith("仅供管理层审阅")
    assert brief(estate, "board").startswith("For the board only")


def test_a_rehearsal_says_so_on_every_brief(tmp_path: Path) -> None:
    made = run("drill", "--people", "3", "--workspace", tmp_path / "drill", "--json")
    assert made.code == 0, made.text
    incident, workspace = made.document["incident"], made.document["workspace"]
    for audience in AUDIENCES:
        told = run("--workspace", workspace, "brief", incident, "--for", audience)
        assert "DRILL" in told.out


# -- afterwards ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "html"])
def test_the_journal_holds_the_hash_of_the_bytes_that_were_handed_out(
    estate: Estate, tmp_path: Path, form: str
) -> None:
    file = tmp_path / "brief"
    words = ("brief", estate.id, "--for", "hq", "--format", form)
    document = estate.done(*words, "-o", file, "--json").document
    assert document["file"] == str(file)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == document["sha256"]
    on_screen = estate.done(*words).out
    listed = estate.done("timeline", estate.id).out
    assert document["sha256"][:12] in listed
    assert hashlib.sha256(on_screen.encode()).hexdigest()[:12] in listed
    assert "出具简报" in estate.done("timeline", estate.id, INCIDENT_LANGUAGE="zh-Hans").out


def test_the_foot_names_the_entry_of_the_record_it_was_drawn_from(estate: Estate) -> None:
    [(head, seq)] = sql(estate.root, "SELECT hash, seq FROM journal_head WHERE chain = ?", estate.id)
    document = estate.done("brief", estate.id, "--for", "board", "--json").document
    assert document["head"] == {"seq": seq, "hash": head}
    assert head[:12] in document["content"].splitlines()[-1]
    again = estate.done("brief", estate.id, "--for", "board", "--json").document
    assert again["head"]["seq"] == seq + 1


def test_verify_holds_after_briefs_and_handovers(estate: Estate) -> None:
    for audience in AUDIENCES:
        brief(estate, audience)
    estate.done("handover", estate.id)
    estate.done("verify", estate.id)
    estate.done("check", estate.id)


# -- bad input -------------------------------------------------------------------------------------------


def test_an_unknown_audience_is_told_those_there_are(estate: Estate) -> None:
    words = ("brief", estate.id, "--for", "mayor")
    estate.refused(*words, says=["'mayor'", "hq, board, police, callcentre, press"], code=2)
    assert estate.run(*words, "--json").document["error"]["where"] == "--for"


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [("--format", "pdf", "text, html"), ("--language", "fr", "zh-Hans, en")],
)
def test_a_wrong_choice_names_the_right_ones(estate: Estate, option: str, value: str, says: str) -> None:
    estate.refused("brief", estate.id, "--for", "hq", option, value, says=[repr(value), says], code=2)


def test_a_file_that_cannot_be_written_leaves_no_trace_in_the_journal(estate: Estate) -> None:
    blocked = estate.keys.parent / "file"
    blocked.write_text("")
    estate.refused("brief", estate.id, "--for", "hq", "-o", blocked / "brief.txt", says=["cannot be written"])


def test_a_closed_incident_is_briefed_on_and_a_destroyed_one_is_not(estate: Estate) -> None:
    estate.done("close", estate.id)
    for audience in (Audience.HQ, Audience.BOARD, Audience.POLICE):
        assert "the incident was closed " in brief(estate, audience)
    assert "the incident was closed " in estate.done("handover", estate.id).out
    assert "closed" not in brief(estate, Audience.PRESS)
    estate.done("--as", "anna", "purge", estate.id, "--reason", "its time is up")
    for audience in AUDIENCES:
        estate.refused("brief", estate.id, "--for", audience, says=["destroyed on"])
    estate.refused("handover", estate.id, says=["destroyed on"])


def test_an_incident_that_is_none_is_not_found(estate: Estate) -> None:
    for audience in AUDIENCES:
        estate.refused("brief", "INC-1999-0001", "--for", audience, says=["INC-1999-0001"])


def test_a_template_of_the_workspace_wins_and_a_wrong_one_is_named(estate: Estate) -> None:
    own = estate.root / "templates" / "brief" / "brief.txt.j2"
    own.parent.mkdir(parents=True)
    own.write_text("{{ frame.title }}: ours\n")
    assert brief(estate, "hq") == "Incident brief for headquarters: ours\n"
    own.write_text("{{ dossier.title }}\n")
    estate.refused("brief", estate.id, "--for", "hq", says=["brief.txt.j2"])
    shutil.rmtree(own.parent)


def test_what_a_person_typed_is_text_in_html(estate: Estate) -> None:
    facts = {"what_happened": {"en": "<script>alert(1)</script> {{ frame }}"}}
    estate.done("set", estate.id, "--facts", "-", stdin=json.dumps(facts))
    page = brief(estate, "hq", "en", "--format", "html")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "{{ frame }}" in page
