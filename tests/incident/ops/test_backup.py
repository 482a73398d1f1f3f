"""A backup: everything but the keys, whole or not there, and nobody has to stop for it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlmodel import select

from incident.errors import KeyDestroyed
from incident.ops.backup import back_up
from incident.record.person import person_from_content
from incident.store.change import open_row
from incident.store.database import open_engine
from incident.store.keyring import Keyring
from incident.store.migrations import HEAD_REVISION
from incident.store.store import Store
from incident.store.tables import Person
from tests.support.breaches import make_breach, some_people
from tests.support.commands import ROOT, run, run_process
from tests.support.copies import (
    content_of,
    database_says,
    forms_of,
    keys_of,
    names_in,
    secrets_found,
    unpack_by_hand,
)
from tests.support.estates import Estate, make_key, with_people
from tests.support.postgres import PostgresServer
from tests.support.workspaces import make_workspace, open_one, run_sql

PASSWORD = b"correct-horse-battery-staple"
TOKEN = b"a-token-for-alerts-0123456789"
LETTER = b"a-private-key-for-a-playbook-call"


@pytest.fixture
def full(estate: Estate, tmp_path: Path) -> Estate:
    """A workspace with people, evidence, a report, pages and data of its own."""
    with_people(estate)
    evidence = tmp_path / "evidence.txt"
    evidence.write_text("203.0.113.66 asked for everybody")
    estate.done("evidence", "add", estate.id, evidence)
    estate.done("report", estate.id, "--regime", "eu-gdpr")
    for name in ("public/notice.html", "regimes/own.yaml", "sources/own.yaml", "playbooks/遏制.yaml"):
        _write(estate.root / name, f"# {name}\n".encode())
    _write(estate.root / "templates" / "en" / "own.txt", b"own")
    _write(estate.root / "forms" / "own.yaml", b"# own")
    return estate


def _write(file: Path, content: bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def test_everything_of_the_record_is_in_it(full: Estate, tmp_path: Path) -> None:
    document = full.done("backup", tmp_path / "b.tgz", "--json").document
    names = names_in(tmp_path / "b.tgz")
    assert (names[0], names[-1]) == ("incident.db", "manifest.json")
    folders = ("blobs", "public", "reports", "regimes", "sources", "playbooks", "templates", "forms")
    files = {
        file.relative_to(full.root).as_posix(): file
        for folder in folders
        for file in (full.root / folder).rglob("*")
        if file.is_file()
    }
    assert {name.split("/")[0] for name in files} == set(folders)
    assert set(names) == {"incident.db", "incident.toml", "manifest.json", *files}
    for name, file in files.items():
        assert content_of(tmp_path / "b.tgz", name) == file.read_bytes()
    assert document["files"] == len(names) - 1
    assert document["size"] == (tmp_path / "b.tgz").stat().st_size
    assert document["left_out"] == []
    assert (tmp_path / "b.tgz").stat().st_mode & 0o777 == 0o600


def test_its_manifest_says_of_what_and_of_when_it_is(full: Estate, tmp_path: Path) -> None:
    full.done("backup", tmp_path / "b.tgz")
    said = json.loads(content_of(tmp_path / "b.tgz", "manifest.json"))
    heads = full.done("verify", "--json").document["chains"]
    assert said["workspace"] == {"id": "test", "name": "Example", "born": "live"}
    assert (said["format"], said["revision"], said["epoch"]) == ("tocsin-backup/1", HEAD_REVISION, 1)
    assert {head["chain"]: head["hash"] for head in said["heads"]} == {
        each["chain"]: each["head"] for each in heads
    }
    assert said["not_in_it"] == ["the keyring"]


def test_a_person_is_told_how_big_how_long_and_what_to_keep_elsewhere(full: Estate, tmp_path: Path) -> None:
    answer = full.done("backup", tmp_path / "b.tgz")
    assert "KiB in " in answer.out and "no key is in it" in answer.err
    assert str(full.root / "keyring") in answer.err


# -- keys ------------------------------------------------------------------------------------------


def secrets_of(estate: Estate, keyring: Path) -> dict[str, bytes]:
    private = {name: (estate.keys / name).read_bytes().split(b"\n")[1] for name in ("anna", "bo", "carl")}
    named = {"password": PASSWORD, "token": TOKEN, "letter": LETTER}
    return {**keys_of(keyring), **private, **named}


def test_no_key_is_in_a_backup_wherever_it_lies(full: Estate, tmp_path: Path) -> None:
    """The keyring, private keys and secrets lie in folders that a backup takes, under harmless names, behind links."""
    root = full.root
    keyring = root / "blobs" / "ring"
    shutil.move(root / "keyring", keyring)
    secret = _write(root / "templates" / "en" / "greeting.txt", PASSWORD)
    _write(root / "sources" / "notes.txt", TOKEN)
    letter = _write(root / "playbooks" / "kept" / "notes.txt", LETTER)
    full.change_settings('tls = "none"', f'tls = "none"\nusername = "x"\npassword = "file:{secret}"')
    settings = full.settings_file.read_text("utf-8")
    full.settings_file.write_text(settings + '[store]\nkeyring = "blobs/ring"\n', "utf-8")
    _write(root / "sources" / "own.yaml", b'auth: {kind: token, secret: "file:sources/notes.txt"}\n')
    _write(root / "playbooks" / "own.yaml", f"kms_key_identifier: file:{letter}  # a comment\n".encode())
    for name in ("anna", "bo", "carl"):
        shutil.copy(full.keys / name, _write(root / "reports" / "drafts" / f"{name}.txt", b""))
    places = {name: str(root / "reports" / "drafts" / f"{name}.txt") for name in ("anna", "bo", "carl")}
    _write(root / "signing-keys.json", json.dumps(places).encode())
    make_key(_write(root / "drill-operators" / "dora", b""))
    (root / "public" / "link.key").symlink_to(keyring / "workspace.key")
    os.link(keyring / "workspace.key", root / "public" / "hardlink.html")
    (root / "public" / "folder").symlink_to(keyring)

    answer = full.done("backup", tmp_path / "b.tgz", "--json")
    secrets = secrets_of(full, keyring)
    dora = (root / "drill-operators" / "dora").read_bytes().split(b"\n")[1]
    assert len(secrets) >= 8
    assert secrets_found(tmp_path / "b.tgz", {**secrets, "dora": dora}) == []
    left_out = {each["name"]: each["why"] for each in answer.document["left_out"]}
    assert {
        "blobs/ring/workspace.key",
        "templates/en/greeting.txt",
        "sources/notes.txt",
        "playbooks/kept/notes.txt",
        "reports/drafts/anna.txt",
        "public/link.key",
        "public/hardlink.html",
        "public/folder",
    } <= left_out.keys()
    assert "sources/own.yaml" in names_in(tmp_path / "b.tgz")
    assert "playbooks/own.yaml" in names_in(tmp_path / "b.tgz")
    said = json.loads(content_of(tmp_path / "b.tgz", "manifest.json"))
    assert said["not_in_it"] == ["the keyring", f"file:{secret}"]


def test_the_search_for_keys_finds_one_that_is_there(full: Estate, tmp_path: Path) -> None:
    """The test above must be able to fail: each spelling is found when somebody puts it into a page."""
    key = keys_of(full.root / "keyring")["workspace"]
    for number, form in enumerate(forms_of(key)):
        _write(full.root / "public" / "page.html", b"<p>" + form + b"</p>")
        full.done("backup", tmp_path / f"{number}.tgz")
        assert secrets_found(tmp_path / f"{number}.tgz", {"workspace": key}) == ["workspace"]


def test_what_is_no_plain_file_is_left_out_and_named(full: Estate, tmp_path: Path) -> None:
    public = full.root / "public"
    os.mkfifo(public / "pipe")
    (public / "nothing").symlink_to("nowhere")
    (public / ".hidden.new").write_bytes(b"half a page")
    (public / "elsewhere.html").symlink_to(_write(tmp_path / "page.html", b"a page"))
    (public / b"\xff.html".decode("utf-8", "surrogateescape")).write_bytes(b"x")
    document = full.done("backup", tmp_path / "b.tgz", "--json").document
    why = {each["why"] for each in document["left_out"]}
    assert why == {"no plain file", "a link to nothing", "its name is no UTF-8"}
    names = names_in(tmp_path / "b.tgz")
    assert "public/.hidden.new" not in names
    assert content_of(tmp_path / "b.tgz", "public/elsewhere.html") == b"a page"


# -- whole or not there ----------------------------------------------------------------------------


def test_a_file_that_is_there_is_not_replaced(full: Estate, tmp_path: Path) -> None:
    taken = _write(tmp_path / "kept" / "b.tgz", b"last year's")
    full.refused("backup", taken, says=[str(taken), "new"])
    assert taken.read_bytes() == b"last year's"
    (tmp_path / "kept" / "link").symlink_to("nowhere")
    full.refused("backup", tmp_path / "kept" / "link", says=["already"])
    full.refused("backup", tmp_path / "nowhere" / "b.tgz", says=[str(tmp_path / "nowhere")])
    assert sorted(file.name for file in (tmp_path / "kept").iterdir()) == ["b.tgz", "link"]


FULL_DISK = """
import resource, signal, sys
from incident.cli.main import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("room", [100, 50_000, 700_000])
def test_a_full_disk_is_a_clear_error_and_leaves_nothing(full: Estate, tmp_path: Path, room: int) -> None:
    """It fails in the copy of the database first, and with more room in the archive."""
    _write(full.root / "blobs" / "noise.sealed", os.urandom(1 << 20))
    folder = tmp_path / "kept"
    folder.mkdir()
    words = ["--workspace", str(full.root), "backup", str(folder / "b.tgz")]
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(room), *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("error: ") == 1 and "Traceback" not in done.stderr
    assert list(folder.iterdir()) == []


