"""The drill: the whole job in a workspace of its own, quick, complete, and nothing of it left running or usable."""

from __future__ import annotations

import json
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.commands import Answer, run, run_process, snapshot, sql
from tests.support.estates import Estate

PEOPLE = 40
# One run takes five seconds on two busy cores; three times that is a fault.
LONGEST_SECONDS = 15


@dataclass(frozen=True)
class Drilled:
    """One drill, run once for all tests of this module."""

    root: Path
    answer: Answer
    seconds: float
    threads: int


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> Drilled:
    root = tmp_path_factory.mktemp("drill") / "workspace"
    threads = {*threading.enumerate()}
    begun = time.monotonic()
    answer = run("--workspace", root, "drill", "--people", str(PEOPLE), "--json")
    return Drilled(root, answer, time.monotonic() - begun, len({*threading.enumerate()} - threads))


def test_it_ends_in_one_document_with_files_that_exist(drilled: Drilled) -> None:
    assert drilled.answer.code == 0, drilled.answer.text
    document = drilled.answer.document
    assert set(document) == {"incident", "workspace", "files"}
    assert document["workspace"] == str(drilled.root)
    assert all(Path(file).exists() for file in document["files"].values())
    assert {"mail", "drill report", "heads of the chains"} <= set(document["files"])
    assert any(what.startswith("public notice") for what in document["files"])
    assert any(what.startswith("report eu-gdpr") for what in document["files"])


def test_it_is_quick_and_leaves_no_thread_behind(drilled: Drilled) -> None:
    assert drilled.seconds < LONGEST_SECONDS
    assert drilled.threads == 0


def test_it_shows_its_steps_on_stderr(drilled: Drilled) -> None:
    for said in (
        "1. An alert comes in",
        "cn-cac-incident-2025/initial",
        "released",
        "9. Proof",
        "0 messages left",
        "H1 lifted by bo",
    ):
        assert said in drilled.answer.err


def test_the_account_of_everyone_adds_up_to_the_mail_that_was_caught(drilled: Drilled) -> None:
    incident = drilled.answer.document["incident"]
    [campaign] = run("--workspace", drilled.root, "notice", "status", incident, "--json").document[
        "campaigns"
    ]
    assert campaign["adds_up"] is True
    assert campaign["expected"] == PEOPLE
    assert campaign["accepted"] + sum(campaign["unreachable"].values()) == PEOPLE
    guardians = sql(drilled.root, "SELECT count(*) FROM delivery WHERE NOT principal")[0][0]
    caught = list((drilled.root / "caught-mail").glob("*.eml"))
    assert len(caught) == campaign["accepted"] + guardians
    first = caught[0].read_bytes()
    assert b"X-Envelope-To: <" in first
    assert b"Message-ID: <" in first


def test_the_silence_held_and_the_briefs_say_no_more_than_each_may_know(drilled: Drilled) -> None:
    incident, files = drilled.answer.document["incident"], drilled.answer.document["files"]
    [hold] = run("--workspace", drilled.root, "hold", "list", incident, "--json").document["holds"]
    assert (hold["state"], hold["accepted_by"]) == ("lifted", ["anna"])
    first_intent = sql(drilled.root, "SELECT min(intent_at) FROM attempt")[0][0]
    assert first_intent > sql(drilled.root, "SELECT lifted_at FROM hold")[0][0]
    briefs = {what: Path(file).read_text("utf-8") for what, file in files.items() if what.startswith("brief")}
    assert len(briefs) == 5 and Path(files["handover"]).is_file()
    assert "/api/v2/members/search" not in briefs["brief (press)"] + briefs["brief (board)"]


def test_its_record_verifies_against_its_own_heads(drilled: Drilled) -> None:
    words = ("--workspace", drilled.root, "verify", "--json", "--head", drilled.root / "heads.json")
    document = run(*words).document
    assert (document["sound"], document["heads_compared"]) == (True, 2)


