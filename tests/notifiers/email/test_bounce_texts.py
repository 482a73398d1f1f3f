from __future__ import annotations

import sys
import time
from types import ModuleType

import pytest

from notifiers.email.bounces import By, Kind, RecipientReport, read_report
from tests.support.notifications import BLOCKED, DEAD, IN_WORDS, QMAIL, only, verdict


def test_a_failure_in_qmails_own_format_is_read() -> None:
    report = read_report(QMAIL.encode())

    assert (report.kind, report.by) == (Kind.failed, By.heuristic)
    assert [one.final_recipient for one in report.recipients] == [
        "a@recipient.example",
        "b@recipient.example",
    ]
    assert [verdict(one) for one in report.recipients] == [DEAD, BLOCKED]
    assert report.message_ids == ("<m1@example.com>",)
    assert report.addressed_to == ("bounces+x@example.com",)


def test_what_is_told_in_other_words_is_read_by_flufl_bounce_and_has_no_status() -> None:
    pytest.importorskip("flufl.bounce")

    report = read_report(IN_WORDS)

    assert (report.kind, report.by) == (Kind.failed, By.heuristic)
    assert only(report) == RecipientReport(Kind.failed, final_recipient="a@recipient.example")
    assert not only(report).permanent
    assert report.message_ids == ("<m1@example.com>",)


def test_without_flufl_bounce_other_words_are_unclear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flufl.bounce", None)

    report = read_report(IN_WORDS)

    assert (report.kind, report.by) == (Kind.unclear, By.none)
    assert report.message_ids == ("<m1@example.com>",)


STARTS = (
    "failed addresses follow:",
    "The following addresses had",
    "not yet been delivered",
    "Your message to:",
)


@pytest.mark.parametrize("filling", ["<", "a", "a@", " ", "("])
@pytest.mark.parametrize("start", STARTS)
def test_long_lines_do_not_hold_up_the_patterns_of_flufl_bounce(start: str, filling: str) -> None:
    pytest.importorskip("flufl.bounce")
    began = time.monotonic()

    read_report(f"From: MAILER-DAEMON@mx.example.net\n\n{start}\n{filling * 1_000_000}".encode())

    assert time.monotonic() - began < 5


def test_a_message_that_flufl_bounce_cannot_read_is_unclear(monkeypatch: pytest.MonkeyPatch) -> None:
    flufl = ModuleType("flufl.bounce")

    def fail(message: object) -> None:
        raise UnicodeDecodeError("ascii", b"", 0, 1, "as detectors do for some messages")

    monkeypatch.setattr(flufl, "all_failures", fail, raising=False)
    monkeypatch.setitem(sys.modules, "flufl", ModuleType("flufl"))
    monkeypatch.setitem(sys.modules, "flufl.bounce", flufl)

    assert read_report(IN_WORDS).kind is Kind.unclear
