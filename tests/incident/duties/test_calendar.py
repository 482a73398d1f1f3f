"""The calendar of duties, read back by a small reader of its own: RFC 5545 as others read it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from incident.duties.calendar import CalendarEntry, calendar_entries, write_calendar
from incident.record.holds import Cover
from incident.record.instructions import OrderEffect
from tests.support.breaches import Breach, make_breach
from tests.support.holds import hold, lift, order
from tests.support.waiving import met, rows

_UNESCAPED = {"n": "\n", "N": "\n", "\\": "\\", ";": ";", ",": ","}


def read(text: str) -> list[dict[str, object]]:
    """The events, each with its properties and the minutes of its alarms."""
    assert text.endswith("\r\n") and "\r\n\r\n" not in text
    raw = text.removesuffix("\r\n").split("\r\n")
    assert all(len(line.encode()) <= 75 and "\n" not in line and "\r" not in line for line in raw)
    lines: list[str] = []
    for line in raw:
        if line.startswith(" "):
            lines[-1] += line[1:]
        else:
            lines.append(line)
    assert lines[0] == "BEGIN:VCALENDAR" and lines[-1] == "END:VCALENDAR"
    events: list[dict[str, object]] = []
    inside: list[str] = []
    for line in lines:
        name, _, value = line.partition(":")
        if name == "BEGIN":
            inside.append(value)
            if value == "VEVENT":
                events.append({"alarms": []})
        elif name == "END":
            assert inside.pop() == value
        elif inside[-1] == "VEVENT":
            assert name not in events[-1], f"{name} stands twice"
            events[-1][name] = value
        elif inside[-1] == "VALARM" and name == "TRIGGER":
            minutes = re.fullmatch(r"-PT(\d+)M", value)
            assert minutes is not None
            found = events[-1]["alarms"]
            assert isinstance(found, list)
            found.append(int(minutes[1]))
    assert not inside
    return events


def unescaped(text: object) -> str:
    assert isinstance(text, str)
    assert not re.search(r"(?<!\\)(?:\\\\)*[;,]", text), "a separator lies open"
    return re.sub(r"\\(.)", lambda match: _UNESCAPED[match[1]], text)


WORDS = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")) | st.sampled_from('\n;,\\":'), max_size=200
)
FIRST = datetime(1990, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 6_000_000_000).map(lambda seconds: FIRST + timedelta(seconds=seconds))
ENTRIES = st.builds(
    CalendarEntry,
    uid=st.from_regex(r"[0-9a-f]{32}@tocsin", fullmatch=True),
    sequence=st.integers(0, 2**31 - 1),
    due_at=MOMENTS,
    changed_at=MOMENTS,
    summary=WORDS,
    about=WORDS,
)


@given(st.lists(ENTRIES, max_size=5), st.lists(st.integers(1, 527040), max_size=4))
def test_what_is_written_is_read_back_the_same(entries: list[CalendarEntry], minutes: list[int]) -> None:
    events = read(write_calendar(entries, alarms=[timedelta(minutes=each) for each in minutes]))
    assert len(events) == len(entries)
    for event, entry in zip(events, entries, strict=True):
        assert event["UID"] == entry.uid
        assert event["SEQUENCE"] == str(entry.sequence)
        assert event["DTSTART"] == f"{entry.due_at:%Y%m%dT%H%M%S}Z"
        assert event["DTSTAMP"] == f"{entry.changed_at:%Y%m%dT%H%M%S}Z"
        assert unescaped(event["SUMMARY"]) == entry.summary
        assert unescaped(event.get("DESCRIPTION", "")) == entry.about
        assert event["alarms"] == sorted(set(minutes), reverse=True)


def entries(breach: Breach, language: str = "en") -> dict[str, CalendarEntry]:
    with breach.made.store.read() as session:
        found = calendar_entries(session, breach.house.rules.regimes, language=language)
    return {each.summary: each for each in found}


def test_each_open_duty_with_an_end_is_an_event_and_the_nearest_comes_first(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    dated = {row.duty_id: row for row in rows(breach).values() if row.state == "owed" and row.due_at}
    found = list(entries(breach).values())
    assert [each.due_at for each in found] == sorted(row.due_at for row in dated.values() if row.due_at)
    [report] = [each for each in found if "Notify the supervisory authority" in each.summary]
    assert report.summary.startswith(f"{breach.id}: ")
    assert "eu-gdpr/authority" in report.about and "competent supervisory authority" in report.about
    met(breach, "eu-gdpr/authority")
    assert report.summary not in entries(breach)


def test_the_language_is_the_one_asked_for(tmp_path: Path) -> None:
    assert any("向监管机构报告" in summary for summary in entries(make_breach(tmp_path), "zh-Hans"))


def test_an_event_keeps_its_name_and_its_sequence_grows_only_with_a_change(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    [before] = [each for each in entries(breach).values() if "supervisory" in each.summary]
    breach.made.clock.move(hours=1)
    breach.state(location="Shenzhen")
    assert entries(breach)[before.summary] == before
    breach.state(aware_at="2026-11-23 15:30")
    after = next(each for each in entries(breach).values() if "supervisory" in each.summary)
    assert after.uid == before.uid and after.due_at != before.due_at
    assert after.sequence > before.sequence


def test_under_a_hold_an_event_says_the_number_of_its_incident_and_no_more(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    order(breach, OrderEffect.REQUIRE, text="ask Li Lei", due_at=breach.made.clock() + timedelta(hours=3))
    text = write_calendar(list(entries(breach).values()), alarms=[timedelta(hours=1)])
    assert "Li Lei" not in text and "instruction I1" in text
    open_uids = {event["UID"] for event in read(text)}
    hold(breach, Cover.CALENDAR)
    with breach.made.store.read() as session:
        quiet = calendar_entries(session, breach.house.rules.regimes, language="en", incident_id=breach.id)
    assert {(each.summary, each.about) for each in quiet} == {(breach.id, "")}
    assert {each.uid for each in quiet} == open_uids
    text = write_calendar(quiet, alarms=[timedelta(hours=1)])
    assert not re.search("gdpr|cac|authority", text)
    hold(breach, Cover.PEOPLE)
    lift(breach, "H1")
    assert len(entries(breach)) > 1