def test_what_a_killed_backup_left_goes_with_the_next(full: Estate, tmp_path: Path) -> None:
    _write(full.root / "blobs" / "noise.sealed", os.urandom(30 << 20))
    folder = tmp_path / "kept"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "incident.cli.main", "--workspace", full.root, "backup", folder / "b.tgz"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 30
    while not list(folder.glob("*/archive")):
        assert time.monotonic() < until and process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=10)
    [left] = folder.iterdir()
    # A new one may be another backup under way; it is not touched.
    full.done("backup", folder / "second.tgz")
    assert left.exists()
    os.utime(left, (time.time() - 3600, time.time() - 3600))
    full.done("backup", folder / "third.tgz")
    assert sorted(file.name for file in folder.iterdir()) == ["second.tgz", "third.tgz"]


def test_to_standard_output_goes_the_backup_and_nothing_else(full: Estate, tmp_path: Path) -> None:
    with (tmp_path / "b.tgz").open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-m", "incident.cli.main", "--workspace", full.root, "backup", "-"],
            env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
        )
    assert "standard output: " in done.stderr
    assert [file.name for file in tmp_path.glob(".tocsin*")] == []
    ring = full.root / "keyring"
    assert run("restore", tmp_path / "b.tgz", tmp_path / "r", "--keyring", ring).code == 0
    answer = full.run("backup", "-", "--json")
    assert (answer.code, "--json" in answer.err) == (2, True)


