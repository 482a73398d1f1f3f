"""From a phone call to a record: `incident open` with its options, and as it asks at a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import ROOT
from tests.support.estates import SHANGHAI, Estate

NO_SECRET = "--not-state-secret"


def _facts(estate: Estate, incident: str) -> dict[str, dict[str, Any]]:
    document = estate.done("show", incident, "--json").document
    return {each["field"]: each for each in document["facts"]}


def _minutes_ago(text: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds() / 60


def test_who_told_us_and_when_starts_the_clocks(estate: Estate) -> None:
    said = estate.done(
        "open", "--title", "Portal open", "--told-by", "a customer", "--told-at", "-20m", NO_SECRET, "--json"
    )
    document = said.document
    fact = _facts(estate, document["incident"])["informed_at"]
    assert (fact["said_by"], fact["sure"]) == ("a customer", "claimed")
    assert 19 < _minutes_ago(fact["value"]) < 22
    due = document["due_first"]
    assert due["due_at"] is not None
    owed = estate.done("duties", document["incident"], "--json").document["duties"]
    assert due["due_at"] == min(each["due_at"] for each in owed if each["due_at"])
    assert "--told-at: " in said.err
    assert "+0800 (Asia/Shanghai), 20 minutes ago" in said.err


def test_what_we_found_ourselves_is_said_by_who_opens(estate: Estate) -> None:
    said = estate.done(
        "--as", "anna", "open", "--title", "Portal open", "--found-at", "-20m", NO_SECRET, "--json"
    )
    facts = _facts(estate, said.document["incident"])
    assert facts["discovered_at"]["said_by"] == "anna"
    assert "informed_at" not in facts


def test_the_duties_come_in_the_order_in_which_they_are_due_with_the_first_questions(estate: Estate) -> None:
    said = estate.done("open", "--title", "Portal open", "--found-at", "-5m", NO_SECRET).out.splitlines()
    duties = [line for line in said if line.startswith("duty ")]
    dues = [line.partition(", due ")[2] for line in duties]
    timed = [due for due in dues if due]
    assert timed == sorted(timed)
    assert dues == [*timed, *[""] * (len(dues) - len(timed))]
    [first] = [line for line in said if line.startswith("due first: ")]
    assert first.startswith(f"due first: {duties[0].split()[1].rstrip(':')}, ")
    asked = said[said.index("the first questions:") + 1 : -1]
    assert len(asked) == 3
    assert said[-1].startswith("next: incident ask INC-")
    chinese = estate.done(
        "open", "--title", "门户泄露", "--found-at", "五分钟前", NO_SECRET, INCIDENT_LANGUAGE="zh-Hans"
    ).out
    assert "已立案：门户泄露" in chinese
    assert "最先到期：" in chinese
    assert "首先要弄清的问题：" in chinese


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ([], 2, "the title is missing"),
        (["--title", " "], 2, "the title is empty"),
        (["--title", "two\nlines"], 1, "one line"),
        (["--title", "x" * 1_000_000], 1, "20,000"),
        (["--title", "x", "--told-at", "-10m"], 2, "who told us"),
        (["--title", "x", "--told-by", "y", "--told-at", "tomorrow 08:00"], 1, "still to come"),
        (["--title", "x", "--found-at", "+10m"], 1, "--found-at"),
        (["--title", "x", "--found-at", "03/04/2026"], 1, "two ways"),
        (["--title", "x", "--told-by", "bell\a"], 1, "control characters"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_words_that_are_off_open_nothing(estate: Estate, words: list[str], code: int, says: str) -> None:
    estate.refused("open", *words, NO_SECRET, code=code, says=[says])


def test_a_fact_said_twice_is_refused(estate: Estate, tmp_path: Path) -> None:
    file = tmp_path / "facts.yaml"
    file.write_text("discovered_at: 2026-11-21 01:50\n")
    estate.refused(
        "open",
        "--title",
        "x",
        "--facts",
        file,
        "--found-at",
        "-5m",
        NO_SECRET,
        code=2,
        says=["stands in the facts too"],
    )


def test_with_a_wrong_answer_about_secrets_nothing_is_opened(estate: Estate) -> None:
    estate.refused("open", "--title", "x", stdin="y\n", says=["state secret"])
    assert estate.run("open", "--title", "x", stdin="n\n").code == 0


# -- at a terminal -----------------------------------------------------------------------------------


def _at_a_terminal(
    estate: Estate, typed: str, *words: str, language: str = "en"
) -> subprocess.CompletedProcess[str]:
    """Call `open` with a real terminal as its input, on which this was typed."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, typed.encode())
        return subprocess.run(
            [sys.executable, "-m", "incident.cli.main", "--workspace", str(estate.root), "open", *words],
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "INCIDENT_LANGUAGE": language},
        )
    finally:
        os.close(ours)
        os.close(theirs)


def test_at_a_terminal_it_asks_for_title_who_and_when_until_it_can_be_read(estate: Estate) -> None:
    typed = "n\n\nPortal open to outsiders\na customer\nsoon\n03/04/2026\n-10m\n"
    answer = _at_a_terminal(estate, typed, "--json")
    assert answer.returncode == 0, answer.stderr
    assert "“soon” is no time" in answer.stderr
    assert "can be read in two ways" in answer.stderr
    assert answer.stderr.count("What has happened") == 2, "an empty title is asked for again"
    incident = f"INC-{datetime.now(SHANGHAI).year}-0002"
    shown = estate.done("show", incident, "--json").document
    assert (shown["title"], shown["told_by"]) == ("Portal open to outsiders", "a customer")
    assert 9 < _minutes_ago(_facts(estate, incident)["informed_at"]["value"]) < 12


def test_at_a_terminal_nobody_needs_to_know_when(estate: Estate) -> None:
    answer = _at_a_terminal(estate, "门户可被外人查询\n\n\n", NO_SECRET, language="zh-Hans")
    assert answer.returncode == 0, answer.stderr
    assert "何时发现？" in answer.stderr
    assert "已立案：门户可被外人查询" in answer.stdout


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("y\n", "no state secret"),
        ("\x04", "no state secret"),
        ("n\n\x04", "stopped"),
        ("n\nx\ny\n\x04", "stopped"),
    ],
    ids=["a secret", "end", "end at the title", "end at the time"],
)
def test_at_a_terminal_that_ends_nothing_is_opened(estate: Estate, typed: str, says: str) -> None:
    before = estate.snapshot()
    answer = _at_a_terminal(estate, typed)
    assert answer.returncode == 1
    assert says in answer.stderr
    assert "Traceback" not in answer.stderr
    assert estate.snapshot() == before


def test_a_time_counted_back_is_read_when_it_is_typed(estate: Estate) -> None:
    before = datetime.now(UTC) - timedelta(minutes=10)
    said = estate.done("open", "--title", "x", "--found-at", "10分钟前", NO_SECRET, "--json").document
    found = datetime.fromisoformat(_facts(estate, said["incident"])["discovered_at"]["value"])
    assert before <= found <= datetime.now(UTC) - timedelta(minutes=10)
