"""The benchmark `email`: every sender really sends, and what the sink counted is what the ledger says."""

from __future__ import annotations

import pytest

from benchmarks import __main__ as command
from benchmarks import email
from benchmarks.email_workspace import Ledger
from benchmarks.measure import CommandFailed
from tests.support.tools import need_tool

PEOPLE = 60
WITHOUT_AN_ADDRESS = 1


@pytest.fixture
def sink() -> str:
    need_tool("smtp-source", "postfix")
    return need_tool("smtp-sink", "postfix")


def test_every_sender_is_measured_and_reconciled(sink: str) -> None:
    pytest.importorskip("apprise", reason="the peers of benchmarks are installed by `make bench`")
    result = email.run(people=PEOPLE, rounds=1)
    document = result.as_document()
    peers = {"smtplib_loop", "apprise", "aiosmtplib_raw", "smtp_source"}
    assert document["ratios"].keys() == peers  # type: ignore[attr-defined]
    assert document["figures"].keys() == {"tocsin", *peers}  # type: ignore[attr-defined]
    assert all(line.figure > 0 and line.wall > 0 for line in result.lines)
    # One guardian is written to as well.
    assert f"tocsin {PEOPLE - WITHOUT_AN_ADDRESS + 1}," in result.notes[0]


def test_a_count_that_differs_from_the_ledger_is_no_figure(
    sink: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email, "ledger", lambda prepared: Ledger(accepted=7, attempts=7, adds_up=True))
    with pytest.raises(
        CommandFailed, match=r"the sink counted \d+ messages, and the ledger says .*accepted=7"
    ):
        email.run(people=5, rounds=1)


def test_a_peer_whose_messages_did_not_all_arrive_has_no_figure(
    sink: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter([5, 4])
    monkeypatch.setattr(email, "counted", lambda counter: next(counts))
    monkeypatch.setattr(email, "ledger", lambda prepared: Ledger(accepted=5, attempts=5, adds_up=True))
    with pytest.raises(CommandFailed, match="smtplib_loop was to send 5 messages, and the sink counted 4"):
        email.run(people=5, rounds=1)


def test_a_missing_program_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.sink.shutil.which", lambda name, path=None: None)
    assert command.main(["email"]) == 1
    assert "smtp-sink is not here: it comes with the Debian package postfix" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["startup", "--people", "5"], ["email", "--people", "0"]])
def test_a_number_of_people_is_taken_only_where_it_means_something(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        command.main(words)
    assert stop.value.code == 2
