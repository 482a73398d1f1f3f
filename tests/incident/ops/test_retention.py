"""The end of an incident's data: by a signed decision, for good, in every copy, and finished after any crash."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import SQLModel

from incident.ops import retention
from incident.store.keyring import Keyring
from incident.store.tables import WORKSPACE_TABLES, load_all
from tests.support.commands import run, sql
from tests.support.estates import Estate, with_people, with_release
from tests.support.relays import recording_relay

PURGE = ("--as", "anna", "purge")


@pytest.fixture
def closed(estate: Estate, tmp_path: Path) -> Estate:
    """A closed incident with people, evidence, a report and words of one's own for the notice."""
    with_people(estate)
    estate.done("notice", "edit", estate.id, "planned", "--language", "en", "--text", "We will look again.")
    file = tmp_path / "evidence.txt"
    file.write_text("203.0.113.66 asked for everybody")
    estate.done("evidence", "add", estate.id, file)
    estate.done("report", estate.id, "--regime", "eu-gdpr")
    estate.done("close", estate.id, "--reason", "all duties met")
    return estate


def test_a_dry_run_says_what_would_go_and_touches_nothing(closed: Estate) -> None:
    before = closed.snapshot()
    document = closed.done("purge", closed.id, "--dry-run", "--json").document
    assert closed.snapshot() == before
    assert (document["dry_run"], document["people"], document["files"]) == (True, 6, 2)
    assert document["journal_bodies"] > 4


def test_an_open_incident_keeps_its_data(estate: Estate) -> None:
    estate.refused(*PURGE, estate.id, says=["open", "incident close"])


def test_destroying_takes_an_approvers_signature(closed: Estate) -> None:
    closed.refused("purge", closed.id, says=["--as NAME"])
    closed.refused("--as", "carl", "purge", closed.id, says=["carl", "approver"])
    other = str(closed.keys / "bo")
    closed.refused(*PURGE, closed.id, says=["anna", "key"], INCIDENT_SIGNING_KEY=other)


def test_a_simulated_operator_destroys_nothing_outside_a_drill(closed: Estate) -> None:
    sql(closed.root, "UPDATE operator SET simulated = 1 WHERE name = 'anna'")
    closed.refused(*PURGE, closed.id, says=["anna", "simulated"])


def test_data_that_a_sending_or_a_run_still_needs_stays(estate: Estate) -> None:
    with_release(estate)
    with recording_relay() as relay:
        estate.change_settings("port = 9", f"port = {relay.port}")
        estate.done("notice", "send", estate.id, "--detach")
    estate.done("close", estate.id)
    estate.refused(*PURGE, estate.id, says=[estate.id, "sent"])


def test_a_hold_that_stands_keeps_the_data_and_destroyed_data_holds_nothing_back(estate: Estate) -> None:
    estate.done("hold", "add", estate.id, "--by", "police", "--until", "+1h")
    estate.done("close", estate.id, "--reason", "all duties met")
    estate.refused(*PURGE, estate.id, says=["H1 still stands", "incident hold lift"])
    estate.done("--as", "anna", "hold", "lift", estate.id, "H1", "--reason", "agreed")
    estate.done(*PURGE, estate.id)
    estate.refused("hold", "list", estate.id, says=["was destroyed on"])
    assert "a hold stands" not in estate.done("list").err
    assert sql(estate.root, "SELECT count(*) FROM hold WHERE length(sealed) > 0") == [(0,)]


def test_a_run_that_waits_keeps_the_data(estate: Estate) -> None:
    run_id = estate.done("run", "personal-data-breach", "--on", estate.id, "--json").document["run"]
    estate.done("close", estate.id)
    estate.refused(*PURGE, estate.id, says=[run_id, "cancel"])


def test_afterwards_the_chain_holds_and_heads_from_before_still_match(closed: Estate, tmp_path: Path) -> None:
    heads = tmp_path / "heads.json"
    closed.done("verify", "--save-head", heads)
    document = closed.done(*PURGE, closed.id, "--reason", "its time is up", "--json").document
    assert (document["dry_run"], document["people"]) == (False, 6)
    verified = closed.done("verify", "--head", heads, "--json").document
    assert verified["sound"] is True
    assert verified["no_key_for"] == []
    chain = next(each for each in verified["chains"] if each["chain"] == closed.id)
    assert chain["destroyed_at"]
    kinds = [kind for (kind,) in sql(closed.root, "SELECT kind FROM journal_entry ORDER BY chain, seq")]
    assert kinds.count(retention.DESTROYED) == 2


def test_afterwards_every_question_is_answered_with_the_date(closed: Estate) -> None:
    closed.done(*PURGE, closed.id)
    day = sql(closed.root, "SELECT destroyed_at FROM incident")[0][0][:10]
    for words in (
        ("show", closed.id),
        ("show", closed.id, "--as-of", "2999-01-01 00:00"),
        ("timeline", closed.id),
        ("duties", closed.id),
        ("ask", closed.id),
        ("answer", closed.id, "persons", "3"),
        ("answer", closed.id, "1", "3"),
        ("set", closed.id, "persons=3"),
        ("notice", "preview", closed.id),
        ("deliveries", closed.id),
    ):
        closed.refused(*words, says=[f"destroyed on {day}"])
    assert f"destroyed on {day}" in closed.done("list").out