def test_its_report_tells_what_happened_and_names_nobody(drilled: Drilled) -> None:
    text = (drilled.root / "drill-report.md").read_text("utf-8")
    assert "checks that did not hold: none" in text
    assert "notice version 1 released" in text
    people = (drilled.root / "affected-people.csv").read_text("utf-8").splitlines()[1:]
    for row in people:
        assert row.split(",")[2] not in text


def test_it_was_told_to_people_that_it_is_a_rehearsal_by_the_record(drilled: Drilled) -> None:
    simulated = sql(drilled.root, "SELECT DISTINCT simulated FROM operator")
    assert simulated == [(1,)]
    settings = drilled.root / "incident.toml"
    assert 'born = "drill"' in settings.read_text("utf-8")


def test_a_folder_in_use_is_refused_and_left_as_it_was(estate: Estate, drilled: Drilled) -> None:
    for root in (estate.root, drilled.root):
        before = snapshot(root)
        answer = run("--workspace", root, "drill", "--people", "3")
        assert answer.code == 1
        assert answer.err.count("error: ") == 1
        assert "not empty" in answer.err
        assert snapshot(root) == before


def test_the_number_of_people_has_bounds(tmp_path: Path) -> None:
    for number in ("0", "-3", "100001"):
        answer = run("--workspace", tmp_path / "w", "drill", "--people", number)
        assert answer.code == 2
        assert "--people" in answer.err
    assert not (tmp_path / "w").exists()


def test_operators_of_a_drill_decide_nothing_in_a_live_workspace(estate: Estate, drilled: Drilled) -> None:
    """Somebody copies the drill's operators and their keys into a live workspace."""
    columns = "id, name, public_key, fingerprint, roles, simulated, added_at, retired_at"
    copied = sql(drilled.root, f"SELECT {columns} FROM operator")  # noqa: S608
    sql(estate.root, "DELETE FROM operator")
    for row in copied:
        marks = ", ".join("?" * len(row))
        sql(estate.root, f"INSERT INTO operator ({columns}) VALUES ({marks})", *row)  # noqa: S608
    shutil.copy(drilled.root / "signing-keys.json", estate.root / "signing-keys.json")
    for _ in range(2):
        for name in ("anna", "bo"):
            answer = estate.run("--as", name, "notice", "release", estate.id, "--json")
            assert answer.code == 1 or answer.document["released"] is False
    assert sql(estate.root, "SELECT count(*) FROM notice WHERE released_at IS NOT NULL") == [(0,)]
    assert estate.run("notice", "send", estate.id).code == 1
    estate.done("close", estate.id)
    estate.refused("--as", "anna", "purge", estate.id, says=["simulated"])
    assert estate.run("verify").code == 1


def test_editing_the_settings_makes_no_drill_of_a_live_workspace(estate: Estate) -> None:
    estate.change_settings('born = "live"', 'born = "drill"')
    sql(estate.root, "UPDATE operator SET simulated = 1")
    for name in ("anna", "bo"):
        answer = estate.run("--as", name, "notice", "release", estate.id, "--json")
        assert answer.code == 1 or answer.document["released"] is False


def test_a_drill_whose_worker_fails_ends_at_once_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from incident.errors import Refused
    from incident.ops.worker import Worker

    def fail(*_: object, **__: object) -> None:
        raise Refused("the worker would not")

    monkeypatch.setattr(Worker, "work_forever", fail)
    threads = {*threading.enumerate()}
    begun = time.monotonic()
    answer = run("--workspace", tmp_path / "w", "drill", "--people", "3")
    assert answer.code == 1
    assert "the worker would not" in answer.err
    assert time.monotonic() - begun < 10
    assert {*threading.enumerate()} <= threads


def test_as_a_process_of_its_own_it_ends_by_itself_with_one_document(tmp_path: Path) -> None:
    answer = run_process("drill", "--workspace", tmp_path / "w", "--people", "1", "--json")
    assert answer.code == 0, answer.text
    assert json.loads(answer.out)["incident"].startswith("INC-")
