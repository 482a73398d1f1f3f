"""What people log at the terminal, and what becomes of it in duties, notice and report."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from incident.record.measures import measure_catalogue, measure_named
from tests.support.estates import SHANGHAI, Estate

MEASURE = "contain.isolate-host"


def _entry(estate: Estate, *words: str | Path, stdin: str = "") -> str:
    return str(estate.done("log", estate.id, *words, "--json", stdin=stdin).document["entry"])


def _told_in(estate: Estate) -> Iterator[bool]:
    """Whether the measure is told in the duties, in the notice and in the report."""
    measure = measure_named(MEASURE)
    duties = estate.done("duties", estate.id, "--json").document
    yield MEASURE in [each["action"] for each in duties["measures"]]
    yield MEASURE in estate.done("duties", estate.id).out
    estate.done("notice", "draft", estate.id)
    preview = estate.done("notice", "preview", estate.id, "--language", "en").out
    yield measure.public["en"] in preview
    report = estate.done("report", estate.id, "--regime", "eu-gdpr", "--format", "text", "-o", "-").out
    yield measure.title["en"] in report


def test_a_logged_measure_is_told_in_duties_notice_and_report_until_it_is_corrected(estate: Estate) -> None:
    assert not any(_told_in(estate))
    entry = _entry(estate, "host cut from the network", "--at", "-10m", "--by", "NOC", "--measure", MEASURE)
    assert all(_told_in(estate))
    estate.done(
        "log", estate.id, "it was another host, of no concern", "--corrects", entry[:8], "--no-measure"
    )
    assert not any(_told_in(estate))
    timeline = estate.done("timeline", estate.id).out
    assert "host cut from the network [corrected later]" in timeline
    assert "it was another host" in timeline


def test_a_corrected_measure_is_told_as_corrected(estate: Estate) -> None:
    entry = _entry(estate, "host crm-1 cut", "--by", "NOC", "--measure", MEASURE)
    _entry(estate, "host crm-2 cut", "--corrects", entry)
    assert all(_told_in(estate))
    report = estate.done("report", estate.id, "--regime", "eu-gdpr", "--format", "text", "-o", "-").out
    assert "host crm-2 cut; by NOC" in report
    assert "crm-1" not in report


def test_without_a_measure_the_duties_that_ask_for_it_say_so(estate: Estate) -> None:
    entries = estate.done("timeline", estate.id, "--json").document["events"]
    [first] = [each["id"] for each in entries if each["kind"] == "measure"]
    estate.done("log", estate.id, "it was never closed", "--corrects", first, "--no-measure")
    said = estate.done("duties", estate.id).out
    assert "Art. 34(2)" in said
    assert "none yet: log them" in said
    assert "尚无记录" in estate.done("duties", estate.id, INCIDENT_LANGUAGE="zh-Hans").out
    assert estate.run("notice", "check", estate.id).code == 1, "a notice has to tell of measures"


def test_a_time_is_said_back_in_full_with_zone_and_distance(estate: Estate) -> None:
    answer = estate.done("log", estate.id, "portal cut", "--at", "-10m", "--by", "NOC", "--measure", MEASURE)
    ago = (datetime.now(UTC) - timedelta(minutes=10)).astimezone(SHANGHAI)
    first, *rest = answer.out.splitlines()
    assert first.startswith(f"logged for {ago:%Y-%m-%d}")
    assert "+0800 (Asia/Shanghai), 10 minutes ago, by NOC" in first
    assert rest == [f"measure taken: {MEASURE} (Isolate a host)", "the duties stand as before"]
    chinese = estate.done("log", estate.id, "已切断", "--at", "十分钟前", INCIDENT_LANGUAGE="zh-Hans").out
    assert "+0800（Asia/Shanghai），10分钟前" in chinese


def test_other_commands_say_back_their_times_beside_their_output(estate: Estate) -> None:
    answer = estate.done("show", estate.id, "--as-of", "in 1 hour", "--json")
    assert "--as-of: " in answer.err
    assert "+0800 (Asia/Shanghai), in 1 hour" in answer.err
    assert answer.document["incident"] == estate.id
    assert "--known-at: " in estate.done("set", estate.id, "persons=6", "--known-at", "-10m").err


def test_evidence_stays_with_a_correction(estate: Estate, tmp_path: Path) -> None:
    file = tmp_path / "change-4711.txt"
    file.write_text("cut at 01:50")
    said = estate.done("log", estate.id, "cut", "--evidence", file).out
    assert "in custody: change-4711.txt, SHA-256 " in said
    entry = said.partition(", as ")[2][:8]
    corrected = estate.done("log", estate.id, "cut for all", "--corrects", entry, "--json").document
    [kept] = estate.done("evidence", "list", estate.id, "--json").document
    assert [each[:8] for each in corrected["evidence"]] == [kept["evidence"]]
    timeline = estate.done("timeline", estate.id).out
    assert f"cut [evidence {kept['evidence']}] [corrected later]" in timeline
    assert f"cut for all [evidence {kept['evidence']}] [corrects {entry}]" in timeline
    chinese = estate.done("timeline", estate.id, INCIDENT_LANGUAGE="zh-Hans").out
    assert f"cut [证据 {kept['evidence']}] [后已更正]" in chinese


def test_text_can_come_from_standard_input(estate: Estate) -> None:
    _entry(estate, "-", stdin="two lines\nof what was seen\n")
    events = estate.done("timeline", estate.id, "--json").document["events"]
    assert "two lines\nof what was seen" in [each["text"] for each in events]


@pytest.mark.parametrize(
    ("stdin", "says"),
    [
        (b"", "the text is empty"),
        (b"\xff\xfe", "no UTF-8"),
        (b"x" * (1 << 20), "20,000"),
        (b"x" * ((1 << 20) + 1), "more than 1 MB"),
        (b"\x1b[2J", "control characters"),
    ],
    ids=["empty", "not UTF-8", "1 MB", "more", "control"],
)
def test_standard_input_that_cannot_be_taken_is_refused(estate: Estate, stdin: bytes, says: str) -> None:
    estate.refused("log", estate.id, "-", stdin=stdin, says=[says], code=2 if not stdin else 1)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["x", "--at", "03/04/2026"], 1, "two ways"),
        (["x", "--at", "tomorrow 08:00"], 1, "still to come"),
        (["x", "--at", ""], 1, "--at"),
        (["x", "--measure", "contain.disable-endpont"], 1, "did you mean contain.disable-endpoint"),
        (["x", "--measure", "zzz"], 1, "`incident measures` lists them all"),
        (["x", "--no-measure"], 2, "--corrects"),
        (["x", "--corrects", "nothing"], 1, "no log entry nothing"),
        (["x" * 1_000_000], 1, "20,000"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_wrong_words_change_nothing(estate: Estate, words: list[str], code: int, says: str) -> None:
    estate.refused("log", estate.id, *words, code=code, says=[says])


def test_the_measures_are_listed_in_both_languages(estate: Estate) -> None:
    said = estate.done("measures").out
    assert all(each.id in said and each.title["zh-Hans"] in said for each in measure_catalogue().values())
    listed = estate.done("measures", "--json").document
    assert [each["measure"] for each in listed] == list(measure_catalogue())
    assert set(listed[0]["public"]) == {"zh-Hans", "en"}


def test_facts_that_are_times_are_set_as_people_type_them(estate: Estate) -> None:
    answer = estate.done("set", estate.id, "discovered_at=昨天 23:50", "informed_at=unknown")
    assert "discovered_at: " in answer.err
    assert "23:50 +0800 (Asia/Shanghai)" in answer.err
    facts = estate.done("show", estate.id, "--json").document["facts"]
    [found] = [each["value"] for each in facts if each["field"] == "discovered_at"]
    yesterday = datetime.now(SHANGHAI).date() - timedelta(days=1)
    assert (
        datetime.fromisoformat(found).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M") == f"{yesterday} 23:50"
    )
    estate.refused("set", estate.id, "discovered_at=03/04/2026", says=["discovered_at", "two ways"])
