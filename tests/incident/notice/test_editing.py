"""A person's own words in a notice: what may be written, what becomes of it, and what the gate says of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from incident.errors import BadInput, Refused
from incident.law.elements import element_catalogue
from incident.notice.content import Element
from incident.notice.draft import NoticeInputs, draft
from incident.notice.editing import editable_places
from incident.notice.findings import Finding, refusals
from incident.notice.gate import check_notice
from incident.notice.gate_edits import check_edits
from incident.notice.release import NoticeState, Version, latest_version
from incident.record.dossier import load_dossier, load_dossier_as_of
from incident.record.edits import Edit, EditKind
from incident.store.tables import Notice, NoticeEdit
from tests.support.breaches import Breach, make_breach
from tests.support.workspaces import all_rows, stored_bytes

WROTE = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
LEAVE_OUT, DRAFTED = EditKind.LEAVE_OUT, EditKind.DRAFTED
ONE_LINE = ("subject", "cause", "planned")


def words(
    place: str, text: str, *, language: str = "en", kind: EditKind = EditKind.WORDS, at: datetime = WROTE
) -> Edit:
    return Edit(1, place, language, kind, text, "wang.fang", at)


def edited(inputs: Any, *edits: Edit, changes: Any = None, **parts: Any) -> NoticeInputs:
    made: NoticeInputs = inputs(changes, edits=edits, **parts)
    return made


def findings_on(made: NoticeInputs, language: str = "en") -> list[Finding]:
    return check_edits(made, {language: draft(made, language)})


def test_every_element_of_a_notice_can_be_written_or_says_how_its_fact_is_changed() -> None:
    from incident.notice.editing import _FROM_THE_RECORD

    assert set(element_catalogue()) <= {*editable_places(), *_FROM_THE_RECORD}
    assert not set(editable_places()) & set(_FROM_THE_RECORD)


@pytest.mark.parametrize("place", sorted(editable_places()))
def test_words_stand_in_the_notice_and_say_who_wrote_them_and_when(inputs: Any, place: str) -> None:
    content = draft(edited(inputs, words(place, "Please read this part.")), "en")
    told = content.subject if place == "subject" else "\n".join(content.texts()[place])
    assert told.startswith("Please read this part.")
    [source] = [each for each in content.sources[place] if each.written]
    assert (source.text, source.by, source.at) == (
        "Please read this part.", "wang.fang", "2026-11-22T03:00:00+00:00",
    )  # fmt: skip


@pytest.mark.parametrize("place", sorted(editable_places()))
def test_words_in_one_language_leave_the_other_as_it_was(inputs: Any, place: str) -> None:
    made = edited(inputs, words(place, "Please read this part."))
    assert draft(made, "zh-Hans") == draft(inputs(), "zh-Hans")


def test_days_and_numbers_of_the_record_stay_beside_what_a_person_writes_of_it(inputs: Any) -> None:
    content = draft(edited(inputs, words("what_happened", "A list was copied.\nWe closed the way in.")), "en")
    assert content.what_happened is not None
    assert content.what_happened[:2] == ("A list was copied.", "We closed the way in.")
    assert "It began on 19 November 2026." in content.what_happened[2]
    assert "128,430" in content.what_happened[3]


def test_a_list_of_steps_loses_its_numbers(inputs: Any) -> None:
    content = draft(edited(inputs, words("steps_for_person", "1. Change it.\n2) Call us.")), "en")
    assert content.steps_for_person == ("Change it.", "Call us.")


@pytest.mark.parametrize("element", ["cause", "consequences", "steps_for_person", "remedies"])
def test_what_a_law_asks_for_and_a_person_left_out_is_refused_with_who_left_it_out(
    inputs: Any, element: str
) -> None:
    content = draft(edited(inputs, words(element, "", kind=LEAVE_OUT)), "en")
    assert content.element(element) is None and element not in content.sources
    [finding] = refusals(check_notice({"en": content}, {element: [("cn-pipl-57", "57(1)")]}))
    assert (finding.place, finding.articles) == (element, (("cn-pipl-57", "57(1)"),))
    assert "wang.fang left this part out" in finding.text("en") and "57(1)" in finding.text("en")
    assert finding.fields == ()
    assert refusals(check_notice({"en": content}, {})) == []


def test_an_open_cause_in_own_words_still_needs_the_day_of_the_next_message(inputs: Any) -> None:
    own = words("cause", "We still look for the cause.")
    asked = {"cause": [("cn-pipl-57", "57(1)")]}
    undated = draft(edited(inputs, own, changes={"cause_kind": "unknown", "next_update_at": None}), "en")
    assert [each.place for each in refusals(check_notice({"en": undated}, asked))] == ["cause"]
    dated = draft(edited(inputs, own, changes={"cause_kind": "unknown"}), "en")
    assert refusals(check_notice({"en": dated}, asked)) == []
    assert not dated.cause_open, "the day of the next message stands in a line of its own"


@pytest.mark.parametrize(
    ("text", "strange"),
    [
        ("It began on 3 May 2026.", ["3 May 2026"]),
        ("It concerns 12,000 people.", ["12,000"]),
        ("It began on 19 November, and concerns 128,430 people.", []),
        ("It began at 22:10 on 19 November 2026.", []),
        ("It began at 21:10.", ["21:10"]),
        ("Call 020-10086 or write to privacy@example-mobile.cn.", []),
        ("In 2026 a list was copied; in 2024 none was.", ["2024"]),
    ],
)
def test_a_figure_that_stands_in_no_fact_is_warned_of(inputs: Any, text: str, strange: list[str]) -> None:
    found = findings_on(edited(inputs, words("cause", text)))
    assert [each.code for each in found] == ["figure-not-recorded"] * len(strange)
    for finding, figure in zip(found, strange, strict=True):
        assert f'"{figure}", written by wang.fang' in finding.text("en")
        assert (finding.place, finding.language) == ("cause", "en")


def test_a_warning_says_what_the_record_has(inputs: Any) -> None:
    [number] = findings_on(edited(inputs, words("cause", "It concerns 12,000 people.")))
    assert "Persons affected 118,000–131,000 (likely 128,430)" in number.text("en")
    assert number.fields == ("persons",)
    chinese = words("cause", "事件开始于5月3日。", language="zh-Hans")
    [day] = findings_on(edited(inputs, chinese), "zh-Hans")
    assert "事件发生时间：2026年11月19日" in day.text("zh-Hans")
    assert "occurred_at" in day.fields


def test_words_are_warned_of_when_the_record_moved_on_after_them(inputs: Any) -> None:
    own = words("cause", "A gateway was open.")
    older = {"cause_kind": WROTE - timedelta(minutes=1), "persons": WROTE + timedelta(minutes=1)}
    assert findings_on(edited(inputs, own, recorded_at=older)) == []
    newer = {"cause_kind": WROTE + timedelta(minutes=1)}
    [finding] = findings_on(edited(inputs, own, recorded_at=newer))
    assert (finding.code, finding.fields) == ("words-older-than-facts", ("cause_kind",))
    assert "wang.fang" in finding.text("zh-Hans")


def rows(breach: Breach) -> list[tuple[int, str]]:
    from sqlmodel import select

    with breach.made.store.read() as session:
        return [(row.version, row.state) for row in session.exec(select(Notice).order_by("version")).all()]


def latest(breach: Breach) -> Version:
    with breach.made.store.read() as session:
        version = latest_version(session, breach.made.store, breach.id)
    assert version is not None
    return version


def test_words_make_a_new_version_and_void_the_signatures(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.sign("bo")
    breach.edit("cause", "en", "A gateway was open.")
    result = breach.sign("cy")
    assert (result.released, result.signed_by) == (False, ("cy",))
    assert rows(breach) == [(1, NoticeState.SUPERSEDED), (2, NoticeState.DRAFT)]
    assert latest(breach).frozen.contents["en"].cause == "A gateway was open."
    assert "A gateway was open." in latest(breach).frozen.emails["en"].html
    assert breach.sign("bo").released


def test_words_after_a_release_wait_for_a_release_of_their_own(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.release()
    breach.edit("cause", "en", "A gateway was open.")
    assert breach.sign("di").version.row.version == 2
    assert rows(breach) == [(1, NoticeState.RELEASED), (2, NoticeState.DRAFT)]


def test_the_newest_words_of_a_part_count_and_taken_back_the_record_speaks_again(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    drafted = breach.sign("bo").version.frozen
    breach.edit("cause", "en", "First words.")
    breach.edit("cause", "zh-Hans", "另一种语言的文字。")
    breach.made.clock.move(minutes=1)
    seen = breach.made.clock()
    breach.made.clock.move(minutes=1)
    breach.edit("cause", "en", "Second words.")
    store = breach.made.store
    assert {edit.language: edit.text for edit in load_dossier(store, breach.id).edits} == {
        "en": "Second words.", "zh-Hans": "另一种语言的文字。",
    }  # fmt: skip
    before = load_dossier_as_of(store, breach.id, seen)
    assert {edit.language: edit.text for edit in before.edits}["en"] == "First words."
    breach.edit("cause", "en", kind=DRAFTED)
    breach.edit("cause", "zh-Hans", kind=DRAFTED)
    assert load_dossier(store, breach.id).edits == ()
    assert breach.sign("cy").version.frozen == drafted


def test_words_are_sealed(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.edit("cause", "en", "Zephyrine left a gateway open.")
    assert b"Zephyrine" not in stored_bytes(breach.made)


@pytest.mark.parametrize(
    ("place", "language", "kind", "text", "error", "says"),
    [
        ("horoscope", "en", EditKind.WORDS, "x", BadInput, "no part of a notice"),
        ("cause", "fr", EditKind.WORDS, "x", BadInput, "no notice in 'fr'"),
        ("cause", "en", EditKind.WORDS, "  ", BadInput, "empty"),
        ("cause", "en", EditKind.WORDS, "one\ntwo", BadInput, "one line"),
        ("consequences", "en", EditKind.WORDS, "a \ufdd0name\ufdd1", BadInput, r"U\+FDD0"),
        ("consequences", "en", EditKind.WORDS, "turned \u202e around", BadInput, r"U\+202E"),
        ("consequences", "en", EditKind.WORDS, "bell \x07", BadInput, "control characters"),
        ("consequences", "en", EditKind.WORDS, "x" * 20_001, BadInput, "20,000"),
        ("what_happened", "en", LEAVE_OUT, "", Refused, "always told"),
        ("not_known", "en", LEAVE_OUT, "", Refused, "always told"),
        ("cause", "en", DRAFTED, "", Refused, "nobody wrote"),
        ("measures_taken", "en", EditKind.WORDS, "x", Refused, "as the record has it"),
        ("breach_date", "en", LEAVE_OUT, "", Refused, "as the record has it"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_is_kept(
    tmp_path: Path, place: str, language: str, kind: EditKind, text: str, error: type[Exception], says: str
) -> None:
    breach = make_breach(tmp_path)
    before = all_rows(breach.made.store)
    with pytest.raises(error, match=says):
        breach.edit(place, language, text, kind=kind)
    assert all_rows(breach.made.store) == before


def test_a_closed_incident_takes_no_words(tmp_path: Path) -> None:
    from incident.record.incidents import close_incident

    breach = make_breach(tmp_path)
    store = breach.made.store
    with store.write(breach.id, kind="incident.closed", actor="ana", now=breach.made.clock()) as change:
        close_incident(change, breach.id, reason="over")
    with pytest.raises(Refused, match="is closed"):
        breach.edit("cause", "en", "x")


def test_what_is_written_of_every_element_keeps_its_name() -> None:
    assert {Element.CAUSE, Element.CONSEQUENCES, "planned", "subject"} <= set(editable_places())
    assert str(NoticeEdit.__tablename__) == "notice_edit"