def test_afterwards_nothing_sealed_no_person_and_no_file_is_left(closed: Estate) -> None:
    closed.done(*PURGE, closed.id)
    assert sql(closed.root, "SELECT count(*) FROM person") == [(0,)]
    for table in ("fact", "log_entry", "evidence", "report", "incident", "duty", "evaluation", "notice_edit"):
        assert sql(closed.root, f"SELECT DISTINCT length(sealed) FROM {table}") == [(0,)]  # noqa: S608
    lengths = sql(closed.root, "SELECT DISTINCT length(sealed) FROM journal_body WHERE chain = ?", closed.id)
    assert lengths == [(0,)]
    assert not (closed.root / "blobs" / closed.id).exists()
    assert not (closed.root / "reports" / closed.id).exists()
    assert not (closed.root / "keyring" / f"{closed.id}.key").exists()


def test_whatever_seals_something_of_an_incident_is_emptied_or_deleted() -> None:
    load_all()
    sealed = {name for name, table in SQLModel.metadata.tables.items() if "sealed" in table.columns}
    emptied = {each.__tablename__ for each in retention._SEALED}
    apart = {"incident", "journal_body", "people_problem", "person"}
    assert sealed - {each.__tablename__ for each in WORKSPACE_TABLES} == emptied | apart


def test_the_data_is_unreadable_in_a_copy_of_the_database_made_before(closed: Estate, tmp_path: Path) -> None:
    """A backup holds the database and the blobs; the keyring lies elsewhere, so its key is gone from backups too."""
    backup = closed.copy_to(tmp_path / "backup")
    assert "Member look-up" in backup.done("show", backup.id).out
    closed.done(*PURGE, closed.id)
    shutil.rmtree(backup.root / "keyring")
    backup.refused("show", backup.id, says=["keyring"])
    keyring = f'\n[store]\nkeyring = "{closed.root / "keyring"}"\n'
    backup.settings_file.write_text(backup.settings_file.read_text("utf-8") + keyring, "utf-8")
    answer = backup.refused("show", backup.id, says=["destroyed on"])
    assert "Member look-up" not in answer.err
    a_file = closed.keys / "anna"
    backup.refused("people", "import", backup.id, a_file, "--format", "csv", says=["destroyed on"])
    assert backup.run("evidence", "verify", backup.id).code == 1
    assert run("--workspace", backup.root, "verify").code == 0


def _raise(*_: object, **__: object) -> Any:
    raise RuntimeError("the power went")


@pytest.mark.parametrize(
    "break_it",
    [
        pytest.param(
            lambda patch: patch.setattr(retention, "_tell_workspace", _raise), id="after the decision"
        ),
        pytest.param(lambda patch: patch.setattr(Keyring, "destroy", _raise), id="before the key goes"),
        pytest.param(lambda patch: patch.setattr(retention, "_scrub", _raise), id="after the key went"),
        pytest.param(lambda patch: patch.setattr("shutil.rmtree", _raise), id="before the files go"),
        pytest.param(
            lambda patch: patch.setattr("incident.store.keyring._sync_folder", _fail_second()),
            id="between the tombstone and the key",
        ),
    ],
)
def test_after_a_crash_calling_again_finishes_the_work(
    closed: Estate, tmp_path: Path, break_it: Callable[[pytest.MonkeyPatch], None]
) -> None:
    heads = tmp_path / "heads.json"
    closed.done("verify", "--save-head", heads)
    with pytest.MonkeyPatch.context() as patch:
        break_it(patch)
        with pytest.raises(RuntimeError):
            closed.run(*PURGE, closed.id)
    closed.done(*PURGE, closed.id)
    assert closed.done("verify", "--head", heads, "--json").document["sound"] is True
    assert sql(closed.root, "SELECT count(*) FROM person") == [(0,)]
    assert not (closed.root / "blobs" / closed.id).exists()
    assert not (closed.root / "keyring" / f"{closed.id}.key").exists()
    kinds = sql(closed.root, "SELECT kind FROM journal_entry WHERE kind = ?", retention.DESTROYED)
    assert len(kinds) == 2
    assert sql(closed.root, "SELECT count(*) FROM decision WHERE subject_kind = 'destruction'") == [(1,)]


def _fail_second() -> Callable[[Path], None]:
    calls: list[Path] = []

    def sync(folder: Path) -> None:
        calls.append(folder)
        if len(calls) == 2:
            raise RuntimeError("the power went")

    return sync


def test_files_that_cannot_be_removed_are_told(closed: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    remove = shutil.rmtree

    def refuse(folder: str | Path, *rest: Any, **options: Any) -> None:
        if Path(folder).is_relative_to(closed.root):
            raise PermissionError(13, "Permission denied", str(folder))
        remove(folder, *rest, **options)

    monkeypatch.setattr("shutil.rmtree", refuse)
    answer = closed.run(*PURGE, closed.id)
    assert answer.code == 1
    assert "the key is destroyed, but files are left" in answer.err
    monkeypatch.undo()
    closed.done(*PURGE, closed.id)


def test_another_incident_is_not_touched(closed: Estate) -> None:
    other = closed.done("open", "--title", "another", "--not-state-secret", "--json").document["incident"]
    closed.done(*PURGE, closed.id)
    assert "another" in closed.done("show", other).out
    assert closed.done("verify", "--json").document["sound"] is True
