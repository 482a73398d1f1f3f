"""Workspaces that cannot be used: settings, database, keys, relay. One clear error, and nothing is made worse."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import Answer, run, run_process, snapshot, sql
from tests.support.estates import Estate, with_release
from tests.support.relays import recording_relay

NOBODY_UID = 65534


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param("[mail]", "[mial]", ["mial", "docs/settings.md"], id="an unknown table"),
        pytest.param("port = 9", "prot = 9", ["mail.prot", "docs/settings.md"], id="an unknown key"),
        pytest.param("[mail]", "[mail", ["TOML", "line"], id="no TOML"),
        pytest.param('"Asia/Shanghai"', '"Mars/Olympus"', ["workspace.zone", "Mars/Olympus"], id="no zone"),
        pytest.param("port = 9", 'password = "hunter2"', ["mail.password", "env:NAME"], id="a secret"),
        pytest.param('countries = ["cn", "eu"]', 'countries = ["china"]', ["china"], id="no country"),
        pytest.param("port = 9", "port = 99999", ["mail.port"], id="no port"),
    ],
)
def test_settings_that_cannot_be_used_are_named(estate: Estate, old: str, new: str, says: list[str]) -> None:
    estate.change_settings(old, new)
    for words in (("list",), ("show", estate.id), ("doctor",)):
        answer = estate.refused(*words, says=["incident.toml", *says])
        assert "hunter2" not in answer.err


def test_settings_in_another_encoding_are_refused(estate: Estate) -> None:
    estate.settings_file.write_bytes(estate.settings_file.read_text("utf-8").encode("gb18030"))
    estate.refused("list", says=["incident.toml", "utf-8"])


def test_where_there_is_no_workspace_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    for answer in (
        run("--workspace", tmp_path / "none", "list"),
        run("list", environment={"INCIDENT_WORKSPACE": str(tmp_path)}),
    ):
        assert answer.code == 1
        assert "incident init" in answer.err


def test_a_database_that_is_not_there_or_is_none_is_told(estate: Estate) -> None:
    database = estate.root / "incident.db"
    sql(estate.root, "PRAGMA wal_checkpoint(TRUNCATE)")
    content = database.read_bytes()
    database.unlink()
    estate.refused("list", says=["no database", "backup"])
    assert not database.exists()
    database.write_bytes(b"this is no database" * 500)
    estate.refused("list", says=["incident.db"])
    database.write_bytes(content[: len(content) // 2])
    estate.refused("show", estate.id, says=["incident.db", "backup"])


def test_a_database_of_a_newer_version_is_left_alone(estate: Estate) -> None:
    sql(estate.root, "UPDATE alembic_version SET version_num = '9999'")
    for words in (("list",), ("show", estate.id), ("set", estate.id, "persons=3")):
        estate.refused(*words, says=["9999", "newer"])


def test_without_the_keyring_nothing_is_read_or_written_and_the_chain_still_verifies(estate: Estate) -> None:
    (estate.root / "keyring").rename(estate.root / "moved")
    for words in (
        ("show", estate.id),
        ("set", estate.id, "persons=3"),
        ("log", estate.id, "text"),
        ("duties", estate.id),
        ("ask", estate.id),
        ("answer", estate.id, "persons", "3"),
        ("timeline", estate.id),
        ("notice", "draft", estate.id),
        ("close", estate.id),
        ("report", estate.id),
    ):
        estate.refused(*words, says=["keyring", estate.id, "put the keyring back"])
    estate.refused("open", "--title", "x", "--not-state-secret", says=["keyring"])
    listed = estate.done("list")
    assert estate.id in listed.out
    assert "no key" in listed.out
    answer = estate.done("verify")
    assert "the chains only: no key to look into" in answer.out
    (estate.root / "moved").rename(estate.root / "keyring")
    assert "the chains only" not in estate.done("verify").out


def test_one_lost_key_stops_its_own_incident_only(estate: Estate) -> None:
    second = estate.done("open", "--title", "another", "--not-state-secret", "--json").document["incident"]
    (estate.root / "keyring" / f"{estate.id}.key").unlink()
    estate.refused("show", estate.id, says=[estate.id, "put the keyring back"])
    estate.done("show", second)
    third = estate.done("open", "--title", "a third", "--not-state-secret", "--json").document["incident"]
    assert third not in (estate.id, second)


def test_another_key_under_its_name_is_found(estate: Estate) -> None:
    keyring = estate.root / "keyring"
    (keyring / f"{estate.id}.key").write_bytes((keyring / "workspace.key").read_bytes())
    estate.refused("show", estate.id, says=[])
    assert estate.run("verify").code == 1


def test_the_secret_of_the_relay_is_asked_for_before_anything_is_written(estate: Estate) -> None:
    with_release(estate)
    estate.change_settings("port = 9", 'port = 9\nusername = "u"\npassword = "env:NO_SUCH_SECRET"')
    says = ["env:NO_SUCH_SECRET", "set it"]
    estate.refused("notice", "send", estate.id, says=says)
    estate.refused("run", "personal-data-breach", "--on", estate.id, says=says)
    estate.refused("worker", says=says)


def test_a_relay_that_offers_no_tls_gets_nothing(estate: Estate) -> None:
    with_release(estate)
    with recording_relay() as relay:
        estate.change_settings('port = 9\ntls = "none"', f'port = {relay.port}\ntls = "starttls"')
        estate.refused("notice", "send", estate.id, says=["STARTTLS", f"127.0.0.1:{relay.port}"])
        assert relay.taken == []


def test_a_relay_that_refuses_the_sender_gets_no_name_of_anybody(estate: Estate) -> None:
    with_release(estate)
    estate.change_settings('processor = "our own relay"', 'processor = "a third party"')
    estate.change_settings('relation = "own"', 'relation = "provided"')
    estate.refused("notice", "send", estate.id, says=["a third party", "PIPL"])


def test_a_database_that_another_process_holds_is_told(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("incident.store.database._BUSY_SECONDS", 0.2)
    holder = sqlite3.connect(estate.root / "incident.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        estate.refused("set", estate.id, "persons=3", says=["incident.db", "another process", "try again"])
        estate.done("show", estate.id)
    finally:
        holder.close()
    estate.done("set", estate.id, "persons=3")


def test_on_a_full_disk_a_change_is_refused_whole(estate: Estate, tmp_path: Path) -> None:
    before = snapshot(estate.root)
    facts = tmp_path / "facts.yaml"
    facts.write_text(f"what_happened: {'x' * 400_000}\n")

    def small_disk() -> None:
        # SQLite sees a write that fails, as on a full disk; Python ignores the signal that comes with it.
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    answer = run_process(
        *("--workspace", estate.root, "set", estate.id, "--facts", facts), preexec_fn=small_disk
    )
    assert answer.code == 1, answer.text
    assert answer.err.count("error: ") == 1
    assert "Traceback" not in answer.err
    assert snapshot(estate.root) == before
    estate.done("set", estate.id, "persons=3")


def _as_nobody(estate: Estate, *words: str) -> Answer:
    """A command as a user who owns nothing here; only root can become one, in a child that ends with the command.

    The child is forked, not started: what it needs is loaded, and the interpreter may lie where others cannot look.
    """
    if os.geteuid() != 0:
        return estate.run(*words)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(NOBODY_UID)
        os.setuid(NOBODY_UID)
        answer = estate.run(*words)
        os.write(writer, json.dumps(vars(answer)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = Answer(**json.loads(pipe.read()))
    os.waitpid(child, 0)
    return answer


def _open_the_way(folder: Path) -> Callable[[], None]:
    """Let others pass through the folders above, as pytest makes them for the owner only; returns the way back."""
    modes = [(each, each.stat().st_mode) for each in folder.parents if each.stat().st_uid == os.geteuid()]
    for each, mode in modes:
        each.chmod(mode | 0o011)

    def back() -> None:
        for each, mode in modes:
            each.chmod(mode)

    return back


def test_a_store_that_may_only_be_read_is_told(estate: Estate) -> None:
    refused = (
        ("set", estate.id, "persons=3"),
        ("open", "--title", "x", "--not-state-secret"),
        ("notice", "draft", estate.id),
    )
    for words in refused:
        # Whatever a command loads is loaded before the child becomes nobody.
        estate.done(*words)
    back = _open_the_way(estate.root)
    try:
        for file in estate.root.rglob("*"):
            file.chmod(0o555 if file.is_dir() else 0o444)
        estate.root.chmod(0o555)
        before = snapshot(estate.root)
        for words in refused:
            answer = _as_nobody(estate, *words)
            assert answer.code == 1, answer.text
            assert answer.err.count("error: ") == 1
            assert "Traceback" not in answer.err
            assert "writ" in answer.err
            assert snapshot(estate.root) == before
    finally:
        estate.root.chmod(0o755)
        for file in estate.root.rglob("*"):
            file.chmod(0o755 if file.is_dir() else 0o644)
        back()
