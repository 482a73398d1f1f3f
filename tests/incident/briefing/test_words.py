"""The words of briefs in both languages, times with their offset, lengths of time."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from incident.briefing.making import Audience
from incident.briefing.words import Words, vocabulary
from incident.record.fields import field_catalogue
from incident.record.operators import Role
from incident.record.summons import Reason
from tests.support.commands import ROOT

SHANGHAI = ZoneInfo("Asia/Shanghai")


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_each_sentence_takes_the_same_values_in_both_languages() -> None:
    for name, texts in vocabulary().sentences.items():
        assert set(texts) == {"zh-Hans", "en"}, name
        assert _placeholders(texts["zh-Hans"]) == _placeholders(texts["en"]), name


def test_no_word_stands_there_unused() -> None:
    sources = [file.read_text("utf-8") for file in (ROOT / "incident" / "briefing").glob("*.py")]
    known = vocabulary()
    for name in (*known.sentences, *known.headings, *known.marks):
        assert any(f'"{name}"' in text or f"'{name}'" in text for text in sources), name


def test_every_audience_role_and_reason_has_its_words() -> None:
    known = vocabulary()
    assert set(known.audiences) == {*Audience, "handover"}
    assert {*Role, *(field.who for field in field_catalogue().values())} <= set(known.roles)
    assert set(Reason) <= set(known.reasons)


def test_a_time_is_shown_with_the_offset_that_holds_on_that_day() -> None:
    berlin = Words("en", ZoneInfo("Europe/Berlin"))
    assert berlin.time(datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) == "2026-10-25 02:30 +02:00"
    assert berlin.time(datetime(2026, 10, 25, 1, 30, tzinfo=UTC)) == "2026-10-25 02:30 +01:00"
    assert (
        Words("zh-Hans", SHANGHAI).time(datetime(2026, 11, 21, 15, 40, tzinfo=UTC))
        == "2026-11-21 23:40 +08:00"
    )


@pytest.mark.parametrize(
    ("length", "english", "chinese"),
    [
        (timedelta(minutes=5), "5 min", "5 分钟"),
        (timedelta(hours=3, minutes=7), "3 h 07 min", "3 小时 7 分"),
        (timedelta(days=2, hours=3), "2 d 3 h", "2 天 3 小时"),
        (-timedelta(hours=1), "1 h 00 min", "1 小时 0 分"),
    ],
)
def test_lengths_of_time_read_well(length: timedelta, english: str, chinese: str) -> None:
    assert Words("en", SHANGHAI).span(length) == english
    assert Words("zh-Hans", SHANGHAI).span(length) == chinese


def test_a_value_with_braces_stays_as_it_was_typed() -> None:
    assert Words("en", SHANGHAI).say("task_owner", who="{0.__class__} {who}") == "{0.__class__} {who}"