# -- while everything works ------------------------------------------------------------------------


def test_it_waits_for_no_writer_and_no_writer_waits_for_it(
    tmp_path: Path, store_on: PostgresServer | None
) -> None:
    made = make_workspace(tmp_path, on=store_on)
    incident = open_one(made)
    other = made.another()
    with other.store.transaction() as session:
        run_into = session.connection().exec_driver_sql
        run_into("INSERT INTO kind_limit (kind, at_once) VALUES ('not yet', 1)")
        kept = back_up(made.workspace, made.settings, made.store, tmp_path / "b.tgz", now=made.clock())
    other.store.close()
    assert kept.seconds < 20
    unpack_by_hand(tmp_path / "b.tgz", tmp_path / "out")
    database = tmp_path / "out" / "incident.db"
    assert database_says(database, "SELECT count(*) FROM kind_limit") == [(0,)]
    assert database_says(database, "SELECT id FROM incident") == [(incident,)]
    assert run_sql(made.store, "DELETE FROM kind_limit") == 1


def test_a_copy_unpacked_by_hand_refuses_to_act(full: Estate, tmp_path: Path) -> None:
    full.done("backup", tmp_path / "b.tgz")
    unpack_by_hand(tmp_path / "b.tgz", tmp_path / "out")
    shutil.copytree(full.root / "keyring", tmp_path / "out" / "keyring")
    copy = Estate(tmp_path / "out", full.id, full.keys)
    assert full.id in copy.done("list").out
    copy.refused("open", "--title", "x", "--not-state-secret", says=["copy", "restore --activate"])
    answer = run_process("--workspace", tmp_path / "out", "worker")
    assert answer.code == 1 and "copy" in answer.err


def test_a_copy_can_be_backed_up_too(full: Estate, tmp_path: Path) -> None:
    full.done("backup", tmp_path / "b.tgz")
    assert run("restore", tmp_path / "b.tgz", tmp_path / "r").code == 0
    assert run("--workspace", tmp_path / "r", "backup", tmp_path / "again.tgz").code == 0
    again, first = (content_of(tmp_path / f"{name}.tgz", "manifest.json") for name in ("again", "b"))
    assert json.loads(again)["heads"] == json.loads(first)["heads"]


# -- rule 11: what was destroyed stays destroyed -----------------------------------------------------


def test_people_in_a_backup_from_before_the_purge_are_gone_too(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, people=some_people(3))
    made = breach.made
    back_up(made.workspace, made.settings, made.store, tmp_path / "b.tgz", now=made.clock())
    unpack_by_hand(tmp_path / "b.tgz", tmp_path / "old")
    ring = made.store.keyring.folder

    def people_in_the_old_backup(keyring: Path) -> list[str]:
        engine = open_engine("sqlite:///incident.db", root=tmp_path / "old")
        old = Store(engine, Keyring(keyring), where="old")
        with old.read() as session:
            rows = session.exec(select(Person)).all()
        key = old.key(breach.id)
        old.close()
        return [person_from_content(open_row(row, key=key)).contact.name for row in rows]

    before = people_in_the_old_backup(ring)
    assert sorted(before) == ["Person 1", "Person 2", "Person 3"]
    made.store.keyring.destroy(breach.id, now=made.clock())
    with pytest.raises(KeyDestroyed):
        people_in_the_old_backup(ring)
    content = (tmp_path / "old" / "incident.db").read_bytes()
    assert not any(name.encode() in content for name in before)
